/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/mutate.h"

/* Lengths at which kernels change what they do: vectors, tiles, powers of two, and one beside. */
static uint16_t edge_size(sp_rng *rng) {
  static const uint16_t edge[] = {0, 1, 2, 4, 8, 16, 32, 48, 64, 96, 128, 192, 256};
  size_t n = edge[sp_rng_below(rng, sizeof edge / sizeof *edge)];
  n += sp_rng_below(rng, 3);
  n = n > 0 ? n - 1 : 0;
  if (sp_rng_one_in(rng, 24)) return (uint16_t)(sp_fuzz_size_code(400) + sp_rng_below(rng, 24));
  /* Longer rows cost a hundred times as much, and one error in a hundred needs them. */
  if (sp_rng_one_in(rng, 64)) return sp_fuzz_size_code(SP_FUZZ_HUGE_N + sp_rng_below(rng, 48));
  return sp_fuzz_size_code(n < SP_FUZZ_LARGE_N ? n : SP_FUZZ_LARGE_N);
}

static uint16_t near_size(uint16_t code, sp_rng *rng) {
  size_t n = sp_fuzz_size(code) + sp_rng_below(rng, 5);
  n = n > 2 ? n - 2 : 0;
  return sp_fuzz_size_code(n < SP_FUZZ_LARGE_N ? n : SP_FUZZ_LARGE_N);
}

/* Windows about as long as the row, as a tile, or at the ends of an integer type. */
static void change_window(sp_fuzz_header *h, sp_rng *rng) {
  static const uint64_t edge[] = {1, 2, 15, 16, 17, 32, 64, INT32_MAX, UINT32_MAX, INT64_MAX};
  size_t n = sp_fuzz_size(h->n_kv);
  h->window_kind = (uint8_t)sp_rng_below(rng, 4);
  uint64_t pick = sp_rng_below(rng, 3);
  h->window = edge[sp_rng_below(rng, sizeof edge / sizeof *edge)];
  if (pick == 0) h->window = n + sp_rng_below(rng, 3);
  if (pick == 1) h->window = 1 + sp_rng_below(rng, n + 1);
  h->window += h->window == 0;
}

static void change_sink_tokens(sp_fuzz_header *h, sp_rng *rng) {
  size_t n = sp_fuzz_size(h->n_kv);
  h->n_sink_tokens_kind = (uint8_t)sp_rng_below(rng, 4);
  h->n_sink_tokens = sp_rng_below(rng, sp_rng_one_in(rng, 4) ? n + 3 : 6);
}

static void change_first_token(sp_fuzz_header *h, sp_rng *rng) {
  static const uint64_t edge[] = {0,          1,         UINT16_MAX, INT32_MAX,
                                  UINT32_MAX, INT64_MAX, UINT64_MAX, UINT64_MAX - 70};
  h->first_token_kind = SP_FUZZ_EXACT;
  h->first_token = edge[sp_rng_below(rng, 8)];
  h->first_token -= sp_rng_below(rng, 8);
}

static void change_numbers(sp_fuzz_header *h, sp_rng *rng) {
  static const uint32_t scales[] = {
      0x3F800000u, /* 1 */ 0xBF800000u,    /* -1 */ 0x00000000u, /* 0 */
      0x3E000000u, /* 1/8 */ 0x3DB504F3u,                        /* 1/sqrt(128) */
      0x42000000u, /* 32 */ 0x3FB8AA3Bu,                         /* log2(e) */
      0x3F317218u, /* ln 2 */ 0x2F800000u, /* 2^-32 */ 0x00000001u};
  static const uint32_t softcaps[] = {0x41F00000u, /* 30 */ 0x42480000u, /* 50 */
                                      0x3F800000u, /* 1 */ 0x3DCCCCCDu,  /* 0.1 */
                                      0x00000000u, /* none */ 0x7149F2CAu /* 1e30 */};
  h->scale_kind = h->softcap_kind = 7;
  if (sp_rng_one_in(rng, 2))
    h->scale = scales[sp_rng_below(rng, sizeof scales / sizeof *scales)];
  else
    h->softcap = softcaps[sp_rng_below(rng, sizeof softcaps / sizeof *softcaps)];
}

static void change_heads(sp_fuzz_header *h, sp_rng *rng) {
  h->n_kv_heads = (uint8_t)sp_rng_below(rng, 4);
  h->group = (uint8_t)sp_rng_below(rng, 4);
  if (h->op % 3 == 0 || !sp_rng_one_in(rng, 6)) return;
  /* Many of them, or of the product of two, leave room for little else. */
  uint8_t *const many[] = {&h->n_kv_heads, &h->group, &h->n_batch};
  for (int i = 0; i < 2; i++) {
    uint8_t *which = many[sp_rng_below(rng, h->op % 3 == 1 ? 3 : 2)];
    *which = (uint8_t)(SP_FUZZ_MANY_CODE + sp_rng_below(rng, 4));
  }
  h->n_kv = sp_fuzz_size_code(1 + sp_rng_below(rng, 4) / 2);
  h->d_head = h->d_value = 0;
  if (h->op % 3 == 1) h->n_q = 0;
}

