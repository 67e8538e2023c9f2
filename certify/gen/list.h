/* SPDX-License-Identifier: Apache-2.0 */
/* The make functions of all generators, by the file that holds them. What each is for stands in
 * the table in gen.c. */
#ifndef SINKPROOF_GEN_LIST_H
#define SINKPROOF_GEN_LIST_H

#include "certify/gen/gen.h"

typedef bool sp_make(sp_case *c, const sp_generator_request *request);

/* gen_answers.c */
sp_make sp_make_known_answer, sp_make_equal_scores;
/* gen_tails.c */
sp_make sp_make_tails, sp_make_dims, sp_make_odd_rows, sp_make_large_n;
/* gen_range.c */
sp_make sp_make_range, sp_make_weight_floor, sp_make_offset, sp_make_sentinels;
/* gen_sums.c */
sp_make sp_make_running_max, sp_make_small_terms, sp_make_cancellation;
/* gen_sink.c */
sp_make sp_make_sink_mass, sp_make_sink_extreme, sp_make_sink_dtype, sp_make_sink_heads;
/* gen_sink_place.c */
sp_make sp_make_sink_order, sp_make_sink_split;
/* gen_mask.c */
sp_make sp_make_empty_rows, sp_make_first_tile_masked, sp_make_last_tile_masked, sp_make_mask_holes;
/* gen_poison.c */
sp_make sp_make_masked_poison, sp_make_visible_nan, sp_make_plus_inf;
/* gen_window.c */
sp_make sp_make_window_needle, sp_make_window_size, sp_make_pinned_tokens;
/* gen_causal.c */
sp_make sp_make_causal_align, sp_make_positions, sp_make_noncausal;
/* gen_heads.c */
sp_make sp_make_gqa, sp_make_batch, sp_make_prefill_decode, sp_make_layout, sp_make_strides;
/* gen_logit.c */
sp_make sp_make_scale, sp_make_softcap, sp_make_key_bias, sp_make_alibi, sp_make_bias_pair;
/* gen_mixed.c */
sp_make sp_make_mixed;
/* gen_cache.c */
sp_make sp_make_cache_short, sp_make_cache_wrap, sp_make_cache_needle, sp_make_cache_evictions,
    sp_make_cache_first_token;
/* gen_cache_script.c */
sp_make sp_make_cache_blocks, sp_make_cache_long_block, sp_make_cache_attend, sp_make_cache_visible;
/* cache_rope.c */
sp_make sp_make_cache_positions, sp_make_cache_shifts, sp_make_cache_far;
/* cache_undo.c */
sp_make sp_make_cache_batches, sp_make_cache_undo, sp_make_cache_sequences, sp_make_cache_hostile;
/* counts.c */
sp_make sp_make_many, sp_make_narrow_counts, sp_make_single_output, sp_make_long_options;
/* extremes.c */
sp_make sp_make_tiny_values, sp_make_early_weights, sp_make_weightless_nan;
/* bias_axes.c */
sp_make sp_make_bias_axes, sp_make_padded_batch;
/* types.c */
sp_make sp_make_types;
/* long.c */
sp_make sp_make_very_long, sp_make_row_count, sp_make_cache_long;

#endif
