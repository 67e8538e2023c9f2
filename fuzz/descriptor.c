/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of KC-1 are stated here a second time, as what may be accepted; the reader must agree.
 * What lies behind a struct's own size is hostile, and must not be read. What was accepted is used
 * as a run would use it: no case may ask for what the descriptor does not offer. spec: KC-1, KC-2 */
#include "fuzz/descriptor.h"

#include <string.h>

#include "certify/gen/gen.h"
#include "certify/judge/accuracy.h"
#include "fuzz/decode.h"
#include "fuzz/element.h"
#include "fuzz/poison.h"

enum { TEXT = 128, HOSTILE = 0xAB, CASE_AT = 64 };

/* A descriptor and all that it points to. */
typedef struct made {
  sp_kernel kernel;
  sp_cache_ops cache;
  sp_prepare_ops prepare;
  char name[TEXT], version[TEXT], accuracy_class[TEXT];
} made;

/* ---- operations that nobody calls ---- */

static sp_status softmax(const sp_softmax_call *call) {
  (void)call;
  return SP_UNSUPPORTED;
}
static sp_status attention(const sp_attention_call *call) {
  (void)call;
  return SP_UNSUPPORTED;
}
static sp_status open_cache(sp_cache **cache, const sp_cache_config *config) {
  (void)cache;
  (void)config;
  return SP_UNSUPPORTED;
}
static sp_status use_cache(sp_cache *cache, const sp_cache_call *call) {
  (void)cache;
  (void)call;
  return SP_UNSUPPORTED;
}
static sp_status visible(sp_cache *cache, uint64_t sequence, uint64_t *token, uint64_t capacity,
                         uint64_t *n) {
  (void)cache;
  (void)sequence;
  (void)token;
  (void)capacity;
  (void)n;
  return SP_UNSUPPORTED;
}
static void close_cache(sp_cache *cache) {
  (void)cache;
}
static sp_status truncate_stream(sp_cache *cache, uint64_t sequence, uint64_t n_tokens) {
  (void)cache;
  (void)sequence;
  (void)n_tokens;
  return SP_UNSUPPORTED;
}
static const char *path(void) {
  return "";
}
static sp_status prepare_softmax(sp_prepared **prepared, const sp_softmax_call *call) {
  (void)prepared;
  (void)call;
  return SP_UNSUPPORTED;
}
static sp_status prepare_attention(sp_prepared **prepared, const sp_attention_call *call) {
  (void)prepared;
  (void)call;
  return SP_UNSUPPORTED;
}
static sp_status run(sp_prepared *prepared) {
  (void)prepared;
  return SP_UNSUPPORTED;
}
static void release(sp_prepared *prepared) {
  (void)prepared;
}

/* ---- bytes to descriptor ---- */

typedef struct input {
  const uint8_t *data;
  size_t size;
} input;

static uint8_t byte(const input *in, size_t at) {
  return at < in->size ? in->data[at] : 0;
}

static uint64_t number(const input *in, size_t at, size_t bytes) {
  uint64_t n = 0;
  for (size_t i = 0; i < bytes; i++) n |= (uint64_t)byte(in, at + i) << 8 * i;
  return n;
}

/* Small differences at and about what is right, and any other number. */
static uint32_t near(uint32_t right, uint8_t code, uint32_t other) {
  return code == 0x80 ? other : code < 0x80 ? right + code : right + code - 256u;
}

/* Text of the input's own, or what is right. The text lies at the end of its place. */
static const char *text(const input *in, size_t at, char place[TEXT], const char *right) {
  size_t length = byte(in, at) % TEXT;
  if (length == 0) return strcpy(place, right);
  char *start = place + TEXT - 1 - length;
  for (size_t i = 0; i < length; i++) start[i] = (char)byte(in, at + 1 + i);
  place[TEXT - 1] = '\0';
  return start;
}

static void make_cache(const input *in, sp_cache_ops *ops) {
  uint8_t absent = byte(in, 1);
  *ops = (sp_cache_ops){.size = near(sizeof *ops, byte(in, 4), (uint32_t)number(in, 8, 4)),
                        .open = absent & 1 ? NULL : open_cache,
                        .append = absent & 2 ? NULL : use_cache,
                        .attend = absent & 4 ? NULL : use_cache,
                        .visible = absent & 8 ? NULL : visible,
                        .close = absent & 16 ? NULL : close_cache,
                        .truncate = absent & 32 ? NULL : truncate_stream};
}

