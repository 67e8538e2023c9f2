/* SPDX-License-Identifier: Apache-2.0 */
/* Does the subject follow the conventions under which it is judged? Cases that a profile leaves out
 * cannot tell, and where one convention explains many failures, this names it. spec: CT-13 */
#include <stdio.h>
#include <string.h>

#include "certify/profile/identify.h"
#include "certify/run/run.h"

/* What the profile says, or SPEC.md where there is none; SP_UNSAID asks nothing. */
static unsigned owed(const sp_profile *profile, sp_question q) {
  return profile != NULL ? profile->conventions.answer[q] : SP_AS_CORE;
}

/* A result that fits no answer is left to the cases, where they can judge it. */
static bool breaks(const sp_profile *profile, sp_question q, const sp_reply *reply) {
  unsigned answer = owed(profile, q);
  if (reply->state == SP_REPLY_NEITHER) return answer != SP_AS_CORE;
  return reply->state == SP_REPLY_ANSWERED && !sp_reply_fits(reply, profile, q);
}

static void append(char *text, size_t capacity, const char *more) {
  size_t length = strlen(text);
  if (length + strlen(more) < capacity) strcpy(text + length, more);
}

static void describe(const sp_profile *profile, sp_question q, const sp_reply *reply,
                     sp_finding *finding) {
  const sp_question_text *text = sp_question_text_of(q);
  const char *got = reply->answer ? text->answer[reply->answer].name : "neither";
  const char *sentence =
      reply->answer ? text->answer[reply->answer].sentence : "no known convention predicts it";
  char words[240];
  if (finding->what[0] == '\0') {
    finding->index = q;
    snprintf(finding->clause, sizeof finding->clause, "%s", text->clause);
  }
  snprintf(words, sizeof words, "%s%s=%s (%s) and not %s", finding->what[0] ? "; " : "", text->name,
           got, sentence, text->answer[owed(profile, q)].name);
  append(finding->what, sizeof finding->what, words);
}

bool sp_ask_conventions(const sp_run_config *config, sp_host *subject, sp_group *group,
                        sp_finding *finding, char *error, size_t capacity) {
  static sp_identity identity;
  const sp_profile *profile = config->profile;
  if (!sp_identify(subject, config->kernel, &identity, error, capacity)) return false;
  for (sp_question q = 0; q < SP_N_QUESTIONS; q++) {
    const sp_reply *reply = &identity.reply[q];
    if (owed(profile, q) == SP_UNSAID || reply->state == SP_REPLY_NOT_OFFERED ||
        reply->state == SP_REPLY_FAILED) {
      group->n_none++;
    } else if (breaks(profile, q, reply)) {
      group->n_failed++;
      describe(profile, q, reply, finding);
    } else if (reply->state == SP_REPLY_NEITHER) {
      group->n_none++;
    } else {
      group->n_passed++;
    }
  }
  if (finding->what[0] != '\0')
    snprintf(finding->likely, sizeof finding->likely,
             "it follows other conventions: certify --profile '%s' judges it by them, identify "
             "shows the evidence",
             identity.profile);
  return true;
}
