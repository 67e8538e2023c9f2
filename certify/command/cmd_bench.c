/* SPDX-License-Identifier: Apache-2.0 */
/* sinkproof bench, of kernels in libraries. */
#include "certify/command/cli.h"

int sp_cmd_bench(int argc, char **argv) {
  return sp_bench_main(argc, argv, NULL);
}
