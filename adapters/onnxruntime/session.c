/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions and tensors of ONNX Runtime. */
#include "adapters/onnxruntime/session.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* The kept session and what it was made from; the lock is held while it runs. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static ort_session *kept;
static uint8_t kept_model[ORT_MAX_MODEL];
static size_t kept_size;
static int kept_threads;

static size_t type_size(ort_type type) {
  return type == ORT_F16 ? 2 : 4;
}

static ort_status *create_session(const ort_api *ort, const uint8_t *model, size_t size,
                                  int n_threads, ort_session **session) {
  ort_session_options *options = NULL;
  ort_status *status = ort->create_options(&options);
  if (status != NULL) return status;
  status = ort->set_intra_op_threads(options, n_threads);
  if (status == NULL) status = ort->set_inter_op_threads(options, 1);
  if (status == NULL) status = ort->create_session(ort->env, model, size, options, session);
  ort->release_options(options);
  return status;
}

static ort_status *use_session(const ort_api *ort, const uint8_t *model, size_t size,
                               int n_threads) {
  if (kept != NULL && kept_threads == n_threads && kept_size == size &&
      memcmp(kept_model, model, size) == 0)
    return NULL;
  if (kept != NULL) ort->release_session(kept);
  kept = NULL;
  ort_status *status = create_session(ort, model, size, n_threads, &kept);
  if (status != NULL) return status;
  memcpy(kept_model, model, size);
  kept_size = size;
  kept_threads = n_threads;
  return NULL;
}

static ort_status *wrap(const ort_api *ort, const ort_tensor *tensor, ort_value **value) {
  size_t size = type_size(tensor->type);
  for (size_t axis = 0; axis < tensor->n_axes; axis++) size *= (size_t)tensor->shape[axis];
  return ort->create_tensor(ort->cpu, tensor->data, size, tensor->shape, tensor->n_axes,
                            (int)tensor->type, value);
}

typedef struct ends {
  const char *names[ORT_MAX_ENDS];
  ort_value *values[ORT_MAX_ENDS];
  size_t n;
} ends;

static ort_status *wrap_all(const ort_api *ort, const ort_end *end, size_t n,
                            const ort_tensor *tensors, ends *to) {
  for (size_t i = 0; i < n; i++) {
    if (end[i].name[0] == '\0') continue;
    ort_status *status = wrap(ort, &tensors[to->n], &to->values[to->n]);
    if (status != NULL) return status;
    to->names[to->n++] = end[i].name;
  }
  return NULL;
}

static void release_all(const ort_api *ort, ends *e) {
  for (size_t i = 0; i < e->n; i++) ort->release_value(e->values[i]);
}

static ort_status *run(const ort_api *ort, const ort_operator *operation, const ort_tensor *inputs,
                       const ort_tensor *outputs) {
  ends in = {.n = 0}, out = {.n = 0};
  ort_status *status = wrap_all(ort, operation->inputs, operation->n_inputs, inputs, &in);
  if (status == NULL)
    status = wrap_all(ort, operation->outputs, operation->n_outputs, outputs, &out);
  if (status == NULL)
    status = ort->run(kept, NULL, in.names, (const ort_value *const *)in.values, in.n, out.names,
                      out.n, out.values);
  release_all(ort, &in);
  release_all(ort, &out);
  return status;
}

sp_status sp_ort_run(const ort_operator *operation, const ort_tensor *inputs,
                     const ort_tensor *outputs, int n_threads) {
  uint8_t model[ORT_MAX_MODEL];
  size_t size = sp_ort_model(operation, model);
  const ort_api *ort = sp_ort();
  if (ort == NULL || size == 0) return SP_INTERNAL;
  pthread_mutex_lock(&lock);
  ort_status *status = use_session(ort, model, size, n_threads);
  if (status == NULL) status = run(ort, operation, inputs, outputs);
  pthread_mutex_unlock(&lock);
  return sp_ort_translate(ort, status);
}

struct ort_plan {
  const ort_api *ort;
  ort_session *session;
  ends in, out;
};

sp_status sp_ort_plan(ort_plan **plan, const ort_operator *operation, const ort_tensor *inputs,
                      const ort_tensor *outputs, int n_threads) {
  uint8_t model[ORT_MAX_MODEL];
  size_t size = sp_ort_model(operation, model);
  const ort_api *ort = sp_ort();
  if (ort == NULL || size == 0) return SP_INTERNAL;
  ort_plan *p = calloc(1, sizeof *p);
  if (p == NULL) return SP_NOMEM;
  p->ort = ort;
  ort_status *status = create_session(ort, model, size, n_threads, &p->session);
  if (status == NULL)
    status = wrap_all(ort, operation->inputs, operation->n_inputs, inputs, &p->in);
  if (status == NULL)
    status = wrap_all(ort, operation->outputs, operation->n_outputs, outputs, &p->out);
  *plan = p;
  if (status == NULL) return SP_OK;
  sp_ort_plan_release(p);
  *plan = NULL;
  return sp_ort_translate(ort, status);
}

sp_status sp_ort_plan_run(ort_plan *p) {
  ort_status *status =
      p->ort->run(p->session, NULL, p->in.names, (const ort_value *const *)p->in.values, p->in.n,
                  p->out.names, p->out.n, p->out.values);
  return sp_ort_translate(p->ort, status);
}

void sp_ort_plan_release(ort_plan *p) {
  if (p == NULL) return;
  release_all(p->ort, &p->in);
  release_all(p->ort, &p->out);
  if (p->session != NULL) p->ort->release_session(p->session);
  free(p);
}
