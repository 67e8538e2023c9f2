/* SPDX-License-Identifier: Apache-2.0 */
/* sinkproof attention: one row, on the oracle. */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certify/command/cli.h"

enum { MAX_NUMBERS = 65536, MAX_KEYS = 4096, MAX_PRECISION = 4096 };

static const char help[] =
    "usage: sinkproof attention --q Q --k K --v V [options]\n\n"
    "Prints one attention row, correctly rounded: the output, the weights and both log-sum-exps.\n"
    "Rows of K and V are separated by semicolons. Numbers are read as binary64.\n\n"
    "  sinkproof attention --q 1,0 --k '1,0;0,1;1,1' --v '1;2;3'\n"
    "  sinkproof attention --q 1 --k '1;2;3;4' --v '1;2;3;4' --window 2 --n-sink-tokens 1\n\n"
    "  --scale X            multiplies q·k, default 1\n"
    "  --softcap C          C·tanh(x/C) before the biases\n"
    "  --sink-logit S       joins the denominator only (SPEC AL-2)\n"
    "  --key-bias B,B..     one per key\n"
    "  --alibi-slope M      adds -M·|distance|\n"
    "  --window W           recent keys, the query's own included (EV-2)\n"
    "  --n-sink-tokens S    first keys, visible whatever the window (EV-1)\n"
    "  --pos-q P            position of the query, default that of the last key\n"
    "  --bias-k K --bias-v V  one more key, always visible (AL-8)\n"
    "  --format F           output format: f64 (default), f32, bf16, f16\n";

typedef struct options {
  double q[MAX_NUMBERS], k[MAX_NUMBERS], v[MAX_NUMBERS], bias[MAX_KEYS];
  double bias_k[MAX_KEYS], bias_v[MAX_KEYS];
  size_t k_rows, v_rows;
  long n_bias;
  bool has_q;
  sp_dtype format;
  sp_ref_row_input row;
} options;

/* "1,0;0,1" into rows of equal length; 0 rows and a message for anything else. */
static size_t parse_matrix(const char *what, const char *text, double *values, size_t *columns) {
  size_t rows = 0;
  char *copy = strdup(text), *rest = copy;
  for (char *part; copy && (part = strsep(&rest, ";")) != NULL; rows++) {
    long n = sp_parse_numbers("attention", what, part, values + rows * *columns,
                              MAX_NUMBERS - rows * *columns);
    if (rows == 0 && n > 0) *columns = (size_t)n;
    if (n > 0 && (size_t)n == *columns) continue;
    if (n >= 0)
      sp_usage_error("attention", "%s: row %zu has %ld numbers, row 0 has %zu", what, rows, n,
                     *columns);
    rows = 0;
    break;
  }
  free(copy);
  return rows;
}

static bool one_number(const char *what, double *value) {
  return sp_parse_numbers("attention", what, optarg, value, 1) == 1;
}

static bool one_count(const char *what, uint64_t *value) {
  if (sp_parse_count(optarg, value)) return true;
  sp_usage_error("attention", "%s: '%s' is not a count", what, optarg);
  return false;
}

static bool take(options *o, int opt) {
  size_t columns = 0;
  uint64_t count = 0;
  switch (opt) {
  case 'q':
    o->has_q = parse_matrix("--q", optarg, o->q, &o->row.d_head) == 1;
    return o->has_q;
  case 'k':
    o->k_rows = parse_matrix("--k", optarg, o->k, &o->row.k_stride);
    return o->k_rows > 0;
  case 'v':
    o->v_rows = parse_matrix("--v", optarg, o->v, &o->row.d_value);
    return o->v_rows > 0;
  case 'K':
    o->row.bias_k = o->bias_k;
    return parse_matrix("--bias-k", optarg, o->bias_k, &columns);
  case 'V':
    o->row.bias_v = o->bias_v;
    return parse_matrix("--bias-v", optarg, o->bias_v, &columns);
  case 'x':
    return one_number("--scale", &o->row.scale);
  case 'c':
    return one_number("--softcap", &o->row.softcap);
  case 's':
    return one_number("--sink-logit", &o->row.sink_logit);
  case 'a':
    return one_number("--alibi-slope", &o->row.alibi_slope);
  case 'b':
    o->n_bias = sp_parse_numbers("attention", "--key-bias", optarg, o->bias, MAX_KEYS);
    return o->n_bias > 0;
  case 'w':
    return one_count("--window", &o->row.mask.window);
  case 'S':
    return one_count("--n-sink-tokens", &o->row.mask.n_sink_tokens);
  case 'p':
    if (!one_count("--pos-q", &count) || count > INT64_MAX) return false;
    o->row.pos_q = (int64_t)count;
    return true;
  case 'f':
    o->format = sp_ref_format_parse(optarg);
    return o->format != 0;
  default:
    return false;
  }
}

