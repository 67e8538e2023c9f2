/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of each type for the comparisons of logits with Coq, and the class as they print it. */
#ifndef SINKPROOF_TESTS_PROOFS_DRAW_H
#define SINKPROOF_TESTS_PROOFS_DRAW_H

#include <math.h>
#include <stdio.h>

#include "certify/judge/bound.h"
#include "ref/ref.h"
#include "tests/proofs/print.h"
#include "tests/random_row.h"

static const sp_dtype types[] = {SP_F64, SP_F32, SP_F16, SP_BF16};
static const double units[] = {0x1p-53, 0x1p-24, 0x1p-11, 0x1p-8};
static const double normals[] = {0x1p-1022, 0x1p-126, 0x1p-14, 0x1p-126};
static const int digits[] = {52, 23, 10, 7};

/* A number of the type, small, or one in six subnormal there if that is not below `least`. */
static inline double draw_number(uint64_t *state, size_t type, int most, double least) {
  double x = sp_random_unit(state);
  x = ldexp(nearbyint(ldexp(x, digits[type])), -digits[type]);
  if (normals[type] >= least && sp_random_below(state, 6) == 0) return x * normals[type];
  return ldexp(x, most - (int)sp_random_below(state, 8));
}

static inline int gone(const sp_class *cls, double x, size_t type) {
  return cls->flush_inputs && x != 0 && fabs(x) < normals[type];
}

/* Types are those of q and of k. */
static inline void print_class(const sp_class *cls, size_t q_type, size_t kv_type) {
  print(cls->u);
  print(cls->u_qk);
  print(cls->u_logit);
  print(cls->eta);
  print(sp_class_underflow(cls, cls->u_qk));
  print(sp_class_underflow(cls, cls->u_logit));
  printf(" %d %d %d", cls->u > units[1], cls->u > units[q_type], cls->u > units[kv_type]);
}

#endif
