/* SPDX-License-Identifier: Apache-2.0 */
/* The case type: what is well formed, and which numbers make a row. Each
 * rule of sp_case_error is seen to reject a case that breaks only that rule.
 * tests: CT-3, KC-7, AT-4, AT-7, EV-2 */
#include "tests/asserts.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/case_small.h"

Suite *suite_case(void);

START_TEST(test_good_cases) {
  for (int op = 0; op < SP_N_OPS; op++) {
    sp_case c;
    small_case(&c, (sp_op)op);
    ck_assert_msg(sp_case_error(&c) == NULL, "%s", sp_case_error(&c));
    sp_case_clear(&c);
  }
}
END_TEST

/* ---- one broken rule at a time ---- */

#define SOFTMAX   (1 << SP_OP_SOFTMAX)
#define ATTENTION (1 << SP_OP_ATTENTION)
#define CACHE     (1 << SP_OP_CACHE)
#define ANY       (SOFTMAX | ATTENTION | CACHE)

/* name(c) breaks a well-formed case. */
#define BREAK(name, ...)                                                                           \
  static void name(sp_case *c) {                                                                   \
    __VA_ARGS__;                                                                                   \
  }
BREAK(no_q, c->n_q = 0)
BREAK(no_batch, c->n_batch = 0)
BREAK(no_head, c->n_heads = 0)
BREAK(no_kv_head, c->n_kv_heads = 0)
BREAK(uneven_heads, c->n_kv_heads = 4)
BREAK(no_d_head, c->d_head = 0)
BREAK(no_d_value, c->d_value = 0)
BREAK(window_0, c->window = 0)
BREAK(no_thread, c->n_threads = 0)
BREAK(huge_q, c->n_q = SIZE_MAX / 2)
BREAK(huge_kv, c->n_kv = (size_t)1 << 62)
BREAK(huge_product, c->n_batch = (size_t)1 << 33; c->n_heads = (size_t)1 << 33)
BREAK(nan_scale, c->scale = NAN)
BREAK(inf_scale, c->scale = INFINITY)
BREAK(negative_cap, c->softcap = -1.0F)
BREAK(nan_cap, c->softcap = NAN)
BREAK(bad_dtype, c->dtype_q = 9)
BREAK(wrong_dtype_q, c->dtype_q = SP_F16)
BREAK(wrong_dtype_kv, c->dtype_kv = SP_F16)
BREAK(big_pad, c->layout.row_pad = 4097)
BREAK(big_misalign, c->layout.misalign = 64)
BREAK(far_reach, c->layout.reach = 34)
BREAK(short_sink, c->sink_logit.count--)
BREAK(f16_sink, c->sink_logit.dtype = SP_F16)
BREAK(bias_rows_2, c->bias_rows = 7)
BREAK(bias_batches_7, c->bias_batches = 7)
BREAK(bias_heads_7, c->bias_heads = 7)
BREAK(short_bias, c->key_bias.count--)
BREAK(long_logits, c->logits.count++)
BREAK(short_q, c->q.count--)
BREAK(short_k, c->k.count--)
BREAK(short_v, c->v.count--)
BREAK(lone_bias_k, free(c->bias_v.bits); c->bias_v = (sp_array){0})
BREAK(short_bias_v, c->bias_v.count--)
BREAK(short_alibi, c->alibi_slope.count--)
BREAK(nan_alibi, sp_ref_store(SP_F32, c->alibi_slope.bits, 1, NAN))
BREAK(same_pos_k, c->pos_k[4] = c->pos_k[0])
BREAK(negative_pos_k, c->pos_k[4] = -1)
BREAK(negative_pos_q, c->pos_q[2] = -1)
BREAK(no_output, c->want_weights = false)
BREAK(softmax_heads, c->n_heads = c->n_kv_heads = 2)
BREAK(softmax_cap, c->softcap = 1.0F)
BREAK(softmax_window, c->window = 3)
BREAK(softmax_script, c->script = calloc(1, sizeof *c->script))
BREAK(softmax_positions, c->pos_q = calloc(2, sizeof *c->pos_q))
BREAK(attention_first_token, c->first_token = 1)
BREAK(cache_window_all, c->window = SP_WINDOW_ALL)
BREAK(cache_bias, (void)sp_array_alloc(&c->key_bias, SP_F32, 6))
BREAK(cache_alibi, (void)sp_array_alloc(&c->alibi_slope, SP_F32, 2))
BREAK(last_token, c->first_token = UINT64_MAX - 5)
BREAK(no_script, c->n_steps = 0)
BREAK(long_script, c->script[4].n_tokens = 3)
BREAK(wrapping_script, c->script[4].n_tokens = SIZE_MAX - 3)
BREAK(empty_append, c->script[4].n_tokens = 0)
BREAK(early_attend, c->script[0].kind = SP_STEP_ATTEND)
BREAK(unknown_step, c->script[3].kind = (sp_cache_step_kind)7)
BREAK(asks_nothing, c->n_steps = 1; c->script[0].with_queries = false)
BREAK(batches_beyond_window, c->n_evict = 4)
BREAK(many_sequences, c->n_sequences = 1025)
BREAK(position_without_rope, c->position = SP_POSITION_ABS)
BREAK(rope_without_position, c->rope_dims = 2)
BREAK(odd_rope, c->position = SP_POSITION_CACHE; c->rope_base = 2; c->rope_dims = 1)
BREAK(long_rope, c->position = SP_POSITION_CACHE; c->rope_base = 2; c->rope_dims = 4)
BREAK(low_base, c->position = SP_POSITION_CACHE; c->rope_base = 0.5; c->rope_dims = 2)
BREAK(nan_base, c->position = SP_POSITION_CACHE; c->rope_base = NAN; c->rope_dims = 2)
BREAK(unknown_position, c->position = 3)
BREAK(unknown_pairing, c->rope_pairing = 2)
BREAK(foreign_rope, c->rope_dims = 2)
BREAK(foreign_undo, c->n_undo = 2)
BREAK(no_such_sequence, c->script[2].sequence = 1)
BREAK(takes_back_none, c->script[3].kind = SP_STEP_TRUNCATE)
BREAK(takes_back_too_many, c->script[3].kind = SP_STEP_TRUNCATE; c->script[3].n_tokens = 5)
BREAK(attends_after_all_is_gone, c->n_sequences = 2; c->script[5].sequence = 1)
BREAK(unknown_op, c->op = SP_N_OPS)

