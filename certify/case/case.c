/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a test case and of its arrays. A case owns every array, position list and script in
 * it; names (generator, clause) point to text that lives as long as the program. (CT-3) */
#include "certify/case/case.h"

#include <stdlib.h>
#include <string.h>

void sp_case_init(sp_case *c, sp_op op) {
  memset(c, 0, sizeof *c);
  c->op = op;
  c->generator = "file";
  c->clause = "";
  c->n_batch = c->n_q = c->n_kv = 1;
  c->n_heads = c->n_kv_heads = 1;
  c->d_head = c->d_value = 1;
  c->dtype_q = c->dtype_kv = SP_F32;
  c->scale = 1.0F;
  /* With one query at its default position, causal hides nothing; with more, causal is the form
   * that needs no option. */
  c->causal = true;
  c->window = SP_WINDOW_ALL;
  c->want_weights = true;
  c->n_threads = 1;
  c->bias_rows = 1;
}

static void array_clear(sp_array *array) {
  free(array->bits);
  *array = (sp_array){0};
}

void sp_case_clear(sp_case *c) {
  array_clear(&c->logits);
  array_clear(&c->q);
  array_clear(&c->k);
  array_clear(&c->v);
  array_clear(&c->sink_logit);
  array_clear(&c->key_bias);
  array_clear(&c->alibi_slope);
  array_clear(&c->bias_k);
  array_clear(&c->bias_v);
  free(c->pos_q);
  free(c->pos_k);
  free(c->script);
  sp_case_init(c, c->op);
}

size_t sp_case_bias_row(const sp_case *c, size_t b, size_t i, size_t h) {
  const size_t heads = c->bias_heads > 1 ? c->bias_heads : 1;
  const size_t row = (c->bias_batches > 1 ? b * c->bias_rows : 0) + (c->bias_rows > 1 ? i : 0);
  return (row * heads + (heads > 1 ? h : 0)) * c->n_kv;
}

bool sp_array_alloc(sp_array *array, sp_dtype dtype, size_t count) {
  size_t bytes = sp_ref_format_bytes(dtype);
  if (bytes == 0) return false;
  /* An array of no elements is still present, so it gets an address of its own. */
  void *bits = calloc(count > 0 ? count : 1, bytes);
  if (bits == NULL) return false;
  free(array->bits);
  *array = (sp_array){.dtype = dtype, .count = count, .bits = bits};
  return true;
}
