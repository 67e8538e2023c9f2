/* SPDX-License-Identifier: Apache-2.0 */
/* What the reports of the benchmark share. */
#ifndef SINKPROOF_BENCH_REPORT_H
#define SINKPROOF_BENCH_REPORT_H

#include "certify/bench/bench.h"

/* What is said of a result in a word or two: "ok", "FAILS CLASS", "not offered", … */
const char *sp_bench_mark(const sp_bench *bench, const sp_bench_result *result);

/* The results of one shape and number of threads, which begin at `first`, fastest first. */
size_t sp_bench_block(const sp_bench *bench, size_t first, const sp_bench_result *block[]);

/* "0.163 ns/el" or "78.0 GFLOP/s"; "201.0 us". */
void sp_bench_rate(const sp_bench_shape *shape, double seconds, char *text, size_t capacity);
void sp_bench_time(double seconds, char *text, size_t capacity);

void sp_bench_limits_table(FILE *file, const sp_bench *bench);

#endif
