/* SPDX-License-Identifier: Apache-2.0 */
/* A kernel that is wrong is found, one that is right is not; and what only the room sees: memory, the
 * floating-point environment, plans. tests: CT-1 CT-10 KC-5 NU-12 */
#include "tests/asserts.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "certify/host/fpstate.h"
#include "certify/museum/museum.h"
#include "fuzz/header.h"
#include "fuzz/ours.h"
#include "fuzz/plugin.h"
#include "sinkproof/fast.h"
#include "tests/fuzz_finds.h"
#include "tests/host_fixture.h"

Suite *suite_fuzz_room(void);

START_TEST(the_right_kernel_is_not_accused) {
  for (uint32_t op = 0; op < SP_N_OPS; op++)
    ck_assert(!fuzz_finds(sp_museum_base_kernel(), 1u << op, 300, NULL));
}
END_TEST

/* Faults that stay inside their memory: this process is not expendable. */
START_TEST(wrong_kernels_are_found) {
  static const char *const names[] = {"0-zeros", "0-nan", "0-uniform"};
  size_t n = 0, n_tried = 0;
  const sp_fault *faults = sp_faults(&n);
  for (size_t i = 0; i < n; i++)
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
      if (strcmp(faults[i].name, names[k]) != 0) continue;
      n_tried++;
      for (uint32_t op = 0; op < SP_N_OPS; op++)
        ck_assert_msg(fuzz_finds(sp_museum_kernel(SP_ABI_MAJOR, (uint32_t)i), 1u << op, 300, NULL),
                      "%s", names[k]);
    }
  ck_assert_uint_eq(n_tried, 3);
}
END_TEST

/* ---- what only the room sees ---- */

static const sp_kernel *honest;
static enum sabotage { NOTHING, SKIPS, WRITES_GAP, WRITES_DECLINED, ROUNDS_UP } sabotage;

static sp_status saboteur(const sp_softmax_call *call) {
  static sp_softmax_call copy;
  copy = *call;
  if (sabotage == WRITES_DECLINED) {
    if (call->lse_total.data) memset(call->lse_total.data, 0, 4);
    return SP_UNSUPPORTED;
  }
  if (sabotage == SKIPS) copy.lse_total.data = NULL;
  if (copy.weights.data == NULL && copy.lse_keys.data == NULL && copy.lse_total.data == NULL)
    return SP_OK;
  sp_status status = honest->softmax(&copy);
  if (sabotage == WRITES_GAP && call->n_rows > 1 && call->weights.data &&
      call->weights.stride[0] > (int64_t)call->n)
    memset((char *)call->weights.data + call->n * sp_ref_format_bytes(call->weights.dtype), 0, 2);
  if (sabotage == ROUNDS_UP) {
    sp_fp_state state = sp_fp_read();
    state.mxcsr |= 0x4000; /* towards plus infinity */
    sp_fp_write(state);
  }
  return status;
}

START_TEST(breaches_of_the_contract_are_found) {
  honest = sp_museum_base_kernel();
  sp_kernel kernel = *honest;
  kernel.softmax = saboteur;
  static const enum sabotage all[] = {SKIPS, WRITES_GAP, WRITES_DECLINED, ROUNDS_UP};
  sabotage = NOTHING;
  ck_assert(!fuzz_finds(&kernel, 1u << SP_OP_SOFTMAX, 300, NULL));
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    sabotage = all[i];
    ck_assert_msg(fuzz_finds(&kernel, 1u << SP_OP_SOFTMAX, 3000, NULL), "sabotage %d", (int)all[i]);
  }
}
END_TEST

/* ---- whom the targets ask ---- */

enum { N_TYPES = 4 }; /* codes of a type in a header */
static sp_fuzz_ours targets[SP_N_OPS] = {
    {.ops = 1u << SP_OP_SOFTMAX}, {.ops = 1u << SP_OP_ATTENTION}, {.ops = 1u << SP_OP_CACHE}};
