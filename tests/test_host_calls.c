/* SPDX-License-Identifier: Apache-2.0 */
/* What the host puts and what it brings back: streams in order, lists, empty tensors, large cases,
 * parts of a case, illegal calls. tests: EV-4, EV-5, EV-6, KC-5, KC-7, KC-10, NU-12 */
#include "tests/asserts.h"
#include <string.h>

#include "certify/host/host_run.h"
#include "tests/host_fixture.h"

Suite *suite_host_calls(void);

/* A stream and the attention over the same tokens, as one kernel computes both, row by row in the
 * order of the script. tests: EV-4, EV-5 */
START_TEST(stream_is_the_attention_of_its_tokens) {
  static const size_t token[] = {0, 1, 2, 3, 3, 6, 7, 8, 9};
  enum { ROW = 4 * 8, N_ROWS = sizeof token / sizeof *token };
  sp_host *host = host_library(0);
  sp_incident incident;
  sp_outputs stream, whole;
  sp_case c;
  char path[32];
  host_stream(&c);
  ck_assert(sp_outputs_init(&stream, &c));
  ck_assert(sp_host_run(host, 0, &c, false, &stream, &incident, path));
  host_check(&incident, SP_INCIDENT_NONE, "");
  c.op = SP_OP_ATTENTION;
  ck_assert(sp_outputs_init(&whole, &c));
  ck_assert(sp_host_run(host, 0, &c, false, &whole, &incident, path));
  host_check(&incident, SP_INCIDENT_NONE, "");
  ck_assert_uint_eq(stream.values.count, N_ROWS * ROW);
  for (size_t i = 0; i < N_ROWS; i++) {
    size_t at = token[i] * ROW;
    ck_assert_uint_eq(sp_first_difference(&stream.values, i * ROW, &whole.values, at, ROW), ROW);
    at = token[i] * 4;
    ck_assert_uint_eq(sp_first_difference(&stream.lse_total, i * 4, &whole.lse_total, at, 4), 4);
  }
  sp_outputs_clear(&stream);
  sp_outputs_clear(&whole);
  sp_case_clear(&c);
  sp_host_close(host);
}
END_TEST

/* Memory that a later step needs is there before the first: a stream lives in one process. */
START_TEST(a_stream_outgrows_the_memory) {
  sp_host *host = host_library(1 << 22);
  sp_incident incident;
  sp_outputs outputs;
  sp_case c;
  char path[32];
  host_stream(&c);
  c.layout.reach = 31;
  ck_assert(sp_outputs_init(&outputs, &c));
  ck_assert(sp_host_run(host, 0, &c, false, &outputs, &incident, path));
  host_check(&incident, SP_INCIDENT_NONE, "");
  sp_outputs_clear(&outputs);
  sp_case_clear(&c);
  sp_host_close(host);
}
END_TEST

/* Lists follow one another, each as long as it is. tests: EV-6 */
START_TEST(lists_are_collected_in_order) {
  static const uint64_t visible[] = {100, 101, 102, 100, 101, 107, 108, 109};
  sp_host *host = host_library(0);
  sp_incident incident;
  sp_outputs outputs;
  sp_case c;
  char path[32];
  host_stream(&c);
  ck_assert(sp_outputs_init(&outputs, &c));
  ck_assert(sp_host_run(host, 0, &c, false, &outputs, &incident, path));
  host_check(&incident, SP_INCIDENT_NONE, "");
  ck_assert_uint_eq(outputs.n_visible[0], 3);
  ck_assert_uint_eq(outputs.n_visible[1], 5);
  ck_assert_mem_eq(outputs.visible, visible, sizeof visible);
  sp_outputs_clear(&outputs);
  sp_case_clear(&c);
  sp_host_close(host);
}
END_TEST

/* A list that claims 2^64 - 1 tokens is read no further than there was room: one token more than
 * any right list has. tests: EV-6 */
START_TEST(boastful_list_is_cut) {
  sp_host *host = host_library(0);
  sp_incident incident;
  sp_outputs outputs;
  sp_case c;
  char path[32];
  host_stream(&c);
  c.n_steps = 2; /* append 3, visible */
  ck_assert(sp_outputs_init(&outputs, &c));
  ck_assert(
      sp_host_run(host, host_find(host, "stream-boasts"), &c, true, &outputs, &incident, path));
  host_check(&incident, SP_INCIDENT_UNWRITTEN, "token 3 of 4 was not written");
  sp_outputs_clear(&outputs);
  sp_case_clear(&c);
  sp_host_close(host);
}
END_TEST

