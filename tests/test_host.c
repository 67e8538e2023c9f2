/* SPDX-License-Identifier: Apache-2.0 */
/* The host against hostile kernels: each misdeed is one kernel of tests/exploits/, loaded as a real
 * shared library, and must be called by its name; kernels that do nothing wrong, however odd, must
 * not be accused; and after each of them the same host must serve the next case.
 * tests: KC-3, KC-4, KC-5, KC-6, KC-8, KC-9, NU-12 */
#include "tests/asserts.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "certify/gen/gen.h"
#include "certify/host/host_run.h"
#include "tests/host_fixture.h"

Suite *suite_host(void);

typedef struct expectation {
  const char *clause, *kernel;
  sp_op op;
  uint32_t row_pad, n_threads;
  sp_incident_kind kind;
  const char *text; /* must occur in the incident's sentence */
} expectation;

#define X SP_OP_SOFTMAX
#define A SP_OP_ATTENTION
#define C SP_OP_CACHE

static const expectation expected[] = {
    {"KC-3", "declines", X, 0, 1, SP_INCIDENT_UNSUPPORTED, "softmax: declined"},
    {"KC-3", "declines-late", X, 0, 1, SP_INCIDENT_WROTE_DECLINED, "wrote element 0 of weights"},
    {"KC-3", "refuses", X, 0, 1, SP_INCIDENT_STATUS, "SP_INVALID"},
    {"KC-3", "refuses-late", X, 0, 1, SP_INCIDENT_WROTE_DECLINED, "SP_INVALID"},
    {"KC-3", "no-memory", X, 0, 1, SP_INCIDENT_STATUS, "SP_NOMEM"},
    {"KC-3", "garbage-status", X, 0, 1, SP_INCIDENT_STATUS, "1234567"},
    {"KC-3", "declines-second", X, 0, 1, SP_INCIDENT_STATUS, "once"},
    {"KC-3", "stream-absent", C, 0, 1, SP_INCIDENT_STATUS, "open: returned SP_OK and no cache"},
    {"KC-4", "over-read", A, 0, 1, SP_INCIDENT_CRASH,
     "read past the end of k (element 224 of 224)"},
    {"KC-4", "under-read", A, 0, 1, SP_INCIDENT_CRASH, "read 4 bytes before the start of q"},
    {"KC-4", "no-strides", A, 3, 1, SP_INCIDENT_NONDETERMINISTIC, "out[0][0]"},
    {"KC-4", "sum-padding", X, 3, 1, SP_INCIDENT_NONDETERMINISTIC, "weights[0][0] is"},
    {"KC-4", "read-masked", A, 0, 1, SP_INCIDENT_NONE, ""},
    {"KC-4", "read-beyond-struct", X, 0, 1, SP_INCIDENT_CRASH, "past the end of the call struct"},
    {"KC-4", "write-input", X, 0, 1, SP_INCIDENT_WROTE_INPUT,
     "element 0 of logits, which is read-"},
    {"KC-4", "write-struct", X, 0, 1, SP_INCIDENT_WROTE_INPUT, "of the call struct, which is read"},
    {"KC-4", "unprotect-input", X, 0, 1, SP_INCIDENT_WROTE_INPUT, "wrote element 0 of logits"},
    {"KC-4", "stream-peeks", C, 0, 1, SP_INCIDENT_CRASH, "past the end of k"},
    {"KC-4", "stream-keeps-pointer", C, 0, 1, SP_INCIDENT_CRASH, "of an earlier call"},
    {"KC-5", "past-end", X, 0, 1, SP_INCIDENT_WROTE_OUTSIDE, "past the end of weights"},
    {"KC-5", "before-start", X, 0, 1, SP_INCIDENT_WROTE_OUTSIDE, "1 bytes before the start of wei"},
    {"KC-5", "vector-store", X, 0, 1, SP_INCIDENT_WROTE_OUTSIDE, "past the end of weights"},
    {"KC-5", "vector-store", X, 11, 1, SP_INCIDENT_WROTE_OUTSIDE, "weights"},
    {"KC-5", "gaps", X, 3, 1, SP_INCIDENT_WROTE_OUTSIDE,
     "the gap between rows at element 5 of wei"},
    {"KC-5", "gaps", X, 0, 1, SP_INCIDENT_NONE, ""},
    {"KC-5", "late-write", X, 0, 1, SP_INCIDENT_CRASH,
     "of weights after the call had returned, in"},
    {"KC-5", "writes-nothing", X, 0, 1, SP_INCIDENT_UNWRITTEN, "weights[0][0] was not written"},
    {"KC-5", "forgets-last", X, 0, 1, SP_INCIDENT_UNWRITTEN, "weights[2][4] was not written"},
    {"KC-5", "forgets-lse", X, 0, 1, SP_INCIDENT_UNWRITTEN, "lse_total[0] was not written"},
    {"KC-5", "stale", X, 0, 1, SP_INCIDENT_UNWRITTEN, "weights[0][0] was not written"},
    {"KC-5", "warms-up", X, 0, 1, SP_INCIDENT_UNWRITTEN, "weights[0][0] was not written"},
    {"KC-5", "stream-silent", C, 0, 1, SP_INCIDENT_UNWRITTEN, "*n was not written"},
    {"KC-5", "stream-greedy", C, 0, 1, SP_INCIDENT_WROTE_OUTSIDE, "past the end of token"},
    {"KC-5", "stream-roomy", C, 0, 1, SP_INCIDENT_WROTE_OUTSIDE, "past the end of token"},
    {"EV-6", "stream-modest", C, 0, 1, SP_INCIDENT_LIST, "room for 1 of 3 token(s): *n is 1"},
    {"EV-6", "stream-newest", C, 0, 1, SP_INCIDENT_LIST, "not the first 1 of them"},
    {"KC-6", "rounding", X, 0, 1, SP_INCIDENT_FP_STATE, "MXCSR 0x1f80 became 0x3f80 ( rounding"},
    {"KC-6", "flush-to-zero", X, 0, 1, SP_INCIDENT_FP_STATE, "FTZ"},
    {"KC-6", "denormals-are-zero", X, 0, 1, SP_INCIDENT_FP_STATE, "DAZ"},
    {"KC-6", "unmask", X, 0, 1, SP_INCIDENT_FP_STATE, "masks"},
    {"KC-6", "x87-precision", X, 0, 1, SP_INCIDENT_FP_STATE, "x87 control word 0x037f"},
    {"KC-6", "flags-only", X, 0, 1, SP_INCIDENT_NONE, ""},
    {"KC-6", "restores", X, 0, 1, SP_INCIDENT_NONE, ""},
    {"KC-8", "null-pointer", X, 0, 1, SP_INCIDENT_CRASH, "SIGSEGV: read through a null pointer"},
    {"KC-8", "wild-pointer", X, 0, 1, SP_INCIDENT_CRASH, "wrote through a wild pointer"},
    {"KC-8", "misaligned", X, 0, 1, SP_INCIDENT_CRASH, "not aligned"},
    {"KC-8", "hang", X, 0, 1, SP_INCIDENT_TIMEOUT, "softmax: did not return"},
    {"KC-8", "deaf-hang", X, 0, 1, SP_INCIDENT_TIMEOUT, "did not return"},
    {"KC-8", "quit", X, 0, 1, SP_INCIDENT_EXIT, "ended the process with exit status"},
    {"KC-8", "quit-at-once", X, 0, 1, SP_INCIDENT_EXIT, "exit status 3"},
    {"KC-8", "aborts", X, 0, 1, SP_INCIDENT_CRASH, "SIGABRT: called abort()"},
    {"KC-8", "divide", X, 0, 1, SP_INCIDENT_CRASH, "SIGFPE: divided an integer by zero"},
    {"KC-8", "bad-instruction", X, 0, 1, SP_INCIDENT_CRASH, "SIGILL"},
    {"KC-8", "stack-overflow", X, 0, 1, SP_INCIDENT_CRASH, "ran out of stack"},
    {"KC-8", "killed", X, 0, 1, SP_INCIDENT_CRASH, "killed by SIGKILL"},
    {"KC-8", "no-handler", X, 0, 1, SP_INCIDENT_CRASH, "killed by SIGSEGV"},
    {"KC-8", "own-handler", X, 0, 1, SP_INCIDENT_EXIT, "exit status 0"},
    {"KC-8", "blocked-signal", X, 0, 1, SP_INCIDENT_CRASH, "killed by SIGSEGV"},
    {"KC-8", "forks", X, 0, 1, SP_INCIDENT_NONE, ""},
    {"KC-8", "thread-exit", X, 0, 1, SP_INCIDENT_EXIT, "ended the process"},
    {"KC-8", "leaves-thread", X, 0, 1, SP_INCIDENT_EXIT, "left 1 thread(s) running"},
    {"KC-8", "thread-pool", X, 0, 2, SP_INCIDENT_NONE, ""},
    {"KC-8", "crashing-thread", X, 0, 1, SP_INCIDENT_CRASH, "in a thread of its own"},
    {"KC-8", "closes-files", X, 0, 1, SP_INCIDENT_NONE, ""},
    {"KC-8", "stream-crashes", C, 0, 1, SP_INCIDENT_CRASH, "close: SIGABRT"},
    {"KC-8", "stream-exits", C, 0, 1, SP_INCIDENT_EXIT, "append of 4 token(s) at token 6 (step 5)"},
    {"KC-9", "bad-path", X, 0, 1, SP_INCIDENT_CRASH, "path() of softmax"},
    {"KC-9", "odd-path", X, 0, 1, SP_INCIDENT_NONE, ""},
    {"NU-12", "jitter", X, 0, 1, SP_INCIDENT_NONDETERMINISTIC, "weights[0][0] is"},
    {"NU-12", "honest-jitter", X, 0, 1, SP_INCIDENT_NONE, "weights[0][0] is"},
    {"NU-12", "nan-bits", X, 0, 1, SP_INCIDENT_NONE, ""},
};

