/* SPDX-License-Identifier: Apache-2.0 */
/* Cases of streams that go back, rotate and run side by side, from the generator to the verdict:
 * they are well formed, survive a case file bit for bit, and honest kernels that rotate in four ways
 * are never accused on them, while one that claims more precision than it has is. */
#include "tests/asserts.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "certify/case/sequence.h"
#include "certify/host/host.h"
#include "certify/judge/judge.h"
#include "tests/case_bits.h"
#include "tests/honest/honest.h"
#include "tests/require.h"

Suite *suite_stream_cases(void);

static const char *const generators[] = {"cache-positions", "cache-shifts", "cache-far",
                                         "cache-batches",   "cache-undo",   "cache-sequences",
                                         "cache-hostile"};
enum { N_GENERATORS = 7, N_CASES = 24 };

static bool make(sp_case *c, size_t generator, uint64_t index, uint32_t dtypes) {
  const sp_generator_request request = {.op = SP_OP_CACHE,
                                        .generator = generators[generator],
                                        .seed = 7,
                                        .index = index,
                                        .options = ALL_OPTIONS,
                                        .dtypes_softmax = dtypes,
                                        .dtypes_q = dtypes,
                                        .dtypes_kv = dtypes};
  return sp_case_make(c, &request);
}

/* tests: CT-4 (and what is used is what is read off the case) */
START_TEST(case_files_hold_them) {
  char first[] = "/tmp/sinkproof-stream-XXXXXX", error[200] = "";
  const int descriptor = mkstemp(first);
  ck_assert_int_ge(descriptor, 0);
  close(descriptor);
  for (uint64_t index = 0; index < N_CASES; index++) {
    sp_case c, again;
    ck_assert(make(&c, (size_t)_i, index, ALL_TYPES));
    const char *problem = sp_case_error(&c);
    ck_assert_msg(problem == NULL, "%s %d: %s", generators[_i], (int)index, problem);
    ck_assert_msg(sp_case_write(&c, first, error, sizeof error), "%s", error);
    ck_assert_msg(sp_case_read(&again, first, error, sizeof error), "%s", error);
    ck_assert(again.n_sequences == c.n_sequences && again.n_evict == c.n_evict);
    ck_assert(again.n_undo == c.n_undo && again.position == c.position);
    ck_assert(again.rope_pairing == c.rope_pairing && again.rope_dims == c.rope_dims);
    ck_assert(memcmp(&again.rope_base, &c.rope_base, sizeof c.rope_base) == 0);
    ck_assert(again.n_steps == c.n_steps);
    for (size_t s = 0; s < c.n_steps; s++) {
      const sp_cache_step *x = &c.script[s], *y = &again.script[s];
      const bool counts = x->kind == SP_STEP_APPEND || x->kind == SP_STEP_TRUNCATE;
      ck_assert(x->kind == y->kind && x->sequence == y->sequence);
      ck_assert(!counts || (x->n_tokens == y->n_tokens && x->with_queries == y->with_queries));
    }
    ck_assert_uint_eq(sp_case_options(&again), sp_case_options(&c));
    sp_case_clear(&again);
    sp_case_clear(&c);
  }
  unlink(first);
}
END_TEST

/* Where the generators go: each situation of the clauses is met. tests: EV-9, EV-10, EV-15, EV-16 */
START_TEST(situations_are_met) {
  size_t n_lost = 0, n_back = 0, to_pinned = 0, to_nothing = 0, n_abs = 0, n_cache = 0;
  size_t n_sequences = 0, n_partial = 0, n_neighbours = 0, long_block = 0, beyond_2_32 = 0;
  for (size_t g = 0; g < N_GENERATORS; g++)
    for (uint64_t index = 0; index < 40; index++) {
      sp_case c;
      sp_sequence sequence[40] = {{0, 0}};
      ck_assert(make(&c, g, index, ALL_TYPES));
      n_abs += c.position == SP_POSITION_ABS;
      n_cache += c.position == SP_POSITION_CACHE;
      n_partial += c.rope_dims > 0 && c.rope_dims < c.d_head;
      n_neighbours += c.rope_pairing == SP_ROPE_INTERLEAVED;
      n_sequences += c.n_sequences > 1;
      beyond_2_32 += c.first_token + c.n_kv > UINT64_C(1) << 32;
      for (size_t s = 0; s < c.n_steps; s++) {
        const sp_cache_step *step = &c.script[s];
        sp_sequence *at = &sequence[step->sequence];
        if (step->kind == SP_STEP_APPEND) sp_sequence_append(at, &c, step->n_tokens);
        long_block += step->kind == SP_STEP_APPEND && step->n_tokens > c.n_sink_tokens + c.window;
        if (step->kind != SP_STEP_TRUNCATE) continue;
        const bool lost = sp_sequence_truncate(at, &c, step->n_tokens) == SP_LOST;
        n_lost += lost;
        n_back += !lost;
        to_pinned += !lost && at->length > 0 && at->length <= c.n_sink_tokens;
        to_nothing += !lost && at->length == 0;
      }
      sp_case_clear(&c);
    }
  ck_assert_msg(n_lost > 20 && n_back > 100 && to_pinned > 5 && to_nothing > 5,
                "%zu lost, %zu not, %zu to pinned, %zu to nothing", n_lost, n_back, to_pinned,
                to_nothing);
  ck_assert(n_abs > 20 && n_cache > 20 && n_partial > 10 && n_neighbours > 10);
  ck_assert(n_sequences > 20 && long_block > 10 && beyond_2_32 > 5);
}
END_TEST

