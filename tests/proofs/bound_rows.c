/* SPDX-License-Identifier: Apache-2.0 */
/* The judge's bound on random rows, for comparison with the bound as Coq knows it (make
 * proofs-bound): one block of numbers per row, every number as "mantissa exponent" of 2. Logits are
 * products of two binary32 numbers and a power of 2, so that they are exact in binary64.
 *
 *     bound_rows COUNT SEED [FAULT]
 *
 * FAULT multiplies the judge's numbers by 1 - 2^-FAULT before they are printed: the comparison must
 * notice. tests: NU-7 */
#include <fenv.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "certify/judge/bound.h"
#include "certify/judge/bound_logit.h"
#include "tests/proofs/print.h"
#include "tests/random_row.h"

enum { MOST = 12 };

static const char *const classes[] = {"w-deep",
                                      "w-deep-b2",
                                      "w-lane16",
                                      "w-seq",
                                      "w-seq:tile=5",
                                      "w-deep:p=bf16",
                                      "w-deep:acc=f16",
                                      "w-deep:u=f64",
                                      "w-deep:p=f16",
                                      "w-deep:exp=-12,tile=4",
                                      "w-lane16:p=bf16",
                                      "w-loose",
                                      "w-loose:tile=3",
                                      "w-seq-b2:tile=4",
                                      "w-loose-b2:p=f16",
                                      "w-deep:u=f16",
                                      "w-deep:u=bf16",
                                      "w-lane16:u=bf16,acc=f32",
                                      "w-deep:flush=both",
                                      "w-seq:flush=in,tile=3",
                                      "w-deep:p=bf16,flush=out",
                                      "w-deep:u=f16,flush=in"};

typedef struct sample {
  sp_ref_row_input in;
  double q, k[MOST], v[MOST], logit[MOST];
  double alone; /* the sink logit of a row without keys */
} sample;

static float single(uint64_t *state, int least, int most) {
  unsigned span = (unsigned)(most - least) + 1;
  return (float)ldexp(sp_random_unit(state), least + (int)sp_random_below(state, span));
}

static void draw(sample *s, uint64_t *state) {
  s->in = (sp_ref_row_input){.n_kv = 1 + sp_random_below(state, MOST),
                             .d_head = 1,
                             .d_value = 1,
                             .q = &s->q,
                             .k = s->k,
                             .k_stride = 1,
                             .v = s->v,
                             .v_stride = 1,
                             .scale = ldexp(1, (int)sp_random_below(state, 9) - 6),
                             .sink_logit = -INFINITY};
  bool sink = sp_random_below(state, 2) != 0;
  if (sink) s->in.sink_logit = (double)single(state, -3, 6);
  s->q = (double)single(state, -2, 3);
  for (size_t j = 0; j < s->in.n_kv; j++) {
    s->k[j] = (double)single(state, -8, 5);
    s->v[j] = sp_random_below(state, 8) == 0 ? 0 : (double)single(state, -20, 13);
    if (sp_random_below(state, 8) == 0) s->v[j] = (double)single(state, -140, -124);
    s->logit[j] = s->in.scale * (s->q * s->k[j]);
  }
  s->alone = sp_random_below(state, 4) == 0 ? (double)single(state, -149, -124)
                                            : (double)single(state, -20, 20);
}

static void print_class(const sp_class *cls, size_t n) {
  double u_s = fmax(cls->u, cls->u_acc);
  double eta_s = fmax(sp_class_underflow(cls, u_s), cls->eta);
  print(cls->u);
  print(u_s);
  print(cls->u_p);
  print(cls->eps_exp);
  print(fmax(0, cls->eps_exp - 2 * cls->u));
  print(cls->c_d);
  print(cls->c_z);
  print(cls->c_l);
  print(cls->u > 0x1p-24 ? 1 : 0); /* a binary32 value is rounded on its way in */
  print(cls->c_norm);
  print(cls->c_d > 1 ? 3 : 1); /* base 2 or e */
  print(cls->eta);
  print(eta_s);
  print(sp_class_underflow(cls, cls->u_p));
  printf(" %zu %.0f %.0f\n", n, sp_class_height(cls, n), sp_class_rescales(cls, n));
}

static void print_entry(double logit, double seen, double slack, double value, double flushed) {
  print(logit);
  print(seen);
  print(slack);
  print(value);
  print(flushed);
  putchar('\n');
}

/* Numbers of a bound, made smaller by the fault. */
static double fault = 1;
static void print_bound(double x) {
  print(x * fault);
}

