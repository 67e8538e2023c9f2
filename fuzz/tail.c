/* SPDX-License-Identifier: Apache-2.0 */
/* What follows the header, as far as decoder and encoder must agree on it. */
#include "fuzz/decode.h"

#include "fuzz/element.h"

sp_fuzz_offer sp_fuzz_offer_all(void) {
  const uint32_t types =
      SP_DTYPE_BIT(SP_F32) | SP_DTYPE_BIT(SP_F64) | SP_DTYPE_BIT(SP_F16) | SP_DTYPE_BIT(SP_BF16);
  return (sp_fuzz_offer){.ops = (1u << SP_N_OPS) - 1,
                         .options = UINT64_MAX,
                         .dtypes_softmax = types,
                         .dtypes_q = types,
                         .dtypes_kv = types};
}

static uint32_t ops_of(const sp_kernel *kernel) {
  uint32_t ops = 0;
  if (kernel->softmax != NULL) ops |= 1u << SP_OP_SOFTMAX;
  if (kernel->attention != NULL) ops |= 1u << SP_OP_ATTENTION;
  if (kernel->cache != NULL) ops |= 1u << SP_OP_CACHE;
  return ops;
}

sp_fuzz_offer sp_fuzz_offer_of(const sp_kernel *const *kernel, size_t n, uint32_t ops) {
  sp_fuzz_offer offer = sp_fuzz_offer_all();
  offer.ops = ops;
  for (size_t i = 0; i < n; i++) {
    offer.ops &= ops_of(kernel[i]);
    offer.options &= kernel[i]->options;
    offer.dtypes_softmax &= kernel[i]->dtypes_softmax;
    offer.dtypes_q &= kernel[i]->dtypes_q;
    offer.dtypes_kv &= kernel[i]->dtypes_kv;
    uint64_t max_n = kernel[i]->max_n;
    if (max_n > 0 && (offer.max_n == 0 || max_n < offer.max_n)) offer.max_n = max_n;
  }
  /* An operation of no type is none. */
  if (offer.dtypes_softmax == 0) offer.ops &= ~(1u << SP_OP_SOFTMAX);
  if (offer.dtypes_q == 0 || offer.dtypes_kv == 0) offer.ops &= 1u << SP_OP_SOFTMAX;
  return offer;
}

sp_array *sp_fuzz_array(sp_case *c, int role) {
  sp_array *const arrays[SP_FUZZ_N_ROLES] = {
      [SP_FUZZ_SINK] = &c->sink_logit,
      [SP_FUZZ_KEY_BIAS] = &c->key_bias,
      [SP_FUZZ_SLOPE] = &c->alibi_slope,
      [SP_FUZZ_LOGIT] = &c->logits,
      [SP_FUZZ_Q] = &c->q,
      [SP_FUZZ_K] = &c->k,
      [SP_FUZZ_V] = &c->v,
      [SP_FUZZ_PAIR_K] = &c->bias_k,
      [SP_FUZZ_PAIR_V] = &c->bias_v,
  };
  return arrays[role];
}

/* Each row visits its keys once for the logit and the weight, and again for the output; the
 * elements of a head cost less than an exponential. A token of a stream sees no more than the
 * cache, and scripts ask for a part of the outputs only. */
size_t sp_fuzz_work(const sp_case *c) {
  enum { USUAL_CACHE = 24 };
  if (c->op == SP_OP_SOFTMAX) return c->n_q * (c->n_kv + 1);
  size_t per_key = 8 + (c->d_head + c->d_value) / 2;
  size_t rows = c->n_batch * c->n_q * c->n_heads;
  size_t keys = c->n_kv + 1;
  if (c->op == SP_OP_CACHE && keys > USUAL_CACHE) keys = USUAL_CACHE;
  return rows * keys * per_key / 8;
}

/* A kernel's main loop may need a block of long rows, or more rows than a byte counts, or a head as wide
 * as a model's. Few inputs ask
 * for them (fuzz/mutate.c), and those may cost more. */
bool sp_fuzz_is_block(size_t n_rows, size_t n) {
  return (n_rows > 16 && n >= 128) || (n_rows > 128 && n <= 3);
}

static size_t limit_of(const sp_case *c) {
  enum { ELEMENTS = 200, BLOCK = 6400, ATTENTION = 640, WIDE = 2400, STREAM = 1600 };
  if (c->op == SP_OP_SOFTMAX) return sp_fuzz_is_block(c->n_q, c->n_kv) ? BLOCK : ELEMENTS;
  if (c->op == SP_OP_CACHE) return STREAM;
  return c->d_head > SP_FUZZ_LARGE_D ? WIDE : ATTENTION;
}

