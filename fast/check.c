/* SPDX-License-Identifier: Apache-2.0 */
/* See check.h. "Legal but not offered" is SP_UNSUPPORTED, against SPEC.md or the ABI's own text is
 * SP_INVALID. */
#include "fast/check.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "fast/impl.h"

/* Half of what int64_t holds, so that differences of sizes and positions never overflow. */
#define MAX_SIZE (UINT64_C(1) << 62)

static bool is_offered(sp_dtype dtype, uint32_t dtypes) {
  return dtype < 32 && (dtypes & SP_DTYPE_BIT(dtype)) != 0;
}

/* spec: KC-1 */
static sp_status adopt(void *to, size_t capacity, const void *from) {
  uint32_t size = 0;
  if (from == NULL) return SP_INVALID;
  memcpy(&size, from, sizeof size);
  if (size < sizeof size) return SP_INVALID;
  memset(to, 0, capacity);
  memcpy(to, from, size < capacity ? size : capacity);
  for (size_t i = capacity; i < size; i++)
    if (((const unsigned char *)from)[i] != 0) return SP_UNSUPPORTED;
  return SP_OK;
}

/* A tensor that, if present, must have this one type, or else its call is `otherwise`. */
static sp_status check_type(const void *data, sp_dtype dtype, sp_dtype wanted,
                            sp_status otherwise) {
  return data == NULL || dtype == wanted ? SP_OK : otherwise;
}

/* spec: AL-2 f32 or bf16 */
static sp_status check_sink_logit(const sp_in *t) {
  if (t->data == NULL || t->dtype == SP_F32 || t->dtype == SP_BF16) return SP_OK;
  return SP_UNSUPPORTED;
}

/* spec: KC-7 */
static sp_status check_numbers(float scale, float softcap) {
  if (!isfinite(scale)) return SP_INVALID;
  return softcap >= 0.0F ? SP_OK : SP_INVALID; /* not for NaN */
}

/* spec: KC-7, AT-7 */
static sp_status check_heads(uint64_t n_heads, uint64_t n_kv_heads) {
  return n_kv_heads != 0 && n_heads % n_kv_heads == 0 ? SP_OK : SP_INVALID;
}

static sp_status first_error(const sp_status *status, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (status[i] == SP_INVALID) return SP_INVALID;
  for (size_t i = 0; i < n; i++)
    if (status[i] != SP_OK) return status[i];
  return SP_OK;
}

sp_status sp_fast_check_softmax(sp_softmax_call *call, const sp_softmax_call *from,
                                const sp_kernel *kernel) {
  sp_status adopted = adopt(call, sizeof *call, from);
  if (adopted != SP_OK) return adopted;
  bool any_output = call->weights.data || call->lse_keys.data || call->lse_total.data;
  bool has_keys = call->n > 0 && call->n_rows > 0;
  const sp_status status[] = {
      any_output ? SP_OK : SP_INVALID,
      has_keys && call->logits.data == NULL ? SP_INVALID : SP_OK,
      check_numbers(call->scale, 0.0F),
      check_type(has_keys ? call->weights.data : NULL, call->weights.dtype, call->logits.dtype,
                 SP_INVALID),
      check_type(call->lse_keys.data, call->lse_keys.dtype, SP_F32, SP_UNSUPPORTED),
      check_type(call->lse_total.data, call->lse_total.dtype, SP_F32, SP_UNSUPPORTED),
      check_type(call->key_bias.data, call->key_bias.dtype, SP_F32, SP_UNSUPPORTED),
      check_sink_logit(&call->sink_logit),
      is_offered(call->logits.dtype, kernel->dtypes_softmax) || !has_keys ? SP_OK : SP_UNSUPPORTED,
      call->reserved == 0 ? SP_OK : SP_UNSUPPORTED,
      call->n <= MAX_SIZE && call->n_rows <= MAX_SIZE ? SP_OK : SP_UNSUPPORTED,
  };
  return first_error(status, sizeof status / sizeof *status);
}

static bool sizes_fit(const sp_attention_call *c) {
  const uint64_t size[] = {c->n_batch,    c->n_q,    c->n_kv,   c->n_heads,
                           c->n_kv_heads, c->d_head, c->d_value};
  for (size_t i = 0; i < sizeof size / sizeof *size; i++)
    if (size[i] > MAX_SIZE) return false;
  return true;
}

