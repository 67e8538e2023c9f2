/* SPDX-License-Identifier: Apache-2.0 */
/* Which conventions does a kernel follow? Ask it, in a child process like any case, and compare
 * what it returns with what each answer predicts. (CT-13) */
#ifndef SINKPROOF_IDENTIFY_H
#define SINKPROOF_IDENTIFY_H

#include "certify/host/host.h"
#include "certify/profile/probe.h"

enum { SP_MAX_PARTS = 4, SP_MAX_PROFILES = 32 };

typedef enum sp_reply_state {
  SP_REPLY_NOT_OFFERED, /* nothing that would show the answer */
  SP_REPLY_ANSWERED,
  SP_REPLY_NEITHER, /* offered, and no answer predicts the result */
  SP_REPLY_FAILED   /* crash, hang, refusal: `remark` */
} sp_reply_state;

typedef struct sp_probe_result {
  const sp_probe *probe;
  size_t n;
  double got[SP_PROBE_KEYS];
  double expected[SP_MAX_ANSWERS][SP_PROBE_KEYS];
} sp_probe_result;

typedef struct sp_reply {
  sp_reply_state state;
  unsigned answer;  /* the first that fits */
  unsigned matches; /* bit a: answer a fits; several do where they cannot be told apart */
  size_t n_parts;
  sp_probe_result part[SP_MAX_PARTS];
  char remark[240];
} sp_reply;

typedef struct sp_profile_score {
  unsigned agree, disagree; /* of the questions that the profile and the kernel both answer */
  unsigned differ;          /* answers that are not as under this profile, where silence is core */
} sp_profile_score;

typedef struct sp_identity {
  sp_reply reply[SP_N_QUESTIONS];
  unsigned n_answered;
  sp_profile_score score[SP_MAX_PROFILES]; /* as sp_profiles() */
  size_t nearest;                          /* least that differs, then most agreements */
  char profile[160];                       /* it, and what has to be said besides */
} sp_identity;

/* Put every question to kernel `index` of a host. False: the host's own fault, in words. */
bool sp_identify(sp_host *host, size_t index, sp_identity *identity, char *error, size_t capacity);

/* The case of a probe, for replay; false when the kernel does not offer it. */
bool sp_probe_case(const sp_probe *probe, const sp_asker *asker, sp_case *c);

/* The reply agrees with an answer; with one that the profile gives. */
bool sp_reply_agrees(const sp_reply *reply, unsigned answer);
bool sp_reply_fits(const sp_reply *reply, const sp_profile *profile, sp_question question);

/* Predictions and results; unit of the tests. */
void sp_probe_expect(const sp_probe *probe, const sp_asker *asker, unsigned answer, double *e);
void sp_reply_decide(sp_reply *reply, unsigned n_answers);

#endif
