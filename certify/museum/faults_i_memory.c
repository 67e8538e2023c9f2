/* SPDX-License-Identifier: Apache-2.0 */
/* Class I, second half: reads and writes where there is nothing to read or write. These touch
 * memory that is not theirs and may end the process; they are meant for a child between guard
 * pages. tests: KC-4 KC-5 KC-6 */
#include <fenv.h>
#include <string.h>

#include "certify/museum/exhibit.h"

static uint64_t round_up(uint64_t n) {
  return (n + 15) / 16 * 16;
}

/* Touch element `index` of a tensor, whatever is there. */
static void touch(const sp_in *in, int64_t index) {
  const volatile unsigned char *data = in->data;
  (void)data[index * (int64_t)sp_element_bytes(in->dtype)];
}

static void whole_vectors(sp_row *row) {
  if (row->n_kv == 0) return;
  if (row->softmax) {
    const sp_in *logits = &row->softmax->logits;
    touch(logits, (int64_t)row->i * logits->stride[0] + (int64_t)round_up(row->n_kv) - 1);
    return;
  }
  const sp_in *k = &row->attention->k;
  if (row->d_head == 0) return;
  touch(k, (int64_t)row->b * k->stride[0] + (int64_t)(row->n_kv - 1) * k->stride[1] +
               (int64_t)row->kv_head * k->stride[2] + (int64_t)round_up(row->d_head) - 1);
}
static const sp_hooks i7_hooks = {.prepare = whole_vectors};
SP_EXHIBIT(i7, 'I', "I7-reads-past-the-end", .clause = "KC-4",
           .summary =
               "the last row is loaded in whole vectors of 16, past the end of the tensor (out "
               "of bounds)",
           .cite = "ggml-org/llama.cpp#3194", .reveals = "data that end at an unmapped page",
           .ops = SP_IN_ROWS, .min_n = 1);

static bool last_row(const sp_row *row) {
  if (row->softmax) return row->i + 1 == row->softmax->n_rows;
  const sp_attention_call *call = row->attention;
  return row->b + 1 == call->n_batch && row->i + 1 == call->n_q && row->h + 1 == call->n_heads;
}

static void twice_as_wide(const sp_row *row, sp_answer *answer) {
  const sp_out *out = row->softmax ? &row->softmax->weights : &row->attention->out;
  size_t bytes = (size_t)answer->n_value * sp_element_bytes(out->dtype);
  if (!out->data || sp_element_bytes(out->dtype) != 2 || !last_row(row)) return;
  int64_t index = row->softmax
                      ? (int64_t)row->i * out->stride[0]
                      : (int64_t)row->b * out->stride[0] + (int64_t)row->i * out->stride[1] +
                            (int64_t)row->h * out->stride[2];
  memset((unsigned char *)out->data + index * 2, 0, 2 * bytes);
}
static const sp_hooks i8_hooks = {.answer = twice_as_wide};
SP_EXHIBIT(
    i8, 'I', "I8-writes-past-the-end", .clause = "KC-5",
    .summary = "16-bit output is stored with the 32-bit kernel: twice the bytes (out of bounds)",
    .cite = "google/XNNPACK#10467", .reveals = "16-bit output", .ops = SP_IN_ROWS, .min_n = 1,
    .dtypes = SP_DTYPES_16);

/* The element at the address of its row rounded down to 16 bytes, as some vector loads do. */
static double aligned_load(const sp_row *row, const sp_in *in, const uint64_t at[4]) {
  bool vector = row->softmax ? in == &row->softmax->logits
                             : in == &row->attention->q || in == &row->attention->k ||
                                   in == &row->attention->v;
  if (!vector) return sp_base_load(row, in, at);
  int64_t index = 0;
  for (int axis = 0; axis < 3; axis++) index += (int64_t)at[axis] * in->stride[axis];
  const unsigned char *start =
      (const unsigned char *)in->data + index * (int64_t)sp_element_bytes(in->dtype);
  return sp_element(in->dtype, start - (uintptr_t)start % 16, (int64_t)at[3]);
}
static const sp_hooks i9_hooks = {.load = aligned_load};
SP_EXHIBIT(
    i9, 'I', "I9-aligned-load", .clause = "KC-4",
    .summary = "rows are read with aligned loads, which round the address down (out of bounds)",
    .cite = "PaddlePaddle/Paddle#19487", .reveals = "rows that start off a 16-byte border",
    .ops = SP_IN_ROWS, .min_n = 1);

static void clear_input(const sp_row *row, sp_answer *answer) {
  const sp_in *in = row->softmax ? &row->softmax->logits : &row->attention->q;
  size_t bytes = sp_element_bytes(in->dtype);
  uint64_t width = row->softmax ? row->n_kv : row->d_head;
  (void)answer;
  if (width == 0 || !last_row(row)) return;
  unsigned char *at;
  memcpy(&at, &in->data, sizeof at);
  memset(at, 0, bytes);
}
static const sp_hooks i14_hooks = {.answer = clear_input};
SP_EXHIBIT(
    i14, 'I', "I14-writes-an-input", .clause = "KC-4",
    .summary = "the first input element is zeroed when the call is done (writes read-only data)",
    .cite = "ScalingIntelligence/KernelBench#82", .reveals = "read-only inputs", .ops = SP_IN_ROWS,
    .min_n = 1);

static void round_up_from_now_on(const sp_row *row, sp_answer *answer) {
  (void)row, (void)answer;
  fesetround(FE_UPWARD);
}
static const sp_hooks i16_hooks = {.answer = round_up_from_now_on};
SP_EXHIBIT(i16, 'I', "I16-rounding-mode-left-changed", .clause = "KC-6",
           .summary = "the rounding mode is upward when the call returns", .cite = "",
           .reveals = "any call", .ops = SP_IN_ALL, .min_n = 1);

static void whole_quads(const sp_row *row, sp_answer *answer) {
  (void)row;
  answer->n_store = answer->n_value - answer->n_value % 4;
}
static const sp_hooks i20_hooks = {.answer = whole_quads};
SP_EXHIBIT(i20, 'I', "I20-tail-not-stored", .clause = "KC-5",
           .summary = "the last n mod 4 elements of an output row are not written", .cite = "",
           .reveals = "output rows that are not a multiple of 4", .ops = SP_IN_ALL, .min_n = 1);

const sp_exhibit *const sp_exhibits_i_memory[] = {&i7, &i8, &i9, &i14, &i16, &i20, NULL};
