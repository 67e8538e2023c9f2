/* SPDX-License-Identifier: Apache-2.0 */
/* Encoding a one-node ONNX model. Protobuf needs three things here: variable-length integers, four
 * bytes of a float, and length-prefixed strings of bytes, which nested messages are as well. */
#include "adapters/onnxruntime/model.h"

#include <string.h>

typedef struct bytes {
  uint8_t data[ORT_MAX_MODEL];
  size_t n;
  bool full;
} bytes;

/* Field numbers of onnx.proto, by message. */
enum { MODEL_IR_VERSION = 1, MODEL_GRAPH = 7, MODEL_OPSET = 8 };
enum { OPSET_DOMAIN = 1, OPSET_VERSION = 2 };
enum { GRAPH_NODE = 1, GRAPH_NAME = 2, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12 };
enum { NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_TYPE = 4, NODE_ATTRIBUTE = 5, NODE_DOMAIN = 7 };
enum { ATTRIBUTE_NAME = 1, ATTRIBUTE_F = 2, ATTRIBUTE_I = 3, ATTRIBUTE_TYPE = 20 };
enum { VALUE_NAME = 1, VALUE_TYPE = 2, TYPE_TENSOR = 1, TENSOR_ELEMENT = 1 };
enum { WIRE_VARINT = 0, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };
enum { IR_VERSION = 8, TYPE_FLOAT = 1, TYPE_INT = 2 };

static void put(bytes *b, const void *data, size_t n) {
  b->full = b->full || n > sizeof b->data - b->n;
  if (b->full) return;
  memcpy(b->data + b->n, data, n);
  b->n += n;
}

static void put_varint(bytes *b, uint64_t x) {
  for (; x >= 0x80; x >>= 7) put(b, &(uint8_t){(uint8_t)(x | 0x80)}, 1);
  put(b, &(uint8_t){(uint8_t)x}, 1);
}

static void put_tag(bytes *b, int field, int wire) {
  put_varint(b, (uint64_t)field << 3 | (uint64_t)wire);
}

static void put_integer(bytes *b, int field, int64_t x) {
  put_tag(b, field, WIRE_VARINT);
  put_varint(b, (uint64_t)x);
}

static void put_string(bytes *b, int field, const char *text) {
  put_tag(b, field, WIRE_BYTES);
  put_varint(b, strlen(text));
  put(b, text, strlen(text));
}

static void put_message(bytes *b, int field, const bytes *message) {
  put_tag(b, field, WIRE_BYTES);
  put_varint(b, message->n);
  put(b, message->data, message->n);
  b->full = b->full || message->full;
}

static void put_attribute(bytes *node, const ort_attribute *attribute) {
  bytes message = {.n = 0};
  put_string(&message, ATTRIBUTE_NAME, attribute->name);
  if (attribute->is_float) {
    put_tag(&message, ATTRIBUTE_F, WIRE_FIXED32);
    put(&message, &attribute->f, sizeof attribute->f);
  } else {
    put_integer(&message, ATTRIBUTE_I, attribute->i);
  }
  put_integer(&message, ATTRIBUTE_TYPE, attribute->is_float ? TYPE_FLOAT : TYPE_INT);
  put_message(node, NODE_ATTRIBUTE, &message);
}

static void put_node(bytes *graph, const ort_operator *operation) {
  bytes node = {.n = 0};
  for (size_t i = 0; i < operation->n_inputs; i++)
    put_string(&node, NODE_INPUT, operation->inputs[i].name);
  for (size_t i = 0; i < operation->n_outputs; i++)
    put_string(&node, NODE_OUTPUT, operation->outputs[i].name);
  put_string(&node, NODE_TYPE, operation->type);
  for (size_t i = 0; i < operation->n_attributes; i++)
    put_attribute(&node, &operation->attributes[i]);
  put_string(&node, NODE_DOMAIN, operation->domain);
  put_message(graph, GRAPH_NODE, &node);
}

/* Shapes are left open, so one model serves all. */
static void put_end(bytes *graph, int field, const ort_end *end) {
  bytes tensor = {.n = 0}, type = {.n = 0}, value = {.n = 0};
  if (end->name[0] == '\0') return;
  put_integer(&tensor, TENSOR_ELEMENT, end->type);
  put_message(&type, TYPE_TENSOR, &tensor);
  put_string(&value, VALUE_NAME, end->name);
  put_message(&value, VALUE_TYPE, &type);
  put_message(graph, field, &value);
}

size_t sp_ort_model(const ort_operator *operation, uint8_t out[ORT_MAX_MODEL]) {
  bytes model = {.n = 0}, opset = {.n = 0}, graph = {.n = 0};
  put_string(&opset, OPSET_DOMAIN, operation->domain);
  put_integer(&opset, OPSET_VERSION, operation->version);
  put_node(&graph, operation);
  put_string(&graph, GRAPH_NAME, "one");
  for (size_t i = 0; i < operation->n_inputs; i++)
    put_end(&graph, GRAPH_INPUT, &operation->inputs[i]);
  for (size_t i = 0; i < operation->n_outputs; i++)
    put_end(&graph, GRAPH_OUTPUT, &operation->outputs[i]);
  put_integer(&model, MODEL_IR_VERSION, IR_VERSION);
  put_message(&model, MODEL_GRAPH, &graph);
  put_message(&model, MODEL_OPSET, &opset);
  if (model.full) return 0;
  memcpy(out, model.data, model.n);
  return model.n;
}