/* The verdict on a kernel of the honest library, under a class, over some cases; the worst share of
 * the bound in *budget. */
static sp_verdict verdict_on(const char *name, const char *class_text, double *budget) {
  char why[240] = "";
  const sp_host_config config = {.entry = sp_honest_kernel};
  sp_host *host = sp_host_open(&config, why, sizeof why);
  ck_assert_msg(host != NULL, "%s", why);
  size_t kernel = 0;
  while (strcmp(sp_host_kernel(host, kernel)->name, name) != 0) kernel++;
  sp_class cls;
  ck_assert(sp_class_parse(class_text, &cls, why, sizeof why));
  sp_verdict worst = SP_PASS;
  *budget = 0;
  for (size_t g = 0; g < N_GENERATORS; g++)
    for (uint64_t index = 0; index < 8; index++) {
      sp_case c;
      sp_truth truth;
      sp_outputs out;
      sp_incident incident;
      sp_judgement judgement;
      char path[32];
      ck_assert(make(&c, g, index, SP_DTYPE_BIT(SP_F32) | SP_DTYPE_BIT(SP_F16)));
      ck_assert(sp_outputs_init(&out, &c));
      ck_assert(sp_host_run(host, kernel, &c, true, &out, &incident, path));
      ck_assert_msg(incident.kind == SP_INCIDENT_NONE, "%s: %s", name, incident.text);
      ck_assert_msg(sp_truth_init(&truth, &c, &cls, 4096, why, sizeof why), "%s", why);
      sp_judge(&truth, &out, &judgement);
      if (judgement.verdict > worst) worst = judgement.verdict;
      if (judgement.budget > *budget) *budget = judgement.budget;
      sp_truth_clear(&truth);
      sp_outputs_clear(&out);
      sp_case_clear(&c);
    }
  sp_host_close(host);
  return worst;
}

static const struct {
  const char *kernel, *class_text;
  sp_verdict verdict;
} trials[] = {
    {"honest-list-cache", "w-seq", SP_PASS},
    {"honest-query-twice-cache", "w-seq", SP_PASS},
    {"honest-rotate-query-cache", "w-seq", SP_PASS},
    {"honest-stored-bf16-cache", "w-seq:rk=bf16", SP_PASS},
    /* Keys rounded to 16 bits, and nobody said so. */
    {"honest-stored-bf16-cache", "w-seq", SP_FAIL},
    {"honest-stored-bf16-cache", "w-seq:rk=f16", SP_FAIL},
    {"honest-list-cache", "w-seq:u=f64", SP_FAIL},
};

/* tests: NU-6, NU-7, EV-11, EV-13 */
START_TEST(verdicts_on_rotations) {
  double budget;
  const sp_verdict verdict = verdict_on(trials[_i].kernel, trials[_i].class_text, &budget);
  ck_assert_msg(verdict == trials[_i].verdict, "%s under %s: verdict %d, %.3g of the bound",
                trials[_i].kernel, trials[_i].class_text, (int)verdict, budget);
}
END_TEST

Suite *suite_stream_cases(void) {
  Suite *suite = suite_create("stream_cases");
  TCase *files = tcase_create("CT-4");
  tcase_add_loop_test(files, case_files_hold_them, 0, N_GENERATORS);
  suite_add_tcase(suite, files);
  TCase *situations = tcase_create("EV-15");
  tcase_add_test(situations, situations_are_met);
  suite_add_tcase(suite, situations);
  TCase *rotations = tcase_create("NU-7");
  tcase_set_timeout(rotations, 30);
  tcase_add_loop_test(rotations, verdicts_on_rotations, 0, sizeof trials / sizeof *trials);
  suite_add_tcase(suite, rotations);
  return suite;
}