START_TEST(is_accused_of_its_misdeed) {
  const expectation *e = &expected[_i];
  sp_host *host = host_library(0);
  sp_incident incident;
  sp_case c;
  char path[32];
  host_case(&c, e->op);
  c.layout.row_pad = e->row_pad;
  c.n_threads = e->n_threads;
  host_run(host, e->kernel, &c, false, &incident, path);
  host_check(&incident, e->kind, e->text);
  for (int i = 0; path[i] != '\0'; i++) ck_assert(path[i] >= 0x20 && path[i] <= 0x7E);
  /* The host has survived, and nothing of it sticks to the next kernel. */
  host_run(host, "correct", &c, false, &incident, path);
  host_check(&incident, SP_INCIDENT_NONE, "");
  ck_assert_str_eq(path, "plain");
  sp_case_clear(&c);
  sp_host_close(host);
}
END_TEST

START_TEST(correct_kernel_is_not_accused) {
  sp_host *host = host_library(0);
  sp_incident incident;
  sp_outputs first, outputs;
  sp_case c;
  char path[32];
  host_case(&c, (sp_op)_i);
  ck_assert(sp_outputs_init(&first, &c) && sp_outputs_init(&outputs, &c));
  for (int l = 0; l < 16; l++) {
    sp_outputs *to = l == 0 ? &first : &outputs;
    c.layout = (sp_layout){.head_major = (l & 1) != 0,
                           .row_pad = l & 2 ? 5 : 0,
                           .guard_before = (l & 4) != 0,
                           .misalign = l & 8 ? 63 : 0};
    ck_assert(sp_host_run(host, 0, &c, false, to, &incident, path));
    host_check(&incident, SP_INCIDENT_NONE, "");
    ck_assert_str_eq(incident.text, "");
    if (l == 0) continue;
    char difference[160] = "";
    ck_assert_msg(sp_same_outputs(&c, &first, &outputs, difference, sizeof difference), "%s",
                  difference);
  }
  sp_outputs_clear(&first);
  sp_outputs_clear(&outputs);
  sp_case_clear(&c);
  sp_host_close(host);
}
END_TEST

