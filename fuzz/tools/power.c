/* SPDX-License-Identifier: Apache-2.0 */
/* How strong is the fuzz room? Every fault of the museum is put to the inputs of a corpus, and then
 * to mutations of them, until it is found or the time is up. An input that the fault's own options
 * and operations have nothing to do with is not put to it.
 *
 * usage: tool_power [-t SECONDS] [-s SEED] [-k DIRECTORY] CORPUS...
 *   -t  how long to fuzz for what the corpus does not find (default 0)
 *   -k  keep a copy of each input that is the first to find a fault
 *
 * The loop here is the mutator without coverage feedback: a lower bound on what a campaign finds,
 * and the same on every machine but for the clock. All faults share the time. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "certify/host/host.h"
#include "certify/judge/judge.h"
#include "certify/museum/museum.h"
#include "fuzz/mutate.h"
#include "fuzz/target.h"

enum { MAX_INPUTS = 8192, MAX_BYTES = 8192, MAX_FAULTS = 512, MAX_PRECISION = 1024 };

const uint32_t sp_fuzz_target_ops = (1u << SP_N_OPS) - 1;

typedef struct input {
  uint8_t *data;
  size_t size;
} input;

typedef struct power {
  sp_host *museum;
  sp_class cls;
  sp_fuzz_offer offer;
  const sp_fault *fault;
  size_t n_faults, n_found, n_run;
  bool found[MAX_FAULTS];
  double at[MAX_FAULTS]; /* seconds */
  input corpus[MAX_INPUTS];
  size_t n_inputs;
  struct timespec start;
  const char *keep;
} power;

static double seconds(const power *p) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)(now.tv_sec - p->start.tv_sec) + 1e-9 * (double)(now.tv_nsec - p->start.tv_nsec);
}

static void load_file(power *p, const char *path) {
  FILE *file = fopen(path, "rb");
  if (file == NULL || p->n_inputs == MAX_INPUTS) return;
  uint8_t *data = malloc(MAX_BYTES);
  if (data != NULL) p->corpus[p->n_inputs++] = (input){data, fread(data, 1, MAX_BYTES, file)};
  fclose(file);
}

static int visible(const struct dirent *entry) {
  return entry->d_name[0] != '.';
}

static void load_path(power *p, const char *path) {
  struct dirent **entries;
  int n = scandir(path, &entries, visible, alphasort);
  if (n < 0) {
    load_file(p, path);
    return;
  }
  for (int i = 0; i < n; i++) {
    char inner[4096];
    snprintf(inner, sizeof inner, "%s/%s", path, entries[i]->d_name);
    free(entries[i]);
    load_path(p, inner);
  }
  free(entries);
}

static bool shows(const power *p, size_t i, const sp_case *c, const sp_truth *truth) {
  sp_outputs outputs;
  sp_incident incident = {0};
  sp_judgement judgement;
  char path[32];
  if (!sp_outputs_init(&outputs, c)) return false;
  bool shown = sp_host_run(p->museum, i, c, true, &outputs, &incident, path) &&
               incident.kind != SP_INCIDENT_UNSUPPORTED;
  if (shown && incident.kind == SP_INCIDENT_NONE) {
    sp_judge(truth, &outputs, &judgement);
    shown = judgement.verdict == SP_FAIL;
  }
  sp_outputs_clear(&outputs);
  return shown;
}

static void keep(const power *p, size_t i, const uint8_t *data, size_t size) {
  char path[4096];
  if (p->keep == NULL) return;
  snprintf(path, sizeof path, "%s/%s", p->keep, p->fault[i].name);
  FILE *file = fopen(path, "wb");
  if (file == NULL || fwrite(data, 1, size, file) != size) perror(path);
  if (file != NULL) fclose(file);
}

