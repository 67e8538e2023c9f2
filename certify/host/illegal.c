/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that SPEC.md calls errors. They cannot be cases, since a case is well formed; each is a
 * small legal call in which one field is spoiled after the tensors have been placed, so that only
 * that field can be the reason for a refusal. spec: KC-7, KC-10 */
#include "certify/host/host_run.h"

#include <math.h>
#include <string.h>

/* ---- what is spoiled ---- */

static void softmax_scale_nan(sp_call_args *a) {
  a->softmax.scale = NAN;
}
static void softmax_scale_inf(sp_call_args *a) {
  a->softmax.scale = INFINITY;
}
static void softmax_no_output(sp_call_args *a) {
  a->softmax.weights = (sp_out){0};
}
static void window_zero(sp_call_args *a) {
  a->attention.window = 0;
}
static void heads_no_multiple(sp_call_args *a) {
  a->attention.n_heads = 3;
}
static void no_kv_heads(sp_call_args *a) {
  a->attention.n_kv_heads = 0;
}
static void scale_nan(sp_call_args *a) {
  a->attention.scale = NAN;
}
static void scale_inf(sp_call_args *a) {
  a->attention.scale = -INFINITY;
}
static void softcap_negative(sp_call_args *a) {
  a->attention.softcap = -1.0F;
}
static void softcap_nan(sp_call_args *a) {
  a->attention.softcap = NAN;
}
static void only_bias_k(sp_call_args *a) {
  a->attention.bias_v = (sp_in){0};
}
static void only_bias_v(sp_call_args *a) {
  a->attention.bias_k = (sp_in){0};
}
static void no_output(sp_call_args *a) {
  a->attention.out = (sp_out){0};
}
static void cache_window_zero(sp_call_args *a) {
  a->config.window = 0;
}
static void cache_heads(sp_call_args *a) {
  a->config.n_heads = 3;
}
static void cache_no_kv_heads(sp_call_args *a) {
  a->config.n_kv_heads = 0;
}
static void no_tokens(sp_call_args *a) {
  a->cache.n_tokens = 0;
}
static void cache_scale_nan(sp_call_args *a) {
  a->cache.scale = NAN;
}
static void cache_softcap(sp_call_args *a) {
  a->cache.softcap = -1.0F;
}

static void evict_too_many(sp_call_args *a) {
  a->config.n_evict = a->config.window + 1;
}

/* A legal rotation, of which one thing is then spoiled. */
static sp_cache_config *rope(sp_call_args *a) {
  a->config.position = SP_POSITION_ABS;
  a->config.rope_dims = 4;
  a->config.rope_base = 10000;
  return &a->config;
}
static void rope_odd(sp_call_args *a) {
  rope(a)->rope_dims = 3;
}
static void rope_long(sp_call_args *a) {
  rope(a)->rope_dims = a->config.d_head + 2;
}
static void rope_none(sp_call_args *a) {
  rope(a)->rope_dims = 0;
}
static void rope_nowhere(sp_call_args *a) {
  rope(a)->position = SP_POSITION_NONE;
}
static void rope_anywhere(sp_call_args *a) {
  rope(a)->position = SP_POSITION_CACHE + 1;
}
static void rope_unpaired(sp_call_args *a) {
  rope(a)->rope_pairing = SP_ROPE_INTERLEAVED + 1;
}
static void rope_base_nan(sp_call_args *a) {
  rope(a)->rope_base = (double)NAN;
}
static void rope_base_low(sp_call_args *a) {
  rope(a)->rope_base = 0.5;
}
static void no_such_sequence(sp_call_args *a) {
  a->cache.sequence = 1;
}

typedef struct illegal {
  const char *name;
  sp_call_kind kind; /* the call that is spoiled */
  void (*spoil)(sp_call_args *args);
  bool bias_pair; /* needs the pair to take one away */
  bool empty;     /* cache: before any token */
  uint64_t needs; /* SP_OPT_… without which a kernel need not know the field */
} illegal;

#define ROTATES (SP_OPT_POSITION_ABS | SP_OPT_ROPE_HALF)

