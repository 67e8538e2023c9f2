/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that must be refused: by SP_INVALID where SPEC.md or the ABI calls them errors, by
 * SP_UNSUPPORTED where they are legal and not offered, and never with a changed output byte. */
#include <fenv.h>

#include "tests/test_fast_call.h"
#include "tests/test_fast_variants.h"

Suite *suite_fast_refuse(void);

static bool all_bytes(const tensor *t, unsigned char byte) {
  for (size_t i = 0; i < t->bytes; i++)
    if (t->data[i] != byte) return false;
  return true;
}

/* ---- attention ---- */

static attention small_attention(void) {
  rng r = {1};
  shape s = plain_shape(4, 3);
  s.n_q = 2;
  s.n_heads = 4;
  s.n_kv_heads = 2;
  attention a = attention_new(&r, &s);
  a.call.sink_logit = as_in(&a.sink);
  a.call.bias_k = as_in(&a.bias_k);
  a.call.bias_v = as_in(&a.bias_v);
  attention_fill(&a, &r);
  return a;
}

static void refuse_attention(const sp_kernel *kernel, const attention *a,
                             const sp_attention_call *call, sp_status expected, const char *what) {
  sp_status status = kernel->attention(call);
  ck_assert_msg(status == expected, "%s: answered %d", what, status);
  ck_assert_msg(all_bytes(&a->out, 0xff) && all_bytes(&a->lse_keys, 0xff) &&
                    all_bytes(&a->lse_total, 0xff),
                "%s: wrote", what);
}

