/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of a tile, sixteen at a time. A row's keys are counted through its runs: pinned tokens and
 * a window of 128 are nine groups wherever the window begins, and which keys meet in a group follows
 * from what the row sees and from nothing else. spec: EV-2, NU-12 */
#ifndef SINKPROOF_FAST_AVX512_GROUP_H
#define SINKPROOF_FAST_AVX512_GROUP_H

#include "fast/avx512/lanes.h"
#include "fast/impl.h"
#include "fast/tensor.h"

#define GROUPS (SP_FAST_TILE / LANES)

typedef struct tile {
  const sp_fast_keys *run;
  uint32_t n_runs;
  uint32_t n; /* keys */
  uint32_t n_groups;
} tile;

static inline tile tile_of(const sp_fast_keys *run, uint32_t n_runs) {
  tile t = {.run = run, .n_runs = n_runs};
  for (uint32_t i = 0; i < n_runs; i++) t.n += run[i].n;
  t.n_groups = (t.n + LANES - 1) / LANES;
  return t;
}

/* Lanes of group g that have a key. */
static inline __mmask16 group_lanes(const tile *t, uint32_t g) {
  return first_lanes(t->n - g * LANES);
}

/* The run of the tile's key number *k, which becomes a number within the run. */
static inline const sp_fast_keys *run_of(const tile *t, uint32_t *k) {
  const sp_fast_keys *run = t->run;
  for (; *k >= run->n; run++) *k -= run->n;
  return run;
}

/* The number, in the call, of the tile's key k. */
static inline uint64_t key_number(const tile *t, uint32_t k) {
  const sp_fast_keys *run = run_of(t, &k);
  return run->first + k;
}

/* A run's rows of k, or of v. */
static inline const char *row_of(const sp_fast_keys *run, bool values, uint32_t k) {
  const void *data = values ? run->v : run->k;
  sp_dtype dtype = values ? run->v_dtype : run->k_dtype;
  return sp_fast_step(data, dtype, (int64_t)k * (values ? run->v_stride : run->k_stride));
}

/* Where all sixteen keys of group g are of one run: the first one's row of k, or of v, and the bytes
 * from each row to the next. Else NULL. */
static inline const char *group_in_run(const tile *t, uint32_t g, bool values, int64_t *step) {
  uint32_t k = g * LANES;
  const sp_fast_keys *run = run_of(t, &k);
  if (k + LANES > run->n) return NULL;
  *step = row_of(run, values, 1) - row_of(run, values, 0);
  return row_of(run, values, k);
}

/* How many groups from g on are of one run whole; where there is one, *first and *step as above. */
static inline uint32_t whole_groups(const tile *t, uint32_t g, bool values, const char **first,
                                    int64_t *step) {
  uint32_t k = g * LANES;
  const sp_fast_keys *run = run_of(t, &k);
  uint32_t n = (run->n - k) / LANES;
  if (n == 0) return 0;
  *step = row_of(run, values, 1) - row_of(run, values, 0);
  *first = row_of(run, values, k);
  return n;
}

/* The rows of k, or of v, of group g. Lanes without a key repeat the last one: what they read is
 * thrown away, but it must be memory that may be read. spec: KC-4 */
static inline void group_rows(const tile *t, uint32_t g, bool values, const char *row[LANES]) {
  int64_t step = 0;
  const char *first = group_in_run(t, g, values, &step);
  if (first != NULL) {
    __m512i low =
        _mm512_mullo_epi64(_mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0), _mm512_set1_epi64(step));
    low = _mm512_add_epi64(_mm512_set1_epi64((int64_t)(intptr_t)first), low);
    _mm512_storeu_si512(row, low);
    _mm512_storeu_si512(row + 8, _mm512_add_epi64(low, _mm512_set1_epi64(8 * step)));
    return;
  }
  for (uint32_t lane = 0; lane < LANES; lane++) {
    uint32_t k = g * LANES + lane < t->n ? g * LANES + lane : t->n - 1;
    const sp_fast_keys *run = run_of(t, &k);
    row[lane] = row_of(run, values, k);
  }
}

/* Keys from the one that is read to the one that is fetched: far enough for memory, 16 KiB of binary32
 * at 64 elements, and into the second-level cache, since a processor has more fetches under way there
 * than into the first. What is near costs nothing, since a fetch is no vector operation. */
#define AHEAD 64

/* `bytes` bytes of a later key, from `begin` on, come into the second-level cache; there may be none. */
static inline void fetch_later(const char *key, int64_t step, uint64_t begin, uint64_t bytes) {
  const uintptr_t later = (uintptr_t)key + (uintptr_t)(AHEAD * step) + begin;
  for (uint64_t byte = 0; byte < bytes; byte += 64)
    _mm_prefetch((const char *)(later + byte), _MM_HINT_T1);
}

#endif
