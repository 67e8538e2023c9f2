/* SPDX-License-Identifier: Apache-2.0 */
/* Replay lines: one line of key=value that names a generated case completely, the offer that shaped
 * it included, so that the same case can be made on another machine without the kernel.
 * spec: CT-4 */
#include "certify/gen/gen.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "certify/case/casefile.h"
#include "certify/case/parse.h"

typedef struct writer {
  char *at;
  size_t left;
} writer;

__attribute__((format(printf, 2, 3))) static void append(writer *w, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int n = vsnprintf(w->at, w->left, format, arguments);
  va_end(arguments);
  size_t used = n < 0 ? 0 : (size_t)n < w->left ? (size_t)n : w->left > 0 ? w->left - 1 : 0;
  w->at += used;
  w->left -= used;
}

/* Only what limits something, so that lines of kernels without limits are as they always were. */
static void append_shapes(writer *w, const sp_shapes *s) {
  for (int i = 0; i < SP_MAX_SHAPES && s->dims[i].d_head != 0; i++)
    append(w, "%s%ux%u", i == 0 ? " dims=" : ",", s->dims[i].d_head, s->dims[i].d_value);
  for (int i = 0; i < SP_MAX_SHAPES && s->group[i] != 0; i++)
    append(w, "%s%u", i == 0 ? " groups=" : ",", s->group[i]);
  if (s->n_kv_multiple != 0) append(w, " n_kv_multiple=%u", s->n_kv_multiple);
}

void sp_shapes_text(const sp_shapes *shapes, char *words, size_t capacity) {
  writer w = {words, capacity};
  words[0] = '\0';
  if (shapes != NULL) append_shapes(&w, shapes);
}

void sp_case_line(const sp_case *c, const sp_generator_request *request, char *line,
                  size_t capacity) {
  writer w = {line, capacity};
  append(&w,
         "op=%s gen=%s seed=0x%llx index=%llu options=0x%llx softmax=0x%x q=0x%x kv=0x%x "
         "max_n=%llu",
         sp_op_names[c->op], c->generator, (unsigned long long)c->seed,
         (unsigned long long)c->index, (unsigned long long)request->options,
         request->dtypes_softmax, request->dtypes_q, request->dtypes_kv,
         (unsigned long long)request->max_n);
  append_shapes(&w, &request->shapes);
}

typedef struct word {
  const char *text;
  size_t length;
} word;

static bool is(word w, const char *text) {
  return w.length == strlen(text) && memcmp(w.text, text, w.length) == 0;
}

static bool next_word(const char **at, word *w) {
  *at += strspn(*at, " \t\r\n");
  *w = (word){*at, strcspn(*at, " \t\r\n")};
  *at += w->length;
  return w->length > 0;
}

static bool set_op(sp_generator_request *request, word value) {
  for (int op = 0; op < SP_N_OPS; op++)
    if (is(value, sp_op_names[op])) {
      request->op = (sp_op)op;
      return true;
    }
  return false;
}

static bool set_generator(sp_generator_request *request, word value) {
  size_t n = 0;
  const sp_generator *generators = sp_generators(&n);
  for (size_t i = 0; i < n; i++)
    if (is(value, generators[i].name)) {
      request->generator = generators[i].name;
      return true;
    }
  return false;
}

static bool set_u64(uint64_t *field, word value) {
  return sp_parse_u64(value.text, value.length, field);
}

static bool set_u32(uint32_t *field, word value) {
  uint64_t wide = 0;
  if (!set_u64(&wide, value) || wide > UINT32_MAX) return false;
  *field = (uint32_t)wide;
  return true;
}

/* The next number of a list, and what ends it: ',' or 'x', or 0 at the end of the word. */
static bool next_number(word *rest, uint32_t *number, char *end) {
  word digits = *rest;
  digits.length = 0;
  while (digits.length < rest->length && strchr(",x", rest->text[digits.length]) == NULL)
    digits.length++;
  bool last = digits.length == rest->length;
  *end = last ? '\0' : rest->text[digits.length];
  size_t used = digits.length + (last ? 0 : 1);
  *rest = (word){rest->text + used, rest->length - used};
  return set_u32(number, digits) && *number != 0;
}

