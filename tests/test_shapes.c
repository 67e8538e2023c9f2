/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels that serve some shapes only: what they declare is read and travels with each case, every
 * generator keeps to it, and a verdict on what they serve is as good as any. tests: KC-11, CT-5 */
#include "tests/asserts.h"
#include <stdlib.h>
#include <string.h>

#include "certify/host/worker.h"
#include "certify/run/run.h"
#include "tests/case_bits.h"

Suite *suite_shapes(void);

static const sp_shapes offers[] = {
    {.size = sizeof(sp_shapes), .dims = {{64, 64}}},
    {.size = sizeof(sp_shapes), .dims = {{128, 128}, {64, 64}}, .group = {8, 1}},
    {.size = sizeof(sp_shapes), .n_kv_multiple = 16, .group = {4}},
    {.size = sizeof(sp_shapes), .n_kv_multiple = 128, .dims = {{24, 16}}},
    {.size = sizeof(sp_shapes), .dims = {{5, 5}}, .group = {1}}};
enum { N_OFFERS = sizeof offers / sizeof *offers };

static void shape(sp_case *c, size_t n_kv, size_t n_heads, size_t d_head, size_t d_value) {
  sp_case_init(c, SP_OP_ATTENTION);
  c->n_kv = n_kv;
  c->n_heads = n_heads;
  c->d_head = d_head;
  c->d_value = d_value;
}

START_TEST(what_is_served) {
  sp_case c;
  shape(&c, 48, 8, 64, 64);
  ck_assert(sp_case_served(&c, NULL) && sp_case_served(&c, &(sp_shapes){0}));
  ck_assert(sp_case_served(&c, &offers[0]) && sp_case_served(&c, &offers[1]));
  ck_assert(!sp_case_served(&c, &offers[2]) && !sp_case_served(&c, &offers[4]));
  c.n_kv_heads = 2;
  ck_assert(sp_case_served(&c, &offers[2]) && !sp_case_served(&c, &offers[1]));
  c.n_kv = 49;
  ck_assert(!sp_case_served(&c, &offers[2]));
  shape(&c, 128, 1, 24, 16);
  ck_assert(sp_case_served(&c, &offers[3]));
  c.d_value = 24;
  ck_assert(!sp_case_served(&c, &offers[3]));
  c.op = SP_OP_SOFTMAX;
  ck_assert(sp_case_served(&c, &offers[3]));
}
END_TEST

/* The first cases of each generator for an offer, except the longest: those cost seconds. */
static bool is_long(const sp_generator *generator) {
  return strstr(generator->name, "long") != NULL || strcmp(generator->name, "large-n") == 0;
}

START_TEST(generators_keep_to_it) {
  size_t n = 0, made = 0, asked = 0;
  const sp_generator *list = sp_generators(&n);
  for (size_t g = 0; g < n; g++)
    for (int op = is_long(&list[g]) ? SP_N_OPS : SP_OP_ATTENTION; op <= SP_OP_CACHE; op++)
      for (uint64_t index = 0; index < 2 && (list[g].ops >> op & 1u); index++) {
        sp_generator_request request = request_all(&list[g], (sp_op)op, index);
        sp_case c;
        request.shapes = offers[_i];
        asked++;
        if (!sp_case_make(&c, &request)) continue;
        made++;
        ck_assert_msg(sp_case_served(&c, &request.shapes), "%s op %d index %d", list[g].name, op,
                      (int)index);
        const char *error = sp_case_error(&c);
        ck_assert_msg(error == NULL, "%s op %d index %d: %s", list[g].name, op, (int)index, error);
        sp_case_clear(&c);
      }
  ck_assert_msg(made * 10 >= asked * 9, "%zu of %zu", made, asked);
}
END_TEST

START_TEST(lines_carry_it) {
  sp_generator_request request = request_all(sp_generator_find("mixed"), SP_OP_ATTENTION, 5);
  sp_generator_request back = {0};
  sp_case c, again;
  char line[512], error[160] = "";
  request.shapes = offers[_i];
  ck_assert(sp_case_make(&c, &request));
  sp_case_line(&c, &request, line, sizeof line);
  ck_assert_msg(sp_case_parse_line(line, &back, error, sizeof error), "%s: %s", line, error);
  ck_assert_mem_eq(&back.shapes, &request.shapes, sizeof back.shapes);
  ck_assert(sp_case_make(&again, &back));
  ck_assert_uint_eq(case_digest(&again), case_digest(&c));
  sp_case_clear(&again);
  sp_case_clear(&c);
}
END_TEST

START_TEST(bad_lines_are_errors) {
  static const char *const bad[][2] = {
      {"dims=64", "'dims=64' is no list of up to 8 pairs like 64x64"},
      {"dims=64x", "is no list of up to 8 pairs"},
      {"dims=64x0", "is no list of up to 8 pairs"},
      {"dims=64x64x64", "is no list of up to 8 pairs"},
      {"dims=1x1,1x1,1x1,1x1,1x1,1x1,1x1,1x1,1x1", "is no list of up to 8 pairs"},
      {"groups=", "'groups=' is no list of up to 8 numbers above 0"},
      {"groups=1,", "is no list of up to 8 numbers"},
      {"groups=4x4", "is no list of up to 8 numbers"},
      {"groups=1,2,3,4,5,6,7,8,9", "is no list of up to 8 numbers"},
      {"n_kv_multiple=0", "'n_kv_multiple=0' is no 32-bit number above 0"}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    sp_generator_request request = {0};
    char error[160] = "";
    ck_assert_msg(!sp_case_parse_line(bad[i][0], &request, error, sizeof error), "%s", bad[i][0]);
    ck_assert_msg(strstr(error, bad[i][1]) != NULL, "'%s' instead of '%s'", error, bad[i][1]);
  }
}
END_TEST

