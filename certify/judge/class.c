/* SPDX-License-Identifier: Apache-2.0 */
/* Reading accuracy classes. A class is text, so that it can stand in a kernel's descriptor, on a
 * command line and in a certificate; what it means is a table here, so that the text cannot mean
 * two things. Nothing unknown is skipped: a class that was misread would be a wrong verdict.
 * spec: NU-5, NU-6, NU-8 */
#include "certify/judge/accuracy.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certify/judge/class_constants.h"

typedef struct format {
  const char *name;
  double u;         /* unit roundoff, 2^-p */
  double subnormal; /* least positive value */
  double normal;    /* least normal value */
} format;

static const format formats[] = {
    {"f64", SP_FORMAT_F64},
    {"f32", SP_FORMAT_F32},
    {"f16", SP_FORMAT_F16},
    {"bf16", SP_FORMAT_BF16},
};

typedef struct base {
  const char *name;
  sp_class_kind kind;
  sp_depth depth;
  double c_z, c_l;
} base;

static const base bases[] = {
    {"cr", SP_CLASS_CR, SP_DEPTH_DEEP, 0, 0},
    {"faithful", SP_CLASS_FAITHFUL, SP_DEPTH_DEEP, 0, 0},
    {"w-deep", SP_CLASS_MODEL, SP_DEPTH_DEEP, 0, 0},
    {"w-lane16", SP_CLASS_MODEL, SP_DEPTH_LANE16, 0, 0},
    {"w-seq", SP_CLASS_MODEL, SP_DEPTH_SEQ, 0, 0},
    {"w-loose", SP_CLASS_MODEL, SP_DEPTH_SEQ, SP_CLASS_C_Z_LOOSE, SP_CLASS_C_L_LOOSE},
};

/* The keys, and for those whose value is a format, which formats make sense. */
enum {
  KEY_U,
  KEY_TILE,
  KEY_EXP,
  KEY_ACC,
  KEY_P,
  KEY_QK,
  KEY_LOGIT,
  KEY_FLUSH,
  KEY_ANGLE,
  KEY_RK,
  N_KEYS
};
static const char *const keys[N_KEYS] = {"u",  "tile",  "exp",   "acc",   "p",
                                         "qk", "logit", "flush", "angle", "rk"};
static const char *const key_formats[N_KEYS] = {
    [KEY_U] = "f64 f32 f16 bf16", [KEY_ACC] = "f64 f32 f16 bf16", [KEY_P] = "f32 f16 bf16",
    [KEY_QK] = "f16 bf16",        [KEY_LOGIT] = "f16 bf16",       [KEY_ANGLE] = "f64 f32",
    [KEY_RK] = "f32 f16 bf16"};

enum { MAX_TILE = 1 << 20, MIN_EXP = -60, MAX_EXP = -4 };

typedef struct parser {
  sp_class cls;
  bool given[N_KEYS];
  char *error;
  size_t capacity;
} parser;

__attribute__((format(printf, 2, 3))) static bool refuse(parser *p, const char *sentence, ...) {
  va_list arguments;
  va_start(arguments, sentence);
  if (p->capacity > 0) (void)vsnprintf(p->error, p->capacity, sentence, arguments);
  va_end(arguments);
  return false;
}

static bool is(const char *text, size_t length, const char *name) {
  return strlen(name) == length && memcmp(text, name, length) == 0;
}

static bool listed(const char *list, const char *text, size_t length) {
  while (*list != '\0') {
    size_t word = strcspn(list, " ");
    if (word == length && memcmp(list, text, length) == 0) return true;
    list += word + (list[word] == ' ');
  }
  return false;
}

/* A whole number in [least, most], without sign characters other than one '-'. */
static bool read_number(const char *text, size_t length, long least, long most, long *number) {
  char digits[16];
  if (length == 0 || length >= sizeof digits) return false;
  memcpy(digits, text, length);
  digits[length] = '\0';
  size_t sign = digits[0] == '-';
  if (length == sign || strspn(digits + sign, "0123456789") != length - sign) return false;
  *number = strtol(digits, NULL, 10);
  return *number >= least && *number <= most;
}

static bool read_format(parser *p, size_t key, const char *text, size_t length) {
  if (!listed(key_formats[key], text, length)) {
    return refuse(p, "class: %s=%.*s: expected one of %s", keys[key], (int)length, text,
                  key_formats[key]);
  }
  const format *f = formats;
  while (!is(text, length, f->name)) f++;
  double *field[N_KEYS] = {
      [KEY_U] = &p->cls.u,     [KEY_ACC] = &p->cls.u_acc,     [KEY_P] = &p->cls.u_p,
      [KEY_QK] = &p->cls.u_qk, [KEY_LOGIT] = &p->cls.u_logit, [KEY_ANGLE] = &p->cls.u_angle,
      [KEY_RK] = &p->cls.u_rk};
  *field[key] = f->u;
  return true;
}

static bool read_flush(parser *p, const char *text, size_t length) {
  bool both = is(text, length, "both");
  p->cls.flush_inputs = both || is(text, length, "in");
  p->cls.flush_outputs = both || is(text, length, "out");
  if (p->cls.flush_inputs || p->cls.flush_outputs || is(text, length, "none")) return true;
  return refuse(p, "class: flush=%.*s: expected none, in, out or both", (int)length, text);
}

