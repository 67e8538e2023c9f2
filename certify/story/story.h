/* SPDX-License-Identifier: Apache-2.0 */
/* The story that started this project, in numbers: what a row of attention loses when its first
 * token leaves, what pinned tokens, a dedicated sink token and a sink logit do about it, and what a
 * window costs. Every weight is the oracle's, correctly rounded; times are measured. */
#ifndef SINKPROOF_STORY_H
#define SINKPROOF_STORY_H

#include "ref/ref.h"

enum { SP_STORY_KEYS = 5, SP_STORY_SCENES = 5, SP_STORY_COSTS = 4 };

/* One row before and after some of its keys left. */
typedef struct sp_scene {
  const char *title, *lesson;
  double logit[SP_STORY_KEYS], value[SP_STORY_KEYS], sink_logit;
  bool evicted[SP_STORY_KEYS];
  /* filled in by sp_story_play */
  double before[SP_STORY_KEYS], after[SP_STORY_KEYS];
  double sink_before, sink_after; /* the mass that no value receives */
  double out_before, out_after;
  double mass;         /* m, what the evicted keys had: every other weight grows by 1 / (1 - m) */
  double factor;       /* … which is this */
  double distance;     /* total variation between the two: m again */
  double drift, bound; /* |out_after - out_before| and m times the width of the values */
} sp_scene;

/* The scenes, played by the oracle; false when memory runs out. */
bool sp_story_play(sp_scene scene[SP_STORY_SCENES]);

/* Microseconds of attention for one more token at a length of the stream. */
typedef struct sp_cost {
  uint64_t length;
  double window, whole; /* a cache of 4 + 1020 tokens; one that keeps all */
  double again;         /* the window anew: all of its queries, as recomputation needs */
} sp_cost;

/* Measure with the first kernel of a library that has a cache and attention over several queries.
 * NULL, or why that cannot be done. `name` receives the kernel's. */
const char *sp_story_measure(const char *path, sp_cost cost[SP_STORY_COSTS], char name[64]);

/* One page that needs nothing else; false when it cannot be written. `kernel` is NULL without
 * costs. */
bool sp_story_page(const char *path, const sp_scene scene[SP_STORY_SCENES], const sp_cost *cost,
                   const char *kernel);

#endif
