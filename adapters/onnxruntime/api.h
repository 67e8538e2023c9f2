/* SPDX-License-Identifier: Apache-2.0 */
/* The part of ONNX Runtime's C interface that is used here, declared by hand.
 *
 * The Python wheel brings libonnxruntime.so but no header. It exports one function, OrtGetApiBase,
 * which leads to a table of functions whose order is frozen: new ones are only ever added at its
 * end. So a function is a place in that table and a signature, and thirteen of them are enough. */
#ifndef SINKPROOF_ADAPTERS_ONNXRUNTIME_API_H
#define SINKPROOF_ADAPTERS_ONNXRUNTIME_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sinkproof/kernel.h"

typedef struct ort_status ort_status;
typedef struct ort_env ort_env;
typedef struct ort_session ort_session;
typedef struct ort_session_options ort_session_options;
typedef struct ort_memory_info ort_memory_info;
typedef struct ort_value ort_value;

/* ONNX element types (TensorProto.DataType), the same numbers in models and in tensors. */
typedef enum ort_type { ORT_F32 = 1, ORT_I32 = 6, ORT_F16 = 10 } ort_type;

/* A NULL status is success; any other is released by its receiver. */
typedef struct ort_api {
  int (*error_code)(const ort_status *status);
  ort_status *(*create_env)(int log_level, const char *name, ort_env **env);
  ort_status *(*create_session)(const ort_env *env, const void *model, size_t size,
                                const ort_session_options *options, ort_session **session);
  ort_status *(*run)(ort_session *session, const void *run_options, const char *const *input_names,
                     const ort_value *const *inputs, size_t n_inputs,
                     const char *const *output_names, size_t n_outputs, ort_value **outputs);
  ort_status *(*create_options)(ort_session_options **options);
  ort_status *(*set_intra_op_threads)(ort_session_options *options, int n_threads);
  ort_status *(*set_inter_op_threads)(ort_session_options *options, int n_threads);
  ort_status *(*create_tensor)(const ort_memory_info *info, void *data, size_t size,
                               const int64_t *shape, size_t n_axes, int type, ort_value **value);
  ort_status *(*create_cpu_memory_info)(int allocator, int memory, ort_memory_info **info);
  void (*release_status)(ort_status *status);
  void (*release_session)(ort_session *session);
  void (*release_value)(ort_value *value);
  void (*release_options)(ort_session_options *options);
  ort_env *env;
  ort_memory_info *cpu;
} ort_api;

/* The table, with an environment and the CPU's memory in it; NULL if the library is too old or does
 * not start. Made once. */
const ort_api *sp_ort(void);

const char *sp_ort_version(void);

/* Consume a status: SP_UNSUPPORTED for what the library declines, SP_INTERNAL for the rest. */
sp_status sp_ort_translate(const ort_api *ort, ort_status *status);

#endif
