/* SPDX-License-Identifier: Apache-2.0 */
/* The oracle behind the ABI. Its rows are tested elsewhere; here it is the border that can be
 * wrong: which element of which tensor goes where, what happens between them, what is refused.
 * Tensors are built with padded strides and NaN in every gap, and each row is asked of the oracle
 * directly. */
#include "tests/asserts.h"
#include <fenv.h>
#include <math.h>
#include <stdlib.h>

#include "ref/ref.h"
#include "tests/random_row.h"
#include "tests/require.h"
#include "tests/tensor.h"

Suite *suite_ref_kernel(void);

static const sp_dtype formats[] = {SP_F32, SP_F64, SP_F16, SP_BF16};

/* ---- softmax ---- */

/* tests: KC-4, KC-5, SM-2, AL-2, AL-7 */
START_TEST(softmax_rows) {
  for (uint64_t seed = 0; seed < 40; seed++) {
    uint64_t state = seed * 4 + (uint64_t)_i;
    const sp_dtype dtype = formats[_i];
    const size_t n_rows = 1 + sp_random_below(&state, 3), n = sp_random_below(&state, 9);
    const bool has_bias = sp_random_bits(&state) >> 63, has_sink = sp_random_bits(&state) >> 63;
    tensor logits = tensor_input(dtype, n_rows, 1, 1, n, &state);
    tensor bias = tensor_input(SP_F32, n_rows, 1, 1, n, &state);
    tensor sink = tensor_input(_i % 2 ? SP_BF16 : SP_F32, n_rows, 1, 1, 1, &state);
    tensor weights = tensor_output(dtype, n_rows, 1, 1, n, &state);
    tensor lse_keys = tensor_output(tensor_lse_type(dtype), n_rows, 1, 1, 1, &state);
    tensor lse_total = tensor_output(tensor_lse_type(dtype), n_rows, 1, 1, 1, &state);
    sp_softmax_call call = {.size = sizeof call,
                            .n_threads = 1,
                            .n_rows = n_rows,
                            .n = n,
                            .logits = tensor_in(&logits, 0),
                            .weights = tensor_out(&weights, 0),
                            .lse_keys = tensor_out(&lse_keys, 0),
                            .lse_total = tensor_out(&lse_total, 0),
                            .scale = 0.75F};
    if (has_bias) call.key_bias = tensor_in(&bias, 0);
    if (has_sink) call.sink_logit = tensor_in(&sink, 0);
    REQUIRE(sp_ref_kernel()->softmax(&call) == SP_OK);
    for (size_t r = 0; r < n_rows; r++) {
      double x[8], b[8], expected[8], keys, total;
      for (size_t j = 0; j < n; j++) x[j] = tensor_get(&logits, r, 0, 0, j);
      for (size_t j = 0; j < n; j++) b[j] = tensor_get(&bias, r, 0, 0, j);
      const sp_ref_row_input in = {.n_kv = n,
                                   .logits = x,
                                   .key_bias = has_bias ? b : NULL,
                                   .scale = 0.75,
                                   .sink_logit =
                                       has_sink ? tensor_get(&sink, r, 0, 0, 0) : -INFINITY};
      sp_ref_row_round(&in, 4096, dtype, expected, NULL, tensor_lse_type(dtype), &keys, &total);
      for (size_t j = 0; j < n; j++) REQUIRE(tensor_get(&weights, r, 0, 0, j) == expected[j]);
      REQUIRE(tensor_get(&lse_keys, r, 0, 0, 0) == keys &&
              tensor_get(&lse_total, r, 0, 0, 0) == total);
    }
    REQUIRE(tensor_gaps_untouched(&weights, n_rows, 1, 1, n));
    REQUIRE(tensor_gaps_untouched(&lse_keys, n_rows, 1, 1, 1));
    REQUIRE(tensor_gaps_untouched(&lse_total, n_rows, 1, 1, 1));
    tensor *const all[] = {&logits, &bias, &sink, &weights, &lse_keys, &lse_total};
    for (size_t i = 0; i < 6; i++) free(all[i]->bits);
  }
}
END_TEST

/* ---- attention ---- */

