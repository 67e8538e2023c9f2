/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels that once certified although they are wrong: an attack on the suite of generators wrote a
 * hundred and fifty faults that no catalogue had, and these got through. Each stays here beside the
 * generator that was written because of it, and so does the correct kernel, which must pass.
 * tests: CT-5 */
#include "tests/asserts.h"
#include <math.h>

#include "certify/gen/gen.h"
#include "certify/host/host.h"
#include "certify/judge/judge.h"
#include "certify/museum/base.h"

Suite *suite_gen_attacks(void);

/* The functions of the ABI take no context: the host's child has what this was when it was forked. */
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
static const sp_kernel *entry(uint32_t host_abi_major, uint32_t index) {
  static sp_kernel kernel;
  kernel = *sp_museum_base_kernel();
  kernel.softmax = softmax;
  kernel.attention = attention;
  static sp_cache_ops cache;
  cache = *kernel.cache;
  cache.open = open_cache;
  kernel.cache = &cache;
  return host_abi_major == SP_ABI_MAJOR && index == 0 ? &kernel : NULL;
}

/* ---- what is wrong ---- */

static void scaled(sp_row *row, bool wrong) {
  if (wrong) row->scale *= 1.01;
}
static void seventeenth_head(sp_row *row) {
  scaled(row, row->h >= 16);
}
static void ninth_kv_head(sp_row *row) {
  scaled(row, row->kv_head >= 8);
}
static void ninth_entry(sp_row *row) {
  scaled(row, row->b >= 8);
}
static void second_tile_of_queries(sp_row *row) {
  scaled(row, row->i >= 128);
}
static void sixty_fifth_row(sp_row *row) {
  scaled(row, row->softmax && row->i >= 64);
}
static void head_of_128(sp_row *row) {
  scaled(row, row->attention && row->d_head == 128 && row->n_value == 128);
}
static void five_threads(sp_row *row) {
  scaled(row, (row->softmax ? row->softmax->n_threads : row->attention->n_threads) > 4);
}
static void pair_in_a_byte(sp_row *row) {
  scaled(row, row->attention && row->b * row->attention->n_heads + row->h >= 256);
}
/* Decode of a batch: the last page is forgotten when it is full. */
static bool full_page_forgotten(const sp_row *row, uint64_t j) {
  bool decode = row->attention->n_q == 1 && row->b > 0 && !sp_row_is_pair(row, j);
  bool full = row->n_kv >= 32 && row->n_kv % 16 == 0;
  return sp_base_visible(row, j) && !(decode && full && j + 16 >= row->n_kv);
}
static void row_in_16_bits(sp_row *row) {
  scaled(row, row->i > UINT16_MAX);
}
static void head_past_256_in_tiles(sp_row *row) {
  scaled(row, row->d_head > 256 && row->d_head % 64 != 0);
}
static void group_in_eights(sp_row *row) {
  const sp_attention_call *call = row->attention;
  uint64_t group = call->n_heads / call->n_kv_heads;
  if (call->n_q == 1 && group > 8) row->kv_head = row->h / 8 * 8 / group;
}
static void sixteen_slopes(sp_row *row) {
  const sp_in *slope = &row->attention->alibi_slope;
  if (slope->data) row->slope = sp_row_load(row, slope, 0, 0, row->h % 16, 0);
}
static bool hidden_from_all_heads(const sp_row *row, uint64_t j) {
  const sp_attention_call *call = row->attention;
  if (!sp_base_visible(row, j)) return false;
  if (!call->key_bias.data || call->n_q > 1 || sp_row_is_pair(row, j)) return true;
  return sp_row_load(row, &call->key_bias, row->b, row->i, 0, j) > -INFINITY;
}
static uint64_t four_sequences(const sp_cache *cache, uint64_t sequence) {
  (void)cache;
  return sequence % 4;
}
static double negated_infinity_is_absent(const sp_row *row, uint64_t j) {
  double x = sp_base_logit(row, j);
  return isnan(x) && row->scale < 0 ? -INFINITY : x;
}
static void long_row(sp_row *row) {
  scaled(row, row->n_keys > 66000);
}
static void one_mixture_of_types(sp_row *row) {
  const sp_attention_call *call = row->attention;
  scaled(row, call->q.dtype == SP_F32 && call->k.dtype == SP_BF16 &&
                  call->sink_logit.data != NULL && call->sink_logit.dtype == SP_BF16);
}
static double bias_of_the_first_head(const sp_row *row, const sp_in *in, const uint64_t at[4]) {
  const bool bias = row->attention && in == &row->attention->key_bias;
  const uint64_t first[4] = {at[0], at[1], 0, at[3]};
  return sp_base_load(row, in, bias ? first : at);
}
static void pinned_in_a_byte(sp_row *row) {
  row->n_sink_tokens &= 0xFF;
}
static void pinned_in_32_bits(sp_row *row) {
  row->n_sink_tokens &= UINT32_MAX;
}
static void window_in_16_bits(sp_row *row) {
  if (row->window != SP_WINDOW_ALL) row->window &= UINT16_MAX;
}
static void long_without_softcap(sp_row *row) {
  if (row->n_keys > 300) row->softcap = 0;
}
static void total_needs_weights(const sp_row *row, sp_answer *answer) {
  if (row->softmax && !row->softmax->weights.data) answer->lse_total = answer->lse_keys;
}
static void negative_subnormals_flushed(const sp_row *row, sp_answer *answer) {
  for (uint64_t c = 0; row->attention && c < answer->n_value; c++)
    if (answer->value[c] > -0x1p-126 && answer->value[c] < 0) answer->value[c] = 0;
}
static void half_saturates(const sp_row *row, sp_answer *answer) {
  bool half = row->attention && row->attention->out.dtype == SP_F16;
  for (uint64_t c = 0; half && c < answer->n_value; c++)
    if (isfinite(answer->value[c])) answer->value[c] = fmax(-65504, fmin(answer->value[c], 65504));
}
static double rescale_has_a_floor(const sp_row *row, double m_old, double m_new) {
  return fmax(sp_base_rescale(row, m_old, m_new), 0x1p-29);
}
static double last_normals_flushed(const sp_row *row, double t) {
  return t < -87 ? 0 : sp_base_exponential(row, t);
}
static double weightless_skipped(const sp_row *row, double acc, double p, double v) {
  return p == 0 ? acc : sp_base_accumulate(row, acc, p, v);
}

