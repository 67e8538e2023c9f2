/* SPDX-License-Identifier: Apache-2.0 */
/* Case generators: one per named hazard. A generator is a pure function of (request, index): the
 * same arguments give the same bits on every machine. (CT-4) */
#ifndef SINKPROOF_GEN_H
#define SINKPROOF_GEN_H

#include "certify/case/case.h"

/* What cases are wanted. A generator shapes its cases to what the subject offers (never an option,
 * type or length it does not), so this travels in every replay line. */
typedef struct sp_generator_request {
  const char *generator;
  sp_op op;
  uint64_t seed, index;
  uint64_t options; /* SP_OPT_… */
  uint32_t dtypes_softmax, dtypes_q, dtypes_kv;
  uint64_t max_n;   /* 0 = no limit */
  sp_shapes shapes; /* all zero = no limit */
} sp_generator_request;

typedef enum sp_level { SP_LEVEL_SMOKE, SP_LEVEL_STANDARD, SP_LEVEL_FULL } sp_level;

typedef struct sp_generator {
  const char *name;   /* "window-needle" */
  const char *hazard; /* one sentence: what goes wrong in kernels that fail here */
  const char *clause; /* main clause it witnesses */
  uint32_t ops;       /* 1u << SP_OP_… */
  uint64_t needs;     /* SP_OPT_… without which it has no case */
  size_t n_cases[3];  /* by level, per operation */
  /* Fill an initialised case. Returns false when this request allows no case (out of memory, or
   * types not offered). */
  bool (*make)(sp_case *c, const sp_generator_request *request);
} sp_generator;

/* All generators, in the order of the report; *count of them. */
const sp_generator *sp_generators(size_t *count);
const sp_generator *sp_generator_find(const char *name);

/* The request for a kernel: its options, types and lengths. */
void sp_request_for(sp_generator_request *request, const sp_kernel *kernel);

/* Make the case: init, generate, set generator, seed, index, clause. False: no such case. */
bool sp_case_make(sp_case *c, const sp_generator_request *request);

#endif
