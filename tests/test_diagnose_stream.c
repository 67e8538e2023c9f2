/* SPDX-License-Identifier: Apache-2.0 */
/* What is said about a cache that is wrong: the outputs of tests/diagnose/machine.h, with each of its
 * mistakes. The last test sees that no hypothesis lacks a trial. */
#include "tests/asserts.h"
#include <stdlib.h>
#include <string.h>

#include "certify/judge/diagnose.h"
#include "tests/diagnose/machine.h"

Suite *suite_diagnose_stream(void);

enum { D = MACHINE_D, S = MACHINE_S, W = MACHINE_W };

typedef struct trial {
  mistake mistake;
  const char *sentence; /* a part of it that is in no other */
  uint32_t position, pairing;
  size_t rope_dims;
  uint64_t n_evict, n_undo;
  const char
      *script; /* "a3" append, "q3" with queries, "t" attend, "-2" truncate, ">" next sequence */
} trial;

#define RANKED SP_POSITION_CACHE, SP_ROPE_HALF, D
#define PLAIN  SP_POSITION_NONE, SP_ROPE_HALF, 0
#define LONG   "q3 q5 q1 q1 q1 q2 q1 q1 q1 q1 q3 q1 q1"
#define SINGLE "q1 q1 q1 q1 q1 q1 q1 q1 q1 q1 q1 q1 q1 q1 q1 q1"

static const trial trials[] = {
    {PAIRS, "are taken for (2i, 2i + 1)", RANKED, 1, 0, LONG},
    {PAIRS, "are taken for (i, i + r/2)", SP_POSITION_ABS, SP_ROPE_INTERLEAVED, D, 1, 0, LONG},
    {UNROTATED, "queries and keys are not rotated", RANKED, 1, 0, LONG},
    {WRONG_SIGN, "wrong sign", RANKED, 1, 0, LONG},
    {KEYS_ONLY, "keys are rotated and queries", RANKED, 1, 0, LONG},
    {QUERIES_ONLY, "queries are rotated and keys", RANKED, 1, 0, LONG},
    {BASE, "10000", RANKED, 1, 0, LONG},
    {WHOLE_ROW, "whole rows", SP_POSITION_CACHE, SP_ROPE_HALF, D / 2, 1, 0, LONG},
    {NUMBERS, "their ranks in the cache are due", RANKED, 1, 0, LONG},
    {RANKS, "the numbers of their tokens are due", SP_POSITION_ABS, SP_ROPE_HALF, D, 1, 0, LONG},
    {FIRST_SEQUENCE_SHIFTED, "in sequence 0 only", RANKED, 1, 0, SINGLE " > " SINGLE},
    {NEVER_SHIFTED, "nothing is shifted", RANKED, 2, 0, SINGLE},
    {SHIFTED_TWICE, "twice to the keys that stay", RANKED, 2, 0, SINGLE},
    {RANKS_SHIFTED, "to ranks, which have moved already", RANKED, 1, 0, SINGLE},
    {LAST_SHIFT, "replaces the one before", RANKED, 1, 0, SINGLE},
    {NEWEST_AT_NUMBER, "the newest key stands", RANKED, 1, 0, SINGLE},
    {QUERY_AT_NUMBER, "the query stands at the number", RANKED, 1, 0, SINGLE},
    {OLDER_LOW, "a position is given twice", RANKED, 1, 0, SINGLE},
    {OLDER_HIGH, "a position is left out", RANKED, 1, 0, SINGLE},
    {RECENT_LOW, "all recent keys stand one position too low", RANKED, 1, 0, SINGLE},
    {RECENT_HIGH, "all recent keys stand one position too high", RANKED, 1, 0, SINGLE},
    {AT_BLOCK_END, "of a block stand at the position", RANKED, 1, 0, LONG},
    {QUERY_HIGH, "the query stands one position too high", RANKED, 1, 0, LONG},
    {QUERY_LOW, "the query stands one position too low", RANKED, 1, 0, LONG},
    {SLICED, "sliced by its length", PLAIN, 1, 0, SINGLE},
    {OVER_PINNED, "wraps over the pinned slots", PLAIN, 1, 0, SINGLE},
    {SLOT_0_ON_WRAP, "overwritten when the ring wraps", PLAIN, 1, 0, SINGLE},
    {SLOT_0_ALWAYS, "overwritten by every new token", PLAIN, 1, 0, SINGLE},
    {PINNED_TWICE, "in the cache twice", RANKED, 1, 0, SINGLE},
    {FULL_EARLY, "exactly full", RANKED, 1, 0, SINGLE},
    {ONE_BY_ONE, "leave one by one", PLAIN, 3, 0, SINGLE},
    {HALF, "half of the recent", PLAIN, 1, 0, SINGLE},
    {STORED_FIRST, "stored before its queries run", PLAIN, 1, 0, LONG " q6"},
    {DENSE, "a block is dense", PLAIN, 1, 0, LONG " q6"},
    {FUTURE, "the tokens after them", PLAIN, 1, 0, LONG " q6"},
    {REWOUND, "no room for n_undo", PLAIN, 1, 2, "q9 -2 t q1 q1"},
    {ATTEND_MORE, "attend sees one recent token more", PLAIN, 1, 0, LONG " a1 t a1 t"},
    {ATTEND_LESS, "attend sees one recent token less", PLAIN, 1, 0, LONG " a1 t a1 t"},
    {APPEND_MORE, "append sees one recent token more", PLAIN, 1, 0, LONG " a1 t a1 t"},
    {APPEND_LESS, "append sees one recent token less", PLAIN, 1, 0, LONG " a1 t a1 t"},
};

enum { N_TRIALS = sizeof trials / sizeof trials[0] };

/* ---- the case ---- */

