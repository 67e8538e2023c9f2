/* SPDX-License-Identifier: Apache-2.0 */
/* The benchmark as one static program with our own kernel in it, to be copied to another machine and
 * run there. Static programs cannot load libraries, so it times and judges this kernel only. */
#include "certify/command/cli.h"
#include "sinkproof/fast.h"

int main(int argc, char **argv) {
  return sp_bench_main(argc, argv, sp_fast_kernel);
}
