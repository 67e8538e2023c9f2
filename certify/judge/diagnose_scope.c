/* SPDX-License-Identifier: Apache-2.0 */
/* When no hypothesis explains what a cache returned, it still helps to know when it goes wrong: only
 * after something was evicted, or taken back, in other sequences, in blocks. Of what all wrong
 * outputs have in common, and some right one has not, that is said which fewest right ones have. */
#include "certify/judge/diagnose_view.h"

enum { EVICTED, TAKEN_BACK, OTHER_SEQUENCE, IN_BLOCK, N_TRAITS };

static const char *const sentences[N_TRAITS] = {
    "only queries after the first eviction are wrong",
    "only queries after a truncation are wrong",
    "only queries of sequences other than 0 are wrong",
    "only queries of blocks of several tokens are wrong",
};

typedef struct counts {
  size_t right_with, right_without, wrong_without;
} counts;

static bool is_wrong(const sp_suspect *s, size_t output) {
  for (size_t h = 0; h < s->c->n_heads; h++)
    if (s->fails[output * s->c->n_heads + h]) return true;
  return false;
}

static void count(counts n[N_TRAITS], unsigned traits, bool wrong) {
  for (int t = 0; t < N_TRAITS; t++) {
    bool with = traits >> t & 1;
    n[t].right_with += with && !wrong;
    n[t].right_without += !with && !wrong;
    n[t].wrong_without += !with && wrong;
  }
}

const char *sp_view_scope(const sp_suspect *s) {
  const sp_case *c = s->c;
  counts n[N_TRAITS] = {{0}};
  size_t output = 0;
  uint64_t taken_back = 0; /* a bit for each sequence */
  if (c->op != SP_OP_CACHE || c->n_sequences > 64) return NULL;
  for (size_t k = 0; k < c->n_steps; k++) {
    const sp_cache_step *step = &c->script[k];
    bool append = step->kind == SP_STEP_APPEND;
    size_t asked = step->kind == SP_STEP_ATTEND   ? 1
                   : append && step->with_queries ? step->n_tokens
                                                  : 0;
    if (step->kind == SP_STEP_TRUNCATE) taken_back |= UINT64_C(1) << step->sequence;
    for (size_t i = 0; i < asked; i++, output++) {
      bool late = s->values->output_index[output] >= c->n_sink_tokens + c->window;
      unsigned traits =
          (unsigned)late << EVICTED | (unsigned)(taken_back >> step->sequence & 1) << TAKEN_BACK |
          (unsigned)(step->sequence > 0) << OTHER_SEQUENCE | (unsigned)(asked > 1) << IN_BLOCK;
      count(n, traits, is_wrong(s, output));
    }
  }
  const char *best = NULL;
  size_t least = SIZE_MAX;
  for (int t = 0; t < N_TRAITS; t++) {
    if (n[t].wrong_without > 0 || n[t].right_without == 0 || n[t].right_with >= least) continue;
    least = n[t].right_with;
    best = sentences[t];
  }
  return best;
}
