/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and losing the child: libraries that cannot be loaded, what loading may change, what the
 * child prints and what it knows. tests: KC-1, KC-2, KC-6, KC-8 */
#include "tests/asserts.h"
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "certify/host/host_run.h"
#include "tests/host_fixture.h"

Suite *suite_host_load(void);

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
  setenv("EXPLOIT_AT_LOAD", loads[_i].at_load, 1);
  sp_host_config config = {.path = host_library_path(), .timeout_ms = 100};
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
  sp_host *host = host_library(0);
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
  host_stream(&c);
  host_run(host, "correct", &c, false, &incident, path);
  host_check(&incident, SP_INCIDENT_UNSUPPORTED, "not offered");
  sp_case_clear(&c);
  sp_host_close(host);
}
END_TEST

START_TEST(loading_may_not_flush_to_zero) {
  setenv("EXPLOIT_AT_LOAD", "ctor-ftz", 1);
  sp_host *host = host_library(0);
  sp_incident incident;
  sp_case c;
  char path[32];
  host_softmax(&c);
  for (int i = 0; i < 2; i++) {
    host_run(host, "correct", &c, false, &incident, path);
    host_check(&incident, SP_INCIDENT_FP_STATE, "loading the library: MXCSR");
  }
  sp_case_clear(&c);
  sp_host_close(host);
}
END_TEST

/* What a kernel prints is let through on request, and never without. */
START_TEST(output_is_kept_on_request) {
  char error[240], path[32], said[256] = "";
  int ends[2], out = dup(1), err = dup(2);
  sp_host_config config = {.path = host_library_path(), .keep_output = _i == 1};
  sp_incident incident;
  sp_case c;
  host_softmax(&c);
  ck_assert(pipe2(ends, O_NONBLOCK) == 0);
  ck_assert(dup2(ends[1], 1) == 1 && dup2(ends[1], 2) == 2);
  sp_host *host = sp_host_open(&config, error, sizeof error);
  ck_assert(dup2(out, 1) == 1 && dup2(err, 2) == 2);
  ck_assert_msg(host != NULL, "%s", error);
  host_run(host, "talks", &c, true, &incident, path);
  ssize_t n = read(ends[0], said, sizeof said - 1);
  ck_assert(n < (ssize_t)sizeof said);
  ck_assert_str_eq(said, _i == 1 ? "to stdout\nto stderr\n" : "");
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
  host_fill(&c->logits, n);
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
    host_check(&incident, SP_INCIDENT_NONE, "");
    ck_assert(!(sp_ref_load(SP_F32, outputs.values.bits, 0) > 0.0));
    sp_outputs_clear(&outputs);
    host_run(host, "spy", &crash, false, &incident, path);
    host_check(&incident, SP_INCIDENT_CRASH, "abort()");
  }
  sp_case_clear(&small);
  sp_case_clear(&crash);
  sp_host_close(host);
}
END_TEST

/* Not the kernel's fault, so not an incident; and no SIGPIPE for this program. */
START_TEST(lost_child_is_the_hosts_fault) {
  sp_host *host = host_library(0);
  sp_incident incident;
  sp_outputs outputs;
  sp_case c;
  char path[32];
  host_softmax(&c);
  ck_assert(sp_outputs_init(&outputs, &c));
  ck_assert_int_eq(kill(host->link.keeper, SIGKILL), 0);
  /* The worker dies with its keeper, but may have a call left in it. */
  for (int i = 0; i < 1000 && sp_host_run(host, 0, &c, false, &outputs, &incident, path); i++)
    usleep(1000);
  ck_assert(!sp_host_run(host, 0, &c, false, &outputs, &incident, path));
  ck_assert(incident.kind == SP_INCIDENT_NONE);
  ck_assert_str_ne(incident.text, "");
  sp_outputs_clear(&outputs);
  sp_case_clear(&c);
  sp_host_close(host);
}
END_TEST

static void add_loads(Suite *suite) {
  size_t n = sizeof loads / sizeof *loads;
  for (size_t i = 0; i < n; i++) host_add(suite, loads[i].clause, loading_is_refused, i, i + 1);
}

Suite *suite_host_load(void) {
  Suite *suite = suite_create("host_load");
  add_loads(suite);
  host_add(suite, "KC-1", absent_library_is_an_error, 0, 1);
  host_add(suite, "KC-2", short_descriptor_is_completed, 0, 1);
  host_add(suite, "KC-6", loading_may_not_flush_to_zero, 0, 1);
  host_add(suite, "KC-8", output_is_kept_on_request, 0, 2);
  host_add(suite, "KC-8", child_knows_no_answers, 0, 1);
  host_add(suite, "KC-8", lost_child_is_the_hosts_fault, 0, 1);
  return suite;
}
