/* SPDX-License-Identifier: Apache-2.0 */
/* The host against hostile kernels: each misdeed is one kernel of tests/exploits/, loaded as a real
 * shared library, and must be called by its name; kernels that do nothing wrong, however odd, must
 * not be accused; and after each of them the same host must serve the next case.
 * tests: KC-1, KC-2, KC-3, KC-4, KC-5, KC-6, KC-7, KC-8, KC-9, NU-12, EV-4, EV-6 */
#include <check.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "certify/gen.h"
#include "certify/host.h"
#include "certify/host_run.h"

Suite *suite_host(void);

enum { TIMEOUT_MS = 400 };

/* ---- the library, beside the test runner: …/bin/runner and …/lib/exploits.so ---- */

static char library[PATH_MAX + 32];

static void find_library(void) {
  char self[PATH_MAX] = "";
  const char *given = getenv("SP_EXPLOITS");
  ck_assert(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
  snprintf(library, sizeof library, "%s/../lib/exploits.so", dirname(self));
  if (given != NULL) snprintf(library, sizeof library, "%s", given);
}

static sp_host *open_library(size_t arena_bytes) {
  char error[240];
  find_library();
  sp_host_config config = {.path = library, .timeout_ms = TIMEOUT_MS, .arena_bytes = arena_bytes};
  sp_host *host = sp_host_open(&config, error, sizeof error);
  ck_assert_msg(host != NULL, "%s", error);
  return host;
}

static size_t find_kernel(const sp_host *host, const char *name) {
  for (size_t i = 0; i < sp_host_count(host); i++)
    if (strcmp(sp_host_kernel(host, i)->name, name) == 0) return i;
  ck_abort_msg("there is no exploit '%s'", name);
  return 0;
}

/* ---- cases ---- */

static void fill(sp_array *array, size_t count) {
  ck_assert(sp_array_alloc(array, SP_F32, count));
  for (size_t i = 0; i < count; i++)
    sp_ref_store(SP_F32, array->bits, i, (double)((i * 37 + 11) % 64) / 32.0 - 1.0);
}

static void make_softmax(sp_case *c) {
  sp_case_init(c, SP_OP_SOFTMAX);
  c->n_q = 3;
  c->n_kv = 5;
  c->want_lse_keys = c->want_lse_total = true;
  fill(&c->logits, 3 * 5);
  fill(&c->sink_logit, 3);
}

static void make_attention(sp_case *c) {
  sp_case_init(c, SP_OP_ATTENTION);
  c->n_batch = 2;
  c->n_q = c->bias_rows = 3;
  c->n_kv = 7;
  c->n_heads = 4;
  c->n_kv_heads = 2;
  c->d_head = 8;
  c->d_value = 6;
  c->window = 4;
  c->n_sink_tokens = 1;
  c->want_lse_keys = c->want_lse_total = true;
  fill(&c->q, 2 * 3 * 4 * 8);
  fill(&c->k, 2 * 7 * 2 * 8);
  fill(&c->v, 2 * 7 * 2 * 6);
  fill(&c->key_bias, 3 * 7);
  fill(&c->sink_logit, 4);
}

static void make_stream(sp_case *c) {
  static const sp_cache_step script[] = {{SP_STEP_APPEND, 3, true},  {SP_STEP_VISIBLE, 0, false},
                                         {SP_STEP_APPEND, 1, true},  {SP_STEP_ATTEND, 0, false},
                                         {SP_STEP_APPEND, 2, false}, {SP_STEP_APPEND, 4, true},
                                         {SP_STEP_VISIBLE, 0, false}};
  sp_case_init(c, SP_OP_CACHE);
  c->n_kv = c->n_q = 10;
  c->n_heads = 4;
  c->n_kv_heads = 2;
  c->d_head = c->d_value = 8;
  c->window = 3;
  c->n_sink_tokens = 2;
  c->first_token = 100;
  c->want_lse_total = true;
  fill(&c->q, 10 * 4 * 8);
  fill(&c->k, 10 * 2 * 8);
  fill(&c->v, 10 * 2 * 8);
  fill(&c->sink_logit, 4);
  c->n_steps = sizeof script / sizeof *script;
  c->script = malloc(sizeof script);
  ck_assert_ptr_nonnull(c->script);
  memcpy(c->script, script, sizeof script);
}

static void make(sp_case *c, sp_op op) {
  if (op == SP_OP_SOFTMAX) make_softmax(c);
  if (op == SP_OP_ATTENTION) make_attention(c);
  if (op == SP_OP_CACHE) make_stream(c);
  ck_assert_msg(sp_case_error(c) == NULL, "%s", sp_case_error(c));
}

/* ---- one exploit, one accusation ---- */

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

static void run(sp_host *host, const char *kernel, const sp_case *c, bool once,
                sp_incident *incident, char path[32]) {
  sp_outputs outputs;
  ck_assert(sp_outputs_init(&outputs, c));
  bool ok = sp_host_run(host, find_kernel(host, kernel), c, once, &outputs, incident, path);
  ck_assert_msg(ok, "%s", incident->text);
  sp_outputs_clear(&outputs);
}

static void check_incident(const sp_incident *incident, sp_incident_kind kind, const char *text) {
  ck_assert_msg(incident->kind == kind && strstr(incident->text, text) != NULL,
                "wanted %s '%s', got %s '%s'", sp_incident_name(kind), text,
                sp_incident_name(incident->kind), incident->text);
}

START_TEST(is_accused_of_its_misdeed) {
  const expectation *e = &expected[_i];
  sp_host *host = open_library(0);
  sp_incident incident;
  sp_case c;
  char path[32];
  make(&c, e->op);
  c.layout.row_pad = e->row_pad;
  c.n_threads = e->n_threads;
  run(host, e->kernel, &c, false, &incident, path);
  check_incident(&incident, e->kind, e->text);
  for (int i = 0; path[i] != '\0'; i++) ck_assert(path[i] >= 0x20 && path[i] <= 0x7E);
  /* The host has survived, and nothing of it sticks to the next kernel. */
  run(host, "correct", &c, false, &incident, path);
  check_incident(&incident, SP_INCIDENT_NONE, "");
  ck_assert_str_eq(path, "plain");
  sp_case_clear(&c);
  sp_host_close(host);
}
END_TEST

/* ---- a kernel that does nothing wrong ---- */

START_TEST(correct_kernel_is_not_accused) {
  sp_host *host = open_library(0);
  sp_incident incident;
  sp_outputs first, outputs;
  sp_case c;
  char path[32];
  make(&c, (sp_op)_i);
  ck_assert(sp_outputs_init(&first, &c) && sp_outputs_init(&outputs, &c));
  for (int l = 0; l < 16; l++) {
    sp_outputs *to = l == 0 ? &first : &outputs;
    c.layout = (sp_layout){.head_major = (l & 1) != 0,
                           .row_pad = l & 2 ? 5 : 0,
                           .guard_before = (l & 4) != 0,
                           .misalign = l & 8 ? 63 : 0};
    ck_assert(sp_host_run(host, 0, &c, false, to, &incident, path));
    check_incident(&incident, SP_INCIDENT_NONE, "");
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

/* A stream and the attention over the same tokens, as one kernel computes both, row by row in the
 * order of the script. tests: EV-4, EV-5 */
START_TEST(stream_is_the_attention_of_its_tokens) {
  static const size_t token[] = {0, 1, 2, 3, 3, 6, 7, 8, 9};
  enum { ROW = 4 * 8, N_ROWS = sizeof token / sizeof *token };
  sp_host *host = open_library(0);
  sp_incident incident;
  sp_outputs stream, whole;
  sp_case c;
  char path[32];
  make_stream(&c);
  ck_assert(sp_outputs_init(&stream, &c));
  ck_assert(sp_host_run(host, 0, &c, false, &stream, &incident, path));
  check_incident(&incident, SP_INCIDENT_NONE, "");
  c.op = SP_OP_ATTENTION;
  ck_assert(sp_outputs_init(&whole, &c));
  ck_assert(sp_host_run(host, 0, &c, false, &whole, &incident, path));
  check_incident(&incident, SP_INCIDENT_NONE, "");
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

/* Lists follow one another, each as long as it is. tests: EV-6 */
START_TEST(lists_are_collected_in_order) {
  static const uint64_t visible[] = {100, 101, 102, 100, 101, 107, 108, 109};
  sp_host *host = open_library(0);
  sp_incident incident;
  sp_outputs outputs;
  sp_case c;
  char path[32];
  make_stream(&c);
  ck_assert(sp_outputs_init(&outputs, &c));
  ck_assert(sp_host_run(host, 0, &c, false, &outputs, &incident, path));
  check_incident(&incident, SP_INCIDENT_NONE, "");
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
  sp_host *host = open_library(0);
  sp_incident incident;
  sp_outputs outputs;
  sp_case c;
  char path[32];
  make_stream(&c);
  c.n_steps = 2; /* append 3, visible */
  ck_assert(sp_outputs_init(&outputs, &c));
  ck_assert(
      sp_host_run(host, find_kernel(host, "stream-boasts"), &c, true, &outputs, &incident, path));
  check_incident(&incident, SP_INCIDENT_UNWRITTEN, "token 3 of 4 was not written");
  sp_outputs_clear(&outputs);
  sp_case_clear(&c);
  sp_host_close(host);
}
END_TEST

START_TEST(empty_tensors_have_an_address) {
  sp_host *host = open_library(0);
  sp_incident incident;
  sp_case c;
  char path[32];
  sp_case_init(&c, SP_OP_SOFTMAX);
  c.n_q = 2;
  c.n_kv = 0;
  c.want_lse_keys = c.want_lse_total = true;
  ck_assert(sp_array_alloc(&c.logits, SP_F32, 0));
  fill(&c.sink_logit, 2);
  run(host, "correct", &c, false, &incident, path);
  check_incident(&incident, SP_INCIDENT_NONE, "");
  run(host, "forgets-lse", &c, false, &incident, path);
  check_incident(&incident, SP_INCIDENT_UNWRITTEN, "lse_total[0]");
  sp_case_clear(&c);
  sp_host_close(host);
}
END_TEST

START_TEST(one_run_sees_what_it_can) {
  sp_host *host = open_library(0);
  sp_incident incident;
  sp_case c;
  char path[32];
  make_softmax(&c);
  run(host, "writes-nothing", &c, true, &incident, path);
  check_incident(&incident, SP_INCIDENT_UNWRITTEN, "weights[0][0]");
  run(host, "stale", &c, true, &incident, path);
  check_incident(&incident, SP_INCIDENT_NONE, "");
  run(host, "stale", &c, true, &incident, path);
  check_incident(&incident, SP_INCIDENT_UNWRITTEN, "weights[0][0]");
  sp_case_clear(&c);
  sp_host_close(host);
}
END_TEST

/* The arena of the host grows with the case, also when a worker is already running. */
START_TEST(memory_grows_with_the_case) {
  enum { N = 1 << 20 };
  sp_host *host = open_library(1 << 20);
  sp_incident incident;
  sp_case small, big;
  char path[32];
  make_softmax(&small);
  sp_case_init(&big, SP_OP_SOFTMAX);
  big.n_kv = N;
  fill(&big.logits, N);
  run(host, "correct", &small, false, &incident, path);
  check_incident(&incident, SP_INCIDENT_NONE, "");
  run(host, "correct", &big, false, &incident, path);
  check_incident(&incident, SP_INCIDENT_NONE, "");
  run(host, "past-end", &big, false, &incident, path);
  check_incident(&incident, SP_INCIDENT_WROTE_OUTSIDE, "element 1048576 of 1048576");
  sp_case_clear(&small);
  sp_case_clear(&big);
  sp_host_close(host);
}
END_TEST

/* No case that a generator makes brings an honest kernel into trouble. */
START_TEST(generated_cases_accuse_nobody) {
  sp_host *host = open_library(0);
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
        run(host, "correct", &c, false, &incident, path);
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
  sp_host *host = open_library(0);
  sp_incident incident;
  sp_case c;
  char path[32];
  make_softmax(&c);
  c.n_threads = 2;
  run(host, "late-pool", &c, true, &incident, path);
  check_incident(&incident, SP_INCIDENT_NONE, "");
  usleep(100000);
  run(host, "correct", &c, true, &incident, path);
  check_incident(&incident, SP_INCIDENT_CRASH,
                 "after softmax: SIGSEGV: wrote element 0 of weights after the call had returned, "
                 "in a thread of its own");
  run(host, "correct", &c, true, &incident, path);
  check_incident(&incident, SP_INCIDENT_NONE, "");
  sp_case_clear(&c);
  sp_host_close(host);
}
END_TEST

/* What a kernel prints is let through on request, and never without. */
START_TEST(output_is_kept_on_request) {
  char error[240], path[32], said[256] = "";
  int ends[2], out = dup(1), err = dup(2);
  sp_host_config config = {.path = library, .keep_output = _i == 1};
  sp_incident incident;
  sp_case c;
  find_library();
  make_softmax(&c);
  ck_assert(pipe2(ends, O_NONBLOCK) == 0);
  ck_assert(dup2(ends[1], 1) == 1 && dup2(ends[1], 2) == 2);
  sp_host *host = sp_host_open(&config, error, sizeof error);
  ck_assert(dup2(out, 1) == 1 && dup2(err, 2) == 2);
  ck_assert_msg(host != NULL, "%s", error);
  run(host, "talks", &c, true, &incident, path);
  ssize_t n = read(ends[0], said, sizeof said - 1);
  ck_assert(n < (ssize_t)sizeof said);
  ck_assert_str_eq(said, _i == 1 ? "to stdout\nto stderr\n" : "");
  sp_case_clear(&c);
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
    {"correct", X, SP_INCIDENT_NONE, ""},
    {"correct", A, SP_INCIDENT_NONE, ""},
    {"batch-varies", X, SP_INCIDENT_VARIES, "row 0 alone: element 0 of row 0 of values"},
    {"threads-vary", X, SP_INCIDENT_VARIES, "with n_threads 2 instead of 1"},
    {"queries-vary", A, SP_INCIDENT_VARIES, "query 0 of batch entry 0 alone"},
    {"entries-vary", A, SP_INCIDENT_VARIES, "batch entry 1 alone: element 0 of row 12"},
    {"hang", X, SP_INCIDENT_TIMEOUT, "softmax"},
    {"declines", X, SP_INCIDENT_NONE, ""}};

START_TEST(variance_is_found) {
  sp_host *host = open_library(0);
  sp_incident incident;
  sp_outputs outputs;
  sp_case c;
  char path[32];
  size_t kernel = find_kernel(host, variants[_i].kernel);
  make(&c, variants[_i].op);
  ck_assert(sp_outputs_init(&outputs, &c));
  ck_assert(sp_host_run(host, kernel, &c, false, &outputs, &incident, path));
  ck_assert(sp_host_check_variants(host, kernel, &c, &outputs, &incident));
  check_incident(&incident, variants[_i].kind, variants[_i].text);
  sp_outputs_clear(&outputs);
  sp_case_clear(&c);
  sp_host_close(host);
}
END_TEST

/* ---- illegal calls ---- */

/* The incidents of all illegal calls, counted by kind. */
static size_t count_illegal(const char *kernel, size_t counts[SP_INCIDENT_VARIES + 1]) {
  sp_host *host = open_library(0);
  sp_incident incident;
  const char *name;
  size_t which = 0;
  memset(counts, 0, (SP_INCIDENT_VARIES + 1) * sizeof *counts);
  for (; sp_host_run_illegal(host, find_kernel(host, kernel), which, &name, &incident); which++) {
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
  ck_assert_uint_eq(count_illegal("declines", counts), 3);
  ck_assert_uint_eq(counts[SP_INCIDENT_NONE], 3);
}
END_TEST

/* ---- loading ---- */

static const struct {
  const char *clause, *at_load, *error;
} loads[] = {{"KC-1", "size-zero", "descriptor of kernel 0 has the absurd size 0"},
             {"KC-1", "size-huge", "absurd size 2147483647"},
             {"KC-1", "abi", "built for version 2 of the interface; this is version 1"},
             {"KC-1", "no-name", "kernel 0 has no name"},
             {"KC-1", "empty-name", "name of kernel 0 is not"},
             {"KC-1", "bad-name", "name of kernel 0 is not"},
             {"KC-1", "wild-name", "loading the kernel: SIGSEGV: read through a wild pointer"},
             {"KC-1", "long-class", "accuracy class of kernel correct"},
             {"KC-1", "no-operation", "offers no operation"},
             {"KC-1", "half-cache", "lacks one of open, append, attend, visible, close"},
             {"KC-1", "none", "offers no kernel for interface version 1"},
             {"KC-1", "endless", "still returns a kernel after 1024"},
             {"KC-8", "ctor-crash", "loading the kernel: SIGSEGV: wrote through a null pointer"},
             {"KC-8", "ctor-hang", "loading the kernel: did not return"},
             {"KC-8", "ctor-exit", "loading the kernel: ended the process with exit status 0"}};

START_TEST(loading_is_refused) {
  char error[240] = "";
  find_library();
  setenv("EXPLOIT_AT_LOAD", loads[_i].at_load, 1);
  sp_host_config config = {.path = library, .timeout_ms = 100};
  ck_assert_ptr_null(sp_host_open(&config, error, sizeof error));
  ck_assert_msg(strstr(error, loads[_i].error) != NULL, "%s: '%s'", loads[_i].at_load, error);
}
END_TEST

START_TEST(absent_library_is_an_error) {
  char error[240] = "";
  Dl_info libc;
  sp_host_config config = {.path = "no/such/kernel.so"};
  ck_assert_ptr_null(sp_host_open(&config, error, sizeof error));
  ck_assert_ptr_nonnull(strstr(error, "no/such/kernel.so"));
  ck_assert(dladdr((void *)(uintptr_t)&printf, &libc) != 0);
  config.path = libc.dli_fname;
  ck_assert_ptr_null(sp_host_open(&config, error, sizeof error));
  ck_assert_msg(strstr(error, "sinkproof_kernel") != NULL, "%s", error);
}
END_TEST

/* A descriptor of an older interface ends where that ended; the rest is absent. */
START_TEST(short_descriptor_is_completed) {
  setenv("EXPLOIT_AT_LOAD", "short", 1);
  sp_host *host = open_library(0);
  const sp_kernel *kernel = sp_host_kernel(host, 0);
  ck_assert_uint_eq(sp_host_count(host), 1);
  ck_assert_ptr_null(sp_host_kernel(host, 1));
  ck_assert_str_eq(kernel->name, "correct");
  ck_assert_str_eq(kernel->version, "1.0");
  ck_assert_str_eq(kernel->accuracy_class, "w-seq");
  ck_assert(kernel->softmax != NULL && kernel->attention != NULL);
  ck_assert(kernel->cache == NULL && kernel->path == NULL);
  ck_assert_uint_eq(kernel->dtypes_kv, SP_DTYPE_BIT(SP_F32));
  sp_incident incident;
  sp_case c;
  char path[32];
  make_stream(&c);
  run(host, "correct", &c, false, &incident, path);
  check_incident(&incident, SP_INCIDENT_UNSUPPORTED, "not offered");
  sp_case_clear(&c);
  sp_host_close(host);
}
END_TEST

START_TEST(loading_may_not_flush_to_zero) {
  setenv("EXPLOIT_AT_LOAD", "ctor-ftz", 1);
  sp_host *host = open_library(0);
  sp_incident incident;
  sp_case c;
  char path[32];
  make_softmax(&c);
  for (int i = 0; i < 2; i++) {
    run(host, "correct", &c, false, &incident, path);
    check_incident(&incident, SP_INCIDENT_FP_STATE, "loading the library: MXCSR");
  }
  sp_case_clear(&c);
  sp_host_close(host);
}
END_TEST

/* ---- what the child knows, and what becomes of a lost one ---- */

/* A kernel in this program: its weights are what the oracle is pretended to have computed. */
static float secret;

static sp_status tell_secret(const sp_softmax_call *call) {
  float *weights = call->weights.data;
  if (call->n > 4) abort();
  for (uint64_t j = 0; j < call->n; j++) weights[j] = secret;
  return SP_OK;
}

static const sp_kernel *spy(uint32_t host_abi_major, uint32_t index) {
  static const sp_kernel kernel = {.size = sizeof kernel,
                                   .abi_major = SP_ABI_MAJOR,
                                   .name = "spy",
                                   .dtypes_softmax = SP_DTYPE_BIT(SP_F32),
                                   .softmax = tell_secret};
  return host_abi_major == SP_ABI_MAJOR && index == 0 ? &kernel : NULL;
}

static void small_softmax(sp_case *c, size_t n) {
  sp_case_init(c, SP_OP_SOFTMAX);
  c->n_kv = n;
  fill(&c->logits, n);
}

/* Neither the first child nor one that replaces it has seen what was computed after opening. */
START_TEST(child_knows_no_answers) {
  char error[240], path[32];
  sp_host_config config = {.entry = spy};
  sp_incident incident;
  sp_case small, crash;
  sp_host *host = sp_host_open(&config, error, sizeof error);
  ck_assert_msg(host != NULL, "%s", error);
  secret = 0.25F;
  small_softmax(&small, 4);
  small_softmax(&crash, 5);
  for (int i = 0; i < 2; i++) {
    sp_outputs outputs;
    ck_assert(sp_outputs_init(&outputs, &small));
    ck_assert(sp_host_run(host, 0, &small, false, &outputs, &incident, path));
    check_incident(&incident, SP_INCIDENT_NONE, "");
    ck_assert(!(sp_ref_load(SP_F32, outputs.values.bits, 0) > 0.0));
    sp_outputs_clear(&outputs);
    run(host, "spy", &crash, false, &incident, path);
    check_incident(&incident, SP_INCIDENT_CRASH, "abort()");
  }
  sp_case_clear(&small);
  sp_case_clear(&crash);
  sp_host_close(host);
}
END_TEST

/* Not the kernel's fault, so not an incident; and no SIGPIPE for this program. */
START_TEST(lost_child_is_the_hosts_fault) {
  sp_host *host = open_library(0);
  sp_incident incident;
  sp_outputs outputs;
  sp_case c;
  char path[32];
  make_softmax(&c);
  ck_assert(sp_outputs_init(&outputs, &c));
  ck_assert_int_eq(kill(host->link.keeper, SIGKILL), 0);
  ck_assert(!sp_host_run(host, 0, &c, false, &outputs, &incident, path));
  ck_assert(incident.kind == SP_INCIDENT_NONE);
  ck_assert_str_ne(incident.text, "");
  sp_outputs_clear(&outputs);
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

static void add(Suite *suite, const char *clause, const TTest *test, size_t first, size_t end) {
  TCase *tcase = tcase_create(clause);
  tcase_set_timeout(tcase, 60);
  tcase_add_loop_test(tcase, test, (int)first, (int)end);
  suite_add_tcase(suite, tcase);
}

/* Neighbours in the table with one clause make one Check case. */
static void add_expected(Suite *suite) {
  size_t n = sizeof expected / sizeof *expected;
  for (size_t first = 0, end; first < n; first = end) {
    for (end = first + 1; end < n; end++)
      if (strcmp(expected[first].clause, expected[end].clause) != 0) break;
    add(suite, expected[first].clause, is_accused_of_its_misdeed, first, end);
  }
}

static void add_loads(Suite *suite) {
  size_t n = sizeof loads / sizeof *loads;
  for (size_t i = 0; i < n; i++) add(suite, loads[i].clause, loading_is_refused, i, i + 1);
}

Suite *suite_host(void) {
  Suite *suite = suite_create("host");
  add_expected(suite);
  add_loads(suite);
  add(suite, "KC-1", absent_library_is_an_error, 0, 1);
  add(suite, "KC-2", short_descriptor_is_completed, 0, 1);
  add(suite, "KC-5", correct_kernel_is_not_accused, 0, SP_N_OPS);
  add(suite, "KC-5", empty_tensors_have_an_address, 0, 1);
  add(suite, "KC-5", one_run_sees_what_it_can, 0, 1);
  add(suite, "KC-5", memory_grows_with_the_case, 0, 1);
  add(suite, "EV-4", stream_is_the_attention_of_its_tokens, 0, 1);
  add(suite, "EV-6", lists_are_collected_in_order, 0, 1);
  add(suite, "EV-6", boastful_list_is_cut, 0, 1);
  add(suite, "KC-5", generated_cases_accuse_nobody, 0, 1);
  add(suite, "KC-8", late_strike_is_told, 0, 1);
  add(suite, "KC-8", output_is_kept_on_request, 0, 2);
  add(suite, "KC-6", loading_may_not_flush_to_zero, 0, 1);
  add(suite, "KC-7", illegal_calls_are_put, 0, 1);
  add(suite, "NU-12", variance_is_found, 0, sizeof variants / sizeof *variants);
  add(suite, "KC-8", child_knows_no_answers, 0, 1);
  add(suite, "KC-8", lost_child_is_the_hosts_fault, 0, 1);
  add(suite, "KC-8", incidents_have_names, 0, 1);
  return suite;
}
