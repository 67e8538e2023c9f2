/* SPDX-License-Identifier: Apache-2.0 */
/* The benchmark's report for machines; certify/bench/bench.schema.json describes it. What is not
 * known (no time, no class, no roof) is left out, never 0. */
#include <cjson/cJSON.h>
#include <math.h>

#include "certify/bench/bench.h"
#include "certify/bench/report.h"

static const char *limit_key(sp_limit limit) {
  static const char *const keys[SP_N_LIMITS] = {
      "fma_f32_flops", "dot_bf16_flops",  "vector_operations", "read_l1_bytes", "read_l2_bytes",
      "read_l3_bytes", "read_dram_bytes", "copy_l2_bytes",     "copy_l3_bytes", "copy_nt_bytes"};
  return keys[limit];
}

static cJSON *limits_json(const sp_limits *limits) {
  cJSON *json = cJSON_CreateObject();
  cJSON_AddNumberToObject(json, "threads", limits->n_threads);
  cJSON_AddStringToObject(json, "isa", limits->isa);
  cJSON *rates = cJSON_AddObjectToObject(json, "per_second");
  for (sp_limit i = 0; i < SP_N_LIMITS; i++)
    if (limits->value[i] > 0) cJSON_AddNumberToObject(rates, limit_key(i), limits->value[i]);
  return json;
}

static cJSON *contender_json(const sp_contender *c) {
  cJSON *json = cJSON_CreateObject();
  cJSON_AddStringToObject(json, "kernel", c->label);
  cJSON_AddStringToObject(json, "version", c->version);
  cJSON_AddStringToObject(json, "class", c->has_class ? c->cls.text : "");
  cJSON_AddStringToObject(json, "certificate", c->certificate);
  cJSON_AddBoolToObject(json, "certified", c->certified);
  return json;
}

static cJSON *shape_json(const sp_bench_shape *s) {
  sp_bench_work work;
  sp_bench_work_of(s, &work);
  cJSON *json = cJSON_CreateObject();
  cJSON_AddStringToObject(json, "name", s->name);
  cJSON_AddStringToObject(json, "op", s->op == SP_OP_SOFTMAX ? "softmax" : "attention");
  cJSON_AddStringToObject(json, "dtype_q", sp_ref_format_name(s->dtype_q));
  cJSON_AddStringToObject(json, "dtype_kv", sp_ref_format_name(s->dtype_kv));
  cJSON_AddNumberToObject(json, "n_batch", (double)s->n_batch);
  cJSON_AddNumberToObject(json, "n_q", (double)s->n_q);
  cJSON_AddNumberToObject(json, "n_kv", (double)s->n_kv);
  cJSON_AddNumberToObject(json, "n_heads", (double)s->n_heads);
  cJSON_AddNumberToObject(json, "n_kv_heads", (double)s->n_kv_heads);
  cJSON_AddNumberToObject(json, "d_head", (double)s->d_head);
  if (s->window != SP_WINDOW_ALL) cJSON_AddNumberToObject(json, "window", (double)s->window);
  cJSON_AddNumberToObject(json, "n_sink_tokens", (double)s->n_sink_tokens);
  cJSON_AddBoolToObject(json, "sink_logit", s->sink_logit);
  cJSON_AddStringToObject(json, "kv_layout", s->token_major ? "token-major" : "head-major");
  cJSON_AddNumberToObject(json, "elements", work.elements);
  cJSON_AddNumberToObject(json, "flops", work.flops);
  cJSON_AddNumberToObject(json, "bytes", work.bytes);
  return json;
}

static void add_judgement(cJSON *json, const sp_bench_result *r) {
  static const char *const verdicts[] = {"PASS", "UNDECIDED", "FAIL"};
  cJSON_AddStringToObject(json, "verdict", r->judged ? verdicts[r->verdict] : "UNJUDGED");
  cJSON_AddStringToObject(json, "why", r->why);
  if (!r->judged) return;
  cJSON_AddNumberToObject(json, "rows_judged", (double)r->n_rows);
  /* JSON has no infinity: an error that is none says so by its verdict. */
  if (isfinite(r->error)) cJSON_AddNumberToObject(json, "error", r->error);
  if (isfinite(r->budget)) cJSON_AddNumberToObject(json, "budget", r->budget);
}

static cJSON *result_json(const sp_bench *bench, const sp_bench_result *r) {
  cJSON *json = cJSON_CreateObject();
  cJSON_AddStringToObject(json, "shape", bench->shape[r->shape].name);
  cJSON_AddStringToObject(json, "kernel", bench->contender[r->contender].label);
  cJSON_AddNumberToObject(json, "contender", (double)r->contender);
  cJSON_AddNumberToObject(json, "threads", r->n_threads);
  cJSON_AddStringToObject(json, "state", sp_cell_state_name(r->state));
  cJSON_AddStringToObject(json, "mark", sp_bench_mark(bench, r));
  if (r->state == SP_CELL_ERROR) cJSON_AddNumberToObject(json, "status", r->status);
  if (r->state != SP_CELL_TIMED) return json;
  cJSON_AddNumberToObject(json, "least_s", r->least);
  cJSON_AddNumberToObject(json, "median_s", r->median);
  cJSON_AddNumberToObject(json, "spread", r->spread);
  cJSON_AddNumberToObject(json, "samples", (double)r->n_samples);
  cJSON_AddBoolToObject(json, "planned", r->planned);
  cJSON_AddStringToObject(json, "path", r->path);
  add_judgement(json, r);
  if (r->roof.seconds > 0) {
    cJSON_AddStringToObject(json, "roof", limit_key(r->roof.limit));
    cJSON_AddNumberToObject(json, "roof_s", r->roof.seconds);
    cJSON_AddNumberToObject(json, "fraction_of_roof", r->roof.seconds / r->least);
  }
  return json;
}

char *sp_bench_json(const sp_bench *bench) {
  cJSON *json = cJSON_CreateObject();
  cJSON_AddStringToObject(json, "format", "sinkproof-bench-1");
  cJSON_AddStringToObject(json, "tool", SP_VERSION);
  cJSON_AddStringToObject(json, "cpu", bench->cpu);
  cJSON_AddNumberToObject(json, "seconds", bench->config.seconds);
  cJSON_AddNumberToObject(json, "seed", (double)bench->config.seed);
  cJSON *limits = cJSON_AddArrayToObject(json, "limits");
  for (size_t t = 0; t < SP_BENCH_THREADS && bench->config.threads[t] > 0; t++)
    if (bench->config.limit_time > 0) cJSON_AddItemToArray(limits, limits_json(&bench->limits[t]));
  cJSON *contenders = cJSON_AddArrayToObject(json, "contenders");
  for (size_t i = 0; i < bench->n_contenders; i++)
    cJSON_AddItemToArray(contenders, contender_json(&bench->contender[i]));
  cJSON *shapes = cJSON_AddArrayToObject(json, "shapes");
  for (size_t i = 0; i < bench->n_shapes; i++)
    cJSON_AddItemToArray(shapes, shape_json(&bench->shape[i]));
  cJSON *results = cJSON_AddArrayToObject(json, "results");
  for (size_t i = 0; i < bench->n_results; i++)
    cJSON_AddItemToArray(results, result_json(bench, &bench->result[i]));
  char *text = cJSON_Print(json);
  cJSON_Delete(json);
  return text;
}
