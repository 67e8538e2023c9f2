/* SPDX-License-Identifier: Apache-2.0 */
/* The table of all generators, in the order of the report, and how a case is made from a request.
 * A hazard is worded as what goes wrong in kernels that fail there. spec: CT-4 */
#include "certify/gen/list.h"

#include <string.h>

#define S (1u << SP_OP_SOFTMAX)
#define A (1u << SP_OP_ATTENTION)
#define C (1u << SP_OP_CACHE)

/* Name, hazard; then clause, operations, needs, cases by level. */
/* clang-format off */
static const sp_generator table[] = {
    {"known-answer",
     "Rows with an answer that can be checked by hand come out wrong: the kernel computes "
     "something other than softmax.",
     "SM-2", S | A | C, 0, {14, 42, 140}, sp_make_known_answer},
    {"equal-scores",
     "A sum in 8 or 11 bits stands still at 256 or 2048 equal terms.",
     "NU-8", S | A | C, 0, {6, 62, 124}, sp_make_equal_scores},
    {"tails",
     "The remainder of a vector loop is dropped, or padding lanes take part.",
     "SM-2", S | A | C, 0, {70, 324, 1036}, sp_make_tails},
    {"dims",
     "A head dimension that is no multiple of the vector length, or d_value taken for d_head.",
     "SM-4", A | C, 0, {12, 76, 304}, sp_make_dims},
    {"odd-rows",
     "Rows after the first start at odd addresses and read their neighbours.",
     "AT-8", S, 0, {8, 38, 190}, sp_make_odd_rows},
    {"large-n",
     "Indices of 12, 15 or 16 bits overflow, or the end of a long row is cut.",
     "AT-8", S | A, 0, {1, 4, 12}, sp_make_large_n},
    {"range",
     "The exponential is inexact far below the maximum, or subnormal weights are flushed.",
     "SM-2", S | A | C, 0, {12, 58, 580}, sp_make_range},
    {"weight-floor",
     "Weights below a floor are cut although their values make them count.",
     "SM-4", A | C, 0, {4, 18, 180}, sp_make_weight_floor},
    {"offset",
     "The maximum is not subtracted, or a shift of all logits costs accuracy.",
     "SM-2", S | A | C, 0, {6, 27, 180}, sp_make_offset},
    {"sentinels",
     "A finite number stands in for minus infinity, and real logits go below it.",
     "SM-2", S | A | C, 0, {11, 44, 330}, sp_make_sentinels},
    {"running-max",
     "The maximum of earlier tiles is lost, or the accumulators are not rescaled.",
     "AT-8", S | A | C, 0, {18, 72, 432}, sp_make_running_max},
    {"small-terms",
     "Many small terms vanish beside a large one in a short accumulator.",
     "SM-2", S | A, 0, {4, 24, 120}, sp_make_small_terms},
    {"cancellation",
     "Values of alternating sign leave only the rounding errors of the terms.",
     "SM-4", A | C, 0, {3, 16, 160}, sp_make_cancellation},
    {"sink-mass",
     "The sink logit is dropped, or counted more than once.",
     "AL-2", S | A | C, SP_OPT_SINK_LOGIT, {8, 48, 480}, sp_make_sink_mass},
    {"sink-extreme",
     "A sink logit far above or below the keys overflows, vanishes or becomes NaN.",
     "AL-4", S | A | C, SP_OPT_SINK_LOGIT, {26, 78, 390}, sp_make_sink_extreme},
    {"sink-dtype",
     "Sink logits of one type are read as another.",
     "AL-2", S | A | C, SP_OPT_SINK_LOGIT, {4, 16, 160}, sp_make_sink_dtype},
    {"sink-heads",
     "A head gets the sink logit of another, or only the first row gets one.",
     "AL-2", S | A | C, SP_OPT_SINK_LOGIT, {4, 20, 200}, sp_make_sink_heads},
    {"sink-order",
     "The sink logit is scaled, capped, biased or taken in base 2.",
     "AL-2", S | A | C, SP_OPT_SINK_LOGIT, {10, 40, 400}, sp_make_sink_order},
    {"sink-split",
     "Empty parts of a split row each bring the sink logit again, or none does.",
     "AL-6", S | A, SP_OPT_SINK_LOGIT, {5, 25, 125}, sp_make_sink_split},
    {"empty-rows",
     "A row without a visible key is NaN, or an average over keys that it must not see.",
     "AT-9", S | A, 0, {24, 54, 270}, sp_make_empty_rows},
    {"first-tile-masked",
     "A tile without visible keys at the start leaves a wrong maximum, or -inf minus -inf.",
     "AT-3", S | A, 0, {6, 42, 210}, sp_make_first_tile_masked},
    {"last-tile-masked",
     "A tile without visible keys at the end spoils what was accumulated.",
     "AT-3", S | A, SP_OPT_MASK, {4, 21, 105}, sp_make_last_tile_masked},
    {"mask-holes",
     "A mask that differs between queries is read with the wrong index, or as a finite number.",
     "AT-3", S | A, SP_OPT_MASK, {5, 35, 175}, sp_make_mask_holes},
    {"masked-poison",
     "NaN, infinite or huge numbers in hidden slots reach the output.",
     "AT-3", S | A | C, 0, {12, 48, 240}, sp_make_masked_poison},
    {"visible-nan",
     "A visible NaN disappears, or spreads to rows and components that do not see it.",
     "SM-5", S | A | C, SP_OPT_NONFINITE, {6, 24, 120}, sp_make_visible_nan},
    {"plus-inf",
     "Infinite logits give a one-hot row, or the sink logit +inf gives NaN.",
     "SM-5", S | A, SP_OPT_NONFINITE, {4, 16, 80}, sp_make_plus_inf},
    {"window-needle",
     "The window holds one key too many or too few, or pinned tokens fall out of it.",
     "AT-5", A, SP_OPT_WINDOW, {14, 182, 910}, sp_make_window_needle},
    {"window-size",
     "Rows about as long as the window, and windows that overflow a smaller integer.",
     "AT-5", A, SP_OPT_WINDOW, {10, 66, 440}, sp_make_window_size},
    {"pinned-tokens",
     "Pinned tokens are shown to earlier queries, or lost when the window passes.",
     "EV-1", A, SP_OPT_SINK_TOKENS, {6, 30, 300}, sp_make_pinned_tokens},
    {"causal-align",
     "The causal diagonal starts at the wrong corner when n_q and n_kv differ.",
     "AT-4", A, 0, {8, 32, 160}, sp_make_causal_align},
    {"positions",
     "Visibility follows the index in memory where positions are given.",
     "AT-4", A, SP_OPT_POSITIONS, {5, 30, 300}, sp_make_positions},
    {"noncausal",
     "Later keys are hidden although the call is not causal.",
     "AT-4", A, SP_OPT_NONCAUSAL | SP_OPT_PREFILL, {4, 16, 160}, sp_make_noncausal},
    {"gqa",
     "A query head reads the keys of another group.",
     "AT-7", A | C, SP_OPT_GQA, {5, 26, 260}, sp_make_gqa},
    {"batch",
     "A batch entry reads the tensors of another.",
     "AT-8", A, SP_OPT_BATCH, {2, 16, 160}, sp_make_batch},
    {"prefill-decode",
     "The same row comes out differently in prefill and in decode.",
     "AT-8", A, SP_OPT_PREFILL, {4, 32, 320}, sp_make_prefill_decode},
    {"layout",
     "Strides are ignored, data are assumed aligned, or reads pass the end of a tensor.",
     "KC-4", S | A | C, 0, {8, 64, 320}, sp_make_layout},
    {"scale",
     "The scale is ignored, applied twice, or assumed to be positive or 1/sqrt(d).",
     "AT-2", S | A | C, 0, {5, 20, 200}, sp_make_scale},
    {"softcap",
     "The softcap is ignored, overflows, or comes after the biases.",
     "AT-2", A | C, SP_OPT_SOFTCAP, {12, 24, 240}, sp_make_softcap},
    {"key-bias",
     "Biases are ignored, scaled, or also added to the sink logit.",
     "AL-7", S | A, SP_OPT_KEY_BIAS, {5, 20, 200}, sp_make_key_bias},
    {"alibi",
     "ALiBi measures distance from the wrong end, or loses distances beyond 2048.",
     "AT-6", A, SP_OPT_ALIBI, {6, 24, 120}, sp_make_alibi},
    {"bias-pair",
     "The bias pair is masked, biased or forgotten like an ordinary key.",
     "AL-8", A, SP_OPT_BIAS_PAIR, {6, 24, 240}, sp_make_bias_pair},
    {"types",
     "A combination of types of queries, keys and sink logits has no code of its own, or the wrong "
     "one.",
     "NU-1", S | A | C, 0, {24, 96, 480}, sp_make_types},
    {"many",
     "Tables, tiles or integers are made for fewer heads, rows, queries, entries, dimensions or "
     "threads.",
     "AT-8", S | A | C, 0, {4, 32, 160}, sp_make_many},
    {"narrow-counts",
     "Windows and counts of pinned tokens are kept in too few bits.",
     "EV-1", A, SP_OPT_SINK_TOKENS, {16, 32, 96}, sp_make_narrow_counts},
    {"single-output",
     "A log-sum-exp is right only when the weights are asked for too.",
     "AL-5", S | A, 0, {6, 18, 60}, sp_make_single_output},
    {"long-options",
     "The path for long rows has forgotten an option.",
     "AT-2", S | A, 0, {2, 20, 60}, sp_make_long_options},
    {"tiny-values",
     "Subnormal outputs are flushed, or those beyond the largest number saturate.",
     "NU-2", A | C, 0, {8, 32, 96}, sp_make_tiny_values},
    {"early-weights",
     "A rescale keeps more of what came before than it should.",
     "SM-4", A | C, 0, {3, 20, 60}, sp_make_early_weights},
    {"weightless-nan",
     "Keys whose weight rounds to 0 are skipped, and a NaN among the values with them.",
     "SM-6", A | C, SP_OPT_NONFINITE, {2, 12, 40}, sp_make_weightless_nan},
    {"mixed",
     "Options that work alone fail together.",
     "AT-2", S | A | C, 0, {60, 500, 10000}, sp_make_mixed},
    {"cache-short",
     "Tokens are evicted before the cache is full.",
     "EV-7", C, 0, {6, 30, 120}, sp_make_cache_short},
    {"cache-wrap",
     "The ring wraps one token early or late, or overwrites a pinned slot.",
     "EV-2", C, 0, {16, 80, 320}, sp_make_cache_wrap},
    {"cache-needle",
     "A token stays after it was evicted, or leaves too early.",
     "EV-2", C, 0, {24, 144, 576}, sp_make_cache_needle},
    {"cache-evictions",
     "Errors of many evictions pile up unseen until the next query.",
     "EV-4", C, 0, {6, 60, 240}, sp_make_cache_evictions},
    {"cache-first-token",
     "Counters of tokens overflow, or eviction depends on the number of the first.",
     "EV-8", C, SP_OPT_FIRST_TOKEN, {7, 35, 210}, sp_make_cache_first_token},
    {"cache-blocks",
     "A block gives another answer than its tokens one by one.",
     "EV-5", C, 0, {16, 192, 768}, sp_make_cache_blocks},
    {"cache-long-block",
     "A block longer than the cache evicts pinned tokens, or hides keys from its own queries.",
     "EV-5", C, 0, {10, 60, 300}, sp_make_cache_long_block},
    {"cache-attend",
     "A query changes the cache.",
     "EV-4", C, 0, {4, 24, 120}, sp_make_cache_attend},
    {"cache-visible",
     "The list of visible tokens is unordered, stale or has the wrong length.",
     "EV-6", C, 0, {7, 42, 210}, sp_make_cache_visible},
    {"cache-positions",
     "Keys and queries are rotated to other positions, in other pairs, or by other angles.",
     "EV-11", C, 0, {16, 48, 480}, sp_make_cache_positions},
    {"cache-shifts",
     "Ranks in the cache are wrong after evictions, or stored keys drift as they are moved.",
     "EV-10", C, SP_OPT_POSITION_CACHE, {8, 24, 240}, sp_make_cache_shifts},
    {"cache-far",
     "Angles of far positions have lost their digits.",
     "EV-12", C, SP_OPT_POSITION_ABS | SP_OPT_FIRST_TOKEN, {5, 20, 200}, sp_make_cache_far},
    {"cache-batches",
     "A batch of evictions leaves too early, too late, or takes too many with it.",
     "EV-9", C, SP_OPT_EVICT_BLOCK, {10, 40, 400}, sp_make_cache_batches},
    {"cache-undo",
     "Going back ends in overwritten slots, or refuses what is still there.",
     "EV-15", C, SP_OPT_UNDO, {12, 60, 600}, sp_make_cache_undo},
    {"cache-sequences",
     "One sequence sees, evicts or shifts what belongs to another.",
     "EV-16", C, SP_OPT_SEQUENCES, {6, 24, 240}, sp_make_cache_sequences},
    {"cache-hostile",
     "Batches, truncations, sequences and long blocks that work alone fail together.",
     "EV-5", C, 0, {16, 64, 960}, sp_make_cache_hostile},
    {"very-long",
     "A count of keys, of tiles or of parts has 16 or 17 bits.",
     "AT-8", S | A, 0, {1, 5, 20}, sp_make_very_long},
    {"row-count",
     "A count of rows, or of heads times entries of a batch, has 8 or 16 bits.",
     "AT-8", S | A, 0, {1, 4, 12}, sp_make_row_count},
    {"bias-axes",
     "One row of biases serves all heads, or all entries of a batch.",
     "AL-7", A, SP_OPT_KEY_BIAS | SP_OPT_BIAS_PER_HEAD, {6, 30, 150}, sp_make_bias_axes},
    {"padded-batch",
     "The padding of one entry of a batch is taken for another's.",
     "AT-3", A, SP_OPT_MASK | SP_OPT_BATCH | SP_OPT_BIAS_PER_HEAD, {6, 30, 150},
     sp_make_padded_batch},
    {"strides",
     "Offsets are kept in 32 bits, or a stride is taken for a positive number.",
     "KC-4", S | A | C, SP_OPT_STRIDES, {4, 24, 120}, sp_make_strides},
    {"cache-long",
     "A count of tokens, or a size of the ring, has 16 bits.",
     "EV-4", C, 0, {1, 3, 9}, sp_make_cache_long},
};
/* clang-format on */