/* spec: AT-4 given positions are not negative */
static bool positions_fit(const sp_attention_call *c) {
  for (uint64_t i = 0; c->pos_q != NULL && i < c->n_q; i++)
    if (c->pos_q[i] < 0) return false;
  for (uint64_t j = 0; c->pos_k != NULL && j < c->n_kv; j++)
    if (c->pos_k[j] < 0) return false;
  return true;
}

/* Inputs without which nothing can be computed. */
static bool inputs_present(const sp_attention_call *c) {
  bool any_row = c->n_batch > 0 && c->n_q > 0 && c->n_heads > 0;
  if (!any_row) return true;
  if (c->q.data == NULL) return false;
  if (c->n_kv == 0) return true;
  return c->k.data != NULL && (c->v.data != NULL || c->out.data == NULL);
}

static sp_status check_attention_types(const sp_attention_call *c, const sp_kernel *kernel) {
  bool has_keys = c->k.data != NULL || c->bias_k.data != NULL;
  const sp_status status[] = {
      check_type(c->v.data, c->v.dtype, c->k.dtype, SP_INVALID),
      check_type(c->bias_k.data, c->bias_k.dtype, c->k.dtype, SP_INVALID),
      check_type(c->bias_v.data, c->bias_v.dtype, c->k.dtype, SP_INVALID),
      check_type(c->out.data, c->out.dtype, c->q.dtype, SP_INVALID),
      check_type(c->lse_keys.data, c->lse_keys.dtype, SP_F32, SP_UNSUPPORTED),
      check_type(c->lse_total.data, c->lse_total.dtype, SP_F32, SP_UNSUPPORTED),
      check_type(c->key_bias.data, c->key_bias.dtype, SP_F32, SP_UNSUPPORTED),
      check_type(c->alibi_slope.data, c->alibi_slope.dtype, SP_F32, SP_UNSUPPORTED),
      check_sink_logit(&c->sink_logit),
      is_offered(c->q.dtype, kernel->dtypes_q) ? SP_OK : SP_UNSUPPORTED,
      is_offered(c->k.dtype, kernel->dtypes_kv) || !has_keys ? SP_OK : SP_UNSUPPORTED,
  };
  return first_error(status, sizeof status / sizeof *status);
}

sp_status sp_fast_check_attention(sp_attention_call *call, const sp_attention_call *from,
                                  const sp_kernel *kernel) {
  sp_status adopted = adopt(call, sizeof *call, from);
  if (adopted != SP_OK) return adopted;
  bool any_output = call->out.data || call->lse_keys.data || call->lse_total.data;
  bool half_pair = (call->bias_k.data == NULL) != (call->bias_v.data == NULL);
  if (!sizes_fit(call)) return SP_UNSUPPORTED;
  const sp_status status[] = {
      any_output ? SP_OK : SP_INVALID,
      check_heads(call->n_heads, call->n_kv_heads),
      call->window == 0 ? SP_INVALID : SP_OK, /* spec: EV-3 */
      half_pair ? SP_INVALID : SP_OK,         /* spec: AL-8 */
      check_numbers(call->scale, call->softcap),
      call->causal <= 1 ? SP_OK : SP_INVALID,
      inputs_present(call) ? SP_OK : SP_INVALID,
      positions_fit(call) ? SP_OK : SP_INVALID,
      check_attention_types(call, kernel),
      call->reserved == 0 ? SP_OK : SP_UNSUPPORTED,
  };
  return first_error(status, sizeof status / sizeof *status);
}

/* spec: KC-7, EV-10, EV-11 */
static sp_status check_rotation(const sp_cache_config *c) {
  bool rotated = c->rope_dims > 0;
  if (c->position > SP_POSITION_CACHE || c->rope_pairing > SP_ROPE_INTERLEAVED) return SP_INVALID;
  if (rotated != (c->position != SP_POSITION_NONE)) return SP_INVALID;
  if (!rotated) return SP_OK;
  if (c->rope_dims % 2 != 0 || c->rope_dims > c->d_head) return SP_INVALID;
  return c->rope_base >= 1.0 && isfinite(c->rope_base) ? SP_OK : SP_INVALID;
}

