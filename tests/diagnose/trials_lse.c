/* SPDX-License-Identifier: Apache-2.0 */
/* Trials of the diagnosis: log-sum-exps that are the wrong one of two, or in the wrong base. */
#include "tests/asserts.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/diagnose/trials.h"

static void lse_times(const sp_case *c, sp_outputs *o, double x) {
  (void)c;
  diag_each(&o->lse_keys, diag_times, x);
  diag_each(&o->lse_total, diag_times, x);
}

/* 0: total := keys; 1: keys := total; 2: swap. */
static void lse_mix(const sp_case *c, sp_outputs *o, double x) {
  (void)c;
  for (size_t r = 0; r < o->lse_keys.count; r++) {
    double keys = sim_get(&o->lse_keys, r), total = sim_get(&o->lse_total, r);
    if (x != 0) sim_put(&o->lse_keys, r, total);
    if (x != 1) sim_put(&o->lse_total, r, keys);
  }
}

/* 0: less the maximum with the sink logit in it; 1: less that of the keys; 2: the maximum alone. */
static void lse_max(const sp_case *c, sp_outputs *o, double x) {
  for (size_t r = 0; r < o->lse_keys.count; r++) {
    double m = -INFINITY;
    for (size_t j = 0; j < c->n_kv; j++) m = fmax(m, sim_get(&c->logits, r * c->n_kv + j));
    double top = fmax(m, sim_get(&c->sink_logit, r));
    double keys = sim_get(&o->lse_keys, r), total = sim_get(&o->lse_total, r);
    sim_put(&o->lse_keys, r, x == 2 ? m : keys - m);
    sim_put(&o->lse_total, r, x == 2 ? top : total - (x == 0 ? top : m));
  }
}

static void empty_lse(const sp_case *c, sp_outputs *o, double x) {
  (void)c;
  for (size_t r = 0; r < o->lse_keys.count; r++)
    if (sim_get(&o->lse_keys, r) == -INFINITY) {
      sim_put(&o->lse_keys, r, x);
      sim_put(&o->lse_total, r, x);
    }
}

static const trial trials[] = {
    {"lse_total does not contain", diag_softmax, NULL, 0, lse_mix, 0},
    {"lse_keys contains the sink", diag_softmax, NULL, 0, lse_mix, 1},
    {"are swapped", diag_softmax, NULL, 0, lse_mix, 2},
    {"in base 2: a factor ln 2", diag_softmax, NULL, 0, lse_times, 1 / LN2},
    {"multiplied by ln 2, though", diag_plain, NULL, 0, lse_times, LN2},
    {"log-sum-exp has the wrong sign", diag_plain, NULL, 0, lse_times, -1},
    {"lacks the maximum that", diag_softmax, NULL, 0, lse_max, 0},
    {"lack the maximum over", diag_softmax, NULL, 0, lse_max, 1},
    {"is the maximum alone", diag_softmax, NULL, 0, lse_max, 2},
    {"is -inf whatever", diag_leading_empty, NULL, 0, empty_lse, -INFINITY},
    {"log-sum-exp of a row without a visible key is +inf", diag_leading_empty, NULL, 0, empty_lse,
     INFINITY},
    {"log-sum-exp of a row without a visible key is 0", diag_leading_empty, NULL, 0, empty_lse, 0},
    {"log-sum-exp of a row without a visible key is NaN", diag_leading_empty, NULL, 0, empty_lse,
     NAN},
};

trial_list trials_lse(void) {
  return (trial_list){trials, sizeof trials / sizeof trials[0]};
}
