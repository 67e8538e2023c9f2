/* SPDX-License-Identifier: Apache-2.0 */
/* An ONNX model of a single operator, written as the few hundred bytes of protobuf that it is. */
#ifndef SINKPROOF_ADAPTERS_ONNXRUNTIME_MODEL_H
#define SINKPROOF_ADAPTERS_ONNXRUNTIME_MODEL_H

#include "adapters/onnxruntime/api.h"

enum { ORT_MAX_ENDS = 12, ORT_MAX_ATTRIBUTES = 8, ORT_MAX_MODEL = 2048 };

/* An input or output. An input whose name is empty is left out: optional inputs are known by their
 * place. */
typedef struct ort_end {
  const char *name;
  ort_type type;
} ort_end;

typedef struct ort_attribute {
  const char *name;
  bool is_float;
  float f;
  int64_t i;
} ort_attribute;

typedef struct ort_operator {
  const char *domain; /* "" is ONNX's own */
  const char *type;
  int64_t version; /* of the operator set */
  ort_end inputs[ORT_MAX_ENDS];
  size_t n_inputs;
  ort_end outputs[ORT_MAX_ENDS];
  size_t n_outputs;
  ort_attribute attributes[ORT_MAX_ATTRIBUTES];
  size_t n_attributes;
} ort_operator;

/* The serialised model; returns its size, 0 if it does not fit. */
size_t sp_ort_model(const ort_operator *operation, uint8_t out[ORT_MAX_MODEL]);

#endif
