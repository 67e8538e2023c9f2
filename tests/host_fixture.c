/* SPDX-License-Identifier: Apache-2.0 */
/* See tests/host_fixture.h. */
#include "tests/host_fixture.h"

#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TIMEOUT_MS = 2000 }; /* of a busy machine, under a sanitizer */

static char library[PATH_MAX + 32];

const char *host_library_path(void) {
  char self[PATH_MAX] = "";
  const char *given = getenv("SP_EXPLOITS");
  if (given != NULL) return given;
  ck_assert(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
  snprintf(library, sizeof library, "%s/../lib/exploits.so", dirname(self));
  return library;
}

sp_host *host_library(size_t arena_bytes) {
  char error[240];
  sp_host_config config = {
      .path = host_library_path(), .timeout_ms = TIMEOUT_MS, .arena_bytes = arena_bytes};
  sp_host *host = sp_host_open(&config, error, sizeof error);
  ck_assert_msg(host != NULL, "%s", error);
  return host;
}

size_t host_find(const sp_host *host, const char *name) {
  for (size_t i = 0; i < sp_host_count(host); i++)
    if (strcmp(sp_host_kernel(host, i)->name, name) == 0) return i;
  ck_abort_msg("there is no exploit '%s'", name);
  return 0;
}

void host_fill(sp_array *array, size_t count) {
  ck_assert(sp_array_alloc(array, SP_F32, count));
  for (size_t i = 0; i < count; i++)
    sp_ref_store(SP_F32, array->bits, i, (double)((i * 37 + 11) % 64) / 32.0 - 1.0);
}

void host_softmax(sp_case *c) {
  sp_case_init(c, SP_OP_SOFTMAX);
  c->n_q = 3;
  c->n_kv = 5;
  c->want_lse_keys = c->want_lse_total = true;
  host_fill(&c->logits, 3 * 5);
  host_fill(&c->sink_logit, 3);
}

void host_attention(sp_case *c) {
  sp_case_init(c, SP_OP_ATTENTION);
  c->n_batch = 2;
  c->n_q = c->bias_rows = 3;
  c->n_kv = 7;
  c->n_heads = 4;
  c->n_kv_heads = 2;
  c->d_head = 8;
  c->d_value = 6;
  c->window = 4;
  c->n_sink_tokens = 1;
  c->want_lse_keys = c->want_lse_total = true;
  host_fill(&c->q, 2 * 3 * 4 * 8);
  host_fill(&c->k, 2 * 7 * 2 * 8);
  host_fill(&c->v, 2 * 7 * 2 * 6);
  host_fill(&c->key_bias, 3 * 7);
  host_fill(&c->sink_logit, 4);
}

void host_stream(sp_case *c) {
  static const sp_cache_step script[] = {
      {SP_STEP_APPEND, 3, true, 0},  {SP_STEP_VISIBLE, 0, false, 0}, {SP_STEP_APPEND, 1, true, 0},
      {SP_STEP_ATTEND, 0, false, 0}, {SP_STEP_APPEND, 2, false, 0},  {SP_STEP_APPEND, 4, true, 0},
      {SP_STEP_VISIBLE, 0, false, 0}};
  sp_case_init(c, SP_OP_CACHE);
  c->n_kv = c->n_q = 10;
  c->n_heads = 4;
  c->n_kv_heads = 2;
  c->d_head = c->d_value = 8;
  c->window = 3;
  c->n_sink_tokens = 2;
  c->first_token = 100;
  c->want_lse_total = true;
  host_fill(&c->q, 10 * 4 * 8);
  host_fill(&c->k, 10 * 2 * 8);
  host_fill(&c->v, 10 * 2 * 8);
  host_fill(&c->sink_logit, 4);
  c->n_steps = sizeof script / sizeof *script;
  c->script = malloc(sizeof script);
  ck_assert_ptr_nonnull(c->script);
  memcpy(c->script, script, sizeof script);
}

void host_case(sp_case *c, sp_op op) {
  if (op == SP_OP_SOFTMAX) host_softmax(c);
  if (op == SP_OP_ATTENTION) host_attention(c);
  if (op == SP_OP_CACHE) host_stream(c);
  ck_assert_msg(sp_case_error(c) == NULL, "%s", sp_case_error(c));
}

void host_run(sp_host *host, const char *kernel, const sp_case *c, bool once, sp_incident *incident,
              char path[32]) {
  sp_outputs outputs;
  ck_assert(sp_outputs_init(&outputs, c));
  bool ok = sp_host_run(host, host_find(host, kernel), c, once, &outputs, incident, path);
  ck_assert_msg(ok, "%s", incident->text);
  sp_outputs_clear(&outputs);
}

void host_check(const sp_incident *incident, sp_incident_kind kind, const char *text) {
  ck_assert_msg(incident->kind == kind && strstr(incident->text, text) != NULL,
                "wanted %s '%s', got %s '%s'", sp_incident_name(kind), text,
                sp_incident_name(incident->kind), incident->text);
}

void host_add(Suite *suite, const char *clause, const TTest *test, size_t first, size_t end) {
  TCase *tcase = tcase_create(clause);
  tcase_set_timeout(tcase, 60);
  tcase_add_loop_test(tcase, test, (int)first, (int)end);
  suite_add_tcase(suite, tcase);
}