START_TEST(empty_tensors_have_an_address) {
  sp_host *host = host_library(0);
  sp_incident incident;
  sp_case c;
  char path[32];
  sp_case_init(&c, SP_OP_SOFTMAX);
  c.n_q = 2;
  c.n_kv = 0;
  c.want_lse_keys = c.want_lse_total = true;
  ck_assert(sp_array_alloc(&c.logits, SP_F32, 0));
  host_fill(&c.sink_logit, 2);
  host_run(host, "correct", &c, false, &incident, path);
  host_check(&incident, SP_INCIDENT_NONE, "");
  host_run(host, "forgets-lse", &c, false, &incident, path);
  host_check(&incident, SP_INCIDENT_UNWRITTEN, "lse_total[0]");
  sp_case_clear(&c);
  sp_host_close(host);
}
END_TEST

START_TEST(one_run_sees_what_it_can) {
  sp_host *host = host_library(0);
  sp_incident incident;
  sp_case c;
  char path[32];
  host_softmax(&c);
  host_run(host, "writes-nothing", &c, true, &incident, path);
  host_check(&incident, SP_INCIDENT_UNWRITTEN, "weights[0][0]");
  host_run(host, "stale", &c, true, &incident, path);
  host_check(&incident, SP_INCIDENT_NONE, "");
  host_run(host, "stale", &c, true, &incident, path);
  host_check(&incident, SP_INCIDENT_UNWRITTEN, "weights[0][0]");
  sp_case_clear(&c);
  sp_host_close(host);
}
END_TEST

/* The arena of the host grows with the case, also when a worker is already running. */
START_TEST(memory_grows_with_the_case) {
  enum { N = 1 << 20 };
  sp_host *host = host_library(1 << 20);
  sp_incident incident;
  sp_case small, big;
  char path[32];
  host_softmax(&small);
  sp_case_init(&big, SP_OP_SOFTMAX);
  big.n_kv = N;
  host_fill(&big.logits, N);
  host_run(host, "correct", &small, false, &incident, path);
  host_check(&incident, SP_INCIDENT_NONE, "");
  host_run(host, "correct", &big, false, &incident, path);
  host_check(&incident, SP_INCIDENT_NONE, "");
  host_run(host, "past-end", &big, false, &incident, path);
  host_check(&incident, SP_INCIDENT_WROTE_OUTSIDE, "element 1048576 of 1048576");
  sp_case_clear(&small);
  sp_case_clear(&big);
  sp_host_close(host);
}
END_TEST

/* ---- claims of invariance ---- */

static const struct {
  const char *kernel;
  sp_op op;
  sp_incident_kind kind;
  const char *text;
} variants[] = {
    {"correct", SP_OP_SOFTMAX, SP_INCIDENT_NONE, ""},
    {"correct", SP_OP_ATTENTION, SP_INCIDENT_NONE, ""},
    {"batch-varies", SP_OP_SOFTMAX, SP_INCIDENT_VARIES,
     "row 0 alone: element 0 of row 0 of values"},
    {"threads-vary", SP_OP_SOFTMAX, SP_INCIDENT_VARIES, "with n_threads 2 instead of 1"},
    {"queries-vary", SP_OP_ATTENTION, SP_INCIDENT_VARIES, "query 0 of batch entry 0 alone"},
    {"entries-vary", SP_OP_ATTENTION, SP_INCIDENT_VARIES,
     "batch entry 1 alone: element 0 of row 12"},
    {"plan", SP_OP_SOFTMAX, SP_INCIDENT_NONE, ""},
    {"plan-declines", SP_OP_SOFTMAX, SP_INCIDENT_NONE, ""},
    {"plan-differs", SP_OP_SOFTMAX, SP_INCIDENT_VARIES, "as a prepared call"},
    {"plan-once", SP_OP_SOFTMAX, SP_INCIDENT_VARIES, "as a prepared call"},
    {"plan-early", SP_OP_SOFTMAX, SP_INCIDENT_VARIES, "as a prepared call"},
    {"plan-keeps-struct", SP_OP_SOFTMAX, SP_INCIDENT_CRASH, "the prepared call"},
    {"plan-fails", SP_OP_SOFTMAX, SP_INCIDENT_STATUS, "SP_INTERNAL"},
    {"plan-nothing", SP_OP_SOFTMAX, SP_INCIDENT_STATUS, "no plan"},
    {"plan-writes", SP_OP_SOFTMAX, SP_INCIDENT_WROTE_DECLINED, "preparing the call"},
    {"hang", SP_OP_SOFTMAX, SP_INCIDENT_TIMEOUT, "softmax"},
    {"declines", SP_OP_SOFTMAX, SP_INCIDENT_NONE, ""}};

