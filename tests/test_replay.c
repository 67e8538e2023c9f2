/* SPDX-License-Identifier: Apache-2.0 */
/* Replay lines and case files: what goes out comes back the same, and what a stranger wrote is
 * either a well-formed case or an error that names the place. tests: CT-4 */
#include "tests/asserts.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "certify/case/parse.h"
#include "certify/case/rng.h"
#include "tests/case_bits.h"

Suite *suite_replay(void);

/* ---- numbers ---- */

START_TEST(test_numbers) {
  static const struct {
    const char *text;
    bool ok;
    uint64_t value;
  } table[] = {{"0", true, 0},
               {"41", true, 41},
               {"0x9a77", true, 0x9a77},
               {"0xABcd", true, 0xabcd},
               {"18446744073709551615", true, UINT64_MAX},
               {"0xffffffffffffffff", true, UINT64_MAX},
               {"010", true, 10},
               {"18446744073709551616", false, 0},
               {"0x10000000000000000", false, 0},
               {"", false, 0},
               {"0x", false, 0},
               {"-1", false, 0},
               {"+1", false, 0},
               {" 1", false, 0},
               {"1 ", false, 0},
               {"1a", false, 0},
               {"0X10", false, 0}};
  for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
    uint64_t value = 77;
    bool ok = sp_parse_u64(table[i].text, strlen(table[i].text), &value);
    ck_assert_msg(ok == table[i].ok, "'%s'", table[i].text);
    ck_assert_uint_eq(value, ok ? table[i].value : 77);
  }
  uint64_t value = 0;
  ck_assert(sp_parse_hex("3f80", 4, 4, &value) && value == 0x3f80);
  ck_assert(!sp_parse_hex("3f8", 3, 4, &value) && !sp_parse_hex("3f80 ", 5, 4, &value));
}
END_TEST

/* ---- lines ---- */

START_TEST(test_line_round_trip) {
  size_t n = 0;
  const sp_generator *list = sp_generators(&n);
  for (size_t g = 0; g < n; g++)
    for (int op = 0; op < SP_N_OPS; op++) {
      if ((list[g].ops >> op & 1) == 0) continue;
      sp_generator_request request = request_all(&list[g], (sp_op)op, 1);
      request.seed = 0xfedcba9876543210u;
      request.max_n = 70000;
      request.dtypes_kv = SP_DTYPE_BIT(SP_F32) | SP_DTYPE_BIT(SP_F16);
      sp_case c;
      ck_assert(sp_case_make(&c, &request));
      char line[256];
      char error[256] = "";
      sp_case_line(&c, &request, line, sizeof line);
      sp_generator_request back = {0};
      ck_assert_msg(sp_case_parse_line(line, &back, error, sizeof error), "%s: %s", line, error);
      sp_case again;
      ck_assert(sp_case_make(&again, &back));
      ck_assert_uint_eq(case_digest(&again), case_digest(&c));
      ck_assert(back.options == request.options && back.max_n == request.max_n);
      sp_case_clear(&again);
      sp_case_clear(&c);
    }
}
END_TEST

#define GOOD                                                                                       \
  "op=attention gen=window-needle seed=0x9a77 index=41 options=0x3fffff softmax=0x1e q=0x1e "      \
  "kv=0x1e max_n=0"

/* Each error names the word that is wrong. */
START_TEST(test_line_errors) {
  static const char *const bad[][2] = {
      {GOOD " op=softmax", "'op=softmax' is given twice"},
      {GOOD " colour=1", "'colour=1' has an unknown key"},
      {GOOD " word", "'word' is not key=value"},
      {"op=dance", "'op=dance' is no operation"},
      {"op=", "'op=' is no operation"},
      {"gen=needle", "'gen=needle' is no generator"},
      {"gen=file", "'gen=file' is no generator"},
      {"seed=0xg", "'seed=0xg' is no 64-bit number"},
      {"index=-1", "'index=-1' is no 64-bit number"},
      {"options=18446744073709551616", "'options=18446744073709551616' is no 64-bit number"},
      {"kv=0x100000000", "'kv=0x100000000' is no 32-bit number"},
      {"=1", "'=1' has an unknown key"},
      {"op=attention gen=window-needle seed=1 index=1 q=2 kv=2 softmax=2 max_n=0", "needs op, gen"},
      {"", "needs op, gen"}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    char error[256] = "";
    sp_generator_request request = {.seed = 5};
    ck_assert(!sp_case_parse_line(bad[i][0], &request, error, sizeof error));
    ck_assert_msg(strstr(error, bad[i][1]) != NULL, "'%s' instead of '%s'", error, bad[i][1]);
    ck_assert(request.seed == 5 && request.generator == NULL);
  }
  char error[256] = "";
  sp_generator_request request = {0};
  ck_assert(sp_case_parse_line("  " GOOD "\n", &request, error, sizeof error));
  ck_assert_uint_eq(request.seed, 0x9a77);
  ck_assert_uint_eq(request.index, 41);
}
END_TEST