static const illegal list[] = {
    {"softmax with a scale of NaN", SP_CALL_SOFTMAX, softmax_scale_nan, false, false, 0},
    {"softmax with an infinite scale", SP_CALL_SOFTMAX, softmax_scale_inf, false, false, 0},
    {"softmax with no output requested", SP_CALL_SOFTMAX, softmax_no_output, false, false, 0},
    {"preparing softmax with a scale of NaN", SP_CALL_PREPARE_SOFTMAX, softmax_scale_nan, false,
     false, 0},
    {"preparing softmax with no output requested", SP_CALL_PREPARE_SOFTMAX, softmax_no_output,
     false, false, 0},
    {"attention with window 0", SP_CALL_ATTENTION, window_zero, false, false, 0},
    {"attention with n_heads no multiple of n_kv_heads", SP_CALL_ATTENTION, heads_no_multiple,
     false, false, 0},
    {"attention with no kv heads", SP_CALL_ATTENTION, no_kv_heads, false, false, 0},
    {"attention with a scale of NaN", SP_CALL_ATTENTION, scale_nan, false, false, 0},
    {"attention with an infinite scale", SP_CALL_ATTENTION, scale_inf, false, false, 0},
    {"attention with a negative softcap", SP_CALL_ATTENTION, softcap_negative, false, false, 0},
    {"attention with a softcap of NaN", SP_CALL_ATTENTION, softcap_nan, false, false, 0},
    {"attention with bias_k and no bias_v", SP_CALL_ATTENTION, only_bias_k, true, false, 0},
    {"attention with bias_v and no bias_k", SP_CALL_ATTENTION, only_bias_v, true, false, 0},
    {"attention with no output requested", SP_CALL_ATTENTION, no_output, false, false, 0},
    {"preparing attention with n_heads no multiple of n_kv_heads", SP_CALL_PREPARE_ATTENTION,
     heads_no_multiple, false, false, 0},
    {"preparing attention with no kv heads", SP_CALL_PREPARE_ATTENTION, no_kv_heads, false, false,
     0},
    {"preparing attention with a scale of NaN", SP_CALL_PREPARE_ATTENTION, scale_nan, false, false,
     0},
    {"preparing attention with no output requested", SP_CALL_PREPARE_ATTENTION, no_output, false,
     false, 0},
    {"opening a cache with window 0", SP_CALL_OPEN, cache_window_zero, false, true, 0},
    {"opening a cache with n_heads no multiple of n_kv_heads", SP_CALL_OPEN, cache_heads, false,
     true, 0},
    {"opening a cache with no kv heads", SP_CALL_OPEN, cache_no_kv_heads, false, true, 0},
    {"appending no tokens", SP_CALL_APPEND, no_tokens, false, false, 0},
    {"appending with a scale of NaN", SP_CALL_APPEND, cache_scale_nan, false, false, 0},
    {"attending before the first token", SP_CALL_ATTEND, NULL, false, true, 0},
    {"attending with a scale of NaN", SP_CALL_ATTEND, cache_scale_nan, false, false, 0},
    {"attending with a negative softcap", SP_CALL_ATTEND, cache_softcap, false, false, 0},
    {"opening a cache with n_evict above the window", SP_CALL_OPEN, evict_too_many, false, true,
     SP_OPT_EVICT_BLOCK},
    {"opening a cache with rope_dims odd", SP_CALL_OPEN, rope_odd, false, true, ROTATES},
    {"opening a cache with rope_dims above d_head", SP_CALL_OPEN, rope_long, false, true, ROTATES},
    {"opening a cache with a position and no rope_dims", SP_CALL_OPEN, rope_none, false, true,
     ROTATES},
    {"opening a cache with rope_dims and no position", SP_CALL_OPEN, rope_nowhere, false, true,
     ROTATES},
    {"opening a cache with an unknown position", SP_CALL_OPEN, rope_anywhere, false, true, ROTATES},
    {"opening a cache with an unknown pairing", SP_CALL_OPEN, rope_unpaired, false, true, ROTATES},
    {"opening a cache with a rope_base of NaN", SP_CALL_OPEN, rope_base_nan, false, true, ROTATES},
    {"opening a cache with a rope_base below 1", SP_CALL_OPEN, rope_base_low, false, true, ROTATES},
    {"appending to a sequence that is not there", SP_CALL_APPEND, no_such_sequence, false, false,
     SP_OPT_SEQUENCES},
    {"attending in a sequence that is not there", SP_CALL_ATTEND, no_such_sequence, false, false,
     SP_OPT_SEQUENCES},
    {"taking back more tokens than there are", SP_CALL_TRUNCATE, NULL, false, false, SP_OPT_UNDO},
    {"taking back a token of an empty sequence", SP_CALL_TRUNCATE, NULL, false, true, SP_OPT_UNDO}};

