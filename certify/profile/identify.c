/* SPDX-License-Identifier: Apache-2.0 */
/* Put the probes in order, each in the light of the answers before it. spec: CT-13 */
#include "certify/profile/identify.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- predictions ---- */

void sp_probe_expect(const sp_probe *probe, const sp_asker *asker, unsigned answer, double *e) {
  if (probe->sees == NULL) {
    probe->expect(asker, answer, e);
    return;
  }
  double x[SP_PROBE_KEYS];
  unsigned seen = probe->sees(asker, answer);
  for (size_t j = 0; j < SP_PROBE_KEYS; j++) x[j] = seen >> j & 1 ? 0 : -INFINITY;
  sp_expect_weights(asker, x, SP_PROBE_KEYS, 0, e);
}

static double difference(double a, double b) {
  if (a == b || (isnan(a) && isnan(b))) return 0;
  double d = fabs(a - b);
  return isfinite(d) ? d : INFINITY;
}

/* The largest difference in any part; `of` < 0 is what was got. */
static double distance(const sp_reply *reply, unsigned answer, int of) {
  double most = 0;
  for (size_t p = 0; p < reply->n_parts; p++) {
    const sp_probe_result *part = &reply->part[p];
    const double *other = of < 0 ? part->got : part->expected[of];
    for (size_t i = 0; i < part->n; i++)
      most = fmax(most, difference(part->expected[answer][i], other[i]));
  }
  return most;
}

/* An answer fits when the result is nearer to its prediction than a 32nd of the distance to any
 * prediction that differs: room for results of eight bits, none for something between. */
void sp_reply_decide(sp_reply *reply, unsigned n_answers) {
  bool observable = false;
  reply->matches = 0;
  for (unsigned a = 1; a <= n_answers; a++) {
    double apart = 1;
    for (unsigned b = 1; b <= n_answers; b++) {
      double d = distance(reply, a, (int)b);
      if (d > 0) observable = true;
      if (d > 0) apart = fmin(apart, d);
    }
    if (distance(reply, a, -1) <= apart / 32) reply->matches |= 1u << a;
  }
  reply->state = reply->matches != 0 ? SP_REPLY_ANSWERED : SP_REPLY_NEITHER;
  if (!observable) reply->state = SP_REPLY_NOT_OFFERED;
  reply->answer = 0;
  for (unsigned a = n_answers; a > 0; a--)
    if (reply->matches >> a & 1) reply->answer = a;
}

bool sp_reply_agrees(const sp_reply *reply, unsigned answer) {
  return (reply->matches >> answer & 1) != 0;
}

bool sp_reply_fits(const sp_reply *reply, const sp_profile *profile, sp_question question) {
  return (reply->matches & sp_conventions_given(profile, question)) != 0;
}

/* ---- asking ---- */

static sp_dtype first_type(uint32_t dtypes) {
  static const sp_dtype order[] = {SP_F32, SP_F64, SP_F16, SP_BF16};
  for (size_t i = 0; i < sizeof order / sizeof *order; i++)
    if (dtypes & SP_DTYPE_BIT(order[i])) return order[i];
  return 0;
}

bool sp_probe_case(const sp_probe *probe, const sp_asker *asker, sp_case *c) {
  const sp_kernel *kernel = asker->kernel;
  sp_case_init(c, probe->op);
  c->clause = sp_question_text_of(probe->question)->clause;
  c->dtype_q = first_type(probe->op == SP_OP_SOFTMAX ? kernel->dtypes_softmax : kernel->dtypes_q);
  c->dtype_kv = first_type(kernel->dtypes_kv);
  if (c->dtype_q != 0 && (probe->op == SP_OP_SOFTMAX || c->dtype_kv != 0) &&
      probe->make(asker, c) && sp_case_offered(c, kernel))
    return true;
  sp_case_clear(c);
  return false;
}

static void read_outputs(const sp_probe *probe, const sp_case *c, size_t heads_a_row,
                         const sp_outputs *outputs, sp_probe_result *evidence) {
  bool values = probe->output == SP_OUT_VALUES;
  const sp_array *array = values ? &outputs->values
                          : probe->output == SP_OUT_LSE_TOTAL && outputs->lse_total.bits != NULL
                              ? &outputs->lse_total
                              : &outputs->lse_keys;
  size_t length = !values ? 1 : c->op == SP_OP_SOFTMAX ? c->n_kv : c->d_value;
  size_t row = probe->row == SP_LAST_ROW ? array->count / length - 1 : probe->row * heads_a_row;
  evidence->n = probe->n;
  for (size_t i = 0; i < probe->n; i++)
    evidence->got[i] = sp_ref_load(array->dtype, array->bits, row * length + i);
}

/* A kernel that crashes or hangs is not asked for ever. */
enum { MAX_FAILURES = 4 };

