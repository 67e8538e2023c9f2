/* SPDX-License-Identifier: Apache-2.0 */
/* What tensors and the bytes between them hold, before a call and after it.
 *
 * Outputs and everything beside them hold poison: quiet NaNs with a payload that no arithmetic
 * makes, so that an output that is read, skipped or copied shows. Gaps of inputs hold the default
 * NaN in run 0 and the largest finite number in run 1, since a kernel's maximum may swallow the
 * one and not the other. spec: KC-5, AT-3 */
#include "certify/host/arena.h"

#include <string.h>

static const uint64_t poison[2][5] = {
    [0] = {0xA5A5A5A5A5A5A5A5u, [SP_F32] = 0x7FD5A5A57FD5A5A5u, [SP_F64] = 0x7FFDA5A5A5A5A5A5u,
           [SP_F16] = 0x7ED57ED57ED57ED5u, [SP_BF16] = 0x7FD57FD57FD57FD5u},
    [1] = {0x5A5A5A5A5A5A5A5Au, [SP_F32] = 0xFFEA5A5AFFEA5A5Au, [SP_F64] = 0xFFFA5A5A5A5A5A5Au,
           [SP_F16] = 0xFF2AFF2AFF2AFF2Au, [SP_BF16] = 0xFFEAFFEAFFEAFFEAu}};

static const uint64_t hostile[2][5] = {
    [0] = {0x8000000000000001u, [SP_F32] = 0x7FC000007FC00000u, [SP_F64] = 0x7FF8000000000000u,
           [SP_F16] = 0x7E007E007E007E00u, [SP_BF16] = 0x7FC07FC07FC07FC0u},
    [1] = {0x7FFFFFFFFFFFFFFEu, [SP_F32] = 0x7F7FFFFF7F7FFFFFu, [SP_F64] = 0x7FEFFFFFFFFFFFFFu,
           [SP_F16] = 0x7BFF7BFF7BFF7BFFu, [SP_BF16] = 0x7F7F7F7F7F7F7F7Fu}};

uint64_t sp_poison(sp_dtype dtype, unsigned run) {
  return poison[run & 1][dtype <= SP_BF16 ? dtype : 0];
}

uint64_t sp_hostile(sp_dtype dtype, unsigned run) {
  return hostile[run & 1][dtype <= SP_BF16 ? dtype : 0];
}

bool sp_is_pattern(const void *bits, size_t index, size_t element, uint64_t word) {
  return memcmp((const unsigned char *)bits + index * element, &word, element) == 0;
}

static uint64_t word_of(const sp_tensor *t, unsigned run) {
  return t->writable ? sp_poison(t->dtype, run) : sp_hostile(t->dtype, run);
}

/* Bytes [from, to) repeat `word`, whose byte i belongs at offsets that are i modulo 8. */
static void fill(unsigned char *base, size_t from, size_t to, uint64_t word) {
  const unsigned char *bytes = (const unsigned char *)&word;
  for (; from < to && from % 8 != 0; from++) base[from] = bytes[from % 8];
  for (; from + 8 <= to; from += 8) memcpy(base + from, &word, 8);
  for (; from < to; from++) base[from] = bytes[from % 8];
}

static size_t find_other(const unsigned char *base, size_t from, size_t to, uint64_t word) {
  const unsigned char *bytes = (const unsigned char *)&word;
  for (; from < to && from % 8 != 0; from++)
    if (base[from] != bytes[from % 8]) return from;
  size_t whole = (to - from) / 8 * 8; /* bytes; such as repeat equal those that are 8 further on */
  if (whole > 0 && memcmp(base + from, &word, 8) == 0 &&
      memcmp(base + from, base + from + 8, whole - 8) == 0)
    from += whole;
  for (; from < to; from++)
    if (base[from] != bytes[from % 8]) return from;
  return SP_NO_CHANGE;
}

static size_t find_difference(const unsigned char *base, size_t from, const unsigned char *expected,
                              size_t bytes) {
  if (memcmp(base + from, expected, bytes) == 0) return SP_NO_CHANGE;
  size_t i = 0;
  while (base[from + i] == expected[i]) i++;
  return from + i;
}

/* Rows without gaps, in logical order, are one row. */
static bool is_one_piece(const sp_tensor *t) {
  return t->pad == 0 && !t->head_major && !t->reversed && sp_tensor_parts(t) == 1;
}

static size_t n_pieces(const sp_tensor *t) {
  return is_one_piece(t) ? 1 : sp_tensor_rows(t);
}

static size_t piece_bytes(const sp_tensor *t) {
  return is_one_piece(t) ? sp_tensor_extent(t) : t->length * t->element;
}

