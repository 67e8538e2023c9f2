/* SPDX-License-Identifier: Apache-2.0 */
/* How a stream evicts, as a machine: it appends one token at a time, hides the n_evict oldest that
 * are not pinned when there is no room, forgets what truncate can no longer need, and notes with
 * each token what it saw. It never consults the definition of visibility, so that proving the two
 * equal in a test says something. The contracts (ACSL) are discharged by `make proofs-wp`.
 * spec: EV-1, EV-4, EV-5, EV-7, EV-8, EV-9 */
#ifndef SINKPROOF_REF_EVICT_H
#define SINKPROOF_REF_EVICT_H

#include <stdint.h>

/* Which tokens a stream holds and sees, kept by evicting and by a log of what was seen when, not by
 * looking back at the definition: tests prove the two equal. Tokens that were evicted stay among
 * the held ones, hidden, as long as truncate may need them. */
typedef struct sp_ref_cache {
  uint64_t n_sink_tokens, window, first_token;
  uint64_t n_evict, n_undo; /* 1 and 0 after init; may be set before the first append */
  uint64_t n_seen;          /* the length of the stream */
  uint64_t n_retained;      /* held: <= n_sink_tokens + window + n_undo */
  uint64_t *token;          /* token[n_retained], ascending */
  uint64_t *oldest;         /* oldest[i]: the oldest recent token that token[i] saw as the newest */
  uint64_t n_hidden;        /* held behind the pinned ones, but no longer visible */
  uint64_t n_allocated;
} sp_ref_cache;

/*@ predicate cache_memory(sp_ref_cache *c) =
      \valid(c) && c->n_allocated <= 0xffffffffffffff &&
      \valid(c->token + (0 .. c->n_allocated - 1)) &&
      \valid(c->oldest + (0 .. c->n_allocated - 1)) &&
      \separated(c, c->token + (0 .. c->n_allocated - 1), c->oldest + (0 .. c->n_allocated - 1));
    logic integer cache_pinned(sp_ref_cache *c) =
      c->n_seen < c->n_sink_tokens ? c->n_seen : c->n_sink_tokens;
    logic integer cache_other(sp_ref_cache *c) = c->n_retained - cache_pinned(c);
    logic integer cache_visible(sp_ref_cache *c) = cache_other(c) - c->n_hidden;
    predicate cache_counts(sp_ref_cache *c) =
      1 <= c->n_evict <= c->window && c->n_retained <= c->n_seen &&
      c->n_retained <= c->n_allocated && cache_pinned(c) <= c->n_retained &&
      (c->n_seen <= c->n_sink_tokens ==> c->n_retained == c->n_seen) &&
      c->n_hidden <= cache_other(c) && cache_visible(c) <= c->window &&
      cache_other(c) <= c->window + c->n_undo;
    predicate cache_pins(sp_ref_cache *c) =
      \forall integer i; 0 <= i < cache_pinned(c) ==> c->token[i] == c->first_token + i;
    predicate cache_last(sp_ref_cache *c) =
      \forall integer i; cache_pinned(c) <= i < c->n_retained ==>
        c->token[i] == c->first_token + c->n_seen - c->n_retained + i; */

/*@ requires \valid_read(cache);
    assigns \nothing;
    ensures \result == cache_pinned(cache); */
static inline uint64_t sp_ref_n_pinned(const sp_ref_cache *cache) {
  return cache->n_seen < cache->n_sink_tokens ? cache->n_seen : cache->n_sink_tokens;
}

/* Held beside the pinned ones. */
/*@ requires \valid_read(cache) && cache_pinned(cache) <= cache->n_retained;
    assigns \nothing;
    ensures \result == cache_other(cache); */
static inline uint64_t sp_ref_n_other(const sp_ref_cache *cache) {
  return cache->n_retained - sp_ref_n_pinned(cache);
}

/* window + n_undo, as far as 64 bits go. */
/*@ requires \valid_read(cache);
    assigns \nothing;
    ensures \result == \min(cache->window + cache->n_undo, 0xffffffffffffffff); */
static inline uint64_t sp_ref_most_other(const sp_ref_cache *cache) {
  const uint64_t room = UINT64_MAX - cache->window;
  return cache->n_undo < room ? cache->window + cache->n_undo : UINT64_MAX;
}

/* list[first] leaves, and what is behind it moves up. */
/*@ requires first < n && \valid(list + (0 .. n - 1));
    assigns list[first .. n - 2];
    ensures moved: \forall integer i; first <= i < n - 1 ==> list[i] == \at(list[i + 1], Pre); */
static inline void sp_ref_drop(uint64_t *list, uint64_t first, uint64_t n) {
  /*@ loop invariant first <= i <= n - 1;
      loop invariant moved: \forall integer j; first <= j < i ==> list[j] == \at(list[j + 1], Pre);
      loop invariant behind: \forall integer j; i <= j < n ==> list[j] == \at(list[j], Pre);
      loop assigns i, list[first .. n - 2];
      loop variant n - i; */
  for (uint64_t i = first; i < n - 1; i++) list[i] = list[i + 1];
}

