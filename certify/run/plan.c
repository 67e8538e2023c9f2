/* SPDX-License-Identifier: Apache-2.0 */
/* Which groups of cases a run consists of. spec: CT-8, KC-2 */
#include <string.h>

#include "certify/run/run.h"

static uint32_t offered_ops(const sp_kernel *kernel) {
  uint32_t ops = 0;
  if (kernel->softmax) ops |= 1u << SP_OP_SOFTMAX;
  if (kernel->attention) ops |= 1u << SP_OP_ATTENTION;
  if (kernel->cache) ops |= 1u << SP_OP_CACHE;
  return ops;
}

static bool wanted(const sp_run_config *config, const sp_generator *generator) {
  if (config->generator && strcmp(config->generator, generator->name) != 0) return false;
  return !config->clause || strcmp(config->clause, generator->clause) == 0;
}

static sp_group *add(sp_tally *tally, const char *name, const char *clause, sp_op op,
                     uint64_t n_cases) {
  if (tally->n_groups == SP_MAX_GROUPS) return NULL;
  sp_group *group = &tally->groups[tally->n_groups++];
  *group = (sp_group){.name = name, .clause = clause, .op = op, .n_cases = n_cases};
  group->resolution = 1.0;
  return group;
}

void sp_plan(const sp_run_config *config, const sp_kernel *kernel, sp_tally *tally) {
  size_t count;
  const sp_generator *generators = sp_generators(&count);
  uint32_t ops = offered_ops(kernel) & (config->ops ? config->ops : ~0u);
  if (ops && !config->ops && !config->generator && !config->clause) {
    sp_group *group = add(tally, "conventions", "CT-13", SP_N_OPS, SP_N_QUESTIONS);
    if (group) group->conventions = true;
  }
  for (sp_op op = 0; op < SP_N_OPS; op++) {
    if (!(ops >> op & 1u)) continue;
    for (size_t g = 0; g < count; g++) {
      const sp_generator *generator = &generators[g];
      if (!(generator->ops >> op & 1u) || (generator->needs & ~kernel->options)) continue;
      size_t n_cases = generator->n_cases[config->level];
      if (!n_cases || !wanted(config, generator)) continue;
      sp_group *group = add(tally, generator->name, generator->clause, op, n_cases);
      if (group) group->generator = generator;
    }
  }
  bool illegal = !config->generator && (!config->clause || strcmp(config->clause, "KC-7") == 0);
  if (ops && illegal) add(tally, "illegal-calls", "KC-7", SP_N_OPS, SP_MAX_ILLEGAL);
}

void sp_group_request(const sp_group *group, const sp_kernel *kernel, uint64_t seed, uint64_t index,
                      sp_generator_request *request) {
  sp_request_for(request, kernel);
  request->generator = group->name;
  request->op = group->op;
  request->seed = seed;
  request->index = index;
}
