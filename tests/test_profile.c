/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles: the table, what a probe can tell, and what is expected under a profile. Kernels that
 * follow one are in tests/profiles/; tests/commands/ certifies and identifies them. */
#include "tests/asserts.h"
#include <math.h>
#include <string.h>

#include "certify/museum/museum.h"
#include "certify/profile/identify.h"
#include "certify/profile/translate.h"
#include "certify/run/run.h"

Suite *suite_profile(void);

static const sp_kernel *only_reference(uint32_t host_abi_major, uint32_t index) {
  return host_abi_major == SP_ABI_MAJOR && index == 0 ? sp_ref_kernel() : NULL;
}

/* ---- the table ---- */

/* tests: CT-11 */
START_TEST(core_says_everything_as_spec) {
  size_t n;
  const sp_profile *core = &sp_profiles(&n)[0];
  ck_assert_str_eq(core->name, "core");
  ck_assert(sp_profile_is_core(core) && sp_profile_is_core(NULL));
  for (sp_question q = 0; q < SP_N_QUESTIONS; q++) {
    ck_assert_uint_eq(core->conventions.answer[q], SP_AS_CORE);
    ck_assert_uint_ge(sp_n_answers(q), 2);
  }
  ck_assert_ptr_null(sp_profile_exclusion(core, 0));
}
END_TEST

START_TEST(every_row_is_sourced_and_can_be_typed) {
  size_t n;
  const sp_profile *profiles = sp_profiles(&n);
  char why[200];
  ck_assert_uint_ge(n, 12);
  for (size_t i = 0; i < n; i++) {
    sp_profile parsed;
    ck_assert_str_eq(profiles[i].name, profiles[i].text);
    ck_assert(profiles[i].source[0] && profiles[i].parameters[0]);
    ck_assert(sp_profile_parse(profiles[i].name, &parsed, why, sizeof why));
    ck_assert_mem_eq(&parsed.conventions, &profiles[i].conventions, sizeof parsed.conventions);
    for (sp_question q = 0; q < SP_N_QUESTIONS; q++)
      ck_assert_uint_le(profiles[i].conventions.answer[q], sp_n_answers(q));
  }
}
END_TEST