/*@ requires cache_memory(cache) && cache_counts(cache) && cache_pins(cache) && cache_last(cache);
    requires hidden: cache->n_hidden >= 1;
    assigns cache->n_retained, cache->n_hidden, cache->token[0 .. cache->n_allocated - 1],
      cache->oldest[0 .. cache->n_allocated - 1];
    ensures one_less: cache->n_retained == \old(cache->n_retained) - 1 &&
      cache->n_hidden == \old(cache->n_hidden) - 1;
    ensures one_other_less: cache_other(cache) == \old(cache_other(cache)) - 1 &&
      cache_visible(cache) == \old(cache_visible(cache));
    ensures pinned_never_rewritten: \forall integer i; 0 <= i < cache->n_sink_tokens ==>
      cache->token[i] == \at(cache->token[i], Pre);
    ensures counts: cache_counts(cache);
    ensures pins: cache_pins(cache);
    ensures last: cache_last(cache); */
static inline void sp_ref_forget_oldest(sp_ref_cache *cache) {
  sp_ref_drop(cache->token, cache->n_sink_tokens, cache->n_retained);
  sp_ref_drop(cache->oldest, cache->n_sink_tokens, cache->n_retained);
  cache->n_retained--;
  cache->n_hidden--;
}

/* What is full evicts, and forgets. */
/*@ requires cache_memory(cache) && cache_counts(cache) && cache_pins(cache) && cache_last(cache);
    requires room: cache->n_retained < cache->n_allocated ||
      cache_other(cache) == cache->window + cache->n_undo;
    assigns cache->n_retained, cache->n_hidden, cache->token[0 .. cache->n_allocated - 1],
      cache->oldest[0 .. cache->n_allocated - 1];
    ensures room: cache->n_retained < cache->n_allocated &&
      cache_other(cache) < cache->window + cache->n_undo;
    ensures pinned_never_rewritten: \forall integer i;
      0 <= i < cache->n_sink_tokens && i < cache->n_allocated ==>
        cache->token[i] == \at(cache->token[i], Pre);
    ensures evicted: cache_visible(cache) == (\old(cache_visible(cache)) == cache->window
                       ? cache->window - cache->n_evict : \old(cache_visible(cache)));
    ensures counts: cache_counts(cache);
    ensures pins: cache_pins(cache);
    ensures last: cache_last(cache); */
static inline void sp_ref_make_room(sp_ref_cache *cache) {
  if (sp_ref_n_other(cache) - cache->n_hidden == cache->window) cache->n_hidden += cache->n_evict;
  /*@ assert hidden: cache_counts(cache) && cache_pins(cache) && cache_last(cache) &&
        cache_visible(cache) == (\at(cache_visible(cache), Pre) == cache->window
          ? cache->window - cache->n_evict : \at(cache_visible(cache), Pre)); */
  if (sp_ref_n_other(cache) == sp_ref_most_other(cache)) {
    /*@ assert full: cache_other(cache) == cache->window + cache->n_undo; */
    sp_ref_forget_oldest(cache);
  }
  /*@ assert less: cache_other(cache) < cache->window + cache->n_undo; */
}

/*@ requires cache_memory(cache) && cache_counts(cache) && cache_pins(cache) && cache_last(cache);
    requires room: cache->n_retained < cache->n_allocated &&
      cache_other(cache) < cache->window + cache->n_undo &&
      cache_visible(cache) < cache->window;
    requires numbers: cache->first_token + cache->n_seen < 0xffffffffffffffff;
    assigns cache->n_seen, cache->n_retained, cache->token[cache->n_retained],
      cache->oldest[cache->n_retained];
    ensures counted: cache->n_seen == \old(cache->n_seen) + 1 &&
      cache->n_retained == \old(cache->n_retained) + 1;
    ensures counts: cache_counts(cache);
    ensures pins: cache_pins(cache);
    ensures last: cache_last(cache); */
static inline void sp_ref_put(sp_ref_cache *cache) {
  const uint64_t token = cache->first_token + cache->n_seen;
  const uint64_t at = cache->n_retained, seen = at - cache->n_hidden;
  const uint64_t s = cache->n_sink_tokens;
  cache->oldest[at] = s < seen ? cache->token[s + cache->n_hidden] : token;
  cache->token[at] = token;
  /*@ assert written: cache->token[at] == cache->first_token + cache->n_seen; */
  /*@ assert before: cache_pins(cache) && cache_last(cache); */
  cache->n_retained = at + 1;
  cache->n_seen++;
  /*@ assert pinned: cache_pinned(cache) == \at(cache_pinned(cache), Pre) ||
        (cache_pinned(cache) == at + 1 && at == \at(cache->n_seen, Pre)); */
  /*@ assert still: \forall integer i; 0 <= i < \at(cache_pinned(cache), Pre) ==>
        cache->token[i] == cache->first_token + i; */
  /*@ assert one_more: at == \at(cache->n_seen, Pre) ==>
        cache->token[at] == cache->first_token + at; */
}

#endif