static const struct {
  void (*break_it)(sp_case *);
  int ops;
  const char *field; /* what the message begins with */
} broken[] = {
    {no_q, SOFTMAX | ATTENTION, "n_q"},
    {no_batch, ANY, "n_batch"},
    {no_head, ANY, "n_heads"},
    {no_kv_head, ANY, "n_kv_heads"},
    {uneven_heads, ANY, "n_heads"},
    {no_d_head, ANY, "d_head"},
    {no_d_value, ANY, "d_value"},
    {window_0, ANY, "window"},
    {no_thread, ANY, "n_threads"},
    {huge_q, ANY, "q: too large"},
    {huge_kv, ANY, "k: too large"},
    {huge_product, ANY, "q: too large"},
    {nan_scale, ANY, "scale"},
    {inf_scale, ANY, "scale"},
    {negative_cap, ANY, "softcap"},
    {nan_cap, ANY, "softcap"},
    {bad_dtype, ANY, "dtype_q"},
    {wrong_dtype_q, ATTENTION | CACHE, "q:"},
    {wrong_dtype_q, SOFTMAX, "logits"},
    {wrong_dtype_kv, ATTENTION | CACHE, "k:"},
    {big_pad, ANY, "row_pad"},
    {big_misalign, ANY, "misalign"},
    {far_reach, ANY, "reach"},
    {short_sink, SOFTMAX | ATTENTION, "sink_logit"},
    {f16_sink, SOFTMAX | ATTENTION, "sink_logit"},
    {bias_rows_2, ANY, "bias_rows"},
    {bias_batches_7, ANY, "bias_batches"},
    {bias_heads_7, ANY, "bias_heads"},
    {short_bias, SOFTMAX | ATTENTION, "key_bias"},
    {long_logits, SOFTMAX, "logits"},
    {short_q, ATTENTION | CACHE, "q:"},
    {short_k, ATTENTION | CACHE, "k:"},
    {short_v, ATTENTION | CACHE, "v:"},
    {lone_bias_k, ATTENTION, "bias_k, bias_v"},
    {short_bias_v, ATTENTION, "bias_v"},
    {short_alibi, ATTENTION, "alibi_slope"},
    {nan_alibi, ATTENTION, "alibi_slope"},
    {same_pos_k, ATTENTION, "pos_k"},
    {negative_pos_k, ATTENTION, "pos_k"},
    {negative_pos_q, ATTENTION, "pos_q"},
    {no_output, SOFTMAX, "want_weights"},
    {softmax_heads, SOFTMAX, "n_batch, n_heads"},
    {softmax_cap, SOFTMAX, "softcap"},
    {softmax_window, SOFTMAX, "window"},
    {softmax_script, SOFTMAX, "script"},
    {softmax_positions, SOFTMAX, "pos_q"},
    {attention_first_token, SOFTMAX | ATTENTION, "first_token"},
    {cache_window_all, CACHE, "window"},
    {cache_bias, CACHE, "key_bias"},
    {cache_alibi, CACHE, "alibi_slope"},
    {last_token, CACHE, "first_token"},
    {no_script, CACHE, "script"},
    {long_script, CACHE, "script: longer"},
    {wrapping_script, CACHE, "script: longer"},
    {empty_append, CACHE, "script: an append"},
    {early_attend, CACHE, "script: attends"},
    {unknown_step, CACHE, "script: unknown"},
    {asks_nothing, CACHE, "script: asks for nothing"},
    {batches_beyond_window, CACHE, "n_evict"},
    {many_sequences, CACHE, "n_sequences"},
    {position_without_rope, CACHE, "rope_dims"},
    {rope_without_position, CACHE, "rope_dims"},
    {odd_rope, CACHE, "rope_dims"},
    {long_rope, CACHE, "rope_dims"},
    {low_base, CACHE, "rope_base"},
    {nan_base, CACHE, "rope_base"},
    {unknown_position, CACHE, "position"},
    {unknown_pairing, CACHE, "rope_pairing"},
    {foreign_rope, SOFTMAX | ATTENTION, "position"},
    {foreign_undo, SOFTMAX | ATTENTION, "n_sequences"},
    {no_such_sequence, CACHE, "script"},
    {takes_back_none, CACHE, "script"},
    {takes_back_too_many, CACHE, "script"},
    {attends_after_all_is_gone, CACHE, "script"},
    {unknown_op, ANY, "op"},
};

