/* SPDX-License-Identifier: Apache-2.0 */
/* Class G, positions: where the keys of a cache stand when they meet a rotated query. Most of these
 * are stories of a shift: after an eviction the recent keys move down by what was evicted, and
 * someone forgets, repeats or misdirects that. tests: EV-10 EV-11 EV-12 EV-13 EV-14 NU-7 */
#include "certify/museum/exhibit.h"

#define POSITIONS (SP_OPT_POSITION_CACHE | SP_OPT_ROPE_HALF)
#define NUMBERS   (SP_OPT_POSITION_ABS | SP_OPT_ROPE_HALF)

static bool in_cache(const sp_row *row) {
  return row->cache->config.position == SP_POSITION_CACHE;
}

static bool is_recent(const sp_row *row, uint64_t token) {
  return in_cache(row) && token >= row->cache->n_sink_tokens;
}

/* By how much a recent token has moved down since it was appended, all shifts together. */
static double moved(const sp_row *row, uint64_t token) {
  uint64_t then = sp_cache_oldest(row->cache, token);
  return (double)(sp_cache_oldest(row->cache, (uint64_t)row->pos_q) - then);
}

static double last_shift_only(const sp_row *row, uint64_t token) {
  double p = sp_base_key_position(row, token), m = is_recent(row, token) ? moved(row, token) : 0;
  return m > 1 ? p + m - 1 : p;
}
static const sp_hooks g1_hooks = {.key_position = last_shift_only};
SP_EXHIBIT(g1, 'G', "G1-only-the-last-shift-counts", .clause = "EV-10",
           .summary = "a second shift of positions replaces the first instead of adding to it",
           .cite = "ggml-org/llama.cpp#3825", .reveals = "two evictions, then a query",
           .ops = SP_IN_CACHE, .needs = POSITIONS, .min_n = 5);

static double others_not_shifted(const sp_row *row, uint64_t token) {
  bool left_out = row->cache->number > 0 && is_recent(row, token);
  return sp_base_key_position(row, token) + (left_out ? moved(row, token) : 0);
}
static const sp_hooks g2_hooks = {.key_position = others_not_shifted};
SP_EXHIBIT(g2, 'G', "G2-first-sequence-shifted-only", .clause = "EV-16",
           .summary = "keys are shifted in sequence 0 only", .cite = "ggml-org/llama.cpp#14742",
           .reveals = "an eviction in a second sequence", .ops = SP_IN_CACHE,
           .needs = POSITIONS | SP_OPT_SEQUENCES, .min_n = 9);

static double never_shifted(const sp_row *row, uint64_t token) {
  return sp_base_key_position(row, token) + (is_recent(row, token) ? moved(row, token) : 0);
}
static const sp_hooks g5_hooks = {.key_position = never_shifted};
SP_EXHIBIT(g5, 'G', "G5-stored-keys-not-turned", .clause = "EV-10",
           .summary = "stored keys cannot be rotated again, and are left where they were",
           .cite = "ggml-org/llama.cpp#8498", .reveals = "one eviction, then a query",
           .ops = SP_IN_CACHE, .needs = POSITIONS, .min_n = 4);

static double text_positions(const sp_row *row, uint64_t token) {
  return in_cache(row) ? (double)token : sp_base_key_position(row, token);
}
static double text_query(const sp_row *row) {
  return text_positions(row, (uint64_t)row->pos_q);
}
static const sp_hooks g6_hooks = {.key_position = text_positions, .query_position = text_query};
SP_EXHIBIT(g6, 'G', "G6-positions-of-the-text", .clause = "EV-10",
           .summary = "positions after an eviction are those of the text, not those in the cache",
           .cite = "mit-han-lab/streaming-llm#74", .reveals = "pinned tokens and an eviction",
           .ops = SP_IN_CACHE, .needs = POSITIONS | SP_OPT_SINK_TOKENS, .min_n = 5);

static double incoming_not_shifted(const sp_row *row, uint64_t token) {
  return token == (uint64_t)row->pos_q && in_cache(row) ? (double)token
                                                        : sp_base_key_position(row, token);
}
static const sp_hooks g7b_hooks = {.key_position = incoming_not_shifted};
SP_EXHIBIT(g7b, 'G', "G7-incoming-key-not-shifted", .clause = "EV-10",
           .summary = "stored keys are shifted and the incoming one is not",
           .cite = "huggingface/transformers#33692", .reveals = "the first query after an eviction",
           .ops = SP_IN_CACHE, .needs = POSITIONS, .min_n = 5);

