/* SPDX-License-Identifier: Apache-2.0 */
/* See the header. Plain C arithmetic in binary32 (or binary64), libm's exponentials: nothing is
 * shared with ref/ or fast/ but the row that the oracle takes, so that masks and positions are not
 * written a third time. */
#include "tests/judge_kernels.h"

#include "tests/asserts.h"
#include <math.h>
#include <stdlib.h>

const sim_style sim_honest[] = {
    {.name = "three passes", .accuracy_class = "w-seq"},
    {.name = "three passes, 1/l", .accuracy_class = "w-seq", .reciprocal = true},
    {.name = "sink in the maximum", .accuracy_class = "w-seq", .sink_in_max = true},
    {.name = "16 lanes", .accuracy_class = "w-lane16", .form = SIM_LANES, .reciprocal = true},
    {.name = "online", .accuracy_class = "w-seq:tile=64", .form = SIM_ONLINE},
    {.name = "16 lanes, base 2", .accuracy_class = "w-lane16-b2", .form = SIM_LANES, .base2 = true},
    {.name = "online, base 2",
     .accuracy_class = "w-seq-b2:tile=64",
     .form = SIM_ONLINE,
     .base2 = true,
     .sink_in_max = true},
    {.name = "exp(x - lse)", .accuracy_class = "w-loose", .form = SIM_FROM_LSE},
    {.name = "f64 inside", .accuracy_class = "w-deep", .f64 = true},
    {.name = "P in bf16", .accuracy_class = "w-seq:p=bf16", .p_bits = 8},
    {.name = "P in bf16, both sums",
     .accuracy_class = "w-seq:p=bf16",
     .p_bits = 8,
     .sum_rounded_p = true},
    {.name = "P in f16", .accuracy_class = "w-lane16:p=f16", .form = SIM_LANES, .p_bits = 11},
    {.name = "exp to 2^-13", .accuracy_class = "w-seq:exp=-13", .exp_error = 0x1p-13},
    {.name = "exp to 2^-13, online",
     .accuracy_class = "w-seq:exp=-13,tile=64",
     .form = SIM_ONLINE,
     .exp_error = 0x1p-13},
    {.name = "logits in bf16", .accuracy_class = "w-seq:logit=bf16", .logit_bits = 8},
    {.name = "accumulators in f16",
     .accuracy_class = "w-lane16:acc=f16",
     .form = SIM_LANES,
     .acc_bits = 11},
};
const size_t sim_n_honest = sizeof sim_honest / sizeof sim_honest[0];

/* To `bits` significant bits, ties to even; f16 (11 bits) has subnormals, bf16 the range of f32. */
static double coarse(double x, int bits) {
  if (bits == 0 || x == 0 || !isfinite(x)) return x;
  int e;
  (void)frexp(x, &e);
  int least = bits == 11 ? -24 : -133;
  int unit = e - bits > least ? e - bits : least;
  return ldexp(nearbyint(ldexp(x, -unit)), unit);
}

/* One rounding of the arithmetic. */
static double fl(const sim_style *s, double x) {
  return s->f64 ? x : (double)(float)x;
}
static double acc(const sim_style *s, double x) {
  return coarse(fl(s, x), s->acc_bits);
}

/* e^(x - m), in the style. */
static double exponential(const sim_style *s, double x, double m) {
  double e;
  if (s->f64) {
    e = exp(x - m);
  } else if (s->base2) {
    const float log2e = 0x1.715476p+0F;
    e = (double)exp2f(fmaf((float)x, log2e, -((float)m * log2e)));
  } else {
    e = (double)expf((float)x - (float)m);
  }
  return fl(s, e * (1 + s->exp_error * cos(37 * x)));
}

/* The factor of a rescale, as FlashAttention-2 computes it. */
static double rescale(const sim_style *s, double m_old, double m_new) {
  if (!s->base2) return exponential(s, m_old, m_new);
  return (double)exp2f(((float)m_old - (float)m_new) * 0x1.715476p+0F);
}

static double logarithm(const sim_style *s, double x) {
  return s->f64 ? log(x) : (double)logf((float)x);
}