/* ---- files ---- */

static char path[] = "/tmp/sinkproof-case-XXXXXX";

static void open_path(void) {
  int fd = mkstemp(path);
  ck_assert_int_ge(fd, 0);
  close(fd);
}

static void close_path(void) {
  unlink(path);
}

START_TEST(test_file_round_trip) {
  open_path();
  size_t n = 0;
  const sp_generator *list = sp_generators(&n);
  for (size_t g = 0; g < n; g++)
    for (int op = 0; op < SP_N_OPS; op++)
      for (uint64_t i = 0; (list[g].ops >> op & 1) != 0 && i < 12; i += 3) {
        sp_generator_request request = request_all(&list[g], (sp_op)op, i);
        sp_case c;
        sp_case back;
        char error[256] = "";
        if (!sp_case_make(&c, &request)) continue;
        ck_assert_msg(sp_case_write(&c, path, error, sizeof error), "%s", error);
        ck_assert_msg(sp_case_read(&back, path, error, sizeof error), "%s/%d/%d: %s", list[g].name,
                      op, (int)i, error);
        ck_assert_msg(case_digest(&back) == case_digest(&c), "%s/%d/%d", list[g].name, op, (int)i);
        sp_case_clear(&back);
        sp_case_clear(&c);
      }
  close_path();
}
END_TEST

START_TEST(test_file_errors) {
  sp_case c;
  char error[256] = "";
  ck_assert(!sp_case_read(&c, "/nonexistent/case", error, sizeof error));
  ck_assert_ptr_nonnull(strstr(error, "/nonexistent/case: "));
  sp_case_init(&c, SP_OP_SOFTMAX);
  ck_assert(!sp_case_write(&c, "/nonexistent/case", error, sizeof error));
  ck_assert_ptr_nonnull(strstr(error, "/nonexistent/case: "));
}
END_TEST

#define HEAD   "sinkproof case 1\nop = softmax\n"
#define LOGITS "n_kv = 2\nlogits = f32 2\n  3f800000 40000000\n"
#define CACHE                                                                                      \
  "sinkproof case 1\nop = cache\nn_q = 1\nn_kv = 1\nwindow = 1\nq = f32 1\n  00000000\n"           \
  "k = f32 1\n  00000000\nv = f32 1\n  00000000\n"

START_TEST(test_text_errors) {
  static const char *const bad[][2] = {
      {"", "line 0: '' is not the first line"},
      {"hello\n", "line 1: 'hello' is not the first line"},
      {"sinkproof case 2\n", "line 1: 'sinkproof case 2' is not the first line"},
      {"sinkproof case 1\n", "line 1: '' must be op"},
      {"sinkproof case 1\nop = dance\n", "line 2: 'dance' is no operation"},
      {HEAD, "not a well-formed case: logits"},
      {HEAD "n_q\n", "line 3: 'n_q' is not followed by"},
      {HEAD "n_q = \n", "line 3: 'n_q' has no value"},
      {HEAD "n_q = 1 2\n", "line 3: 'n_q' has more than one value"},
      {HEAD "n_q = 1\n# comment\n\nn_q = 1\n", "line 6: 'n_q' is given twice"},
      {HEAD "n_q = -1\n", "line 3: '-1' is no number"},
      {HEAD "causal = 2\n", "line 3: '2' is neither 0 nor 1"},
      {HEAD "n_threads = 0x100000000\n", "line 3: '0x100000000' has more than 32 bits"},
      {HEAD "dtype_q = f31\n", "line 3: 'f31' is no type"},
      {HEAD "dtype_q = a_very_long_type\n", "line 3: 'a_very_long_type' is no type"},
      {HEAD "colour = red\n", "line 3: 'colour' is no field"},
      {HEAD "logits = f31 2\n", "line 3: 'f31' is no type"},
      {HEAD "logits = f32\n", "line 3: '' is no number"},
      {HEAD "logits = f32 2 3\n  00000000 00000000\n", "line 3: 'logits' has more than"},
      {HEAD "logits = f32 99999999999\n", "line 3: '99999999999' is more than the file holds"},
      {HEAD "logits = f32 2\n  3f800000 4000000\n", "line 4: '4000000' has not the hex digits"},
      {HEAD "logits = f32 2\n  3f800000 4000000g\n", "line 4: '4000000g' has not the hex"},
      {HEAD "logits = f32 2\n  3f800000 40000000 40000000\n", "line 4: '40000000' is beyond"},
      {HEAD "logits = f32 2\n  3f800000\n", "file ends inside an array"},
      {HEAD LOGITS "logits = f32 2\n  3f800000 40000000\n", "line 6: 'logits' is given twice"},
      {HEAD LOGITS "n_threads = 0\n", "not a well-formed case: n_threads"},
      {HEAD LOGITS "pos_q = 1\n  0000000000000000\n", "not a well-formed case: pos_q"},
      {HEAD LOGITS "pos_q = 1\n  000000000000\n", "has not the hex digits"},
      /* A position list cut to size before the size was changed. */
      {"sinkproof case 1\nop = attention\npos_k = 1\n  0000000000000000\nn_kv = 9\n",
       "not a well-formed case: pos_k: must hold n_kv"},
      {CACHE, "not a well-formed case: script"},
      {CACHE "script = 1\n  dance\n", "line 13: 'dance' is no step"},
      {CACHE "script = 1\n  append\n", "line 13: '' is no number of tokens"},
      {CACHE "script = 1\n  append 1 question\n", "line 13: 'question' is not 'queries'"},
      {CACHE "script = 1\n  attend 1\n", "line 13: 'attend' has something after"},
      {CACHE "script = 2\n  append 1 queries\n", "file ends inside the script"},
      {CACHE "script = 1\n  append 1 queries\nscript = 1\n  attend\n", "'script' is given twice"},
      {CACHE "script = 1\n  append 2 queries\n", "not a well-formed case: script: longer"},
      {HEAD "\x1b[2J = 1\n", "line 3: '?[2J' is no field"}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    sp_case c;
    char error[256] = "";
    ck_assert(!sp_case_read_text(&c, bad[i][0], strlen(bad[i][0]), error, sizeof error));
    ck_assert_msg(strstr(error, bad[i][1]) != NULL, "%zu: '%s' instead of '%s'", i, error,
                  bad[i][1]);
  }
  static const char *const good[] = {HEAD LOGITS, HEAD "\r\n# a comment\n" LOGITS,
                                     CACHE "script = 1\n  append 1 queries\n"};
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    sp_case c;
    char error[256] = "";
    bool ok = sp_case_read_text(&c, good[i], strlen(good[i]), error, sizeof error);
    ck_assert_msg(ok, "%zu: %s", i, error);
    sp_case_clear(&c);
  }
}
END_TEST

