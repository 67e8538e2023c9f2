/* SPDX-License-Identifier: Apache-2.0 */
/* The targets about our own kernels differ only in whom they call and for what. */
#ifndef SINKPROOF_FUZZ_OURS_H
#define SINKPROOF_FUZZ_OURS_H

#include "fuzz/check.h"

typedef struct sp_fuzz_ours {
  uint32_t ops; /* 1u << SP_OP_… */
  bool oracle;  /* the oracle's own kernel too, which claims to be correctly rounded */
  bool sampled; /* the oracle, and plans where there are no others, for one input in 16: they take
                   ten times as long as all the rest */
  bool plugin;  /* and a third party's, as fuzz_plugin.c takes it: SINKPROOF_PLUGIN */
  bool twice;   /* determinism and plans too */
  bool is_open;
  size_t n_subjects; /* the oracle is the last */
  sp_fuzz_checker checker;
} sp_fuzz_ours;

/* Check one input against every variant of fast/ that this machine can run. Under an engine the first
 * call says which those are: a campaign that did not run a path has not tested it. (CT-10) */
int sp_fuzz_ours_input(sp_fuzz_ours *ours, const uint8_t *data, size_t size);

#endif
