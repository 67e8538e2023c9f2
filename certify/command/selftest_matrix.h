/* SPDX-License-Identifier: Apache-2.0 */
/* sinkproof selftest --matrix: which generators reject which fault of the museum, how soon, and what only
 * one kind of comparison sees. */
#ifndef SINKPROOF_SELFTEST_MATRIX_H
#define SINKPROOF_SELFTEST_MATRIX_H

#include "certify/run/run.h"

/* Print it; the run had every_fault. */
void sp_print_matrix(const sp_report *report);

#endif