static const double *key_of(const sp_ref_row_input *in, size_t j) {
  return j == in->n_kv ? in->bias_k : in->k + j * in->k_stride;
}

static double logit(const sim_style *s, const sp_ref_row_input *in, size_t j) {
  double x = 0;
  bool pair = j == in->n_kv;
  if (in->logits != NULL) {
    x = fl(s, in->logits[j] * in->scale);
  } else {
    const double *k = key_of(in, j);
    for (size_t c = 0; c < in->d_head; c++) x = fl(s, x + fl(s, in->q[c] * k[c]));
    x = fl(s, x * in->scale);
  }
  if (in->softcap > 0) x = fl(s, in->softcap * fl(s, tanh(fl(s, x / in->softcap))));
  if (!pair && in->key_bias != NULL) x = fl(s, x + in->key_bias[j]);
  int64_t pos_k = in->pos_k != NULL && !pair ? in->pos_k[j] : (int64_t)j;
  if (!pair && in->alibi_slope != 0)
    x = fl(s, x - fl(s, in->alibi_slope * fabs((double)(in->pos_q - pos_k))));
  return coarse(x, s->logit_bits);
}

static bool sees(const sp_ref_row_input *in, size_t j) {
  if (j == in->n_kv) return true;
  if (in->key_bias != NULL && in->key_bias[j] == -INFINITY) return false;
  if (in->logits != NULL && in->logits[j] == -INFINITY) return false;
  int64_t pos_k = in->pos_k != NULL ? in->pos_k[j] : (int64_t)j;
  return !in->masked || sp_ref_visible(&in->mask, in->pos_q, pos_k);
}

enum { MAX_D = 8, LANES = 16, TILE = 64 };

typedef struct state {
  double m, l[LANES], out[LANES][MAX_D];
} state;

static void add_key(const sim_style *s, const sp_ref_row_input *in, state *st, size_t j, double x) {
  size_t lane = s->form == SIM_LANES ? j % LANES : 0;
  double e = exponential(s, x, st->m);
  double p = in->d_value > 0 ? coarse(e, s->p_bits) : e;
  st->l[lane] = acc(s, st->l[lane] + (s->sum_rounded_p ? p : e));
  const double *v = j == in->n_kv ? in->bias_v : in->v + j * in->v_stride;
  for (size_t c = 0; c < in->d_value; c++)
    st->out[lane][c] = acc(s, st->out[lane][c] + acc(s, p * v[c]));
}

static void move_max(const sim_style *s, const sp_ref_row_input *in, state *st, double m) {
  if (!(m > st->m)) return;
  double factor = st->m == -INFINITY ? 0 : rescale(s, st->m, m);
  st->l[0] = acc(s, st->l[0] * factor);
  for (size_t c = 0; c < in->d_value; c++) st->out[0][c] = acc(s, st->out[0][c] * factor);
  st->m = m;
}

static void reduce(const sim_style *s, const sp_ref_row_input *in, state *st) {
  for (size_t width = LANES / 2; width > 0; width /= 2)
    for (size_t i = 0; i < width; i++) {
      st->l[i] = acc(s, st->l[i] + st->l[i + width]);
      for (size_t c = 0; c < in->d_value; c++)
        st->out[i][c] = acc(s, st->out[i][c] + st->out[i + width][c]);
    }
}

static void sum_keys(const sim_style *s, const sp_ref_row_input *in, const double *x, size_t n,
                     state *st) {
  size_t tile = s->form == SIM_ONLINE ? TILE : n;
  for (size_t first = 0; first < n; first += tile) {
    double m = -INFINITY;
    size_t last = first + tile < n ? first + tile : n;
    for (size_t j = first; j < last; j++) m = fmax(m, x[j]);
    move_max(s, in, st, m);
    for (size_t j = first; j < last; j++)
      if (x[j] > -INFINITY) add_key(s, in, st, j, x[j]);
  }
  reduce(s, in, st);
}

static double normalised(const sim_style *s, double e, double l) {
  return s->reciprocal ? fl(s, e * fl(s, 1 / l)) : fl(s, e / l);
}

