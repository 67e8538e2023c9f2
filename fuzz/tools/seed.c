/* SPDX-License-Identifier: Apache-2.0 */
/* Seeds: the cases of every generator that a fuzz input can say in a thousand bytes or two, one
 * directory for each operation. Every generator is there for a hazard, so a campaign starts where
 * kernels have failed. usage: tool_seed DIRECTORY [cases of each generator and operation]
 *
 * DIRECTORY/bare is for those of no generator, each made for one place in the code. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "certify/gen/gen.h"
#include "certify/gen/tools.h"
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

/* Cases that are nothing but a header: the continuation makes their elements. No generator has them in
 * a thousand bytes: long rows, alone and two at a time, whole and with a window, for one thread and more;
 * and streams whose elements turn in pairs of neighbours. */
typedef struct bare {
  const char *name;
  sp_op op;
  uint16_t n_kv, n_q; /* sizes, not codes */
  uint8_t dtype, n_threads, d, stream;
  uint16_t window, n_sink_tokens; /* 0 = none */
} bare;

enum { F32, BF16, F16, ABS_NEIGHBOURS = 1 | 1 << 2 };
static const bare bares[] = {
    {"long-row", SP_OP_SOFTMAX, SP_FUZZ_HUGE_N + 24, 1, F32, 1, 1, 0, 0, 0},
    {"long-row-bf16-threads", SP_OP_SOFTMAX, SP_FUZZ_HUGE_N + 24, 1, BF16, 4, 1, 0, 0, 0},
    {"long-row", SP_OP_ATTENTION, SP_FUZZ_HUGE_N + 24, 1, F32, 1, 1, 0, 0, 0},
    {"long-rows", SP_OP_ATTENTION, 5000, 2, F32, 1, 1, 0, 0, 0},
    {"long-window", SP_OP_ATTENTION, 8193, 1, F32, 4, 1, 0, 5000, 3},
    {"neighbours-bf16", SP_OP_CACHE, 24, 24, BF16, 1, 16, ABS_NEIGHBOURS, 6, 2},
    {"neighbours-f16", SP_OP_CACHE, 24, 24, F16, 1, 16, ABS_NEIGHBOURS, 6, 2},
};

static bool seed_bare(const char *directory, const bare *b, const char *op_name) {
  uint8_t data[SP_FUZZ_HEADER_BYTES];
  const sp_case name = {.generator = b->name};
  sp_fuzz_header h = {.op = (uint8_t)b->op, .flags = SP_FUZZ_LSE_KEYS | SP_FUZZ_LSE_TOTAL};
  h.n_kv = sp_fuzz_size_code(b->n_kv);
  h.n_q = b->op == SP_OP_CACHE ? 0 : sp_fuzz_size_code(b->n_q - 1u);
  h.dtype_q = h.dtype_kv = b->dtype;
  h.n_threads = (uint8_t)(b->n_threads - 1);
  h.d_head = h.d_value = sp_fuzz_dim_code(b->d);
  h.stream = b->stream;
  h.window_kind = b->window > 0 ? SP_FUZZ_EXACT : SP_FUZZ_DEFAULT;
  h.window = b->window;
  h.n_sink_tokens_kind = SP_FUZZ_EXACT;
  h.n_sink_tokens = b->n_sink_tokens;
  h.n_steps = b->op == SP_OP_CACHE ? 23 : 0;
  h.raw_range = h.fill_range = 1;
  sp_fuzz_header_write(&h, data);
  return save(directory, op_name, &name, data, sizeof data);
}

static const sp_case midpoint = {.generator = "midpoint-alibi"};

/* Two keys as far before the query as behind it, alike, with neighbouring values: the output lies halfway
 * between two numbers of its format, which no precision decides. (NU-3) */
static bool make_midpoint(sp_case *c) {
  sp_case_init(c, SP_OP_ATTENTION);
  c->n_kv = 2;
  c->causal = false;
  c->d_head = c->d_value = 1;
  c->dtype_q = c->dtype_kv = SP_F32;
  c->pos_q = calloc(1, sizeof *c->pos_q);
  c->pos_k = calloc(2, sizeof *c->pos_k);
  bool ok = sp_array_alloc(&c->q, SP_F32, 1) && sp_array_alloc(&c->k, SP_F32, 2) &&
            sp_array_alloc(&c->v, SP_F32, 2) && sp_array_alloc(&c->alibi_slope, SP_F32, 1) &&
            c->pos_q != NULL && c->pos_k != NULL;
  if (!ok) return false;
  c->pos_q[0] = 1;
  c->pos_k[1] = 2;
  sp_gen_set(&c->q, 0, 1);
  sp_gen_set(&c->k, 0, 0.5);
  sp_gen_set(&c->k, 1, 0.5);
  sp_gen_set(&c->v, 0, 1);
  sp_gen_set(&c->v, 1, 1 + 0x1p-23);
  sp_gen_set(&c->alibi_slope, 0, 0.25);
  return true;
}

static bool seed_midpoint(const char *directory) {
  const sp_fuzz_header like = {0};
  uint8_t data[MAX_BYTES];
  sp_case c;
  size_t size = make_midpoint(&c) ? sp_fuzz_encode(&c, &like, data, sizeof data) : 0;
  bool ok = size > 0 && sp_fuzz_decodes_to(&c, data, size) &&
            save(directory, "attention", &midpoint, data, size);
  sp_case_clear(&c);
  return ok;
}

/* Nothing of these is left out when a corpus is reduced to what reaches new code. */
static bool seed_bares(const char *directory, const char *const op_names[]) {
  char bare_directory[4000], op_directory[4096];
  snprintf(bare_directory, sizeof bare_directory, "%s/bare", directory);
  mkdir(bare_directory, 0777);
  for (int op = 0; op < SP_N_OPS; op++) {
    snprintf(op_directory, sizeof op_directory, "%s/%s", bare_directory, op_names[op]);
    mkdir(op_directory, 0777);
  }
  for (size_t i = 0; i < sizeof bares / sizeof *bares; i++)
    if (!seed_bare(bare_directory, &bares[i], op_names[bares[i].op])) return false;
  return seed_midpoint(bare_directory);
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
    for (size_t i = 0; i < n; i++) {
      if ((generators[i].ops >> op & 1u) == 0) continue;
      if (!seeds_of(&generators[i], (sp_op)op, argv[1], op_names[op], wanted, &n_saved)) return 1;
    }
  }
  if (!seed_bares(argv[1], op_names)) return 1;
  printf("%zu seeds\n", n_saved);
  return n_saved == 0;
}
