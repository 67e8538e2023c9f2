/* SPDX-License-Identifier: Apache-2.0 */
/* The fuzz room's promises: any bytes are a legal case that asks for nothing that is not offered; a
 * case that was written comes back; input may be cut anywhere; mutators give legal cases too.
 * tests: CT-3 */
#include "tests/asserts.h"
#include <stdlib.h>
#include <string.h>

#include "certify/gen/gen.h"
#include "fuzz/decode.h"
#include "fuzz/element.h"
#include "fuzz/mutate.h"
#include "tests/fuzz_finds.h"

Suite *suite_fuzz_decode(void);

enum { MAX_BYTES = 4096 };

/* Kernels that lack any of the options and types. */
static sp_fuzz_offer random_offer(sp_rng *rng) {
  sp_fuzz_offer offer = sp_fuzz_offer_all();
  if (sp_rng_one_in(rng, 3)) return offer;
  offer.options &= sp_rng_next(rng) | sp_rng_next(rng);
  offer.ops = 1 + (uint32_t)sp_rng_below(rng, offer.ops);
  uint32_t *const types[] = {&offer.dtypes_softmax, &offer.dtypes_q, &offer.dtypes_kv};
  for (int i = 0; i < 3; i++) *types[i] = SP_DTYPE_BIT(1 + sp_rng_below(rng, 4));
  if (sp_rng_one_in(rng, 2)) offer.max_n = 1 + sp_rng_below(rng, 40);
  return offer;
}

static bool types_offered(const sp_case *c, const sp_fuzz_offer *offer) {
  if (c->op == SP_OP_SOFTMAX) return (offer->dtypes_softmax & SP_DTYPE_BIT(c->dtype_q)) != 0;
  return (offer->dtypes_q & SP_DTYPE_BIT(c->dtype_q)) != 0 &&
         (offer->dtypes_kv & SP_DTYPE_BIT(c->dtype_kv)) != 0;
}

static void expect_legal(const uint8_t *data, size_t size, const sp_fuzz_offer *offer) {
  sp_case c;
  ck_assert(sp_fuzz_decode(&c, data, size, offer));
  const char *error = sp_case_error(&c);
  ck_assert_msg(error == NULL, "%s", error);
  ck_assert(offer->ops >> c.op & 1u);
  ck_assert(types_offered(&c, offer));
  uint64_t excess = sp_case_options(&c) & ~offer->options;
  ck_assert_msg(excess == 0, "options 0x%llx are used", (unsigned long long)excess);
  uint64_t longest = c.n_kv;
  if (c.op == SP_OP_CACHE && c.window + c.n_sink_tokens < longest)
    longest = c.window + c.n_sink_tokens;
  ck_assert(offer->max_n == 0 || longest <= offer->max_n);
  ck_assert(sp_fuzz_affordable(&c));
  sp_case_clear(&c);
}

START_TEST(any_bytes_are_a_legal_case) {
  sp_rng rng;
  uint8_t data[600];
  sp_rng_init(&rng, 1, "any-bytes", 0, 0);
  for (int i = 0; i < 6000; i++) {
    size_t size = fuzz_random_bytes(&rng, data, sizeof data);
    sp_fuzz_offer offer = random_offer(&rng);
    expect_legal(data, size, &offer);
  }
}
END_TEST

static bool make(sp_case *c, const sp_generator *generator, sp_op op, uint64_t index) {
  const uint32_t types =
      SP_DTYPE_BIT(SP_F32) | SP_DTYPE_BIT(SP_F64) | SP_DTYPE_BIT(SP_F16) | SP_DTYPE_BIT(SP_BF16);
  const sp_generator_request request = {.generator = generator->name,
                                        .op = op,
                                        .seed = 3,
                                        .index = index,
                                        .options = UINT64_MAX,
                                        .dtypes_softmax = types,
                                        .dtypes_q = types,
                                        .dtypes_kv = types,
                                        .max_n = 40};
  return sp_case_make(c, &request);
}

START_TEST(cases_come_back) {
  static uint8_t data[1 << 16];
  const sp_fuzz_header like = {.fill_seed = 9, .fill_range = 3};
  size_t n = 0, n_written = 0, n_made = 0;
  const sp_generator *generators = sp_generators(&n);
  for (size_t i = 0; i < n; i++)
    for (unsigned k = 0; k < 3 * 12; k++) {
      sp_case c;
      if (!make(&c, &generators[i], (sp_op)(k % 3), k / 3)) continue;
      size_t size = sp_fuzz_encode(&c, &like, data, sizeof data);
      n_made++;
      n_written += size > 0 && sp_fuzz_decodes_to(&c, data, size);
      sp_case_clear(&c);
    }
  /* The others are larger than a fuzzer should try. */
  ck_assert_msg(n_written > n_made / 3 && n_made > 500, "%zu of %zu", n_written, n_made);
}
END_TEST

/* Cut off what the continuation gives anyway, and nothing changes; cut off more, and it is another
 * case. The encoder's own claim of equality is thereby seen to fail. */