/* ---- the legal call ---- */

static sp_op op_of(const illegal *item) {
  if (item->kind == SP_CALL_SOFTMAX || item->kind == SP_CALL_PREPARE_SOFTMAX) return SP_OP_SOFTMAX;
  bool attention = item->kind == SP_CALL_ATTENTION || item->kind == SP_CALL_PREPARE_ATTENTION;
  return attention ? SP_OP_ATTENTION : SP_OP_CACHE;
}

static sp_dtype first_type(uint32_t dtypes) {
  for (sp_dtype dtype = SP_F32; dtype <= SP_BF16; dtype++)
    if (dtypes & SP_DTYPE_BIT(dtype)) return dtype;
  return 0;
}

static bool heads_case(sp_case *c, size_t n_kv_heads, bool bias_pair) {
  enum { HEADS = 4, D = 64 };
  size_t keys = c->n_kv * n_kv_heads;
  c->n_heads = HEADS;
  c->n_kv_heads = n_kv_heads;
  c->d_head = c->d_value = D;
  return sp_array_alloc(&c->q, c->dtype_q, c->n_q * HEADS * D) &&
         sp_array_alloc(&c->k, c->dtype_kv, keys * D) &&
         sp_array_alloc(&c->v, c->dtype_kv, keys * D) &&
         (!bias_pair || sp_array_alloc(&c->bias_k, c->dtype_kv, n_kv_heads * D)) &&
         (!bias_pair || sp_array_alloc(&c->bias_v, c->dtype_kv, n_kv_heads * D));
}

/* Four heads, of which a spoiled call may say three: a kernel that believes it finds room. All
 * elements are 0. */
static bool legal_case(sp_case *c, const illegal *item, const sp_kernel *kernel) {
  enum { KEYS = 8 };
  sp_case_init(c, op_of(item));
  c->n_kv = KEYS;
  if (c->op == SP_OP_SOFTMAX) {
    c->dtype_q = first_type(kernel->dtypes_softmax);
    return sp_array_alloc(&c->logits, c->dtype_q, KEYS);
  }
  c->dtype_q = first_type(kernel->dtypes_q);
  c->dtype_kv = first_type(kernel->dtypes_kv);
  if (c->op == SP_OP_CACHE) {
    c->n_q = KEYS;
    c->window = KEYS;
  }
  return heads_case(c, kernel->options & SP_OPT_GQA ? 2 : 4, item->bias_pair);
}

static void build(sp_call *call, sp_call_kind kind, const sp_case *c) {
  if (kind == SP_CALL_SOFTMAX || kind == SP_CALL_PREPARE_SOFTMAX) sp_call_softmax(call, c);
  if (kind == SP_CALL_ATTENTION || kind == SP_CALL_PREPARE_ATTENTION) sp_call_attention(call, c);
  if (kind == SP_CALL_OPEN) sp_call_open(call, c);
  if (kind == SP_CALL_APPEND) sp_call_append(call, c, 0, 1, true);
  if (kind == SP_CALL_ATTEND) sp_call_attend(call, c, 0);
  if (kind == SP_CALL_CLOSE || kind == SP_CALL_RELEASE) sp_call_close(call);
  if (kind == SP_CALL_TRUNCATE) sp_call_truncate(call, c->n_kv + 1);
  call->kind = kind;
}

