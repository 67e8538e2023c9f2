/* SPDX-License-Identifier: Apache-2.0 */
/* Conventions: the questions that attention systems answer differently, and the answers seen.
 *
 * A profile is data: for each question the answer of one system, or nothing where that system has no
 * say. What is not said is answered as SPEC.md (the profile `core`) does. Nothing else in the
 * project knows a system by name. (CT-11) */
#ifndef SINKPROOF_CONVENTIONS_H
#define SINKPROOF_CONVENTIONS_H

#include <stdbool.h>
#include <stddef.h>

typedef enum sp_question {
  SP_ASK_FIXED_SINK,
  SP_ASK_WINDOW,
  SP_ASK_PINNED,
  SP_ASK_CAUSAL,
  SP_ASK_SINK,
  SP_ASK_LSE_BASE,
  SP_ASK_LSE_SINK,
  SP_ASK_LSE_EMPTY,
  SP_ASK_EMPTY,
  SP_ASK_MASKED_NAN,
  SP_ASK_SOFTCAP,
  SP_ASK_ALIBI,
  SP_ASK_ALIBI_CAP,
  SP_ASK_GQA,
  SP_ASK_CACHE_WINDOW,
  SP_ASK_EVICT,
  SP_ASK_CACHE_PINNED,
  SP_ASK_BLOCKS,
  SP_ASK_POSITION,
  SP_ASK_PAIRING,
  SP_N_QUESTIONS
} sp_question;

/* 0: the system does not say. 1 is always the answer of SPEC.md. */
enum { SP_UNSAID = 0, SP_AS_CORE = 1, SP_MAX_ANSWERS = 5 };
enum { SP_FIXED_NONE = 1, SP_FIXED_ZERO };
enum { SP_WINDOW_SELF = 1, SP_WINDOW_LEFT, SP_WINDOW_LESS };
enum { SP_PINNED_OUTSIDE = 1, SP_PINNED_INSIDE };
enum { SP_CAUSAL_BOTTOM_RIGHT = 1, SP_CAUSAL_TOP_LEFT };
enum { SP_SINK_NATURAL = 1, SP_SINK_SCALED, SP_SINK_BASE2, SP_SINK_WEIGHT };
enum { SP_LSE_BASE_E = 1, SP_LSE_BASE_2 };
enum { SP_LSE_SINK_APART = 1, SP_LSE_SINK_BOTH, SP_LSE_SINK_NEITHER };
enum { SP_LSE_EMPTY_MINUS_INF = 1, SP_LSE_EMPTY_PLUS_INF };
enum { SP_EMPTY_ZERO = 1, SP_EMPTY_NAN, SP_EMPTY_AVERAGE };
enum { SP_MASKED_IGNORED = 1, SP_MASKED_POISONS };
enum { SP_SOFTCAP_FIRST = 1, SP_SOFTCAP_LAST };
enum { SP_ALIBI_DISTANCE = 1, SP_ALIBI_KEY_INDEX, SP_ALIBI_FROM_END };
enum { SP_ALIBI_OUTSIDE_CAP = 1, SP_ALIBI_INSIDE_CAP };
enum { SP_GQA_GROUPED = 1, SP_GQA_MODULO };
enum { SP_CACHE_BEFORE = 1, SP_CACHE_AFTER, SP_CACHE_SPARE };
enum { SP_EVICT_ASKED = 1, SP_EVICT_HALF };
enum { SP_BLOCKS_ONE_BY_ONE = 1, SP_BLOCKS_DENSE, SP_BLOCKS_RECENT };
enum { SP_POSITION_ASKED = 1, SP_POSITION_ALWAYS_ABS, SP_POSITION_ALWAYS_CACHE, SP_POSITION_NEVER };
enum { SP_PAIRING_ASKED = 1, SP_PAIRING_ALWAYS_HALF, SP_PAIRING_ALWAYS_INTERLEAVED };

typedef struct sp_conventions {
  unsigned char answer[SP_N_QUESTIONS];
} sp_conventions;

typedef struct sp_answer_text {
  const char *name;     /* as typed: "left" */
  const char *sentence; /* "a parameter w shows w + 1 keys (window_left)" */
} sp_answer_text;

typedef struct sp_question_text {
  const char *name; /* as typed: "window" */
  const char *asks; /* "how many keys does a window parameter w show?" */
  const char *clause;
  sp_answer_text answer[SP_MAX_ANSWERS]; /* [1] is that of SPEC.md; name NULL past the last */
} sp_question_text;

const sp_question_text *sp_question_text_of(sp_question question);
unsigned sp_n_answers(sp_question question); /* they are 1 … n */

typedef struct sp_profile {
  char text[160]; /* as given: "flashinfer", "core:causal=top-left,window=left" */
  const char *name;
  const char *source;     /* where the conventions were read */
  const char *parameters; /* which of our fields carries which of the system's parameters */
  sp_conventions conventions;
  sp_conventions also; /* bit a: another path or version of the system gives answer a */
  bool window_0;       /* a window of 0 means something there, and is no error */
} sp_profile;

/* The named profiles; the first is core. */
const sp_profile *sp_profiles(size_t *count);

/* NAME or NAME:question=answer,… False, and a sentence that names what is unknown. */
bool sp_profile_parse(const char *text, sp_profile *profile, char *error, size_t capacity);

/* The answer of a profile, that of SPEC.md where it says nothing. NULL is core. */
unsigned sp_convention(const sp_profile *profile, sp_question question);

/* Bit a: answer a is one that the profile gives. */
unsigned sp_conventions_given(const sp_profile *profile, sp_question question);

bool sp_profile_is_core(const sp_profile *profile);

/* What is not put to a kernel under this profile, and why: a sentence for each `which` from 0 on,
 * NULL past the last. (CT-12) */
const char *sp_profile_exclusion(const sp_profile *profile, size_t which);

#endif
