/* SPDX-License-Identifier: Apache-2.0 */
/* The five scenes and the oracle that plays them. The row is the one of the article: its first key is
 * the one that every query looks at although it says nothing (value 0). See story.h. */
#include "certify/story/story.h"

#include <math.h>

#define ROW                                                                                        \
  { -0.1, -1.2, -0.9, -0.8, -0.5 }
#define VALUES                                                                                     \
  { 0.0, 1.0, -1.0, 2.0, 1.0 }

static const sp_scene scenes[SP_STORY_SCENES] = {
    {.title = "the window forgets the first token",
     .lesson = "the mass of the first token falls on the others: each grows by 1 / (1 - m)",
     .logit = ROW,
     .value = VALUES,
     .sink_logit = -INFINITY,
     .evicted = {true}},
    {.title = "one token is pinned",
     .lesson = "the oldest token that is not pinned leaves; it had little",
     .logit = ROW,
     .value = VALUES,
     .sink_logit = -INFINITY,
     .evicted = {false, true}},
    {.title = "four tokens are pinned",
     .lesson = "nothing that the first queries leant on can leave; here the row is short enough "
               "that nothing has to",
     .logit = ROW,
     .value = VALUES,
     .sink_logit = -INFINITY},
    {.title = "a dedicated sink token, pinned",
     .lesson = "an ordinary key, trained to take what is left over: where it is there, an eviction "
               "moves less",
     .logit = {2.0, -1.2, -0.9, -0.8, -0.5},
     .value = VALUES,
     .sink_logit = -INFINITY,
     .evicted = {false, true}},
    {.title = "a sink logit",
     .lesson = "the denominator alone: it holds no slot, nothing can evict it, and the weights sum "
               "to less than 1",
     .logit = ROW,
     .value = VALUES,
     .sink_logit = 2.0,
     .evicted = {true}},
};

static bool weigh(const sp_scene *scene, bool evict, double *weight, double *sink, double *out) {
  double logit[SP_STORY_KEYS];
  double lse_keys = 0;
  double lse_total = 0;
  for (int j = 0; j < SP_STORY_KEYS; j++)
    logit[j] = evict && scene->evicted[j] ? -INFINITY : scene->logit[j];
  const sp_ref_row_input row = {.n_kv = SP_STORY_KEYS,
                                .d_value = 1,
                                .logits = logit,
                                .v = scene->value,
                                .v_stride = 1,
                                .scale = 1,
                                .sink_logit = scene->sink_logit};
  if (sp_ref_row_round(&row, 1024, SP_F64, weight, out, SP_F64, &lse_keys, &lse_total) !=
      SP_REF_DECIDED)
    return false;
  *sink = scene->sink_logit > -INFINITY ? exp(scene->sink_logit - lse_total) : 0.0;
  return true;
}

/* The width of the values that are averaged; the sink logit's is 0. */
static double width(const sp_scene *scene) {
  double low = scene->value[0];
  double high = low;
  for (int j = 1; j < SP_STORY_KEYS; j++) {
    low = fmin(low, scene->value[j]);
    high = fmax(high, scene->value[j]);
  }
  if (scene->sink_logit > -INFINITY) return fmax(high, 0.0) - fmin(low, 0.0);
  return high - low;
}

bool sp_story_play(sp_scene scene[SP_STORY_SCENES]) {
  for (int i = 0; i < SP_STORY_SCENES; i++) {
    sp_scene *s = &scene[i];
    *s = scenes[i];
    if (!weigh(s, false, s->before, &s->sink_before, &s->out_before)) return false;
    if (!weigh(s, true, s->after, &s->sink_after, &s->out_after)) return false;
    double moved = fabs(s->sink_after - s->sink_before);
    for (int j = 0; j < SP_STORY_KEYS; j++) {
      if (s->evicted[j]) s->mass += s->before[j];
      moved += fabs(s->after[j] - s->before[j]);
    }
    s->factor = 1 / (1 - s->mass);
    s->distance = moved / 2;
    s->drift = fabs(s->out_after - s->out_before);
    s->bound = s->mass * width(s);
  }
  return true;
}
