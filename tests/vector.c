/* SPDX-License-Identifier: Apache-2.0 */
/* Reading, writing and filling in golden vectors: one table of fields serves all three. */
#include "tests/vector.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef enum field_kind { TEXT, NUMBER, ARRAY } field_kind;

typedef struct field {
  const char *name;
  field_kind kind;
  size_t offset;
  double absent; /* a number that equals this is left out when writing */
} field;

#define OFFSET(member) offsetof(sp_vector, member)

static const field fields[] = {
    {"vector", TEXT, OFFSET(name), 0},
    {"clause", TEXT, OFFSET(clause), 0},
    {"note", TEXT, OFFSET(note), 0},
    {"n_kv", NUMBER, OFFSET(n_kv), -1},
    {"d_value", NUMBER, OFFSET(d_value), 0},
    {"logits", ARRAY, OFFSET(logits), 0},
    {"q", ARRAY, OFFSET(q), 0},
    {"k", ARRAY, OFFSET(k), 0},
    {"v", ARRAY, OFFSET(v), 0},
    {"scale", NUMBER, OFFSET(scale), 1},
    {"softcap", NUMBER, OFFSET(softcap), 0},
    {"alibi_slope", NUMBER, OFFSET(alibi_slope), 0},
    {"sink_logit", NUMBER, OFFSET(sink_logit), -INFINITY},
    {"key_bias", ARRAY, OFFSET(key_bias), 0},
    {"bias_k", ARRAY, OFFSET(bias_k), 0},
    {"bias_v", ARRAY, OFFSET(bias_v), 0},
    {"causal", NUMBER, OFFSET(causal), 0},
    {"window", NUMBER, OFFSET(window), INFINITY},
    {"n_sink_tokens", NUMBER, OFFSET(n_sink_tokens), 0},
    {"pos_q", NUMBER, OFFSET(pos_q), 0},
    {"pos_k", ARRAY, OFFSET(pos_k), 0},
    {"weights", ARRAY, OFFSET(weights), 0},
    {"out", ARRAY, OFFSET(out), 0},
    {"lse_keys", NUMBER, OFFSET(lse_keys), -0x1p1000},
    {"lse_total", NUMBER, OFFSET(lse_total), -0x1p1000},
};

enum { N_FIELDS = sizeof fields / sizeof fields[0] };

static void *member(sp_vector *vector, const field *f) {
  return (char *)vector + f->offset;
}

static const field *find(const char *name, size_t length) {
  for (size_t i = 0; i < N_FIELDS; i++)
    if (strlen(fields[i].name) == length && memcmp(fields[i].name, name, length) == 0)
      return &fields[i];
  return NULL;
}

static bool push(sp_vector_array *array, double x, size_t times) {
  double *grown = realloc(array->x, (array->n + times + 1) * sizeof *grown);
  if (grown == NULL) return false;
  array->x = grown;
  for (size_t i = 0; i < times; i++) array->x[array->n++] = x;
  return true;
}

/* X, or X*N. */
static bool read_array(sp_vector_array *array, const char *text) {
  char *end;
  if (!push(array, 0, 0)) return false;
  for (; *text; text = end + strspn(end, " ")) {
    unsigned long times = 1;
    const double x = strtod(text, &end);
    if (end == text) return false;
    if (*end == '*') times = strtoul(end + 1, &end, 10);
    if (!push(array, x, times)) return false;
  }
  return true;
}

static bool read_number(double *number, const char *text) {
  char *end;
  *number = strcmp(text, "all") == 0 ? INFINITY : strtod(text, &end);
  return strcmp(text, "all") == 0 || (end != text && *end == '\0');
}

static bool read_field(sp_vector *vector, const char *line) {
  const size_t length = strcspn(line, " ");
  const field *f = find(line, length);
  const char *text = line + length + strspn(line + length, " ");
  if (f == NULL) return false;
  if (f->kind == NUMBER) return read_number(member(vector, f), text);
  if (f->kind == ARRAY) return read_array(member(vector, f), text);
  char **string = member(vector, f);
  free(*string);
  *string = strdup(text);
  return *string != NULL;
}

static void set_absent(sp_vector *vector) {
  *vector = (sp_vector){.name = NULL};
  for (size_t i = 0; i < N_FIELDS; i++)
    if (fields[i].kind == NUMBER) *(double *)member(vector, &fields[i]) = fields[i].absent;
}

static const char *inconsistency(const sp_vector *vector) {
  if (!vector->name || !vector->clause || !vector->note) return "no vector, clause or note";
  if (!(vector->n_kv >= 0) || !(vector->d_value >= 0)) return "no n_kv";
  const size_t n_kv = (size_t)vector->n_kv, d_value = (size_t)vector->d_value;
  if (vector->logits.x && vector->logits.n != n_kv) return "logits are not n_kv";
  if (!vector->logits.x && vector->k.n != n_kv * vector->q.n) return "k is not n_kv * d_head";
  if (vector->v.n != n_kv * d_value) return "v is not n_kv * d_value";
  if (vector->key_bias.x && vector->key_bias.n != n_kv) return "key_bias is not n_kv";
  if (vector->pos_k.x && vector->pos_k.n != n_kv) return "pos_k is not n_kv";
  if (vector->bias_k.n != (vector->bias_k.x ? vector->q.n : 0)) return "bias_k is not d_head";
  if (vector->bias_v.n != (vector->bias_k.x ? d_value : 0)) return "bias_v is not d_value";
  return NULL;
}

