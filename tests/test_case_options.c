/* SPDX-License-Identifier: Apache-2.0 */
/* Which options a case uses, and whether a kernel offers it. tests: KC-2, AT-3 */
#include "tests/asserts.h"
#include <math.h>
#include <stdlib.h>

#include "tests/case_small.h"

Suite *suite_case_options(void);

#define CHANGE(name, ...)                                                                          \
  static void name(sp_case *c) {                                                                   \
    __VA_ARGS__;                                                                                   \
  }

/* A plain case of one query uses no option at all; each change adds exactly one. */
static void plain_attention(sp_case *c) {
  sp_case_init(c, SP_OP_ATTENTION);
  c->n_kv = 4;
  c->n_heads = c->n_kv_heads = 2;
  c->d_head = c->d_value = 2;
  ck_assert(sp_array_alloc(&c->q, SP_F32, 4));
  ck_assert(sp_array_alloc(&c->k, SP_F32, 16));
  ck_assert(sp_array_alloc(&c->v, SP_F32, 16));
}

static void bias(sp_case *c, double x) {
  ck_assert(sp_array_alloc(&c->key_bias, SP_F32, c->n_kv));
  sp_ref_store(SP_F32, c->key_bias.bits, 1, x);
}

static void nan_in_key_1(sp_case *c) {
  sp_ref_store(SP_F32, c->k.bits, 4, NAN);
}

CHANGE(use_sink, (void)sp_array_alloc(&c->sink_logit, SP_BF16, 2))
CHANGE(use_bias, bias(c, 1.0))
CHANGE(use_zero_bias, bias(c, 0.0))
CHANGE(use_mask, bias(c, -INFINITY))
CHANGE(use_inf_bias, bias(c, INFINITY); sp_ref_store(SP_F32, c->key_bias.bits, 2, 1.0))
CHANGE(use_softcap, c->softcap = 2.0F)
CHANGE(use_alibi, (void)sp_array_alloc(&c->alibi_slope, SP_F32, 2))
CHANGE(use_window, c->window = 2)
CHANGE(use_sink_tokens, c->n_sink_tokens = 1)
CHANGE(use_positions, c->pos_q = calloc(1, sizeof *c->pos_q); c->pos_q[0] = 3)
CHANGE(use_gqa, c->n_kv_heads = 1)
CHANGE(use_prefill, c->n_q = 2)
CHANGE(use_noncausal, c->n_q = 2; c->causal = false)
CHANGE(use_noncausal_one, c->causal = false)
CHANGE(use_more_q, c->n_q = 5)
CHANGE(use_batch, c->n_batch = 2)
CHANGE(use_pad, c->layout.row_pad = 1)
CHANGE(use_head_major, c->layout.head_major = true)
CHANGE(use_d_value, c->d_value = 3)
CHANGE(use_lse_keys, c->want_lse_keys = true)
CHANGE(use_lse_total, c->want_lse_total = true)
CHANGE(use_empty, c->n_kv = 0; c->k.count = c->v.count = 0)
CHANGE(use_nan_q, sp_ref_store(SP_F32, c->q.bits, 3, NAN))
CHANGE(use_nan_k, nan_in_key_1(c))
CHANGE(use_inf_sink, use_sink(c); sp_ref_store(SP_BF16, c->sink_logit.bits, 1, INFINITY))
CHANGE(use_no_sink, use_sink(c); sp_ref_store(SP_BF16, c->sink_logit.bits, 1, -INFINITY))
CHANGE(use_hidden_nan, nan_in_key_1(c); bias(c, -INFINITY))
CHANGE(use_evicted_nan, nan_in_key_1(c); c->window = 2)
CHANGE(use_pinned_nan, nan_in_key_1(c); c->window = 2; c->n_sink_tokens = 2)
CHANGE(use_guards, c->layout.guard_before = true; c->layout.misalign = 7; c->n_threads = 3)

static const struct {
  void (*use)(sp_case *);
  uint64_t options;
} uses[] = {
    {use_sink, SP_OPT_SINK_LOGIT},
    {use_bias, SP_OPT_KEY_BIAS},
    {use_zero_bias, SP_OPT_KEY_BIAS},
    {use_mask, SP_OPT_MASK},
    {use_inf_bias, SP_OPT_KEY_BIAS | SP_OPT_NONFINITE},
    {use_softcap, SP_OPT_SOFTCAP},
    {use_alibi, SP_OPT_ALIBI},
    {use_window, SP_OPT_WINDOW},
    {use_sink_tokens, SP_OPT_SINK_TOKENS},
    {use_positions, SP_OPT_POSITIONS},
    {use_gqa, SP_OPT_GQA},
    {use_prefill, SP_OPT_PREFILL},
    {use_noncausal, SP_OPT_PREFILL | SP_OPT_NONCAUSAL},
    {use_noncausal_one, 0},
    {use_more_q, SP_OPT_PREFILL | SP_OPT_MORE_Q_THAN_KV},
    {use_batch, SP_OPT_BATCH},
    {use_pad, SP_OPT_STRIDES},
    {use_head_major, SP_OPT_STRIDES},
    {use_d_value, SP_OPT_D_VALUE},
    {use_lse_keys, SP_OPT_LSE_KEYS},
    {use_lse_total, SP_OPT_LSE_TOTAL},
    {use_empty, SP_OPT_EMPTY},
    {use_nan_q, SP_OPT_NONFINITE},
    {use_nan_k, SP_OPT_NONFINITE},
    {use_inf_sink, SP_OPT_SINK_LOGIT | SP_OPT_NONFINITE},
    {use_no_sink, SP_OPT_SINK_LOGIT},
    {use_hidden_nan, SP_OPT_MASK},
    {use_evicted_nan, SP_OPT_WINDOW},
    {use_pinned_nan, SP_OPT_WINDOW | SP_OPT_SINK_TOKENS | SP_OPT_NONFINITE},
    {use_guards, 0},
};