static const sp_kernel *counted;
static size_t n_asked;

static sp_status count_softmax(const sp_softmax_call *call) {
  n_asked++;
  return counted->softmax(call);
}
static sp_status count_attention(const sp_attention_call *call) {
  n_asked++;
  return counted->attention(call);
}
static sp_status count_open(sp_cache **cache, const sp_cache_config *config) {
  n_asked++;
  return counted->cache->open(cache, config);
}

/* A bare header, these types, given to the target of `op`; and whether that asks its kernel `index`. */
static bool is_asked(sp_op op, size_t index, uint8_t dtype_q, uint8_t dtype_kv) {
  sp_fuzz_subject *subject = &targets[op].checker.subject[index];
  const sp_fuzz_header h = {
      .op = (uint8_t)op, .dtype_q = dtype_q, .dtype_kv = dtype_kv, .raw_range = 1, .fill_range = 1};
  uint8_t data[SP_FUZZ_HEADER_BYTES];
  counted = subject->kernel;
  sp_kernel kernel = *counted;
  sp_cache_ops cache = *counted->cache;
  cache.open = count_open;
  kernel.cache = &cache;
  if (kernel.softmax != NULL) kernel.softmax = count_softmax;
  if (kernel.attention != NULL) kernel.attention = count_attention;
  n_asked = 0;
  subject->kernel = &kernel;
  sp_fuzz_header_write(&h, data);
  (void)sp_fuzz_ours_input(&targets[op], data, sizeof data);
  subject->kernel = counted;
  return n_asked > 0;
}

/* One that takes few types neither narrows what the others are asked nor is left out. */
START_TEST(every_variant_is_asked_what_it_offers) {
  static const uint8_t empty[1];
  const sp_op op = (sp_op)_i;
  const sp_kernel *kernel;
  (void)sp_fuzz_ours_input(&targets[op], empty, 0); /* opens it */
  for (uint32_t i = 0; (kernel = sp_fast_kernel(SP_ABI_MAJOR, i)) != NULL; i++) {
    const uint32_t dtypes = op == SP_OP_SOFTMAX ? kernel->dtypes_softmax : kernel->dtypes_kv;
    int n_types = 0;
    ck_assert_uint_lt(i, targets[op].n_subjects);
    ck_assert_str_eq(targets[op].checker.subject[i].kernel->name, kernel->name);
    for (uint8_t type = 0; type < N_TYPES; type++) n_types += is_asked(op, i, type, type);
    ck_assert_msg((n_types > 0) == (dtypes != 0), "%s: asked with %d types", kernel->name, n_types);
  }
  kernel = sp_fast_kernel(SP_ABI_MAJOR, 0);
  ck_assert_uint_eq(targets[op].checker.offer.dtypes_softmax, kernel->dtypes_softmax);
  ck_assert_uint_eq(targets[op].checker.offer.dtypes_q, kernel->dtypes_q);
  ck_assert_uint_eq(targets[op].checker.offer.dtypes_kv, kernel->dtypes_kv);
}
END_TEST

/* ---- plans ---- */

/* A plan of attention that keeps the sink logits of the call that it was made from. */
typedef struct stale_plan {
  sp_attention_call call;
  float sink[64];
} stale_plan;

static sp_status prepare_stale(sp_prepared **prepared, const sp_attention_call *call) {
  if (call->n_heads > 64 || call->sink_logit.dtype != SP_F32) return SP_UNSUPPORTED;
  stale_plan *plan = calloc(1, sizeof *plan);
  if (plan == NULL) return SP_NOMEM;
  plan->call = *call;
  for (uint64_t h = 0; h < call->n_heads; h++)
    plan->sink[h] = ((const float *)call->sink_logit.data)[(int64_t)h * call->sink_logit.stride[2]];
  plan->call.sink_logit = (sp_in){.data = plan->sink, .stride = {0, 0, 1}, .dtype = SP_F32};
  *prepared = (sp_prepared *)(void *)plan;
  return SP_OK;
}

