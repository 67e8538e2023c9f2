/* SPDX-License-Identifier: Apache-2.0 */
/* The benchmark: kernels side by side in one interleaved run over the same buffers, and beside each
 * time what the judge says of the very outputs that were timed. A time without its error is not a
 * result; so a kernel that is wrong on a shape is marked there, and never left out. (CT-3)
 *
 * How a number comes about. The host process lays out a shape's inputs once. For each number of
 * threads it forks a timer, which loads every contender with local symbol scope and, in several
 * rounds, gives each its turn: poison the output, plan, run once unmeasured, then run repeatedly.
 * A timer that crashes or hangs takes only the contender at work with it. Afterwards the host
 * judges sampled rows of the last outputs with the oracle. */
#ifndef SINKPROOF_BENCH_H
#define SINKPROOF_BENCH_H

#include <stdio.h>

#include "certify/bench/limits.h"
#include "certify/case/case.h"
#include "certify/host/host.h"
#include "certify/judge/judge.h"

typedef enum sp_suite { SP_SUITE_QUICK, SP_SUITE_STANDARD, SP_SUITE_FULL } sp_suite;

/* One computation. Softmax: n_q rows of n_kv logits, and dtype_kv is that of the weights. */
typedef struct sp_bench_shape {
  char name[64];
  sp_op op; /* softmax or attention */
  sp_suite suite;
  size_t n_batch, n_q, n_kv, n_heads, n_kv_heads, d_head, d_value;
  sp_dtype dtype_q, dtype_kv;
  bool sink_logit, token_major; /* K and V [b][j][h][c] instead of [b][h][j][c] */
  uint64_t window, n_sink_tokens;
} sp_bench_shape;

/* certify/bench/shapes.c: shape number `index`, or false past the last one. */
bool sp_bench_shape_get(size_t index, sp_bench_shape *shape);
bool sp_bench_shape_matches(const sp_bench_shape *shape, const char *pattern);

/* What one run of a shape must at least do (certify/bench/work.c): keys that no query sees are not
 * counted, and each byte is counted once. */
typedef struct sp_bench_work {
  double elements;   /* softmax: logits; attention: visible (query, head, key) triples */
  double flops;      /* attention */
  double operations; /* softmax: lane operations */
  double bytes;
} sp_bench_work;
void sp_bench_work_of(const sp_bench_shape *shape, sp_bench_work *work);
size_t sp_bench_visible(const sp_bench_shape *shape, size_t i); /* keys that query i sees */
sp_roof sp_bench_roof(const sp_bench_shape *shape, const sp_limits *limits, const sp_class *cls);

enum {
  SP_BENCH_CONTENDERS = 48,
  SP_BENCH_THREADS = 4,
  SP_BENCH_ROUNDS = 4,
  SP_BENCH_SAMPLES = 512,     /* times kept, per contender */
  SP_BENCH_ROWS = 8,          /* rows judged, per shape */
  SP_BENCH_ROW_BYTES = 131072 /* 32768 weights in f32 */
};

typedef struct sp_contender {
  const char *path;      /* library, or NULL and … */
  sp_kernel_entry entry; /* … kernels linked into this program */
  size_t index;          /* in the library */
  char label[64];        /* the kernel's name */
  char version[64];
  sp_kernel kernel; /* what it offers; its strings are not ours */
  sp_class cls;
  bool has_class;
  char certificate[64]; /* verdict of the certification in this run; "" = not certified */
  bool certified;
  bool own; /* sinkproof's */
} sp_contender;

typedef enum sp_cell_state {
  SP_CELL_WAITING,
  SP_CELL_TIMED,
  SP_CELL_NOT_OFFERED, /* declined, as it may */
  SP_CELL_ERROR,       /* another status than SP_OK */
  SP_CELL_CRASHED,
  SP_CELL_TOO_SLOW /* one call took longer than the limit, or hung */
} sp_cell_state;

/* One contender on one shape with one number of threads, as the timer leaves it. Shared memory. */
typedef struct sp_cell {
  sp_cell_state state;
  int32_t status; /* with SP_CELL_ERROR */
  bool planned;   /* through sp_prepare_ops */
  uint32_t n_samples;
  double sample[SP_BENCH_SAMPLES]; /* seconds a run */
  char path[32];
  unsigned char row[SP_BENCH_ROWS][SP_BENCH_ROW_BYTES]; /* sampled output rows */
} sp_cell;

