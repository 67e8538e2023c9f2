/* SPDX-License-Identifier: Apache-2.0 */
/* The judge's error of a logit, on random inputs with every option, for comparison with the error as
 * Coq knows it (make proofs-bound): one line of numbers per logit, as tests/proofs/print.h has them.
 *
 *     logit_rows COUNT SEED [FAULT]
 *
 * FAULT multiplies the judge's numbers by 1 - 2^-FAULT: the comparison must notice. tests: NU-7, AT-2 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/proofs/draw.h"

enum { KEYS = 3, MOST = 5 };

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
typedef struct sample {
  sp_ref_row_input in;
  size_t q_type, kv_type; /* in the tables above */
  double q[MOST], k[KEYS * MOST], v[KEYS], logits[KEYS], key_bias[KEYS];
  int64_t pos_k[KEYS];
} sample;

static double draw_single(uint64_t *state, int most, double least) {
  return draw_number(state, 1, most, least);
}

static void draw(sample *s, uint64_t *state) {
  *s = (sample){.q_type = sp_random_below(state, 4), .kv_type = sp_random_below(state, 4)};
  const bool given = sp_random_below(state, 4) == 0, capped = !given && sp_random_below(state, 2);
  /* The enclosures hold 128 bits: a cap meets nothing that is smaller by more. */
  const double least = capped ? 0x1p-30 : 0, scale = draw_single(state, 4, least);
  s->in = (sp_ref_row_input){.n_kv = KEYS,
                             .d_head = 1 + sp_random_below(state, MOST),
                             .d_value = given ? 0 : 1,
                             .logits = given ? s->logits : NULL,
                             .q = s->q,
                             .k = s->k,
                             .k_stride = MOST,
                             .v = s->v,
                             .v_stride = 1,
                             .scale = sp_random_below(state, 3) == 0 ? 1 : scale,
                             .sink_logit = -INFINITY};
  if (capped) s->in.softcap = 0.125 + fabs(draw_single(state, 5, 1));
  if (sp_random_below(state, 2)) s->in.key_bias = s->key_bias;
  if (!given && sp_random_below(state, 2)) s->in.alibi_slope = draw_single(state, 0, least);
  s->in.pos_k = s->pos_k;
  s->in.pos_q = (int64_t)sp_random_below(state, 100);
  for (size_t c = 0; c < MOST; c++) s->q[c] = draw_number(state, s->q_type, 2, least);
  for (size_t c = 0; c < KEYS * MOST; c++) s->k[c] = draw_number(state, s->kv_type, 2, least);
  for (size_t j = 0; j < KEYS; j++) {
    s->logits[j] = draw_number(state, s->q_type, 4, least);
    s->key_bias[j] = sp_random_below(state, 4) == 0 ? 0 : draw_single(state, 3, least);
    s->pos_k[j] = (int64_t)sp_random_below(state, 100);
  }
}

static void print_inputs(const sp_class *cls, const sample *s, size_t j) {
  const sp_ref_row_input *in = &s->in;
  const double bias = in->key_bias != NULL ? in->key_bias[j] : 0;
  const double distance = fabs((double)(in->pos_q - in->pos_k[j]));
  print(in->scale);
  print(in->softcap);
  print(bias);
  print(in->alibi_slope);
  print(distance);
  printf(" %d %d %d %d %d %d", in->softcap > 0, bias != 0, in->alibi_slope * distance != 0,
         gone(cls, in->scale, 1), gone(cls, bias, 1), gone(cls, in->alibi_slope, 1));
  printf(" %zu", in->logits != NULL ? 0 : in->d_head);
  if (in->logits != NULL) {
    print(in->logits[j]);
    printf(" %d %d", gone(cls, in->logits[j], s->q_type), in->scale == 1);
    return;
  }
  for (size_t c = 0; c < in->d_head; c++) {
    print(in->q[c]);
    printf(" %d", gone(cls, in->q[c], s->q_type));
    print(in->k[j * MOST + c]);
    printf(" %d", gone(cls, in->k[j * MOST + c], s->kv_type));
  }
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  long count = strtol(argv[1], NULL, 10);
  uint64_t state = strtoull(argv[2], NULL, 0);
  const double fault = argc > 3 ? 1 - ldexp(1, -(int)strtol(argv[3], NULL, 10)) : 1;
  sp_ref_row row;
  sp_bound bound;
  if (!sp_ref_row_init(&row, KEYS, 1) || !sp_bound_init(&bound, KEYS, 1)) return 1;
  for (long i = 0; i < count;) {
    sample s;
    sp_class cls;
    char error[200];
    draw(&s, &state);
    const sp_bound_types kinds = {types[s.q_type], types[s.kv_type]};
    const char *name = classes[(size_t)i % (sizeof classes / sizeof *classes)];
    if (!sp_class_parse(name, &cls, error, sizeof error)) return 1;
    if (!sp_ref_row_eval(&row, &s.in, 512)) continue;
    sp_bound_inputs(&bound, &cls, kinds, &s.in, &row);
    if (bound.outside) continue;
    sp_bound_eval(&bound, &cls, kinds, &s.in, &row);
    for (size_t j = 0; j < KEYS && i < count; j++, i++) {
      printf("%s\n", name);
      print_class(&cls, s.q_type, s.kv_type);
      print_inputs(&cls, &s, j);
      print(bound.key[j].logit_error * fault);
      putchar('\n');
    }
  }
  sp_ref_row_clear(&row);
  sp_bound_clear(&bound);
  return 0;
}
