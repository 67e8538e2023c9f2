/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/element.h"

#include <string.h>

#include "certify/case/rng.h"

typedef struct layout {
  unsigned exponent, mantissa; /* bits of each */
} layout;

static layout layout_of(sp_dtype dtype) {
  if (dtype == SP_F64) return (layout){11, 52};
  if (dtype == SP_F16) return (layout){5, 10};
  return dtype == SP_BF16 ? (layout){8, 7} : (layout){8, 23};
}

/* The largest exponent of a range, for what makes logits and for values. A dot product adds the
 * exponents of q and k, so q has a small one whatever the range. */
static int top_exponent(sp_fuzz_role role, uint8_t range) {
  static const int score[8] = {4, 1, 2, 3, 5, 6, 9, 13};
  static const int value[8] = {0, 0, 1, 4, 7, 30, 90, -30};
  if (role == SP_FUZZ_V || role == SP_FUZZ_PAIR_V) return value[range >> 3 & 7];
  if (role == SP_FUZZ_SLOPE) return 0;
  if (role == SP_FUZZ_Q) return 0;
  return score[range & 7];
}

/* Binades below the largest that count as inside: wide for what a fuzzer wrote, narrow for what
 * fills up, which should look like data. */
enum { RAW_SPAN = 28, FILL_SPAN = 4 };

static uint64_t fold(sp_dtype dtype, int top, int span, uint64_t bits) {
  layout l = layout_of(dtype);
  int bias = (1 << (l.exponent - 1)) - 1;
  uint64_t mask = ((uint64_t)1 << l.exponent) - 1;
  int e = (int)(bits >> l.mantissa & mask);
  if (top > bias) top = bias;
  int from = top - span + 1 + bias;
  int to = top + bias;
  if (from < 1) from = 1;
  if (to < from) to = from; /* a format that does not reach so far down */
  if (e == 0 || (e >= from && e <= to)) return bits;
  uint64_t inside = (uint64_t)(to - e % (to - from + 1));
  return (bits & ~(mask << l.mantissa)) | inside << l.mantissa;
}

static bool is_minus_infinity(sp_dtype dtype, uint64_t bits) {
  layout l = layout_of(dtype);
  return bits == (((uint64_t)2 << l.exponent) - 1) << l.mantissa;
}

uint64_t sp_fuzz_fold(sp_dtype dtype, sp_fuzz_role role, uint8_t range, uint64_t bits) {
  bool may_mask = role == SP_FUZZ_KEY_BIAS || role == SP_FUZZ_LOGIT || role == SP_FUZZ_SINK;
  if (role == SP_FUZZ_SLOPE && range == 0) return sp_fuzz_finite(dtype, bits);
  if (range == 0 || (may_mask && is_minus_infinity(dtype, bits))) return bits;
  return fold(dtype, top_exponent(role, range), RAW_SPAN, bits);
}

/* The upper two bits of the range say how many different numbers there are: as many as the format
 * has, a few, or (for exact ties) very few. */
uint64_t sp_fuzz_fill(const sp_fuzz_header *h, sp_dtype dtype, sp_fuzz_role role, size_t index) {
  static const uint64_t n_different[4] = {0, 0, 11, 2};
  uint64_t which = index;
  uint64_t n = n_different[h->fill_range >> 6];
  uint64_t seed = (uint64_t)h->fill_seed << 8 | (uint64_t)role << 4;
  if (n > 0) which = sp_rng_mix(seed << 32 ^ index) % n;
  uint64_t bits = sp_rng_mix(sp_rng_mix(seed) + which);
  layout l = layout_of(dtype);
  bits &= ((uint64_t)2 << (l.exponent + l.mantissa)) - 1;
  return fold(dtype, top_exponent(role, h->fill_range & 63), FILL_SPAN, bits);
}

uint64_t sp_fuzz_finite(sp_dtype dtype, uint64_t bits) {
  layout l = layout_of(dtype);
  uint64_t mask = ((uint64_t)1 << l.exponent) - 1;
  if ((bits >> l.mantissa & mask) != mask) return bits;
  return bits & ~((uint64_t)1 << l.mantissa);
}

uint64_t sp_fuzz_get_bits(const void *array, size_t bytes, size_t index) {
  const unsigned char *at = (const unsigned char *)array + index * bytes;
  uint64_t bits = 0;
  for (size_t b = 0; b < bytes; b++) bits |= (uint64_t)at[b] << (8 * b);
  return bits;
}

void sp_fuzz_set_bits(void *array, size_t bytes, size_t index, uint64_t bits) {
  unsigned char *at = (unsigned char *)array + index * bytes;
  for (size_t b = 0; b < bytes; b++) at[b] = (unsigned char)(bits >> (8 * b));
}
