/* SPDX-License-Identifier: Apache-2.0 */
/* The benchmark's report for machines; certify/bench/bench.schema.json describes it. What is not
 * known (no time, no class, no roof) is left out, never 0. Written out by hand, because the static
 * program has no JSON library to link. */
#include <math.h>

#include "certify/bench/bench.h"
#include "certify/bench/report.h"

/* `fresh`: nothing stands yet in the object or array that is open. */
typedef struct writer {
  FILE *file;
  bool fresh;
} writer;

static void quote(FILE *file, const char *text) {
  fputc('"', file);
  for (; *text != '\0'; text++) {
    const unsigned char c = (unsigned char)*text;
    if (c == '"' || c == '\\') fputc('\\', file);
    if (c < 0x20)
      fprintf(file, "\\u%04x", (unsigned)c);
    else
      fputc(c, file);
  }
  fputc('"', file);
}

/* What stands before a value; an element of an array has no name and begins a line. */
static void before(writer *w, const char *name) {
  if (!w->fresh) fputs(name != NULL ? ", " : ",", w->file);
  w->fresh = false;
  if (name == NULL) {
    fputs("\n  ", w->file);
    return;
  }
  quote(w->file, name);
  fputs(": ", w->file);
}

static void begin(writer *w, const char *name, char bracket) {
  before(w, name);
  fputc(bracket, w->file);
  w->fresh = true;
}

static void end(writer *w, char bracket) {
  fputc(bracket, w->file);
  w->fresh = false;
}

static void text(writer *w, const char *name, const char *value) {
  before(w, name);
  quote(w->file, value);
}

static void number(writer *w, const char *name, double value) {
  before(w, name);
  fprintf(w->file, "%.17g", value);
}

static void flag(writer *w, const char *name, bool value) {
  before(w, name);
  fputs(value ? "true" : "false", w->file);
}

static const char *limit_key(sp_limit limit) {
  static const char *const keys[SP_N_LIMITS] = {
      "fma_f32_flops", "dot_bf16_flops",  "vector_operations", "read_l1_bytes", "read_l2_bytes",
      "read_l3_bytes", "read_dram_bytes", "copy_l2_bytes",     "copy_l3_bytes", "copy_nt_bytes"};
  return keys[limit];
}

static void write_limits(writer *w, const sp_limits *limits) {
  begin(w, NULL, '{');
  number(w, "threads", limits->n_threads);
  text(w, "isa", limits->isa);
  begin(w, "per_second", '{');
  for (sp_limit i = 0; i < SP_N_LIMITS; i++)
    if (limits->value[i] > 0) number(w, limit_key(i), limits->value[i]);
  end(w, '}');
  end(w, '}');
}

static void write_contender(writer *w, const sp_contender *c) {
  begin(w, NULL, '{');
  text(w, "kernel", c->label);
  text(w, "version", c->version);
  text(w, "class", c->has_class ? c->cls.text : "");
  text(w, "certificate", c->certificate);
  flag(w, "certified", c->certified);
  flag(w, "own", c->own);
  end(w, '}');
}

static void write_shape(writer *w, const sp_bench_shape *s) {
  sp_bench_work work;
  sp_bench_work_of(s, &work);
  begin(w, NULL, '{');
  text(w, "name", s->name);
  text(w, "op", s->op == SP_OP_SOFTMAX ? "softmax" : "attention");
  text(w, "dtype_q", sp_ref_format_name(s->dtype_q));
  text(w, "dtype_kv", sp_ref_format_name(s->dtype_kv));
  number(w, "n_batch", (double)s->n_batch);
  number(w, "n_q", (double)s->n_q);
  number(w, "n_kv", (double)s->n_kv);
  number(w, "n_heads", (double)s->n_heads);
  number(w, "n_kv_heads", (double)s->n_kv_heads);
  number(w, "d_head", (double)s->d_head);
  if (s->window != SP_WINDOW_ALL) number(w, "window", (double)s->window);
  number(w, "n_sink_tokens", (double)s->n_sink_tokens);
  flag(w, "sink_logit", s->sink_logit);
  text(w, "kv_layout", s->token_major ? "token-major" : "head-major");
  number(w, "elements", work.elements);
  number(w, "flops", work.flops);
  number(w, "bytes", work.bytes);
  end(w, '}');
}

static void write_judgement(writer *w, const sp_bench_result *r) {
  static const char *const verdicts[] = {"PASS", "UNDECIDED", "FAIL"};
  text(w, "verdict", r->judged ? verdicts[r->verdict] : "UNJUDGED");
  text(w, "why", r->why);
  if (!r->judged) return;
  number(w, "rows_judged", (double)r->n_rows);
  /* JSON has no infinity: an error that is none says so by its verdict. */
  if (isfinite(r->error)) number(w, "error", r->error);
  if (isfinite(r->budget)) number(w, "budget", r->budget);
}

static void write_times(writer *w, const sp_bench_result *r) {
  number(w, "least_s", r->least);
  number(w, "median_s", r->median);
  number(w, "spread", r->spread);
  number(w, "samples", (double)r->n_samples);
  flag(w, "planned", r->planned);
  text(w, "path", r->path);
  write_judgement(w, r);
  if (r->roof.seconds <= 0) return;
  text(w, "roof", limit_key(r->roof.limit));
  number(w, "roof_s", r->roof.seconds);
  number(w, "fraction_of_roof", r->roof.seconds / r->least);
}

static void write_result(writer *w, const sp_bench *bench, const sp_bench_result *r) {
  begin(w, NULL, '{');
  text(w, "shape", bench->shape[r->shape].name);
  text(w, "kernel", bench->contender[r->contender].label);
  number(w, "contender", (double)r->contender);
  number(w, "threads", r->n_threads);
  text(w, "state", sp_cell_state_name(r->state));
  text(w, "mark", sp_bench_mark(bench, r));
  if (r->state == SP_CELL_ERROR) number(w, "status", r->status);
  if (r->state == SP_CELL_TIMED) write_times(w, r);
  end(w, '}');
}

static void write_facts(writer *w, const sp_bench *bench) {
  text(w, "format", "sinkproof-bench-1");
  text(w, "tool", SP_VERSION);
  text(w, "made", bench->made);
  text(w, "command", bench->command);
  text(w, "cpu", bench->cpu);
  number(w, "cores", bench->n_cores);
  flag(w, "realtime", bench->config.realtime);
  number(w, "seconds", bench->config.seconds);
  number(w, "limit_seconds", bench->config.limit_seconds);
  number(w, "seed", (double)bench->config.seed);
}

bool sp_bench_json(FILE *file, const sp_bench *bench) {
  writer w = {file, true};
  fputc('{', file);
  write_facts(&w, bench);
  begin(&w, "limits", '[');
  for (size_t t = 0; t < SP_BENCH_THREADS && bench->config.threads[t] > 0; t++)
    if (bench->config.limit_time > 0) write_limits(&w, &bench->limits[t]);
  end(&w, ']');
  begin(&w, "contenders", '[');
  for (size_t i = 0; i < bench->n_contenders; i++) write_contender(&w, &bench->contender[i]);
  end(&w, ']');
  begin(&w, "shapes", '[');
  for (size_t i = 0; i < bench->n_shapes; i++) write_shape(&w, &bench->shape[i]);
  end(&w, ']');
  begin(&w, "results", '[');
  for (size_t i = 0; i < bench->n_results; i++) write_result(&w, bench, &bench->result[i]);
  end(&w, ']');
  fputs("}\n", file);
  return ferror(file) == 0;
}