START_TEST(variance_is_found) {
  sp_host *host = host_library(0);
  sp_incident incident;
  sp_outputs outputs;
  sp_case c;
  char path[32];
  size_t kernel = host_find(host, variants[_i].kernel);
  host_case(&c, variants[_i].op);
  ck_assert(sp_outputs_init(&outputs, &c));
  ck_assert(sp_host_run(host, kernel, &c, false, &outputs, &incident, path));
  ck_assert(sp_host_check_variants(host, kernel, &c, &outputs, &incident));
  host_check(&incident, variants[_i].kind, variants[_i].text);
  sp_outputs_clear(&outputs);
  sp_case_clear(&c);
  sp_host_close(host);
}
END_TEST

/* ---- illegal calls ---- */

/* The incidents of all illegal calls, counted by kind. */
static size_t count_illegal(const char *kernel, size_t counts[SP_INCIDENT_VARIES + 1]) {
  sp_host *host = host_library(0);
  sp_incident incident;
  const char *name;
  size_t which = 0;
  memset(counts, 0, (SP_INCIDENT_VARIES + 1) * sizeof *counts);
  for (; sp_host_run_illegal(host, host_find(host, kernel), which, &name, &incident); which++) {
    ck_assert_str_ne(name, "");
    counts[incident.kind]++;
  }
  ck_assert_str_eq(incident.text, "");
  sp_host_close(host);
  return which;
}

START_TEST(illegal_calls_are_put) {
  size_t counts[SP_INCIDENT_VARIES + 1];
  size_t all = count_illegal("correct", counts);
  ck_assert_uint_eq(all, 21);
  ck_assert_uint_eq(counts[SP_INCIDENT_NONE], all);
  ck_assert_uint_eq(count_illegal("accepts", counts), 13);
  ck_assert_uint_eq(counts[SP_INCIDENT_ACCEPTED], 13);
  ck_assert_uint_eq(count_illegal("refuses-after", counts), 10);
  ck_assert_uint_eq(counts[SP_INCIDENT_WROTE_DECLINED], 9);
  ck_assert_uint_eq(count_illegal("divides-heads", counts), 10);
  ck_assert_uint_eq(counts[SP_INCIDENT_CRASH], 1);
  ck_assert_uint_eq(count_illegal("stream-accepts", counts), 8);
  ck_assert_uint_eq(counts[SP_INCIDENT_ACCEPTED], 7);
  ck_assert_uint_eq(count_illegal("plan", counts), 5);
  ck_assert_uint_eq(counts[SP_INCIDENT_NONE], 5);
  ck_assert_uint_eq(count_illegal("plan-trusts", counts), 5);
  ck_assert_uint_eq(counts[SP_INCIDENT_ACCEPTED], 2);
  ck_assert_uint_eq(count_illegal("declines", counts), 3);
  ck_assert_uint_eq(counts[SP_INCIDENT_NONE], 3);
}
END_TEST

Suite *suite_host_calls(void) {
  Suite *suite = suite_create("host_calls");
  host_add(suite, "EV-4", stream_is_the_attention_of_its_tokens, 0, 1);
  host_add(suite, "EV-6", lists_are_collected_in_order, 0, 1);
  host_add(suite, "EV-5", a_stream_outgrows_the_memory, 0, 1);
  host_add(suite, "EV-6", boastful_list_is_cut, 0, 1);
  host_add(suite, "KC-5", empty_tensors_have_an_address, 0, 1);
  host_add(suite, "KC-5", one_run_sees_what_it_can, 0, 1);
  host_add(suite, "KC-5", memory_grows_with_the_case, 0, 1);
  host_add(suite, "KC-7", illegal_calls_are_put, 0, 1);
  host_add(suite, "NU-12", variance_is_found, 0, sizeof variants / sizeof *variants);
  return suite;
}
