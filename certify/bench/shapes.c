/* SPDX-License-Identifier: Apache-2.0 */
/* The shapes of the suites. Each is a computation that people run: softmax over rows of logits that
 * lie in a cache or stream from memory, decode and prefill of two published models (gpt-oss: 64
 * heads on 8, d 64, with sink logits; Llama-3-8B: 32 heads on 8, d 128), windows with pinned
 * tokens, batches, and both layouts of the cache. */
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "certify/bench/bench.h"

typedef struct builder {
  size_t wanted, count;
  sp_bench_shape *found;
} builder;

static const sp_dtype dtypes[] = {SP_F32, SP_F16, SP_BF16};

/* Keep the shape if it is the one that was asked for; true: stop. */
static bool add(builder *b, const sp_bench_shape *shape) {
  if (b->count++ != b->wanted) return false;
  *b->found = *shape;
  return true;
}

static sp_suite softmax_suite(sp_dtype dtype, size_t n, bool streaming, bool sink) {
  if (dtype != SP_F32) return sink || (streaming && n != 1024) ? SP_SUITE_FULL : SP_SUITE_STANDARD;
  if (n == 1024) return streaming && sink ? SP_SUITE_STANDARD : SP_SUITE_QUICK;
  return streaming || sink || n == 4096 ? SP_SUITE_STANDARD : SP_SUITE_QUICK;
}

/* In a cache: 65536 logits. Streaming: 64 MiB of them. */
static bool softmax_shapes(builder *b) {
  static const size_t lengths[] = {128, 1024, 4096, 32768};
  for (size_t d = 0; d < 3; d++)
    for (int sink = 0; sink < 2; sink++)
      for (int streaming = 0; streaming < 2; streaming++)
        for (size_t l = 0; l < 4; l++) {
          size_t n = lengths[l], size = sp_ref_format_bytes(dtypes[d]);
          sp_bench_shape s = {.op = SP_OP_SOFTMAX,
                              .suite = softmax_suite(dtypes[d], n, streaming, sink),
                              .n_batch = 1,
                              .n_q = (streaming ? (64U << 20) / size : 65536) / n,
                              .n_kv = n,
                              .n_heads = 1,
                              .n_kv_heads = 1,
                              .dtype_q = dtypes[d],
                              .dtype_kv = dtypes[d],
                              .sink_logit = sink,
                              .window = SP_WINDOW_ALL};
          snprintf(s.name, sizeof s.name, "softmax-%s-n%zu-%s%s", sp_ref_format_name(dtypes[d]), n,
                   streaming ? "stream" : "cache", sink ? "-sink" : "");
          if (add(b, &s)) return true;
        }
  return false;
}

static const struct {
  const char *name;
  size_t n_heads, n_kv_heads, d;
} models[] = {{"gptoss", 64, 8, 64}, {"llama3", 32, 8, 128}};

static sp_bench_shape attention_shape(size_t model, size_t n_q, size_t n_kv, sp_dtype dtype_q,
                                      sp_dtype dtype_kv) {
  return (sp_bench_shape){.op = SP_OP_ATTENTION,
                          .n_batch = 1,
                          .n_q = n_q,
                          .n_kv = n_kv,
                          .n_heads = models[model].n_heads,
                          .n_kv_heads = models[model].n_kv_heads,
                          .d_head = models[model].d,
                          .d_value = models[model].d,
                          .dtype_q = dtype_q,
                          .dtype_kv = dtype_kv,
                          .sink_logit = true,
                          .window = SP_WINDOW_ALL};
}

/* "decode-gptoss-1024-f16", then what is unusual: the type of q, the layout. */
static void name_it(sp_bench_shape *s, const char *kind, size_t model, const char *what) {
  const char *q = "";
  if (s->dtype_q != SP_F32) q = s->dtype_q == SP_F16 ? "-qf16" : "-qbf16";
  snprintf(s->name, sizeof s->name, "%s-%s-%s-%s%s%s", kind, models[model].name, what,
           sp_ref_format_name(s->dtype_kv), q, s->token_major ? "-tokens" : "");
}

/* One query against a cache. w128s4: what a streaming cache of a window of 128 and 4 pinned tokens
 * holds, all of it visible; in8192: the same keys are visible in a cache that kept all of them; and
 * without pinned tokens, for those who have no such option. Each with q in f32, and with q in the
 * type of K and V. */
