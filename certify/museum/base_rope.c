/* SPDX-License-Identifier: Apache-2.0 */
/* The dot product of a rotated query with a rotated key. Both are rotated from what was given, by
 * their positions at this query: nothing is stored that could drift. Positions count from the first
 * token of the stream, which no difference of two of them sees. tests: EV-10 EV-11 EV-12 EV-13 EV-14 */
#include "certify/museum/base.h"

double sp_base_key_position(const sp_row *row, uint64_t token) {
  if (row->cache->config.position == SP_POSITION_ABS) return (double)token;
  uint64_t oldest = sp_cache_oldest(row->cache, (uint64_t)row->pos_q);
  if (token < row->cache->n_sink_tokens) return (double)token;
  return (double)(row->cache->n_sink_tokens + (token - oldest));
}

double sp_base_query_position(const sp_row *row) {
  return sp_base_key_position(row, (uint64_t)row->pos_q);
}

double sp_base_angle(const sp_row *row, double position, uint64_t i) {
  const sp_cache_config *config = &row->cache->config;
  return position * pow(config->rope_base, -2.0 * (double)i / (double)config->rope_dims);
}

static void turn(const sp_row *row, double angle, double pair[2]) {
  double c = sp_fl(row, cos(angle)), s = sp_fl(row, sin(angle)), a = pair[0], b = pair[1];
  pair[0] = sp_fl(row, sp_fl(row, a * c) - sp_fl(row, b * s));
  pair[1] = sp_fl(row, sp_fl(row, a * s) + sp_fl(row, b * c));
}

double sp_row_rotated_dot(const sp_row *row, uint64_t j) {
  const sp_cache_config *config = &row->cache->config;
  const sp_in *k = &row->attention->k;
  uint64_t token = (uint64_t)sp_row_pos(row, j), r = config->rope_dims;
  bool halves = config->rope_pairing == SP_ROPE_HALF;
  double p_q = SP_HOOK(row, query_position)(row), p_k = SP_HOOK(row, key_position)(row, token);
  double sum = 0;
  for (uint64_t i = 0; i < r / 2; i++) {
    uint64_t a = halves ? i : 2 * i, b = halves ? i + r / 2 : 2 * i + 1;
    double query[2] = {row->q[a], row->q[b]};
    double key[2] = {sp_row_load(row, k, row->b, j, row->kv_head, a),
                     sp_row_load(row, k, row->b, j, row->kv_head, b)};
    turn(row, SP_HOOK(row, angle)(row, p_q, i), query);
    turn(row, SP_HOOK(row, angle)(row, p_k, i), key);
    if (row->hooks->turned) row->hooks->turned(row, token, key);
    sum = sp_fl(row, sum + sp_fl(row, query[0] * key[0]));
    sum = sp_fl(row, sum + sp_fl(row, query[1] * key[1]));
  }
  for (uint64_t c = r; c < row->d_head; c++) {
    double rest = sp_row_load(row, k, row->b, j, row->kv_head, c);
    sum = sp_fl(row, sum + sp_fl(row, row->q[c] * rest));
  }
  return isfinite(sum) ? sum : (double)NAN;
}
