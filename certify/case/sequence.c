/* SPDX-License-Identifier: Apache-2.0 */
/* A sequence as two numbers. spec: EV-9, EV-15, EV-16 */
#include "certify/case/sequence.h"

size_t sp_case_sequences(const sp_case *c) {
  return c->n_sequences > 0 ? c->n_sequences : 1;
}

sp_ref_mask sp_sequence_mask(const sp_case *c, uint64_t t) {
  uint64_t window = sp_ref_window_at(c->n_sink_tokens, c->window, c->n_evict, t);
  return (sp_ref_mask){true, window, c->n_sink_tokens};
}

void sp_sequence_append(sp_sequence *sequence, const sp_case *c, uint64_t n_tokens) {
  sequence->length += n_tokens;
  uint64_t most = c->window + c->n_undo;
  if (most < c->window || sequence->length <= most) return;
  if (sequence->length - most > sequence->lost) sequence->lost = sequence->length - most;
}

sp_status sp_sequence_truncate(sp_sequence *sequence, const sp_case *c, uint64_t n_tokens) {
  if (n_tokens == 0 || n_tokens > sequence->length) return SP_INVALID;
  uint64_t length = sequence->length - n_tokens;
  if (length > c->n_sink_tokens) {
    uint64_t window = sp_sequence_mask(c, length - 1).window;
    uint64_t oldest = length - c->n_sink_tokens > window ? length - window : c->n_sink_tokens;
    if (oldest < sequence->lost) return SP_LOST;
  }
  sequence->length = length;
  if (sequence->lost > length) sequence->lost = length;
  return SP_OK;
}

/* The length of the step's sequence before it, and the token that has index `wanted` in it then. */
static uint64_t walk_to(const sp_case *c, size_t step, uint64_t wanted, size_t *token) {
  sp_sequence sequence = {0};
  size_t n_appended = 0;
  for (size_t s = 0; s < step; s++) {
    const sp_cache_step *at = &c->script[s];
    bool append = at->kind == SP_STEP_APPEND, ours = at->sequence == c->script[step].sequence;
    if (append && ours && wanted >= sequence.length && wanted - sequence.length < at->n_tokens)
      *token = n_appended + (size_t)(wanted - sequence.length);
    if (append && ours) sp_sequence_append(&sequence, c, at->n_tokens);
    if (at->kind == SP_STEP_TRUNCATE && ours)
      (void)sp_sequence_truncate(&sequence, c, at->n_tokens);
    if (append) n_appended += at->n_tokens;
  }
  return sequence.length;
}

size_t sp_case_attend_token(const sp_case *c, size_t step) {
  size_t token = 0;
  uint64_t length = walk_to(c, step, UINT64_MAX, &token);
  (void)walk_to(c, step, length - 1, &token); /* the last one that was given this index */
  return token;
}