/* Zero stands for one. */
sp_status sp_fast_check_cache_config(sp_cache_config *config, const sp_cache_config *from,
                                     const sp_kernel *kernel) {
  sp_status adopted = adopt(config, sizeof *config, from);
  if (adopted != SP_OK) return adopted;
  if (config->n_sequences == 0) config->n_sequences = 1;
  if (config->n_evict == 0) config->n_evict = 1;
  bool turns = (kernel->options & (SP_OPT_POSITION_ABS | SP_OPT_POSITION_CACHE)) != 0;
  bool endless = config->window == 0 || config->window == SP_WINDOW_ALL; /* spec: EV-3 */
  const sp_status status[] = {
      endless ? SP_INVALID : SP_OK,
      config->n_evict <= config->window ? SP_OK : SP_INVALID,
      check_rotation(config),
      check_heads(config->n_heads, config->n_kv_heads),
      config->rope_dims == 0 || turns ? SP_OK : SP_UNSUPPORTED,
      is_offered(config->dtype_kv, kernel->dtypes_kv) ? SP_OK : SP_UNSUPPORTED,
      config->n_heads <= MAX_SIZE ? SP_OK : SP_UNSUPPORTED,
      config->d_head <= MAX_SIZE && config->d_value <= MAX_SIZE ? SP_OK : SP_UNSUPPORTED,
  };
  return first_error(status, sizeof status / sizeof *status);
}

/* What append with queries and attend have in common. */
static sp_status check_queries(const sp_cache_call *c, const sp_kernel *kernel) {
  const sp_status status[] = {
      check_numbers(c->scale, c->softcap),
      check_type(c->out.data, c->out.dtype, c->q.dtype, SP_INVALID),
      check_type(c->lse_keys.data, c->lse_keys.dtype, SP_F32, SP_UNSUPPORTED),
      check_type(c->lse_total.data, c->lse_total.dtype, SP_F32, SP_UNSUPPORTED),
      check_sink_logit(&c->sink_logit),
      is_offered(c->q.dtype, kernel->dtypes_q) ? SP_OK : SP_UNSUPPORTED,
  };
  return first_error(status, sizeof status / sizeof *status);
}

sp_status sp_fast_check_append(sp_cache_call *call, const sp_cache_call *from,
                               const sp_cache_config *config, const sp_kernel *kernel) {
  sp_status adopted = adopt(call, sizeof *call, from);
  if (adopted != SP_OK) return adopted;
  bool with_queries = call->q.data != NULL;
  bool any_lse = call->lse_keys.data || call->lse_total.data;
  const sp_status status[] = {
      call->n_tokens > 0 ? SP_OK : SP_INVALID, /* spec: KC-7 */
      call->sequence < config->n_sequences ? SP_OK : SP_INVALID,
      check_numbers(call->scale, call->softcap),
      call->k.data != NULL && call->v.data != NULL ? SP_OK : SP_INVALID,
      call->k.dtype == config->dtype_kv ? SP_OK : SP_INVALID,
      call->v.dtype == config->dtype_kv ? SP_OK : SP_INVALID,
      any_lse && !with_queries ? SP_INVALID : SP_OK,
      with_queries == (call->out.data != NULL) ? SP_OK : SP_INVALID,
      with_queries ? check_queries(call, kernel) : SP_OK,
  };
  return first_error(status, sizeof status / sizeof *status);
}

sp_status sp_fast_check_attend(sp_cache_call *call, const sp_cache_call *from,
                               const sp_cache_config *config, const sp_kernel *kernel) {
  sp_status adopted = adopt(call, sizeof *call, from);
  if (adopted != SP_OK) return adopted;
  const sp_status status[] = {
      call->n_tokens == 1 ? SP_OK : SP_INVALID,
      call->sequence < config->n_sequences ? SP_OK : SP_INVALID,
      call->k.data == NULL && call->v.data == NULL ? SP_OK : SP_INVALID,
      call->q.data != NULL && call->out.data != NULL ? SP_OK : SP_INVALID,
      check_queries(call, kernel),
  };
  return first_error(status, sizeof status / sizeof *status);
}