static double shifted_up(const sp_row *row, uint64_t token) {
  return sp_base_key_position(row, token) + (is_recent(row, token) ? 2 * moved(row, token) : 0);
}
static const sp_hooks g7c_hooks = {.key_position = shifted_up};
SP_EXHIBIT(g7c, 'G', "G7-shift-of-wrong-sign", .clause = "EV-12",
           .summary = "keys are shifted up instead of down",
           .cite = "huggingface/transformers#31537", .reveals = "one eviction, then a query",
           .ops = SP_IN_CACHE, .needs = POSITIONS, .min_n = 4);

static double shifted_twice(const sp_row *row, uint64_t token) {
  return sp_base_key_position(row, token) - (is_recent(row, token) ? moved(row, token) : 0);
}
static const sp_hooks g35_hooks = {.key_position = shifted_twice};
SP_EXHIBIT(g35, 'G', "G35-shift-applied-twice", .clause = "EV-12",
           .summary = "each shift is applied twice to stored keys", .cite = "",
           .reveals = "one eviction, then a query", .ops = SP_IN_CACHE, .needs = POSITIONS,
           .min_n = 4);

/* Ranks of recent tokens, all of them, one too low or one too high once something has left. */
static double displaced(const sp_row *row, uint64_t token, double by) {
  bool left = sp_cache_oldest(row->cache, (uint64_t)row->pos_q) > row->cache->n_sink_tokens;
  return sp_base_key_position(row, token) + (left && is_recent(row, token) ? by : 0);
}
static double duplicated(const sp_row *row, uint64_t token) {
  return displaced(row, token, -1);
}
static double duplicated_query(const sp_row *row) {
  return duplicated(row, (uint64_t)row->pos_q);
}
static const sp_hooks g36_hooks = {.key_position = duplicated, .query_position = duplicated_query};
SP_EXHIBIT(g36, 'G', "G36-position-given-twice", .clause = "EV-10",
           .summary = "the oldest recent token has the position of the last pinned one",
           .cite = "huggingface/transformers#35350", .reveals = "pinned tokens and an eviction",
           .ops = SP_IN_CACHE, .needs = POSITIONS | SP_OPT_SINK_TOKENS, .min_n = 5);

static double with_gap(const sp_row *row, uint64_t token) {
  return displaced(row, token, 1);
}
static double query_after_gap(const sp_row *row) {
  return with_gap(row, (uint64_t)row->pos_q);
}
static const sp_hooks g37_hooks = {.key_position = with_gap, .query_position = query_after_gap};
SP_EXHIBIT(g37, 'G', "G37-positions-with-a-gap", .clause = "EV-10",
           .summary = "no token has the position after the last pinned one", .cite = "",
           .reveals = "pinned tokens and an eviction", .ops = SP_IN_CACHE,
           .needs = POSITIONS | SP_OPT_SINK_TOKENS, .min_n = 5);

static double query_is_next(const sp_row *row) {
  return sp_base_query_position(row) + 1;
}
static const sp_hooks g38_hooks = {.query_position = query_is_next};
SP_EXHIBIT(g38, 'G', "G38-query-one-position-late", .clause = "EV-10",
           .summary = "the query stands after its own key", .cite = "",
           .reveals = "any rotated query", .ops = SP_IN_CACHE, .needs = NUMBERS, .min_n = 2);

static double no_position(const sp_row *row) {
  (void)row;
  return 0;
}
static const sp_hooks g39_hooks = {.query_position = no_position};
SP_EXHIBIT(g39, 'G', "G39-query-not-rotated", .clause = "EV-11",
           .summary = "keys are rotated and the query is not", .cite = "",
           .reveals = "any query but the first", .ops = SP_IN_CACHE, .needs = NUMBERS, .min_n = 2);

static void other_pairing(sp_cache *cache) {
  cache->config.rope_pairing ^= 1U;
}
static const sp_hooks g40_hooks = {.opened = other_pairing};
SP_EXHIBIT(g40, 'G', "G40-other-pairing", .clause = "EV-11",
           .summary = "neighbours are paired where halves are meant, and the reverse", .cite = "",
           .reveals = "rope_dims of 4 or more", .ops = SP_IN_CACHE, .needs = NUMBERS, .min_n = 2);

