/* SPDX-License-Identifier: Apache-2.0 */
/* Read a case file. It comes from a stranger, so: nothing is allocated before the text that fills
 * it is known to be there, every field is given at most once, every error names its line, and the
 * case is only handed out when it is well formed. spec: CT-4 */
#include "certify/case/casefile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certify/gen/gen.h"
#include "certify/case/parse.h"

#define MAX_FILE ((size_t)1 << 28) /* bytes; the largest generated case needs about a megabyte */

typedef struct span {
  const char *text;
  size_t length;
} span;

typedef struct reader {
  sp_case *c;
  span rest;     /* what is not read yet */
  size_t line;   /* number of the line read last */
  uint64_t seen; /* bit i: scalar field i was given */
  size_t n_pos_q, n_pos_k;
  char *error;
  size_t capacity;
} reader;

static bool fail(reader *r, span where, const char *problem) {
  int shown = (int)(where.length < 60 ? where.length : 60);
  snprintf(r->error, r->capacity, "line %zu: '%.*s' %s", r->line, shown, where.text, problem);
  /* The text may hold anything, the message goes to a terminal. */
  for (char *at = r->error; r->capacity > 0 && *at != '\0'; at++)
    if (*at < ' ' || *at > '~') *at = '?';
  return false;
}

static bool is_blank(char ch) {
  return ch == ' ' || ch == '\t' || ch == '\r';
}

/* The first word of a line, which is cut off. Empty at the end of the line. */
static span next_word(span *line) {
  while (line->length > 0 && is_blank(*line->text))
    *line = (span){line->text + 1, line->length - 1};
  span word = {line->text, 0};
  while (word.length < line->length && !is_blank(line->text[word.length])) word.length++;
  *line = (span){line->text + word.length, line->length - word.length};
  return word;
}

/* The next line that holds anything but a comment; false at the end of the text. */
static bool next_line(reader *r, span *line) {
  while (r->rest.length > 0) {
    const char *newline = memchr(r->rest.text, '\n', r->rest.length);
    size_t length = newline != NULL ? (size_t)(newline - r->rest.text) : r->rest.length;
    *line = (span){r->rest.text, length};
    size_t used = length + (newline != NULL);
    r->rest = (span){r->rest.text + used, r->rest.length - used};
    r->line++;
    span copy = *line;
    span word = next_word(&copy);
    if (word.length > 0 && *word.text != '#') return true;
  }
  return false;
}

static bool is(span word, const char *text) {
  return word.length == strlen(text) && memcmp(word.text, text, word.length) == 0;
}

/* A count of things of which each needs at least two characters of text still to come. */
static bool read_count(reader *r, span word, size_t *count) {
  uint64_t n = 0;
  if (!sp_parse_u64(word.text, word.length, &n)) return fail(r, word, "is no number");
  if (n > r->rest.length / 2) return fail(r, word, "is more than the file holds");
  *count = (size_t)n;
  return true;
}

static void store_bits(void *bits, size_t bytes, size_t index, uint64_t value) {
  char *at = (char *)bits + index * bytes;
  uint16_t u16 = (uint16_t)value;
  uint32_t u32 = (uint32_t)value;
  if (bytes == sizeof u16) memcpy(at, &u16, sizeof u16);
  if (bytes == sizeof u32) memcpy(at, &u32, sizeof u32);
  if (bytes == sizeof value) memcpy(at, &value, sizeof value);
}

static bool read_words(reader *r, void *bits, size_t bytes, size_t count) {
  for (size_t i = 0; i < count;) {
    span line = {"", 0};
    if (!next_line(r, &line)) return fail(r, line, "file ends inside an array");
    for (span word = next_word(&line); word.length > 0; word = next_word(&line), i++) {
      uint64_t value = 0;
      if (i == count) return fail(r, word, "is beyond the end of its array");
      if (!sp_parse_hex(word.text, word.length, bytes * 2, &value))
        return fail(r, word, "has not the hex digits of one element");
      store_bits(bits, bytes, i, value);
    }
  }
  return true;
}

static bool read_array(reader *r, sp_array *array, span name, span line) {
  if (array->bits != NULL) return fail(r, name, "is given twice");
  span type = next_word(&line);
  char text[8] = "";
  if (type.length < sizeof text) memcpy(text, type.text, type.length);
  sp_dtype dtype = sp_ref_format_parse(text);
  if (dtype == 0) return fail(r, type, "is no type");
  size_t count = 0;
  if (!read_count(r, next_word(&line), &count)) return false;
  if (next_word(&line).length > 0) return fail(r, name, "has more than a type and a count");
  if (!sp_array_alloc(array, dtype, count)) return fail(r, name, "needs too much memory");
  return read_words(r, array->bits, sp_ref_format_bytes(dtype), count);
}

