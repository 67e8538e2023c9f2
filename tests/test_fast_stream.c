/* SPDX-License-Identifier: Apache-2.0 */
/* The cache of each variant under the judge, on random streams that use everything it offers: both
 * kinds of positions and of pairs, part of a row turned, eviction in batches, truncation, several
 * sequences, every type. Then the same streams on caches that were opened wrongly on purpose. */
#include "certify/host/host.h"
#include "certify/judge/judge.h"
#include "tests/honest/naive.h"
#include "tests/test_fast_variants.h"

Suite *suite_fast_stream(void);

enum { N_STREAMS = 400 };

typedef enum fault {
  NONE,
  OTHER_PAIRS,
  NUMBERS_FOR_RANKS,
  RANKS_FOR_NUMBERS,
  ONE_AT_A_TIME,
  ANOTHER_BASE,
  NEVER_LOST,
  ONE_SEQUENCE,
  N_FAULTS
} fault;

/* What the child process offers; set before it starts. */
static size_t variant;
static fault planted;

static sp_status open_wrongly(sp_cache **cache, const sp_cache_config *config) {
  sp_cache_config other = *config;
  bool turned = config->rope_dims > 0;
  if (planted == OTHER_PAIRS) other.rope_pairing ^= 1;
  if (planted == NUMBERS_FOR_RANKS && turned) other.position = SP_POSITION_ABS;
  if (planted == RANKS_FOR_NUMBERS && turned) other.position = SP_POSITION_CACHE;
  if (planted == ONE_AT_A_TIME) other.n_evict = 1;
  if (planted == ANOTHER_BASE && turned) other.rope_base *= 1.0 + 0x1p-12;
  if (planted == NEVER_LOST) other.n_undo += 100;
  return sp_fast_variant(variant)->kernel->cache->open(cache, &other);
}

static sp_status append_to_first(sp_cache *cache, const sp_cache_call *call) {
  sp_cache_call other = *call;
  if (planted == ONE_SEQUENCE) other.sequence = 0;
  return sp_fast_cache_append(cache, &other);
}

static const sp_kernel *entry(uint32_t abi_major, uint32_t index) {
  static sp_cache_ops ops;
  static sp_kernel kernel;
  if (abi_major != SP_ABI_MAJOR || index > 0) return NULL;
  kernel = *sp_fast_variant(variant)->kernel;
  ops = *kernel.cache;
  ops.open = open_wrongly;
  ops.append = append_to_first;
  kernel.cache = &ops;
  return &kernel;
}

/* Judge stream `seed`; PASS where there is none. */
static sp_verdict verdict_on(sp_host *host, uint64_t seed, size_t *n_judged) {
  const sp_kernel *kernel = sp_host_kernel(host, 0);
  sp_case c;
  sp_class cls;
  sp_truth truth;
  sp_outputs outputs;
  sp_incident incident;
  sp_judgement judgement;
  char path[32];
  char error[200];
  if (!sp_random_case(&c, SP_OP_CACHE, kernel->options, kernel->dtypes_q, 0, seed)) return SP_PASS;
  ck_assert(sp_class_parse(kernel->accuracy_class, &cls, error, sizeof error));
  ck_assert(sp_outputs_init(&outputs, &c));
  ck_assert(sp_host_run(host, 0, &c, true, &outputs, &incident, path));
  ck_assert_msg(sp_truth_init(&truth, &c, &cls, 1024, error, sizeof error), "%s", error);
  sp_judge(&truth, &outputs, &judgement);
  (*n_judged)++;
  sp_truth_clear(&truth);
  sp_outputs_clear(&outputs);
  sp_case_clear(&c);
  return incident.kind == SP_INCIDENT_NONE ? judgement.verdict : SP_FAIL;
}

static sp_host *open_host(int index, fault which) {
  char error[200];
  variant = (size_t)index;
  planted = which;
  sp_host *host = sp_host_open(&(sp_host_config){.entry = entry}, error, sizeof error);
  ck_assert_msg(host != NULL, "%s", error);
  return host;
}

/* tests: EV-4, EV-9, EV-10, EV-11, EV-13, EV-14, EV-15, EV-16 */
START_TEST(streams_conform) {
  sp_host *host = open_host(_i, NONE);
  size_t n_judged = 0;
  for (uint64_t seed = 0; seed < N_STREAMS; seed++)
    ck_assert_msg(verdict_on(host, seed, &n_judged) != SP_FAIL, "stream %llu fails",
                  (unsigned long long)seed);
  ck_assert_uint_gt(n_judged, N_STREAMS / 2);
  sp_host_close(host);
}
END_TEST

START_TEST(planted_faults_fail) {
  for (fault which = NONE + 1; which < N_FAULTS; which++) {
    sp_host *host = open_host(_i, which);
    size_t n_judged = 0;
    uint64_t seed = 0;
    while (seed < N_STREAMS && verdict_on(host, seed, &n_judged) != SP_FAIL) seed++;
    ck_assert_msg(seed < N_STREAMS, "fault %d survives %zu streams", (int)which, n_judged);
    sp_host_close(host);
  }
}
END_TEST

Suite *suite_fast_stream(void) {
  Suite *suite = suite_create("fast/stream");
  ADD_CASE(suite, "EV-13", streams_conform, planted_faults_fail);
  report_missing_variants("streams");
  return suite;
}