/* A sink logit far above the keys has to join the maximum, or it overflows: an online form
 * rescales, the others start again with the right maximum. */
static void join_sink(const sim_style *s, const sp_ref_row_input *in, const double *x, size_t n,
                      state *st) {
  if (in->sink_logit == -INFINITY) return;
  if ((s->sink_in_max || in->sink_logit > st->m + 60) && in->sink_logit > st->m) {
    if (s->form == SIM_ONLINE) {
      move_max(s, in, st, in->sink_logit);
    } else {
      *st = (state){.m = in->sink_logit};
      sum_keys(s, in, x, n, st);
    }
  }
  st->l[0] = acc(s, st->l[0] + exponential(s, in->sink_logit, st->m));
}

/* values: weights of a softmax row, else out. */
static void sim_row(const sim_style *s, const sp_ref_row_input *in, double *values, size_t n_values,
                    double *lse_keys, double *lse_total) {
  size_t n = in->n_kv + (in->bias_k != NULL);
  double *x = calloc(n + 1, sizeof *x), top = -INFINITY;
  for (size_t j = 0; j < n; j++) {
    x[j] = sees(in, j) ? logit(s, in, j) : -INFINITY;
    top = fmax(top, x[j]);
  }
  for (size_t i = 0; i < n_values; i++) values[i] = 0;
  *lse_keys = -INFINITY;
  *lse_total = in->sink_logit;
  if (top > -INFINITY) {
    state st = {.m = -INFINITY};
    sum_keys(s, in, x, n, &st);
    *lse_keys = fl(s, st.m + logarithm(s, st.l[0]));
    join_sink(s, in, x, n, &st);
    *lse_total = fl(s, st.m + logarithm(s, st.l[0]));
    for (size_t i = 0; i < n_values; i++) {
      if (in->d_value > 0)
        values[i] = normalised(s, st.out[0][i], st.l[0]);
      else if (x[i] > -INFINITY)
        values[i] = s->form == SIM_FROM_LSE ? exponential(s, x[i], *lse_total)
                                            : normalised(s, exponential(s, x[i], st.m), st.l[0]);
    }
  }
  free(x);
}

void sim_put(sp_array *array, size_t index, double x) {
  if (array->bits == NULL) return;
  mpfr_t t;
  mpfr_init2(t, 53);
  mpfr_set_d(t, x, MPFR_RNDN);
  sp_ref_store(array->dtype, array->bits, index, sp_ref_round(array->dtype, t));
  mpfr_clear(t);
}

double sim_get(const sp_array *array, size_t index) {
  return sp_ref_load(array->dtype, array->bits, index);
}

void sim_run(const sim_style *style, const sp_case *c, sp_outputs *outputs) {
  sp_case_values values;
  ck_assert(sp_case_values_init(&values, c));
  size_t row_len = c->op == SP_OP_SOFTMAX ? c->n_kv : c->d_value, r = 0;
  ck_assert(c->op == SP_OP_SOFTMAX || row_len <= MAX_D);
  double *row = calloc(row_len + 1, sizeof *row);
  for (size_t b = 0; b < c->n_batch; b++)
    for (size_t i = 0; i < values.n_out; i++)
      for (size_t h = 0; h < c->n_heads; h++, r++) {
        sp_ref_row_input in;
        double lse_keys, lse_total;
        sp_case_row(&values, b, i, h, &in);
        sim_row(style, &in, row, row_len, &lse_keys, &lse_total);
        for (size_t e = 0; e < row_len; e++) sim_put(&outputs->values, r * row_len + e, row[e]);
        sim_put(&outputs->lse_keys, r, lse_keys);
        sim_put(&outputs->lse_total, r, lse_total);
      }
  free(row);
  sp_case_values_clear(&values);
}

/* ---- cases ---- */