static bool read_positions(reader *r, int64_t **positions, size_t *count, span name, span line) {
  if (*positions != NULL) return fail(r, name, "is given twice");
  if (!read_count(r, next_word(&line), count)) return false;
  *positions = calloc(*count + 1, sizeof **positions);
  if (*positions == NULL) return fail(r, name, "needs too much memory");
  return read_words(r, *positions, sizeof **positions, *count);
}

static bool read_number(reader *r, span word, size_t *number) {
  uint64_t n = 0;
  if (!sp_parse_u64(word.text, word.length, &n)) return fail(r, word, "is no number of tokens");
  *number = n < SIZE_MAX ? (size_t)n : SIZE_MAX;
  return true;
}

static bool step_kind(span word, sp_cache_step_kind *kind) {
  static const char *const names[] = {"append", "attend", "visible", "truncate"};
  for (int i = 0; i < 4; i++) {
    if (!is(word, names[i])) continue;
    *kind = (sp_cache_step_kind)i;
    return true;
  }
  return false;
}

/* "append 3 queries of 1": what the kind does not have may not be there. */
static bool read_step(reader *r, sp_cache_step *step) {
  span line = {"", 0};
  if (!next_line(r, &line)) return fail(r, line, "file ends inside the script");
  span kind = next_word(&line), word = kind;
  *step = (sp_cache_step){.kind = SP_STEP_VISIBLE};
  if (!step_kind(word, &step->kind)) return fail(r, word, "is no step");
  if (step->kind == SP_STEP_ATTEND) step->n_tokens = 1;
  step->with_queries = step->kind == SP_STEP_ATTEND;
  bool counted = step->kind == SP_STEP_APPEND || step->kind == SP_STEP_TRUNCATE;
  if (counted && !read_number(r, next_word(&line), &step->n_tokens)) return false;
  word = next_word(&line);
  if (step->kind == SP_STEP_APPEND && is(word, "queries")) {
    step->with_queries = true;
    word = next_word(&line);
  }
  if (is(word, "of")) {
    uint64_t n = 0;
    word = next_word(&line);
    if (!sp_parse_u64(word.text, word.length, &n)) return fail(r, word, "is no number");
    step->sequence = n < SIZE_MAX ? (size_t)n : SIZE_MAX;
    word = next_word(&line);
  }
  if (word.length == 0) return true;
  if (step->kind == SP_STEP_APPEND && !step->with_queries) return fail(r, word, "is not 'queries'");
  return fail(r, kind, "has something after its end");
}

static bool read_script(reader *r, span name, span line) {
  sp_case *c = r->c;
  if (c->script != NULL) return fail(r, name, "is given twice");
  size_t count = 0;
  if (!read_count(r, next_word(&line), &count)) return false;
  c->script = calloc(count + 1, sizeof *c->script);
  if (c->script == NULL) return fail(r, name, "needs too much memory");
  for (; c->n_steps < count; c->n_steps++)
    if (!read_step(r, &c->script[c->n_steps])) return false;
  return true;
}

/* Names point to text that lives on: the generators' own. Others are not kept. */
static void read_names(sp_case *c, span name, span value) {
  size_t n = 0;
  const sp_generator *generators = sp_generators(&n);
  for (size_t i = 0; i < n; i++) {
    if (is(name, "generator") && is(value, generators[i].name)) c->generator = generators[i].name;
    if (is(name, "clause") && is(value, generators[i].clause)) c->clause = generators[i].clause;
  }
}

static bool read_scalar(reader *r, const sp_field *field, span value) {
  char *at = (char *)r->c + field->offset;
  char text[8] = "";
  if (field->kind == SP_FIELD_DTYPE) {
    if (value.length < sizeof text) memcpy(text, value.text, value.length);
    sp_dtype dtype = sp_ref_format_parse(text);
    memcpy(at, &dtype, sizeof dtype);
    return dtype != 0 || fail(r, value, "is no type");
  }
  uint64_t number = 0;
  if (!sp_parse_u64(value.text, value.length, &number)) return fail(r, value, "is no number");
  size_t size = (size_t)number;
  uint32_t u32 = (uint32_t)number;
  bool flag = number == 1;
  bool narrow = field->kind == SP_FIELD_F32 || field->kind == SP_FIELD_U32;
  if (narrow && number > UINT32_MAX) return fail(r, value, "has more than 32 bits");
  if (field->kind == SP_FIELD_BOOL && number > 1) return fail(r, value, "is neither 0 nor 1");
  if (field->kind == SP_FIELD_SIZE && size != number) return fail(r, value, "is too large");
  if (field->kind == SP_FIELD_SIZE) memcpy(at, &size, sizeof size);
  if (field->kind == SP_FIELD_U64 || field->kind == SP_FIELD_F64)
    memcpy(at, &number, sizeof number);
  if (field->kind == SP_FIELD_BOOL) memcpy(at, &flag, sizeof flag);
  if (narrow) memcpy(at, &u32, sizeof u32);
  return true;
}

