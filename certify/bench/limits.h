/* SPDX-License-Identifier: Apache-2.0 */
/* What the machine can do at most, measured and not looked up: each result of the benchmark is
 * given as a fraction of the nearest of these roofs. */
#ifndef SINKPROOF_BENCH_LIMITS_H
#define SINKPROOF_BENCH_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum sp_limit {
  SP_LIMIT_FMA,       /* flop/s, f32 fused multiply-add: 2 a lane */
  SP_LIMIT_DOT_BF16,  /* flop/s, bf16 dot product into f32; 0 where there is none */
  SP_LIMIT_VECTOR,    /* f32 lane operations/s, multiply-add and maximum mixed */
  SP_LIMIT_READ_L1,   /* bytes/s */
  SP_LIMIT_READ_L2,   /* … */
  SP_LIMIT_READ_L3,   /* … */
  SP_LIMIT_READ_DRAM, /* … */
  SP_LIMIT_COPY_L2,   /* bytes/s, read and written counted */
  SP_LIMIT_COPY_L3,   /* … */
  SP_LIMIT_COPY_NT,   /* … from and to memory, with non-temporal stores */
  SP_N_LIMITS
} sp_limit;

typedef struct sp_limits {
  uint32_t n_threads;
  const char *isa; /* of the code that measured: "avx512", "avx2", "baseline" */
  double value[SP_N_LIMITS];
} sp_limits;

extern const char *const sp_limit_names[SP_N_LIMITS];
bool sp_limit_is_bandwidth(sp_limit limit);

/* Measure all, `seconds` each. False when memory or threads run out. */
bool sp_limits_measure(sp_limits *limits, uint32_t n_threads, double seconds);

/* Sizes of the data caches of one core, and of the last level; the usual ones where unknown. */
typedef struct sp_cache_sizes {
  size_t l1, l2, l3;
} sp_cache_sizes;
sp_cache_sizes sp_cache_sizes_get(void);

/* The roof over one result: the most time-consuming of what must be done at least. */
typedef struct sp_roof {
  double seconds; /* 0 = unknown */
  sp_limit limit;
} sp_roof;

/* One instruction set's probes. Each does a fixed amount of work per call. */
typedef struct sp_probes {
  const char *name;
  bool (*available)(void);
  double (*fma)(uint64_t n);      /* returns flop done */
  double (*dot_bf16)(uint64_t n); /* likewise; NULL where there is none */
  bool (*has_dot_bf16)(void);
  double (*vector)(uint64_t n); /* returns lane operations done */
  void (*read)(const void *from, size_t bytes);
  void (*copy)(void *to, const void *from, size_t bytes);
  void (*copy_nt)(void *to, const void *from, size_t bytes);
} sp_probes;

extern const sp_probes sp_probes_baseline;
#if defined(__x86_64__)
extern const sp_probes sp_probes_avx2, sp_probes_avx512;
#endif

#endif