START_TEST(test_options) {
  for (size_t i = 0; i < sizeof uses / sizeof *uses; i++) {
    sp_case c;
    plain_attention(&c);
    ck_assert_uint_eq(sp_case_options(&c), 0);
    uses[i].use(&c);
    ck_assert_msg(sp_case_options(&c) == uses[i].options, "use %zu: %llx instead of %llx", i,
                  (unsigned long long)sp_case_options(&c), (unsigned long long)uses[i].options);
    sp_case_clear(&c);
  }
}
END_TEST

START_TEST(test_options_elsewhere) {
  sp_case c;
  small_softmax(&c);
  ck_assert_uint_eq(sp_case_options(&c), SP_OPT_SINK_LOGIT | SP_OPT_KEY_BIAS);
  c.scale = 2.0F;
  ck_assert_uint_eq(sp_case_options(&c) & SP_OPT_SCALE, SP_OPT_SCALE);
  sp_ref_store(SP_F32, c.logits.bits, 4, NAN); /* row 1, key 1 */
  ck_assert_uint_eq(sp_case_options(&c) & SP_OPT_NONFINITE, SP_OPT_NONFINITE);
  sp_ref_store(SP_F32, c.key_bias.bits, 1, -INFINITY);
  ck_assert_uint_eq(sp_case_options(&c) & (SP_OPT_NONFINITE | SP_OPT_MASK), SP_OPT_MASK);
  sp_case_clear(&c);
  small_cache(&c);
  ck_assert_uint_eq(sp_case_options(&c), SP_OPT_SINK_TOKENS | SP_OPT_GQA);
  c.first_token = 1;
  ck_assert_uint_eq(sp_case_options(&c) & SP_OPT_FIRST_TOKEN, SP_OPT_FIRST_TOKEN);
  /* Token 1 is first asked about by tokens 0 and 1, so a NaN in it is visible … */
  sp_ref_store(SP_F32, c.k.bits, 2, NAN);
  ck_assert_uint_eq(sp_case_options(&c) & SP_OPT_NONFINITE, SP_OPT_NONFINITE);
  /* … unless those outputs are not wanted: token 4 sees 0, 2, 3 and 4. */
  c.script[0].with_queries = false;
  c.script[1] = (sp_cache_step){SP_STEP_VISIBLE, 0, false, 0};
  ck_assert_uint_eq(sp_case_options(&c) & SP_OPT_NONFINITE, 0);
  sp_case_clear(&c);
}
END_TEST

static sp_status no_attention(const sp_attention_call *call) {
  (void)call;
  return SP_UNSUPPORTED;
}

START_TEST(test_offered) {
  sp_kernel kernel = {.options = SP_OPT_SINK_LOGIT | SP_OPT_WINDOW,
                      .dtypes_q = SP_DTYPE_BIT(SP_F32),
                      .dtypes_kv = SP_DTYPE_BIT(SP_F32),
                      .attention = no_attention};
  sp_case c;
  plain_attention(&c);
  ck_assert(sp_case_offered(&c, &kernel));
  kernel.max_n = 3;
  ck_assert(!sp_case_offered(&c, &kernel));
  kernel.max_n = 4;
  ck_assert(sp_case_offered(&c, &kernel));
  kernel.dtypes_kv = SP_DTYPE_BIT(SP_F16);
  ck_assert(!sp_case_offered(&c, &kernel));
  kernel.dtypes_kv |= SP_DTYPE_BIT(SP_F32);
  use_sink(&c);
  ck_assert(sp_case_offered(&c, &kernel));
  use_softcap(&c);
  ck_assert(!sp_case_offered(&c, &kernel));
  c.softcap = 0.0F;
  kernel.attention = NULL;
  ck_assert(!sp_case_offered(&c, &kernel));
  sp_case_clear(&c);
}
END_TEST

static void add(Suite *suite, const char *clause, const TTest *test) {
  TCase *tc = tcase_create(clause);
  tcase_add_test(tc, test);
  suite_add_tcase(suite, tc);
}

Suite *suite_case_options(void) {
  Suite *suite = suite_create("case_options");
  add(suite, "KC-2", test_options);
  add(suite, "AT-3", test_options_elsewhere);
  add(suite, "KC-2", test_offered);
  return suite;
}
