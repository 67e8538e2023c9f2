/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors whose logits come out near wanted numbers. For attention the first component carries
 * them: q[0] is about A for every query, k[j][0] is wanted[j] / (scale * A), with A near the square
 * root of the largest product so that neither leaves a 16-bit format; the other components are
 * random and add a bell of the wanted size. What the logits are exactly is for the oracle to say;
 * a generator only needs them to be near. */
#include "certify/gen/tools.h"

#include <math.h>
#include <stdlib.h>

bool sp_gen_tensors(sp_gen *g) {
  sp_case *c = g->c;
  if (!sp_gen_fit(g)) return false;
  if (c->op == SP_OP_SOFTMAX) return sp_array_alloc(&c->logits, c->dtype_q, c->n_q * c->n_kv);
  size_t rows = c->n_batch * c->n_q * c->n_heads;
  size_t keys = c->n_batch * c->n_kv * c->n_kv_heads;
  return sp_array_alloc(&c->q, c->dtype_q, rows * c->d_head) &&
         sp_array_alloc(&c->k, c->dtype_kv, keys * c->d_head) &&
         sp_array_alloc(&c->v, c->dtype_kv, keys * c->d_value);
}

double *sp_gen_wanted(const sp_gen *g) {
  return calloc(g->c->n_kv + 1, sizeof(double));
}

size_t sp_gen_k_at(const sp_case *c, size_t b, size_t j, size_t h_kv) {
  return ((b * c->n_kv + j) * c->n_kv_heads + h_kv) * c->d_head;
}

size_t sp_gen_v_at(const sp_case *c, size_t b, size_t j, size_t h_kv) {
  return ((b * c->n_kv + j) * c->n_kv_heads + h_kv) * c->d_value;
}

size_t sp_gen_q_at(const sp_case *c, size_t b, size_t i, size_t h) {
  return ((b * c->n_q + i) * c->n_heads + h) * c->d_head;
}

/* A power of two near sqrt(x). */
static double near_root(double x) {
  int exponent = 0;
  (void)frexp(x, &exponent);
  return ldexp(1.0, exponent / 2);
}

/* 1 up to a twentieth, so that rows and heads differ in size and not only in noise. */
static double tilt(sp_gen *g) {
  return sp_rng_uniform(&g->rng, 0.95, 1.05);
}

static void softmax_scores(sp_gen *g, const double *wanted, double noise) {
  sp_case *c = g->c;
  double scale = c->scale < 0.0F || c->scale > 0.0F ? (double)c->scale : 1.0;
  for (size_t i = 0; i < c->n_q; i++) {
    double factor = noise > 0.0 ? tilt(g) : 1.0;
    for (size_t j = 0; j < c->n_kv; j++) {
      double x = wanted[j] * factor + noise * sp_rng_bell(&g->rng);
      sp_gen_set(&c->logits, i * c->n_kv + j, x / scale);
    }
  }
}

static void query_scores(sp_gen *g, double carrier, double noise) {
  sp_case *c = g->c;
  sp_gen_bells(g, &c->q, 1.0);
  for (size_t r = 0; r < c->q.count; r += c->d_head)
    sp_gen_set(&c->q, r, noise > 0.0 ? carrier * tilt(g) : carrier);
}

static void key_scores(sp_gen *g, const double *wanted, double carrier, double noise) {
  sp_case *c = g->c;
  double scale = c->scale < 0.0F || c->scale > 0.0F ? (double)c->scale : 1.0;
  double rest = c->d_head > 1 ? noise / (fabs(scale) * sqrt((double)(c->d_head - 1))) : 0.0;
  double first = c->d_head > 1 ? 0.0 : noise;
  sp_gen_bells(g, &c->k, rest);
  for (size_t e = 0; e < c->k.count; e += c->d_head) {
    size_t j = e / (c->n_kv_heads * c->d_head) % c->n_kv;
    double x = wanted[j] + first * sp_rng_bell(&g->rng);
    sp_gen_set(&c->k, e, x / (scale * carrier));
  }
}

bool sp_gen_scores(sp_gen *g, double *wanted, double noise) {
  sp_case *c = g->c;
  bool ok = wanted != NULL && sp_gen_tensors(g);
  if (ok && c->op == SP_OP_SOFTMAX) {
    softmax_scores(g, wanted, noise);
  } else if (ok) {
    double most = 1.0;
    for (size_t j = 0; j < c->n_kv; j++) most = fmax(most, fabs(wanted[j]));
    double scale = c->scale < 0.0F || c->scale > 0.0F ? fabs((double)c->scale) : 1.0;
    double carrier = near_root(most / scale);
    query_scores(g, carrier, noise);
    key_scores(g, wanted, carrier, noise);
    sp_gen_bells(g, &c->v, 1.0);
  }
  free(wanted);
  return ok;
}

void sp_gen_values_name_keys(sp_gen *g) {
  sp_case *c = g->c;
  sp_gen_fill(&c->v, 0.0);
  for (size_t e = 0; e < c->v.count; e += c->d_value) {
    size_t j = e / (c->n_kv_heads * c->d_value) % c->n_kv;
    sp_gen_set(&c->v, e, (double)(j + 1));
    if (c->d_value > 1) sp_gen_set(&c->v, e + 1 + j % (c->d_value - 1), 1.0);
  }
}
