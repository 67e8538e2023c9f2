/* SPDX-License-Identifier: Apache-2.0 */
/* A long stream through the fast cache: soak TOKENS APPENDS START SEED HEADS [fault]. At every token the list of
 * what is visible and the size of the outputs are checked, at sampled tokens (around the first wraps
 * of the ring, then evenly) the outputs of HEADS heads, each in its turn, are put to the judge, and it is measured how far a stored
 * key is from the key turned exactly: what drifts would grow. Times and memory are printed and not
 * judged. With a planted fault (the keys of the stream turned by another base) it must fail.
 * tests: EV-2, EV-8, EV-13, EV-14 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "fast/cache.h"
#include "sinkproof/fast.h"
#include "tests/soak/soak.h"

enum { PART = 64 };

typedef struct soak {
  const sp_kernel *kernel;
  sp_cache *cache;
  uint64_t seed, start, n_tokens, n_checked;
  size_t n_heads; /* that are judged at a token */
  uint64_t visible[S + W];
  float k[D], v[D], q[N_HEADS * D], out[N_HEADS * D];
  float budget;        /* the largest share of its bound that an output used */
  double norm, turned; /* errors of the last stored key */
  double seconds;      /* of appends since the last report … */
  double part, best;   /* … of the last few of them, and the least of such parts: undisturbed */
  uint64_t n_part;
} soak;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool open_at_start(soak *s, bool fault) {
  const sp_cache_config config = {.size = sizeof config,
                                  .dtype_kv = SP_F32,
                                  .n_sink_tokens = S,
                                  .window = W,
                                  .n_heads = N_HEADS,
                                  .n_kv_heads = 1,
                                  .d_head = D,
                                  .d_value = D,
                                  .position = SP_POSITION_CACHE,
                                  .rope_dims = D,
                                  .rope_base = fault ? 2 * ROPE_BASE : ROPE_BASE};
  return sp_fast_select(NULL, &s->kernel) == SP_OK &&
         s->kernel->cache->open(&s->cache, &config) == SP_OK;
}

static void count_time(soak *s, double seconds) {
  s->seconds += seconds;
  s->part += seconds;
  if (++s->n_part < PART) return;
  if (s->best <= 0.0 || s->part < s->best) s->best = s->part;
  s->part = 0.0;
  s->n_part = 0;
}

static bool append(soak *s, uint64_t token) {
  soak_key(s->seed, token, s->k);
  soak_value(s->seed, token, s->v);
  soak_query(s->seed, token, s->q);
  const sp_cache_call call = {.size = sizeof call,
                              .n_threads = 1,
                              .n_tokens = 1,
                              .k = {.data = s->k, .dtype = SP_F32},
                              .v = {.data = s->v, .dtype = SP_F32},
                              .q = {.data = s->q, .stride = {0, 0, D}, .dtype = SP_F32},
                              .out = {.data = s->out, .stride = {0, 0, D}, .dtype = SP_F32},
                              .scale = 1.0F};
  double begin = now();
  bool ok = s->kernel->cache->append(s->cache, &call) == SP_OK;
  count_time(s, now() - begin);
  return ok;
}

/* Token `token` sees the pinned ones and the newest W, ascending; and an average of values of [-1, 1)
 * is no larger than 1, but for the error of the class, which is far below 2^-10. */
static bool invariants(soak *s, uint64_t token, uint64_t oldest) {
  uint64_t n = 0;
  uint64_t n_pinned = token < S ? token + 1 : S;
  uint64_t first = token + 1 > oldest + W ? token + 1 - W : oldest;
  uint64_t expected = token < S ? n_pinned : n_pinned + (token + 1 - first);
  if (s->kernel->cache->visible(s->cache, 0, s->visible, S + W, &n) != SP_OK || n != expected)
    return false;
  for (uint64_t i = 0; i < n; i++)
    if (s->visible[i] != (i < n_pinned ? i : first + (i - n_pinned))) return false;
  for (int i = 0; i < N_HEADS * D; i++)
    if (!(fabsf(s->out[i]) <= 1.0F + 0x1p-10F)) return false;
  return true;
}

/* The newest stored key against the key turned by its place in extended precision: the largest
 * relative error of the length of a pair, and of its place. */