static double wanted(sim_rows rows, sp_rng *rng, size_t j, size_t n) {
  double place = (double)j / (double)(n > 1 ? n - 1 : 1), bell = sp_rng_bell(rng);
  switch (rows) {
  case SIM_ASCENDING:
    return 20 * place + 0.1 * bell;
  case SIM_DESCENDING:
    return -30 * place + 0.1 * bell;
  case SIM_SHIFTED:
    return 3000 + bell;
  case SIM_SPREAD:
    return sp_rng_uniform(rng, -100, 0);
  case SIM_UNIFORM:
    return 0.7;
  default:
    return 2 * bell;
  }
}

/* About as large as the sum over the keys, so that it is seen. */
static double loud_sink(sim_rows rows, sp_rng *rng, size_t n) {
  double base = rows == SIM_ASCENDING ? 20 : rows == SIM_SHIFTED ? 3000 : 0;
  return base + log((double)n + 1) + sp_rng_uniform(rng, -3, 3);
}

static void start_case(sp_case *c, sp_op op, size_t n_kv, bool sink, size_t n_sinks) {
  sp_case_init(c, op);
  c->n_kv = n_kv;
  c->want_lse_keys = c->want_lse_total = true;
  if (sink) ck_assert(sp_array_alloc(&c->sink_logit, SP_F32, n_sinks));
}

void sim_softmax_case(sp_case *c, sim_rows rows, size_t n_rows, size_t n, sp_dtype dtype, bool sink,
                      uint64_t seed) {
  sp_rng rng;
  sp_rng_init(&rng, seed, "sim", rows, n);
  start_case(c, SP_OP_SOFTMAX, n, sink, n_rows);
  c->n_q = n_rows;
  c->dtype_q = dtype;
  ck_assert(sp_array_alloc(&c->logits, dtype, n_rows * n));
  for (size_t r = 0; r < n_rows; r++) {
    for (size_t j = 0; j < n; j++) sim_put(&c->logits, r * n + j, wanted(rows, &rng, j, n));
    sim_put(&c->sink_logit, r, loud_sink(rows, &rng, n));
  }
}

/* q is 4 e_0 and noise, k carries the wanted logit in component 0. */
void sim_attention_case(sp_case *c, sim_rows rows, size_t n_heads, size_t n_kv, sp_dtype dtype,
                        bool sink, uint64_t seed) {
  sp_rng rng;
  sp_rng_init(&rng, seed, "sim", rows, n_kv);
  start_case(c, SP_OP_ATTENTION, n_kv, sink, n_heads);
  c->n_heads = c->n_kv_heads = n_heads;
  c->d_head = c->d_value = MAX_D;
  c->dtype_q = c->dtype_kv = dtype;
  c->scale = 0.25F;
  ck_assert(sp_array_alloc(&c->q, dtype, n_heads * MAX_D));
  ck_assert(sp_array_alloc(&c->k, dtype, n_kv * n_heads * MAX_D));
  ck_assert(sp_array_alloc(&c->v, dtype, n_kv * n_heads * MAX_D));
  for (size_t h = 0; h < n_heads; h++) {
    for (size_t e = 0; e < MAX_D; e++)
      sim_put(&c->q, h * MAX_D + e, e == 0 ? 4 : 0.3 * sp_rng_bell(&rng));
    sim_put(&c->sink_logit, h, loud_sink(rows, &rng, n_kv));
    for (size_t j = 0; j < n_kv; j++)
      for (size_t e = 0; e < MAX_D; e++) {
        double noise = rows == SIM_UNIFORM ? 0 : sp_rng_bell(&rng);
        size_t at = (j * n_heads + h) * MAX_D + e;
        sim_put(&c->k, at, e == 0 ? wanted(rows, &rng, j, n_kv) : noise);
        sim_put(&c->v, at, 1 + 0.5 * sp_rng_bell(&rng));
      }
  }
}

sp_class sim_class(const char *text) {
  sp_class cls;
  char error[200];
  bool ok = sp_class_parse(text, &cls, error, sizeof error);
  ck_assert_msg(ok, "%s", error);
  return cls;
}

void sim_truth(sp_truth *truth, const sp_case *c, const char *class_text) {
  char error[200];
  const sp_class cls = sim_class(class_text);
  ck_assert_msg(sp_truth_init(truth, c, &cls, 2048, error, sizeof error), "%s", error);
}