/* theta + u_p', as the judge adds it. */
__attribute__((noinline)) static double width(double theta, const sp_class *cls) {
  fesetround(FE_UPWARD);
  volatile double sum = theta + sp_rounding_cost(cls->u_p);
  fesetround(FE_TONEAREST);
  return sum;
}

static bool usable(const sp_bound *bound, size_t n) {
  for (size_t j = 0; j < n; j++)
    if (!(bound->key[j].theta < 4)) return false;
  return isfinite(bound->error[0]) && isfinite(bound->floor) && bound->lse_total < 4;
}

static void print_empty(const sample *s, const sp_class *cls, sp_bound_types types) {
  sp_ref_row_input in = s->in;
  in.sink_logit = s->alone;
  printf(" %d %d", cls->c_d > 1 ? 1 : 0, cls->u > 0x1p-24 ? 1 : 0);
  print(s->alone);
  printf(" %d", cls->flush_inputs && s->alone != 0 && fabs(s->alone) < 0x1p-126 ? 1 : 0);
  print_bound(sp_bound_empty_lse(cls, types, &in));
}

static void print_row(const sample *s, const sp_class *cls, sp_bound_types types,
                      const sp_bound *bound, double a_sink) {
  size_t n = s->in.n_kv;
  bool sink = s->in.sink_logit > -INFINITY;
  double m = -INFINITY, a_keys = 0;
  for (size_t j = 0; j < n; j++) {
    m = fmax(m, s->logit[j]);
    a_keys = fmax(a_keys, bound->key[j].logit_error);
  }
  double top = fmax(m, s->in.sink_logit);
  printf("%s\n%zu %d", cls->text, n, sink ? 1 : 0);
  print_class(cls, n + (sink ? 1 : 0));
  print(top);
  print(fmax(a_keys, a_sink));
  print(a_keys);
  print(m);
  print(sink ? fmax(fabs(m), fabs(s->in.sink_logit)) : fabs(m));
  putchar('\n');
  for (size_t j = 0; j < n; j++)
    print_entry(s->logit[j], s->logit[j], bound->key[j].logit_error, s->v[j],
                cls->flush_inputs && fabs(s->v[j]) < 0x1p-126 ? s->v[j] : 0);
  if (sink) print_entry(s->in.sink_logit, fmin(s->in.sink_logit, m), a_sink, 0, 0);
  for (size_t j = 0; j < n; j++) print_bound(width(bound->key[j].theta, cls));
  print_bound(bound->floor);
  print_bound(bound->error[0]);
  print_bound(bound->lse_total);
  print_bound(bound->lse_keys);
  print_empty(s, cls, types);
  putchar('\n');
}

__attribute__((noinline)) static double sink_error(const sp_class *cls, sp_bound_types types,
                                                   const sp_ref_row_input *in) {
  sp_logit_model model;
  if (in->sink_logit == -INFINITY) return 0;
  fesetround(FE_UPWARD);
  sp_logit_model_init(&model, cls, types, in);
  double a = sp_sink_error(&model, in->sink_logit);
  fesetround(FE_TONEAREST);
  return a;
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  long count = strtol(argv[1], NULL, 10);
  uint64_t state = strtoull(argv[2], NULL, 0);
  if (argc > 3) fault = 1 - ldexp(1, -(int)strtol(argv[3], NULL, 10));
  const sp_bound_types types = {SP_F32, SP_F32};
  sp_ref_row row;
  sp_bound bound;
  if (!sp_ref_row_init(&row, MOST, 1) || !sp_bound_init(&bound, MOST, 1)) return 1;
  for (long i = 0; i < count;) {
    sample s;
    sp_class cls;
    char error[200];
    draw(&s, &state);
    size_t which = (size_t)i % (sizeof classes / sizeof *classes);
    if (!sp_class_parse(classes[which], &cls, error, sizeof error)) return 1;
    if (!sp_ref_row_eval(&row, &s.in, 512)) continue;
    sp_bound_inputs(&bound, &cls, types, &s.in, &row);
    if (bound.outside) continue;
    sp_bound_eval(&bound, &cls, types, &s.in, &row);
    if (!usable(&bound, s.in.n_kv)) continue;
    print_row(&s, &cls, types, &bound, sink_error(&cls, types, &s.in));
    i++;
  }
  sp_ref_row_clear(&row);
  sp_bound_clear(&bound);
  return 0;
}
