/* SPDX-License-Identifier: Apache-2.0 */
/* The one place where a profile acts: how a case is put to a kernel that follows other conventions,
 * and what is then expected of it.
 *
 * A case always means what SPEC.md says. `put` asks the same thing in the kernel's own terms (a
 * window of 5 becomes window_left 4). Where no parameter can ask it, the kernel is asked something
 * else, and `meaning` is the case of SPEC.md that has the same answer. Answers that no case of
 * SPEC.md has (a log-sum-exp in base 2, NaN in an empty row) are read off the oracle's. (CT-11) */
#ifndef SINKPROOF_TRANSLATE_H
#define SINKPROOF_TRANSLATE_H

#include "certify/judge/judge.h"
#include "certify/profile/conventions.h"

typedef struct sp_translation {
  const sp_profile *profile;
  const sp_case *source; /* as generated */
  sp_case put, meaning;  /* share what is not altered with the source */
  bool altered;          /* the meaning is not that of the source */
  sp_truth own;
  const sp_truth *expected; /* own, or what was handed in */
  void *owned[12];
  size_t n_owned;
} sp_translation;

/* Options (SP_OPT_…) that are not put to a kernel under this profile and class. */
uint64_t sp_profile_withheld(const sp_profile *profile, const sp_class *cls);

/* False: the profile leaves this case out, and *why says so in words; or memory ran out, and *why is
 * NULL. In both cases there is nothing to clear. */
bool sp_translate(sp_translation *t, const sp_profile *profile, const sp_case *c, const char **why);
void sp_translation_clear(sp_translation *t);

/* t->expected: `truth` is that of the source and outlives t; NULL when it is not at hand. */
bool sp_translation_expect(sp_translation *t, const sp_truth *truth, const sp_class *cls,
                           mpfr_prec_t max_prec, char *error, size_t capacity);

/* Outputs of `put`, in the order that the source's heads have. */
bool sp_translate_back(const sp_translation *t, sp_outputs *outputs);

/* What a failure usually means (certify/judge/judge.h), where a profile leaves that sense. */
void sp_translation_diagnose(const sp_translation *t, const sp_outputs *outputs, char *text,
                             size_t capacity);

/* The calls that SPEC.md calls errors and this profile gives a meaning. (KC-7, CT-12) */
bool sp_profile_allows(const sp_profile *profile, const char *illegal_call);

/* Own room for a translation. */
void *sp_translation_keep(sp_translation *t, size_t bytes);

/* certify/profile/expect.c: turn the truth of the meaning into what the kernel returns. */
bool sp_answers_differ(const sp_profile *profile);
bool sp_answers_convert(const sp_translation *t, sp_truth *truth, const sp_class *cls,
                        mpfr_prec_t max_prec, char *error, size_t capacity);

#endif