/* A cell as it is reported. */
typedef struct sp_bench_result {
  size_t shape, contender;
  uint32_t n_threads;
  sp_cell_state state;
  int32_t status;
  bool planned;
  size_t n_samples;
  double least, median, spread; /* seconds; (90th - 10th percentile) / median */
  sp_verdict verdict;
  bool judged;  /* false: no class, or the class has no bound here; see `why` */
  double error; /* softmax: largest relative error; attention: RMS error over RMS value */
  double budget;
  size_t n_rows; /* judged */
  char why[160]; /* what the judge says of the worst element, or why there is no verdict */
  char path[32];
  sp_roof roof;
} sp_bench_result;

typedef struct sp_bench_config {
  sp_suite suite;
  const char *only;                   /* pattern of shape names; NULL = all of the suite */
  uint32_t threads[SP_BENCH_THREADS]; /* 0 ends the list */
  double seconds;                     /* of timing, per contender, shape and number of threads */
  double limit_seconds;               /* of one call */
  double limit_time;                  /* seconds to measure each limit of the machine; 0 = do not */
  bool realtime;
  uint64_t seed;
} sp_bench_config;

typedef struct sp_bench {
  sp_bench_config config;
  size_t n_contenders, n_shapes, n_results;
  sp_contender contender[SP_BENCH_CONTENDERS];
  sp_bench_shape *shape;
  sp_bench_result *result;
  sp_limits limits[SP_BENCH_THREADS];    /* for each entry of config.threads */
  char cpu[128], made[24], command[512]; /* what processor, when (UTC), how */
  uint32_t n_cores;
  void (*started)(const struct sp_bench *bench); /* limits are known */
  /* Called after each shape and number of threads, with the results from `first` on. */
  void (*progress)(const struct sp_bench *bench, size_t first);
} sp_bench;

/* certify/bench/run.c: take the shapes that the configuration names; false when memory runs out. */
bool sp_bench_choose(sp_bench *bench);

/* certify/bench/run.c. False when memory or processes run out, with a sentence. */
bool sp_bench_run(sp_bench *bench, char *error, size_t capacity);
void sp_bench_clear(sp_bench *bench);

/* ---- parts ---- */

/* certify/bench/tensors.c: the memory of a shape. Inputs are private pages with huge pages asked
 * for; the output may begin at any multiple of 64 bytes in the first 4 KiB of its region. */
typedef struct sp_bench_memory {
  const sp_bench_shape *shape;
  unsigned char *base;
  size_t bytes;
  void *q, *k, *v, *logits, *sink_logit, *out;
  size_t out_bytes;
} sp_bench_memory;
bool sp_bench_memory_init(sp_bench_memory *m, const sp_bench_shape *shape, uint64_t seed);
void sp_bench_memory_clear(sp_bench_memory *m);

typedef union sp_bench_call {
  sp_softmax_call softmax;
  sp_attention_call attention;
} sp_bench_call;
float sp_bench_scale(const sp_bench_shape *shape);
void sp_bench_call_fill(const sp_bench_memory *m, uint32_t n_threads, size_t out_offset,
                        sp_bench_call *call);

/* A row that is judged: for softmax, i counts rows. */
typedef struct sp_bench_row {
  size_t b, i, h;
} sp_bench_row;
size_t sp_bench_rows(const sp_bench_shape *shape, sp_bench_row rows[SP_BENCH_ROWS]);
size_t sp_bench_row_bytes(const sp_bench_shape *shape);
const void *sp_bench_out_row(const sp_bench_memory *m, size_t out_offset, const sp_bench_row *row);

/* The row as a case of its own. The caller clears it. */
bool sp_bench_row_case(const sp_bench_memory *m, const sp_bench_row *row, sp_case *c);

/* certify/bench/timer.c: the timer's life; does not return. cells[i] belongs to contender i; a cell
 * that is not SP_CELL_WAITING is left alone. *at is who is at work, *finished that all are done: an
 * exit status proves nothing, since a contender can exit too. */
typedef struct sp_timer {
  const sp_bench *bench;
  const sp_bench_memory *memory;
  uint32_t n_threads;
  sp_cell *cells;
  volatile size_t *at;
  volatile bool *finished;
} sp_timer;
_Noreturn void sp_bench_timer(const sp_timer *timer);

/* certify/bench/verdict.c: judge what the cells of a shape hold. */
bool sp_bench_judge(const sp_bench *bench, const sp_bench_memory *m, sp_bench_result *results,
                    const sp_cell *const *cells, size_t n);

/* certify/bench/cpu.c: the processor's name, family and model. */
void sp_bench_cpu(char *text, size_t capacity);

/* ---- reports ---- */
void sp_bench_table(FILE *file, const sp_bench *bench, size_t first);
bool sp_bench_json(FILE *file, const sp_bench *bench);
bool sp_bench_html(FILE *file, const sp_bench *bench);
const char *sp_cell_state_name(sp_cell_state state);

#endif
