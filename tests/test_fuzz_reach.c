/* SPDX-License-Identifier: Apache-2.0 */
/* Where inputs and mutators go: faults that once were out of their reach, since no input could say what
 * shows them. Each is found from a bare header, and the correct kernel is not accused on the way.
 * tests: CT-3 */
#include "tests/asserts.h"
#include <math.h>

#include "certify/museum/base.h"
#include "tests/fuzz_finds.h"

Suite *suite_fuzz_reach(void);

static const sp_hooks *current;

static sp_status softmax(const sp_softmax_call *call) {
  return sp_base_softmax(current, call);
}
static sp_status attention(const sp_attention_call *call) {
  return sp_base_attention(current, call);
}
static sp_status open_cache(sp_cache **cache, const sp_cache_config *config) {
  return sp_base_open(current, cache, config);
}

static void scaled(sp_row *row, bool wrong) {
  if (wrong) row->scale *= 1.5;
}
static void thirty_third_head(sp_row *row) {
  scaled(row, row->h >= 32);
}
static void ninth_entry(sp_row *row) {
  scaled(row, row->b >= 8);
}
static void pair_in_a_byte(sp_row *row) {
  scaled(row, row->b * row->attention->n_heads + row->h >= 256);
}
static void long_row(sp_row *row) {
  scaled(row, row->n_keys >= 1024);
}
static void head_of_80(sp_row *row) {
  scaled(row, row->d_head == 80);
}
static void row_in_a_byte(sp_row *row) {
  scaled(row, row->i > UINT8_MAX);
}
static void keys_backwards(sp_row *row) {
  scaled(row, row->attention->k.stride[1] < 0);
}
static double bias_of(const sp_row *row, const sp_in *in, const uint64_t at[4], bool batch) {
  const bool bias = in == &row->attention->key_bias;
  const uint64_t first[4] = {bias && batch ? 0 : at[0], at[1], bias && !batch ? 0 : at[2], at[3]};
  return sp_base_load(row, in, first);
}
static double bias_of_the_first_entry(const sp_row *row, const sp_in *in, const uint64_t at[4]) {
  return bias_of(row, in, at, true);
}
static double bias_of_the_first_head(const sp_row *row, const sp_in *in, const uint64_t at[4]) {
  return bias_of(row, in, at, false);
}
/* What is hidden from the first head is hidden from all that have a mask. */
static bool hidden_from_the_first_head(const sp_row *row, uint64_t j) {
  const sp_in *bias = &row->attention->key_bias;
  bool own = false;
  if (!sp_base_visible(row, j)) return false;
  if (!bias->data || row->attention->n_q > 1 || sp_row_is_pair(row, j)) return true;
  for (uint64_t k = 0; k < row->n_kv; k++)
    own = own || !(sp_row_load(row, bias, row->b, row->i, row->h, k) > -INFINITY);
  return !own || sp_row_load(row, bias, row->b, row->i, 0, j) > -INFINITY;
}
static uint64_t four_sequences(const sp_cache *cache, uint64_t sequence) {
  (void)cache;
  return sequence % 4;
}

/* A distance in sixteen bits: what is far away is near again. */
static bool window_of_sixteen_bits(const sp_row *row, uint64_t j) {
  sp_row near = *row;
  if (!row->attention || row->cache || sp_row_is_pair(row, j)) return sp_base_visible(row, j);
  const int64_t away = row->pos_q - sp_row_pos(row, j);
  if (away > UINT16_MAX && (uint16_t)away < row->window) near.window = SP_WINDOW_ALL;
  return sp_base_visible(&near, j);
}

/* Tokens of the second sequence do something to a first one that has four. */
static void first_after_second(sp_row *row) {
  const sp_cache *cache = row->cache;
  const bool both = cache && cache->number == 0 && cache->n_sequences > 1 && cache->n_seen >= 4;
  scaled(row, both && cache->sequence[1] && cache->sequence[1]->n_seen > 0);
}

static const struct {
  sp_op op;
  sp_hooks hooks;
} faults[] = {
    {SP_OP_ATTENTION, {.prepare = thirty_third_head}},
    {SP_OP_ATTENTION, {.prepare = ninth_entry}},
    {SP_OP_ATTENTION, {.prepare = pair_in_a_byte}},
    {SP_OP_ATTENTION, {.prepare = long_row}},
    {SP_OP_SOFTMAX, {.prepare = long_row}},
    {SP_OP_SOFTMAX, {.prepare = row_in_a_byte}},
    {SP_OP_ATTENTION, {.prepare = head_of_80}},
    {SP_OP_ATTENTION, {.prepare = keys_backwards}},
    {SP_OP_ATTENTION, {.load = bias_of_the_first_entry}},
    {SP_OP_ATTENTION, {.load = bias_of_the_first_head}},
    {SP_OP_ATTENTION, {.visible = hidden_from_the_first_head}},
    {SP_OP_CACHE, {.route = four_sequences}},
    {SP_OP_CACHE, {.prepare = thirty_third_head}},
    {SP_OP_ATTENTION, {.visible = window_of_sixteen_bits}},
    {SP_OP_CACHE, {.prepare = first_after_second}},
};
enum { N_FAULTS = sizeof faults / sizeof *faults, TRIES = 50000 };

static bool found(sp_op op, const sp_hooks *hooks, int tries) {
  sp_kernel kernel = *sp_museum_base_kernel();
  sp_cache_ops cache = *kernel.cache;
  current = hooks;
  cache.open = open_cache;
  kernel.softmax = softmax;
  kernel.attention = attention;
  kernel.cache = &cache;
  return fuzz_mutants_find(&kernel, 1u << op, tries);
}

START_TEST(what_was_out_of_reach) {
  ck_assert_msg(found(faults[_i].op, &faults[_i].hooks, TRIES), "fault %d", _i);
}
END_TEST

/* Says how many it wrote, not how many there are. */
static sp_status modest_list(sp_cache *cache, uint64_t sequence, uint64_t *token, uint64_t capacity,
                             uint64_t *n) {
  sp_status status = sp_base_list(cache, sequence, token, capacity, n);
  if (*n > capacity) *n = capacity;
  return status;
}

/* Half of the room is offered too. tests: EV-6 */
START_TEST(lists_with_too_little_room) {
  sp_kernel kernel = *sp_museum_base_kernel();
  sp_cache_ops cache = *kernel.cache;
  cache.visible = modest_list;
  kernel.cache = &cache;
  ck_assert(fuzz_mutants_find(&kernel, 1u << SP_OP_CACHE, 2000));
}
END_TEST

START_TEST(nobody_is_accused_on_the_way) {
  static const sp_hooks none;
  ck_assert(!found((sp_op)_i, &none, 400));
}
END_TEST

Suite *suite_fuzz_reach(void) {
  Suite *suite = suite_create("fuzz_reach");
  TCase *tcase = tcase_create("CT-3");
  tcase_set_timeout(tcase, 120);
  tcase_add_loop_test(tcase, what_was_out_of_reach, 0, N_FAULTS);
  tcase_add_test(tcase, lists_with_too_little_room);
  tcase_add_loop_test(tcase, nobody_is_accused_on_the_way, 0, SP_N_OPS);
  suite_add_tcase(suite, tcase);
  return suite;
}