const sp_generator *sp_generators(size_t *count) {
  *count = sizeof table / sizeof *table;
  return table;
}

const sp_generator *sp_generator_find(const char *name) {
  for (size_t i = 0; i < sizeof table / sizeof *table; i++)
    if (strcmp(table[i].name, name) == 0) return &table[i];
  return NULL;
}

void sp_request_for(sp_generator_request *request, const sp_kernel *kernel) {
  request->options = kernel->options;
  request->dtypes_softmax = kernel->dtypes_softmax;
  request->dtypes_q = kernel->dtypes_q;
  request->dtypes_kv = kernel->dtypes_kv;
  request->max_n = kernel->max_n;
  request->shapes = kernel->shapes != NULL ? *kernel->shapes : (sp_shapes){0};
}

static bool made(sp_case *c, const sp_generator *generator, const sp_generator_request *request) {
  if ((generator->ops & (1u << request->op)) == 0) return false;
  if ((generator->needs & ~request->options) != 0) return false;
  return generator->make(c, request);
}

bool sp_case_make(sp_case *c, const sp_generator_request *request) {
  sp_case_init(c, request->op);
  const sp_generator *generator = sp_generator_find(request->generator);
  if (generator == NULL || !made(c, generator, request)) {
    sp_case_clear(c);
    return false;
  }
  c->generator = generator->name;
  c->clause = generator->clause;
  c->seed = request->seed;
  c->index = request->index;
  return true;
}
