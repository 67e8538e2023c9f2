/* SPDX-License-Identifier: Apache-2.0 */
/* Accuracy classes: the parameters of an error model that a kernel claims before any run. (NU-5,
 * NU-6, NU-7) */
#ifndef SINKPROOF_ACCURACY_H
#define SINKPROOF_ACCURACY_H

#include <stdbool.h>
#include <stddef.h>

#include "sinkproof/kernel.h"

typedef enum sp_class_kind {
  SP_CLASS_CR,       /* correctly rounded */
  SP_CLASS_FAITHFUL, /* one of the two neighbours of the exact value */
  SP_CLASS_MODEL     /* the a-priori bound of NU-7 */
} sp_class_kind;

typedef enum sp_depth { SP_DEPTH_DEEP, SP_DEPTH_LANE16, SP_DEPTH_SEQ } sp_depth;

typedef struct sp_class {
  char text[96]; /* as declared */
  sp_class_kind kind;
  sp_depth depth;
  double u;             /* unit roundoff of the arithmetic; f32: 2^-24 */
  double u_acc;         /* … of the accumulators of sum and output */
  double u_p;           /* rounding of weights before they multiply values; 0 = none */
  double u_logit;       /* rounding of stored logits beyond the arithmetic; 0 = none */
  double u_qk;          /* rounding of q before the product (k is taken as stored); 0 = none */
  double c_d, c_z, c_l; /* exponent-argument error in u relative to D, |z|, |L| */
  double eps_exp;       /* log-error of the exponential */
  double c_norm;        /* roundings of the normalisation */
  double eta;           /* underflow unit: least subnormal, or least normal when flushing */
  unsigned tile;        /* keys per online rescale; 0 = not online */
  bool flush_inputs, flush_outputs;
  double u_angle; /* unit roundoff in which the angles of a rotation are computed */
  double u_rk;    /* rounding of rotated keys when they are stored; 0 = none */
} sp_class;

/* "w-deep", "w-lane16:tile=64", "w-seq-b2:p=bf16,exp=-14". False and a sentence that names the
 * offending part for anything unknown. The arithmetic is f32 unless the key `u` says otherwise. */
bool sp_class_parse(const char *text, sp_class *out, char *error, size_t capacity);

/* Online rescales in a row of n keys: ceil(n / tile), 0 when not online. (NU-6) */
double sp_class_rescales(const sp_class *cls, size_t n);

/* What one underflow costs where the unit roundoff is u: the least subnormal of that format, the
 * least normal under any flush policy, 0 where u is 0 (no such rounding). (NU-10) */
double sp_class_underflow(const sp_class *cls, double u);

/* Longest chain of roundings in a sum of n terms under the class. (NU-7) */
double sp_class_height(const sp_class *cls, size_t n);

/* No a-priori bound exists for rows of n keys: height * u_acc >= 1. (NU-8) */
bool sp_class_unbounded(const sp_class *cls, size_t n);

#endif