static sp_status run_stale(sp_prepared *prepared) {
  return honest->attention(&((stale_plan *)(void *)prepared)->call);
}

static void release_stale(sp_prepared *prepared) {
  free(prepared);
}

START_TEST(a_plan_that_keeps_the_sink_logit_is_found) {
  const sp_prepare_ops stale = {
      .size = sizeof stale, .attention = prepare_stale, .run = run_stale, .release = release_stale};
  sp_fuzz_finding finding;
  honest = sp_museum_base_kernel();
  sp_kernel kernel = *honest;
  kernel.prepare = &stale;
  ck_assert(fuzz_finds(&kernel, 1u << SP_OP_ATTENTION, 3000, &finding));
  ck_assert_msg(strstr(finding.text, "a plan") != NULL, "%s", finding.text);
}
END_TEST

static const struct {
  const char *name, *text; /* NULL: nothing is found */
} plans[] = {{"plan", NULL},
             {"plan-declines", NULL},
             {"plan-differs", "a plan: "},
             {"plan-once", "a plan that runs again: "},
             {"plan-early", "a plan: "},
             {"plan-fails", "status 4"},
             {"plan-nothing", "no plan"},
             {"plan-writes", "while a plan was made"}};

static void load(sp_fuzz_plugin *plugin, const char *name) {
  char what[4200];
  snprintf(what, sizeof what, "%s:%s", host_library_path(), name);
  ck_assert(sp_fuzz_plugin_load(plugin, what));
  plugin->kernel[0].accuracy_class = "w-seq:exp=-14"; /* how well it rounds is not the question */
}

START_TEST(plans_are_run) {
  static sp_fuzz_plugin plugin;
  sp_fuzz_finding finding;
  load(&plugin, plans[_i].name);
  bool found = fuzz_finds(&plugin.kernel[0], 1u << SP_OP_SOFTMAX, 300, &finding);
  ck_assert_msg(found == (plans[_i].text != NULL), "%s: %s", plans[_i].name, finding.text);
  if (found) ck_assert_msg(strstr(finding.text, plans[_i].text) != NULL, "%s", finding.text);
}
END_TEST

/* One that reads the struct it was made from dies of it, and this process with it. */
START_TEST(a_plan_that_keeps_the_struct_dies) {
  static sp_fuzz_plugin plugin;
  int status = 0;
  load(&plugin, "plan-keeps-struct");
  pid_t child = fork();
  ck_assert_int_ge(child, 0);
  if (child == 0) {
    close(STDERR_FILENO); /* of a sanitizer */
    (void)fuzz_finds(&plugin.kernel[0], 1u << SP_OP_SOFTMAX, 300, NULL);
    _exit(0);
  }
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  ck_assert(!WIFEXITED(status) || WEXITSTATUS(status) != 0);
}
END_TEST

static void add(Suite *suite, const char *clause, const TTest *test, int n) {
  TCase *tcase = tcase_create(clause);
  tcase_set_timeout(tcase, 120);
  tcase_add_loop_test(tcase, test, 0, n);
  suite_add_tcase(suite, tcase);
}

Suite *suite_fuzz_room(void) {
  Suite *suite = suite_create("fuzz_room");
  add(suite, "CT-1", the_right_kernel_is_not_accused, 1);
  add(suite, "CT-1", wrong_kernels_are_found, 1);
  add(suite, "KC-5", breaches_of_the_contract_are_found, 1);
  add(suite, "CT-10", every_variant_is_asked_what_it_offers, SP_N_OPS);
  add(suite, "NU-12", a_plan_that_keeps_the_sink_logit_is_found, 1);
  add(suite, "NU-12", plans_are_run, (int)(sizeof plans / sizeof *plans));
  add(suite, "KC-4", a_plan_that_keeps_the_struct_dies, 1);
  return suite;
}
