/* SPDX-License-Identifier: Apache-2.0 */
/* The fuzz target about descriptors: the reader that is used agrees with the rules on random bytes,
 * and readers that were spoiled do not. tests: KC-1, KC-2 */
#include "tests/asserts.h"
#include <string.h>

#include "certify/case/rng.h"
#include "fuzz/descriptor.h"

Suite *suite_fuzz_descriptor(void);

/* Mostly right: few bytes are not zero. */
static size_t random_descriptor(sp_rng *rng, uint8_t data[300]) {
  size_t size = (size_t)sp_rng_below(rng, 301);
  memset(data, 0, 300);
  if (sp_rng_one_in(rng, 8)) return size;
  for (size_t n = sp_rng_below(rng, 4); n > 0 && size > 0; n--)
    data[sp_rng_below(rng, sp_rng_one_in(rng, 2) ? size : 8)] = (uint8_t)sp_rng_next(rng);
  return size;
}

static const char *first_complaint(sp_fuzz_reader reader, int tries) {
  uint8_t data[300];
  const char *wrong = NULL;
  sp_rng rng;
  sp_rng_init(&rng, 1, "descriptors", 0, 0);
  for (int i = 0; i < tries && wrong == NULL; i++) {
    size_t size = random_descriptor(&rng, data);
    wrong = sp_fuzz_descriptor(reader, data, size);
  }
  return wrong;
}

START_TEST(the_reader_agrees) {
  const char *wrong = first_complaint(sp_worker_describe, 20000);
  ck_assert_msg(wrong == NULL, "%s", wrong);
}
END_TEST

/* ---- spoiled readers ---- */

static bool believes_names(const sp_kernel *theirs, sp_kernel *kernel, sp_descriptor *d,
                           sp_load_report *load, uint32_t index) {
  if (theirs->size != sizeof *theirs || theirs->name != NULL)
    return sp_worker_describe(theirs, kernel, d, load, index);
  sp_kernel renamed = *theirs;
  renamed.name = "name";
  return sp_worker_describe(&renamed, kernel, d, load, index);
}

static bool believes_sizes(const sp_kernel *theirs, sp_kernel *kernel, sp_descriptor *d,
                           sp_load_report *load, uint32_t index) {
  static const sp_kernel whole = {.size = sizeof whole,
                                  .abi_major = SP_ABI_MAJOR,
                                  .name = "name",
                                  .softmax = (sp_status(*)(const sp_softmax_call *))1};
  bool absurd = theirs->size == 0;
  return sp_worker_describe(absurd ? &whole : theirs, kernel, d, load, index);
}

static bool completes_caches(const sp_kernel *theirs, sp_kernel *kernel, sp_descriptor *d,
                             sp_load_report *load, uint32_t index) {
  if (theirs->size != sizeof *theirs || theirs->cache == NULL ||
      theirs->cache->size != sizeof(sp_cache_ops))
    return sp_worker_describe(theirs, kernel, d, load, index);
  sp_kernel complete = *theirs;
  sp_cache_ops ops = *theirs->cache;
  if (ops.attend == NULL) ops.attend = ops.append;
  complete.cache = &ops;
  bool ok = sp_worker_describe(&complete, kernel, d, load, index);
  kernel->cache = theirs->cache;
  return ok;
}

static bool says_nothing(const sp_kernel *theirs, sp_kernel *kernel, sp_descriptor *d,
                         sp_load_report *load, uint32_t index) {
  bool ok = sp_worker_describe(theirs, kernel, d, load, index);
  load->error[0] = '\0';
  return ok;
}

static bool adds_options(const sp_kernel *theirs, sp_kernel *kernel, sp_descriptor *d,
                         sp_load_report *load, uint32_t index) {
  bool ok = sp_worker_describe(theirs, kernel, d, load, index);
  d->options |= SP_OPT_SOFTCAP;
  return ok;
}

static bool reads_on(const sp_kernel *theirs, sp_kernel *kernel, sp_descriptor *d,
                     sp_load_report *load, uint32_t index) {
  bool ok = sp_worker_describe(theirs, kernel, d, load, index);
  if (ok && theirs->size < sizeof *theirs) kernel->reserved = 1;
  if (ok && theirs->size < sizeof *theirs) kernel->path = (const char *(*)(void))1;
  return ok;
}

static const struct {
  sp_fuzz_reader reader;
  const char *complaint;
} spoiled[] = {{believes_names, "none was accepted"},   {believes_sizes, "none was accepted"},
               {completes_caches, "none was accepted"}, {says_nothing, "without a reason"},
               {adds_options, "an option is told"},     {reads_on, "field"}};

START_TEST(spoiled_readers_do_not) {
  const char *wrong = first_complaint(spoiled[_i].reader, 20000);
  ck_assert_msg(wrong != NULL && strstr(wrong, spoiled[_i].complaint) != NULL, "reader %d: %s", _i,
                wrong != NULL ? wrong : "no complaint");
}
END_TEST

Suite *suite_fuzz_descriptor(void) {
  Suite *suite = suite_create("fuzz_descriptor");
  TCase *tcase = tcase_create("KC-1");
  tcase_set_timeout(tcase, 120);
  tcase_add_test(tcase, the_reader_agrees);
  tcase_add_loop_test(tcase, spoiled_readers_do_not, 0, sizeof spoiled / sizeof *spoiled);
  suite_add_tcase(suite, tcase);
  return suite;
}
