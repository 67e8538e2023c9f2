/* SPDX-License-Identifier: Apache-2.0 */
/* FNV-1a over a case. Every field is fed by name, so padding bytes of structs cannot enter. */
#include "tests/case_bits.h"

#include <string.h>

static void feed(uint64_t *hash, const void *data, size_t length) {
  const unsigned char *byte = data;
  for (size_t i = 0; i < length; i++) *hash = (*hash ^ byte[i]) * 0x100000001b3u;
}

static void feed_u64(uint64_t *hash, uint64_t x) {
  feed(hash, &x, sizeof x);
}

static void feed_float(uint64_t *hash, float x) {
  feed(hash, &x, sizeof x);
}

static void feed_array(uint64_t *hash, const sp_array *array) {
  feed_u64(hash, array->bits != NULL);
  feed_u64(hash, array->dtype);
  feed_u64(hash, array->count);
  if (array->bits != NULL)
    feed(hash, array->bits, array->count * sp_ref_format_bytes(array->dtype));
}

static void feed_positions(uint64_t *hash, const int64_t *position, size_t count) {
  feed_u64(hash, position != NULL);
  if (position != NULL) feed(hash, position, count * sizeof *position);
}

static void feed_numbers(uint64_t *hash, const sp_case *c) {
  const uint64_t number[] = {(uint64_t)c->op,
                             c->seed,
                             c->index,
                             c->n_batch,
                             c->n_q,
                             c->n_kv,
                             c->n_heads,
                             c->n_kv_heads,
                             c->d_head,
                             c->d_value,
                             c->dtype_q,
                             c->dtype_kv,
                             c->causal,
                             c->window,
                             c->n_sink_tokens,
                             c->first_token,
                             c->want_weights,
                             c->want_lse_keys,
                             c->want_lse_total,
                             c->n_threads,
                             c->bias_batches,
                             c->bias_rows,
                             c->bias_heads,
                             c->n_steps,
                             c->layout.head_major,
                             c->layout.row_pad,
                             c->layout.guard_before,
                             c->layout.misalign,
                             c->layout.reversed,
                             c->layout.reach};
  feed(hash, number, sizeof number);
  feed_float(hash, c->scale);
  feed_float(hash, c->softcap);
  feed(hash, c->generator, strlen(c->generator) + 1);
  feed(hash, c->clause, strlen(c->clause) + 1);
}

/* Fields that came later enter where they are used: the digests of older cases hold. */
static void feed_stream(uint64_t *hash, const sp_case *c) {
  const uint64_t number[] = {c->n_sequences,  c->n_evict,   c->n_undo, c->position,
                             c->rope_pairing, c->rope_dims, 0};
  uint64_t used = 0;
  for (size_t i = 0; i < sizeof number / sizeof *number; i++) used |= number[i];
  if (used == 0) return;
  feed(hash, number, sizeof number);
  feed(hash, &c->rope_base, sizeof c->rope_base);
}

uint64_t case_digest(const sp_case *c) {
  uint64_t hash = 0xcbf29ce484222325u;
  feed_numbers(&hash, c);
  feed_array(&hash, &c->logits);
  feed_array(&hash, &c->q);
  feed_array(&hash, &c->k);
  feed_array(&hash, &c->v);
  feed_array(&hash, &c->sink_logit);
  feed_array(&hash, &c->key_bias);
  feed_array(&hash, &c->alibi_slope);
  feed_array(&hash, &c->bias_k);
  feed_array(&hash, &c->bias_v);
  feed_positions(&hash, c->pos_q, c->n_q);
  feed_positions(&hash, c->pos_k, c->n_kv);
  feed_stream(&hash, c);
  for (size_t s = 0; s < c->n_steps; s++) {
    feed_u64(&hash, (uint64_t)c->script[s].kind);
    feed_u64(&hash, c->script[s].n_tokens);
    feed_u64(&hash, c->script[s].with_queries);
    if (c->script[s].sequence > 0) feed_u64(&hash, c->script[s].sequence);
  }
  return hash;
}

sp_generator_request request_of(const sp_generator *generator, sp_op op, uint64_t index,
                                uint64_t options, uint32_t dtypes) {
  return (sp_generator_request){.generator = generator->name,
                                .op = op,
                                .seed = 0x5eed,
                                .index = index,
                                .options = options,
                                .dtypes_softmax = dtypes,
                                .dtypes_q = dtypes,
                                .dtypes_kv = dtypes};
}

sp_generator_request request_all(const sp_generator *generator, sp_op op, uint64_t index) {
  return request_of(generator, op, index, ALL_OPTIONS, ALL_TYPES);
}