static const struct {
  const char *generator;
  sp_op op;
  sp_hooks hooks;
} attacks[] = {
    {"plus-inf", SP_OP_SOFTMAX, {.logit = negated_infinity_is_absent}},
    {"many", SP_OP_ATTENTION, {.prepare = seventeenth_head}},
    {"many", SP_OP_ATTENTION, {.prepare = ninth_kv_head}},
    {"many", SP_OP_ATTENTION, {.prepare = ninth_entry}},
    {"many", SP_OP_ATTENTION, {.prepare = second_tile_of_queries}},
    {"many", SP_OP_ATTENTION, {.prepare = head_of_128}},
    {"many", SP_OP_ATTENTION, {.prepare = five_threads}},
    {"many", SP_OP_SOFTMAX, {.prepare = five_threads}},
    {"many", SP_OP_SOFTMAX, {.prepare = sixty_fifth_row}},
    {"narrow-counts", SP_OP_ATTENTION, {.prepare = pinned_in_a_byte}},
    {"narrow-counts", SP_OP_ATTENTION, {.prepare = pinned_in_32_bits}},
    {"narrow-counts", SP_OP_ATTENTION, {.prepare = window_in_16_bits}},
    {"long-options", SP_OP_ATTENTION, {.prepare = long_without_softcap}},
    {"single-output", SP_OP_SOFTMAX, {.answer = total_needs_weights}},
    {"tiny-values", SP_OP_ATTENTION, {.answer = negative_subnormals_flushed}},
    {"tiny-values", SP_OP_ATTENTION, {.answer = half_saturates}},
    {"early-weights", SP_OP_ATTENTION, {.rescale = rescale_has_a_floor}},
    {"weight-floor", SP_OP_ATTENTION, {.exponential = last_normals_flushed}},
    {"many", SP_OP_ATTENTION, {.prepare = sixteen_slopes}},
    {"batch", SP_OP_ATTENTION, {.visible = full_page_forgotten}},
    {"row-count", SP_OP_ATTENTION, {.prepare = pair_in_a_byte}},
    {"row-count", SP_OP_ATTENTION, {.prepare = row_in_16_bits}},
    {"row-count", SP_OP_SOFTMAX, {.prepare = row_in_16_bits}},
    {"gqa", SP_OP_ATTENTION, {.prepare = group_in_eights}},
    {"dims", SP_OP_ATTENTION, {.prepare = head_past_256_in_tiles}},
    {"cache-sequences", SP_OP_CACHE, {.route = four_sequences}},
    {"bias-axes", SP_OP_ATTENTION, {.visible = hidden_from_all_heads}},
    {"bias-axes", SP_OP_ATTENTION, {.load = bias_of_the_first_head}},
    {"types", SP_OP_ATTENTION, {.prepare = one_mixture_of_types}},
    {"very-long", SP_OP_SOFTMAX, {.prepare = long_row}},
    {"very-long", SP_OP_ATTENTION, {.prepare = long_row}},
    {"weightless-nan", SP_OP_ATTENTION, {.accumulate = weightless_skipped}},
};
enum { N_ATTACKS = sizeof attacks / sizeof *attacks };

