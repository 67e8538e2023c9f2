/* SPDX-License-Identifier: Apache-2.0 */
/* A profile as typed, and what it leaves out. spec: CT-11, CT-12 */
#include <stdio.h>
#include <string.h>

#include "certify/profile/conventions.h"

unsigned sp_convention(const sp_profile *profile, sp_question question) {
  unsigned answer = profile != NULL ? profile->conventions.answer[question] : SP_UNSAID;
  return answer != SP_UNSAID ? answer : SP_AS_CORE;
}

unsigned sp_conventions_given(const sp_profile *profile, sp_question question) {
  return 1u << sp_convention(profile, question) |
         (profile != NULL ? profile->also.answer[question] : 0u);
}

bool sp_profile_is_core(const sp_profile *profile) {
  for (sp_question q = 0; q < SP_N_QUESTIONS; q++)
    if (sp_convention(profile, q) != SP_AS_CORE) return false;
  return true;
}

static bool is(const char *text, size_t length, const char *name) {
  return strlen(name) == length && memcmp(text, name, length) == 0;
}

static const sp_profile *find(const char *text, size_t length) {
  size_t n;
  const sp_profile *all = sp_profiles(&n);
  for (size_t i = 0; i < n; i++)
    if (is(text, length, all[i].name)) return &all[i];
  return NULL;
}

/* One "question=answer" of `length` characters. */
static bool set_answer(sp_profile *profile, const char *text, size_t length) {
  const char *equals = memchr(text, '=', length);
  if (equals == NULL) return false;
  size_t n_name = (size_t)(equals - text), n_answer = length - n_name - 1;
  for (sp_question q = 0; q < SP_N_QUESTIONS; q++) {
    const sp_question_text *question = sp_question_text_of(q);
    if (!is(text, n_name, question->name)) continue;
    for (unsigned a = 1; a <= sp_n_answers(q); a++) {
      if (!is(equals + 1, n_answer, question->answer[a].name)) continue;
      profile->conventions.answer[q] = (unsigned char)a;
      profile->also.answer[q] = 0;
      return true;
    }
  }
  return false;
}

bool sp_profile_parse(const char *text, sp_profile *profile, char *error, size_t capacity) {
  size_t length = strcspn(text, ":");
  const sp_profile *named = find(text, length);
  if (named == NULL) {
    snprintf(error, capacity, "no profile '%.*s' (sinkproof list profiles)", (int)length, text);
    return false;
  }
  *profile = *named;
  if (strlen(text) >= sizeof profile->text) {
    snprintf(error, capacity, "the profile is too long");
    return false;
  }
  strcpy(profile->text, text);
  for (const char *at = text + length; *at != '\0';) {
    at++;
    size_t n = strcspn(at, ",");
    if (!set_answer(profile, at, n)) {
      snprintf(error, capacity, "profile: '%.*s' is no question=answer (sinkproof list questions)",
               (int)n, at);
      return false;
    }
    at += n;
  }
  return true;
}

static const struct {
  sp_question question;
  unsigned answer;
  const char *sentence;
} exclusions[] = {
    {SP_ASK_WINDOW, SP_WINDOW_LEFT, "window parameter 0: systems disagree on it (EV-3)"},
    {SP_ASK_CACHE_WINDOW, SP_CACHE_AFTER,
     "cache size 0; lists, and a second query of a token, when such a cache has evicted already"},
    {SP_ASK_BLOCKS, SP_BLOCKS_DENSE,
     "blocks of several tokens, but for a prompt that fits and those after which more comes before "
     "anybody asks: they are appended one by one"},
    {SP_ASK_BLOCKS, SP_BLOCKS_RECENT,
     "blocks of several tokens, but for a prompt that fits and those after which more comes before "
     "anybody asks: they are appended one by one"},
    {SP_ASK_FIXED_SINK, SP_FIXED_ZERO, "sink logits: the kernel has its own"},
    {SP_ASK_SINK, SP_SINK_SCALED, "sink logits: scaled ones are no binary32 numbers"},
    {SP_ASK_SINK, SP_SINK_BASE2, "sink logits: in base 2 they are no binary32 numbers"},
    {SP_ASK_SINK, SP_SINK_WEIGHT, "sink logits: as weights they are no logits"},
    {SP_ASK_MASKED_NAN, SP_MASKED_POISONS, "NaN and infinities in slots that no query sees"},
    {SP_ASK_SOFTCAP, SP_SOFTCAP_LAST, "softcaps together with finite biases"},
    {SP_ASK_ALIBI_CAP, SP_ALIBI_INSIDE_CAP, "softcaps together with ALiBi"},
    {SP_ASK_ALIBI, SP_ALIBI_KEY_INDEX, "ALiBi together with sink logits or log-sum-exps"},
    {SP_ASK_ALIBI, SP_ALIBI_FROM_END, "ALiBi together with sink logits or log-sum-exps"},
    {SP_ASK_LSE_BASE, SP_LSE_BASE_2, "log-sum-exps under the classes cr and faithful"},
    {SP_ASK_EMPTY, SP_EMPTY_NAN, "calls without any key; log-sum-exps of empty rows"},
    {SP_ASK_EMPTY, SP_EMPTY_AVERAGE, "calls without any key; log-sum-exps of empty rows"},
    {SP_ASK_CACHE_WINDOW, SP_CACHE_AFTER, "n_evict and truncation, which count in W"},
    {SP_ASK_CACHE_WINDOW, SP_CACHE_SPARE, "n_evict and truncation, which count in W"},
    {SP_ASK_CACHE_PINNED, SP_PINNED_INSIDE, "n_evict and truncation, which count in W"},
    {SP_ASK_EVICT, SP_EVICT_HALF, "n_evict and truncation; one recent token, which has no half"},
    {SP_ASK_POSITION, SP_POSITION_ALWAYS_ABS, "positions by rank in the cache"},
    {SP_ASK_POSITION, SP_POSITION_ALWAYS_CACHE, "absolute positions"},
    {SP_ASK_POSITION, SP_POSITION_NEVER, "rotation"},
    {SP_ASK_PAIRING, SP_PAIRING_ALWAYS_HALF, "interleaved pairs"},
    {SP_ASK_PAIRING, SP_PAIRING_ALWAYS_INTERLEAVED, "pairs of halves"},
};

const char *sp_profile_exclusion(const sp_profile *profile, size_t which) {
  const char *last = "";
  for (size_t i = 0; i < sizeof exclusions / sizeof *exclusions; i++) {
    if (sp_convention(profile, exclusions[i].question) != exclusions[i].answer) continue;
    if (strcmp(last, exclusions[i].sentence) == 0) continue; /* two answers, one reason */
    last = exclusions[i].sentence;
    if (which-- == 0) return last;
  }
  return NULL;
}