typedef struct world {
  size_t n_batch, n_q, n_kv, n_heads, n_kv_heads, d_head, d_value;
  tensor q, k, v, bias, slope, sink, bias_k, bias_v, out, lse_keys, lse_total;
  int64_t pos_q[4], pos_k[6];
  sp_attention_call call;
} world;

static bool flip(uint64_t *state) {
  return sp_random_bits(state) >> 63;
}

static void make_world(world *w, sp_dtype dtype_q, sp_dtype dtype_kv, uint64_t *state) {
  w->n_batch = 1 + sp_random_below(state, 2);
  w->n_q = 1 + sp_random_below(state, 4);
  w->n_kv = sp_random_below(state, 7);
  w->n_kv_heads = 1 + sp_random_below(state, 2);
  w->n_heads = w->n_kv_heads * (1 + sp_random_below(state, 3));
  w->d_head = 1 + sp_random_below(state, 3);
  w->d_value = 1 + sp_random_below(state, 3);
  w->q = tensor_input(dtype_q, w->n_batch, w->n_q, w->n_heads, w->d_head, state);
  w->k = tensor_input(dtype_kv, w->n_batch, w->n_kv, w->n_kv_heads, w->d_head, state);
  w->v = tensor_input(dtype_kv, w->n_batch, w->n_kv, w->n_kv_heads, w->d_value, state);
  w->bias = tensor_input(SP_F32, w->n_batch, w->n_q, w->n_heads, w->n_kv, state);
  w->slope = tensor_input(SP_F32, 1, 1, w->n_heads, 1, state);
  w->sink = tensor_input(flip(state) ? SP_F32 : SP_BF16, 1, 1, w->n_heads, 1, state);
  w->bias_k = tensor_input(dtype_kv, 1, 1, w->n_kv_heads, w->d_head, state);
  w->bias_v = tensor_input(dtype_kv, 1, 1, w->n_kv_heads, w->d_value, state);
  w->out = tensor_output(dtype_q, w->n_batch, w->n_q, w->n_heads, w->d_value, state);
  w->lse_keys = tensor_output(tensor_lse_type(dtype_q), w->n_batch, w->n_q, w->n_heads, 1, state);
  w->lse_total = tensor_output(tensor_lse_type(dtype_q), w->n_batch, w->n_q, w->n_heads, 1, state);
  for (size_t i = 0; i < 4; i++) w->pos_q[i] = (int64_t)sp_random_below(state, 12);
  for (size_t j = 0; j < 6; j++) w->pos_k[j] = (int64_t)(2 * j + 1);
}

static void free_world(world *w) {
  tensor *const all[] = {&w->q,      &w->k,      &w->v,   &w->bias,     &w->slope,    &w->sink,
                         &w->bias_k, &w->bias_v, &w->out, &w->lse_keys, &w->lse_total};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) free(all[i]->bits);
}

static void make_call(world *w, uint64_t *state) {
  w->call = (sp_attention_call){.size = sizeof w->call,
                                .n_threads = 1,
                                .n_batch = w->n_batch,
                                .n_q = w->n_q,
                                .n_kv = w->n_kv,
                                .n_heads = w->n_heads,
                                .n_kv_heads = w->n_kv_heads,
                                .d_head = w->d_head,
                                .d_value = w->d_value,
                                .window = SP_WINDOW_ALL,
                                .q = tensor_in(&w->q, 0),
                                .k = tensor_in(&w->k, 0),
                                .v = tensor_in(&w->v, 0),
                                .out = tensor_out(&w->out, 0),
                                .lse_keys = tensor_out(&w->lse_keys, 0),
                                .lse_total = tensor_out(&w->lse_total, 0),
                                .scale = 0.5F,
                                .causal = flip(state)};
  if (flip(state)) w->call.window = 1 + sp_random_below(state, 4);
  if (flip(state)) w->call.n_sink_tokens = sp_random_below(state, 3);
  if (flip(state)) w->call.key_bias = tensor_in(&w->bias, 0);
  if (flip(state)) w->call.alibi_slope = tensor_in(&w->slope, 0);
  if (flip(state)) w->call.sink_logit = tensor_in(&w->sink, 0);
  if (flip(state)) w->call.softcap = 2;
  if (flip(state)) w->call.bias_k = tensor_in(&w->bias_k, 0);
  if (w->call.bias_k.data) w->call.bias_v = tensor_in(&w->bias_v, 0);
  if (flip(state)) w->call.pos_q = w->pos_q;
  if (flip(state)) w->call.pos_k = w->pos_k;
}