#define REFUSE_ATTENTION(expected, change)                                                         \
  do {                                                                                             \
    sp_attention_call c = a.call;                                                                  \
    change;                                                                                        \
    refuse_attention(kernel, &a, &c, expected, #change);                                           \
  } while (0)

/* tests: KC-7, EV-3, AT-7, AL-8 */
START_TEST(invalid_attention) {
  const sp_kernel *kernel = variant_kernel(_i);
  attention a = small_attention();
  int64_t negative[4] = {0, 1, 2, -1};
  REFUSE_ATTENTION(SP_INVALID, c.window = 0);
  REFUSE_ATTENTION(SP_INVALID, c.n_kv_heads = 0);
  REFUSE_ATTENTION(SP_INVALID, c.n_kv_heads = 3);
  REFUSE_ATTENTION(SP_INVALID, c.n_kv_heads = 8);
  REFUSE_ATTENTION(SP_INVALID, c.scale = NAN);
  REFUSE_ATTENTION(SP_INVALID, c.scale = INFINITY);
  REFUSE_ATTENTION(SP_INVALID, c.scale = -INFINITY);
  REFUSE_ATTENTION(SP_INVALID, c.softcap = -1.0F);
  REFUSE_ATTENTION(SP_INVALID, c.softcap = NAN);
  REFUSE_ATTENTION(SP_INVALID, c.bias_k.data = NULL);
  REFUSE_ATTENTION(SP_INVALID, c.bias_v.data = NULL);
  REFUSE_ATTENTION(SP_INVALID, c.out.data = c.lse_keys.data = c.lse_total.data = NULL);
  REFUSE_ATTENTION(SP_INVALID, c.causal = 2);
  REFUSE_ATTENTION(SP_INVALID, c.q.data = NULL);
  REFUSE_ATTENTION(SP_INVALID, c.k.data = NULL);
  REFUSE_ATTENTION(SP_INVALID, c.v.data = NULL);
  REFUSE_ATTENTION(SP_INVALID, c.pos_q = negative + 2);
  REFUSE_ATTENTION(SP_INVALID, c.pos_k = negative);
  REFUSE_ATTENTION(SP_INVALID, c.v.dtype = SP_F16);
  REFUSE_ATTENTION(SP_INVALID, c.bias_k.dtype = SP_BF16);
  REFUSE_ATTENTION(SP_INVALID, c.out.dtype = SP_BF16);
  REFUSE_ATTENTION(SP_INVALID, c.size = 0);
  refuse_attention(kernel, &a, NULL, SP_INVALID, "no call");
  attention_free(&a);
}
END_TEST

/* tests: KC-2, KC-3 */
START_TEST(unsupported_attention) {
  const sp_kernel *kernel = variant_kernel(_i);
  attention a = small_attention();
  REFUSE_ATTENTION(SP_UNSUPPORTED, c.q.dtype = c.out.dtype = SP_F64);
  REFUSE_ATTENTION(SP_UNSUPPORTED,
                   c.k.dtype = c.v.dtype = c.bias_k.dtype = c.bias_v.dtype = SP_F64);
  REFUSE_ATTENTION(SP_UNSUPPORTED, c.q.dtype = c.out.dtype = 77);
  REFUSE_ATTENTION(SP_UNSUPPORTED, c.lse_keys.dtype = SP_F64);
  REFUSE_ATTENTION(SP_UNSUPPORTED, c.lse_total.dtype = SP_BF16);
  REFUSE_ATTENTION(SP_UNSUPPORTED, c.sink_logit.dtype = SP_F16);
  REFUSE_ATTENTION(SP_UNSUPPORTED, c.key_bias = as_in(&a.bias_k); c.key_bias.dtype = SP_F16);
  REFUSE_ATTENTION(SP_UNSUPPORTED, c.alibi_slope = as_in(&a.bias_k); c.alibi_slope.dtype = SP_F16);
  REFUSE_ATTENTION(SP_UNSUPPORTED, c.n_kv = UINT64_MAX);
  REFUSE_ATTENTION(SP_UNSUPPORTED, c.reserved = 1);
  REFUSE_ATTENTION(SP_NOMEM, c.d_head = UINT64_C(1) << 61);
  attention_free(&a);
}
END_TEST

/* A struct of a later version: zero in what we do not know is absent, anything else is a request
 * for something that we do not offer. A struct that ends early is zero from there on. tests: KC-1
 */
START_TEST(structs_of_other_sizes) {
  const sp_kernel *kernel = variant_kernel(_i);
  attention a = small_attention();
  struct {
    sp_attention_call call;
    unsigned char later[24];
  } longer = {.call = a.call};
  longer.call.size = sizeof longer;
  longer.later[23] = 1;
  refuse_attention(kernel, &a, &longer.call, SP_UNSUPPORTED, "an unknown field");
  longer.later[23] = 0;
  ck_assert_int_eq(kernel->attention(&longer.call), SP_OK);
  ck_assert_int_lt(naive_wrong_attention(kernel, &a.call), 0);

  sp_attention_call shorter = a.call; /* without softcap, causal, reserved */
  shorter.size = offsetof(sp_attention_call, softcap);
  shorter.softcap = NAN;
  shorter.causal = 7;
  ck_assert_int_eq(kernel->attention(&shorter), SP_OK);
  ck_assert_int_lt(naive_wrong_attention(kernel, &a.call), 0);
  attention_free(&a);
}
END_TEST

/* ---- softmax ---- */

/* tests: KC-7, KC-3 */
START_TEST(refused_softmax) {
  const sp_kernel *kernel = variant_kernel(_i);
  tensor logits = tensor_new(SP_F32, 2, 1, 1, 5, PACKED, 0);
  tensor weights = tensor_new(SP_F32, 2, 1, 1, 5, PACKED, 0);
  tensor lse = tensor_new(SP_F32, 2, 1, 1, 1, PACKED, 0);
  const sp_softmax_call good = {.size = sizeof good,
                                .n_threads = 1,
                                .n_rows = 2,
                                .n = 5,
                                .logits = as_in(&logits),
                                .weights = as_out(&weights),
                                .lse_total = as_out(&lse),
                                .scale = 1.0F};
  sp_softmax_call bad[10];
  for (size_t i = 0; i < 10; i++) bad[i] = good;
  bad[0].weights.data = bad[0].lse_total.data = NULL;
  bad[1].scale = NAN;
  bad[2].scale = -INFINITY;
  bad[3].logits.data = NULL;
  bad[4].weights.dtype = SP_F16;
  bad[5].logits.dtype = bad[5].weights.dtype = SP_F64;
  bad[6].lse_total.dtype = SP_F64;
  bad[7].sink_logit = as_in(&lse);
  bad[7].sink_logit.dtype = SP_F64;
  bad[8].key_bias = as_in(&logits);
  bad[8].key_bias.dtype = SP_BF16;
  bad[9].reserved = 9;
  for (size_t i = 0; i < 10; i++) {
    ck_assert_int_eq(kernel->softmax(&bad[i]), i < 5 ? SP_INVALID : SP_UNSUPPORTED);
    ck_assert(all_bytes(&weights, 0xff) && all_bytes(&lse, 0xff));
  }
  ck_assert_int_eq(kernel->softmax(NULL), SP_INVALID);
  tensor_free(&logits);
  tensor_free(&weights);
  tensor_free(&lse);
}
END_TEST

/* ---- cache ---- */

static const sp_cache_config good_config = {.size = sizeof good_config,
                                            .dtype_kv = SP_F32,
                                            .n_sink_tokens = 1,
                                            .window = 2,
                                            .n_heads = 2,
                                            .n_kv_heads = 1,
                                            .d_head = 3,
                                            .d_value = 3};

/* tests: KC-7, EV-3 */
START_TEST(refused_open) {
  const sp_cache_ops *ops = variant_kernel(_i)->cache;
  sp_cache_config bad[7];
  for (size_t i = 0; i < 7; i++) bad[i] = good_config;
  bad[0].window = 0;
  bad[1].n_kv_heads = 0;
  bad[2].n_kv_heads = 4;
  bad[3].window = SP_WINDOW_ALL;
  bad[4].size = 0;
  bad[5].dtype_kv = SP_F64;
  bad[6].dtype_kv = 0;
  sp_cache *cache = NULL;
  for (size_t i = 0; i < 7; i++) {
    ck_assert_int_eq(ops->open(&cache, &bad[i]), i < 5 ? SP_INVALID : SP_UNSUPPORTED);
    ck_assert_ptr_null(cache);
  }
  ck_assert_int_eq(ops->open(&cache, NULL), SP_INVALID);
  ck_assert_int_eq(ops->open(NULL, &good_config), SP_INVALID);
  ops->close(NULL);
}
END_TEST

/* tests: KC-7, EV-9, EV-10, EV-11 */
START_TEST(refused_rotation_and_eviction) {
  const sp_cache_ops *ops = variant_kernel(_i)->cache;
  sp_cache_config good = good_config;
  good.d_head = 4;
  good.position = SP_POSITION_CACHE;
  good.rope_dims = 4;
  good.rope_base = 10000.0;
  sp_cache_config bad[10];
  for (size_t i = 0; i < 10; i++) bad[i] = good;
  bad[0].rope_dims = 3;
  bad[1].rope_dims = 6;
  bad[2].rope_dims = 0;
  bad[3].position = SP_POSITION_NONE;
  bad[4].position = 3;
  bad[5].rope_pairing = 2;
  bad[6].rope_base = 0.5;
  bad[7].rope_base = NAN;
  bad[8].rope_base = INFINITY;
  bad[9].n_evict = good.window + 1;
  sp_cache *cache = NULL;
  for (size_t i = 0; i < 10; i++) {
    ck_assert_msg(ops->open(&cache, &bad[i]) == SP_INVALID, "configuration %zu", i);
    ck_assert_ptr_null(cache);
  }
  ck_assert_int_eq(ops->open(&cache, &good), SP_OK);
  ops->close(cache);
}
END_TEST

typedef struct cache_call {
  tensor q, k, v, out, lse;
  sp_cache_call append, attend;
} cache_call;

static cache_call cache_call_new(void) {
  rng r = {2};
  cache_call c = {.q = tensor_new(SP_F32, 1, 2, 2, 3, PACKED, 0),
                  .k = tensor_new(SP_F32, 1, 2, 1, 3, PACKED, 0),
                  .v = tensor_new(SP_F32, 1, 2, 1, 3, PACKED, 0),
                  .out = tensor_new(SP_F32, 1, 2, 2, 3, PACKED, 0),
                  .lse = tensor_new(SP_F32, 1, 2, 2, 1, PACKED, 0)};
  tensor_normal(&c.q, &r, 0.0, 1.0);
  tensor_normal(&c.k, &r, 0.0, 1.0);
  tensor_normal(&c.v, &r, 0.0, 1.0);
  c.append = (sp_cache_call){.size = sizeof c.append,
                             .n_threads = 1,
                             .n_tokens = 2,
                             .k = as_in(&c.k),
                             .v = as_in(&c.v),
                             .q = as_in(&c.q),
                             .out = as_out(&c.out),
                             .lse_total = as_out(&c.lse),
                             .scale = 1.0F};
  c.attend = c.append;
  c.attend.n_tokens = 1;
  c.attend.k.data = c.attend.v.data = NULL;
  return c;
}

/* tests: KC-7, KC-3 a refused append appends nothing */
START_TEST(refused_append) {
  const sp_cache_ops *ops = variant_kernel(_i)->cache;
  cache_call c = cache_call_new();
  sp_cache *cache = NULL;
  ck_assert_int_eq(ops->open(&cache, &good_config), SP_OK);
  sp_cache_call bad[13];
  for (size_t i = 0; i < 13; i++) bad[i] = c.append;
  bad[0].n_tokens = 0;
  bad[1].scale = NAN;
  bad[2].softcap = -2.0F;
  bad[3].k.data = NULL;
  bad[4].v.data = NULL;
  bad[5].k.dtype = SP_F16;
  bad[6].v.dtype = SP_BF16;
  bad[7].out.data = NULL;
  bad[8].q.data = NULL;
  bad[9].out.dtype = SP_F16;
  bad[10].size = 0;
  bad[11].q.dtype = bad[11].out.dtype = SP_F64;
  bad[12].lse_total.dtype = SP_F64;
  for (size_t i = 0; i < 13; i++) {
    sp_status status = ops->append(cache, &bad[i]);
    ck_assert_msg(status == (i < 11 ? SP_INVALID : SP_UNSUPPORTED), "%zu: %d", i, status);
    uint64_t n = 9;
    ck_assert_int_eq(ops->visible(cache, 0, NULL, 0, &n), SP_OK);
    ck_assert_uint_eq(n, 0);
  }
  ck_assert_int_eq(ops->append(cache, NULL), SP_INVALID);
  ck_assert_int_eq(ops->append(NULL, &c.append), SP_INVALID);
  ck_assert(all_bytes(&c.out, 0xff) && all_bytes(&c.lse, 0xff));
  ck_assert_int_eq(ops->append(cache, &c.append), SP_OK);
  ops->close(cache);
}
END_TEST

START_TEST(refused_attend) {
  const sp_cache_ops *ops = variant_kernel(_i)->cache;
  cache_call c = cache_call_new();
  sp_cache *cache = NULL;
  ck_assert_int_eq(ops->open(&cache, &good_config), SP_OK);
  ck_assert_int_eq(ops->attend(cache, &c.attend), SP_INVALID); /* before the first token */
  sp_cache_call silent = c.append;
  silent.q.data = NULL;
  silent.out.data = silent.lse_total.data = NULL;
  ck_assert_int_eq(ops->append(cache, &silent), SP_OK);
  sp_cache_call bad[5];
  for (size_t i = 0; i < 5; i++) bad[i] = c.attend;
  bad[0].n_tokens = 2;
  bad[1].q.data = NULL;
  bad[2].out.data = bad[2].lse_total.data = NULL;
  bad[3].k = as_in(&c.k);
  bad[4].scale = INFINITY;
  for (size_t i = 0; i < 5; i++) ck_assert_int_eq(ops->attend(cache, &bad[i]), SP_INVALID);
  ck_assert_int_eq(ops->attend(NULL, &c.attend), SP_INVALID);
  ck_assert_int_eq(ops->visible(cache, 0, NULL, 1, &bad[0].n_tokens), SP_INVALID);
  ck_assert_int_eq(ops->visible(cache, 0, NULL, 0, NULL), SP_INVALID);
  ck_assert(all_bytes(&c.out, 0xff) && all_bytes(&c.lse, 0xff));
  ck_assert_int_eq(ops->attend(cache, &c.attend), SP_OK);
  ck_assert(!all_bytes(&c.out, 0xff));
  ops->close(cache);
}
END_TEST

/* tests: KC-7, EV-15, EV-16 */
START_TEST(refused_truncate_and_sequence) {
  const sp_cache_ops *ops = variant_kernel(_i)->cache;
  sp_cache_config config = good_config;
  config.n_sequences = 2;
  cache_call c = cache_call_new();
  sp_cache *cache = NULL;
  uint64_t n = 0;
  ck_assert_int_eq(ops->open(&cache, &config), SP_OK);
  c.append.sequence = c.attend.sequence = 2;
  ck_assert_int_eq(ops->append(cache, &c.append), SP_INVALID);
  ck_assert_int_eq(ops->attend(cache, &c.attend), SP_INVALID);
  ck_assert_int_eq(ops->visible(cache, 2, NULL, 0, &n), SP_INVALID);
  ck_assert_int_eq(ops->truncate(cache, 1, 1), SP_INVALID);
  c.append.sequence = 1;
  ck_assert_int_eq(ops->append(cache, &c.append), SP_OK);
  ck_assert_int_eq(ops->truncate(cache, 0, 1), SP_INVALID);
  ck_assert_int_eq(ops->truncate(cache, 1, 0), SP_INVALID);
  ck_assert_int_eq(ops->truncate(cache, 1, 3), SP_INVALID);
  ck_assert_int_eq(ops->truncate(cache, 2, 1), SP_INVALID);
  ck_assert_int_eq(ops->truncate(NULL, 0, 1), SP_INVALID);
  ck_assert_int_eq(ops->append(cache, &c.append), SP_OK); /* four tokens: S = 1, W = 2 */
  ck_assert_int_eq(ops->truncate(cache, 1, 1), SP_LOST);
  ck_assert_int_eq(ops->visible(cache, 1, NULL, 0, &n), SP_OK);
  ck_assert_uint_eq(n, 3);
  ck_assert_int_eq(ops->truncate(cache, 1, 4), SP_OK);
  ops->close(cache);
}
END_TEST

/* ---- the floating-point environment: KC-6 ---- */

#if defined(__x86_64__)
static uint32_t control_word(void) {
  uint32_t mxcsr;
  __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
  return mxcsr & ~0x3fu; /* without the sticky flags */
}
#else
static uint32_t control_word(void) {
  return (uint32_t)fegetround();
}
#endif

START_TEST(control_word_is_kept) {
  const sp_kernel *kernel = variant_kernel(_i);
  attention a = small_attention();
  a.call.softcap = 3.0F;
  uint32_t before = control_word();
  ck_assert_int_eq(kernel->attention(&a.call), SP_OK);
  ck_assert_uint_eq(control_word(), before);
  attention_free(&a);
}
END_TEST

Suite *suite_fast_refuse(void) {
  Suite *suite = suite_create("fast/refuse");
  ADD_CASE(suite, "KC-7", invalid_attention, refused_softmax, refused_open, refused_append,
           refused_attend, refused_rotation_and_eviction, refused_truncate_and_sequence);
  ADD_CASE(suite, "KC-3", unsupported_attention);
  ADD_CASE(suite, "KC-1", structs_of_other_sizes);
  ADD_CASE(suite, "KC-6", control_word_is_kept);
  report_missing_variants("refusals");
  return suite;
}