/* ---- descriptors ---- */

static sp_status no_attention(const sp_attention_call *call) {
  (void)call;
  return SP_UNSUPPORTED;
}

START_TEST(descriptors_are_checked) {
  const sp_shapes good = {.size = sizeof good, .n_kv_multiple = 16, .dims = {{64, 64}}};
  static sp_load_report load;
  static sp_descriptor d;
  sp_kernel kernel, copy;
  sp_shapes shapes = good;
  kernel = (sp_kernel){.size = sizeof kernel,
                       .abi_major = SP_ABI_MAJOR,
                       .name = "k",
                       .accuracy_class = "w-seq",
                       .attention = no_attention,
                       .shapes = &shapes};
  ck_assert_msg(sp_worker_describe(&kernel, &copy, &d, &load, 0), "%s", load.error);
  ck_assert(d.limits_shapes && memcmp(&d.shapes, &good, sizeof good) == 0);
  /* One that ends before the field was invented limits nothing. */
  kernel.size = offsetof(sp_kernel, shapes);
  ck_assert(sp_worker_describe(&kernel, &copy, &d, &load, 0) && !d.limits_shapes);
  kernel.size = sizeof kernel;
  const struct {
    sp_shapes shapes;
    const char *error;
  } bad[] = {
      {{.size = 4}, "the shapes of kernel k have the absurd size 4"},
      {{.size = sizeof good, .dims = {{64, 32}}}, "dims[0] of kernel k is {64, 32}, without"},
      {{.size = sizeof good, .dims = {{64, 64}, {9, 0}}}, "dims[1] of kernel k is {9, 0}; each"},
      {{.size = sizeof good, .group = {1, 8}}, "group[1] of kernel k is 8, without SP_OPT_GQA"},
      {{.size = sizeof good, .n_kv_multiple = 5000}, "n_kv_multiple of kernel k is 5000, above"}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    shapes = bad[i].shapes;
    ck_assert(!sp_worker_describe(&kernel, &copy, &d, &load, 0));
    ck_assert_msg(strstr(load.error, bad[i].error) != NULL, "%s", load.error);
  }
}
END_TEST

/* ---- a run ---- */

static bool declares;
static float wrong_scale; /* 1 is right */

static sp_status narrow(const sp_attention_call *call) {
  sp_attention_call moved = *call;
  if (call->d_head != 10 || call->d_value != 10 || call->n_heads != 2 * call->n_kv_heads)
    return SP_UNSUPPORTED;
  moved.scale *= wrong_scale;
  return sp_museum_base_kernel()->attention(&moved);
}

static const sp_kernel *narrow_entry(uint32_t host_abi_major, uint32_t index) {
  static const sp_shapes shapes = {.size = sizeof shapes, .dims = {{10, 10}}, .group = {2}};
  static sp_kernel kernel;
  kernel = *sp_museum_base_kernel();
  kernel.name = "narrow";
  kernel.softmax = NULL;
  kernel.cache = NULL;
  kernel.attention = narrow;
  kernel.dtypes_q = kernel.dtypes_kv = SP_DTYPE_BIT(SP_F32);
  kernel.options = SP_OPT_SINK_LOGIT | SP_OPT_GQA;
  kernel.shapes = declares ? &shapes : NULL;
  return host_abi_major == SP_ABI_MAJOR && index == 0 ? &kernel : NULL;
}

static sp_exit certify(sp_report *report) {
  const sp_run_config config = {.entry = narrow_entry, .level = SP_LEVEL_SMOKE, .seed = 1};
  char error[240] = "";
  sp_exit status = SP_EXIT_CONFORMS;
  ck_assert_msg(sp_run(&config, report, &status, error, sizeof error), "%s", error);
  return report->exit;
}

static uint64_t n_declined(const sp_report *report) {
  uint64_t n = 0;
  for (size_t g = 0; g < report->tally->n_groups; g++) n += report->tally->groups[g].n_declined;
  return n;
}

/* Declared, the verdict is honest and nothing is declined; not declared, there is none. */
START_TEST(a_narrow_kernel_gets_a_verdict) {
  sp_report report;
  declares = true;
  wrong_scale = 1;
  sp_exit right = certify(&report);
  ck_assert_msg(right == SP_EXIT_CONFORMS, "%s", report.verdict);
  ck_assert_uint_eq(n_declined(&report), 0);
  ck_assert_uint_gt(report.n_killed, 40);
  sp_report_clear(&report);
  wrong_scale = 1.5F;
  ck_assert_int_eq(certify(&report), SP_EXIT_NOT_CONFORMING);
  sp_report_clear(&report);
  declares = false;
  wrong_scale = 1;
  ck_assert_int_eq(certify(&report), SP_EXIT_INCOMPLETE);
  ck_assert_uint_gt(n_declined(&report), 0);
  sp_report_clear(&report);
}
END_TEST

static void add(Suite *suite, const char *clause, const TTest *test, int n) {
  TCase *tcase = tcase_create(clause);
  tcase_set_timeout(tcase, 300);
  tcase_add_loop_test(tcase, test, 0, n);
  suite_add_tcase(suite, tcase);
}

Suite *suite_shapes(void) {
  Suite *suite = suite_create("shapes");
  add(suite, "KC-11", what_is_served, 1);
  add(suite, "KC-11", generators_keep_to_it, N_OFFERS);
  add(suite, "CT-4", lines_carry_it, N_OFFERS);
  add(suite, "CT-4", bad_lines_are_errors, 1);
  add(suite, "KC-11", descriptors_are_checked, 1);
  add(suite, "CT-5", a_narrow_kernel_gets_a_verdict, 1);
  return suite;
}