/* The row (b, i, h) by the comments of kernel.h, asked of the oracle directly. */
static void check_row(const world *w, size_t b, size_t i, size_t h) {
  double q[3], k[18], v[18], bias[6], bias_k[3], bias_v[3], out[3], keys, total;
  const sp_attention_call *call = &w->call;
  const size_t h_kv = h * w->n_kv_heads / w->n_heads;
  for (size_t c = 0; c < w->d_head; c++) q[c] = tensor_get(&w->q, b, i, h, c);
  for (size_t c = 0; c < w->d_head; c++) bias_k[c] = tensor_get(&w->bias_k, 0, 0, h_kv, c);
  for (size_t c = 0; c < w->d_value; c++) bias_v[c] = tensor_get(&w->bias_v, 0, 0, h_kv, c);
  for (size_t j = 0; j < w->n_kv; j++) {
    for (size_t c = 0; c < w->d_head; c++) k[j * w->d_head + c] = tensor_get(&w->k, b, j, h_kv, c);
    for (size_t c = 0; c < w->d_value; c++)
      v[j * w->d_value + c] = tensor_get(&w->v, b, j, h_kv, c);
    bias[j] = tensor_get(&w->bias, b, i, h, j);
  }
  const sp_ref_row_input in = {
      .n_kv = w->n_kv,
      .d_head = w->d_head,
      .d_value = w->d_value,
      .q = q,
      .k = k,
      .k_stride = w->d_head,
      .v = v,
      .v_stride = w->d_value,
      .key_bias = call->key_bias.data ? bias : NULL,
      .scale = 0.5,
      .softcap = (double)call->softcap,
      .alibi_slope = call->alibi_slope.data ? tensor_get(&w->slope, 0, 0, h, 0) : 0,
      .sink_logit = call->sink_logit.data ? tensor_get(&w->sink, 0, 0, h, 0) : -INFINITY,
      .bias_k = call->bias_k.data ? bias_k : NULL,
      .bias_v = call->bias_v.data ? bias_v : NULL,
      .masked = true,
      .mask = {call->causal != 0, call->window, call->n_sink_tokens},
      .pos_q = call->pos_q ? w->pos_q[i] : (int64_t)w->n_kv - (int64_t)w->n_q + (int64_t)i,
      .pos_k = call->pos_k ? w->pos_k : NULL};
  REQUIRE(sp_ref_row_round(&in, 4096, w->q.dtype, NULL, out, tensor_lse_type(w->q.dtype), &keys,
                           &total) == SP_REF_DECIDED);
  for (size_t c = 0; c < w->d_value; c++) REQUIRE(tensor_get(&w->out, b, i, h, c) == out[c]);
  REQUIRE(tensor_get(&w->lse_keys, b, i, h, 0) == keys &&
          tensor_get(&w->lse_total, b, i, h, 0) == total);
}

/* tests: AT-2, AT-4, AT-7, AL-8, KC-4, KC-5 */
START_TEST(attention_rows) {
  for (uint64_t seed = 0; seed < 25; seed++) {
    uint64_t state = seed * 16 + (uint64_t)_i;
    world w;
    make_world(&w, formats[_i / 4], formats[_i % 4], &state);
    make_call(&w, &state);
    REQUIRE(sp_ref_kernel()->attention(&w.call) == SP_OK);
    for (size_t r = 0; r < w.n_batch * w.n_q * w.n_heads; r++)
      check_row(&w, r / (w.n_q * w.n_heads), r / w.n_heads % w.n_q, r % w.n_heads);
    REQUIRE(tensor_gaps_untouched(&w.out, w.n_batch, w.n_q, w.n_heads, w.d_value));
    REQUIRE(tensor_gaps_untouched(&w.lse_keys, w.n_batch, w.n_q, w.n_heads, 1));
    REQUIRE(tensor_gaps_untouched(&w.lse_total, w.n_batch, w.n_q, w.n_heads, 1));
    free_world(&w);
  }
}
END_TEST

