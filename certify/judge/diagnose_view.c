/* SPDX-License-Identifier: Apache-2.0 */
/* A view as SPEC.md has it, and what the oracle makes of an altered one. spec: EV-2, EV-10, EV-11 */
#include "certify/judge/diagnose_view.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "certify/case/sequence.h"

uint64_t sp_view_oldest(const sp_suspect *s, uint64_t index) {
  const sp_ref_mask mask = sp_sequence_mask(s->c, index);
  uint64_t oldest = index + 1 > mask.window ? index + 1 - mask.window : 0;
  return oldest > mask.n_sink_tokens ? oldest : mask.n_sink_tokens;
}

size_t sp_view_token(const sp_suspect *s, uint64_t index) {
  size_t n = s->c->n_kv;
  if (s->in.pos_k == NULL) return index < n ? (size_t)index : SIZE_MAX;
  for (size_t j = 0; j < n; j++)
    if (s->in.pos_k[j] == (int64_t)index) return j;
  return SIZE_MAX;
}

/* The step of the script that output s->i belongs to, and the block that its token came in. */
static void find_step(sp_view *view, const sp_suspect *s) {
  sp_sequence length[64] = {{0}};
  size_t n_out = 0;
  for (size_t k = 0; k < s->c->n_steps; k++) {
    const sp_cache_step *step = &s->c->script[k];
    sp_sequence *sequence = &length[step->sequence % 64];
    bool append = step->kind == SP_STEP_APPEND;
    size_t asked = step->kind == SP_STEP_ATTEND   ? 1
                   : append && step->with_queries ? step->n_tokens
                                                  : 0;
    view->step = k;
    view->sequence = step->sequence;
    view->attends = !append;
    view->block = append ? sequence->length : view->index;
    view->block_end = append ? sequence->length + step->n_tokens : view->index + 1;
    if (s->i < n_out + asked) return;
    n_out += asked;
    if (append) sp_sequence_append(sequence, s->c, step->n_tokens);
    if (step->kind == SP_STEP_TRUNCATE) (void)sp_sequence_truncate(sequence, s->c, step->n_tokens);
  }
}

bool sp_view_add(sp_view *view, const sp_suspect *s, uint64_t index) {
  size_t token = sp_view_token(s, index);
  if (view->n == view->capacity || token == SIZE_MAX) return false;
  view->list[view->n++] = (sp_viewed){.token = token, .index = index};
  return true;
}

void sp_view_drop(sp_view *view, size_t at) {
  view->n--;
  memmove(&view->list[at], &view->list[at + 1], (view->n - at) * sizeof *view->list);
}

void sp_view_place(sp_view *view, const sp_suspect *s) {
  bool ranks = s->c->position == SP_POSITION_CACHE;
  for (size_t i = 0; i < view->n; i++)
    view->list[i].position = ranks ? (double)i : (double)view->list[i].index;
  view->position = ranks ? (double)view->n - 1 : (double)view->index;
}

bool sp_view_init(sp_view *view, const sp_suspect *s) {
  *view = (sp_view){.capacity = 2 * s->c->n_kv};
  if (s->c->op != SP_OP_CACHE || s->in.logits != NULL || s->c->n_sequences > 64) return false;
  view->list = malloc((view->capacity + 1) * sizeof *view->list);
  if (view->list == NULL) return false;
  view->index = (uint64_t)s->in.pos_q;
  find_step(view, s);
  for (uint64_t j = 0; j <= view->index; j++) {
    bool pinned = j < s->in.mask.n_sink_tokens;
    if (!pinned && j < sp_view_oldest(s, view->index)) continue;
    if (!sp_view_add(view, s, j)) {
      sp_view_clear(view);
      return false;
    }
    view->pinned += pinned;
    view->recent += !pinned;
  }
  sp_view_place(view, s);
  return true;
}

void sp_view_clear(sp_view *view) {
  free(view->list);
  *view = (sp_view){0};
}

/* q·k, rotated by as much as the positions differ. */
static double product(const sp_ref_row_input *in, const double *k, double distance) {
  const sp_ref_rope *rope = &in->rope;
  double sum = 0;
  for (size_t i = 0; i < rope->dims / 2; i++) {
    size_t a = rope->interleaved ? 2 * i : i;
    size_t b = rope->interleaved ? 2 * i + 1 : i + rope->dims / 2;
    double angle = distance * pow(rope->base, -2.0 * (double)i / (double)rope->dims);
    sum += cos(angle) * (in->q[a] * k[a] + in->q[b] * k[b]) +
           sin(angle) * (in->q[a] * k[b] - in->q[b] * k[a]);
  }
  for (size_t c = rope->dims; c < in->d_head; c++) sum += in->q[c] * k[c];
  return sum;
}

bool sp_view_suppose(sp_view *view, sp_suspect *s) {
  size_t d = s->in.d_value;
  bool any = view->n > 0;
  for (size_t i = 0; i < view->n; i++) {
    const sp_viewed *at = &view->list[i];
    s->logits[i] =
        product(&s->in, s->in.k + at->token * s->in.k_stride, view->position - at->position);
    memcpy(s->v + i * d, s->in.v + at->token * s->in.v_stride, d * sizeof *s->v);
  }
  s->in.n_kv = view->n;
  s->in.logits = s->logits;
  s->in.v = s->v;
  s->in.v_stride = d;
  s->in.masked = false;
  s->in.pos_k = NULL;
  s->in.rope = (sp_ref_rope){0};
  sp_view_clear(view);
  return any;
}
