/* SPDX-License-Identifier: Apache-2.0 */
/* The judge's error of a logit, on random inputs with every option, for comparison with the error as
 * Coq knows it (make proofs-bound): one line of numbers per logit, as tests/proofs/print.h has them.
 *
 *     logit_rows COUNT SEED [FAULT]       (tests/proofs/logits.h)
 *
 * tests: NU-7, AT-2 */
#include <math.h>
#include <stdio.h>

#include "tests/proofs/logits.h"
#include "tests/proofs/print.h"
#include "tests/random_row.h"

static const char *const classes[] = {"w-deep",
                                      "w-deep:u=f64",
                                      "w-deep:u=f16",
                                      "w-deep:u=bf16",
                                      "w-deep:logit=bf16",
                                      "w-deep:logit=f16",
                                      "w-deep:qk=bf16",
                                      "w-deep:qk=f16,logit=bf16",
                                      "w-deep:u=f16,logit=bf16",
                                      "w-deep:u=bf16,logit=f16,flush=both",
                                      "w-deep:flush=in",
                                      "w-deep:u=f16,flush=in",
                                      "w-deep:u=bf16,qk=f16,flush=both",
                                      "w-deep:logit=f16,flush=out"};

static double draw_single(uint64_t *state, int most, double least) {
  return sp_draw_number(state, SP_LOGIT_SINGLE, most, least);
}

static void draw(sp_logit_sample *s, uint64_t *state) {
  *s = (sp_logit_sample){.q_type = sp_random_below(state, SP_LOGIT_TYPES),
                         .kv_type = sp_random_below(state, SP_LOGIT_TYPES)};
  const bool given = sp_random_below(state, 4) == 0, capped = !given && sp_random_below(state, 2);
  /* The enclosures hold 128 bits: a cap meets nothing that is smaller by more. */
  const double least = capped ? 0x1p-30 : 0, scale = draw_single(state, 4, least);
  s->in = (sp_ref_row_input){.n_kv = SP_LOGIT_KEYS,
                             .d_head = 1 + sp_random_below(state, SP_LOGIT_MOST),
                             .d_value = given ? 0 : 1,
                             .logits = given ? s->logits : NULL,
                             .q = s->q,
                             .k = s->k,
                             .k_stride = SP_LOGIT_MOST,
                             .v = s->v,
                             .v_stride = 1,
                             .scale = sp_random_below(state, 3) == 0 ? 1 : scale,
                             .sink_logit = -INFINITY};
  if (capped) s->in.softcap = 0.125 + fabs(draw_single(state, 5, 1));
  if (sp_random_below(state, 2)) s->in.key_bias = s->key_bias;
  if (!given && sp_random_below(state, 2)) s->in.alibi_slope = draw_single(state, 0, least);
  s->in.pos_k = s->pos_k;
  s->in.pos_q = (int64_t)sp_random_below(state, 100);
  for (size_t c = 0; c < SP_LOGIT_MOST; c++) s->q[c] = sp_draw_number(state, s->q_type, 2, least);
  for (size_t c = 0; c < SP_LOGIT_KEYS * SP_LOGIT_MOST; c++)
    s->k[c] = sp_draw_number(state, s->kv_type, 2, least);
  for (size_t j = 0; j < SP_LOGIT_KEYS; j++) {
    s->logits[j] = sp_draw_number(state, s->q_type, 4, least);
    s->key_bias[j] = sp_random_below(state, 4) == 0 ? 0 : draw_single(state, 3, least);
    s->pos_k[j] = (int64_t)sp_random_below(state, 100);
  }
}

static void print_inputs(const sp_class *cls, const sp_logit_sample *s, size_t j) {
  const sp_ref_row_input *in = &s->in;
  const double bias = in->key_bias != NULL ? in->key_bias[j] : 0;
  const double distance = fabs((double)(in->pos_q - in->pos_k[j]));
  print(in->scale);
  print(in->softcap);
  print(bias);
  print(in->alibi_slope);
  print(distance);
  printf(" %d %d %d %d %d %d", in->softcap > 0, bias != 0, in->alibi_slope * distance != 0,
         sp_logit_gone(cls, in->scale, SP_LOGIT_SINGLE), sp_logit_gone(cls, bias, SP_LOGIT_SINGLE),
         sp_logit_gone(cls, in->alibi_slope, SP_LOGIT_SINGLE));
  printf(" %zu", in->logits != NULL ? 0 : in->d_head);
  if (in->logits != NULL) {
    print(in->logits[j]);
    printf(" %d %d", sp_logit_gone(cls, in->logits[j], s->q_type), in->scale == 1);
    return;
  }
  for (size_t c = 0; c < in->d_head; c++) {
    print(in->q[c]);
    printf(" %d", sp_logit_gone(cls, in->q[c], s->q_type));
    print(in->k[j * SP_LOGIT_MOST + c]);
    printf(" %d", sp_logit_gone(cls, in->k[j * SP_LOGIT_MOST + c], s->kv_type));
  }
}

int main(int argc, char **argv) {
  const sp_logit_program program = {classes, sizeof classes / sizeof *classes, draw, print_inputs};
  return sp_print_logits(&program, argc, argv);
}
