/* SPDX-License-Identifier: Apache-2.0 */
/* The exponential on all 2^32 binary32 arguments, independently of every proof:
 *
 *   - the three leaves of the fast path give the same bits;
 *   - for x <= 0 the result is within the proved bound of e^x as MPFR knows it.
 *
 *     exhaustive i/n     checks every n-th block of 2^16 arguments, beginning with the i-th
 *
 * Prints the largest log-error seen, in units of 2^-24, beside the proved one. */
#include <immintrin.h>
#include <inttypes.h>
#include <math.h>
#include <mpfr.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fast/avx512/exp.h"
#include "fast/avx512/variant.h"

enum { BLOCK = 1 << 16, N_BLOCKS = 1 << 16 };

/* NU7_exp: log-error at most 1 / (EPS_DEN - 1), absolute error at most 2^-150. */
static const double proved_log_error = 1.0 / 8999999.0;
static const double proved_lost = 0x1p-150;

typedef struct worst {
  double log_error;
  uint32_t bits;
  uint64_t n_checked, n_bad;
} worst;

static float value(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

static void report(worst *w, const char *what, uint32_t bits, float y) {
  if (w->n_bad++ < 10)
    printf("%s: x = %a (%08" PRIx32 "), y = %a\n", what, (double)value(bits), bits, (double)y);
}

/* e^x lies in [lo, hi]; y must be e^x e^r + f with |r| and |f| within the bounds. The quotient and
 * its logarithm are computed in doubles, whose own error is far below what could matter here. */
static void check_value(worst *w, uint32_t bits, float y, mpfr_t e, mpfr_t t) {
  mpfr_set_flt(t, value(bits), MPFR_RNDN);
  mpfr_exp(e, t, MPFR_RNDN);
  mpfr_d_sub(t, (double)y, e, MPFR_RNDN);
  double error = fabs(mpfr_get_d(t, MPFR_RNDA));
  mpfr_mul_d(t, e, proved_log_error, MPFR_RNDD);
  w->n_checked++;
  if (error > mpfr_get_d(t, MPFR_RNDD) + proved_lost)
    report(w, "outside the proved bound", bits, y);
  if (y < 0x1p-126F) return;
  double log_error = error / mpfr_get_d(e, MPFR_RNDD);
  if (log_error <= w->log_error) return;
  w->log_error = log_error;
  w->bits = bits;
}

/* What the other two leaves make of x; x - 0 is x. */
static void others(float *narrow, float *wide, const float *x) {
  const __m512 zero = _mm512_setzero_ps();
  for (uint32_t i = 0; i < BLOCK; i += 16)
    _mm512_storeu_ps(narrow + i, exp16(_mm512_loadu_ps(x + i)));
  for (uint32_t i = 0; i < BLOCK; i += 128) {
    __m512 e[8];
    for (uint32_t k = 0; k < 8; k++) e[k] = _mm512_loadu_ps(x + i + 16 * k);
    (void)exp128_sum(e, zero, zero);
    for (uint32_t k = 0; k < 8; k++) _mm512_storeu_ps(wide + i + 16 * k, e[k]);
  }
}

static bool same(float a, float b) {
  return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof a) == 0;
}

static void check_block(worst *w, uint32_t first, mpfr_t e, mpfr_t t) {
  static float x[BLOCK], executed[BLOCK], narrow[BLOCK], wide[BLOCK];
  for (uint32_t i = 0; i < BLOCK; i++) x[i] = value(first + i);
  sp_fast_exp_avx512(executed, x, BLOCK);
  others(narrow, wide, x);
  for (uint32_t i = 0; i < BLOCK; i++) {
    uint32_t bits = first + i;
    if (!same(executed[i], narrow[i]) || !same(executed[i], wide[i]))
      report(w, "the leaves differ", bits, executed[i]);
    if (isnan(x[i]) != isnan(executed[i])) report(w, "NaN", bits, executed[i]);
    if (x[i] < -110.0F && executed[i] != 0.0F) report(w, "not zero", bits, executed[i]);
    if (x[i] <= 0.0F && x[i] >= -110.0F) check_value(w, bits, executed[i], e, t);
  }
}

int main(int argc, char **argv) {
  unsigned shard = 0;
  unsigned n_shards = 1;
  if (argc > 2 || (argc == 2 && sscanf(argv[1], "%u/%u", &shard, &n_shards) != 2)) return 2;
  if (n_shards == 0 || shard >= n_shards) return 2;
  worst w = {.log_error = 0};
  mpfr_t e, t;
  mpfr_inits2(64, e, t, (mpfr_ptr)0);
  for (uint32_t block = shard; block < N_BLOCKS; block += n_shards) {
    check_block(&w, block * BLOCK, e, t);
    if (block % 1024 < n_shards) fprintf(stderr, "\r  %2" PRIu32 " of 64", block / 1024);
  }
  mpfr_clears(e, t, (mpfr_ptr)0);
  fprintf(stderr, "\r");
  printf("  %" PRIu64 " arguments against MPFR, %" PRIu64
         " bad; worst log-error %.4f * 2^-24 at %a, proved %.4f\n",
         w.n_checked, w.n_bad, w.log_error * 0x1p24, (double)value(w.bits),
         proved_log_error * 0x1p24);
  return w.n_bad != 0;
}
