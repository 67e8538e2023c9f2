/* SPDX-License-Identifier: Apache-2.0 */
/* What a stream has beyond pinned tokens and a window: sequences, evictions in batches, tokens that can be
 * taken back, positions. In the header they share bytes that only attention uses otherwise, behind the byte
 * `stream`; where that is 0 there is nothing of it, and older inputs keep their meaning. */
#include "fuzz/decode.h"

enum {
  POSITION = 3 << 0, /* SP_POSITION_…, 3 = none */
  INTERLEAVED = 1 << 2,
  PARTIAL = 1 << 3,
  BATCHES = 1 << 4,
  MANY = 1 << 5, /* sequences, by fours */
  FEW_SEQUENCES = 4,
  MOST_UNDO = 64,
  MOST_EVICT = 256
};

static const double bases[8] = {10000, 1, 500000, 2, 1e6, 0x1p40, 10, 1.5};

static bool has(const sp_fuzz_offer *offer, uint64_t option) {
  return (offer->options & option) == option;
}

/* Rotated elements: two to all of an even number; all of them where parts are not offered. */
static size_t dims_of(const sp_case *c, const sp_fuzz_header *h, const sp_fuzz_offer *offer) {
  size_t most = c->d_head / 2 * 2;
  if (most == 0 || !has(offer, SP_OPT_ROPE_PARTIAL)) return most == c->d_head ? most : 0;
  return h->stream & PARTIAL ? 2 + 2 * ((size_t)(h->n_q >> 3 & 31) % (most / 2)) : most;
}

static void read_positions(sp_case *c, const sp_fuzz_header *h, const sp_fuzz_offer *offer) {
  static const uint64_t option[] = {0, SP_OPT_POSITION_ABS, SP_OPT_POSITION_CACHE};
  uint32_t position = h->stream & POSITION;
  bool half = has(offer, SP_OPT_ROPE_HALF), interleaved = has(offer, SP_OPT_ROPE_INTERLEAVED);
  size_t dims = dims_of(c, h, offer);
  if (position == 0 || position == 3 || !has(offer, option[position])) return;
  if (dims == 0 || !(half || interleaved)) return;
  bool pairs = interleaved && (!half || (h->stream & INTERLEAVED) != 0);
  c->position = position;
  c->rope_pairing = pairs ? SP_ROPE_INTERLEAVED : SP_ROPE_HALF;
  c->rope_dims = dims;
  c->rope_base = bases[h->n_q & 7];
  /* spec: NU-4 positions are below 2^53. */
  if (position == SP_POSITION_ABS) c->first_token &= (UINT64_C(1) << 52) - 1;
}

void sp_fuzz_stream_read(sp_case *c, const sp_fuzz_header *h, const sp_fuzz_offer *offer) {
  if (h->stream == 0) return;
  size_t n = 1 + h->n_batch % FEW_SEQUENCES;
  if (h->stream & MANY) n *= SP_FUZZ_SEQUENCES / FEW_SEQUENCES;
  uint64_t evict = 1 + (uint64_t)(h->n_q >> 8) % c->window;
  if (n > 1 && has(offer, SP_OPT_SEQUENCES)) c->n_sequences = n;
  if (has(offer, SP_OPT_UNDO)) c->n_undo = h->n_batch / FEW_SEQUENCES;
  if ((h->stream & BATCHES) && evict > 1 && has(offer, SP_OPT_EVICT_BLOCK)) c->n_evict = evict;
  read_positions(c, h, offer);
}

static bool write_positions(const sp_case *c, sp_fuzz_header *h) {
  size_t base = 0;
  if (c->position == SP_POSITION_NONE) return true;
  while (base < 8 && bases[base] != c->rope_base) base++;
  if (base == 8 || c->rope_dims == 0) return false;
  h->stream = (uint8_t)((h->stream & ~(unsigned)POSITION) | c->position);
  if (c->rope_pairing == SP_ROPE_INTERLEAVED) h->stream |= INTERLEAVED;
  if (c->rope_dims < c->d_head / 2 * 2) h->stream |= PARTIAL;
  h->n_q = (uint16_t)(base | (c->rope_dims / 2 - 1) << 3);
  return true;
}

bool sp_fuzz_stream_write(const sp_case *c, sp_fuzz_header *h) {
  h->stream = 3; /* no positions, and still not what older inputs say */
  h->n_q = 0;
  size_t n = c->n_sequences > 1 ? c->n_sequences : 1;
  bool many = n > FEW_SEQUENCES;
  if (many && n % (SP_FUZZ_SEQUENCES / FEW_SEQUENCES) != 0) return false;
  if (many) n /= SP_FUZZ_SEQUENCES / FEW_SEQUENCES;
  if (n > FEW_SEQUENCES || c->n_undo >= MOST_UNDO || c->n_evict > MOST_EVICT) return false;
  if (!write_positions(c, h)) return false;
  if (many) h->stream |= MANY;
  h->n_batch = (uint8_t)(n - 1 + FEW_SEQUENCES * c->n_undo);
  if (c->n_evict < 2) return true;
  h->stream |= BATCHES;
  h->n_q = (uint16_t)(h->n_q | (c->n_evict - 1) << 8);
  return true;
}