static bool set_positions(sp_vector *vector) {
  if (vector->pos_k.x == NULL) return true;
  vector->positions = calloc(vector->pos_k.n + 1, sizeof *vector->positions);
  for (size_t j = 0; vector->positions && j < vector->pos_k.n; j++)
    vector->positions[j] = (int64_t)vector->pos_k.x[j];
  return vector->positions != NULL;
}

bool sp_vector_read(FILE *file, sp_vector *vector, char *error, size_t capacity) {
  char *line = NULL;
  size_t size = 0;
  bool any = false, ok = true;
  set_absent(vector);
  error[0] = '\0';
  while (ok && getline(&line, &size, file) >= 0) {
    line[strcspn(line, "\n")] = '\0';
    if (line[0] == '#') continue;
    if (line[0] == '\0' && any) break;
    if (line[0] == '\0') continue;
    any = true;
    ok = read_field(vector, line);
    if (!ok) snprintf(error, capacity, "cannot read: %.60s", line);
  }
  free(line);
  if (ok && any && inconsistency(vector) != NULL) {
    snprintf(error, capacity, "%s: %s", vector->name ? vector->name : "?", inconsistency(vector));
    ok = false;
  }
  ok = ok && any && set_positions(vector);
  if (!ok) sp_vector_clear(vector);
  return ok;
}

static void write_array(FILE *file, const sp_vector_array *array, bool integers) {
  for (size_t i = 0, run; i < array->n; i += run) {
    for (run = 1; i + run < array->n; run++)
      if (memcmp(&array->x[i], &array->x[i + run], sizeof(double)) != 0) break;
    if (run < 4) run = 1;
    fprintf(file, integers ? " %.0f" : " %a", array->x[i]);
    if (run > 1) fprintf(file, "*%zu", run);
  }
}

static bool is_count(const field *f) {
  return f->offset == OFFSET(n_kv) || f->offset == OFFSET(d_value) || f->offset == OFFSET(causal) ||
         f->offset == OFFSET(window) || f->offset == OFFSET(n_sink_tokens) ||
         f->offset == OFFSET(pos_q);
}

void sp_vector_write(FILE *file, const sp_vector *vector) {
  for (size_t i = 0; i < N_FIELDS; i++) {
    const field *f = &fields[i];
    const void *value = (const char *)vector + f->offset;
    if (f->kind == TEXT) fprintf(file, "%s %s\n", f->name, *(char *const *)value);
    if (f->kind == NUMBER && *(const double *)value != f->absent)
      fprintf(file, is_count(f) ? "%s %.0f\n" : "%s %a\n", f->name, *(const double *)value);
    if (f->kind == ARRAY && ((const sp_vector_array *)value)->n != 0) {
      fprintf(file, "%s", f->name);
      write_array(file, value, f->offset == OFFSET(pos_k));
      fprintf(file, "\n");
    }
  }
}

void sp_vector_clear(sp_vector *vector) {
  for (size_t i = 0; i < N_FIELDS; i++) {
    if (fields[i].kind == TEXT) free(*(char **)member(vector, &fields[i]));
    if (fields[i].kind == ARRAY) free(((sp_vector_array *)member(vector, &fields[i]))->x);
  }
  free(vector->positions);
  set_absent(vector);
}

sp_ref_row_input sp_vector_row(const sp_vector *vector) {
  const bool all = isinf(vector->window);
  return (sp_ref_row_input){
      .n_kv = (size_t)vector->n_kv,
      .d_head = vector->q.n,
      .d_value = (size_t)vector->d_value,
      .logits = vector->logits.x,
      .q = vector->q.x,
      .k = vector->k.x,
      .k_stride = vector->q.n,
      .v = vector->v.x,
      .v_stride = (size_t)vector->d_value,
      .key_bias = vector->key_bias.x,
      .scale = vector->scale,
      .softcap = vector->softcap,
      .alibi_slope = vector->alibi_slope,
      .sink_logit = vector->sink_logit,
      .bias_k = vector->bias_k.x,
      .bias_v = vector->bias_v.x,
      .masked = vector->causal != 0 || !all,
      .mask = {vector->causal != 0, all ? SP_WINDOW_ALL : (uint64_t)vector->window,
               (uint64_t)vector->n_sink_tokens},
      .pos_q = (int64_t)vector->pos_q,
      .pos_k = vector->positions,
  };
}

bool sp_vector_fill(sp_vector *vector) {
  const sp_ref_row_input in = sp_vector_row(vector);
  const size_t n_keys = in.n_kv + (in.bias_k != NULL ? 1 : 0);
  vector->weights.n = vector->out.n = 0;
  if (!push(&vector->weights, 0, n_keys) || !push(&vector->out, 0, in.d_value)) return false;
  return sp_ref_row_round(&in, 4096, SP_F64, vector->weights.x, vector->out.x, SP_F64,
                          &vector->lse_keys, &vector->lse_total) == SP_REF_DECIDED;
}
