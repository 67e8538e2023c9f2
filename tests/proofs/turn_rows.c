/* SPDX-License-Identifier: Apache-2.0 */
/* The judge's error of a logit of rotated q and k, on random inputs, for comparison with the error as
 * Coq knows it (make proofs-bound): one line of numbers per logit, as tests/proofs/print.h has them.
 * Nothing follows the scale here; what does is compared by tests/proofs/logit_rows.c.
 *
 *     turn_rows COUNT SEED [FAULT]       (tests/proofs/logits.h)
 *
 * tests: NU-7, EV-11 */
#include <math.h>
#include <stdio.h>

#include "tests/proofs/logits.h"
#include "tests/proofs/print.h"
#include "tests/random_row.h"

static const char *const classes[] = {"w-deep",
                                      "w-deep:angle=f32",
                                      "w-deep:u=f64",
                                      "w-deep:u=bf16,angle=f32",
                                      "w-deep:u=f16",
                                      "w-deep:rk=bf16",
                                      "w-deep:qk=f16,rk=f16,angle=f32",
                                      "w-deep:qk=bf16,rk=bf16,flush=both",
                                      "w-deep:angle=f32,flush=in",
                                      "w-deep:u=f16,rk=bf16,flush=both"};

/* A length of 0 has no logarithm, which is how the formula takes a square root. */
static double draw_nonzero(uint64_t *state, size_t type) {
  double x = 0;
  while (x == 0) x = sp_draw_number(state, type, 2, 0);
  return x;
}

/* One in three subnormal: where inputs are flushed, all of the logit may vanish, or an element of it. */
static double draw_scale(uint64_t *state) {
  const double scale = sp_draw_number(state, SP_LOGIT_SINGLE, 4, 0);
  return sp_random_below(state, 3) == 0 ? sp_random_unit(state) * 0x1p-126 : scale;
}

static void draw(sp_logit_sample *s, uint64_t *state) {
  static const double bases[] = {1, 2, 500, 10000, 150000, 0x1p40};
  *s = (sp_logit_sample){.q_type = sp_random_below(state, SP_LOGIT_TYPES),
                         .kv_type = sp_random_below(state, SP_LOGIT_TYPES)};
  s->in = (sp_ref_row_input){.n_kv = SP_LOGIT_KEYS,
                             .d_head = 2 + sp_random_below(state, SP_LOGIT_MOST - 1),
                             .d_value = 1,
                             .q = s->q,
                             .k = s->k,
                             .k_stride = SP_LOGIT_MOST,
                             .v = s->v,
                             .v_stride = 1,
                             .scale = draw_scale(state),
                             .sink_logit = -INFINITY,
                             .pos_k = s->pos_k};
  s->in.rope = (sp_ref_rope){.dims = 2 + 2 * sp_random_below(state, s->in.d_head / 2),
                             .interleaved = sp_random_below(state, 2),
                             .base = bases[sp_random_below(state, sizeof bases / sizeof *bases)]};
  const uint64_t most = (uint64_t)1 << (4 + sp_random_below(state, 40));
  s->in.pos_q = (int64_t)sp_random_below(state, most);
  s->in.rope.reach = (uint64_t)s->in.pos_q;
  for (size_t c = 0; c < SP_LOGIT_MOST; c++) s->q[c] = draw_nonzero(state, s->q_type);
  for (size_t c = 0; c < SP_LOGIT_KEYS * SP_LOGIT_MOST; c++)
    s->k[c] = draw_nonzero(state, s->kv_type);
  for (size_t j = 0; j < SP_LOGIT_KEYS; j++)
    s->pos_k[j] = (int64_t)sp_random_below(state, (uint64_t)s->in.pos_q + 1);
}

static void print_turns(const sp_class *cls, const sp_logit_sample *s) {
  print(fmax(cls->u, cls->u_angle));
  print(cls->u_angle);
  print(cls->u_rk);
  print(sp_class_underflow(cls, cls->u_rk));
  print((double)s->in.rope.reach);
  print(s->in.rope.base);
  printf(" %zu", s->in.rope.dims);
  print(s->in.scale);
  printf(" %d", sp_logit_gone(cls, s->in.scale, SP_LOGIT_SINGLE));
}

static void print_pair(const sp_class *cls, const sp_logit_sample *s, const double *k, size_t i) {
  const sp_ref_rope *rope = &s->in.rope;
  const size_t a = rope->interleaved ? 2 * i : i,
               b = rope->interleaved ? a + 1 : i + rope->dims / 2;
  printf(" %zu", i);
  print(s->q[a]);
  print(s->q[b]);
  print(k[a]);
  print(k[b]);
  printf(" %d", sp_logit_gone(cls, s->q[a], s->q_type) || sp_logit_gone(cls, s->q[b], s->q_type) ||
                    sp_logit_gone(cls, k[a], s->kv_type) || sp_logit_gone(cls, k[b], s->kv_type));
}

static void print_head(const sp_class *cls, const sp_logit_sample *s, const double *k) {
  const size_t dims = s->in.rope.dims;
  printf(" %zu", s->in.d_head - dims / 2);
  for (size_t i = 0; i < dims / 2; i++) print_pair(cls, s, k, i);
  for (size_t c = dims; c < s->in.d_head; c++) {
    printf(" -1");
    print(s->q[c]);
    print(k[c]);
    printf(" %d", sp_logit_gone(cls, s->q[c], s->q_type) || sp_logit_gone(cls, k[c], s->kv_type));
  }
}

static void print_inputs(const sp_class *cls, const sp_logit_sample *s, size_t j) {
  print_turns(cls, s);
  print_head(cls, s, s->k + j * SP_LOGIT_MOST);
}

int main(int argc, char **argv) {
  const sp_logit_program program = {classes, sizeof classes / sizeof *classes, draw, print_inputs};
  return sp_print_logits(&program, argc, argv);
}
