/* SPDX-License-Identifier: Apache-2.0 */
/* The judge's error of a logit of rotated q and k, on random inputs, for comparison with the error as
 * Coq knows it (make proofs-bound): one line of numbers per logit, as tests/proofs/print.h has them.
 * Nothing follows the scale here; what does is compared by tests/proofs/logit_rows.c.
 *
 *     turn_rows COUNT SEED [FAULT]
 *
 * FAULT multiplies the judge's numbers by 1 - 2^-FAULT: the comparison must notice.
 * tests: NU-7, EV-11 */
#include <stdlib.h>

#include "tests/proofs/draw.h"

enum { KEYS = 3, MOST = 7 };

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

typedef struct sample {
  sp_ref_row_input in;
  size_t q_type, kv_type; /* in the tables of draw.h */
  double q[MOST], k[KEYS * MOST], v[KEYS];
  int64_t pos_k[KEYS];
} sample;

/* A length of 0 has no logarithm, which is how the formula takes a square root. */
static double draw_nonzero(uint64_t *state, size_t type) {
  double x = 0;
  while (x == 0) x = draw_number(state, type, 2, 0);
  return x;
}

static void draw(sample *s, uint64_t *state) {
  static const double bases[] = {1, 2, 500, 10000, 150000, 0x1p40};
  *s = (sample){.q_type = sp_random_below(state, 4), .kv_type = sp_random_below(state, 4)};
  s->in = (sp_ref_row_input){.n_kv = KEYS,
                             .d_head = 2 + sp_random_below(state, MOST - 1),
                             .d_value = 1,
                             .q = s->q,
                             .k = s->k,
                             .k_stride = MOST,
                             .v = s->v,
                             .v_stride = 1,
                             .scale = draw_number(state, 1, 4, 0),
                             .sink_logit = -INFINITY,
                             .pos_k = s->pos_k};
  s->in.rope = (sp_ref_rope){.dims = 2 + 2 * sp_random_below(state, s->in.d_head / 2),
                             .interleaved = sp_random_below(state, 2),
                             .base = bases[sp_random_below(state, sizeof bases / sizeof *bases)]};
  const uint64_t most = (uint64_t)1 << (4 + sp_random_below(state, 40));
  s->in.pos_q = (int64_t)sp_random_below(state, most);
  s->in.rope.reach = (uint64_t)s->in.pos_q;
  for (size_t c = 0; c < MOST; c++) s->q[c] = draw_nonzero(state, s->q_type);
  for (size_t c = 0; c < KEYS * MOST; c++) s->k[c] = draw_nonzero(state, s->kv_type);
  for (size_t j = 0; j < KEYS; j++)
    s->pos_k[j] = (int64_t)sp_random_below(state, (uint64_t)s->in.pos_q + 1);
}

static void print_turns(const sp_class *cls, const sample *s) {
  print(fmax(cls->u, cls->u_angle));
  print(cls->u_angle);
  print(cls->u_rk);
  print(sp_class_underflow(cls, cls->u_rk));
  print((double)s->in.rope.reach);
  print(s->in.rope.base);
  printf(" %zu", s->in.rope.dims);
  print(s->in.scale);
  printf(" %d", gone(cls, s->in.scale, 1));
}

static void print_pair(const sp_class *cls, const sample *s, const double *k, size_t i) {
  const sp_ref_rope *rope = &s->in.rope;
  const size_t a = rope->interleaved ? 2 * i : i,
               b = rope->interleaved ? a + 1 : i + rope->dims / 2;
  printf(" %zu", i);
  print(s->q[a]);
  print(s->q[b]);
  print(k[a]);
  print(k[b]);
  printf(" %d", gone(cls, s->q[a], s->q_type) || gone(cls, s->q[b], s->q_type) ||
                    gone(cls, k[a], s->kv_type) || gone(cls, k[b], s->kv_type));
}

static void print_head(const sp_class *cls, const sample *s, const double *k) {
  const size_t dims = s->in.rope.dims;
  printf(" %zu", s->in.d_head - dims / 2);
  for (size_t i = 0; i < dims / 2; i++) print_pair(cls, s, k, i);
  for (size_t c = dims; c < s->in.d_head; c++) {
    printf(" -1");
    print(s->q[c]);
    print(k[c]);
    printf(" %d", gone(cls, s->q[c], s->q_type) || gone(cls, k[c], s->kv_type));
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
    if (!sp_ref_row_eval(&row, &s.in, 256)) continue;
    sp_bound_inputs(&bound, &cls, kinds, &s.in, &row);
    if (bound.outside) continue;
    sp_bound_eval(&bound, &cls, kinds, &s.in, &row);
    for (size_t j = 0; j < KEYS && i < count; j++, i++) {
      printf("%s\n", name);
      print_class(&cls, s.q_type, s.kv_type);
      print_turns(&cls, &s);
      print_head(&cls, &s, s.k + j * MOST);
      print(bound.key[j].logit_error * fault);
      putchar('\n');
    }
  }
  sp_ref_row_clear(&row);
  sp_bound_clear(&bound);
  return 0;
}