static void add_steps(sp_case *c, const char *script) {
  size_t sequence = 0;
  c->script = calloc(strlen(script), sizeof *c->script);
  ck_assert_ptr_nonnull(c->script);
  for (const char *at = script; *at != '\0'; at++) {
    sp_cache_step step = {.sequence = sequence, .n_tokens = (size_t)atoi(at + 1)};
    if (strchr("aqt->", *at) == NULL) continue;
    sequence += *at == '>';
    if (*at == '>') continue;
    step.kind = *at == 't' ? SP_STEP_ATTEND : *at == '-' ? SP_STEP_TRUNCATE : SP_STEP_APPEND;
    step.with_queries = *at == 'q';
    if (step.kind == SP_STEP_APPEND) c->n_kv += step.n_tokens;
    c->script[c->n_steps++] = step;
  }
  c->n_sequences = sequence + 1;
}

static void make(sp_case *c, const trial *t) {
  sp_rng rng;
  sp_rng_init(&rng, 77, "stream", 0, 0);
  sp_case_init(c, SP_OP_CACHE);
  c->n_kv = 0;
  add_steps(c, t->script);
  ck_assert_uint_le(c->n_kv, MACHINE_TOKENS);
  c->n_q = c->n_kv;
  c->d_head = c->d_value = D;
  c->n_sink_tokens = S;
  c->window = W;
  c->n_evict = t->n_evict;
  c->n_undo = t->n_undo;
  c->position = t->position;
  c->rope_pairing = t->pairing;
  c->rope_dims = t->rope_dims;
  c->rope_base = t->rope_dims > 0 ? 3.0 : 0.0;
  ck_assert(sp_array_alloc(&c->q, SP_F32, c->n_kv * D) &&
            sp_array_alloc(&c->k, SP_F32, c->n_kv * D) &&
            sp_array_alloc(&c->v, SP_F32, c->n_kv * D));
  sp_array *const arrays[] = {&c->q, &c->k, &c->v};
  for (size_t a = 0; a < 3; a++)
    for (size_t i = 0; i < c->n_kv * D; i++) sim_put(arrays[a], i, sp_rng_bell(&rng));
  ck_assert_msg(sp_case_error(c) == NULL, "%s", sp_case_error(c));
}

/* ---- tests ---- */

static sp_hypotheses (*const tables[])(void) = {sp_hypotheses_entry, sp_hypotheses_stream,
                                                sp_hypotheses_turn};

/* The one sentence of the tables that a trial means. */
static const char *sentence_of(const trial *t) {
  const char *found = NULL;
  for (size_t k = 0; k < 3; k++)
    for (size_t i = 0; i < tables[k]().count; i++) {
      const char *sentence = tables[k]().list[i].sentence;
      if (strstr(sentence, t->sentence) == NULL) continue;
      ck_assert_msg(found == NULL, "\"%s\" is in two sentences", t->sentence);
      found = sentence;
    }
  ck_assert_msg(found != NULL, "\"%s\" is in no sentence", t->sentence);
  return found;
}

static void diagnose(const trial *t, char *text, size_t capacity) {
  sp_case c;
  sp_outputs outputs;
  sp_truth truth;
  sp_class cls = sim_class("w-seq");
  char error[200];
  make(&c, t);
  ck_assert(sp_outputs_init(&outputs, &c));
  ck_assert(sp_truth_init(&truth, &c, &cls, 1024, error, sizeof error));
  outputs.n_lists = truth.n_lists; /* truncations: all are carried out */
  ck_assert_uint_eq(machine_run(&c, t->mistake, &outputs), truth.n_rows);
  sp_diagnose(&c, &truth, &outputs, text, capacity);
  sp_truth_clear(&truth);
  sp_outputs_clear(&outputs);
  sp_case_clear(&c);
}

/* tests: EV-1, EV-2, EV-4, EV-5, EV-7, EV-9, EV-10, EV-11, EV-12, EV-14, EV-15, EV-16 */
START_TEST(a_mistake_is_named) {
  const trial *t = &trials[_i];
  const char *sentence = sentence_of(t);
  char text[400];
  diagnose(t, text, sizeof text);
  ck_assert_msg(strncmp(text, sentence, strlen(sentence)) == 0, "expected \"%s\", got \"%s\"",
                sentence, text);
  ck_assert_msg(strstr(text, "failing rows examined") == NULL, "not in all rows: \"%s\"", text);
}
END_TEST

/* tests: CT-1 */
START_TEST(nothing_is_said_of_what_is_right) {
  trial t = trials[_i];
  char text[400] = "left over";
  if (t.mistake == REWOUND) return; /* the list of keys above has no other way to take back */
  t.mistake = HONEST;
  diagnose(&t, text, sizeof text);
  ck_assert_str_eq(text, "");
}
END_TEST

/* tests: CT-3 */
START_TEST(every_hypothesis_has_a_trial) {
  for (size_t k = 0; k < 3; k++)
    for (size_t i = 0; i < tables[k]().count; i++) {
      bool tried = false;
      for (size_t n = 0; n < N_TRIALS; n++)
        tried |= sentence_of(&trials[n]) == tables[k]().list[i].sentence;
      ck_assert_msg(tried, "no trial for \"%s\"", tables[k]().list[i].sentence);
    }
}
END_TEST

Suite *suite_diagnose_stream(void) {
  Suite *suite = suite_create("diagnose_stream");
  TCase *sentences = tcase_create("EV-10");
  tcase_add_loop_test(sentences, a_mistake_is_named, 0, N_TRIALS);
  tcase_add_loop_test(sentences, nothing_is_said_of_what_is_right, 0, N_TRIALS);
  tcase_add_test(sentences, every_hypothesis_has_a_trial);
  suite_add_tcase(suite, sentences);
  return suite;
}
