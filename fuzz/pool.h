/* SPDX-License-Identifier: Apache-2.0 */
/* Memory for GMP and MPFR. The oracle asks for thousands of small blocks for each input, and under
 * AddressSanitizer each of them would pay for a recorded stack and a quarantine: half of the time.
 * The libraries are not instrumented, so nothing is lost by keeping their blocks on lists. */
#ifndef SINKPROOF_FUZZ_POOL_H
#define SINKPROOF_FUZZ_POOL_H

/* Before the first use of GMP or MPFR in this process. */
void sp_fuzz_pool_install(void);

#endif
