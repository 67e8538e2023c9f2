/* SPDX-License-Identifier: Apache-2.0 */
/* Windows and pinned tokens. One key too many or too few changes random data by 1/W, so here one
 * key (the needle) outweighs all others at the very edge, and the values tell which key was used.
 * tests: EV-1, EV-2, AT-4, AT-5 */
#include "certify/gen/list.h"
#include "certify/gen/tools.h"

#include <stdlib.h>

/* Where the needle lies: seen from the last query, or from the start of the row. */
typedef enum place {
  FIRST_OUTSIDE,  /* distance W: invisible */
  LAST_INSIDE,    /* distance W - 1 */
  SECOND_OUTSIDE, /* distance W + 1 */
  SELF,
  INDEX_0,
  LAST_PINNED,    /* index S - 1 */
  FIRST_UNPINNED, /* index S */
  N_PLACES
} place;

static size_t needle_index(place where, size_t n, size_t w, size_t n_sink_tokens) {
  size_t distance = where == FIRST_OUTSIDE ? w : where == LAST_INSIDE ? w - 1 : w + 1;
  switch (where) {
  case SELF:
    return n - 1;
  case INDEX_0:
    return 0;
  case LAST_PINNED: /* fewer keys than pinned tokens, where lengths are limited */
    return n_sink_tokens == 0 ? 0 : (n_sink_tokens < n ? n_sink_tokens : n) - 1;
  case FIRST_UNPINNED:
    return n_sink_tokens < n ? n_sink_tokens : n - 1;
  default:
    return distance < n ? n - 1 - distance : 0;
  }
}

/* e^14 is 1.2 million: the needle outweighs any row here. */
static bool needle_scores(sp_gen *g, size_t needle) {
  double *x = sp_gen_wanted(g);
  if (x == NULL) return false;
  x[needle] = 14.0;
  if (!sp_gen_scores(g, x, 0.5)) return false;
  sp_gen_values_name_keys(g);
  return true;
}

bool sp_make_window_needle(sp_case *c, const sp_generator_request *request) {
  static const size_t windows[] = {4, 1, 16, 33, 2, 8, 64, 7, 31, 3, 32, 100, 128};
  static const size_t pinned[] = {0, 4, 1, 2, 17};
  enum { N_WINDOWS = sizeof windows / sizeof *windows, N = N_PLACES * N_WINDOWS };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  place where = (place)(g.index % N_PLACES);
  size_t w = windows[sp_gen_turn(&g, N_PLACES) % N_WINDOWS];
  size_t s = sp_gen_has(&g, SP_OPT_SINK_TOKENS) ? pinned[g.index % 5] : 0;
  size_t n = w + s + 2 + sp_rng_below(&g.rng, 20);
  sp_gen_shape(&g, n, sp_rng_one_in(&g.rng, 2) ? 1 : sp_rng_between(&g.rng, 2, 5), 2, 4);
  if (c->n_kv < 2) return false;
  c->window = w;
  c->n_sink_tokens = s;
  return needle_scores(&g, needle_index(where, c->n_kv, w, s)) && sp_gen_finish(&g);
}

/* Lengths around the window, and windows that are negative or 0 for someone who stores them in
 * fewer bits. */
bool sp_make_window_size(sp_case *c, const sp_generator_request *request) {
  static const uint64_t windows[] = {1,  8,  (uint64_t)1 << 31,
                                     2,  16, (uint64_t)1 << 32,
                                     3,  33, ((uint64_t)1 << 31) - 1,
                                     64, 5,  (uint64_t)1 << 63,
                                     7,  12, ((uint64_t)1 << 32) + 1,
                                     9,  31, SP_WINDOW_ALL - 1,
                                     4,  6,  65536,
                                     32};
  enum { N_WINDOWS = sizeof windows / sizeof *windows, N = N_WINDOWS * 5 };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  uint64_t w = windows[g.index % N_WINDOWS];
  size_t base = w < 100 ? (size_t)w : 12;
  const size_t length[] = {base, base + 1, 2 * base, base - 1, 2 * base + 1};
  size_t n = length[sp_gen_turn(&g, N_WINDOWS) % 5];
  sp_gen_shape(&g, n > 0 ? n : 1, sp_rng_between(&g.rng, 1, 4), 2, 4);
  c->window = w;
  if (sp_rng_one_in(&g.rng, 3) && sp_gen_has(&g, SP_OPT_SINK_TOKENS))
    c->n_sink_tokens = sp_rng_between(&g.rng, 1, 5);
  return sp_gen_scores(&g, sp_gen_wanted(&g), 2.0) && sp_gen_finish(&g);
}

/* Pinned tokens under the causal bound: queries that lie inside the pinned block themselves,
 * windows that begin inside it, more pinned tokens than keys. Later keys outweigh earlier ones, so
 * a look into the future shows. */
bool sp_make_pinned_tokens(sp_case *c, const sp_generator_request *request) {
  static const size_t pinned[] = {4, 1, 2, 5, 16, 40};
  static const size_t windows[] = {1, 3, 8, 2, 5};
  enum { N = 6 * 5 };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  size_t s = pinned[g.index % 6];
  size_t w = windows[g.index % 5];
  size_t n = s > 20 ? 12 : s + sp_rng_between(&g.rng, 0, 2 * w + 6);
  sp_gen_shape(&g, n, n, 2, 3);
  c->n_sink_tokens = s;
  sp_gen_window(&g, w);
  double *x = sp_gen_wanted(&g);
  if (x == NULL) return false;
  for (size_t j = 0; j < c->n_kv; j++) x[j] = 2.0 * (double)j;
  if (!sp_gen_scores(&g, x, 0.5)) return false;
  if (sp_rng_one_in(&g.rng, 2)) sp_gen_values_name_keys(&g);
  return true; /* a sink logit that is visible in the last row would hide the first */
}
