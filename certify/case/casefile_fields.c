/* SPDX-License-Identifier: Apache-2.0 */
/* The table of a case file's fields. A field added to sp_case is added here and nowhere else.
 * spec: CT-4 */
#include "certify/case/casefile.h"

const char *const sp_op_names[SP_N_OPS] = {"softmax", "attention", "cache"};

#define FIELD(kind, name)                                                                          \
  { #name, kind, offsetof(sp_case, name), false }
#define LATER(kind, name)                                                                          \
  { #name, kind, offsetof(sp_case, name), true }
#define LAYOUT(kind, name)                                                                         \
  { #name, kind, offsetof(sp_case, layout) + offsetof(sp_layout, name), false }
#define LATER_LAYOUT(kind, name)                                                                   \
  { #name, kind, offsetof(sp_case, layout) + offsetof(sp_layout, name), true }
#define ARRAY(name)                                                                                \
  { #name, offsetof(sp_case, name) }

static const sp_field fields[] = {
    FIELD(SP_FIELD_U64, seed),           FIELD(SP_FIELD_U64, index),
    FIELD(SP_FIELD_SIZE, n_batch),       FIELD(SP_FIELD_SIZE, n_q),
    FIELD(SP_FIELD_SIZE, n_kv),          FIELD(SP_FIELD_SIZE, n_heads),
    FIELD(SP_FIELD_SIZE, n_kv_heads),    FIELD(SP_FIELD_SIZE, d_head),
    FIELD(SP_FIELD_SIZE, d_value),       FIELD(SP_FIELD_DTYPE, dtype_q),
    FIELD(SP_FIELD_DTYPE, dtype_kv),     FIELD(SP_FIELD_F32, scale),
    FIELD(SP_FIELD_F32, softcap),        FIELD(SP_FIELD_BOOL, causal),
    FIELD(SP_FIELD_U64, window),         FIELD(SP_FIELD_U64, n_sink_tokens),
    FIELD(SP_FIELD_U64, first_token),    FIELD(SP_FIELD_BOOL, want_weights),
    FIELD(SP_FIELD_BOOL, want_lse_keys), FIELD(SP_FIELD_BOOL, want_lse_total),
    FIELD(SP_FIELD_U32, n_threads),      FIELD(SP_FIELD_SIZE, bias_rows),
    LATER(SP_FIELD_SIZE, n_sequences),   LATER(SP_FIELD_U64, n_evict),
    LATER(SP_FIELD_U64, n_undo),         LATER(SP_FIELD_U32, position),
    LATER(SP_FIELD_U32, rope_pairing),   LATER(SP_FIELD_SIZE, rope_dims),
    LATER(SP_FIELD_F64, rope_base),      LATER(SP_FIELD_SIZE, bias_batches),
    LATER(SP_FIELD_SIZE, bias_heads),    LAYOUT(SP_FIELD_BOOL, head_major),
    LAYOUT(SP_FIELD_U32, row_pad),       LAYOUT(SP_FIELD_BOOL, guard_before),
    LAYOUT(SP_FIELD_U32, misalign),      LATER_LAYOUT(SP_FIELD_BOOL, reversed),
    LATER_LAYOUT(SP_FIELD_U32, reach),
};

static const sp_array_field arrays[] = {
    ARRAY(logits),   ARRAY(q),           ARRAY(k),      ARRAY(v),      ARRAY(sink_logit),
    ARRAY(key_bias), ARRAY(alibi_slope), ARRAY(bias_k), ARRAY(bias_v),
};

const sp_field *sp_casefile_fields(size_t *count) {
  *count = sizeof fields / sizeof *fields;
  return fields;
}

const sp_array_field *sp_casefile_arrays(size_t *count) {
  *count = sizeof arrays / sizeof *arrays;
  return arrays;
}