static void all_dimensions(sp_cache *cache) {
  if (cache->config.rope_dims > 0) cache->config.rope_dims = cache->config.d_head / 2 * 2;
}
static const sp_hooks g41_hooks = {.opened = all_dimensions};
SP_EXHIBIT(g41, 'G', "G41-all-dimensions-rotated", .clause = "EV-11",
           .summary = "the whole head is rotated where a part is meant", .cite = "",
           .reveals = "rope_dims below d_head", .ops = SP_IN_CACHE,
           .needs = NUMBERS | SP_OPT_ROPE_PARTIAL, .min_n = 2);

static void usual_base(sp_cache *cache) {
  cache->config.rope_base = 10000;
}
static const sp_hooks g42_hooks = {.opened = usual_base};
SP_EXHIBIT(g42, 'G', "G42-base-10000-always", .clause = "EV-11",
           .summary = "the base of the angles is taken for 10000", .cite = "",
           .reveals = "another base, rope_dims of 4 or more", .ops = SP_IN_CACHE, .needs = NUMBERS,
           .min_n = 2);

static double backwards(const sp_row *row, double position, uint64_t i) {
  return i == 0 ? sp_base_angle(row, position, i) : -sp_base_angle(row, position, i);
}
static const sp_hooks g43_hooks = {.angle = backwards};
SP_EXHIBIT(g43, 'G', "G43-pairs-turn-both-ways", .clause = "EV-11",
           .summary = "all pairs but the first turn the other way", .cite = "",
           .reveals = "rope_dims of 4 or more", .ops = SP_IN_CACHE, .needs = NUMBERS, .min_n = 2);

static void factor_again(const sp_row *row, uint64_t token, double pair[2]) {
  double m = is_recent(row, token) ? moved(row, token) : 0;
  for (int c = 0; c < 2; c++) pair[c] *= pow(0x1.11be3p0, m > 60 ? 60 : m); /* 1.0693 */
}
static const sp_hooks g44_hooks = {.turned = factor_again};
SP_EXHIBIT(g44, 'G', "G44-shift-scales-again", .clause = "EV-12",
           .summary = "a shift applies the attention factor to the key once more", .cite = "",
           .reveals = "one eviction, then a query", .ops = SP_IN_CACHE, .needs = POSITIONS,
           .min_n = 4);

/* A stored key is rotated by one step with each eviction and rounded to 16 bits. */
static void rotated_in_place(const sp_row *row, uint64_t token, double pair[2]) {
  double m = is_recent(row, token) ? moved(row, token) : 0;
  for (double step = 0; step < m && step < 1000; step++)
    for (int c = 0; c < 2; c++) {
      pair[c] = sp_round_to(SP_F16, pair[c] * 1.0003);
      pair[c] = sp_round_to(SP_F16, pair[c] / 1.0003);
    }
}
static const sp_hooks g45_hooks = {.turned = rotated_in_place};
SP_EXHIBIT(g45, 'G', "G45-rotated-in-place-in-f16", .clause = "EV-13",
           .summary = "stored keys are rotated in place with every eviction, in 16 bits, and drift",
           .cite = "huggingface/transformers#31537", .reveals = "some evictions, then a query",
           .ops = SP_IN_CACHE, .needs = POSITIONS, .min_n = 6, .precision = true);

static double angle_in_f32(const sp_row *row, double position, uint64_t i) {
  double number = position;
  if (!in_cache(row)) number += (double)row->cache->config.first_token;
  return (double)((float)number * (float)sp_base_angle(row, 1, i));
}
static const sp_hooks g46_hooks = {.angle = angle_in_f32};
SP_EXHIBIT(g46, 'G', "G46-far-angles-in-f32", .clause = "NU-7",
           .summary = "the angle of a far position is computed in binary32", .cite = "",
           .reveals = "positions beyond 2^24", .ops = SP_IN_CACHE,
           .needs = NUMBERS | SP_OPT_FIRST_TOKEN, .min_n = 4, .precision = true);

const sp_exhibit *const sp_exhibits_g_rope[] = {&g1,  &g2,  &g5,  &g6,  &g7b, &g7c, &g35,
                                                &g36, &g37, &g38, &g39, &g40, &g41, &g42,
                                                &g43, &g44, &g45, &g46, NULL};