static void make_prepare(const input *in, sp_prepare_ops *ops) {
  uint8_t absent = byte(in, 2);
  *ops = (sp_prepare_ops){.size = near(sizeof *ops, byte(in, 5), (uint32_t)number(in, 12, 4)),
                          .softmax = absent & 1 ? NULL : prepare_softmax,
                          .attention = absent & 2 ? NULL : prepare_attention,
                          .run = absent & 4 ? NULL : run,
                          .release = absent & 8 ? NULL : release};
}

static void make(const input *in, made *m) {
  uint8_t absent = byte(in, 0);
  make_cache(in, &m->cache);
  make_prepare(in, &m->prepare);
  m->kernel = (sp_kernel){.size = near(sizeof m->kernel, byte(in, 3), (uint32_t)number(in, 16, 4)),
                          .abi_major = near(SP_ABI_MAJOR, byte(in, 6), (uint32_t)number(in, 20, 4)),
                          .abi_minor = near(SP_ABI_MINOR, byte(in, 7), (uint32_t)number(in, 20, 4)),
                          .claims = (uint32_t)number(in, 24, 4),
                          .options = ~number(in, 28, 8),
                          .dtypes_softmax = 30 ^ (uint32_t)number(in, 36, 4),
                          .dtypes_q = 30 ^ (uint32_t)number(in, 40, 4),
                          .dtypes_kv = 30 ^ (uint32_t)number(in, 44, 4),
                          .max_n = number(in, 48, 8),
                          .softmax = absent & 8 ? NULL : softmax,
                          .attention = absent & 16 ? NULL : attention,
                          .cache = absent & 32 ? NULL : &m->cache,
                          .path = absent & 64 ? NULL : path,
                          .prepare = absent & 128 ? NULL : &m->prepare};
  size_t at = CASE_AT;
  m->kernel.name = absent & 1 ? NULL : text(in, at, m->name, "some-kernel");
  at += 1 + byte(in, at) % TEXT;
  m->kernel.version = absent & 2 ? NULL : text(in, at, m->version, "1");
  at += 1 + byte(in, at) % TEXT;
  m->kernel.accuracy_class = absent & 4 ? NULL : text(in, at, m->accuracy_class, "w-seq");
}

/* From the struct's own size on there is nothing to be read. */
static void wall(void *at, size_t size, size_t whole) {
  if (size < 4) size = 4; /* the size itself */
  if (size >= whole) return;
  memset((char *)at + size, HOSTILE, whole - size);
  sp_fuzz_poison((char *)at + size, whole - size);
}

static void set_walls(made *m) {
  wall(&m->kernel, m->kernel.size, sizeof m->kernel);
  wall(&m->cache, m->cache.size, sizeof m->cache);
  wall(&m->prepare, m->prepare.size, sizeof m->prepare);
}

/* ---- what may be accepted ---- */

#define LEAST_SIZE offsetof(sp_kernel, softmax)
#define MOST_SIZE  (1u << 20)

/* A field that ends within the struct's own size. */
#define THERE(k, field) ((k)->size >= offsetof(sp_kernel, field) + sizeof((k)->field))

static bool is_printable(const char *s, size_t capacity) {
  size_t length = 0;
  for (; s != NULL && s[length] != '\0'; length++)
    if (s[length] < ' ' || s[length] > '~') return false;
  return length < capacity;
}

static bool is_name(const char *s) {
  size_t length = 0;
  for (; s != NULL && s[length] != '\0'; length++) {
    char c = s[length];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!letter && !(c >= '0' && c <= '9') && c != '.' && c != '_' && c != '-') return false;
  }
  return length > 0 && length < 64;
}

static bool cache_is_whole(const sp_cache_ops *ops) {
  if (ops->size < sizeof *ops || ops->size > MOST_SIZE) return false;
  return ops->open && ops->append && ops->attend && ops->visible && ops->close;
}

static bool prepare_is_whole(const sp_prepare_ops *ops) {
  return ops->size >= sizeof *ops && ops->size <= MOST_SIZE && ops->run && ops->release;
}

