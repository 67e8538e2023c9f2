/* SPDX-License-Identifier: Apache-2.0 */
/* The few interval operations that MPFI lacks, or has only with an allocation inside: they run once
 * per key or per value. All round outwards. Private to ref/. */
#ifndef SINKPROOF_REF_INTERVAL_H
#define SINKPROOF_REF_INTERVAL_H

#include <mpfi.h>
#include <stdbool.h>

/* x := x * factor, for any finite factor. */
void sp_ref_interval_scale(mpfi_ptr x, double factor);

/* sum := sum + weight * value, for weight >= 0 and a finite value; rounded once. */
void sp_ref_interval_add_product(mpfi_ptr sum, mpfi_srcptr weight, double value);

/* sum := sum + a * b, for finite a and b; only the sum rounds. */
void sp_ref_interval_add_exact(mpfi_ptr sum, double a, double b);

/* x := exp(x). A point or a narrow interval costs one exponential, not two. */
void sp_ref_interval_exp(mpfi_ptr x);

/* largest := max(largest, x), for real numbers anywhere in the two. */
void sp_ref_interval_max(mpfi_ptr largest, mpfi_srcptr x);

/* x := x intersected with [0, 1], where the exact value is known to lie. */
void sp_ref_interval_clip_to_unit(mpfi_ptr x);

/* x := [value, value]; infinite and NaN values too. */
void sp_ref_interval_set(mpfi_ptr x, double value);

bool sp_ref_interval_overlap(mpfi_srcptr x, mpfi_srcptr y);

#endif
