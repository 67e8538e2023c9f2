/* SPDX-License-Identifier: Apache-2.0 */
/* The museum and the honest kernels, judged by the naive second opinion on random cases of its own:
 * the correct kernel is accepted, every fault is caught in every operation that its card names with
 * no more options than its card needs, and no honest kernel is accused. All kernels run in the
 * host's child, since some faults write where they should not. tests: CT-5 */
#include "tests/asserts.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "certify/host/host.h"
#include "certify/museum/museum.h"
#include "tests/honest/honest.h"
#include "tests/honest/naive.h"

Suite *suite_museum(void);

static const uint64_t every_option = ((uint64_t)SP_OPT_BIAS_PER_HEAD << 1) - 1;
static const uint32_t f32 = SP_DTYPE_BIT(SP_F32), f64 = SP_DTYPE_BIT(SP_F64);
static const uint32_t halves = SP_DTYPE_BIT(SP_F16) | SP_DTYPE_BIT(SP_BF16);

static const sp_kernel *base_entry(uint32_t host_abi_major, uint32_t index) {
  return host_abi_major == SP_ABI_MAJOR && index == 0 ? sp_museum_base_kernel() : NULL;
}

static sp_host *open_host(sp_kernel_entry entry) {
  char why[240] = "";
  const sp_host_config config = {.entry = entry};
  sp_host *host = sp_host_open(&config, why, sizeof why);
  ck_assert_msg(host != NULL, "%s", why);
  return host;
}

typedef enum opinion { ACCEPTED, REFUSED, DECLINED } opinion;

/* What the naive judge says about a kernel on a case. Anything that the host has to report (a
 * crash, a byte outside, an unwritten element) is a refusal too. */
static opinion ask(sp_host *host, size_t kernel, const sp_case *c, double *budget, char *text) {
  sp_outputs out;
  sp_incident incident = {0};
  char path[32];
  ck_assert(sp_outputs_init(&out, c));
  bool ran = sp_host_run(host, kernel, c, true, &out, &incident, path);
  ck_assert_msg(ran, "host: %s", incident.text);
  bool clean = incident.kind == SP_INCIDENT_NONE;
  bool good =
      clean && sp_naive_accepts(c, &out, sp_host_kernel(host, kernel)->accuracy_class, budget);
  memcpy(text, incident.text, sizeof incident.text);
  sp_outputs_clear(&out);
  if (incident.kind == SP_INCIDENT_UNSUPPORTED) return DECLINED;
  return good ? ACCEPTED : REFUSED;
}

/* ---- the cards ---- */

static bool is_citation(const char *cite) {
  const char *slash = strchr(cite, '/'), *hash = strchr(cite, '#');
  if (!slash || !hash || slash == cite || hash < slash + 2 || strchr(slash + 1, '/')) return false;
  return hash[1] != '\0' && strspn(hash + 1, "0123456789") == strlen(hash + 1);
}

static bool is_name(const char *name) {
  for (; *name; name++)
    if (!isalnum((unsigned char)*name) && !strchr("._-", *name)) return false;
  return true;
}

static bool is_clause(const char *clause) {
  static const char *const families[] = {"SM", "AT", "AL", "EV", "NU", "KC"};
  for (size_t i = 0; i < sizeof families / sizeof *families; i++)
    if (strncmp(clause, families[i], 2) == 0)
      return clause[2] == '-' && strspn(clause + 3, "0123456789") == strlen(clause + 3);
  return false;
}

START_TEST(cards_are_well_formed) {
  size_t n;
  const sp_fault *faults = sp_faults(&n);
  ck_assert_uint_ge(n, 100);
  for (size_t i = 0; i < n; i++) {
    const sp_fault *f = &faults[i];
    ck_assert_msg(is_name(f->name) && f->name[0] == f->family, "%s", f->name);
    ck_assert_msg(is_clause(f->clause), "%s: clause %s", f->name, f->clause);
    ck_assert_msg(f->cite[0] == '\0' || is_citation(f->cite), "%s: cite %s", f->name, f->cite);
    ck_assert_msg(f->summary[0] && f->reveals[0], "%s", f->name);
    ck_assert_msg(f->ops && !(f->ops >> SP_N_OPS) && !(f->needs & ~every_option), "%s", f->name);
    for (size_t k = 0; k < i; k++) ck_assert_str_ne(f->name, faults[k].name);
    const sp_kernel *kernel = sp_museum_kernel(SP_ABI_MAJOR, (uint32_t)i);
    ck_assert_ptr_nonnull(kernel);
    ck_assert_str_eq(kernel->name, f->name);
  }
  ck_assert_ptr_null(sp_museum_kernel(SP_ABI_MAJOR, (uint32_t)n));
  ck_assert_ptr_null(sp_museum_kernel(SP_ABI_MAJOR + 1, 0));
}
END_TEST

