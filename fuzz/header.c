/* SPDX-License-Identifier: Apache-2.0 */
/* One table says where each field is, so that reading and writing cannot drift apart. Numbers are
 * little endian on every machine: a corpus is shared between them. */
#include "fuzz/header.h"

#include <string.h>

typedef struct field {
  uint8_t at, bytes;
  size_t offset; /* in sp_fuzz_header */
} field;

#define FIELD(at, member)                                                                          \
  { at, sizeof(((sp_fuzz_header *)0)->member), offsetof(sp_fuzz_header, member) }

static const field fields[] = {
    FIELD(0, op),
    FIELD(1, dtype_q),
    FIELD(2, dtype_kv),
    FIELD(3, flags),
    FIELD(5, n_batch),
    FIELD(6, n_kv_heads),
    FIELD(7, group),
    FIELD(8, d_head),
    FIELD(9, d_value),
    FIELD(10, n_kv),
    FIELD(12, n_q),
    FIELD(14, window_kind),
    FIELD(15, n_sink_tokens_kind),
    FIELD(16, window),
    FIELD(24, n_sink_tokens),
    FIELD(32, scale_kind),
    FIELD(33, softcap_kind),
    FIELD(34, first_token_kind),
    FIELD(35, n_threads),
    FIELD(36, scale),
    FIELD(40, softcap),
    FIELD(44, row_pad),
    FIELD(45, misalign),
    FIELD(46, n_steps),
    FIELD(47, raw_range),
    FIELD(48, fill_seed),
    FIELD(50, fill_range),
    FIELD(51, stream),
    FIELD(52, first_token),
};

static void store(void *at, size_t bytes, uint64_t value) {
  uint8_t u8 = (uint8_t)value;
  uint16_t u16 = (uint16_t)value;
  uint32_t u32 = (uint32_t)value;
  if (bytes == sizeof u8) memcpy(at, &u8, sizeof u8);
  if (bytes == sizeof u16) memcpy(at, &u16, sizeof u16);
  if (bytes == sizeof u32) memcpy(at, &u32, sizeof u32);
  if (bytes == sizeof value) memcpy(at, &value, sizeof value);
}

static uint64_t load(const void *at, size_t bytes) {
  uint8_t u8 = 0;
  uint16_t u16 = 0;
  uint32_t u32 = 0;
  uint64_t u64 = 0;
  if (bytes == sizeof u8) memcpy(&u8, at, sizeof u8);
  if (bytes == sizeof u16) memcpy(&u16, at, sizeof u16);
  if (bytes == sizeof u32) memcpy(&u32, at, sizeof u32);
  if (bytes == sizeof u64) memcpy(&u64, at, sizeof u64);
  return u64 | u32 | u16 | u8;
}

void sp_fuzz_header_read(sp_fuzz_header *h, const uint8_t *data, size_t size) {
  memset(h, 0, sizeof *h);
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    uint64_t value = 0;
    for (size_t b = 0; b < fields[i].bytes && fields[i].at + b < size; b++)
      value |= (uint64_t)data[fields[i].at + b] << (8 * b);
    store((char *)h + fields[i].offset, fields[i].bytes, value);
  }
}

void sp_fuzz_header_write(const sp_fuzz_header *h, uint8_t data[SP_FUZZ_HEADER_BYTES]) {
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    uint64_t value = load((const char *)h + fields[i].offset, fields[i].bytes);
    for (size_t b = 0; b < fields[i].bytes; b++)
      data[fields[i].at + b] = (uint8_t)(value >> (8 * b));
  }
}

/* From this code on, sizes are large. */
enum {
  LARGE_CODE = 0xF000,
  LONG_CODE = 0xFFE0,
  HUGE_CODE = 0xFFF8,
  HUGE_STEP = 6,
  LARGE_DIM_CODE = 0xD0
};

static const uint16_t long_sizes[HUGE_CODE - LONG_CODE] = {
    400,  511,  512,  513,  640,  777,  1000, 1023, 1024, 1025, 1100, 1536,
    2000, 2047, 2048, 2049, 3000, 4095, 4096, 4097, 5000, 8191, 8192, 8193};
