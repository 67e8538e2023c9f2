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

static void take_slots(const slot *table) {
  api.error_code = (int (*)(const ort_status *))table[GET_ERROR_CODE];
  api.create_env = (ort_status * (*)(int, const char *, ort_env **)) table[CREATE_ENV];
  api.create_session =
      (ort_status * (*)(const ort_env *, const void *, size_t, const ort_session_options *,
                        ort_session **)) table[CREATE_SESSION_FROM_ARRAY];
  api.run =
      (ort_status * (*)(ort_session *, const void *, const char *const *, const ort_value *const *,
                        size_t, const char *const *, size_t, ort_value **)) table[RUN];
  api.create_options = (ort_status * (*)(ort_session_options **)) table[CREATE_SESSION_OPTIONS];
  api.set_intra_op_threads =
      (ort_status * (*)(ort_session_options *, int)) table[SET_INTRA_OP_NUM_THREADS];
  api.set_inter_op_threads =
      (ort_status * (*)(ort_session_options *, int)) table[SET_INTER_OP_NUM_THREADS];
  api.create_tensor = (ort_status * (*)(const ort_memory_info *, void *, size_t, const int64_t *,
                                        size_t, int, ort_value **)) table[CREATE_TENSOR_WITH_DATA];
  api.create_cpu_memory_info =
      (ort_status * (*)(int, int, ort_memory_info **)) table[CREATE_CPU_MEMORY_INFO];
  api.release_status = (void (*)(ort_status *))table[RELEASE_STATUS];
  api.release_session = (void (*)(ort_session *))table[RELEASE_SESSION];
  api.release_value = (void (*)(ort_value *))table[RELEASE_VALUE];
  api.release_options = (void (*)(ort_session_options *))table[RELEASE_SESSION_OPTIONS];
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