typedef struct inquiry {
  sp_host *host;
  size_t index;
  sp_asker asker;
  sp_incident incident;
  unsigned n_failures;
} inquiry;

/* Some kernels decline what they are asked first: as many heads of queries as of keys; caches, tokens
 * without rotation, or queries in an append. */
typedef enum manner { AS_MADE, GROUPED = 1, ROTATED = 2, ATTENDED = 4, N_MANNERS = 8 } manner;

/* Each element of `length` twice. */
static bool twice(sp_array *array, size_t length) {
  sp_array wide = {0};
  if (array->bits == NULL) return true;
  if (!sp_array_alloc(&wide, array->dtype, 2 * array->count)) return false;
  size_t bytes = length * sp_ref_format_bytes(array->dtype);
  for (size_t i = 0; i < wide.count / length; i++)
    memcpy((char *)wide.bits + i * bytes, (char *)array->bits + i / 2 * bytes, bytes);
  free(array->bits);
  *array = wide;
  return true;
}

static bool group(sp_case *c) {
  if (c->op == SP_OP_SOFTMAX || c->n_heads != c->n_kv_heads) return false;
  c->n_heads *= 2;
  return twice(&c->q, c->d_head) && twice(&c->sink_logit, 1) && twice(&c->alibi_slope, 1);
}

/* Keys of zeros have logit 0 however they are rotated. */
static bool rotate(const sp_asker *asker, sp_case *c) {
  static const uint64_t positions[] = {SP_OPT_POSITION_ABS, SP_OPT_POSITION_CACHE};
  static const uint64_t pairings[] = {SP_OPT_ROPE_HALF, SP_OPT_ROPE_INTERLEAVED};
  for (size_t i = 0; i < c->k.count; i++)
    if (sp_ref_load(c->k.dtype, c->k.bits, i) != 0) return false;
  if (c->position != SP_POSITION_NONE) return false;
  c->position = sp_probe_offers(asker, positions[0]) ? SP_POSITION_ABS : SP_POSITION_CACHE;
  c->rope_pairing = sp_probe_offers(asker, pairings[0]) ? SP_ROPE_HALF : SP_ROPE_INTERLEAVED;
  c->rope_dims = asker->d;
  c->rope_base = 10000;
  return true;
}

/* The last row is asked apart. */
static bool attend_last(const sp_probe *probe, sp_case *c) {
  sp_cache_step *script = realloc(c->script, (c->n_steps + 1) * sizeof *script);
  if (script == NULL) return false;
  c->script = script;
  if (probe->row != SP_LAST_ROW) return false;
  for (size_t s = 0; s < c->n_steps; s++) script[s].with_queries = false;
  script[c->n_steps++] = (sp_cache_step){.kind = SP_STEP_ATTEND};
  return true;
}

static bool make_case(const inquiry *q, const sp_probe *probe, unsigned how, sp_case *c) {
  if ((how & (ROTATED | ATTENDED)) != 0 && probe->op != SP_OP_CACHE) return false;
  if (!sp_probe_case(probe, &q->asker, c)) return false;
  bool ok = ((how & ROTATED) == 0 || rotate(&q->asker, c)) &&
            ((how & ATTENDED) == 0 || attend_last(probe, c)) &&
            ((how & GROUPED) == 0 || group(c)) && sp_case_offered(c, q->asker.kernel);
  if (!ok) sp_case_clear(c);
  return ok;
}

/* One part, in one size. *went: the kernel carried it out. False: the host's own fault. */
static bool ask_sized(inquiry *q, const sp_probe *probe, unsigned how, sp_reply *reply,
                      bool *went) {
  sp_case c;
  sp_outputs outputs = {0};
  char path[32];
  *went = false;
  if (reply->n_parts == SP_MAX_PARTS || !make_case(q, probe, how, &c)) return true;
  bool ok = sp_outputs_init(&outputs, &c) &&
            sp_host_run(q->host, q->index, &c, true, &outputs, &q->incident, path);
  *went = ok && q->incident.kind == SP_INCIDENT_NONE;
  if (*went) {
    sp_probe_result *evidence = &reply->part[reply->n_parts++];
    evidence->probe = probe;
    read_outputs(probe, &c, how & GROUPED ? 2 : 1, &outputs, evidence);
    for (unsigned a = 1; a <= sp_n_answers(probe->question); a++)
      sp_probe_expect(probe, &q->asker, a, evidence->expected[a]);
  } else if (ok) {
    bool declined = q->incident.kind == SP_INCIDENT_UNSUPPORTED;
    reply->state = declined ? SP_REPLY_NOT_OFFERED : SP_REPLY_FAILED;
    q->n_failures += !declined;
    snprintf(reply->remark, sizeof reply->remark, "%s", q->incident.text);
  }
  sp_outputs_clear(&outputs);
  sp_case_clear(&c);
  return ok;
}

