/* SPDX-License-Identifier: Apache-2.0 */
/* Fold the tallies of shards into one, so that the result does not depend on how the cases were
 * dealt out. spec: CT-10 */
#include <stdio.h>
#include <string.h>

#include "certify/run/run.h"

static void merge_group(sp_group *whole, const sp_group *part) {
  if (part->n_cases < whole->n_cases) whole->n_cases = part->n_cases;
  whole->n_none += part->n_none;
  whole->n_passed += part->n_passed;
  whole->n_failed += part->n_failed;
  whole->n_undecided += part->n_undecided;
  whole->n_declined += part->n_declined;
  whole->n_unsafe += part->n_unsafe;
  whole->n_skipped += part->n_skipped;
  whole->n_elements += part->n_elements;
  whole->n_lse += part->n_lse;
  whole->n_outside += part->n_outside;
  whole->n_sink_visible += part->n_sink_visible;
  whole->n_rotated += part->n_rotated;
  if (part->resolution < whole->resolution) whole->resolution = part->resolution;
  bool earlier = part->budget == whole->budget && part->budget_index < whole->budget_index;
  if (part->budget > whole->budget || (part->budget > 0 && earlier)) {
    whole->budget = part->budget;
    whole->budget_index = part->budget_index;
  }
}

static bool before(uint32_t group, uint64_t index, uint32_t other_group, uint64_t other_index) {
  return group < other_group || (group == other_group && index < other_index);
}

static void merge_fault(sp_fault_result *whole, const sp_fault_result *part) {
  whole->applicable |= part->applicable;
  whole->left_out |= part->left_out;
  whole->declined |= part->declined;
  for (size_t g = 0; g < SP_MAX_GROUPS; g++) {
    bool sooner = part->kills[g] > 0 && part->first[g] < whole->first[g];
    if (whole->kills[g] == 0 || sooner) whole->first[g] = part->first[g];
    whole->kills[g] += part->kills[g];
  }
  whole->seen |= part->seen;
  if (!part->killed) return;
  if (whole->killed && before(whole->group, whole->index, part->group, part->index)) return;
  whole->killed = true;
  whole->group = part->group;
  whole->index = part->index;
}

/* Insert in order, then drop what exceeds the group's share from its end. */
static void merge_finding(sp_tally *whole, const sp_finding *finding) {
  size_t at = whole->n_findings;
  while (at > 0 && before(finding->group, finding->index, whole->findings[at - 1].group,
                          whole->findings[at - 1].index))
    at--;
  size_t ahead = 0;
  for (size_t i = 0; i < at; i++) ahead += whole->findings[i].group == finding->group;
  if (ahead >= SP_FINDINGS_PER_GROUP) return;
  size_t last = at, kept = ahead;
  while (last < whole->n_findings && whole->findings[last].group == finding->group) {
    last++;
    kept++;
  }
  bool full = kept == SP_FINDINGS_PER_GROUP;
  size_t tail = full ? last - 1 : whole->n_findings;
  memmove(&whole->findings[at + 1], &whole->findings[at], (tail - at) * sizeof *finding);
  whole->findings[at] = *finding;
  if (!full) whole->n_findings++;
}

static void merge_path(sp_tally *whole, const sp_path_count *path) {
  for (size_t i = 0; i < SP_MAX_PATHS; i++) {
    sp_path_count *count = &whole->paths[i];
    if (!count->calls) snprintf(count->name, sizeof count->name, "%s", path->name);
    if (strcmp(count->name, path->name) != 0) continue;
    count->calls += path->calls;
    return;
  }
}

void sp_tally_merge(sp_tally *whole, const sp_tally *part) {
  for (size_t g = 0; g < part->n_groups; g++) merge_group(&whole->groups[g], &part->groups[g]);
  for (size_t i = 0; i < part->n_findings; i++) merge_finding(whole, &part->findings[i]);
  for (size_t i = 0; i < SP_MAX_FAULTS; i++) merge_fault(&whole->faults[i], &part->faults[i]);
  for (size_t i = 0; i < SP_MAX_PATHS; i++)
    if (part->paths[i].calls) merge_path(whole, &part->paths[i]);
  if (part->tool_error[0] && !whole->tool_error[0])
    snprintf(whole->tool_error, sizeof whole->tool_error, "%s", part->tool_error);
  whole->done += part->done;
}
