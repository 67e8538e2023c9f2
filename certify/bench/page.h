/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of the benchmark's page. */
#ifndef SINKPROOF_BENCH_PAGE_H
#define SINKPROOF_BENCH_PAGE_H

#include "certify/bench/bench.h"

extern const char sp_page_style[];

enum { SP_PAGE_COLOURS = 10 }; /* --c0 … --c9 */

/* Text with what HTML takes for markup escaped. */
void sp_page_text(FILE *file, const char *text);

/* The colour of a contender, from 0 on. Kernels of one library that differ in their type only never
 * meet on a shape: they share one. */
size_t sp_page_colour(const sp_bench *bench, size_t contender);
void sp_page_family(FILE *file, const sp_contender *contender); /* its name without the type */

/* certify/bench/page_roofline.c: the roofline of the first number of threads, as an SVG. */
void sp_page_roofline(FILE *file, const sp_bench *bench);

#endif