static void measure_key(soak *s, uint64_t token) {
  const sp_fast_stream *stream = &s->cache->stream[0];
  uint64_t slot = sp_fast_ring_slot(&stream->ring, token);
  const float *stored = (const float *)(const void *)stream->k + slot * D;
  s->norm = s->turned = 0.0;
  for (int i = 0; i < D / 2; i++) {
    long double angle = (long double)token * powl(ROPE_BASE, -2.0L * i / D);
    long double a = (long double)s->k[i];
    long double b = (long double)s->k[i + D / 2];
    long double x = a * cosl(angle) - b * sinl(angle);
    long double y = a * sinl(angle) + b * cosl(angle);
    long double length = hypotl(a, b);
    long double got_x = (long double)stored[i];
    long double got_y = (long double)stored[i + D / 2];
    s->norm = fmax(s->norm, (double)(fabsl(hypotl(got_x, got_y) - length) / length));
    s->turned = fmax(s->turned, (double)(hypotl(got_x - x, got_y - y) / length));
  }
}

static bool judge(soak *s, uint64_t token, uint64_t i) {
  float budget = 0.0F;
  uint64_t n = i + 1 < S + W ? i + 1 : S + W;
  soak_heads heads = {s->n_checked * s->n_heads % N_HEADS, s->n_heads};
  bool ok = soak_judge(s->seed, s->visible, n, heads, s->out, &budget);
  if (budget > s->budget) s->budget = budget;
  s->n_checked++;
  if (!ok) printf("token %" PRIu64 ": not an output of class w-deep\n", token);
  return ok;
}

/* Around the first two wraps, and then now and then. `i` counts the tokens appended here. */
static bool sampled(const soak *s, uint64_t i) {
  uint64_t to_wrap = i >= S ? (i - S) % W : 1 + i % S;
  bool near_wrap = i >= S && i < S + 2 * W + 2 && (to_wrap <= 1 || to_wrap == W - 1);
  return near_wrap || i % (s->n_tokens / 6 + 1) == 0 || i + 1 == s->n_tokens;
}

static void report(soak *s, uint64_t token, uint64_t n) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  printf("token %10" PRIu64
         "  %6.2f us a token, undisturbed %6.2f  %7ld KiB  key: length within %.2e, place within "
         "%.2e  judged %" PRIu64 ", largest share of the bound %.3f\n",
         token, 1e6 * s->seconds / (double)n, 1e6 * s->best / PART, usage.ru_maxrss, s->norm,
         s->turned, s->n_checked, (double)s->budget);
  fflush(stdout);
  s->seconds = s->best = 0.0;
}

/* The pinned tokens, then the stream goes on at token `start`, as if all between had come and gone:
 * it has left no trace once the window is full. */
static bool decode(soak *s) {
  uint64_t every = s->n_tokens / 16 + 1;
  uint64_t oldest = s->start > S ? s->start : S;
  for (uint64_t i = 0; i < s->n_tokens; i++) {
    uint64_t token = i < S ? i : oldest + (i - S);
    if (i == S) s->cache->stream[0].ring.n_seen = s->cache->stream[0].ring.floor = oldest;
    bool filled = s->start <= S || i >= S + W; /* what the closed form lists has been appended */
    if (!append(s, token)) return false;
    if (filled && !invariants(s, token, S)) {
      printf("token %" PRIu64 ": wrong list or size of outputs\n", token);
      return false;
    }
    if (filled && sampled(s, i) && !judge(s, token, i)) return false;
    if (i == S + W || i % every == every - 1 || i + 1 == s->n_tokens) {
      measure_key(s, token);
      report(s, token, i == S + W ? i + 1 : every);
    }
  }
  return true;
}

int main(int argc, char **argv) {
  static soak s;
  if (argc != 6 && argc != 7) {
    fprintf(stderr, "usage: soak TOKENS APPENDS START SEED HEADS [fault]; HEADS is 1, 2, 4 or 8\n");
    return 2;
  }
  uint64_t n_appends = strtoull(argv[2], NULL, 0);
  s.n_tokens = strtoull(argv[1], NULL, 0);
  s.start = strtoull(argv[3], NULL, 0);
  s.seed = strtoull(argv[4], NULL, 0);
  s.n_heads = strtoull(argv[5], NULL, 0);
  if (s.n_heads == 0 || N_HEADS % s.n_heads != 0) return 2;
  if (n_appends > 0 && !soak_ring(n_appends)) return 1;
  bool ok = open_at_start(&s, argc == 7) && decode(&s);
  if (s.cache != NULL) s.kernel->cache->close(s.cache);
  printf("soak: %s, seed %" PRIu64 "\n", ok ? "all is well" : "FAILED", s.seed);
  return ok ? 0 : 1;
}