enum { N_LONG = sizeof long_sizes / sizeof *long_sizes };

size_t sp_fuzz_size(uint16_t code) {
  if (code < LARGE_CODE) return code % (SP_FUZZ_SMALL_N + 1);
  if (code < LONG_CODE) return (size_t)(code - LARGE_CODE) % (SP_FUZZ_LARGE_N + 1);
  if (code < HUGE_CODE) return long_sizes[code - LONG_CODE];
  return SP_FUZZ_HUGE_N + (size_t)(code - HUGE_CODE) * HUGE_STEP;
}

uint16_t sp_fuzz_size_code(size_t n) {
  if (n <= SP_FUZZ_SMALL_N) return (uint16_t)n;
  if (n < long_sizes[0])
    return (uint16_t)(LARGE_CODE + (n < SP_FUZZ_LARGE_N ? n : SP_FUZZ_LARGE_N));
  size_t i = N_LONG - 1;
  while (n < long_sizes[i]) i--;
  if (n < SP_FUZZ_HUGE_N) return (uint16_t)(LONG_CODE + i);
  size_t steps = (n - SP_FUZZ_HUGE_N) / HUGE_STEP;
  return (uint16_t)(HUGE_CODE + (steps < 7 ? steps : 7));
}

static const struct {
  uint8_t few, many[4];
} counts[] = {
    [SP_FUZZ_KV_HEADS] = {4, {5, 8, 16, 32}},
    [SP_FUZZ_GROUP] = {8, {12, 16, 24, 64}},
    [SP_FUZZ_ENTRIES] = {4, {5, 9, 17, 33}},
};

size_t sp_fuzz_how_many(sp_fuzz_count what, uint8_t code) {
  if (code < SP_FUZZ_MANY_CODE) return 1u + code % counts[what].few;
  return counts[what].many[code % 4];
}

size_t sp_fuzz_fewer(sp_fuzz_count what, size_t n) {
  size_t few = counts[what].few;
  if (n <= few) return n - 1;
  for (unsigned i = 4; i-- > 0;)
    if (counts[what].many[i] < n) return counts[what].many[i];
  return few;
}

bool sp_fuzz_how_many_code(sp_fuzz_count what, size_t n, uint8_t *code) {
  *code = (uint8_t)(n - 1);
  for (unsigned i = 0; n > counts[what].few && i < 4; i++)
    if (counts[what].many[i] == n) *code = (uint8_t)(SP_FUZZ_MANY_CODE + i);
  return sp_fuzz_how_many(what, *code) == n;
}

static const size_t model_dims[SP_FUZZ_MODEL_DIMS] = {64, 96, 128, 256};
/* Rarer ones have the first of the large codes, which would only repeat small dimensions. */
static const size_t odd_dims[4] = {72, 80, 112, 192};
enum { MODEL_DIM_CODE = 256 - SP_FUZZ_MODEL_DIMS };

size_t sp_fuzz_dim(uint8_t code) {
  if (code < LARGE_DIM_CODE) return 1u + code % SP_FUZZ_SMALL_D;
  if (code < LARGE_DIM_CODE + 4) return odd_dims[code - LARGE_DIM_CODE];
  if (code >= MODEL_DIM_CODE) return model_dims[code - MODEL_DIM_CODE];
  return SP_FUZZ_LARGE_D + 1u + code - MODEL_DIM_CODE;
}

uint8_t sp_fuzz_dim_code(size_t d) {
  size_t model = SP_FUZZ_MODEL_DIMS;
  if (d <= SP_FUZZ_SMALL_D) return (uint8_t)(d - 1);
  for (unsigned i = 0; i < 4; i++)
    if (odd_dims[i] == d) return (uint8_t)(LARGE_DIM_CODE + i);
  while (model > 0 && d < model_dims[model - 1]) model--;
  if (model > 0) return (uint8_t)(MODEL_DIM_CODE + model - 1);
  return (uint8_t)(MODEL_DIM_CODE + (d < SP_FUZZ_LARGE_D ? d : SP_FUZZ_LARGE_D) - SP_FUZZ_LARGE_D -
                   1);
}