START_TEST(test_broken_cases) {
  for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
    for (int op = 0; op < SP_N_OPS; op++) {
      if ((broken[i].ops >> op & 1) == 0) continue;
      sp_case c;
      small_case(&c, (sp_op)op);
      broken[i].break_it(&c);
      const char *error = sp_case_error(&c);
      bool named = error != NULL && strncmp(error, broken[i].field, strlen(broken[i].field)) == 0;
      ck_assert_msg(named, "fault %zu of op %d: '%s' instead of '%s'", i, op,
                    error != NULL ? error : "(none)", broken[i].field);
      sp_case_clear(&c);
    }
}
END_TEST

/* ---- rows ---- */

START_TEST(test_attention_row) {
  sp_case c;
  small_attention(&c);
  sp_case_values values;
  ck_assert(sp_case_values_init(&values, &c));
  sp_ref_row_input row;
  sp_case_row(&values, 1, 2, 4, &row);
  ck_assert_uint_eq(row.n_kv, 5);
  /* Elements count up, so the first element of each vector is its index. Head 4 of 6 reads kv head
   * 1 of 2. */
  ck_assert_double_eq(row.q[0], ((1 * 3 + 2) * 6 + 4) * 4);
  ck_assert_double_eq(row.k[0], (1 * 5 * 2 + 1) * 4);
  ck_assert_double_eq(row.k[2 * row.k_stride], ((1 * 5 + 2) * 2 + 1) * 4);
  ck_assert_double_eq(row.v[2 * row.v_stride], ((1 * 5 + 2) * 2 + 1) * 3);
  ck_assert_double_eq(row.key_bias[1], 2 * 5 + 1);
  ck_assert_double_eq(row.sink_logit, 5.0);
  ck_assert(row.bias_k == values.bias_k + 4 && row.bias_v == values.bias_v + 3);
  ck_assert(row.masked && row.mask.causal && row.pos_k == c.pos_k);
  free(c.pos_q);
  c.pos_q = NULL;
  sp_case_row(&values, 0, 0, 0, &row);
  ck_assert_int_eq(row.pos_q, 5 - 3);
  sp_case_values_clear(&values);
  sp_case_clear(&c);
}
END_TEST