/* No struct of ours ends within a pointer. */
static bool is_acceptable(const sp_kernel *k) {
  if (k->size % sizeof(void *) != 0) return false;
  if (k->size < LEAST_SIZE || k->size > MOST_SIZE || k->abi_major != SP_ABI_MAJOR) return false;
  if (!is_name(k->name) || !is_printable(k->version, 64)) return false;
  if (!is_printable(k->accuracy_class, 96)) return false;
  bool any = (THERE(k, softmax) && k->softmax) || (THERE(k, attention) && k->attention) ||
             (THERE(k, cache) && k->cache);
  if (THERE(k, cache) && k->cache && !cache_is_whole(k->cache)) return false;
  if (THERE(k, prepare) && k->prepare && !prepare_is_whole(k->prepare)) return false;
  return any;
}

/* ---- what was accepted ---- */

static const char *check_copy(const sp_kernel *theirs, const sp_kernel *kernel,
                              const sp_descriptor *d) {
  size_t own = theirs->size < sizeof *kernel ? theirs->size : sizeof *kernel;
  const unsigned char *bytes = (const unsigned char *)kernel;
  if (memcmp(kernel, theirs, own) != 0) return "a field of the copy differs";
  for (size_t i = own; i < sizeof *kernel; i++)
    if (bytes[i] != 0) return "a field beyond the descriptor's own size is not absent";
  if (strcmp(d->name, kernel->name) != 0) return "the name differs";
  if (d->softmax != (kernel->softmax != NULL) || d->attention != (kernel->attention != NULL) ||
      d->cache != (kernel->cache != NULL))
    return "an operation is told that is not there, or not one that is";
  if (d->options != kernel->options || d->max_n != kernel->max_n || d->claims != kernel->claims)
    return "an option is told that is not offered";
  return NULL;
}

static const char *check_case(const sp_case *c, const sp_kernel *kernel) {
  const char *error = sp_case_error(c);
  if (error != NULL) return error;
  return sp_case_offered(c, kernel) ? NULL : "a case asks for what is not offered";
}

/* As certify/run/plan.c has it. */
static bool is_planned(const sp_generator *generator, const sp_kernel *kernel, sp_op op) {
  const bool there[SP_N_OPS] = {kernel->softmax != NULL, kernel->attention != NULL,
                                kernel->cache != NULL};
  return there[op] && (generator->ops >> op & 1u) && (generator->needs & ~kernel->options) == 0;
}

/* A case of the fuzzer's, and one of a generator's. */
static const char *check_use(const sp_kernel *kernel, const input *in) {
  sp_fuzz_offer offer = sp_fuzz_offer_of(&kernel, 1, UINT32_MAX);
  const char *wrong = NULL;
  sp_case c;
  if (offer.ops != 0 && sp_fuzz_decode(&c, in->data, in->size, &offer)) {
    wrong = check_case(&c, kernel);
    sp_case_clear(&c);
  }
  if (wrong != NULL) return wrong;
  size_t n = 0;
  const sp_generator *generators = sp_generators(&n);
  const sp_generator *generator = &generators[number(in, 56, 2) % n];
  sp_generator_request request;
  sp_request_for(&request, kernel);
  request.generator = generator->name;
  request.op = (sp_op)(byte(in, 58) % SP_N_OPS);
  request.seed = 1;
  request.index = byte(in, 59);
  if (!is_planned(generator, kernel, request.op) || !sp_case_make(&c, &request)) return NULL;
  wrong = check_case(&c, kernel);
  sp_case_clear(&c);
  return wrong;
}

static const char *check_class(const char *name) {
  sp_class cls;
  char why[200] = "";
  if (sp_class_parse(name, &cls, why, sizeof why) || why[0] != '\0') return NULL;
  return "an accuracy class is refused without a reason";
}

const char *sp_fuzz_descriptor(sp_fuzz_reader reader, const uint8_t *data, size_t size) {
  static made m;
  static sp_load_report load;
  static sp_descriptor d;
  const input in = {data, size};
  sp_kernel kernel;
  sp_fuzz_unpoison(&m, sizeof m);
  make(&in, &m);
  bool acceptable = is_acceptable(&m.kernel);
  set_walls(&m);
  load.error[0] = '\0';
  bool accepted = reader(&m.kernel, &kernel, &d, &load, 0);
  sp_fuzz_unpoison(&m, sizeof m);
  if (accepted && !acceptable) return "a descriptor that is none was accepted";
  if (!accepted && acceptable) return "a descriptor with nothing wrong was refused";
  if (!accepted) return load.error[0] != '\0' ? NULL : "a descriptor was refused without a reason";
  const char *wrong = check_copy(&m.kernel, &kernel, &d);
  if (wrong == NULL) wrong = check_class(d.accuracy_class);
  return wrong != NULL ? wrong : check_use(&kernel, &in);
}
