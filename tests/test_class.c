/* SPDX-License-Identifier: Apache-2.0 */
/* Accuracy classes: what each text means, and that nothing that is not in the grammar is read as
 * something else. */
#include "tests/asserts.h"
#include <stdio.h>
#include <string.h>

#include "certify/judge/accuracy.h"
#include "tests/judge_kernels.h"

Suite *suite_class(void);

/* tests: NU-6 */
START_TEST(names_and_defaults) {
  sp_class c = sim_class("w-deep");
  ck_assert(c.kind == SP_CLASS_MODEL && c.depth == SP_DEPTH_DEEP);
  ck_assert(c.u == 0x1p-24 && c.u_acc == 0x1p-24 && c.eps_exp == 0x1p-23 && c.c_norm == 3);
  ck_assert(c.c_d == 1 && c.c_z == 0 && c.c_l == 0 && c.eta == 0x1p-149 && c.tile == 0);
  ck_assert(c.u_p == 0 && c.u_qk == 0 && c.u_logit == 0 && !c.flush_inputs && !c.flush_outputs);
  ck_assert(strcmp(c.text, "w-deep") == 0);
  ck_assert(sim_class("cr").kind == SP_CLASS_CR);
  ck_assert(sim_class("faithful").kind == SP_CLASS_FAITHFUL);
  ck_assert(sim_class("w-lane16").depth == SP_DEPTH_LANE16);
  ck_assert(sim_class("w-seq").depth == SP_DEPTH_SEQ);
  c = sim_class("w-loose");
  ck_assert(c.depth == SP_DEPTH_SEQ && c.c_z == 1 && c.c_l == 1);
  ck_assert(sim_class("w-lane16-b2").c_d == 2);
  ck_assert(sim_class("w-lane16-b2").c_z == 0);
}
END_TEST

/* tests: NU-6, NU-10 */
START_TEST(keys) {
  sp_class c = sim_class("w-seq:u=f64");
  ck_assert(c.u == 0x1p-53 && c.u_acc == 0x1p-53 && c.eps_exp == 0x1p-52 && c.eta == 0x1p-1074);
  c = sim_class("w-seq:acc=f16,p=bf16,qk=bf16,logit=f16,exp=-14,tile=64");
  ck_assert(c.u == 0x1p-24 && c.u_acc == 0x1p-11 && c.u_p == 0x1p-8 && c.u_qk == 0x1p-8);
  ck_assert(c.u_logit == 0x1p-11 && c.eps_exp == 0x1p-14 && c.tile == 64);
  c = sim_class("w-seq:exp=-14,u=f16"); /* order does not matter */
  ck_assert(c.eps_exp == 0x1p-14 && c.u == 0x1p-11 && c.eta == 0x1p-24);
  c = sim_class("w-seq:flush=in");
  ck_assert(c.flush_inputs && !c.flush_outputs && c.eta == 0x1p-126);
  c = sim_class("w-seq:flush=out");
  ck_assert(!c.flush_inputs && c.flush_outputs && c.eta == 0x1p-126);
  c = sim_class("cr:flush=both");
  ck_assert(c.kind == SP_CLASS_CR && c.flush_inputs && c.flush_outputs);
  c = sim_class("w-seq:flush=none");
  ck_assert(!c.flush_inputs && !c.flush_outputs && c.eta == 0x1p-149);
  c = sim_class("w-seq-b2:tile=16"); /* each tile rounds its own shift */
  ck_assert(c.c_d == 3 && c.c_z == 1);
}
END_TEST

/* What is wrong, and the part of it that the sentence has to name. */
static const char *const refused[][2] = {
    {"", "\"\""},
    {"w-deepest", "w-deepest"},
    {"W-DEEP", "W-DEEP"},
    {"w-deep ", "w-deep "},
    {"-b2", "-b2"},
    {"cr-b2", "cr"},
    {"cr:tile=4", "tile"},
    {"faithful:exp=-10", "exp"},
    {"w-deep:", "unknown key"},
    {"w-deep:tile", "tile"},
    {"w-deep:tile=", "tile"},
    {"w-deep:tile=0", "tile=0"},
    {"w-deep:tile=-4", "tile=-4"},
    {"w-deep:tile=64 ", "tile=64 "},
    {"w-deep:tile=0x10", "tile=0x10"},
    {"w-deep:tile=2000000", "tile=2000000"},
    {"w-deep:tile=99999999999999999999", "tile"},
    {"w-deep:tile=4,tile=8", "twice"},
    {"w-deep:tile=4,", "unknown key"},
    {"w-deep:tile=4:exp=-14", "tile=4:exp=-14"},
    {"w-deep:exp=14", "exp=14"},
    {"w-deep:exp=-3", "exp=-3"},
    {"w-deep:exp=-61", "exp=-61"},
    {"w-deep:exp=--9", "exp=--9"},
    {"w-deep:p=f64", "p=f64"},
    {"w-deep:p=fp16", "p=fp16"},
    {"w-deep:p=bf", "p=bf"},
    {"w-deep:qk=f32", "qk=f32"},
    {"w-deep:logit=f32", "logit=f32"},
    {"w-deep:acc=", "acc="},
    {"w-deep:u=f8", "u=f8"},
    {"w-deep:u=f32 f16", "u=f32 f16"},
    {"w-deep:flush=yes", "flush=yes"},
    {"w-deep:depth=4", "depth"},
    {"w-deep:Tile=4", "Tile"},
};

