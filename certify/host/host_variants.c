/* SPDX-License-Identifier: Apache-2.0 */
/* Claims of invariance: the same row in other company must come out with the same bits. A part of
 * a case is a case whose arrays point into the whole; nothing is copied. spec: NU-12, AT-8 */
#include "certify/host/host_run.h"

#include <stdio.h>
#include <string.h>

enum { SOFTMAX_ROWS = 3, QUERIES = 3 };

typedef struct trial {
  sp_host *host;
  size_t kernel;
  const sp_case *whole;
  const sp_outputs *outputs; /* of the whole */
  sp_incident *incident;
} trial;

/* `count` elements of an array from element `first` on. */
static sp_array slice(const sp_array *array, size_t first, size_t count) {
  sp_array part = *array;
  if (array->bits == NULL) return part;
  part.count = count;
  part.bits = (unsigned char *)array->bits + first * sp_ref_format_bytes(array->dtype);
  return part;
}

/* Output rows of the part, each of row_len values, start at row `first` of the whole. */
static bool compare(const trial *t, const sp_outputs *part, size_t first, size_t row_len,
                    const char *change) {
  const struct {
    const char *name;
    const sp_array *part, *whole;
    size_t length;
  } pairs[3] = {{"values", &part->values, &t->outputs->values, row_len},
                {"lse_keys", &part->lse_keys, &t->outputs->lse_keys, 1},
                {"lse_total", &part->lse_total, &t->outputs->lse_total, 1}};
  for (int i = 0; i < 3; i++) {
    const sp_array *a = pairs[i].part;
    const sp_array *b = pairs[i].whole;
    if (a->bits == NULL || b->bits == NULL) continue;
    size_t at = first * pairs[i].length;
    size_t differs = sp_first_difference(a, 0, b, at, a->count);
    if (differs == a->count) continue;
    sp_incident_set(
        t->incident, SP_INCIDENT_VARIES, "%s: element %zu of row %zu of %s becomes %a; it was %a",
        change, differs % pairs[i].length, first + differs / pairs[i].length, pairs[i].name,
        sp_ref_load(a->dtype, a->bits, differs), sp_ref_load(b->dtype, b->bits, at + differs));
    return false;
  }
  return true;
}

/* Run a part that begins at row `first` of the whole. A part that the kernel does not offer or
 * declines says nothing. Returns whether to go on; *ok is false for the host's own faults. */
static bool try_part(const trial *t, const sp_case *part, size_t first, const char *change,
                     bool *ok) {
  sp_outputs outputs;
  char path[32];
  if (!sp_case_offered(part, &t->host->kernels[t->kernel])) return true;
  *ok = sp_outputs_init(&outputs, part);
  if (!*ok) {
    sp_incident_set(t->incident, SP_INCIDENT_NONE, "out of memory");
    return false;
  }
  *ok = sp_host_run(t->host, t->kernel, part, true, &outputs, t->incident, path);
  bool same = *ok;
  if (*ok && t->incident->kind == SP_INCIDENT_UNSUPPORTED) {
    *t->incident = (sp_incident){0};
  } else if (*ok) {
    size_t row_len = part->op == SP_OP_SOFTMAX ? part->n_kv : part->d_value;
    same = t->incident->kind == SP_INCIDENT_NONE && compare(t, &outputs, first, row_len, change);
  }
  sp_outputs_clear(&outputs);
  return same;
}

/* The i-th of `most` indices spread over 0 … n-1, ends included; false for one already given. */
static bool spread(size_t i, size_t most, size_t n, size_t *index) {
  if (n <= most) {
    *index = i;
    return i < n;
  }
  *index = i * (n - 1) / (most - 1);
  return true;
}

static bool rows_alone(const trial *t, bool *ok) {
  const sp_case *c = t->whole;
  for (size_t i = 0, r; i < SOFTMAX_ROWS && spread(i, SOFTMAX_ROWS, c->n_q, &r); i++) {
    sp_case part = *c;
    char change[48];
    part.n_q = 1;
    part.bias_rows = 1;
    part.logits = slice(&c->logits, r * c->n_kv, c->n_kv);
    part.sink_logit = slice(&c->sink_logit, r, 1);
    part.key_bias = slice(&c->key_bias, sp_case_bias_row(c, 0, r, 0), c->n_kv);
    snprintf(change, sizeof change, "row %zu alone", r);
    if (!try_part(t, &part, r, change, ok)) return false;
  }
  return true;
}

