/* SPDX-License-Identifier: Apache-2.0 */
/* Lengths. Vector code goes wrong in the remainder: lanes that are not cleared, a last element that
 * is dropped, a padding value that wins, a row that starts at an odd address, an index of 16 bits.
 * tests: SM-2, AT-8, KC-4 */
#include "certify/gen/list.h"
#include "certify/gen/tools.h"

#include <stdlib.h>

/* Every n up to four tiles of 64 and 3. First round: all logits near -200, so that a padding lane
 * of logit 0 would take everything, and the last key holds nearly all the mass, so that a dropped
 * tail is seen as well. Later rounds: the mass lies in a random block of 16. */
bool sp_make_tails(sp_case *c, const sp_generator_request *request) {
  enum { N = 4 * 64 + 3 };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  sp_gen_whole_shape(&g, 1 + g.index % N, sp_rng_between(&g.rng, 1, 3), 2, 9);
  double *x = sp_gen_wanted(&g);
  if (x == NULL) return false;
  bool hostile = sp_gen_round_of(&g, N) == 0;
  size_t heavy = sp_rng_below(&g.rng, c->n_kv / 16 + 1);
  for (size_t j = 0; j < c->n_kv; j++) {
    x[j] = hostile ? -200.0 : 0.0;
    if (hostile && j + 1 == c->n_kv) x[j] += 12.0;
    if (!hostile && j / 16 == heavy) x[j] += 4.0;
  }
  return sp_gen_scores(&g, x, 1.0) && sp_gen_finish(&g);
}

static void swap_elements(sp_array *array, size_t a, size_t b) {
  double x = sp_gen_get(array, a);
  sp_gen_set(array, a, sp_gen_get(array, b));
  sp_gen_set(array, b, x);
}

/* Every d_head and d_value up to 67, around 128 and beyond 256, in two different orders; the last component of
 * q and k decides the logits. */
bool sp_make_dims(sp_case *c, const sp_generator_request *request) {
  static const size_t more[] = {80, 127, 128, 129, 192, 256, 257, 320, 576};
  enum { N_MORE = sizeof more / sizeof *more, N = 67 + N_MORE };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  sp_gen_shape(&g, sp_rng_between(&g.rng, 2, 12), 2, 3, 1);
  size_t head = g.index % N;
  size_t value = g.index * 29 % N; /* 29 and N have no common factor */
  c->d_head = head < 67 ? head + 1 : more[head - 67];
  c->d_value = value < 67 ? value + 1 : more[value - 67];
  if (!sp_gen_has(&g, SP_OPT_D_VALUE)) c->d_value = c->d_head;
  double *x = sp_gen_wanted(&g);
  if (x == NULL) return false;
  for (size_t j = 0; j < c->n_kv; j++) x[j] = sp_rng_uniform(&g.rng, -4.0, 4.0);
  if (!sp_gen_scores(&g, x, 0.5)) return false;
  for (size_t e = 0; e < c->q.count; e += c->d_head) swap_elements(&c->q, e, e + c->d_head - 1);
  for (size_t e = 0; e < c->k.count; e += c->d_head) swap_elements(&c->k, e, e + c->d_head - 1);
  return sp_gen_finish(&g);
}

/* Packed rows of odd length: the second row starts wherever the first one ends. Rows differ in
 * offset by hundreds, so that a value from a neighbour row is fatal. */
bool sp_make_odd_rows(sp_case *c, const sp_generator_request *request) {
  static const size_t odd[] = {1,  3,  5,  7,  9,   13,  15,  17,   19,  31,
                               33, 47, 63, 65, 127, 129, 255, 1023, 4097};
  enum { N = sizeof odd / sizeof *odd };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  c->layout.row_pad = 0;
  sp_gen_shape(&g, odd[g.index % N], sp_rng_between(&g.rng, 2, 9), 1, 1);
  if (!sp_gen_tensors(&g)) return false;
  for (size_t i = 0; i < c->n_q; i++) {
    double offset = sp_rng_uniform(&g.rng, -300.0, 300.0);
    for (size_t j = 0; j < c->n_kv; j++)
      sp_gen_set(&c->logits, i * c->n_kv + j, offset + 2.0 * sp_rng_bell(&g.rng));
  }
  return sp_gen_finish(&g);
}

/* Rows beyond the range of 12-, 15- and 16-bit indices, or as long as the kernel allows, with the
 * mass at the far end. */
bool sp_make_large_n(sp_case *c, const sp_generator_request *request) {
  static const size_t length[] = {32769, 4097, 8192, 33001, 20000, 65537};
  enum { N = sizeof length / sizeof *length };
  sp_gen g;
  if (!sp_gen_begin(&g, c, request, N)) return false;
  size_t n = sp_gen_length(&g, length[g.index % N]);
  /* At the limit, and just below. */
  if (n < length[g.index % N] && n > 1) n = sp_gen_length(&g, n - g.index % 2);
  size_t end = n < 1000 ? n / 4 + 1 : 200;
  c->n_kv = n;
  c->d_head = c->d_value = 1 + g.index % 2;
  double *x = sp_gen_wanted(&g);
  if (x == NULL) return false;
  /* The keys at the end hold about nine tenths of the mass. */
  double gap = 2.0 + sp_gen_log((double)n / (double)end);
  for (size_t j = 0; j < n; j++) x[j] = n - j <= end ? 0.0 : -gap;
  return sp_gen_scores(&g, x, 1.0) && sp_gen_finish(&g);
}
