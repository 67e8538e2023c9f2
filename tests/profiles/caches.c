/* SPDX-License-Identifier: Apache-2.0 */
/* Caches as other systems keep them: what leaves when, and how sizes are counted. */
#include "tests/profiles/store.h"

/* What each system rotates by, as it declares it. */
enum {
  BY_RANK = SP_OPT_POSITION_CACHE | SP_OPT_ROPE_HALF | SP_OPT_ROPE_PARTIAL,
  BY_NUMBER = SP_OPT_POSITION_ABS | SP_OPT_ROPE_HALF | SP_OPT_ROPE_PARTIAL
};

enum {
  COMMON = SP_OPT_SINK_LOGIT | SP_OPT_SOFTCAP | SP_OPT_SINK_TOKENS | SP_OPT_GQA | SP_OPT_STRIDES |
           SP_OPT_D_VALUE | SP_OPT_LSE_KEYS | SP_OPT_LSE_TOTAL | SP_OPT_FIRST_TOKEN
};

/* Keep the first `sinks` and the last `recent`. */
static void keep(sp_cache *cache, uint64_t sinks, uint64_t recent) {
  if (cache->n > sinks + recent) store_drop(cache, sinks, cache->n - sinks - recent);
}

/* ---- streaming-llm, __call__: append, attend, then cut to start_size + recent_size ---- */

static void cut_after(sp_cache *cache) {
  keep(cache, cache->config.n_sink_tokens, cache->config.window);
}

static sp_status after_open(sp_cache **cache, const sp_cache_config *config) {
  static const store_policy p = {.after = cut_after, .by_rank = true, .dense = true};
  return store_open(&p, cache, config);
}

static const sp_cache_ops after_ops = STORE_OPS(after_open);
const sp_kernel after_kernel =
    PROFILE_KERNEL("streaming-llm-after", COMMON | BY_RANK, NULL, NULL, &after_ops);

/* ---- streaming-llm, evict_for_space: make room for the block, then append and attend ---- */

static void make_room(sp_cache *cache, uint64_t coming) {
  uint64_t recent = cache->config.window > coming ? cache->config.window - coming : 0;
  if (cache->n + coming > cache->config.n_sink_tokens + cache->config.window)
    keep(cache, cache->config.n_sink_tokens, recent);
}

static sp_status before_open(sp_cache **cache, const sp_cache_config *config) {
  static const store_policy p = {.before = make_room, .by_rank = true, .dense = true};
  return store_open(&p, cache, config);
}

static const sp_cache_ops before_ops = STORE_OPS(before_open);
const sp_kernel before_kernel =
    PROFILE_KERNEL("streaming-llm-before", COMMON | BY_RANK, NULL, NULL, &before_ops);

/* ---- mlx-lm, RotatingKVCache: max_size slots, the first `keep` of which stay ---- */

static void overwrite_oldest(sp_cache *cache, uint64_t coming) {
  uint64_t max_size = cache->config.window, kept = cache->config.n_sink_tokens;
  if (cache->n + coming > max_size) store_drop(cache, kept, cache->n + coming - max_size);
}

/* One cell is made free, however many tokens come: the cache may grow past its size. */
static void trim(sp_cache *cache, uint64_t coming) {
  (void)coming;
  overwrite_oldest(cache, 1);
}

static sp_status mlx_open(sp_cache **cache, const sp_cache_config *config) {
  static const store_policy p = {.before = trim, .dense = true, .masked = true};
  return store_open(&p, cache, config);
}

static const sp_cache_ops mlx_ops = STORE_OPS(mlx_open);
const sp_kernel mlx_kernel = PROFILE_KERNEL(
    "mlx-rotating", COMMON | BY_NUMBER | SP_OPT_ROPE_INTERLEAVED, NULL, NULL, &mlx_ops);

/* ---- llama.cpp: at n_ctx cells, half of what is not n_keep goes, the rest moves down ---- */

static void shift(sp_cache *cache, uint64_t coming) {
  uint64_t n_ctx = cache->config.window, n_keep = cache->config.n_sink_tokens;
  if (cache->n + coming < n_ctx) return;
  uint64_t n_left = cache->n - n_keep, n_discard = n_left / 2;
  store_drop(cache, n_keep, n_discard);
}

static sp_status llama_open(sp_cache **cache, const sp_cache_config *config) {
  static const store_policy p = {.before = shift, .by_rank = true, .dense = true};
  return store_open(&p, cache, config);
}

static const sp_cache_ops llama_ops = STORE_OPS(llama_open);
const sp_kernel llama_kernel =
    PROFILE_KERNEL("llama-shift", COMMON | BY_RANK, NULL, NULL, &llama_ops);

/* ---- TensorRT-LLM: a cyclic buffer of max_attention_window, sink tokens within; ranks ---- */

static sp_status trt_open(sp_cache **cache, const sp_cache_config *config) {
  static const store_policy p = {.before = overwrite_oldest, .by_rank = true, .dense = true};
  return store_open(&p, cache, config);
}

static const sp_cache_ops trt_ops = STORE_OPS(trt_open);
const sp_kernel trt_kernel =
    PROFILE_KERNEL("trt-llm-stream", COMMON | BY_RANK, NULL, NULL, &trt_ops);

/* ---- streaming-llm where nothing is left out: keys are always rotated ---- */

static sp_status rotating_open(sp_cache **cache, const sp_cache_config *config) {
  static const store_policy p = {
      .before = make_room, .by_rank = true, .dense = true, .rotates = true};
  return store_open(&p, cache, config);
}

static const sp_cache_ops rotating_ops = STORE_OPS(rotating_open);
const sp_kernel rotating_kernel =
    PROFILE_KERNEL("always-rotates", COMMON | BY_RANK, NULL, NULL, &rotating_ops);

/* ---- … and where tokens are appended first and asked afterwards ---- */

static sp_status apart_open(sp_cache **cache, const sp_cache_config *config) {
  static const store_policy p = {
      .before = make_room, .by_rank = true, .dense = true, .rotates = true, .apart = true};
  return store_open(&p, cache, config);
}

static const sp_cache_ops apart_ops = STORE_OPS(apart_open);
const sp_kernel apart_kernel =
    PROFILE_KERNEL("attend-only", COMMON | BY_RANK, NULL, NULL, &apart_ops);

/* ---- ranks and halves, whatever is asked; otherwise as SPEC.md ---- */

static void make_room_for_one(sp_cache *cache, uint64_t coming) {
  keep(cache, cache->config.n_sink_tokens, cache->config.window - coming);
}

static sp_status stubborn_open(sp_cache **cache, const sp_cache_config *config) {
  static const store_policy p = {.before = make_room_for_one, .by_rank = true, .half = true};
  return store_open(&p, cache, config);
}

static const sp_cache_ops stubborn_ops = STORE_OPS(stubborn_open);
const sp_kernel stubborn_kernel = PROFILE_KERNEL(
    "stubborn", COMMON | BY_RANK | BY_NUMBER | SP_OPT_ROPE_INTERLEAVED, NULL, NULL, &stubborn_ops);
