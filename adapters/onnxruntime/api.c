/* SPDX-License-Identifier: Apache-2.0 */
/* Opening ONNX Runtime's function table. */
#include "adapters/onnxruntime/api.h"

#include <pthread.h>

typedef void (*slot)(void);

typedef struct api_base {
  const slot *(*get_api)(uint32_t version);
  const char *(*get_version)(void);
} api_base;

extern const api_base *OrtGetApiBase(void);

/* Places in the table. */
enum {
  GET_ERROR_CODE = 1,
  CREATE_ENV = 3,
  CREATE_SESSION_FROM_ARRAY = 8,
  RUN = 9,
  CREATE_SESSION_OPTIONS = 10,
  SET_INTRA_OP_NUM_THREADS = 24,
  SET_INTER_OP_NUM_THREADS = 25,
  CREATE_TENSOR_WITH_DATA = 49,
  CREATE_CPU_MEMORY_INFO = 69,
  RELEASE_STATUS = 93,
  RELEASE_SESSION = 95,
  RELEASE_VALUE = 96,
  RELEASE_SESSION_OPTIONS = 100
};

/* Arguments and answers of the library. */
enum {
  API_VERSION = 16, /* any version whose table reaches slot 100 */
  LOG_FATAL = 4,
  ARENA_ALLOCATOR = 1,
  DEFAULT_MEMORY = 0,
  CODE_INVALID_ARGUMENT = 2,
  CODE_NOT_IMPLEMENTED = 9
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static ort_api api;
static bool ready;

/* A function of the table with the signature that api.h gives it. */
#define TAKE(function, place) api.function = (__typeof__(api.function))table[place]

static void take_slots(const slot *table) {
  TAKE(error_code, GET_ERROR_CODE);
  TAKE(create_env, CREATE_ENV);
  TAKE(create_session, CREATE_SESSION_FROM_ARRAY);
  TAKE(run, RUN);
  TAKE(create_options, CREATE_SESSION_OPTIONS);
  TAKE(set_intra_op_threads, SET_INTRA_OP_NUM_THREADS);
  TAKE(set_inter_op_threads, SET_INTER_OP_NUM_THREADS);
  TAKE(create_tensor, CREATE_TENSOR_WITH_DATA);
  TAKE(create_cpu_memory_info, CREATE_CPU_MEMORY_INFO);
  TAKE(release_status, RELEASE_STATUS);
  TAKE(release_session, RELEASE_SESSION);
  TAKE(release_value, RELEASE_VALUE);
  TAKE(release_options, RELEASE_SESSION_OPTIONS);
}

static bool succeeded(ort_status *status) {
  if (status == NULL) return true;
  api.release_status(status);
  return false;
}

static void start(void) {
  const slot *table = OrtGetApiBase()->get_api(API_VERSION);
  if (table == NULL) return;
  take_slots(table);
  ready = succeeded(api.create_env(LOG_FATAL, "sinkproof", &api.env)) &&
          succeeded(api.create_cpu_memory_info(ARENA_ALLOCATOR, DEFAULT_MEMORY, &api.cpu));
}

const ort_api *sp_ort(void) {
  pthread_once(&once, start);
  return ready ? &api : NULL;
}

const char *sp_ort_version(void) {
  return OrtGetApiBase()->get_version();
}

sp_status sp_ort_translate(const ort_api *ort, ort_status *status) {
  if (status == NULL) return SP_OK;
  int code = ort->error_code(status);
  ort->release_status(status);
  bool declined = code == CODE_INVALID_ARGUMENT || code == CODE_NOT_IMPLEMENTED;
  return declined ? SP_UNSUPPORTED : SP_INTERNAL;
}
