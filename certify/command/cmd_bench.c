/* SPDX-License-Identifier: Apache-2.0 */
/* sinkproof bench, with JSON. A file of its own, because there is no static cJSON to link. */
#include "certify/bench/bench.h"
#include "certify/command/cli.h"

int sp_cmd_bench(int argc, char **argv) {
  return sp_bench_main(argc, argv, &(sp_bench_program){.json = sp_bench_json});
}