/* Batch entry b alone. */
static sp_case entry_of(const sp_case *c, size_t b) {
  sp_case part = *c;
  size_t keys = c->n_kv * c->n_kv_heads;
  size_t queries = c->n_q * c->n_heads;
  part.n_batch = 1;
  part.q = slice(&c->q, b * queries * c->d_head, queries * c->d_head);
  part.k = slice(&c->k, b * keys * c->d_head, keys * c->d_head);
  part.v = slice(&c->v, b * keys * c->d_value, keys * c->d_value);
  if (c->bias_batches > 1) {
    size_t biases = c->key_bias.count / c->bias_batches;
    part.key_bias = slice(&c->key_bias, b * biases, biases);
    part.bias_batches = 1;
  }
  return part;
}

/* Query i of entry b alone. The last one has its default position; any other must be given its own,
 * which is not negative. */
static bool query_alone(const trial *t, size_t b, size_t i, bool *ok) {
  const sp_case *c = t->whole;
  sp_case part = entry_of(c, b);
  size_t row = c->n_heads * c->d_head, heads = c->bias_heads > 1 ? c->bias_heads : 1;
  int64_t position = c->pos_q ? c->pos_q[i] : (int64_t)c->n_kv - (int64_t)c->n_q + (int64_t)i;
  char change[64];
  part.n_q = 1;
  part.q = slice(&part.q, i * row, row);
  part.key_bias = slice(&c->key_bias, sp_case_bias_row(c, b, i, 0), heads * c->n_kv);
  part.bias_batches = part.bias_rows = 1;
  part.pos_q = NULL;
  if (c->pos_q != NULL || i + 1 < c->n_q) {
    if (position < 0) return true;
    part.pos_q = &position;
  }
  snprintf(change, sizeof change, "query %zu of batch entry %zu alone", i, b);
  return try_part(t, &part, (b * c->n_q + i) * c->n_heads, change, ok);
}

static bool entries_alone(const trial *t, bool *ok) {
  const sp_case *c = t->whole;
  const size_t entries[2] = {0, c->n_batch - 1};
  for (size_t k = 0; k < (c->n_batch > 1 ? 2u : 1u); k++) {
    size_t b = entries[k];
    char change[48];
    snprintf(change, sizeof change, "batch entry %zu alone", b);
    sp_case part = entry_of(c, b);
    if (c->n_batch > 1 && !try_part(t, &part, b * c->n_q * c->n_heads, change, ok)) return false;
    if (c->n_q == 1) continue;
    for (size_t q = 0, i; q < QUERIES && spread(q, QUERIES, c->n_q, &i); q++)
      if (!query_alone(t, b, i, ok)) return false;
  }
  return true;
}

static bool other_threads(const trial *t, bool *ok) {
  sp_case part = *t->whole;
  char change[48];
  part.n_threads = part.n_threads == 1 ? 2 : 1;
  snprintf(change, sizeof change, "with n_threads %u instead of %u", part.n_threads,
           t->whole->n_threads);
  return try_part(t, &part, 0, change, ok);
}

bool sp_host_check_variants(sp_host *host, size_t kernel, const sp_case *c,
                            const sp_outputs *outputs, sp_incident *incident) {
  trial t = {host, kernel, c, outputs, incident};
  uint32_t claims = kernel < host->n_kernels ? host->kernels[kernel].claims : 0;
  bool ok = true;
  *incident = (sp_incident){0};
  if (c->op == SP_OP_CACHE) return true;
  if (!sp_host_check_prepared(host, kernel, c, outputs, incident)) return false;
  if (incident->kind != SP_INCIDENT_NONE) return true;
  if ((claims & SP_CLAIM_THREAD_INVARIANT) && !other_threads(&t, &ok)) return ok;
  if (!(claims & SP_CLAIM_BATCH_INVARIANT)) return true;
  if (c->op == SP_OP_SOFTMAX) {
    if (c->n_q > 1) rows_alone(&t, &ok);
    return ok;
  }
  entries_alone(&t, &ok);
  return ok;
}