/* tests: NU-6 */
START_TEST(refusals) {
  const char *text = refused[_i][0];
  char error[160] = "";
  sp_class c = {.u = 7}, before = c;
  ck_assert_msg(!sp_class_parse(text, &c, error, sizeof error), "%s was read", text);
  ck_assert_msg(strstr(error, refused[_i][1]) != NULL, "%s: \"%s\" does not name %s", text, error,
                refused[_i][1]);
  ck_assert(memcmp(&c, &before, sizeof c) == 0); /* untouched */
}
END_TEST

/* tests: NU-6 */
START_TEST(too_long) {
  char text[200] = "w-deep:tile=", error[8];
  memset(text + strlen(text), '1', 120);
  sp_class c;
  ck_assert(!sp_class_parse(text, &c, error, sizeof error));
  ck_assert(strlen(error) == sizeof error - 1); /* cut, and terminated */
  ck_assert(!sp_class_parse(text, &c, NULL, 0));
}
END_TEST

/* tests: NU-6, NU-7 */
START_TEST(heights) {
  static const size_t n[] = {0, 1, 2, 3, 4, 15, 16, 17, 1000};
  static const double bits[] = {0, 1, 2, 2, 3, 4, 5, 5, 10}; /* ceil(log2(n + 1)) */
  static const double lanes[] = {0, 1, 1, 1, 1, 1, 1, 2, 63};
  sp_class deep = sim_class("w-deep"), lane = sim_class("w-lane16"), seq = sim_class("w-seq");
  sp_class tiled = sim_class("w-seq:tile=16");
  for (size_t i = 0; i < sizeof n / sizeof n[0]; i++) {
    ck_assert_double_eq(sp_class_height(&deep, n[i]), 24 + bits[i]);
    ck_assert_double_eq(sp_class_height(&lane, n[i]), lanes[i] + 8);
    ck_assert_double_eq(sp_class_height(&seq, n[i]), (double)n[i] + 1);
    ck_assert_double_eq(sp_class_rescales(&tiled, n[i]), lanes[i]);
    ck_assert_double_eq(sp_class_height(&tiled, n[i]), (double)n[i] + 1 + 3 * lanes[i]);
    ck_assert_double_eq(sp_class_rescales(&seq, n[i]), 0);
  }
}
END_TEST

/* tests: NU-8 */
START_TEST(no_bound) {
  sp_class f16 = sim_class("w-seq:acc=f16"), f32 = sim_class("w-seq"), cr = sim_class("cr");
  ck_assert(!sp_class_unbounded(&f16, 2046));
  ck_assert(sp_class_unbounded(&f16, 2047)); /* height 2048 = 1/u */
  ck_assert(!sp_class_unbounded(&f32, (1u << 24) - 2));
  ck_assert(sp_class_unbounded(&f32, (1u << 24) - 1));
  ck_assert(!sp_class_unbounded(&cr, SIZE_MAX - 1));
  sp_class whole = sim_class("w-seq:u=bf16");
  ck_assert(!sp_class_unbounded(&whole, 254) && sp_class_unbounded(&whole, 255));
  sp_class deep = sim_class("w-deep:u=f16");
  ck_assert(!sp_class_unbounded(&deep, 1u << 20));
  sp_class fine = sim_class("w-seq:u=bf16,acc=f32"); /* sums are no finer than the arithmetic */
  ck_assert(sp_class_unbounded(&fine, 255));
}
END_TEST

Suite *suite_class(void) {
  Suite *suite = suite_create("class");
  TCase *nu6 = tcase_create("NU-6");
  tcase_add_test(nu6, names_and_defaults);
  tcase_add_test(nu6, keys);
  tcase_add_loop_test(nu6, refusals, 0, (int)(sizeof refused / sizeof refused[0]));
  tcase_add_test(nu6, too_long);
  tcase_add_test(nu6, heights);
  suite_add_tcase(suite, nu6);
  TCase *nu8 = tcase_create("NU-8");
  tcase_add_test(nu8, no_bound);
  suite_add_tcase(suite, nu8);
  return suite;
}
