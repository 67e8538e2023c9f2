/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/finding.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "certify/case/rng.h"
#include "fuzz/element.h"

/* Equal cases get equal names, so that a campaign does not pile up copies. */
static uint64_t name_of(sp_case *c) {
  uint64_t hash = sp_rng_mix((uint64_t)c->op << 32 ^ c->n_kv << 16 ^ c->n_q);
  for (int role = 0; role < SP_FUZZ_N_ROLES; role++) {
    const sp_array *array = sp_fuzz_array(c, role);
    size_t bytes = sp_ref_format_bytes(array->dtype);
    for (size_t i = 0; i < array->count; i++)
      hash = sp_rng_mix(hash ^ sp_fuzz_get_bits(array->bits, bytes, i));
  }
  return hash;
}

void sp_fuzz_report(const sp_case *c, const sp_fuzz_finding *finding) {
  char path[4096], why[240] = "";
  const char *directory = getenv("SINKPROOF_FINDINGS");
  sp_case copy = *c; /* only to reach the arrays, which are not written */
  snprintf(path, sizeof path, "%s/finding-%016" PRIx64 ".case",
           directory != NULL && directory[0] != '\0' ? directory : ".", name_of(&copy));
  fprintf(stderr, "sinkproof fuzz: %s: %s\n", finding->subject->kernel->name, finding->text);
  if (!sp_case_write(c, path, why, sizeof why)) fprintf(stderr, "sinkproof fuzz: %s\n", why);
  fprintf(stderr, "sinkproof replay %s:%s --case %s\n", finding->subject->library,
          finding->subject->kernel->name, path);
}