START_TEST(inputs_may_end_early) {
  static uint8_t data[1 << 16];
  sp_rng rng;
  sp_rng_init(&rng, 1, "ends-early", 0, 0);
  sp_fuzz_offer all = sp_fuzz_offer_all();
  for (int i = 0; i < 400; i++) {
    sp_fuzz_header h;
    sp_case c;
    size_t size = fuzz_random_bytes(&rng, data, SP_FUZZ_HEADER_BYTES + 40);
    ck_assert(sp_fuzz_decode(&c, data, size, &all));
    sp_fuzz_header_read(&h, data, size);
    size_t written = sp_fuzz_encode(&c, &h, data, sizeof data);
    ck_assert(written > 0 && sp_fuzz_decodes_to(&c, data, written));
    sp_array *first = c.op == SP_OP_SOFTMAX ? &c.logits : &c.q;
    if (first->count > 0) {
      size_t bytes = sp_ref_format_bytes(first->dtype);
      uint64_t last = sp_fuzz_get_bits(first->bits, bytes, first->count - 1);
      sp_fuzz_set_bits(first->bits, bytes, first->count - 1, last ^ 1);
      ck_assert(!sp_fuzz_decodes_to(&c, data, written));
    }
    sp_case_clear(&c);
  }
}
END_TEST

START_TEST(mutants_are_legal_and_differ) {
  static uint8_t data[MAX_BYTES], before[MAX_BYTES], child[MAX_BYTES];
  sp_rng rng;
  sp_rng_init(&rng, 1, "mutants", 0, 0);
  sp_fuzz_offer all = sp_fuzz_offer_all();
  size_t size = 0, n_changed = 0;
  for (int i = 0; i < 3000; i++) {
    if (i % 20 == 0) size = fuzz_random_bytes(&rng, data, 200);
    memcpy(before, data, size);
    size_t n = sp_fuzz_mutate(data, size, sizeof data, all.ops, sp_rng_next(&rng));
    ck_assert(n > 0 && n <= sizeof data);
    n_changed += n != size || memcmp(before, data, n) != 0;
    expect_legal(data, n, &all);
    size_t m = sp_fuzz_cross(data, n, before, size, child, sizeof child, sp_rng_next(&rng));
    ck_assert(m <= sizeof child);
    expect_legal(child, m, &all);
    size = n;
  }
  ck_assert_msg(n_changed > 2400, "%zu", n_changed);
}
END_TEST

/* Shapes that a kernel's main loop needs come up, though rarely: blocks of long rows, heads as wide as
 * a model's, rows past 2^15. */
START_TEST(dear_shapes_come_up) {
  static uint8_t data[MAX_BYTES];
  enum { TRIES = 20000 };
  const sp_fuzz_offer all = sp_fuzz_offer_all();
  size_t n_blocks = 0, n_wide = 0, n_huge = 0;
  sp_rng rng;
  sp_rng_init(&rng, 1, "dear-shapes", 0, 0);
  for (int i = 0; i < TRIES; i++) {
    sp_fuzz_header h;
    size_t size = SP_FUZZ_HEADER_BYTES;
    if (i % 10 == 0) memset(data, 0, sizeof data);
    data[0] = (uint8_t)(i / 10 % SP_N_OPS);
    size = sp_fuzz_mutate(data, size, SP_FUZZ_HEADER_BYTES, all.ops, sp_rng_next(&rng));
    ck_assert(size > 0);
    sp_fuzz_header_read(&h, data, size);
    size_t n = sp_fuzz_size(h.n_kv);
    n_huge += n >= SP_FUZZ_HUGE_N;
    n_blocks += h.op == 0 && n < SP_FUZZ_HUGE_N && sp_fuzz_is_block(sp_fuzz_size(h.n_q) + 1, n);
    n_wide += h.op > 0 && sp_fuzz_dim(h.d_head) > SP_FUZZ_LARGE_D;
  }
  ck_assert_msg(n_blocks > 0 && n_wide > 0 && n_huge > 0, "%zu, %zu, %zu", n_blocks, n_wide,
                n_huge);
  ck_assert_msg(n_blocks < TRIES / 50 && n_wide < TRIES / 20 && n_huge < TRIES / 50,
                "%zu, %zu, %zu", n_blocks, n_wide, n_huge);
}
END_TEST

/* Folding is done once, whoever reads the bytes again. */
START_TEST(folding_twice_changes_nothing) {
  static const sp_dtype types[] = {SP_F32, SP_F64, SP_F16, SP_BF16};
  sp_rng rng;
  sp_rng_init(&rng, 1, "fold", 0, 0);
  for (int i = 0; i < 200000; i++) {
    sp_dtype dtype = types[i % 4];
    sp_fuzz_role role = (sp_fuzz_role)(i / 4 % SP_FUZZ_N_ROLES);
    uint8_t range = (uint8_t)sp_rng_next(&rng);
    uint64_t bits = sp_rng_next(&rng) >> (64 - 8 * sp_ref_format_bytes(dtype));
    uint64_t once = sp_fuzz_fold(dtype, role, range, bits);
    ck_assert_uint_eq(sp_fuzz_fold(dtype, role, range, once), once);
  }
}
END_TEST

static void add(Suite *suite, const char *clause, const TTest *test) {
  TCase *tcase = tcase_create(clause);
  tcase_set_timeout(tcase, 120);
  tcase_add_test(tcase, test);
  suite_add_tcase(suite, tcase);
}

Suite *suite_fuzz_decode(void) {
  Suite *suite = suite_create("fuzz");
  add(suite, "CT-3", any_bytes_are_a_legal_case);
  add(suite, "CT-3", cases_come_back);
  add(suite, "CT-3", inputs_may_end_early);
  add(suite, "CT-3", mutants_are_legal_and_differ);
  add(suite, "CT-3", dear_shapes_come_up);
  add(suite, "NU-4", folding_twice_changes_nothing);
  return suite;
}
