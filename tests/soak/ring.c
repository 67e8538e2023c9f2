/* SPDX-License-Identifier: Apache-2.0 */
/* The eviction state machine alone. The count of tokens held is kept beside it as the text of EV-9
 * says: when there is no room, n_evict leave. tests: EV-8, EV-9 */
#include <inttypes.h>
#include <stdio.h>

#include "fast/ring.h"
#include "tests/soak/soak.h"

/* The ring as if the window had just been filled at `start`. */
static sp_fast_ring ring_at(uint64_t start, uint64_t n_evict) {
  sp_fast_ring ring = sp_fast_ring_new(S, W, n_evict, 0);
  uint64_t unpinned = start > S + W ? (start - S - W) / n_evict * n_evict + W : 0;
  if (unpinned > 0) ring.n_seen = S + unpinned;
  return ring;
}

static bool one_start(uint64_t start, uint64_t n_evict, uint64_t n_appends) {
  sp_fast_ring ring = ring_at(start, n_evict);
  uint64_t held = ring.n_seen > 0 ? W : 0;
  uint64_t slot = ring.n_seen > S ? sp_fast_ring_slot(&ring, ring.n_seen - 1) : S + W - 1;
  for (uint64_t i = 0; i < n_appends; i++) {
    uint64_t at = sp_fast_ring_slot(&ring, ring.n_seen);
    bool pinned = ring.n_seen < S;
    if (!pinned) slot = slot + 1 < S + W ? slot + 1 : S;
    if (at != (pinned ? ring.n_seen : slot)) return false;
    sp_fast_ring_append(&ring);
    if (held == W) held -= n_evict;
    if (!pinned) held++;
    if (sp_fast_ring_recent(&ring, ring.n_seen) != held) return false;
    if (ring.n_seen - sp_fast_ring_oldest(&ring) != held) return false;
  }
  return true;
}

bool soak_ring(uint64_t n_appends) {
  const uint64_t start[] = {0, (UINT64_C(1) << 31) - W / 2, (UINT64_C(1) << 32) - W / 2};
  const uint64_t n_evict[] = {1, 7, W / 2};
  for (int i = 0; i < 9; i++) {
    if (!one_start(start[i % 3], n_evict[i / 3], n_appends / 9 + 1)) {
      printf("the ring is wrong: from %" PRIu64 ", evicting %" PRIu64 "\n", start[i % 3],
             n_evict[i / 3]);
      return false;
    }
    printf("ring: from %" PRIu64 ", evicting %" PRIu64 ": %" PRIu64 " appends\n", start[i % 3],
           n_evict[i / 3], n_appends / 9 + 1);
    fflush(stdout);
  }
  return true;
}