START_TEST(every_class_is_on_show) {
  size_t n, cited = 0;
  const sp_fault *faults = sp_faults(&n);
  for (const char *family = "0ABCDEFGHIJK"; *family; family++) {
    size_t members = 0;
    for (size_t i = 0; i < n; i++) members += faults[i].family == *family;
    ck_assert_msg(members >= 7, "class %c has %zu", *family, members);
  }
  for (size_t i = 0; i < n; i++) cited += faults[i].cite[0] != '\0';
  ck_assert_uint_ge(cited, 90);
}
END_TEST

/* ---- kernels that are right ---- */

static void expect_accepted(sp_host *host, size_t kernel, sp_op op, uint32_t dtypes, unsigned n) {
  for (uint64_t seed = 0; seed < n; seed++) {
    sp_case c;
    char text[240];
    double budget = 0;
    /* A third of the cases with everything at once, the others with a few options. */
    uint64_t options =
        seed % 3 ? every_option & (seed * 0x9e3779b97f4a7c15 ^ seed << 7) : every_option;
    if (!sp_random_case(&c, op, options, dtypes, seed % 40 ? 0 : 130, seed)) continue;
    ck_assert_msg(ask(host, kernel, &c, &budget, text) != REFUSED,
                  "%s, op %d, types %u, seed %llu: %.3g of the allowance %s",
                  sp_host_kernel(host, kernel)->name, (int)op, dtypes, (unsigned long long)seed,
                  budget, text);
    sp_case_clear(&c);
  }
}

START_TEST(base_kernel_is_right) {
  sp_host *host = open_host(base_entry);
  for (int op = 0; op < SP_N_OPS; op++) {
    expect_accepted(host, 0, (sp_op)op, f32, 800);
    expect_accepted(host, 0, (sp_op)op, f32 | halves | f64, 800);
  }
  sp_host_close(host);
}
END_TEST

START_TEST(honest_kernels_are_not_accused) {
  sp_host *host = open_host(sp_honest_kernel);
  ck_assert_uint_ge(sp_host_count(host), 12);
  for (size_t k = 0; k < sp_host_count(host); k++) {
    const sp_kernel *kernel = sp_host_kernel(host, k);
    if (kernel->softmax) expect_accepted(host, k, SP_OP_SOFTMAX, f32 | halves, 200);
    if (kernel->attention) expect_accepted(host, k, SP_OP_ATTENTION, f32 | halves, 200);
    if (kernel->cache) expect_accepted(host, k, SP_OP_CACHE, f32 | halves, 400);
  }
  sp_host_close(host);
}
END_TEST

/* ---- kernels that are wrong ---- */

/* A random case that shows the fault, or NULL_SEED. */
static bool is_caught(sp_host *host, size_t index, const sp_fault *fault, sp_op op) {
  enum { TRIES = 2000 };
  uint32_t dtypes = fault->dtypes ? fault->dtypes : f32;
  for (uint64_t seed = 0; seed < TRIES; seed++) {
    sp_case c;
    char text[240];
    double budget = 0;
    if (!sp_random_case(&c, op, fault->needs, dtypes, (size_t)fault->min_n, seed)) continue;
    bool caught = ask(host, index, &c, &budget, text) == REFUSED;
    sp_case_clear(&c);
    if (caught) return true;
  }
  return false;
}

START_TEST(every_fault_is_caught) {
  size_t n;
  const sp_fault *faults = sp_faults(&n);
  sp_host *host = open_host(sp_museum_kernel);
  char missed[2000] = "";
  for (size_t i = 0; i < n; i++)
    for (int op = 0; op < SP_N_OPS; op++) {
      size_t used = strlen(missed);
      if ((faults[i].ops >> op & 1u) && !is_caught(host, i, &faults[i], (sp_op)op))
        snprintf(missed + used, sizeof missed - used, " %s (operation %d)", faults[i].name, op);
    }
  ck_assert_msg(missed[0] == '\0', "not seen:%s", missed);
  sp_host_close(host);
}
END_TEST

static void add(Suite *suite, const char *clause, const TTest *test, double seconds) {
  TCase *tcase = tcase_create(clause);
  tcase_set_timeout(tcase, seconds);
  tcase_add_test(tcase, test);
  suite_add_tcase(suite, tcase);
}

Suite *suite_museum(void) {
  Suite *suite = suite_create("museum");
  add(suite, "CT-5", cards_are_well_formed, 60);
  add(suite, "CT-5", every_class_is_on_show, 60);
  add(suite, "CT-5", base_kernel_is_right, 240);
  add(suite, "NU-5", honest_kernels_are_not_accused, 240);
  add(suite, "CT-5", every_fault_is_caught, 480);
  return suite;
}