/* tests: KC-6 (the caller's rounding mode changes nothing, and is left alone) */
START_TEST(rounding_mode_is_kept) {
  static const int modes[] = {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
  uint64_t state = 5;
  world w;
  make_world(&w, SP_F64, SP_F32, &state);
  make_call(&w, &state);
  for (size_t i = 0; i < 3; i++) {
    ck_assert(tensor_gaps_untouched(&w.out, w.n_batch, w.n_q, w.n_heads, w.d_value));
    ck_assert_int_eq(fesetround(modes[i]), 0);
    const sp_status status = sp_ref_kernel()->attention(&w.call);
    const int mode = fegetround();
    fesetround(FE_TONEAREST);
    ck_assert_int_eq(status, SP_OK);
    ck_assert_int_eq(mode, modes[i]);
    for (size_t r = 0; r < w.n_batch * w.n_q * w.n_heads; r++)
      check_row(&w, r / (w.n_q * w.n_heads), r / w.n_heads % w.n_q, r % w.n_heads);
  }
  free_world(&w);
}
END_TEST

/* ---- refusals ---- */

static sp_attention_call good_call;

static void good_world(world *w) {
  uint64_t state = 77;
  make_world(w, SP_F32, SP_BF16, &state);
  free_world(w);
  *w = (world){.n_batch = 1, .n_q = 2, .n_kv = 3, .n_heads = 4, .n_kv_heads = 2};
  w->d_head = w->d_value = 2;
  w->q = tensor_input(SP_F32, 1, 2, 4, 2, &state);
  w->k = tensor_input(SP_BF16, 1, 3, 2, 2, &state);
  w->v = tensor_input(SP_BF16, 1, 3, 2, 2, &state);
  w->bias = tensor_input(SP_F32, 1, 2, 4, 3, &state);
  w->slope = tensor_input(SP_F32, 1, 1, 4, 1, &state);
  w->sink = tensor_input(SP_F32, 1, 1, 4, 1, &state);
  w->bias_k = tensor_input(SP_BF16, 1, 1, 2, 2, &state);
  w->bias_v = tensor_input(SP_BF16, 1, 1, 2, 2, &state);
  w->out = tensor_output(SP_F32, 1, 2, 4, 2, &state);
  w->lse_keys = tensor_output(SP_F32, 1, 2, 4, 1, &state);
  w->lse_total = tensor_output(SP_F32, 1, 2, 4, 1, &state);
  make_call(w, &state);
  w->call.bias_k = tensor_in(&w->bias_k, 0);
  w->call.bias_v = tensor_in(&w->bias_v, 0);
  w->call.key_bias = tensor_in(&w->bias, 0);
  w->call.sink_logit = tensor_in(&w->sink, 0);
  w->call.alibi_slope = tensor_in(&w->slope, 0);
  good_call = w->call;
}

/* tests: KC-3, KC-7 */
START_TEST(illegal_attention_is_refused) {
  world w;
  good_world(&w);
  sp_attention_call *c = &w.call;
  ck_assert_int_eq(sp_ref_kernel()->attention(NULL), SP_INVALID);
#define REFUSED(change)                                                                            \
  do {                                                                                             \
    w.call = good_call;                                                                            \
    change;                                                                                        \
    ck_assert_msg(sp_ref_kernel()->attention(c) == SP_INVALID, "%s", #change);                     \
    ck_assert(tensor_untouched(&w.out) && tensor_untouched(&w.lse_keys) &&                         \
              tensor_untouched(&w.lse_total));                                                     \
  } while (0)
  REFUSED(c->size = 8);
  REFUSED(c->window = 0);
  REFUSED(c->n_kv_heads = 0);
  REFUSED(c->n_kv_heads = 3);
  REFUSED(c->scale = NAN);
  REFUSED(c->scale = INFINITY);
  REFUSED(c->scale = -INFINITY);
  REFUSED(c->softcap = -1);
  REFUSED(c->softcap = NAN);
  REFUSED(c->bias_k.data = NULL);
  REFUSED(c->bias_v.data = NULL);
  REFUSED(c->out.data = c->lse_keys.data = c->lse_total.data = NULL);
  REFUSED(c->q.data = NULL);
  REFUSED(c->k.data = NULL);
  REFUSED(c->v.data = NULL);
  REFUSED(c->v.dtype = SP_F32);
  REFUSED(c->bias_k.dtype = SP_F32);
  REFUSED(c->key_bias.dtype = SP_F64);
  REFUSED(c->alibi_slope.dtype = SP_BF16);
  REFUSED(c->sink_logit.dtype = SP_F16);
  REFUSED(c->out.dtype = SP_F64);
  REFUSED(c->lse_keys.dtype = SP_F64);
#undef REFUSED
  w.call = good_call;
  c->q.dtype = 99;
  ck_assert_int_eq(sp_ref_kernel()->attention(c), SP_UNSUPPORTED);
  ck_assert(tensor_untouched(&w.out));
  w.call = good_call;
  c->n_q = 0; /* no row: nothing to read, so the tensors may be absent */
  c->q.data = c->k.data = c->v.data = NULL;
  ck_assert_int_eq(sp_ref_kernel()->attention(c), SP_OK);
  ck_assert(tensor_untouched(&w.out));
  w.call = good_call;
  ck_assert_int_eq(sp_ref_kernel()->attention(c), SP_OK);
  ck_assert(!tensor_untouched(&w.out) && !tensor_untouched(&w.lse_keys) &&
            !tensor_untouched(&w.lse_total));
  free_world(&w);
}
END_TEST

/* tests: KC-3, KC-7 */
START_TEST(illegal_softmax_is_refused) {
  float x[2] = {1, 2}, y[2] = {7, 7}, lse = 7;
  const sp_softmax_call good = {.size = sizeof good,
                                .n_threads = 1,
                                .n_rows = 1,
                                .n = 2,
                                .logits = {x, {2, 0, 0}, SP_F32, 0},
                                .weights = {y, {2, 0, 0}, SP_F32, 0},
                                .lse_keys = {&lse, {1, 0, 0}, SP_F32, 0},
                                .scale = 1};
  sp_softmax_call call;
  ck_assert_int_eq(sp_ref_kernel()->softmax(NULL), SP_INVALID);
#define REFUSED(change)                                                                            \
  do {                                                                                             \
    call = good;                                                                                   \
    change;                                                                                        \
    ck_assert_msg(sp_ref_kernel()->softmax(&call) == SP_INVALID, "%s", #change);                   \
    ck_assert(y[0] == 7 && y[1] == 7 && lse == 7);                                                 \
  } while (0)
  REFUSED(call.size = 0);
  REFUSED(call.scale = NAN);
  REFUSED(call.weights.data = call.lse_keys.data = NULL);
  REFUSED(call.logits.data = NULL);
  REFUSED(call.weights.dtype = SP_F16);
  REFUSED(call.lse_keys.dtype = SP_F64);
#undef REFUSED
  call = good;
  ck_assert_int_eq(sp_ref_kernel()->softmax(&call), SP_OK);
  ck_assert(y[0] < y[1] && y[0] > 0 && lse > 2);
}
END_TEST

/* tests: KC-1, KC-9, NU-11 */
START_TEST(kernel_describes_itself) {
  const sp_kernel *kernel = sp_ref_kernel();
  ck_assert_uint_eq(kernel->size, sizeof *kernel);
  ck_assert_uint_eq(kernel->abi_major, SP_ABI_MAJOR);
  ck_assert_str_eq(kernel->accuracy_class, "cr");
  ck_assert_str_eq(kernel->path(), "mpfr");
  ck_assert_uint_eq(kernel->options, ((uint64_t)SP_OPT_BIAS_PER_HEAD << 1) - 1); /* everything */
  ck_assert(kernel->softmax && kernel->attention && kernel->cache && kernel->cache->open);
}
END_TEST

static void add(Suite *suite, const char *clause, const TTest *test, int n) {
  TCase *test_case = tcase_create(clause);
  tcase_set_timeout(test_case, 20);
  tcase_add_loop_test(test_case, test, 0, n);
  suite_add_tcase(suite, test_case);
}

Suite *suite_ref_kernel(void) {
  Suite *suite = suite_create("ref_kernel");
  add(suite, "KC-5", softmax_rows, 4);
  add(suite, "KC-5", attention_rows, 16);
  add(suite, "KC-6", rounding_mode_is_kept, 1);
  add(suite, "KC-7", illegal_attention_is_refused, 1);
  add(suite, "KC-7", illegal_softmax_is_refused, 1);
  add(suite, "KC-1", kernel_describes_itself, 1);
  return suite;
}
