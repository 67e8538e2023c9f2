/* SPDX-License-Identifier: Apache-2.0 */
/* From one row of the oracle to the elements of a caller's tensors. spec: NU-2, KC-5 */
#include "ref/heads.h"

#include "ref/operations.h"

void sp_ref_write_row(sp_ref_rounder *rounder, const sp_ref_row_input *in,
                      const sp_ref_target *target, double *out_row) {
  double lse_keys, lse_total;
  const bool want_keys = sp_ref_wanted_out(target->lse_keys);
  const bool want_total = sp_ref_wanted_out(target->lse_total);
  const sp_ref_wanted wanted = {
      .format = target->out->dtype,
      .out = sp_ref_wanted_out(target->out) ? out_row : NULL,
      .lse_format = want_keys ? target->lse_keys->dtype : target->lse_total->dtype,
      .lse_keys = want_keys ? &lse_keys : NULL,
      .lse_total = want_total ? &lse_total : NULL,
  };
  (void)sp_ref_rounder_row(rounder, in, SP_REF_KERNEL_MAX_PREC, &wanted);
  sp_ref_store_row(target->out, target->a, target->b, target->h, out_row, in->d_value);
  sp_ref_store_row(target->lse_keys, target->a, target->b, target->h, &lse_keys, 1);
  sp_ref_store_row(target->lse_total, target->a, target->b, target->h, &lse_total, 1);
}
