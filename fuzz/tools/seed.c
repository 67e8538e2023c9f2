/* SPDX-License-Identifier: Apache-2.0 */
/* Seeds: the cases of every generator that a fuzz input can say in a thousand bytes or two, one
 * directory for each operation. Every generator is there for a hazard, so a campaign starts where
 * kernels have failed. usage: tool_seed DIRECTORY [cases of each generator and operation] */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "certify/gen/gen.h"
#include "fuzz/decode.h"
#include "fuzz/target.h"

enum { MAX_BYTES = 1600, TRIES = 400 };

const uint32_t sp_fuzz_target_ops = (1u << SP_N_OPS) - 1; /* for the mutator, which is not used */

static bool save(const char *directory, const char *op, const sp_case *c, const uint8_t *data,
                 size_t size) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s/%s-%llu", directory, op, c->generator,
           (unsigned long long)c->index);
  FILE *file = fopen(path, "wb");
  bool ok = file != NULL && fwrite(data, 1, size, file) == size;
  if (file == NULL || fclose(file) != 0) ok = false;
  if (!ok) perror(path);
  return ok;
}

/* The first cases of a generator that fit and that no other fits as well: small ones. */
static bool seeds_of(const sp_generator *generator, sp_op op, const char *directory,
                     const char *op_name, size_t wanted, size_t *n_saved) {
  const sp_fuzz_header like = {0};
  uint8_t data[MAX_BYTES];
  for (uint64_t index = 0; index < TRIES && wanted > 0; index++) {
    const sp_generator_request request = {.generator = generator->name,
                                          .op = op,
                                          .seed = 1,
                                          .index = index,
                                          .options = UINT64_MAX,
                                          .dtypes_softmax = 1u << SP_F32 | 1u << SP_BF16,
                                          .dtypes_q = 1u << SP_F32 | 1u << SP_F16,
                                          .dtypes_kv = 1u << SP_F32 | 1u << SP_F16,
                                          .max_n = 40};
    sp_case c;
    if (!sp_case_make(&c, &request)) continue;
    size_t size = sp_fuzz_encode(&c, &like, data, sizeof data);
    bool fits = size > 0 && sp_fuzz_decodes_to(&c, data, size);
    bool ok = !fits || save(directory, op_name, &c, data, size);
    sp_case_clear(&c);
    if (!ok) return false;
    wanted -= fits;
    *n_saved += fits;
  }
  return true;
}

/* Long rows, which are nothing but a header: the continuation makes their elements. */
static bool seed_long_row(const char *directory, sp_op op, const char *op_name) {
  uint8_t data[SP_FUZZ_HEADER_BYTES];
  const sp_case name = {.generator = "long-row"};
  sp_fuzz_header h = {.op = (uint8_t)op, .flags = SP_FUZZ_LSE_KEYS | SP_FUZZ_LSE_TOTAL};
  h.n_kv = sp_fuzz_size_code(SP_FUZZ_HUGE_N + 24);
  h.raw_range = h.fill_range = 1;
  sp_fuzz_header_write(&h, data);
  return save(directory, op_name, &name, data, sizeof data);
}

int main(int argc, char **argv) {
  static const char *const op_names[SP_N_OPS] = {"softmax", "attention", "cache"};
  size_t n = 0, n_saved = 0;
  const sp_generator *generators = sp_generators(&n);
  if (argc < 2) return 2;
  size_t wanted = argc > 2 ? strtoul(argv[2], NULL, 10) : 4;
  mkdir(argv[1], 0777);
  for (int op = 0; op < SP_N_OPS; op++) {
    char directory[4096];
    snprintf(directory, sizeof directory, "%s/%s", argv[1], op_names[op]);
    mkdir(directory, 0777);
    if (op != SP_OP_CACHE && !seed_long_row(argv[1], (sp_op)op, op_names[op])) return 1;
    for (size_t i = 0; i < n; i++) {
      if ((generators[i].ops >> op & 1u) == 0) continue;
      if (!seeds_of(&generators[i], (sp_op)op, argv[1], op_names[op], wanted, &n_saved)) return 1;
    }
  }
  printf("%zu seeds\n", n_saved);
  return n_saved == 0;
}
