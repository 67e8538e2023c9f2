/* SPDX-License-Identifier: Apache-2.0 */
/* Write a whole case as text: one "field = value" a line, arrays as the hex bits of their elements
 * on indented lines below. Readable in a bug report, exact to the bit, and independent of the
 * generators that will have changed by the time someone reads it. spec: CT-4 */
#include "certify/case/casefile.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool is_zero(const sp_case *c, const sp_field *field) {
  static const size_t bytes[] = {[SP_FIELD_SIZE] = sizeof(size_t),
                                 [SP_FIELD_U64] = 8,
                                 [SP_FIELD_U32] = 4,
                                 [SP_FIELD_BOOL] = sizeof(bool),
                                 [SP_FIELD_F32] = 4,
                                 [SP_FIELD_F64] = 8,
                                 [SP_FIELD_DTYPE] = 4};
  const char *at = (const char *)c + field->offset;
  for (size_t i = 0; i < bytes[field->kind]; i++)
    if (at[i] != 0) return false;
  return true;
}

static void write_field(FILE *file, const sp_case *c, const sp_field *field) {
  const char *at = (const char *)c + field->offset;
  size_t size = 0;
  uint64_t u64 = 0;
  uint32_t u32 = 0;
  bool flag = false;
  fprintf(file, "%s = ", field->name);
  switch (field->kind) {
  case SP_FIELD_SIZE:
    memcpy(&size, at, sizeof size);
    fprintf(file, "%zu\n", size);
    return;
  case SP_FIELD_U64:
  case SP_FIELD_F64:
    memcpy(&u64, at, sizeof u64);
    fprintf(file, "0x%" PRIx64 "\n", u64);
    return;
  case SP_FIELD_BOOL:
    memcpy(&flag, at, sizeof flag);
    fprintf(file, "%d\n", flag);
    return;
  default:
    memcpy(&u32, at, sizeof u32);
  }
  if (field->kind == SP_FIELD_DTYPE) {
    const char *name = sp_ref_format_name(u32);
    fprintf(file, "%s\n", name != NULL ? name : "?");
  } else {
    fprintf(file, field->kind == SP_FIELD_F32 ? "0x%08" PRIx32 "\n" : "%" PRIu32 "\n", u32);
  }
}

static uint64_t element_bits(const void *bits, size_t bytes, size_t index) {
  uint16_t u16 = 0;
  uint32_t u32 = 0;
  uint64_t u64 = 0;
  const char *at = (const char *)bits + index * bytes;
  if (bytes == sizeof u16) {
    memcpy(&u16, at, sizeof u16);
    return u16;
  }
  if (bytes == sizeof u32) {
    memcpy(&u32, at, sizeof u32);
    return u32;
  }
  memcpy(&u64, at, sizeof u64);
  return u64;
}

static void write_words(FILE *file, const void *bits, size_t bytes, size_t count) {
  size_t per_line = 64 / bytes / 2; /* about 70 to 80 columns */
  for (size_t i = 0; i < count; i++) {
    bool first = i % per_line == 0;
    bool last = (i + 1) % per_line == 0 || i + 1 == count;
    fprintf(file, "%s%0*" PRIx64 "%s", first ? "  " : " ", (int)bytes * 2,
            element_bits(bits, bytes, i), last ? "\n" : "");
  }
}

static void write_array(FILE *file, const char *name, const sp_array *array) {
  if (array->bits == NULL) return;
  fprintf(file, "%s = %s %zu\n", name, sp_ref_format_name(array->dtype), array->count);
  write_words(file, array->bits, sp_ref_format_bytes(array->dtype), array->count);
}

static void write_positions(FILE *file, const char *name, const int64_t *position, size_t count) {
  if (position == NULL) return;
  fprintf(file, "%s = %zu\n", name, count);
  write_words(file, position, sizeof *position, count);
}

static void write_script(FILE *file, const sp_case *c) {
  if (c->script == NULL) return;
  fprintf(file, "script = %zu\n", c->n_steps);
  for (size_t s = 0; s < c->n_steps; s++) {
    static const char *const names[] = {"append", "attend", "visible", "truncate"};
    const sp_cache_step *step = &c->script[s];
    bool counted = step->kind == SP_STEP_APPEND || step->kind == SP_STEP_TRUNCATE;
    fprintf(file, "  %s", names[step->kind]);
    if (counted) fprintf(file, " %zu", step->n_tokens);
    if (step->kind == SP_STEP_APPEND && step->with_queries) fprintf(file, " queries");
    if (step->sequence > 0) fprintf(file, " of %zu", step->sequence);
    fprintf(file, "\n");
  }
}

bool sp_case_write(const sp_case *c, const char *path, char *error, size_t capacity) {
  FILE *file = fopen(path, "w");
  if (file == NULL) {
    snprintf(error, capacity, "%s: %s", path, strerror(errno));
    return false;
  }
  fprintf(file, "%s\nop = %s\n", SP_CASEFILE_MAGIC, sp_op_names[c->op]);
  fprintf(file, "generator = %s\n", c->generator);
  if (c->clause[0] != '\0') fprintf(file, "clause = %s\n", c->clause); /* unknown in a file */
  size_t n = 0;
  const sp_field *fields = sp_casefile_fields(&n);
  for (size_t i = 0; i < n; i++)
    if (!fields[i].later || !is_zero(c, &fields[i])) write_field(file, c, &fields[i]);
  const sp_array_field *arrays = sp_casefile_arrays(&n);
  for (size_t i = 0; i < n; i++)
    write_array(file, arrays[i].name, (const sp_array *)((const char *)c + arrays[i].offset));
  write_positions(file, "pos_q", c->pos_q, c->n_q);
  write_positions(file, "pos_k", c->pos_k, c->n_kv);
  write_script(file, c);
  bool ok = ferror(file) == 0;
  if (fclose(file) != 0) ok = false;
  if (!ok) snprintf(error, capacity, "%s: %s", path, strerror(errno));
  return ok;
}