static bool decode_shapes(builder *b) {
  static const struct {
    const char *what;
    size_t n_kv;
    uint64_t window, n_sink_tokens;
    sp_suite suite;
  } caches[] = {{"1024", 1024, SP_WINDOW_ALL, 0, SP_SUITE_QUICK},
                {"w128s4", 132, SP_WINDOW_ALL, 0, SP_SUITE_STANDARD},
                {"w128s4in8192", 8192, 128, 4, SP_SUITE_STANDARD},
                {"w128in8192", 8192, 128, 0, SP_SUITE_STANDARD},
                {"8192", 8192, SP_WINDOW_ALL, 0, SP_SUITE_STANDARD},
                {"65536", 65536, SP_WINDOW_ALL, 0, SP_SUITE_STANDARD}};
  for (size_t model = 0; model < 2; model++)
    for (size_t l = 0; l < sizeof caches / sizeof *caches; l++)
      for (size_t d = 0; d < 3; d++)
        for (int narrow = 0; narrow < (dtypes[d] == SP_F32 ? 1 : 2); narrow++) {
          sp_bench_shape s =
              attention_shape(model, 1, caches[l].n_kv, narrow ? dtypes[d] : SP_F32, dtypes[d]);
          s.suite = caches[l].suite;
          if (s.suite == SP_SUITE_QUICK && (model || narrow)) s.suite = SP_SUITE_STANDARD;
          if (narrow && caches[l].n_kv != 1024) s.suite = SP_SUITE_FULL;
          s.window = caches[l].window;
          s.n_sink_tokens = caches[l].n_sink_tokens;
          name_it(&s, "decode", model, caches[l].what);
          if (add(b, &s)) return true;
        }
  return false;
}

/* Causal prefill: with gpt-oss's window of 128, and full. The chunk is how engines feed a window
 * layer, 512 queries against a ring of window and chunk. */
static bool prefill_shapes(builder *b) {
  static const struct {
    const char *what;
    size_t n_q, n_kv;
    uint64_t window;
  } cases[] = {{"n1024w128", 1024, 1024, 128},
               {"n1024full", 1024, 1024, SP_WINDOW_ALL},
               {"chunk512w128", 512, 640, 128},
               {"n4096w128", 4096, 4096, 128},
               {"n4096full", 4096, 4096, SP_WINDOW_ALL}};
  for (size_t l = 0; l < sizeof cases / sizeof *cases; l++)
    for (size_t d = 0; d < 3; d++)
      for (int narrow = 0; narrow < (dtypes[d] == SP_F32 ? 1 : 2); narrow++) {
        sp_bench_shape s =
            attention_shape(0, cases[l].n_q, cases[l].n_kv, narrow ? dtypes[d] : SP_F32, dtypes[d]);
        s.window = cases[l].window;
        s.suite = narrow || (s.n_kv == 4096 && d > 0) ? SP_SUITE_FULL : SP_SUITE_STANDARD;
        if (l == 0 && d == 0) s.suite = SP_SUITE_QUICK;
        name_it(&s, "prefill", 0, cases[l].what);
        if (add(b, &s)) return true;
      }
  return false;
}

/* Several sequences at once, and caches laid out token by token. */
static bool other_shapes(builder *b) {
  for (size_t d = 0; d < 3; d++) {
    sp_bench_shape s = attention_shape(0, 1, 1024, SP_F32, dtypes[d]);
    s.suite = SP_SUITE_STANDARD;
    s.token_major = true;
    name_it(&s, "decode", 0, "1024");
    if (add(b, &s)) return true;
    s.token_major = false;
    s.n_batch = 4;
    name_it(&s, "decode", 0, "1024x4");
    if (add(b, &s)) return true;
    s = attention_shape(0, 1024, 1024, SP_F32, dtypes[d]);
    s.suite = SP_SUITE_FULL;
    s.token_major = true;
    s.window = 128;
    name_it(&s, "prefill", 0, "n1024w128");
    if (add(b, &s)) return true;
  }
  return false;
}

/* Small ones, in no suite: what --only tiny asks for. Tests run these. */
static bool tiny_shapes(builder *b) {
  sp_bench_shape s = {.name = "tiny-softmax-f32-n96-sink",
                      .op = SP_OP_SOFTMAX,
                      .suite = SP_SUITE_FULL + 1,
                      .n_batch = 1,
                      .n_q = 8,
                      .n_kv = 96,
                      .n_heads = 1,
                      .n_kv_heads = 1,
                      .dtype_q = SP_F32,
                      .dtype_kv = SP_F32,
                      .sink_logit = true,
                      .window = SP_WINDOW_ALL};
  if (add(b, &s)) return true;
  s = attention_shape(0, 5, 40, SP_F32, SP_F32);
  s.suite = SP_SUITE_FULL + 1;
  s.n_batch = 2;
  s.n_heads = 4;
  s.n_kv_heads = 2;
  s.d_head = s.d_value = 16;
  s.window = 16;
  s.n_sink_tokens = 2;
  snprintf(s.name, sizeof s.name, "tiny-prefill-f32-heads");
  if (add(b, &s)) return true;
  s.token_major = true;
  snprintf(s.name, sizeof s.name, "tiny-prefill-f32-tokens");
  return add(b, &s);
}

bool sp_bench_shape_get(size_t index, sp_bench_shape *shape) {
  builder b = {.wanted = index, .found = shape};
  return softmax_shapes(&b) || decode_shapes(&b) || prefill_shapes(&b) || other_shapes(&b) ||
         tiny_shapes(&b);
}

bool sp_bench_shape_matches(const sp_bench_shape *shape, const char *pattern) {
  if (strpbrk(pattern, "*?[") != NULL) return fnmatch(pattern, shape->name, 0) == 0;
  return strstr(shape->name, pattern) != NULL;
}
