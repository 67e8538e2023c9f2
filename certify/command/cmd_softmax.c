/* SPDX-License-Identifier: Apache-2.0 */
/* sinkproof softmax: a calculator on the oracle. */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certify/command/cli.h"

enum { MAX_KEYS = 4096, MAX_PRECISION = 4096 };

static const char help[] =
    "usage: sinkproof softmax [options] -- LOGIT...\n\n"
    "Prints the softmax of a row, correctly rounded. Numbers are read as binary64.\n\n"
    "  sinkproof softmax -- -0.1 -1.2 -0.9 -0.8 -0.5\n"
    "  sinkproof softmax --sink-logit 0 -- -0.1 -1.2 -0.9      softmax-off-by-one (SPEC AL-3)\n"
    "  sinkproof softmax --key-bias 1,0,0 -- -0.1 -1.2 -0.9    a bias per key (AL-7)\n"
    "  sinkproof softmax --evict 0 -- -0.1 -1.2 -0.9           without key 0\n\n"
    "  --sink-logit S    a logit that joins the denominator only (AL-2)\n"
    "  --key-bias B,B..  added to each logit; one number adds it to all\n"
    "  --evict I,I..     keys that are absent\n"
    "  --scale X         multiplies each logit, default 1\n"
    "  --format F        output format: f64 (default), f32, bf16, f16\n"
    "  --hex             print exact hexadecimal values too\n";

typedef struct options {
  double logits[MAX_KEYS], bias[MAX_KEYS], weights[MAX_KEYS];
  size_t n;
  long n_bias;
  bool hex;
  sp_dtype format;
  sp_ref_row_input row;
} options;

static bool evict(options *o, const char *text, bool *absent) {
  double list[MAX_KEYS];
  long count = sp_parse_numbers("softmax", "--evict", text, list, MAX_KEYS);
  for (long i = 0; i < count; i++) {
    if (list[i] < 0 || list[i] >= (double)o->n || list[i] != floor(list[i])) {
      sp_usage_error("softmax", "--evict: there is no key %g (0 to %zu)", list[i], o->n - 1);
      return false;
    }
    absent[(size_t)list[i]] = true;
  }
  return count >= 0;
}

static bool read_logits(options *o, char **argv, int argc) {
  for (int i = optind; i < argc && o->n < MAX_KEYS; i++) {
    char *end;
    o->logits[o->n++] = strtod(argv[i], &end);
    if (end != argv[i] && *end == '\0') continue;
    sp_usage_error("softmax", "'%s' is not a number", argv[i]);
    return false;
  }
  if (!o->n) sp_usage_error("softmax", "no logits");
  return o->n > 0;
}

static bool parse(int argc, char **argv, options *o) {
  static const struct option table[] = {{"sink-logit", 1, 0, 's'}, {"key-bias", 1, 0, 'b'},
                                        {"evict", 1, 0, 'e'},      {"scale", 1, 0, 'x'},
                                        {"format", 1, 0, 'f'},     {"hex", 0, 0, 'H'},
                                        {"help", 0, 0, 'h'},       {0, 0, 0, 0}};
  static bool absent[MAX_KEYS];
  const char *evicted = NULL;
  for (int opt; (opt = getopt_long(argc, argv, "+h", table, NULL)) != -1;) {
    switch (opt) {
    case 's':
      if (sp_parse_numbers("softmax", "--sink-logit", optarg, &o->row.sink_logit, 1) != 1)
        return false;
      break;
    case 'x':
      if (sp_parse_numbers("softmax", "--scale", optarg, &o->row.scale, 1) != 1) return false;
      break;
    case 'b':
      o->n_bias = sp_parse_numbers("softmax", "--key-bias", optarg, o->bias, MAX_KEYS);
      if (o->n_bias < 0) return false;
      break;
    case 'e':
      evicted = optarg;
      break;
    case 'H':
      o->hex = true;
      break;
    case 'f':
      o->format = sp_ref_format_parse(optarg);
      if (o->format) break;
      sp_usage_error("softmax", "no format '%s' (f64, f32, bf16, f16)", optarg);
      return false;
    case 'h':
      fputs(help, stdout);
      exit(0);
    default:
      sp_usage_error("softmax", "see above");
      return false;
    }
  }
  if (!read_logits(o, argv, argc)) return false;
  if (o->n_bias > 1 && (size_t)o->n_bias != o->n) {
    sp_usage_error("softmax", "--key-bias: %ld biases for %zu logits", o->n_bias, o->n);
    return false;
  }
  for (size_t j = 1; o->n_bias == 1 && j < o->n; j++) o->bias[j] = o->bias[0];
  if (evicted && !evict(o, evicted, absent)) return false;
  for (size_t j = 0; j < o->n; j++)
    if (absent[j]) o->bias[j] = -INFINITY;
  return true;
}

static void print_value(const options *o, const char *name, double value) {
  int digits = o->format == SP_F64 ? 17 : o->format == SP_F32 ? 9 : 5;
  printf("%-12s %.*g", name, digits, value);
  if (o->hex) printf("  %a", value);
  putchar('\n');
}

int sp_cmd_softmax(int argc, char **argv) {
  static options o;
  o = (options){.format = SP_F64, .row = {.scale = 1.0, .sink_logit = -INFINITY}};
  if (!parse(argc, argv, &o)) return SP_EXIT_USAGE;
  double lse_keys = 0, lse_total = 0;
  o.row.n_kv = o.n;
  o.row.logits = o.logits;
  o.row.key_bias = o.bias;
  sp_ref_decision decision = sp_ref_row_round(&o.row, MAX_PRECISION, o.format, o.weights, NULL,
                                              o.format, &lse_keys, &lse_total);
  for (size_t j = 0; j < o.n; j++) {
    char name[32];
    snprintf(name, sizeof name, "weight[%zu]", j);
    print_value(&o, name, o.weights[j]);
  }
  print_value(&o, "lse_keys", lse_keys);
  if (o.row.sink_logit != -INFINITY) print_value(&o, "lse_total", lse_total);
  if (decision == SP_REF_DECIDED) return 0;
  fputs("not every rounding could be decided\n", stderr);
  return SP_EXIT_INCOMPLETE;
}