/* Offset of logical row r. */
static size_t piece_offset(const sp_tensor *t, size_t r) {
  if (r == 0) return t->data;
  size_t c = r % t->n[2];
  size_t b = r / t->n[2] % t->n[1];
  size_t a = r / t->n[2] / t->n[1];
  int64_t elements = (int64_t)a * sp_tensor_stride(t, 0) + (int64_t)b * sp_tensor_stride(t, 1) +
                     (int64_t)c * sp_tensor_stride(t, 2);
  return t->data + (size_t)elements * t->element;
}

/* The gap before row r of a part in memory order: r = 0 is the one before the data, r = rows that
 * behind. */
static void gap(const sp_tensor *t, size_t part, size_t r, size_t *from, size_t *to) {
  size_t rows = sp_tensor_rows(t) / sp_tensor_parts(t);
  size_t stride = (t->length + t->pad) * t->element;
  size_t at = part * sp_tensor_step(t);
  *from = at + (r == 0 ? t->page : t->start + (r - 1) * stride + t->length * t->element);
  *to = at + (r == rows ? t->page + t->bytes : t->start + r * stride);
}

static size_t n_gaps(const sp_tensor *t, size_t *step) {
  size_t rows = sp_tensor_rows(t) / sp_tensor_parts(t);
  *step = t->pad > 0 ? 1 : rows; /* without padding only the first and the last are not empty */
  return rows;
}

static void fill_gaps(const sp_arena *arena, const sp_tensor *t, uint64_t word) {
  size_t step, from, to;
  size_t last = n_gaps(t, &step);
  for (size_t part = 0; part < sp_tensor_parts(t); part++)
    for (size_t r = 0; r <= last; r += step) {
      gap(t, part, r, &from, &to);
      fill(arena->base, from, to, word);
    }
}

void sp_arena_fill(const sp_arena *arena, const sp_tensor *t, unsigned run) {
  if (t->bytes == 0) return;
  uint64_t word = word_of(t, run);
  if (t->writable) {
    for (size_t part = 0; part < sp_tensor_parts(t); part++) {
      size_t from = t->page + part * sp_tensor_step(t);
      fill(arena->base, from, from + t->bytes, word);
    }
    return;
  }
  fill_gaps(arena, t, word);
  size_t bytes = piece_bytes(t);
  for (size_t r = 0; r < n_pieces(t); r++)
    memcpy(arena->base + piece_offset(t, r), (const unsigned char *)t->packed + r * bytes, bytes);
}

size_t sp_arena_changed_gap(const sp_arena *arena, const sp_tensor *t, unsigned run) {
  if (t->bytes == 0) return SP_NO_CHANGE;
  size_t step, from, to;
  size_t last = n_gaps(t, &step);
  for (size_t part = 0; part < sp_tensor_parts(t); part++)
    for (size_t r = 0; r <= last; r += step) {
      gap(t, part, r, &from, &to);
      size_t changed = find_other(arena->base, from, to, word_of(t, run));
      if (changed != SP_NO_CHANGE) return changed;
    }
  return SP_NO_CHANGE;
}

/* An output that nobody wrote. */
static size_t changed_output(const sp_arena *arena, const sp_tensor *t, unsigned run) {
  for (size_t part = 0; part < sp_tensor_parts(t); part++) {
    size_t from = t->page + part * sp_tensor_step(t);
    size_t changed = find_other(arena->base, from, from + t->bytes, sp_poison(t->dtype, run));
    if (changed != SP_NO_CHANGE) return changed;
  }
  return SP_NO_CHANGE;
}

size_t sp_arena_changed(const sp_arena *arena, const sp_tensor *t, unsigned run) {
  if (t->bytes == 0) return SP_NO_CHANGE;
  if (t->writable) return changed_output(arena, t, run);
  size_t bytes = piece_bytes(t);
  for (size_t r = 0; r < n_pieces(t); r++) {
    const unsigned char *row = (const unsigned char *)t->packed + r * bytes;
    size_t changed = find_difference(arena->base, piece_offset(t, r), row, bytes);
    if (changed != SP_NO_CHANGE) return changed;
  }
  return sp_arena_changed_gap(arena, t, run);
}

void sp_arena_gather(const sp_arena *arena, const sp_tensor *t, void *packed) {
  if (t->bytes == 0) return;
  size_t bytes = piece_bytes(t);
  for (size_t r = 0; r < n_pieces(t); r++)
    memcpy((unsigned char *)packed + r * bytes, arena->base + piece_offset(t, r), bytes);
}
