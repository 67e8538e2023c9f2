/* SPDX-License-Identifier: Apache-2.0 */
/* When nothing is wrong but the claim: a weaker class that accepts everything says what the kernel
 * does to its numbers. spec: NU-5, NU-7 */
#include <stdio.h>

#include "certify/judge/diagnose.h"

typedef struct candidate {
  const char *text, *meaning;
} candidate;

/* One deviation at a time; of two that accept about as much, the likelier first. */
static const candidate candidates[] = {
    {"w-deep", "binary32 arithmetic with short chains of sums"},
    {"w-lane16", "binary32 arithmetic with one sum per vector lane"},
    {"w-seq", "binary32 arithmetic with one running sum"},
    {"w-seq:flush=both", "binary32 arithmetic that flushes subnormals"},
    {"w-deep-b2:tile=16", "exponents in base 2, rescaled online"},
    {"w-seq:tile=16", "a running maximum with rescales"},
    {"w-loose", "exponents that lose accuracy with the size of logits: exp(x - lse), or no shift"},
    {"w-seq:exp=-16", "an exponential with error 2^-16"},
    {"w-seq:exp=-12", "an exponential with error 2^-12"},
    {"w-seq:p=f16", "weights rounded to f16 before they multiply values"},
    {"w-seq:p=bf16", "weights rounded to bf16 before they multiply values"},
    {"w-seq:logit=f16", "logits stored in f16"},
    {"w-seq:logit=bf16", "logits stored in bf16"},
    {"w-seq:qk=bf16", "q rounded to bf16"},
    {"w-seq:exp=-9", "an exponential with error 2^-9"},
    {"w-lane16:acc=f16", "accumulators in f16"},
    {"w-lane16:u=f16", "f16 arithmetic throughout"},
    {"w-lane16:acc=bf16", "accumulators in bf16"},
    {"w-lane16:u=bf16", "bf16 arithmetic throughout"},
};

static bool accepts(const sp_case *c, const sp_outputs *outputs, const char *cls_text) {
  sp_class cls;
  sp_truth truth;
  sp_judgement judgement;
  char error[1];
  if (!sp_class_parse(cls_text, &cls, error, sizeof error)) return false;
  if (!sp_truth_init(&truth, c, &cls, 256, error, sizeof error)) return false;
  sp_judge(&truth, outputs, &judgement);
  /* A class that allows errors as large as the values says nothing. */
  bool telling = judgement.verdict == SP_PASS && truth.resolution < 0.5;
  sp_truth_clear(&truth);
  return telling;
}

bool sp_diagnose_class(const sp_case *c, const sp_outputs *outputs, char *text, size_t capacity) {
  for (size_t i = 0; i < sizeof candidates / sizeof candidates[0]; i++) {
    if (!accepts(c, outputs, candidates[i].text)) continue;
    (void)snprintf(text, capacity, "the errors of this case fit the weaker class %s: %s",
                   candidates[i].text, candidates[i].meaning);
    return true;
  }
  return false;
}
