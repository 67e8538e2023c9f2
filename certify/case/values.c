/* SPDX-License-Identifier: Apache-2.0 */
/* A case as the oracle takes it: exact doubles, one row at a time. Every decision of the semantics
 * (mask, absence, sink) is the oracle's; here are only indices. */
#include "certify/case/case.h"

#include <math.h>
#include <stdlib.h>

#include "certify/case/sequence.h"

/* spec: NU-1 every bit pattern of the four formats is exactly a double. */
static bool load(double **values, const sp_array *array) {
  if (array->bits == NULL) return true;
  double *v = malloc((array->count > 0 ? array->count : 1) * sizeof *v);
  if (v == NULL) return false;
  for (size_t i = 0; i < array->count; i++) v[i] = sp_ref_load(array->dtype, array->bits, i);
  *values = v;
  return true;
}

/* A script while its outputs are numbered. As long as nothing is taken back from a sequence, one
 * list of indices does for all its outputs: causality hides what comes later. */
typedef struct walk {
  sp_case_values *values;
  sp_sequence *sequence;
  int64_t **pos; /* of each sequence, the list that holds at present */
  size_t n_lists, n_appended;
} walk;

static void note_output(walk *w, const sp_cache_step *step, size_t token, uint64_t index) {
  sp_case_values *values = w->values;
  values->output_token[values->n_out] = token;
  values->output_index[values->n_out] = (size_t)index;
  if (values->pos != NULL) values->output_pos[values->n_out] = w->pos[step->sequence];
  values->n_out++;
}

static void append(walk *w, const sp_case *c, const sp_cache_step *step) {
  sp_sequence *sequence = &w->sequence[step->sequence];
  for (size_t t = 0; t < step->n_tokens; t++, w->n_appended++) {
    if (w->values->pos != NULL) w->pos[step->sequence][w->n_appended] = (int64_t)sequence->length;
    if (step->with_queries) note_output(w, step, w->n_appended, sequence->length);
    sp_sequence_append(sequence, c, 1);
  }
}

/* A new list without what was taken back. The newest token is the last one that is left of it. */
static void truncate(walk *w, const sp_case *c, const sp_cache_step *step) {
  sp_sequence *sequence = &w->sequence[step->sequence];
  if (sp_sequence_truncate(sequence, c, step->n_tokens) != SP_OK) return;
  const int64_t *old = w->pos[step->sequence];
  int64_t *new = w->values->pos + w->n_lists++ * c->n_kv;
  for (size_t j = 0; j < c->n_kv; j++)
    new[j] = old[j] < (int64_t)sequence->length ? old[j] : INT64_MAX;
  w->pos[step->sequence] = new;
}

static size_t newest_token(const walk *w, const sp_cache_step *step) {
  if (w->values->pos == NULL) return w->n_appended - 1;
  const int64_t newest = (int64_t)w->sequence[step->sequence].length - 1;
  size_t j = w->n_appended - 1;
  while (j > 0 && w->pos[step->sequence][j] != newest) j--;
  return j;
}

static void walk_script(walk *w, const sp_case *c) {
  for (size_t s = 0; s < c->n_steps; s++) {
    const sp_cache_step *step = &c->script[s];
    if (step->kind == SP_STEP_APPEND) append(w, c, step);
    if (step->kind == SP_STEP_TRUNCATE) truncate(w, c, step);
    if (step->kind == SP_STEP_ATTEND)
      note_output(w, step, newest_token(w, step), w->sequence[step->sequence].length - 1);
  }
}

/* Which token each output row of a stream belongs to, in the order of the script, and what it sees
 * where. */
static bool load_script(sp_case_values *values, const sp_case *c) {
  size_t n_out = 0, n_lists = sp_case_sequences(c);
  bool plain = n_lists == 1;
  for (size_t s = 0; s < c->n_steps; s++) {
    bool truncates = c->script[s].kind == SP_STEP_TRUNCATE;
    n_out += c->script[s].kind == SP_STEP_APPEND ? c->script[s].n_tokens : 1;
    n_lists += truncates;
    plain = plain && !truncates;
  }
  walk w = {.values = values,
            .n_lists = sp_case_sequences(c),
            .sequence = calloc(sp_case_sequences(c), sizeof *w.sequence),
            .pos = calloc(sp_case_sequences(c), sizeof *w.pos)};
  values->output_token = calloc(n_out + 1, sizeof *values->output_token);
  values->output_index = calloc(n_out + 1, sizeof *values->output_index);
  if (!plain) values->output_pos = calloc(n_out + 1, sizeof *values->output_pos);
  if (!plain) values->pos = malloc(n_lists * c->n_kv * sizeof *values->pos);
  bool ok = w.sequence && w.pos && values->output_token && values->output_index &&
            (plain || (values->output_pos && values->pos));
  values->n_out = 0;
  for (size_t i = 0; ok && !plain && i < n_lists * c->n_kv; i++) values->pos[i] = INT64_MAX;
  for (size_t s = 0; ok && !plain && s < w.n_lists; s++) w.pos[s] = values->pos + s * c->n_kv;
  if (ok) walk_script(&w, c);
  free(w.sequence);
  free(w.pos);
  return ok;
}