/* ---- the calls in order ---- */

typedef struct probe {
  sp_host *host;
  size_t kernel;
  const sp_case *c;
  sp_incident *incident;
} probe;

static bool put(const probe *p, sp_call_kind kind, const char *where,
                void (*spoil)(sp_call_args *args), sp_status *status) {
  sp_call call;
  build(&call, kind, p->c);
  if (!sp_host_place(p->host, &call, where, &p->c->layout, 0, p->incident)) return false;
  if (spoil != NULL) spoil(&p->host->call.args);
  return sp_host_put(p->host, p->kernel, status, p->incident, NULL);
}

/* A legal call on the way to the illegal one. *declined: it was not carried out, for which the
 * cases of the run are the place to complain. */
static bool prepare(const probe *p, sp_call_kind kind, const char *where, bool *declined) {
  sp_status status = SP_OK;
  if (!put(p, kind, where, NULL, &status)) return false;
  *declined = p->incident->kind != SP_INCIDENT_NONE || status != SP_OK;
  return true;
}

static bool run(const probe *p, const illegal *item) {
  sp_status status = SP_OK;
  bool cache = op_of(item) == SP_OP_CACHE;
  bool declined = false;
  if (cache && item->kind != SP_CALL_OPEN) {
    if (!prepare(p, SP_CALL_OPEN, "open", &declined)) return false;
    if (declined) return true;
    if (!item->empty && !prepare(p, SP_CALL_APPEND, "append", &declined)) return false;
  }
  if (!declined) {
    if (!put(p, item->kind, item->name, item->spoil, &status)) return false;
    if (p->incident->kind == SP_INCIDENT_NONE) sp_check_refusal(p->host, status, p->incident);
  }
  bool planned = item->kind >= SP_CALL_PREPARE_SOFTMAX && p->incident->kind == SP_INCIDENT_ACCEPTED;
  if (!p->host->link.running || (item->kind == SP_CALL_OPEN && status != SP_OK)) return true;
  if (!cache && !planned) return true;
  sp_incident found = *p->incident;
  bool ok = put(p, cache ? SP_CALL_CLOSE : SP_CALL_RELEASE, "close", NULL, &status);
  if (ok && found.kind != SP_INCIDENT_NONE) *p->incident = found;
  return ok;
}

static bool offered(const illegal *item, const sp_kernel *kernel) {
  sp_op op = op_of(item);
  if ((item->needs & ~kernel->options) != 0) return false;
  if (item->kind >= SP_CALL_PREPARE_SOFTMAX) {
    const sp_prepare_ops *ops = kernel->prepare;
    if (ops == NULL || (op == SP_OP_SOFTMAX ? ops->softmax == NULL : ops->attention == NULL))
      return false;
  }
  if (op == SP_OP_SOFTMAX) return kernel->softmax != NULL && kernel->dtypes_softmax != 0;
  bool present = op == SP_OP_ATTENTION ? kernel->attention != NULL : kernel->cache != NULL;
  return present && first_type(kernel->dtypes_q) != 0 && first_type(kernel->dtypes_kv) != 0;
}

bool sp_host_run_illegal(sp_host *host, size_t kernel, size_t which, const char **name,
                         sp_incident *incident) {
  const illegal *item = NULL;
  sp_case c;
  *incident = (sp_incident){0};
  *name = "";
  if (kernel >= host->n_kernels) return false;
  for (size_t i = 0; i < sizeof list / sizeof *list && item == NULL; i++)
    if (offered(&list[i], &host->kernels[kernel]) && which-- == 0) item = &list[i];
  if (item == NULL) return false;
  *name = item->name;
  bool ok = legal_case(&c, item, &host->kernels[kernel]);
  if (!ok) sp_incident_set(incident, SP_INCIDENT_NONE, "out of memory");
  probe p = {host, kernel, &c, incident};
  ok = ok && run(&p, item);
  sp_case_clear(&c);
  return ok;
}