START_TEST(answers_can_be_added) {
  sp_profile profile;
  char why[200] = "";
  ck_assert(sp_profile_parse("flashinfer:window=self,lse-base=e", &profile, why, sizeof why));
  ck_assert_uint_eq(sp_convention(&profile, SP_ASK_WINDOW), SP_WINDOW_SELF);
  ck_assert_uint_eq(sp_convention(&profile, SP_ASK_LSE_BASE), SP_LSE_BASE_E);
  ck_assert_uint_eq(sp_convention(&profile, SP_ASK_ALIBI_CAP), SP_ALIBI_INSIDE_CAP);
  const char *const wrong[] = {"flash", "core:window",       "core:window=wide", "core:wind=self",
                               "",      "core:window=self,", ":window=self"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    ck_assert(!sp_profile_parse(wrong[i], &profile, why, sizeof why));
}
END_TEST

/* ---- probes ---- */

/* Every answer of every probe's question predicts something else in at least one part, by enough
 * for results of eight bits, whatever else is known of the kernel. tests: CT-13 */
START_TEST(predictions_differ) {
  size_t n_profiles;
  const sp_profile *profiles = sp_profiles(&n_profiles);
  const sp_probes rooms[] = {sp_probes_row(), sp_probes_lse(), sp_probes_score(), sp_probes_cache(),
                             sp_probes_rope()};
  bool probed[SP_N_QUESTIONS] = {false};
  for (size_t p = 0; p < n_profiles; p++)
    for (size_t room = 0; room < 5; room++)
      for (size_t i = 0; i < rooms[room].count; i++) {
        const sp_probe *probe = &rooms[room].list[i];
        const sp_asker asker = {sp_ref_kernel(), &profiles[p], SP_PROBE_KEYS};
        double most = 0, a[SP_PROBE_KEYS], b[SP_PROBE_KEYS];
        sp_probe_expect(probe, &asker, SP_AS_CORE, a);
        for (unsigned answer = 2; answer <= sp_n_answers(probe->question); answer++) {
          sp_probe_expect(probe, &asker, answer, b);
          for (size_t k = 0; k < probe->n; k++)
            most = a[k] == b[k] ? most : isfinite(a[k] - b[k]) ? fmax(most, fabs(a[k] - b[k])) : 1;
        }
        ck_assert_msg(most > 0x1p-6, "%s under %s", probe->text, profiles[p].name);
        probed[probe->question] = true;
      }
  for (sp_question q = 0; q < SP_N_QUESTIONS; q++) ck_assert(probed[q]);
}
END_TEST

/* tests: CT-13 */
START_TEST(a_result_fits_one_answer_or_none) {
  sp_reply reply = {.n_parts = 1, .part[0] = {.n = 2, .expected = {{0}, {0, 1}, {0.5, 0.5}}}};
  const struct {
    double got[2];
    unsigned answer;
  } trials[] = {{{0, 1}, 1},       {{0.001, 0.999}, 1}, {{0.5, 0.5}, 2},
                {{0.25, 0.75}, 0}, {{NAN, 1}, 0},       {{0.03, 0.97}, 0}};
  for (size_t i = 0; i < sizeof trials / sizeof *trials; i++) {
    memcpy(reply.part[0].got, trials[i].got, sizeof trials[i].got);
    sp_reply_decide(&reply, 2);
    ck_assert_uint_eq(reply.answer, trials[i].answer);
    ck_assert_int_eq(reply.state, trials[i].answer ? SP_REPLY_ANSWERED : SP_REPLY_NEITHER);
  }
}
END_TEST

/* Answers that predict the same cannot be told apart: nothing was learnt. */
START_TEST(what_cannot_be_seen_is_not_answered) {
  sp_reply reply = {.n_parts = 1, .part[0] = {.n = 1, .got = {1}, .expected = {{0}, {1}, {1}}}};
  sp_reply_decide(&reply, 2);
  ck_assert_int_eq(reply.state, SP_REPLY_NOT_OFFERED);
}
END_TEST

static void identify(sp_kernel_entry entry, const char *name, sp_identity *identity) {
  const sp_host_config config = {.entry = entry};
  char why[300] = "";
  sp_host *host = sp_host_open(&config, why, sizeof why);
  ck_assert_msg(host != NULL, "%s", why);
  size_t index = 0;
  while (name != NULL && strcmp(sp_host_kernel(host, index)->name, name) != 0) index++;
  ck_assert_msg(sp_identify(host, index, identity, why, sizeof why), "%s", why);
  sp_host_close(host);
}

/* tests: CT-13 */
START_TEST(the_oracle_is_core) {
  static sp_identity identity;
  identify(only_reference, NULL, &identity);
  ck_assert_uint_ge(identity.n_answered, 18);
  ck_assert_str_eq(identity.profile, "core");
  for (sp_question q = 0; q < SP_N_QUESTIONS; q++)
    ck_assert_int_ne(identity.reply[q].state, SP_REPLY_NEITHER);
}
END_TEST

/* Faults of the museum that are somebody's convention are named as such. tests: CT-13 */
static const struct {
  const char *fault;
  sp_question question;
  unsigned answer; /* 0: neither */
} planted[] = {
    {"F1-window-includes-distance-w", SP_ASK_WINDOW, SP_WINDOW_LEFT},
    {"F13-budget-is-window", SP_ASK_PINNED, 0},
    {"F8-causal-top-left", SP_ASK_CAUSAL, SP_CAUSAL_TOP_LEFT},
    {"C2-sink-scaled", SP_ASK_SINK, SP_SINK_SCALED},
    {"C2-sink-in-base-2", SP_ASK_SINK, SP_SINK_BASE2},
    {"F1-cache-keeps-one-more", SP_ASK_CACHE_WINDOW, SP_CACHE_AFTER},
    {"G31-makes-room-for-one-more", SP_ASK_CACHE_WINDOW, SP_CACHE_SPARE},
    {"G30-evicts-half-at-once", SP_ASK_EVICT, SP_EVICT_HALF},
    {"G26-window-counts-pinned", SP_ASK_CACHE_PINNED, SP_PINNED_INSIDE},
    {"D17-masked-value-multiplied", SP_ASK_MASKED_NAN, SP_MASKED_POISONS},
    {"E4-lse-times-ln2", SP_ASK_LSE_BASE, 0},
    {"H1-bias-before-softcap", SP_ASK_SOFTCAP, SP_SOFTCAP_LAST},
    {"H10-alibi-softcapped", SP_ASK_ALIBI_CAP, SP_ALIBI_INSIDE_CAP},
};

START_TEST(faults_are_named) {
  static sp_identity identity;
  identify(sp_museum_kernel, planted[_i].fault, &identity);
  ck_assert_uint_eq(identity.reply[planted[_i].question].answer, planted[_i].answer);
}
END_TEST

/* ---- translation ---- */

static void small_attention(sp_case *c, uint64_t window) {
  sp_case_init(c, SP_OP_ATTENTION);
  c->n_q = 2;
  c->n_kv = 5;
  c->d_head = c->d_value = 2;
  c->window = window;
  c->n_sink_tokens = 1;
  c->want_lse_total = true;
  ck_assert(sp_array_alloc(&c->q, SP_F32, 4) && sp_array_alloc(&c->k, SP_F32, 10) &&
            sp_array_alloc(&c->v, SP_F32, 10));
}

static uint64_t put_window(const char *text, const sp_case *c) {
  sp_profile profile;
  sp_translation t;
  const char *left_out;
  char why[200];
  ck_assert(sp_profile_parse(text, &profile, why, sizeof why));
  if (!sp_translate(&t, &profile, c, &left_out)) {
    ck_assert_ptr_nonnull(left_out);
    return 0;
  }
  uint64_t window = t.put.window;
  ck_assert_uint_eq(t.meaning.window, c->window);
  sp_translation_clear(&t);
  return window;
}

/* tests: CT-11, CT-12 */
START_TEST(windows_are_put_in_the_systems_terms) {
  sp_case c;
  small_attention(&c, 3);
  ck_assert_uint_eq(put_window("core", &c), 3);
  ck_assert_uint_eq(put_window("flashinfer", &c), 2);
  ck_assert_uint_eq(put_window("core:window=less", &c), 4);
  ck_assert_uint_eq(put_window("core:pinned=inside", &c), 4);
  ck_assert_uint_eq(put_window("flashinfer:pinned=inside", &c), 3);
  c.window = 1;
  ck_assert_uint_eq(put_window("flashinfer", &c), 0); /* left out */
  c.window = SP_WINDOW_ALL;
  ck_assert_uint_eq(put_window("flashinfer", &c), SP_WINDOW_ALL);
  c.window = SP_WINDOW_ALL - 1;
  ck_assert_uint_eq(put_window("core:window=less", &c), SP_WINDOW_ALL);
  ck_assert_uint_eq(put_window("flashinfer", &c), SP_WINDOW_ALL);
  sp_case_clear(&c);
}
END_TEST

/* How many tokens each append of the stream has as it is put. */
static size_t put_blocks(const char *text, const sp_case *c, size_t tokens[32]) {
  sp_profile profile;
  sp_translation t;
  const char *left_out;
  char why[200];
  ck_assert(sp_profile_parse(text, &profile, why, sizeof why));
  ck_assert(sp_translate(&t, &profile, c, &left_out));
  size_t n = t.put.n_steps;
  ck_assert_uint_le(n, 32);
  for (size_t s = 0; s < n; s++) tokens[s] = t.put.script[s].n_tokens;
  sp_translation_clear(&t);
  return n;
}

/* Where queries of a block would see more than those of its tokens one by one, they come one by one; and so
 * do all where it matters how many leave at once. tests: CT-11 */
START_TEST(blocks_stay_whole_until_somebody_asks) {
  static sp_cache_step steps[] = {{SP_STEP_APPEND, 9, false, 0},
                                  {SP_STEP_APPEND, 5, false, 0},
                                  {SP_STEP_APPEND, 4, true, 0},
                                  {SP_STEP_APPEND, 3, false, 0},
                                  {SP_STEP_VISIBLE, 0, false, 0}};
  sp_case c;
  size_t tokens[32];
  sp_case_init(&c, SP_OP_CACHE);
  c.n_q = c.n_kv = 21;
  c.n_sink_tokens = 1;
  c.window = 4;
  c.script = steps;
  c.n_steps = 5;
  ck_assert_uint_eq(put_blocks("core", &c, tokens), 5);
  ck_assert_uint_eq(put_blocks("streaming-llm-before", &c, tokens), 2 + 4 + 3 + 1);
  ck_assert(tokens[0] == 9 && tokens[1] == 5 && tokens[2] == 1 && tokens[6] == 1);
  ck_assert_uint_eq(put_blocks("llama-shift", &c, tokens), 9 + 5 + 4 + 3 + 1);
}
END_TEST

static void expect(const char *text, const sp_case *c, sp_accept *lse) {
  static sp_profile profile;
  sp_translation t;
  sp_class cls;
  const char *left_out;
  char why[200];
  ck_assert(sp_profile_parse(text, &profile, why, sizeof why));
  ck_assert(sp_class_parse("w-seq", &cls, why, sizeof why));
  ck_assert(sp_translate(&t, &profile, c, &left_out));
  ck_assert(sp_translation_expect(&t, NULL, &cls, 512, why, sizeof why));
  *lse = t.expected->lse_total[1];
  sp_translation_clear(&t);
}

static sp_verdict judge(const sp_accept *accept, double got) {
  double budget;
  return sp_judge_element(accept, (double)(float)got, &budget);
}

/* Row 1 sees 5 equal keys. In base 2 no more is accepted than the bound of base e, converted, and
 * two roundings. tests: CT-11 */
START_TEST(base_two_is_as_sharp) {
  sp_case c;
  sp_accept e, two;
  small_attention(&c, SP_WINDOW_ALL);
  expect("core", &c, &e);
  expect("core:lse-base=2", &c, &two);
  ck_assert_int_eq(judge(&e, log(5)), SP_PASS);
  ck_assert_int_eq(judge(&e, log2(5)), SP_FAIL);
  ck_assert_int_eq(judge(&two, log2(5)), SP_PASS);
  ck_assert_int_eq(judge(&two, log(5)), SP_FAIL);
  double most = e.allowance * 0x1.71547652b82fep+0 + 2.01 * 0x1p-24 * (log2(5) + 1e-3);
  ck_assert_double_le(two.allowance, most);
  ck_assert_int_eq(judge(&two, log2(5) + most + 2 * two.rounding), SP_FAIL);
  ck_assert_int_eq(judge(&two, log2(5) - most - 2 * two.rounding), SP_FAIL);
  sp_case_clear(&c);
}
END_TEST

/* A sink logit on an empty row: its logarithm alone. */
START_TEST(a_row_without_keys_has_its_own_logarithm) {
  sp_case c;
  sp_accept empty;
  small_attention(&c, SP_WINDOW_ALL);
  c.bias_rows = 1;
  ck_assert(sp_array_alloc(&c.key_bias, SP_F32, 5));
  for (size_t j = 0; j < 5; j++) sp_ref_store(SP_F32, c.key_bias.bits, j, -INFINITY);
  expect("core", &c, &empty);
  ck_assert_int_eq(judge(&empty, -INFINITY), SP_PASS);
  expect("core:lse-empty=+inf", &c, &empty);
  ck_assert_int_eq(judge(&empty, -INFINITY), SP_FAIL);
  ck_assert_int_eq(judge(&empty, INFINITY), SP_PASS);
  ck_assert(sp_array_alloc(&c.sink_logit, SP_F32, 1));
  sp_ref_store(SP_F32, c.sink_logit.bits, 0, 3);
  expect("core:lse-empty=+inf,lse-base=2", &c, &empty);
  ck_assert_int_eq(judge(&empty, 3 * 0x1.71547652b82fep+0), SP_PASS);
  ck_assert_int_eq(judge(&empty, 3), SP_FAIL);
  sp_case_clear(&c);
}
END_TEST

Suite *suite_profile(void) {
  Suite *suite = suite_create("profile");
  TCase *table = tcase_create("CT-11");
  tcase_add_test(table, core_says_everything_as_spec);
  tcase_add_test(table, every_row_is_sourced_and_can_be_typed);
  tcase_add_test(table, answers_can_be_added);
  tcase_add_test(table, blocks_stay_whole_until_somebody_asks);
  tcase_add_test(table, base_two_is_as_sharp);
  tcase_add_test(table, a_row_without_keys_has_its_own_logarithm);
  suite_add_tcase(suite, table);
  TCase *parameters = tcase_create("CT-12");
  tcase_add_test(parameters, windows_are_put_in_the_systems_terms);
  suite_add_tcase(suite, parameters);
  TCase *probes = tcase_create("CT-13");
  tcase_add_test(probes, predictions_differ);
  tcase_add_test(probes, a_result_fits_one_answer_or_none);
  tcase_add_test(probes, what_cannot_be_seen_is_not_answered);
  tcase_add_test(probes, the_oracle_is_core);
  tcase_add_loop_test(probes, faults_are_named, 0, sizeof planted / sizeof *planted);
  suite_add_tcase(suite, probes);
  return suite;
}