/* No case that a generator makes brings an honest kernel into trouble. */
START_TEST(generated_cases_accuse_nobody) {
  sp_host *host = host_library(0);
  const sp_kernel *kernel = sp_host_kernel(host, 0);
  size_t n_generators, n_runs = 0;
  const sp_generator *generators = sp_generators(&n_generators);
  for (size_t g = 0; g < n_generators; g++)
    for (uint64_t i = 0; i < 9; i++) {
      sp_generator_request request = {0};
      sp_incident incident;
      sp_case c;
      char path[32];
      sp_request_for(&request, kernel);
      request.generator = generators[g].name;
      request.op = (sp_op)(i % 3);
      request.seed = 2;
      request.index = i / 3;
      if ((generators[g].ops >> request.op & 1) == 0 || !sp_case_make(&c, &request)) continue;
      if (sp_case_offered(&c, kernel)) {
        n_runs++;
        host_run(host, "correct", &c, false, &incident, path);
        ck_assert_msg(incident.kind == SP_INCIDENT_NONE && incident.text[0] == '\0',
                      "%s, operation %d, seed 2, index %d: %s", request.generator, (int)request.op,
                      (int)request.index, incident.text);
      }
      sp_case_clear(&c);
    }
  ck_assert_uint_gt(n_runs, n_generators);
  sp_host_close(host);
}
END_TEST

