/* SPDX-License-Identifier: Apache-2.0 */
/* Null kernels: they compute nothing of what is asked for. A set of cases on which one of them
 * survives shows nothing about anybody. tests: CT-5 SM-2 SM-4 AL-2 AT-3 KC-5 */
#include "certify/museum/exhibit.h"

static void zeros(const sp_row *row, sp_answer *answer) {
  (void)row;
  for (uint64_t c = 0; c < answer->n_value; c++) answer->value[c] = 0;
  answer->lse_keys = answer->lse_total = 0;
}
static const sp_hooks zeros_0_hooks = {.answer = zeros};
SP_EXHIBIT(zeros_0, '0', "0-zeros", .clause = "SM-2", .summary = "every output is 0", .cite = "",
           .reveals = "any row that is not empty", .ops = SP_IN_ALL, .min_n = 1);

static void nans(const sp_row *row, sp_answer *answer) {
  (void)row;
  for (uint64_t c = 0; c < answer->n_value; c++) answer->value[c] = (double)NAN;
  answer->lse_keys = answer->lse_total = (double)NAN;
}
static const sp_hooks nans_0_hooks = {.answer = nans};
SP_EXHIBIT(nans_0, '0', "0-nan", .clause = "SM-2", .summary = "every output is NaN", .cite = "",
           .reveals = "any valid row", .ops = SP_IN_ALL, .min_n = 1);

static double equal(const sp_row *row, uint64_t j) {
  return sp_base_logit(row, j) == -INFINITY ? -INFINITY : 0;
}
static const sp_hooks uniform_0_hooks = {.logit = equal, .fold = sp_hook_no_fold};
SP_EXHIBIT(uniform_0, '0', "0-uniform", .clause = "SM-2",
           .summary = "every visible key has the same weight", .cite = "",
           .reveals = "different logits", .ops = SP_IN_ALL, .min_n = 2);

static double also_masked(const sp_row *row, uint64_t j) {
  (void)row, (void)j;
  return 0;
}
static const sp_hooks constant_0_hooks = {.logit = also_masked,
                                          .masked = also_masked,
                                          .value = sp_hook_clean_value,
                                          .fold = sp_hook_no_fold};
SP_EXHIBIT(constant_0, '0', "0-constant", .clause = "AT-3",
           .summary = "every key, masked or not, has weight 1 / n", .cite = "",
           .reveals = "different logits, or a mask", .ops = SP_IN_ALL, .min_n = 2);

/* The answer of the row before, kept across calls. */
static void previous(const sp_row *row, sp_answer *answer) {
  enum { ROOM = 1024 };
  static double kept[ROOM], kept_keys, kept_total;
  (void)row;
  for (uint64_t c = 0; c < answer->n_value && c < ROOM; c++) {
    double x = answer->value[c];
    answer->value[c] = kept[c];
    kept[c] = x;
  }
  double keys = answer->lse_keys, total = answer->lse_total;
  answer->lse_keys = kept_keys, answer->lse_total = kept_total;
  kept_keys = keys, kept_total = total;
}
static const sp_hooks previous_0_hooks = {.answer = previous};
SP_EXHIBIT(previous_0, '0', "0-previous-row", .clause = "AT-8",
           .summary = "the answer of the row before is returned", .cite = "",
           .reveals = "two rows with different answers", .ops = SP_IN_ALL, .min_n = 1);

static void copied(const sp_row *row, sp_answer *answer) {
  for (uint64_t c = 0; c < answer->n_value; c++)
    if (row->softmax)
      answer->value[c] = sp_row_load(row, &row->softmax->logits, row->i, 0, 0, c);
    else
      answer->value[c] = c < row->d_head ? row->q[c] : 0;
  answer->lse_keys = answer->lse_total = answer->n_value > 0 ? answer->value[0] : 0;
}
static const sp_hooks copied_0_hooks = {.answer = copied};
SP_EXHIBIT(copied_0, '0', "0-input-copied", .clause = "SM-2",
           .summary = "the logits, or q, are copied to the output", .cite = "",
           .reveals = "any row", .ops = SP_IN_ALL, .min_n = 1);

static void without_sink(sp_row *row) {
  row->sink_logit = -INFINITY;
}
static const sp_hooks no_sink_0_hooks = {.prepare = without_sink};
SP_EXHIBIT(no_sink_0, '0', "0-no-sink-logit", .clause = "AL-2",
           .summary = "the sink logit is ignored", .cite = "",
           .reveals = "a sink logit near the lse or above it", .ops = SP_IN_ALL,
           .needs = SP_OPT_SINK_LOGIT);

/* Only the first of the largest keys counts. */
static double hardest(const sp_row *row, double t) {
  (void)row;
  return t < 0 ? 0 : 1;
}
static const sp_hooks hardmax_0_hooks = {.exponential = hardest};
SP_EXHIBIT(hardmax_0, '0', "0-hardmax", .clause = "SM-2",
           .summary = "the largest keys share all the weight", .cite = "",
           .reveals = "logits within 16 of the maximum", .ops = SP_IN_ALL, .min_n = 2);

static double newest(const sp_row *row, uint64_t j) {
  for (uint64_t k = j + 1; k < row->n_kv; k++)
    if (sp_base_visible(row, k)) return -INFINITY;
  return sp_base_logit(row, j);
}
static const sp_hooks newest_0_hooks = {.logit = newest};
SP_EXHIBIT(newest_0, '0', "0-last-key-only", .clause = "SM-4",
           .summary = "only the last visible key counts", .cite = "", .reveals = "two or more keys",
           .ops = SP_IN_ALL, .min_n = 2);

static void unwritten(const sp_row *row, sp_answer *answer) {
  (void)row;
  answer->n_store = 0;
  answer->store_lse = false;
}
static const sp_hooks unwritten_0_hooks = {.answer = unwritten};
SP_EXHIBIT(unwritten_0, '0', "0-nothing-written", .clause = "KC-5",
           .summary = "the call succeeds and writes nothing", .cite = "", .reveals = "any row",
           .ops = SP_IN_ALL, .min_n = 1);

const sp_exhibit *const sp_exhibits_null[] = {&zeros_0,    &nans_0,      &uniform_0, &constant_0,
                                              &previous_0, &copied_0,    &no_sink_0, &hardmax_0,
                                              &newest_0,   &unwritten_0, NULL};