/* ---- the suite, as a run uses it ---- */

static bool rejected(sp_host *host, const sp_class *cls, const sp_case *c) {
  sp_truth truth;
  sp_outputs outputs;
  sp_incident incident = {0};
  sp_judgement judgement = {.verdict = SP_PASS};
  char path[32], why[240];
  ck_assert_msg(sp_truth_init(&truth, c, cls, 4096, why, sizeof why), "%s", why);
  ck_assert(sp_outputs_init(&outputs, c));
  ck_assert(sp_host_run(host, 0, c, true, &outputs, &incident, path));
  if (incident.kind == SP_INCIDENT_NONE) sp_judge(&truth, &outputs, &judgement);
  sp_outputs_clear(&outputs);
  sp_truth_clear(&truth);
  return incident.kind != SP_INCIDENT_NONE || judgement.verdict == SP_FAIL;
}

/* Cases of the standard level that reject the kernel: all of them, or as soon as there is one. */
static size_t n_rejected(const char *generator, sp_op op, const sp_hooks *hooks, bool all) {
  const sp_kernel *kernel = sp_museum_base_kernel();
  sp_generator_request request = {.generator = generator, .op = op, .seed = 11};
  sp_host_config config = {.entry = entry};
  sp_class cls;
  char why[240] = "";
  size_t n = 0;
  current = hooks;
  sp_request_for(&request, kernel);
  sp_host *host = sp_host_open(&config, why, sizeof why);
  ck_assert_msg(host != NULL, "%s", why);
  ck_assert(sp_class_parse(kernel->accuracy_class, &cls, why, sizeof why));
  size_t n_cases = sp_generator_find(generator)->n_cases[SP_LEVEL_STANDARD];
  for (; request.index < n_cases && (all || n == 0); request.index++) {
    sp_case c;
    if (!sp_case_make(&c, &request)) continue;
    ck_assert_msg(sp_case_error(&c) == NULL, "%s %d: %s", generator, (int)request.index,
                  sp_case_error(&c));
    n += rejected(host, &cls, &c);
    sp_case_clear(&c);
  }
  sp_host_close(host);
  return n;
}

START_TEST(what_got_through_does_no_more) {
  ck_assert_msg(n_rejected(attacks[_i].generator, attacks[_i].op, &attacks[_i].hooks, false) > 0,
                "attack %d passes every case of %s", _i, attacks[_i].generator);
}
END_TEST

START_TEST(the_correct_kernel_passes) {
  static const sp_hooks none;
  bool seen = false;
  for (int i = 0; i < _i; i++)
    seen =
        seen || (attacks[i].generator == attacks[_i].generator && attacks[i].op == attacks[_i].op);
  if (!seen) ck_assert_uint_eq(n_rejected(attacks[_i].generator, attacks[_i].op, &none, true), 0);
}
END_TEST

Suite *suite_gen_attacks(void) {
  Suite *suite = suite_create("gen_attacks");
  TCase *tcase = tcase_create("CT-5");
  tcase_add_loop_test(tcase, what_got_through_does_no_more, 0, N_ATTACKS);
  tcase_add_loop_test(tcase, the_correct_kernel_passes, 0, N_ATTACKS);
  suite_add_tcase(suite, tcase);
  return suite;
}