/* A thread that outlives its call may strike when nobody looks; the next case hears of it. */
START_TEST(late_strike_is_told) {
  sp_host *host = host_library(0);
  sp_incident incident;
  sp_case c;
  char path[32];
  host_softmax(&c);
  c.n_threads = 2;
  host_run(host, "late-pool", &c, true, &incident, path);
  host_check(&incident, SP_INCIDENT_NONE, "");
  for (int i = 0; i < 10000 && !atomic_load(&host->link.control->dead); i++) usleep(1000);
  host_run(host, "correct", &c, true, &incident, path);
  host_check(&incident, SP_INCIDENT_CRASH,
             "after softmax: SIGSEGV: wrote element 0 of weights after the call had returned, "
             "in a thread of its own");
  host_run(host, "correct", &c, true, &incident, path);
  host_check(&incident, SP_INCIDENT_NONE, "");
  sp_case_clear(&c);
  sp_host_close(host);
}
END_TEST

START_TEST(incidents_have_names) {
  for (int a = 0; a <= SP_INCIDENT_VARIES; a++) {
    ck_assert_str_ne(sp_incident_name((sp_incident_kind)a), "unknown");
    for (int b = 0; b < a; b++)
      ck_assert_str_ne(sp_incident_name((sp_incident_kind)a),
                       sp_incident_name((sp_incident_kind)b));
  }
}
END_TEST

/* Neighbours in the table with one clause make one Check case. */
static void add_expected(Suite *suite) {
  size_t n = sizeof expected / sizeof *expected;
  for (size_t first = 0, end; first < n; first = end) {
    for (end = first + 1; end < n; end++)
      if (strcmp(expected[first].clause, expected[end].clause) != 0) break;
    host_add(suite, expected[first].clause, is_accused_of_its_misdeed, first, end);
  }
}

Suite *suite_host(void) {
  Suite *suite = suite_create("host");
  add_expected(suite);
  host_add(suite, "KC-5", correct_kernel_is_not_accused, 0, SP_N_OPS);
  host_add(suite, "KC-5", generated_cases_accuse_nobody, 0, 1);
  host_add(suite, "KC-8", late_strike_is_told, 0, 1);
  host_add(suite, "KC-8", incidents_have_names, 0, 1);
  return suite;
}