static bool consistent(const options *o) {
  if (!o->has_q || !o->k_rows || !o->v_rows)
    return sp_usage_error("attention", "--q, --k and --v are needed") == SP_EXIT_CONFORMS;
  if (o->row.d_head != o->row.k_stride || o->k_rows != o->v_rows || o->k_rows > MAX_KEYS)
    return sp_usage_error("attention", "q has %zu numbers, k is %zu by %zu, v has %zu rows",
                          o->row.d_head, o->k_rows, o->row.k_stride, o->v_rows) == SP_EXIT_CONFORMS;
  if (o->n_bias && (size_t)o->n_bias != o->k_rows)
    return sp_usage_error("attention", "--key-bias: %ld biases for %zu keys", o->n_bias,
                          o->k_rows) == SP_EXIT_CONFORMS;
  if (!o->row.bias_k != !o->row.bias_v)
    return sp_usage_error("attention", "--bias-k and --bias-v go together (SPEC AL-8)") ==
           SP_EXIT_CONFORMS;
  if (!o->row.mask.window)
    return sp_usage_error("attention", "a window of 0 is an error (SPEC EV-3)") == SP_EXIT_CONFORMS;
  if (!(o->row.softcap >= 0))
    return sp_usage_error("attention", "--softcap must not be negative") == SP_EXIT_CONFORMS;
  return true;
}

static bool parse(int argc, char **argv, options *o) {
  static const struct option table[] = {{"q", 1, 0, 'q'},        {"k", 1, 0, 'k'},
                                        {"v", 1, 0, 'v'},        {"scale", 1, 0, 'x'},
                                        {"softcap", 1, 0, 'c'},  {"sink-logit", 1, 0, 's'},
                                        {"key-bias", 1, 0, 'b'}, {"alibi-slope", 1, 0, 'a'},
                                        {"window", 1, 0, 'w'},   {"n-sink-tokens", 1, 0, 'S'},
                                        {"pos-q", 1, 0, 'p'},    {"bias-k", 1, 0, 'K'},
                                        {"bias-v", 1, 0, 'V'},   {"format", 1, 0, 'f'},
                                        {"help", 0, 0, 'h'},     {0, 0, 0, 0}};
  o->row.pos_q = -1;
  int index = 0;
  for (int opt; (opt = getopt_long(argc, argv, "h", table, &index)) != -1;) {
    if (opt == 'h') fputs(help, stdout);
    if (opt == 'h') exit(0);
    if (take(o, opt)) continue;
    sp_usage_error("attention", "--%s: cannot use '%s'", table[index].name, optarg ? optarg : "");
    return false;
  }
  if (!consistent(o)) return false;
  if (o->row.pos_q < 0) o->row.pos_q = (int64_t)o->k_rows - 1;
  return true;
}

static void print_values(const options *o, const char *name, const double *values, size_t n) {
  int digits = o->format == SP_F64 ? 17 : o->format == SP_F32 ? 9 : 5;
  printf("%-10s", name);
  for (size_t i = 0; i < n; i++) printf(" %.*g", digits, values[i]);
  putchar('\n');
}

int sp_cmd_attention(int argc, char **argv) {
  static options o;
  static double weights[MAX_KEYS + 1], out[MAX_NUMBERS];
  o = (options){.format = SP_F64,
                .row = {.scale = 1.0,
                        .sink_logit = -INFINITY,
                        .masked = true,
                        .mask = {.causal = true, .window = SP_WINDOW_ALL}}};
  if (!parse(argc, argv, &o)) return SP_EXIT_USAGE;
  double lse_keys = 0, lse_total = 0;
  o.row.n_kv = o.k_rows;
  o.row.q = o.q;
  o.row.k = o.k;
  o.row.v = o.v;
  o.row.v_stride = o.row.d_value;
  o.row.key_bias = o.n_bias ? o.bias : NULL;
  sp_ref_decision decision = sp_ref_row_round(&o.row, MAX_PRECISION, o.format, weights, out,
                                              o.format, &lse_keys, &lse_total);
  print_values(&o, "out", out, o.row.d_value);
  print_values(&o, "weights", weights, o.row.n_kv + (o.row.bias_k != NULL));
  print_values(&o, "lse_keys", &lse_keys, 1);
  print_values(&o, "lse_total", &lse_total, 1);
  if (decision == SP_REF_DECIDED) return 0;
  fputs("not every rounding could be decided\n", stderr);
  return SP_EXIT_INCOMPLETE;
}