bool sp_case_values_init(sp_case_values *values, const sp_case *c) {
  *values = (sp_case_values){.source = c, .n_out = c->n_q};
  bool ok = load(&values->logits, &c->logits) && load(&values->q, &c->q) &&
            load(&values->k, &c->k) && load(&values->v, &c->v) &&
            load(&values->sink_logit, &c->sink_logit) && load(&values->key_bias, &c->key_bias) &&
            load(&values->alibi_slope, &c->alibi_slope) && load(&values->bias_k, &c->bias_k) &&
            load(&values->bias_v, &c->bias_v);
  if (c->op == SP_OP_CACHE) ok = ok && load_script(values, c);
  if (!ok) sp_case_values_clear(values);
  return ok;
}

void sp_case_values_clear(sp_case_values *values) {
  free(values->logits);
  free(values->q);
  free(values->k);
  free(values->v);
  free(values->sink_logit);
  free(values->key_bias);
  free(values->alibi_slope);
  free(values->bias_k);
  free(values->bias_v);
  free(values->output_token);
  free(values->output_index);
  free(values->output_pos);
  free(values->pos);
  *values = (sp_case_values){0};
}

static void softmax_row(const sp_case_values *values, size_t i, sp_ref_row_input *row) {
  const sp_case *c = values->source;
  row->logits = values->logits + i * c->n_kv;
  if (values->sink_logit != NULL) row->sink_logit = values->sink_logit[i];
}

/* spec: AT-7 (kv head), AT-4 (default positions are bottom-right). */
static void attention_row(const sp_case_values *values, size_t b, size_t i, size_t h,
                          sp_ref_row_input *row) {
  const sp_case *c = values->source;
  size_t h_kv = h / (c->n_heads / c->n_kv_heads);
  size_t first_key = b * c->n_kv * c->n_kv_heads + h_kv;
  row->d_head = c->d_head;
  row->d_value = c->d_value;
  row->q = values->q + ((b * c->n_q + i) * c->n_heads + h) * c->d_head;
  row->k = values->k + (c->n_kv > 0 ? first_key * c->d_head : 0);
  row->v = values->v + (c->n_kv > 0 ? first_key * c->d_value : 0);
  row->k_stride = c->n_kv_heads * c->d_head;
  row->v_stride = c->n_kv_heads * c->d_value;
  if (values->sink_logit != NULL) row->sink_logit = values->sink_logit[h];
  if (values->alibi_slope != NULL) row->alibi_slope = values->alibi_slope[h];
  if (values->bias_k != NULL) row->bias_k = values->bias_k + h_kv * c->d_head;
  if (values->bias_v != NULL) row->bias_v = values->bias_v + h_kv * c->d_value;
  row->masked = true;
  row->mask = (sp_ref_mask){c->causal, c->window, c->n_sink_tokens};
  row->pos_q = c->pos_q != NULL ? c->pos_q[i] : (int64_t)c->n_kv - (int64_t)c->n_q + (int64_t)i;
  row->pos_k = c->pos_k;
}

/* How far a kernel may have to turn: by the number of a token where positions are numbers, and no
 * further than the stream is long where they are ranks. spec: EV-10, EV-11 */
static sp_ref_rope rope_of(const sp_case *c, uint64_t index) {
  bool in_cache = c->position == SP_POSITION_CACHE;
  return (sp_ref_rope){.dims = c->rope_dims,
                       .interleaved = c->rope_pairing == SP_ROPE_INTERLEAVED,
                       .in_cache = in_cache,
                       .base = c->rope_base,
                       .reach = in_cache ? index : c->first_token + index};
}

/* spec: EV-2, EV-9, EV-16 a token sees the past of its own sequence only, and positions count from
 * the first token appended. */
static void stream_row(const sp_case_values *values, size_t i, size_t h, sp_ref_row_input *row) {
  const sp_case *c = values->source;
  size_t token = values->output_token[i], index = values->output_index[i];
  attention_row(values, 0, token, h, row);
  row->n_kv = token + 1;
  row->mask = sp_sequence_mask(c, index);
  row->pos_q = (int64_t)index;
  row->pos_k = values->pos != NULL ? values->output_pos[i] : NULL;
  row->rope = rope_of(c, index);
}

void sp_case_row(const sp_case_values *values, size_t b, size_t i, size_t h,
                 sp_ref_row_input *row) {
  const sp_case *c = values->source;
  *row = (sp_ref_row_input){.n_kv = c->n_kv, .scale = (double)c->scale, .sink_logit = -INFINITY};
  row->softcap = (double)c->softcap;
  if (values->key_bias != NULL) row->key_bias = values->key_bias + sp_case_bias_row(c, b, i, h);
  if (c->op == SP_OP_SOFTMAX) {
    softmax_row(values, i, row);
    return;
  }
  if (c->op == SP_OP_CACHE)
    stream_row(values, i, h, row);
  else
    attention_row(values, b, i, h, row);
}
