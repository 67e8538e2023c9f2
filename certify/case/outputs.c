/* SPDX-License-Identifier: Apache-2.0 */
/* Room for what one call returns. The same sizes serve every kernel, so a host may fill them and a
 * judge may read them without asking the case again. */
#include "certify/case/case.h"

#include <stdlib.h>

static size_t outputs_of_script(const sp_case *c) {
  size_t n = 0;
  for (size_t s = 0; s < c->n_steps; s++) {
    if (c->script[s].kind == SP_STEP_ATTEND) n++;
    if (c->script[s].kind == SP_STEP_APPEND && c->script[s].with_queries)
      n += c->script[s].n_tokens;
  }
  return n;
}

/* Lists get room for every token of the stream so far and one more, so that a kernel that forgot
 * to evict, or counts one too many, can be seen to have done so. spec: EV-2 */
static bool lists_init(sp_outputs *out, const sp_case *c) {
  size_t n_appended = 0;
  size_t room = 0;
  for (size_t s = 0; s < c->n_steps; s++) {
    if (c->script[s].kind == SP_STEP_APPEND) n_appended += c->script[s].n_tokens;
    bool lists = c->script[s].kind == SP_STEP_VISIBLE;
    if (!lists && c->script[s].kind != SP_STEP_TRUNCATE) continue;
    out->n_lists++;
    room += lists ? n_appended + 1 : 1;
  }
  if (out->n_lists == 0) return true;
  out->visible = calloc(room, sizeof *out->visible);
  out->n_visible = calloc(out->n_lists, sizeof *out->n_visible);
  return out->visible != NULL && out->n_visible != NULL;
}

/* spec: AL-5 lse is f64 for f64 softmax and attention, f32 for everything else. */
static sp_dtype lse_dtype(const sp_case *c) {
  return c->op != SP_OP_CACHE && c->dtype_q == SP_F64 ? SP_F64 : SP_F32;
}

bool sp_outputs_init(sp_outputs *out, const sp_case *c) {
  *out = (sp_outputs){0};
  size_t n_out = c->op == SP_OP_CACHE ? outputs_of_script(c) : c->n_q;
  size_t n_rows = c->n_batch * n_out * c->n_heads;
  size_t row_len = c->op == SP_OP_SOFTMAX ? c->n_kv : c->d_value;
  bool values = c->op != SP_OP_SOFTMAX || c->want_weights;
  bool ok = !values || sp_array_alloc(&out->values, c->dtype_q, n_rows * row_len);
  if (c->want_lse_keys) ok = ok && sp_array_alloc(&out->lse_keys, lse_dtype(c), n_rows);
  if (c->want_lse_total) ok = ok && sp_array_alloc(&out->lse_total, lse_dtype(c), n_rows);
  if (c->op == SP_OP_CACHE) ok = ok && lists_init(out, c);
  if (!ok) sp_outputs_clear(out);
  return ok;
}

void sp_outputs_clear(sp_outputs *out) {
  free(out->values.bits);
  free(out->lse_keys.bits);
  free(out->lse_total.bits);
  free(out->visible);
  free(out->n_visible);
  *out = (sp_outputs){0};
}