/* Of rows that are long, and not the longest, there may be two: kernels cut them into parts in one
 * way where they are alone and in another where they are not. */
bool sp_fuzz_affordable(const sp_case *c) {
  size_t n_rows = c->n_batch * c->n_q * c->n_heads;
  size_t most = c->op == SP_OP_ATTENTION && c->n_kv < SP_FUZZ_HUGE_N ? 2 : 1;
  if (c->n_kv > SP_FUZZ_LARGE_N) return n_rows <= most && c->d_head + c->d_value <= 4;
  return (c->op == SP_OP_SOFTMAX && n_rows == 1) || sp_fuzz_work(c) <= limit_of(c);
}

/* ---- steps of a stream ---- */

enum { SMALL_BLOCK = 8, LARGE_BLOCK_CODE = 0xF000, FEW_STEPS = 24, MANY_STEPS_CODE = 192 };

/* The upper bits of the first byte, in inputs that know of sequences: which one (its upper bits are the
 * uppermost), and to take tokens back. */
enum { SEQUENCE_BIT = 3, TRUNCATE = 1 << 5, UPPER_BIT = 6 };

void sp_fuzz_step_read(sp_cache_step *step, const uint8_t bytes[SP_FUZZ_STEP_BYTES], bool streams) {
  static const sp_cache_step_kind kinds[8] = {SP_STEP_APPEND,  SP_STEP_APPEND, SP_STEP_APPEND,
                                              SP_STEP_APPEND,  SP_STEP_ATTEND, SP_STEP_ATTEND,
                                              SP_STEP_VISIBLE, SP_STEP_VISIBLE};
  size_t code = bytes[1] | (size_t)bytes[2] << 8;
  *step = (sp_cache_step){.kind = kinds[bytes[0] % 8]};
  if (streams)
    step->sequence = (bytes[0] >> SEQUENCE_BIT & 3u) | (size_t)(bytes[0] >> UPPER_BIT) << 2;
  if (streams && (bytes[0] & TRUNCATE)) step->kind = SP_STEP_TRUNCATE;
  if (step->kind != SP_STEP_APPEND && step->kind != SP_STEP_TRUNCATE) return;
  step->with_queries = step->kind == SP_STEP_APPEND && bytes[0] % 8 != 3;
  step->n_tokens = 1 + code % SMALL_BLOCK;
  if (code >= LARGE_BLOCK_CODE) step->n_tokens = 1 + (code - LARGE_BLOCK_CODE) % SP_FUZZ_LARGE_N;
}

bool sp_fuzz_step_write(const sp_cache_step *step, uint8_t bytes[SP_FUZZ_STEP_BYTES]) {
  size_t code = 0;
  bytes[0] = step->kind == SP_STEP_ATTEND ? 4 : 6;
  if (step->sequence >= SP_FUZZ_SEQUENCES) return false;
  if (step->kind == SP_STEP_APPEND || step->kind == SP_STEP_TRUNCATE) {
    if (step->n_tokens > SP_FUZZ_LARGE_N) return false;
    bytes[0] = step->kind == SP_STEP_TRUNCATE ? TRUNCATE : step->with_queries ? 0 : 3;
    code = step->n_tokens - 1;
    if (code >= SMALL_BLOCK) code += LARGE_BLOCK_CODE;
  }
  bytes[0] = (uint8_t)(bytes[0] | (step->sequence & 3u) << SEQUENCE_BIT |
                       step->sequence >> 2 << UPPER_BIT);
  bytes[1] = (uint8_t)code;
  bytes[2] = (uint8_t)(code >> 8);
  return true;
}

size_t sp_fuzz_n_steps(uint8_t code) {
  if (code < MANY_STEPS_CODE) return 1 + code % FEW_STEPS;
  return 1 + FEW_STEPS + (size_t)(code - MANY_STEPS_CODE);
}

bool sp_fuzz_n_steps_code(size_t n, uint8_t *code) {
  if (n == 0 || n > 1 + FEW_STEPS + UINT8_MAX - MANY_STEPS_CODE) return false;
  *code = (uint8_t)(n <= FEW_STEPS ? n - 1 : MANY_STEPS_CODE + n - 1 - FEW_STEPS);
  return true;
}
