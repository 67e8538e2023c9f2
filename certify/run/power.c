/* SPDX-License-Identifier: Apache-2.0 */
/* Which faults of the museum a run must notice before its verdict counts. spec: CT-5 */
#include "certify/run/run.h"

/* A class that itself allows 16-bit rounding cannot tell a kernel that loses precision. */
static bool fine_class(const sp_class *cls) {
  const double fine = 0x1p-23;
  return cls->kind != SP_CLASS_MODEL ||
         (cls->u < fine && cls->u_acc < fine && cls->u_p < fine && cls->u_logit < fine &&
          cls->u_qk < fine && cls->eps_exp < 0x1p-18);
}

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

bool sp_fault_applicable(const sp_fault *fault, const sp_kernel *kernel, const sp_class *cls,
                         const sp_tally *plan, sp_level level) {
  if (fault->needs & ~kernel->options || fault->min_n > longest_row(level)) return false;
  if (kernel->max_n && fault->min_n > kernel->max_n) return false;
  if (fault->precision && !fine_class(cls)) return false;
  if (fault->dtypes && !(fault->dtypes & dtypes_of(fault, kernel))) return false;
  for (size_t g = 0; g < plan->n_groups; g++) {
    const sp_group *group = &plan->groups[g];
    if (group->generator && (fault->ops >> group->op & 1u)) return true;
  }
  return false;
}