/* Kernels may decline manners and sizes: the first that is carried out will do. */
static bool ask(inquiry *q, const sp_probe *probe, sp_reply *reply, bool *went) {
  static const size_t sizes[] = {SP_PROBE_KEYS, 64, 128};
  *went = false;
  if (q->n_failures >= MAX_FAILURES) {
    reply->state = SP_REPLY_FAILED;
    snprintf(reply->remark, sizeof reply->remark, "not asked: too many calls had failed");
    return true;
  }
  for (unsigned how = AS_MADE; how < N_MANNERS && !*went; how++) {
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes && !*went; i++) {
      q->asker.d = sizes[i];
      q->incident = (sp_incident){0};
      if (!ask_sized(q, probe, how, reply, went)) return false;
      if (!*went && q->incident.kind != SP_INCIDENT_UNSUPPORTED) break;
    }
    if (reply->state == SP_REPLY_FAILED) break;
  }
  return true;
}

/* The parts of the first alternative that is offered, and carried out. */
static bool ask_question(inquiry *q, sp_question question, sp_reply *reply) {
  const sp_probes rooms[] = {sp_probes_row(), sp_probes_lse(), sp_probes_score(), sp_probes_cache(),
                             sp_probes_rope()};
  unsigned alternative = 0;
  *reply = (sp_reply){.state = SP_REPLY_NOT_OFFERED};
  for (size_t r = 0; r < sizeof rooms / sizeof *rooms; r++) {
    for (size_t i = 0; i < rooms[r].count; i++) {
      const sp_probe *probe = &rooms[r].list[i];
      bool went;
      if (probe->question != question) continue;
      if (reply->n_parts > 0 && probe->alternative != alternative) break;
      alternative = probe->alternative;
      if (!ask(q, probe, reply, &went)) return false;
    }
  }
  if (reply->n_parts > 0) sp_reply_decide(reply, sp_n_answers(question));
  return true;
}

/* ---- the nearest profile ---- */

static bool better(const sp_profile_score *a, const sp_profile_score *b) {
  if (a->differ != b->differ) return a->differ < b->differ;
  return a->agree > b->agree;
}

static bool is_answered(const sp_reply *reply) {
  return reply->state == SP_REPLY_ANSWERED;
}

static void score(sp_identity *identity) {
  size_t n;
  const sp_profile *profiles = sp_profiles(&n);
  for (size_t i = 0; i < n && i < SP_MAX_PROFILES; i++) {
    sp_profile_score *s = &identity->score[i];
    for (sp_question q = 0; q < SP_N_QUESTIONS; q++) {
      unsigned answer = profiles[i].conventions.answer[q];
      if (!is_answered(&identity->reply[q])) continue;
      bool agrees = sp_reply_fits(&identity->reply[q], &profiles[i], q);
      s->differ += !agrees;
      if (answer == SP_UNSAID) continue;
      s->agree += agrees;
      s->disagree += !agrees;
    }
    if (better(s, &identity->score[identity->nearest])) identity->nearest = i;
  }
}

/* "flashinfer:window=self": the nearest, and what it does not say or says otherwise. */
static void compose(sp_identity *identity) {
  size_t n;
  const sp_profile *nearest = &sp_profiles(&n)[identity->nearest];
  char separator = ':';
  snprintf(identity->profile, sizeof identity->profile, "%s", nearest->name);
  for (sp_question q = 0; q < SP_N_QUESTIONS; q++) {
    const sp_reply *reply = &identity->reply[q];
    const sp_question_text *text = sp_question_text_of(q);
    if (!is_answered(reply) || sp_reply_fits(reply, nearest, q)) continue;
    size_t length = strlen(identity->profile);
    snprintf(identity->profile + length, sizeof identity->profile - length, "%c%s=%s", separator,
             text->name, text->answer[reply->answer].name);
    separator = ',';
  }
}

bool sp_identify(sp_host *host, size_t index, sp_identity *identity, char *error, size_t capacity) {
  sp_profile known = {.name = "core"};
  inquiry q = {host, index, {sp_host_kernel(host, index), &known, SP_PROBE_KEYS}, {0}, 0};
  *identity = (sp_identity){0};
  for (sp_question question = 0; question < SP_N_QUESTIONS; question++) {
    sp_reply *reply = &identity->reply[question];
    if (!ask_question(&q, question, reply)) {
      snprintf(error, capacity, "%s", q.incident.text[0] ? q.incident.text : "out of memory");
      return false;
    }
    if (is_answered(reply)) known.conventions.answer[question] = (unsigned char)reply->answer;
    identity->n_answered += is_answered(reply);
  }
  score(identity);
  compose(identity);
  return true;
}
