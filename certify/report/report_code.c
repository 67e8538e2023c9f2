/* SPDX-License-Identifier: Apache-2.0 */
/* What a report says of machine code that theorems are about: only for a code path that ran, and
 * only when every leaf of it, as loaded, is the theorem's, byte for byte. The theorems about rows
 * are about the class w-deep. spec: KC-9, NU-7 */
#include <inttypes.h>
#include <string.h>

#include "certify/judge/proved.h"
#include "certify/report/report_code.h"

static bool is_of(const sp_leaf *leaf, const char *path) {
  return strcmp(leaf->path, path) == 0;
}

/* Of what the theorems about rows allow, the largest share that an element used: the run was an
 * attempt to falsify them. */
static double largest_share(const sp_report *report) {
  double share = 0;
  for (size_t g = 0; g < report->tally->n_groups; g++)
    if (report->tally->groups[g].budget > share) share = report->tally->groups[g].budget;
  return share;
}

static bool judged_lse(const sp_report *report) {
  for (size_t g = 0; g < report->tally->n_groups; g++)
    if (report->tally->groups[g].n_lse > 0) return true;
  return false;
}

static void print_proved(FILE *stream, const sp_report *report, const char *path) {
  const sp_evidence *evidence = &report->evidence;
  const char *separator = "code    ";
  for (uint32_t i = 0; i < evidence->n_leaves; i++) {
    const sp_leaf *leaf = &evidence->leaf[i];
    if (!is_of(leaf, path)) continue;
    fprintf(stream, "%s%s as loaded is that of %s", separator, leaf->name, leaf->theorem);
    separator = ", ";
  }
  if (strcmp(report->cls.text, "w-deep") == 0)
    fprintf(stream,
            "; rows: " SP_PROVED_ROW ", " SP_PROVED_SOFTMAX "%s, largest error %.3g of the bound",
            judged_lse(report) ? ", " SP_PROVED_ROW_LSE : "", largest_share(report));
  fputc('\n', stream);
}

static void print_byte(FILE *stream, int byte) {
  if (byte < 0)
    fputs("past the end", stream);
  else
    fprintf(stream, "0x%02x", (unsigned)byte);
}

static void print_difference(FILE *stream, const sp_leaf *leaf) {
  fprintf(stream, "code    %s as loaded is NOT that of %s: byte %" PRIu32 " is ", leaf->name,
          leaf->theorem, leaf->differs_at);
  print_byte(stream, leaf->loaded);
  fputs(", not ", stream);
  print_byte(stream, leaf->wanted);
  fputs("; no theorem about its rows is claimed\n", stream);
}

void sp_report_code_text(FILE *stream, const sp_report *report) {
  const sp_evidence *evidence = &report->evidence;
  for (size_t p = 0; p < SP_MAX_PATHS; p++) {
    const sp_path_count *path = &report->tally->paths[p];
    if (!path->calls) continue;
    if (sp_evidence_proves(evidence, path->name)) print_proved(stream, report, path->name);
    for (uint32_t i = 0; i < evidence->n_leaves; i++)
      if (is_of(&evidence->leaf[i], path->name) && !evidence->leaf[i].proved)
        print_difference(stream, &evidence->leaf[i]);
  }
}

cJSON *sp_report_code_json(const sp_evidence *evidence) {
  cJSON *list = cJSON_CreateArray();
  for (uint32_t i = 0; i < evidence->n_leaves; i++) {
    const sp_leaf *leaf = &evidence->leaf[i];
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "leaf", leaf->name);
    cJSON_AddStringToObject(json, "path", leaf->path);
    cJSON_AddStringToObject(json, "theorem", leaf->theorem);
    cJSON_AddBoolToObject(json, "proved", leaf->proved);
    cJSON_AddItemToArray(list, json);
  }
  return list;
}
