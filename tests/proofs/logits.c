/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/proofs/logits.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "certify/judge/bound.h"
#include "tests/proofs/print.h"
#include "tests/random_row.h"

static const struct {
  sp_dtype dtype;
  double unit, normal; /* unit roundoff, least normal */
  int digits;
} types[SP_LOGIT_TYPES] = {{SP_F64, 0x1p-53, 0x1p-1022, 52},
                           {SP_F32, 0x1p-24, 0x1p-126, 23},
                           {SP_F16, 0x1p-11, 0x1p-14, 10},
                           {SP_BF16, 0x1p-8, 0x1p-126, 7}};

double sp_draw_number(uint64_t *state, size_t type, int most, double least) {
  double x = sp_random_unit(state);
  x = ldexp(nearbyint(ldexp(x, types[type].digits)), -types[type].digits);
  if (types[type].normal >= least && sp_random_below(state, 6) == 0) return x * types[type].normal;
  return ldexp(x, most - (int)sp_random_below(state, 8));
}

int sp_logit_gone(const sp_class *cls, double x, size_t type) {
  return cls->flush_inputs && x != 0 && fabs(x) < types[type].normal;
}

static void print_class(const sp_class *cls, const sp_logit_sample *s) {
  print(cls->u);
  print(cls->u_qk);
  print(cls->u_logit);
  print(cls->eta);
  print(sp_class_underflow(cls, cls->u_qk));
  print(sp_class_underflow(cls, cls->u_logit));
  printf(" %d %d %d", cls->u > types[SP_LOGIT_SINGLE].unit, cls->u > types[s->q_type].unit,
         cls->u > types[s->kv_type].unit);
}

/* False if the sample is outside the domain. */
static bool evaluate(sp_bound *bound, sp_ref_row *row, const sp_class *cls,
                     const sp_logit_sample *s) {
  const sp_bound_types kinds = {types[s->q_type].dtype, types[s->kv_type].dtype};
  if (!sp_ref_row_eval(row, &s->in, 512)) return false;
  sp_bound_inputs(bound, cls, kinds, &s->in, row);
  if (bound->outside) return false;
  sp_bound_eval(bound, cls, kinds, &s->in, row);
  return true;
}

int sp_print_logits(const sp_logit_program *program, int argc, char **argv) {
  if (argc < 3) return 2;
  const size_t count = strtoul(argv[1], NULL, 10);
  uint64_t state = strtoull(argv[2], NULL, 0);
  const double fault = argc > 3 ? 1 - ldexp(1, -(int)strtol(argv[3], NULL, 10)) : 1;
  sp_ref_row row;
  sp_bound bound;
  if (!sp_ref_row_init(&row, SP_LOGIT_KEYS, 1) || !sp_bound_init(&bound, SP_LOGIT_KEYS, 1))
    return 1;
  for (size_t i = 0; i < count;) {
    sp_logit_sample s;
    sp_class cls;
    char error[200];
    const char *name = program->classes[i % program->n_classes];
    program->draw(&s, &state);
    if (!sp_class_parse(name, &cls, error, sizeof error)) return 1;
    if (!evaluate(&bound, &row, &cls, &s)) continue;
    for (size_t j = 0; j < SP_LOGIT_KEYS && i < count; j++, i++) {
      printf("%s\n", name);
      print_class(&cls, &s);
      program->print_inputs(&cls, &s, j);
      print(bound.key[j].logit_error * fault);
      putchar('\n');
    }
  }
  sp_ref_row_clear(&row);
  sp_bound_clear(&bound);
  return 0;
}
