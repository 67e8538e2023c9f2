/* SPDX-License-Identifier: Apache-2.0 */
/* Case to bytes: for seeds, and for mutators that change a case instead of bytes. */
#include "fuzz/decode.h"

#include <stdlib.h>
#include <string.h>

#include "fuzz/element.h"

typedef struct encoder {
  const sp_case *c;
  sp_fuzz_header h;
  uint8_t *data;
  size_t capacity, at;
  size_t needed; /* the bytes up to here say something that would not follow without them */
} encoder;

static uint32_t bits_of(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

static uint8_t dtype_code(sp_dtype dtype) {
  static const uint8_t code[] = {[SP_F32] = 0, [SP_BF16] = 1, [SP_F16] = 2, [SP_F64] = 3};
  return code[dtype];
}

static uint16_t flags_of(const sp_case *c) {
  const struct {
    bool set;
    unsigned bit;
  } flags[] = {
      {!c->causal, SP_FUZZ_ACAUSAL},
      {!c->want_weights, SP_FUZZ_NO_VALUES},
      {c->want_lse_keys, SP_FUZZ_LSE_KEYS},
      {c->want_lse_total, SP_FUZZ_LSE_TOTAL},
      {c->layout.head_major, SP_FUZZ_HEAD_MAJOR},
      {c->layout.guard_before, SP_FUZZ_GUARD_BEFORE},
      {c->sink_logit.bits != NULL, SP_FUZZ_SINK_LOGIT},
      {c->sink_logit.dtype == SP_BF16, SP_FUZZ_SINK_BF16},
      {c->key_bias.bits != NULL, SP_FUZZ_BIAS},
      {c->bias_rows > 1, SP_FUZZ_BIAS_PER_QUERY},
      {c->alibi_slope.bits != NULL, SP_FUZZ_ALIBI},
      {c->bias_k.bits != NULL, SP_FUZZ_BIAS_PAIR},
      {c->pos_q != NULL, SP_FUZZ_POS_Q},
      {c->pos_k != NULL, SP_FUZZ_POS_K},
  };
  unsigned all = 0;
  for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
    if (flags[i].set) all |= flags[i].bit;
  return (uint16_t)all;
}

static bool sizes_fit(const sp_case *c) {
  return sp_fuzz_affordable(c) && sp_fuzz_size(sp_fuzz_size_code(c->n_kv)) == c->n_kv &&
         c->n_q <= SP_FUZZ_LARGE_N && sp_fuzz_dim(sp_fuzz_dim_code(c->d_head)) == c->d_head &&
         sp_fuzz_dim(sp_fuzz_dim_code(c->d_value)) == c->d_value;
}

static bool describe_sizes(encoder *e) {
  const sp_case *c = e->c;
  sp_fuzz_header *h = &e->h;
  h->op = (uint8_t)c->op;
  h->dtype_q = dtype_code(c->dtype_q);
  h->dtype_kv = dtype_code(c->dtype_kv);
  h->flags = flags_of(c);
  h->n_kv = sp_fuzz_size_code(c->n_kv);
  h->n_q = sp_fuzz_size_code(c->n_q - 1);
  h->d_head = sp_fuzz_dim_code(c->d_head);
  h->d_value = sp_fuzz_dim_code(c->d_value);
  return sp_fuzz_how_many_code(SP_FUZZ_ENTRIES, c->n_batch, &h->n_batch) &&
         sp_fuzz_how_many_code(SP_FUZZ_KV_HEADS, c->n_kv_heads, &h->n_kv_heads) &&
         sp_fuzz_how_many_code(SP_FUZZ_GROUP, c->n_heads / c->n_kv_heads, &h->group);
}

static void describe_options(encoder *e) {
  const sp_case *c = e->c;
  sp_fuzz_header *h = &e->h;
  bool all = c->op != SP_OP_CACHE && c->window == SP_WINDOW_ALL;
  h->window_kind = all ? SP_FUZZ_DEFAULT : SP_FUZZ_EXACT;
  h->window = all ? 0 : c->window;
  h->n_sink_tokens_kind = SP_FUZZ_EXACT;
  h->n_sink_tokens = c->n_sink_tokens;
  h->first_token_kind = SP_FUZZ_EXACT;
  h->first_token = c->first_token;
  h->scale_kind = h->softcap_kind = 7;
  h->scale = bits_of(c->scale);
  h->softcap = bits_of(c->softcap);
  h->n_threads = (uint8_t)(c->n_threads - 1);
  h->row_pad = (uint8_t)c->layout.row_pad;
  h->misalign = (uint8_t)(c->layout.misalign | (c->layout.reversed ? SP_FUZZ_REVERSED : 0));
  h->raw_range = 0;
  if (c->op != SP_OP_ATTENTION) return;
  h->stream = (uint8_t)((c->bias_batches > 1 ? SP_FUZZ_BIAS_BATCHES : 0) |
                        (c->bias_heads > 1 ? SP_FUZZ_BIAS_HEADS : 0));
}

static bool put(encoder *e, const uint8_t *bytes, size_t n) {
  if (n > e->capacity - e->at) return false;
  memcpy(e->data + e->at, bytes, n);
  e->at += n;
  return true;
}

static bool encode_positions(encoder *e, const int64_t *pos, size_t n) {
  bool wide = (e->h.flags & SP_FUZZ_POS_WIDE) != 0;
  for (size_t i = 0; pos != NULL && i < n; i++) {
    uint8_t bytes[8];
    sp_fuzz_set_bits(bytes, 8, 0, (uint64_t)pos[i]);
    if (!put(e, bytes, wide ? 8 : 1)) return false;
  }
  return true;
}

static bool is_wide(const int64_t *pos, size_t n) {
  for (size_t i = 0; pos != NULL && i < n; i++)
    if (pos[i] > UINT8_MAX) return true;
  return false;
}

static bool encode_order(encoder *e) {
  const sp_case *c = e->c;
  for (size_t s = 0; s < c->n_steps; s++) {
    uint8_t bytes[SP_FUZZ_STEP_BYTES];
    if (!sp_fuzz_step_write(&c->script[s], bytes) || !put(e, bytes, sizeof bytes)) return false;
  }
  bool ok = encode_positions(e, c->pos_q, c->n_q) && encode_positions(e, c->pos_k, c->n_kv);
  e->needed = e->at;
  return ok;
}

/* Bytes that only repeat what would follow anyway are written, but may be cut off at the end: then
 * the array may be longer than the room for it. */
static bool encode_array(encoder *e, const sp_array *array, sp_fuzz_role role) {
  size_t bytes = sp_ref_format_bytes(array->dtype);
  for (size_t i = 0; i < array->count; i++) {
    uint64_t bits = sp_fuzz_get_bits(array->bits, bytes, i);
    bool follows = bits == sp_fuzz_fill(&e->h, array->dtype, role, i);
    if (e->at + bytes <= e->capacity) sp_fuzz_set_bits(e->data + e->at, bytes, 0, bits);
    e->at += bytes;
    if (follows) continue;
    e->needed = e->at;
    if (e->needed > e->capacity) return false;
  }
  return true;
}

static bool same_array(const sp_array *a, const sp_array *b) {
  if (a->bits == NULL || b->bits == NULL) return a->bits == b->bits;
  return a->dtype == b->dtype && a->count == b->count &&
         memcmp(a->bits, b->bits, a->count * sp_ref_format_bytes(a->dtype)) == 0;
}

static bool same_positions(const int64_t *a, const int64_t *b, size_t n) {
  if (a == NULL || b == NULL) return a == b;
  return memcmp(a, b, n * sizeof *a) == 0;
}

static bool same_script(const sp_case *a, const sp_case *b) {
  if (a->n_steps != b->n_steps) return false;
  for (size_t s = 0; s < a->n_steps; s++) {
    const sp_cache_step *x = &a->script[s], *y = &b->script[s];
    if (x->kind != y->kind) return false;
    if (x->sequence != y->sequence) return false;
    if (x->kind != SP_STEP_APPEND && x->kind != SP_STEP_TRUNCATE) continue;
    if (x->n_tokens != y->n_tokens || x->with_queries != y->with_queries) return false;
  }
  return true;
}

static uint64_t at_least_1(uint64_t n) {
  return n > 0 ? n : 1;
}

static bool same_bias_axes(const sp_case *a, const sp_case *b) {
  return at_least_1(a->bias_batches) == at_least_1(b->bias_batches) &&
         a->bias_rows == b->bias_rows && at_least_1(a->bias_heads) == at_least_1(b->bias_heads);
}

static bool same_numbers(const sp_case *a, const sp_case *b) {
  bool softmax = a->op == SP_OP_SOFTMAX;
  return a->op == b->op && a->n_batch == b->n_batch && a->n_q == b->n_q && a->n_kv == b->n_kv &&
         a->n_heads == b->n_heads && a->n_kv_heads == b->n_kv_heads &&
         (softmax || (a->d_head == b->d_head && a->d_value == b->d_value)) &&
         a->dtype_q == b->dtype_q && (softmax || a->dtype_kv == b->dtype_kv) &&
         bits_of(a->scale) == bits_of(b->scale) && bits_of(a->softcap) == bits_of(b->softcap) &&
         a->causal == b->causal && a->window == b->window && a->n_sink_tokens == b->n_sink_tokens &&
         a->first_token == b->first_token && a->n_threads == b->n_threads && same_bias_axes(a, b);
}

static bool same_stream(const sp_case *a, const sp_case *b) {
  return at_least_1(a->n_sequences) == at_least_1(b->n_sequences) &&
         at_least_1(a->n_evict) == at_least_1(b->n_evict) && a->n_undo == b->n_undo &&
         a->position == b->position && a->rope_pairing == b->rope_pairing &&
         a->rope_dims == b->rope_dims &&
         (a->position == SP_POSITION_NONE || a->rope_base == b->rope_base);
}

static bool same_outputs(const sp_case *a, const sp_case *b) {
  const sp_layout *x = &a->layout, *y = &b->layout;
  return (a->op != SP_OP_SOFTMAX || a->want_weights == b->want_weights) &&
         a->want_lse_keys == b->want_lse_keys && a->want_lse_total == b->want_lse_total &&
         x->head_major == y->head_major && x->row_pad == y->row_pad &&
         x->guard_before == y->guard_before && x->misalign == y->misalign &&
         x->reversed == y->reversed && x->reach == y->reach;
}

static bool same_case(const sp_case *a, const sp_case *b) {
  if (!same_numbers(a, b) || !same_stream(a, b)) return false;
  if (!same_outputs(a, b) || !same_script(a, b)) return false;
  if (!same_positions(a->pos_q, b->pos_q, a->n_q)) return false;
  if (!same_positions(a->pos_k, b->pos_k, a->n_kv)) return false;
  sp_case x = *a, y = *b; /* only to reach the arrays, which are not written */
  for (int role = 0; role < SP_FUZZ_N_ROLES; role++)
    if (!same_array(sp_fuzz_array(&x, role), sp_fuzz_array(&y, role))) return false;
  return true;
}

bool sp_fuzz_decodes_to(const sp_case *c, const uint8_t *data, size_t size) {
  sp_fuzz_offer all = sp_fuzz_offer_all();
  sp_case back;
  if (!sp_fuzz_decode(&back, data, size, &all)) return false;
  bool same = same_case(c, &back);
  sp_case_clear(&back);
  return same;
}

size_t sp_fuzz_encode(const sp_case *c, const sp_fuzz_header *like, uint8_t *data,
                      size_t capacity) {
  encoder e = {.c = c, .h = *like, .data = data, .capacity = capacity};
  if (capacity < SP_FUZZ_HEADER_BYTES || !sizes_fit(c)) return 0;
  if (!describe_sizes(&e)) return 0;
  describe_options(&e);
  if (is_wide(c->pos_q, c->n_q) || is_wide(c->pos_k, c->n_kv)) e.h.flags |= SP_FUZZ_POS_WIDE;
  if (c->op == SP_OP_CACHE && !sp_fuzz_n_steps_code(c->n_steps, &e.h.n_steps)) return 0;
  if (c->op == SP_OP_CACHE && !sp_fuzz_stream_write(c, &e.h)) return 0;
  sp_fuzz_header_write(&e.h, data);
  e.at = SP_FUZZ_HEADER_BYTES;
  if (!encode_order(&e)) return 0;
  sp_case copy = *c; /* only to reach the arrays, which are not written */
  for (int role = 0; role < SP_FUZZ_N_ROLES; role++)
    if (!encode_array(&e, sp_fuzz_array(&copy, role), (sp_fuzz_role)role)) return 0;
  return e.needed;
}
