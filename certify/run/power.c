/* SPDX-License-Identifier: Apache-2.0 */
/* Which faults of the museum a run must notice before its verdict counts. What the
 * claimed class then hides is found out, not assumed: certify/run/hidden.c. spec: CT-5 */
#include "certify/run/run.h"

/* Smoke runs leave the longest rows out, and with them what only those can show. */
static uint64_t longest_row(sp_level level) {
  return level == SP_LEVEL_SMOKE ? 8192 : UINT64_MAX;
}

/* Types in which the operations that show the fault are offered. */
static uint32_t dtypes_of(const sp_fault *fault, const sp_kernel *kernel) {
  bool rows = kernel->softmax && (fault->ops >> SP_OP_SOFTMAX & 1u);
  bool heads = (kernel->attention && (fault->ops >> SP_OP_ATTENTION & 1u)) ||
               (kernel->cache && (fault->ops >> SP_OP_CACHE & 1u));
  return (rows ? kernel->dtypes_softmax : 0) | (heads ? kernel->dtypes_q | kernel->dtypes_kv : 0);
}

bool sp_fault_applicable(const sp_fault *fault, const sp_kernel *kernel, const sp_tally *plan,
                         sp_level level) {
  if (fault->needs & ~kernel->options || fault->min_n > longest_row(level)) return false;
  if (kernel->max_n && fault->min_n > kernel->max_n) return false;
  if (fault->dtypes && !(fault->dtypes & dtypes_of(fault, kernel))) return false;
  if (fault->dtypes_kv && !(fault->dtypes_kv & kernel->dtypes_kv)) return false;
  for (size_t g = 0; g < plan->n_groups; g++) {
    const sp_group *group = &plan->groups[g];
    if (group->generator && (fault->ops >> group->op & 1u)) return true;
  }
  return false;
}

bool sp_power_suffices(const sp_report *report) {
  return report->n_killed == report->n_applicable &&
         report->n_killed > report->n_hidden + report->n_declined;
}