static uint8_t some_dim(sp_rng *rng) {
  static const uint16_t wide[] = {64, 72, 80, 96, 112, 128, 192, 256};
  if (sp_rng_one_in(rng, 6)) return sp_fuzz_dim_code(wide[sp_rng_below(rng, 8)]);
  return sp_fuzz_dim_code(1 + sp_rng_below(rng, sp_rng_one_in(rng, 4) ? SP_FUZZ_LARGE_D : 17));
}

static void change_dims(sp_fuzz_header *h, sp_rng *rng) {
  h->d_head = some_dim(rng);
  h->d_value = sp_rng_one_in(rng, 2) ? h->d_head : some_dim(rng);
}

/* About as many queries as keys, or enough long rows to fill a block of them. */
static void change_rows(sp_fuzz_header *h, sp_rng *rng) {
  h->n_q = near_size(h->n_kv, rng);
  if (h->op % 3 != 0 || !sp_rng_one_in(rng, 8)) return;
  h->n_q = sp_fuzz_size_code(15 + sp_rng_below(rng, 36));
  h->n_kv = sp_fuzz_size_code(128 + 128 * sp_rng_below(rng, 2) + sp_rng_below(rng, 3));
  if (!sp_rng_one_in(rng, 2)) return;
  h->n_q = sp_fuzz_size_code(255 + sp_rng_below(rng, 40));
  h->n_kv = sp_fuzz_size_code(1 + sp_rng_below(rng, 3));
}

static void change_layout(sp_fuzz_header *h, sp_rng *rng) {
  h->row_pad = (uint8_t)sp_rng_below(rng, 34);
  h->misalign = (uint8_t)sp_rng_below(rng, 64 + SP_FUZZ_REVERSED);
  h->flags ^= (uint16_t)(SP_FUZZ_HEAD_MAJOR * sp_rng_below(rng, 4)); /* and the guard's side */
}

static void change_fill(sp_fuzz_header *h, sp_rng *rng) {
  h->fill_seed = (uint16_t)sp_rng_next(rng);
  h->fill_range = (uint8_t)sp_rng_next(rng);
}

/* Which queries share a bias. */
static void change_bias_axes(sp_fuzz_header *h, sp_rng *rng) {
  h->flags |= SP_FUZZ_BIAS;
  h->stream = (uint8_t)sp_rng_below(rng, 4);
  if (h->stream & SP_FUZZ_BIAS_BATCHES) h->n_batch = (uint8_t)(1 + sp_rng_below(rng, 2));
  if (h->stream & SP_FUZZ_BIAS_HEADS) h->group = (uint8_t)(1 + sp_rng_below(rng, 2));
}

/* Sequences, undo, batches, positions: the bytes that a stream has them in. (fuzz/stream.c) */
static void change_stream(sp_fuzz_header *h, sp_rng *rng) {
  if (h->op % 3 == 1) change_bias_axes(h, rng);
  if (h->op % 3 != 2) return;
  h->stream = (uint8_t)(1 + sp_rng_below(rng, 63));
  uint64_t pick = sp_rng_below(rng, 3);
  uint64_t low = sp_rng_next(rng) % 256, high = sp_rng_below(rng, 8);
  if (pick != 1) h->n_batch = (uint8_t)(low % 4 + 4 * (high % 5));
  if (pick != 2) h->n_q = (uint16_t)(low + 256 * high);
}

void sp_fuzz_mutate_header(sp_fuzz_header *h, sp_rng *rng) {
  switch (sp_rng_below(rng, 19)) {
  case 0:
    h->n_kv = edge_size(rng);
    break;
  case 1:
    h->n_kv = near_size(h->n_kv, rng);
    break;
  case 2:
    h->n_q = sp_fuzz_size_code(sp_rng_below(rng, 6));
    break;
  case 3:
    change_rows(h, rng);
    break;
  case 4:
  case 5:
    h->flags ^= (uint16_t)(1u << sp_rng_below(rng, 15));
    break;
  case 6:
    change_window(h, rng);
    break;
  case 7:
    change_sink_tokens(h, rng);
    break;
  case 8:
    change_numbers(h, rng);
    break;
  case 9:
    change_heads(h, rng);
    break;
  case 10:
    change_dims(h, rng);
    break;
  case 11:
    change_layout(h, rng);
    break;
  case 12:
    h->dtype_q = (uint8_t)sp_rng_below(rng, 4);
    h->dtype_kv = sp_rng_one_in(rng, 2) ? h->dtype_q : (uint8_t)sp_rng_below(rng, 4);
    break;
  case 13:
    h->n_batch = (uint8_t)sp_rng_below(rng, 3);
    h->n_threads = (uint8_t)sp_rng_below(rng, 5);
    break;
  case 14:
    change_first_token(h, rng);
    h->n_steps = (uint8_t)sp_rng_below(rng, 200);
    break;
  case 15:
  case 16:
    change_stream(h, rng);
    break;
  case 17:
    h->raw_range = (uint8_t)sp_rng_next(rng);
    break;
  default:
    change_fill(h, rng);
  }
}
