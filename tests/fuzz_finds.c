/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz_finds.h"

#include "tests/asserts.h"
#include <string.h>

#include "fuzz/mutate.h"

size_t fuzz_random_bytes(sp_rng *rng, uint8_t *data, size_t max) {
  size_t size = (size_t)sp_rng_below(rng, max + 1);
  for (size_t i = 0; i < size; i++) data[i] = (uint8_t)sp_rng_next(rng);
  if (size > 12 && sp_rng_one_in(rng, 2)) data[11] = 0; /* a short row more often */
  return size;
}

bool fuzz_finds(const sp_kernel *kernel, uint32_t ops, int tries, sp_fuzz_finding *what) {
  static sp_fuzz_checker checker;
  static uint8_t data[400];
  sp_fuzz_finding finding = {0};
  sp_rng rng;
  sp_rng_init(&rng, 1, "finds", ops, 0);
  const sp_fuzz_offer offer = sp_fuzz_offer_of(&kernel, 1, ops);
  ck_assert(sp_fuzz_checker_open(&checker, &kernel, 1, "museum", &offer, true));
  checker.plans = true;
  bool found = false;
  for (int i = 0; i < tries && !found; i++) {
    sp_case c;
    size_t size = fuzz_random_bytes(&rng, data, sizeof data);
    if (!sp_fuzz_decode(&c, data, size, &checker.offer)) continue;
    found = sp_fuzz_check(&checker, &c, &finding);
    ck_assert(!found || finding.text[0] != '\0');
    sp_case_clear(&c);
  }
  sp_fuzz_checker_close(&checker);
  if (what != NULL) *what = finding;
  return found;
}

bool fuzz_mutants_find(const sp_kernel *kernel, uint32_t ops, int tries) {
  static sp_fuzz_checker checker;
  static uint8_t data[1 << 14];
  sp_fuzz_finding finding = {0};
  sp_rng rng;
  size_t size = 0;
  bool found = false;
  sp_rng_init(&rng, 1, "mutants-find", ops, 0);
  const sp_fuzz_offer offer = sp_fuzz_offer_of(&kernel, 1, ops);
  ck_assert(sp_fuzz_checker_open(&checker, &kernel, 1, "museum", &offer, true));
  for (int i = 0; i < tries && !found; i++) {
    sp_case c;
    if (i % 12 == 0) {
      memset(data, 0, SP_FUZZ_HEADER_BYTES);
      size = SP_FUZZ_HEADER_BYTES;
      for (data[0] = 0; !(ops >> data[0] & 1u);) data[0]++;
    }
    size = sp_fuzz_mutate(data, size, sizeof data, ops, sp_rng_next(&rng));
    ck_assert(size > 0);
    if (!sp_fuzz_decode(&c, data, size, &checker.offer)) continue;
    found = sp_fuzz_check(&checker, &c, &finding);
    sp_case_clear(&c);
  }
  sp_fuzz_checker_close(&checker);
  return found;
}
