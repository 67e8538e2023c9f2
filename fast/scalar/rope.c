/* SPDX-License-Identifier: Apache-2.0 */
/* Rotation in portable C, pair by pair; the others are the same, operation by operation.
 * fma is one rounding by definition, whatever the processor. spec: EV-11 */
#include "fast/rope.h"

#include <math.h>

#include "fast/tensor.h"

__extension__ typedef unsigned __int128 u128;

/* The fractional part of position * turns, in units of 2^-64 of a turn. */
static uint64_t fraction(const sp_fast_rope *rope, uint64_t i, uint64_t position) {
  return position * rope->high[i] + (uint64_t)((u128)position * rope->low[i] >> 64);
}

static double sine_near_zero(double x, double z) {
  double p = fma(SP_FAST_ROPE_S15, z, SP_FAST_ROPE_S13);
  p = fma(p, z, SP_FAST_ROPE_S11);
  p = fma(p, z, SP_FAST_ROPE_S9);
  p = fma(p, z, SP_FAST_ROPE_S7);
  p = fma(p, z, SP_FAST_ROPE_S5);
  p = fma(p, z, SP_FAST_ROPE_S3);
  return fma(p, x * z, x);
}

static double cosine_near_zero(double z) {
  double p = fma(SP_FAST_ROPE_C16, z, SP_FAST_ROPE_C14);
  p = fma(p, z, SP_FAST_ROPE_C12);
  p = fma(p, z, SP_FAST_ROPE_C10);
  p = fma(p, z, SP_FAST_ROPE_C8);
  p = fma(p, z, SP_FAST_ROPE_C6);
  p = fma(p, z, SP_FAST_ROPE_C4);
  p = fma(p, z, SP_FAST_ROPE_C2);
  return fma(p, z, 1.0);
}

/* The nearest quarter turn, and what is left: |x| <= pi/4. */
void sp_fast_turn_scalar(const sp_fast_rope *rope, uint64_t position, sp_fast_angles *angles) {
  for (uint64_t i = 0; i < rope->n_pairs; i++) {
    uint64_t turn = fraction(rope, i, position);
    uint64_t quarter = (turn + (UINT64_C(1) << 61)) >> 62;
    double x = (double)(int64_t)(turn - (quarter << 62)) * SP_FAST_ROPE_UNIT;
    double s = sine_near_zero(x, x * x);
    double c = cosine_near_zero(x * x);
    double cosine = (quarter & 1) != 0 ? s : c;
    double sine = (quarter & 1) != 0 ? c : s;
    angles->cosine[i] = ((quarter + 1) & 2) != 0 ? -cosine : cosine;
    angles->sine[i] = (quarter & 2) != 0 ? -sine : sine;
  }
}

void sp_fast_rotate_scalar(const sp_fast_rope *rope, const sp_fast_angles *angles, sp_dtype dtype,
                           const void *from, uint64_t d, float *to) {
  bool half = rope->pairing == SP_ROPE_HALF;
  for (uint64_t i = 0; i < rope->n_pairs; i++) {
    uint64_t at_a = half ? i : 2 * i;
    uint64_t at_b = half ? i + rope->n_pairs : 2 * i + 1;
    double a = (double)sp_fast_load(dtype, from, at_a);
    double b = (double)sp_fast_load(dtype, from, at_b);
    double c = angles->cosine[i];
    double s = angles->sine[i];
    to[at_a] = (float)fma(a, c, -(b * s));
    to[at_b] = (float)fma(a, s, b * c);
  }
  for (uint64_t c = 2 * rope->n_pairs; c < d; c++) to[c] = sp_fast_load(dtype, from, c);
}
