/* SPDX-License-Identifier: Apache-2.0 */
/* Strided tensors with canaries. */
#include "tests/tensor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/random_row.h"
#include "tests/require.h"

tensor tensor_output(sp_dtype dtype, size_t a, size_t b, size_t c, size_t e, uint64_t *state) {
  tensor t = {.dtype = dtype};
  t.stride[2] = (int64_t)(e + sp_random_below(state, 3));
  t.stride[1] = t.stride[2] * (int64_t)c + (int64_t)sp_random_below(state, 3);
  t.stride[0] = t.stride[1] * (int64_t)b + (int64_t)sp_random_below(state, 3);
  t.n_bytes = ((size_t)t.stride[0] * a + 1) * sp_ref_format_bytes(dtype);
  t.bits = malloc(t.n_bytes);
  REQUIRE(t.bits != NULL);
  memset(t.bits, 0xa5, t.n_bytes);
  return t;
}

static size_t at(const tensor *t, size_t a, size_t b, size_t c, size_t e) {
  return a * (size_t)t->stride[0] + b * (size_t)t->stride[1] + c * (size_t)t->stride[2] + e;
}

double tensor_get(const tensor *t, size_t a, size_t b, size_t c, size_t e) {
  return sp_ref_load(t->dtype, t->bits, at(t, a, b, c, e));
}

static void put(tensor *t, size_t index, double x) {
  MPFR_DECL_INIT(exact, 53);
  mpfr_set_d(exact, x, MPFR_RNDN);
  sp_ref_store(t->dtype, t->bits, index, sp_ref_round(t->dtype, exact));
}

tensor tensor_input(sp_dtype dtype, size_t a, size_t b, size_t c, size_t e, uint64_t *state) {
  tensor t = tensor_output(dtype, a, b, c, e, state);
  for (size_t i = 0; i < t.n_bytes / sp_ref_format_bytes(dtype); i++) put(&t, i, NAN);
  for (size_t i = 0; i < a * b * c * e; i++)
    put(&t, at(&t, i / (b * c * e), i / (c * e) % b, i / e % c, i % e), 3 * sp_random_unit(state));
  return t;
}

static size_t offset(const tensor *t, size_t b) {
  return sp_ref_format_bytes(t->dtype) * b * (size_t)t->stride[1];
}

sp_in tensor_in(const tensor *t, size_t b) {
  return (sp_in){(const char *)t->bits + offset(t, b),
                 {t->stride[0], t->stride[1], t->stride[2]},
                 t->dtype,
                 0};
}

sp_out tensor_out(tensor *t, size_t b) {
  return (sp_out){
      (char *)t->bits + offset(t, b), {t->stride[0], t->stride[1], t->stride[2]}, t->dtype, 0};
}

bool tensor_untouched(const tensor *t) {
  for (size_t i = 0; i < t->n_bytes; i++)
    if (((const unsigned char *)t->bits)[i] != 0xa5) return false;
  return true;
}

bool tensor_gaps_untouched(tensor *t, size_t a, size_t b, size_t c, size_t e) {
  const size_t bytes = sp_ref_format_bytes(t->dtype);
  for (size_t i = 0; i < a * b * c * e; i++)
    memset((char *)t->bits + bytes * at(t, i / (b * c * e), i / (c * e) % b, i / e % c, i % e),
           0xa5, bytes);
  return tensor_untouched(t);
}

sp_dtype tensor_lse_type(sp_dtype dtype) {
  return dtype == SP_F64 ? SP_F64 : SP_F32;
}