static void put(power *p, const uint8_t *data, size_t size) {
  sp_case c;
  sp_truth truth;
  char why[240];
  if (!sp_fuzz_decode(&c, data, size, &p->offer)) return;
  p->n_run++;
  uint64_t options = sp_case_options(&c);
  bool judged = sp_truth_init(&truth, &c, &p->cls, MAX_PRECISION, why, sizeof why);
  for (size_t i = 0; judged && i < p->n_faults; i++) {
    const sp_fault *fault = &p->fault[i];
    if (p->found[i] || !(fault->ops >> c.op & 1u) || (fault->needs & ~options)) continue;
    if (!shows(p, i, &c, &truth)) continue;
    p->found[i] = true;
    p->at[i] = seconds(p);
    p->n_found++;
    keep(p, i, data, size);
  }
  if (judged) sp_truth_clear(&truth);
  sp_case_clear(&c);
}

static void fuzz(power *p, double limit, uint64_t seed) {
  sp_rng rng;
  sp_rng_init(&rng, seed, "fuzz-power", 0, 0);
  while (p->n_found < p->n_faults && seconds(p) < limit && p->n_inputs > 0) {
    static uint8_t data[MAX_BYTES];
    const input *from = &p->corpus[sp_rng_below(&rng, p->n_inputs)];
    memcpy(data, from->data, from->size);
    size_t size = from->size;
    do {
      size_t n = sp_fuzz_mutate(data, size, sizeof data, sp_fuzz_target_ops, sp_rng_next(&rng));
      if (n > 0) size = n;
    } while (!sp_rng_one_in(&rng, 3));
    put(p, data, size);
  }
}

static int compare(const void *a, const void *b) {
  double x, y;
  memcpy(&x, a, sizeof x);
  memcpy(&y, b, sizeof y);
  return (x > y) - (x < y);
}

static void tell(power *p, size_t by_corpus, size_t n_corpus_run) {
  double at[MAX_FAULTS];
  size_t n = 0;
  for (size_t i = 0; i < p->n_faults; i++)
    if (p->found[i]) at[n++] = p->at[i];
  qsort(at, n, sizeof *at, compare);
  printf("faults %zu\ncorpus_inputs %zu\nfound_by_corpus %zu\n", p->n_faults, n_corpus_run,
         by_corpus);
  printf("found %zu\nfuzzed_inputs %zu\nmedian_seconds %.2f\nlast_seconds %.2f\n", p->n_found,
         p->n_run - n_corpus_run, n > 0 ? at[n / 2] : 0, n > 0 ? at[n - 1] : 0);
  for (size_t i = 0; i < p->n_faults; i++)
    if (!p->found[i]) printf("missed %s: %s\n", p->fault[i].name, p->fault[i].reveals);
}

int main(int argc, char **argv) {
  static power p;
  char why[240] = "";
  double limit = 0;
  uint64_t seed = 1;
  for (int opt; (opt = getopt(argc, argv, "t:s:k:")) != -1;) {
    if (opt == 't') limit = strtod(optarg, NULL);
    if (opt == 's') seed = strtoull(optarg, NULL, 0);
    if (opt == 'k') p.keep = optarg;
    if (opt == '?') return 2;
  }
  const sp_kernel *base = sp_museum_base_kernel();
  const sp_host_config config = {.entry = sp_museum_kernel, .timeout_ms = 2000};
  p.fault = sp_faults(&p.n_faults);
  p.museum = sp_host_open(&config, why, sizeof why);
  if (p.museum == NULL || p.n_faults > MAX_FAULTS ||
      !sp_class_parse(base->accuracy_class, &p.cls, why, sizeof why)) {
    fprintf(stderr, "tool_power: %s\n", why);
    return 1;
  }
  p.offer = sp_fuzz_offer_of(&base, 1, sp_fuzz_target_ops);
  clock_gettime(CLOCK_MONOTONIC, &p.start);
  for (int i = optind; i < argc; i++) load_path(&p, argv[i]);
  for (size_t i = 0; i < p.n_inputs; i++) put(&p, p.corpus[i].data, p.corpus[i].size);
  size_t by_corpus = p.n_found, n_corpus_run = p.n_run;
  fuzz(&p, seconds(&p) + limit, seed);
  tell(&p, by_corpus, n_corpus_run);
  for (size_t i = 0; i < p.n_inputs; i++) free(p.corpus[i].data);
  sp_host_close(p.museum);
  return p.n_found < p.n_faults;
}
