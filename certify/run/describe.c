/* SPDX-License-Identifier: Apache-2.0 */
/* A failing element in words: which one, what was got, what is accepted. spec: CT-1 */
#include <inttypes.h>
#include <stdio.h>

#include "certify/run/run.h"

static void describe_place(const sp_case *c, const sp_truth *truth, const sp_judgement *judgement,
                           char *place, size_t capacity) {
  const char *name = judgement->output == SP_OUT_LSE_KEYS    ? "lse_keys"
                     : judgement->output == SP_OUT_LSE_TOTAL ? "lse_total"
                     : c->op == SP_OP_SOFTMAX                ? "weights"
                                                             : "out";
  size_t n_out = truth->n_rows / (c->n_batch * c->n_heads);
  size_t h = judgement->row % c->n_heads, i = judgement->row / c->n_heads % n_out,
         b = judgement->row / c->n_heads / n_out;
  int n = c->op == SP_OP_SOFTMAX ? snprintf(place, capacity, "%s[%zu]", name, i)
                                 : snprintf(place, capacity, "%s[%zu][%zu][%zu]", name, b, i, h);
  if (judgement->output == SP_OUT_VALUES && n > 0 && (size_t)n < capacity)
    snprintf(place + n, capacity - (size_t)n, "[%zu]", judgement->element);
}

static void describe_visible(const sp_judgement *judgement, char *text, size_t capacity) {
  snprintf(text, capacity,
           "visible list %zu is wrong at entry %zu: got %.0f, expected %.0f (-1: no entry)",
           judgement->row, judgement->element, judgement->got, judgement->accept.exact);
}

void sp_describe_judgement(const sp_case *c, const sp_truth *truth, const sp_judgement *judgement,
                           char *text, size_t capacity) {
  if (judgement->output == SP_OUT_VISIBLE) {
    describe_visible(judgement, text, capacity);
    return;
  }
  char place[96];
  describe_place(c, truth, judgement, place, sizeof place);
  const sp_accept *accept = &judgement->accept;
  int n = snprintf(text, capacity, "%s = %a (%.9g), ", place, judgement->got, judgement->got);
  if (n < 0 || (size_t)n >= capacity) return;
  char *rest = text + n;
  size_t left = capacity - (size_t)n;
  if (accept->kind == SP_ACCEPT_NAN)
    snprintf(rest, left, "only NaN is accepted");
  else if (accept->kind == SP_ACCEPT_EXACT)
    snprintf(rest, left, "only %a (%.9g) is accepted", accept->in_lo, accept->in_lo);
  else
    snprintf(rest, left, "accepted [%a, %a], exact %.9g; %" PRIu64 " of %" PRIu64 " elements fail",
             accept->in_lo, accept->in_hi, accept->exact, judgement->n_failed,
             judgement->n_elements);
}