START_TEST(test_softmax_row) {
  sp_case c;
  small_softmax(&c);
  sp_case_values values;
  ck_assert(sp_case_values_init(&values, &c));
  sp_ref_row_input row;
  sp_case_row(&values, 0, 1, 0, &row);
  ck_assert(!row.masked && row.d_value == 0);
  ck_assert_double_eq(row.logits[0], 13.0);
  ck_assert_double_eq(row.sink_logit, 2.0);
  ck_assert(row.key_bias == values.key_bias);
  sp_case_values_clear(&values);
  free(c.sink_logit.bits);
  c.sink_logit = (sp_array){0};
  ck_assert(sp_case_values_init(&values, &c));
  sp_case_row(&values, 0, 1, 0, &row);
  ck_assert(isinf(row.sink_logit) && row.sink_logit < 0);
  sp_case_values_clear(&values);
  sp_case_clear(&c);
}
END_TEST

START_TEST(test_cache_row) {
  static const size_t token[] = {0, 1, 1, 4, 4};
  sp_case c;
  small_cache(&c);
  sp_case_values values;
  ck_assert(sp_case_values_init(&values, &c));
  ck_assert_uint_eq(values.n_out, 5);
  for (size_t i = 0; i < 5; i++) {
    sp_ref_row_input row;
    ck_assert_uint_eq(values.output_token[i], token[i]);
    sp_case_row(&values, 0, i, 1, &row);
    ck_assert_uint_eq(row.n_kv, token[i] + 1);
    ck_assert_int_eq(row.pos_q, (int64_t)token[i]);
    ck_assert_double_eq(row.q[0], (double)(token[i] * 4 + 2));
    ck_assert(row.mask.causal && row.mask.window == 3 && row.mask.n_sink_tokens == 1);
  }
  sp_outputs out;
  ck_assert(sp_outputs_init(&out, &c));
  ck_assert_uint_eq(out.values.count, 5 * 2 * 2);
  ck_assert_uint_eq(out.n_lists, 1);
  ck_assert_ptr_null(out.lse_keys.bits);
  sp_outputs_clear(&out);
  sp_case_values_clear(&values);
  sp_case_clear(&c);
}
END_TEST

static void add(Suite *suite, const char *clause, const TTest *test) {
  TCase *tc = tcase_create(clause);
  tcase_add_test(tc, test);
  suite_add_tcase(suite, tc);
}

Suite *suite_case(void) {
  Suite *suite = suite_create("case");
  add(suite, "CT-3", test_good_cases);
  add(suite, "KC-7", test_broken_cases);
  add(suite, "AT-7", test_attention_row);
  add(suite, "AL-2", test_softmax_row);
  add(suite, "EV-2", test_cache_row);
  return suite;
}