static bool read_one_word(reader *r, const sp_field *field, span name, span line) {
  span value = next_word(&line);
  if (value.length == 0) return fail(r, name, "has no value");
  if (next_word(&line).length > 0) return fail(r, name, "has more than one value");
  if (field != NULL) return read_scalar(r, field, value);
  read_names(r->c, name, value);
  return true;
}

static bool read_field(reader *r, span line) {
  sp_case *c = r->c;
  span name = next_word(&line);
  if (!is(next_word(&line), "=")) return fail(r, name, "is not followed by ' = '");
  size_t n = 0;
  const sp_field *fields = sp_casefile_fields(&n);
  for (size_t i = 0; i < n; i++) {
    if (!is(name, fields[i].name)) continue;
    if ((r->seen >> i & 1) != 0) return fail(r, name, "is given twice");
    r->seen |= (uint64_t)1 << i;
    return read_one_word(r, &fields[i], name, line);
  }
  const sp_array_field *arrays = sp_casefile_arrays(&n);
  for (size_t i = 0; i < n; i++)
    if (is(name, arrays[i].name))
      return read_array(r, (sp_array *)((char *)c + arrays[i].offset), name, line);
  if (is(name, "pos_q")) return read_positions(r, &c->pos_q, &r->n_pos_q, name, line);
  if (is(name, "pos_k")) return read_positions(r, &c->pos_k, &r->n_pos_k, name, line);
  if (is(name, "script")) return read_script(r, name, line);
  if (is(name, "generator") || is(name, "clause")) return read_one_word(r, NULL, name, line);
  return fail(r, name, "is no field of a case");
}

/* The first two lines: what this file is, and for which operation. */
static bool read_head(reader *r) {
  span line = {"", 0};
  if (!next_line(r, &line) || !is(line, SP_CASEFILE_MAGIC))
    return fail(r, line, "is not the first line of a case file: " SP_CASEFILE_MAGIC);
  line = (span){"", 0};
  if (!next_line(r, &line) || !is(next_word(&line), "op") || !is(next_word(&line), "="))
    return fail(r, line, "must be op = softmax, attention or cache");
  span name = next_word(&line);
  for (int op = 0; op < SP_N_OPS; op++)
    if (is(name, sp_op_names[op])) {
      sp_case_init(r->c, (sp_op)op);
      return true;
    }
  return fail(r, name, "is no operation");
}

bool sp_case_read_text(sp_case *c, const char *text, size_t length, char *error, size_t capacity) {
  reader r = {.c = c, .rest = {text, length}, .error = error, .capacity = capacity};
  sp_case_init(c, SP_OP_SOFTMAX);
  bool ok = read_head(&r);
  span line = {"", 0};
  while (ok && next_line(&r, &line)) ok = read_field(&r, line);
  const char *problem = NULL;
  /* A position list carries no length of its own beyond this point. */
  if (c->pos_q != NULL && r.n_pos_q != c->n_q) problem = "pos_q: must hold n_q positions";
  if (c->pos_k != NULL && r.n_pos_k != c->n_kv) problem = "pos_k: must hold n_kv positions";
  if (ok && problem == NULL) problem = sp_case_error(c);
  if (ok && problem != NULL) snprintf(error, capacity, "not a well-formed case: %s", problem);
  if (ok && problem == NULL) return true;
  sp_case_clear(c);
  return false;
}

/* The whole file; NULL with a sentence in error. */
static char *load_file(const char *path, size_t *length, char *error, size_t capacity) {
  FILE *file = fopen(path, "r");
  char *text = NULL;
  size_t room = 1 << 16;
  *length = 0;
  bool ok = file != NULL;
  while (ok && room <= MAX_FILE) {
    char *more = realloc(text, room);
    ok = more != NULL;
    if (!ok) break;
    text = more;
    *length += fread(text + *length, 1, room - *length, file);
    if (*length < room) break;
    room *= 2;
  }
  ok = ok && ferror(file) == 0;
  if (!ok) snprintf(error, capacity, "%s: %s", path, strerror(errno));
  if (ok && room > MAX_FILE) snprintf(error, capacity, "%s: too long for a case file", path);
  if (file != NULL) (void)fclose(file);
  if (ok && room <= MAX_FILE) return text;
  free(text);
  return NULL;
}

bool sp_case_read(sp_case *c, const char *path, char *error, size_t capacity) {
  size_t length = 0;
  char *text = load_file(path, &length, error, capacity);
  if (text == NULL) return false;
  bool ok = sp_case_read_text(c, text, length, error, capacity);
  free(text);
  return ok;
}