/* ---- hostile text ---- */

static char *load(size_t *length) {
  FILE *file = fopen(path, "r");
  ck_assert_ptr_nonnull(file);
  char *text = malloc(1 << 20);
  ck_assert_ptr_nonnull(text);
  *length = fread(text, 1, 1 << 20, file);
  ck_assert(*length < 1 << 20);
  fclose(file);
  return text;
}

/* Whatever the text is: no crash, and what is accepted is well formed and can be used. */
static bool survive(const char *text, size_t length) {
  /* A copy of its own, so that a read past the end is seen by the sanitizer. */
  char *copy = malloc(length + (length == 0));
  ck_assert_ptr_nonnull(copy);
  memcpy(copy, text, length);
  sp_case c;
  char error[64];
  bool ok = sp_case_read_text(&c, copy, length, error, sizeof error);
  free(copy);
  if (!ok) return false;
  ck_assert_ptr_null(sp_case_error(&c));
  sp_case_values values;
  ck_assert(sp_case_values_init(&values, &c));
  sp_case_values_clear(&values);
  sp_case_clear(&c);
  return true;
}

START_TEST(test_hostile_text) {
  static const char *const name[] = {"mixed", "cache-blocks", "positions"};
  static const sp_op op[] = {SP_OP_ATTENTION, SP_OP_CACHE, SP_OP_ATTENTION};
  size_t accepted = 0;
  size_t refused = 0;
  open_path();
  for (size_t g = 0; g < 3; g++) {
    sp_generator_request request = request_all(sp_generator_find(name[g]), op[g], 0);
    sp_case c;
    char error[256];
    ck_assert(sp_case_make(&c, &request) && sp_case_write(&c, path, error, sizeof error));
    sp_case_clear(&c);
    size_t length = 0;
    char *text = load(&length);
    ck_assert(survive(text, length));
    size_t step = length / 400 + 1;
    for (size_t cut = 0; cut < length; cut += step) survive(text, cut) ? accepted++ : refused++;
    sp_rng rng;
    sp_rng_init(&rng, 1, name[g], 0, 0);
    for (int i = 0; i < 3000; i++) {
      size_t at = sp_rng_below(&rng, length);
      char old = text[at];
      static const char digits[] = "0123456789abcdef =\n";
      text[at] = sp_rng_one_in(&rng, 2) ? digits[sp_rng_below(&rng, 19)] : (char)sp_rng_next(&rng);
      survive(text, length) ? accepted++ : refused++;
      text[at] = old;
    }
    free(text);
  }
  close_path();
  ck_assert(accepted > 1000 && refused > 1000);
}
END_TEST

static void add(Suite *suite, const TTest *test) {
  TCase *tc = tcase_create("CT-4");
  tcase_set_timeout(tc, 60);
  tcase_add_test(tc, test);
  suite_add_tcase(suite, tc);
}

Suite *suite_replay(void) {
  Suite *suite = suite_create("replay");
  add(suite, test_numbers);
  add(suite, test_line_round_trip);
  add(suite, test_line_errors);
  add(suite, test_file_round_trip);
  add(suite, test_file_errors);
  add(suite, test_text_errors);
  add(suite, test_hostile_text);
  return suite;
}