static bool set_groups(sp_shapes *s, word value) {
  char end = ',';
  s->size = sizeof *s;
  for (int i = 0; end == ','; i++)
    if (i == SP_MAX_SHAPES || !next_number(&value, &s->group[i], &end)) return false;
  return end == '\0';
}

static bool set_dims(sp_shapes *s, word value) {
  char end = ',';
  s->size = sizeof *s;
  for (int i = 0; end == ','; i++) {
    if (i == SP_MAX_SHAPES || !next_number(&value, &s->dims[i].d_head, &end) || end != 'x' ||
        !next_number(&value, &s->dims[i].d_value, &end))
      return false;
  }
  return end == '\0';
}

static bool set_multiple(sp_shapes *s, word value) {
  s->size = sizeof *s;
  return set_u32(&s->n_kv_multiple, value) && s->n_kv_multiple != 0;
}

/* Which problem a field with this key and value has; NULL for none. *number is the key's. */
static const char *set_field(sp_generator_request *r, word key, word value, unsigned *number) {
  static const char *const keys[] = {"op", "gen", "seed",  "index", "options", "softmax",
                                     "q",  "kv",  "max_n", "dims",  "groups",  "n_kv_multiple"};
  enum { N = sizeof keys / sizeof *keys };
  unsigned k = 0;
  while (k < N && !is(key, keys[k])) k++;
  *number = k;
  switch (k) {
  case 0:
    return set_op(r, value) ? NULL : "is no operation";
  case 1:
    return set_generator(r, value) ? NULL : "is no generator";
  case 2:
    return set_u64(&r->seed, value) ? NULL : "is no 64-bit number";
  case 3:
    return set_u64(&r->index, value) ? NULL : "is no 64-bit number";
  case 4:
    return set_u64(&r->options, value) ? NULL : "is no 64-bit number";
  case 5:
    return set_u32(&r->dtypes_softmax, value) ? NULL : "is no 32-bit number";
  case 6:
    return set_u32(&r->dtypes_q, value) ? NULL : "is no 32-bit number";
  case 7:
    return set_u32(&r->dtypes_kv, value) ? NULL : "is no 32-bit number";
  case 8:
    return set_u64(&r->max_n, value) ? NULL : "is no 64-bit number";
  case 9:
    return set_dims(&r->shapes, value) ? NULL : "is no list of up to 8 pairs like 64x64";
  case 10:
    return set_groups(&r->shapes, value) ? NULL : "is no list of up to 8 numbers above 0";
  case 11:
    return set_multiple(&r->shapes, value) ? NULL : "is no 32-bit number above 0";
  default:
    return "has an unknown key";
  }
}

bool sp_case_parse_line(const char *line, sp_generator_request *request, char *error,
                        size_t capacity) {
  enum {
    N_NEEDED = 9,
    ALL_NEEDED = (1 << N_NEEDED) - 1
  }; /* those that limit shapes may be absent */
  sp_generator_request r = {0};
  unsigned seen = 0;
  word w;
  while (next_word(&line, &w)) {
    const char *equals = memchr(w.text, '=', w.length);
    word key = {w.text, equals != NULL ? (size_t)(equals - w.text) : w.length};
    word value = {key.text + key.length + 1, w.length - key.length - 1};
    unsigned k = 0;
    const char *problem = equals == NULL ? "is not key=value" : set_field(&r, key, value, &k);
    if (problem == NULL && (seen >> k & 1) != 0) problem = "is given twice";
    if (problem != NULL) {
      snprintf(error, capacity, "'%.*s' %s", (int)(w.length < 80 ? w.length : 80), w.text, problem);
      return false;
    }
    seen |= 1u << k;
  }
  if ((seen & ALL_NEEDED) != ALL_NEEDED) {
    snprintf(error, capacity,
             "a replay line needs op, gen, seed, index, options, softmax, q, kv and max_n");
    return false;
  }
  *request = r;
  return true;
}