static bool read_value(parser *p, size_t key, const char *text, size_t length) {
  long number = 0;
  if (key_formats[key] != NULL) return read_format(p, key, text, length);
  if (key == KEY_FLUSH) return read_flush(p, text, length);
  if (key == KEY_TILE) {
    if (!read_number(text, length, 1, MAX_TILE, &number)) {
      return refuse(p, "class: tile=%.*s: expected a number of keys from 1 to %d", (int)length,
                    text, MAX_TILE);
    }
    p->cls.tile = (unsigned)number;
    return true;
  }
  if (!read_number(text, length, MIN_EXP, MAX_EXP, &number)) {
    return refuse(p, "class: exp=%.*s: expected the exponent of 2 of a log-error, %d to %d",
                  (int)length, text, MIN_EXP, MAX_EXP);
  }
  p->cls.eps_exp = ldexp(1.0, (int)number);
  return true;
}

/* One "key=value". */
static bool read_setting(parser *p, const char *text, size_t length) {
  const char *equals = memchr(text, '=', length);
  size_t name = equals == NULL ? length : (size_t)(equals - text);
  size_t key = 0;
  while (key < N_KEYS && !is(text, name, keys[key])) key++;
  if (key == N_KEYS) return refuse(p, "class: unknown key \"%.*s\"", (int)name, text);
  if (equals == NULL) return refuse(p, "class: %s has no value", keys[key]);
  if (p->given[key]) return refuse(p, "class: %s is given twice", keys[key]);
  if (p->cls.kind != SP_CLASS_MODEL && key != KEY_FLUSH) {
    return refuse(p, "class: %s means nothing for a correctly rounded or faithful kernel",
                  keys[key]);
  }
  p->given[key] = true;
  return read_value(p, key, equals + 1, length - name - 1);
}

static bool read_name(parser *p, const char *text, size_t length) {
  bool base2 = length > 3 && memcmp(text + length - 3, "-b2", 3) == 0;
  size_t name = base2 ? length - 3 : length;
  for (size_t i = 0; i < sizeof bases / sizeof bases[0]; i++) {
    if (!is(text, name, bases[i].name)) continue;
    if (base2 && bases[i].kind != SP_CLASS_MODEL) {
      return refuse(p, "class: %s has no -b2 form", bases[i].name);
    }
    p->cls.kind = bases[i].kind;
    p->cls.depth = bases[i].depth;
    p->cls.c_d = base2 ? SP_CLASS_C_D_BASE2 : SP_CLASS_C_D;
    p->cls.c_z = bases[i].c_z;
    p->cls.c_l = bases[i].c_l;
    return true;
  }
  return refuse(p,
                "class: unknown name \"%.*s\": expected cr, faithful, w-deep, w-lane16, w-seq "
                "or w-loose",
                (int)length, text);
}

/* Everything that depends on more than one key. */
static void complete(sp_class *cls, const bool given[N_KEYS]) {
  if (!given[KEY_U]) cls->u = 0x1p-24;           /* f32 */
  if (!given[KEY_ANGLE]) cls->u_angle = 0x1p-53; /* f64 */
  if (!given[KEY_ACC]) cls->u_acc = cls->u;
  if (!given[KEY_EXP]) cls->eps_exp = SP_CLASS_EPS * cls->u; /* one ulp */
  cls->c_norm = SP_CLASS_C_NORM;                             /* reciprocal (at most 2), multiply */
  cls->eta = sp_class_underflow(cls, cls->u);
  /* Online in base 2, each tile subtracts its own rounded m·log2(e), and a rescale rounds a
   * difference, a product and the constant: u·(2(m_t - x) + 3(M - m_t) + |m_t|), and
   * |m_t| <= |x| + (m_t - x). Without the |x| honest kernels fail on shifted rows. */
  if (cls->c_d > 1 && cls->tile > 0) {
    cls->c_d = SP_CLASS_C_D_BASE2_ONLINE;
    cls->c_z = SP_CLASS_C_Z_BASE2_ONLINE;
  }
}

bool sp_class_parse(const char *text, sp_class *out, char *error, size_t capacity) {
  parser p = {.error = error, .capacity = capacity};
  size_t length = strlen(text);
  if (length >= sizeof p.cls.text) {
    return refuse(&p, "class: longer than %zu characters", sizeof p.cls.text - 1);
  }
  memcpy(p.cls.text, text, length + 1);
  size_t name = strcspn(text, ":");
  if (!read_name(&p, text, name)) return false;
  for (const char *at = text + name; *at != '\0';) {
    at++; /* the ':' or ',' before a setting */
    size_t setting = strcspn(at, ",");
    if (!read_setting(&p, at, setting)) return false;
    at += setting;
  }
  complete(&p.cls, p.given);
  *out = p.cls;
  return true;
}

double sp_class_underflow(const sp_class *cls, double u) {
  for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
    if (formats[i].u != u) continue;
    return cls->flush_inputs || cls->flush_outputs ? formats[i].normal : formats[i].subnormal;
  }
  return 0; /* u == 0: no such rounding */
}

double sp_class_rescales(const sp_class *cls, size_t n) {
  return cls->tile == 0 ? 0 : (double)(n / cls->tile + (n % cls->tile != 0));
}

double sp_class_height(const sp_class *cls, size_t n) {
  double rescales = SP_CLASS_RESCALE * sp_class_rescales(cls, n);
  if (cls->depth == SP_DEPTH_SEQ) return (double)n + SP_CLASS_SEQ_BASE + rescales;
  if (cls->depth == SP_DEPTH_LANE16)
    return (double)(n / SP_CLASS_LANES + (n % SP_CLASS_LANES != 0)) + SP_CLASS_LANES_BASE +
           rescales;
  unsigned bits = 0; /* ceil(log2(n + 1)): the length of n in binary */
  for (size_t rest = n; rest != 0; rest >>= 1) bits++;
  return SP_CLASS_DEEP_BASE + (double)bits + rescales;
}

bool sp_class_unbounded(const sp_class *cls, size_t n) {
  if (cls->kind != SP_CLASS_MODEL) return false;
  return sp_class_height(cls, n) * fmax(cls->u, cls->u_acc) >= 1;
}
