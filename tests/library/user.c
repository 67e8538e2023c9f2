/* SPDX-License-Identifier: Apache-2.0 */
/* A program that uses the installed library and counts every allocation that it makes: a plan may
 * allocate, a run may not. Prints one line per plan: what it is, and allocations while it was made
 * and while it ran. With an argument, run 3 of every plan allocates on purpose, which the counter
 * must see. tests/library.py builds and runs it. */
#include <sinkproof/fast.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* glibc's own, under the names that it keeps for programs that bring their own. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static atomic_ulong n_allocations;

void *malloc(size_t size) {
  atomic_fetch_add(&n_allocations, 1);
  return __libc_malloc(size);
}

void *calloc(size_t n, size_t size) {
  atomic_fetch_add(&n_allocations, 1);
  return __libc_calloc(n, size);
}

void *realloc(void *old, size_t size) {
  atomic_fetch_add(&n_allocations, 1);
  return __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
  atomic_fetch_add(&n_allocations, 1);
  return __libc_memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size) {
  *memory = aligned_alloc(alignment, size);
  return *memory == NULL;
}

#define ROWS 37u
#define N    1100u

static uint16_t logits[ROWS * N * 2];
static uint16_t planned[ROWS * N * 2];
static uint16_t at_once[ROWS * N * 2];
static float bias[N];

/* Small numbers of either type; as binary32 they come in pairs of halves. */
static void fill(sp_dtype dtype) {
  for (unsigned i = 0; i < ROWS * N; i++) {
    float x = (float)((int)(i * 2654435761u >> 22) - 512) / 64;
    if (dtype == SP_F32) memcpy((char *)logits + 4 * i, &x, 4);
    if (dtype == SP_BF16) memcpy(logits + i, (char *)&x + 2, 2);
    if (dtype == SP_F16) logits[i] = (uint16_t)(0x3c00u + i % 512);
  }
}

static sp_softmax_call call_of(sp_dtype dtype, uint32_t n_threads, int biased, void *weights) {
  sp_softmax_call call = {
      .size = sizeof call, .n_threads = n_threads, .n_rows = ROWS, .n = N, .scale = 1};
  call.logits = (sp_in){.data = logits, .stride = {N}, .dtype = dtype};
  call.weights = (sp_out){.data = weights, .stride = {N}, .dtype = dtype};
  if (biased) call.key_bias = (sp_in){.data = bias, .dtype = SP_F32};
  return call;
}

/* 0, or what went wrong. */
static const char *use(const sp_kernel *kernel, sp_dtype dtype, uint32_t n_threads, int biased,
                       int faulty) {
  sp_softmax_call call = call_of(dtype, n_threads, biased, planned);
  sp_softmax_call alone = call_of(dtype, 1, biased, at_once);
  sp_prepared *plan = NULL;
  fill(dtype);
  unsigned long before = atomic_load(&n_allocations);
  if (kernel->prepare->softmax(&plan, &call) != SP_OK) return "no plan";
  unsigned long made = atomic_load(&n_allocations);
  for (int i = 0; i < 100; i++) {
    if (kernel->prepare->run(plan) != SP_OK) return "no run";
    if (faulty && i == 3) free(malloc(1));
  }
  unsigned long ran = atomic_load(&n_allocations);
  kernel->prepare->release(plan);
  if (kernel->softmax(&alone) != SP_OK) return "no result";
  if (memcmp(planned, at_once, sizeof planned) != 0) return "other bits";
  printf("%s dtype %u threads %u bias %d: plan %lu, run %lu\n", kernel->name, dtype, n_threads,
         biased, made - before, ran - made);
  return NULL;
}

int main(int argc, char **argv) {
  const sp_dtype dtypes[] = {SP_F32, SP_F16, SP_BF16};
  (void)argv;
  const sp_kernel *kernel;
  for (uint32_t v = 0; (kernel = sp_fast_kernel(SP_ABI_MAJOR, v)) != NULL; v++)
    for (unsigned i = 0; i < 12 && kernel->softmax != NULL; i++) {
      const char *wrong = use(kernel, dtypes[i % 3], 1 + i / 3 % 2, i / 6 != 0, argc > 1);
      if (wrong == NULL) continue;
      printf("%s case %u: %s\n", kernel->name, i, wrong);
      return 1;
    }
  return 0;
}
