/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence about machine code from notes that are right, wrong and malicious. tests: KC-9 */
#include "tests/asserts.h"
#include <string.h>

#include "certify/host/evidence.h"
#include "certify/judge/proved_bytes.h"

Suite *suite_evidence(void);

/* A library in miniature: one segment of notes, one of code. */
typedef struct image {
  ElfW(Phdr) segment[2];
  struct dl_phdr_info info;
  struct {
    uint32_t head[3];
    char owner[12];
    int32_t distance;
    uint32_t length;
    char name[16], path[16];
  } note;
  unsigned char code[sizeof sp_exp64_bytes + 64];
} image;

static uint64_t place(const void *pointer) {
  return (uint64_t)(uintptr_t)pointer;
}

/* Filled in where it stays: notes hold distances. */
static void make(image *m) {
  memset(m, 0, sizeof *m);
  m->info.dlpi_phdr = m->segment;
  m->info.dlpi_phnum = 2;
  m->segment[0] = (ElfW(Phdr)){.p_type = PT_NOTE,
                               .p_flags = PF_R,
                               .p_align = 4,
                               .p_vaddr = place(&m->note),
                               .p_memsz = sizeof m->note};
  m->segment[1] = (ElfW(Phdr)){.p_type = PT_LOAD,
                               .p_flags = PF_R | PF_X,
                               .p_vaddr = place(m->code),
                               .p_memsz = sizeof m->code};
  m->note.head[0] = sizeof "sinkproof";
  m->note.head[1] = 40;
  m->note.head[2] = 1;
  memcpy(m->note.owner, "sinkproof", sizeof "sinkproof");
  m->note.distance = (int32_t)(m->code + 16 - (unsigned char *)&m->note.distance);
  m->note.length = sizeof sp_exp64_bytes;
  memcpy(m->note.name, "sp_exp64", sizeof "sp_exp64");
  memcpy(m->note.path, "avx512", sizeof "avx512");
  memcpy(m->code + 16, sp_exp64_bytes, sizeof sp_exp64_bytes);
}

static sp_evidence read(const image *m) {
  sp_evidence evidence;
  sp_evidence_read(&evidence, &m->info);
  return evidence;
}

START_TEST(proved_code_is_known) {
  image m;
  make(&m);
  sp_evidence evidence = read(&m);
  ck_assert_uint_eq(evidence.n_leaves, 1);
  ck_assert(evidence.leaf[0].proved);
  ck_assert_str_eq(evidence.leaf[0].theorem, "NU7_machine_code_step");
  ck_assert(sp_evidence_proves(&evidence, "avx512"));
  ck_assert(!sp_evidence_proves(&evidence, "scalar"));
}
END_TEST

START_TEST(every_byte_counts) {
  image m;
  make(&m);
  for (uint32_t i = 0; i < sizeof sp_exp64_bytes; i++) {
    m.code[16 + i] ^= 0x10;
    sp_evidence evidence = read(&m);
    ck_assert_uint_eq(evidence.n_leaves, 1);
    ck_assert(!evidence.leaf[0].proved);
    ck_assert_uint_eq(evidence.leaf[0].differs_at, i);
    ck_assert_int_eq(evidence.leaf[0].wanted, sp_exp64_bytes[i]);
    ck_assert_int_eq(evidence.leaf[0].loaded, sp_exp64_bytes[i] ^ 0x10);
    ck_assert(!sp_evidence_proves(&evidence, "avx512"));
    m.code[16 + i] ^= 0x10;
  }
}
END_TEST

START_TEST(length_counts) {
  image m;
  make(&m);
  static const uint32_t wrong[] = {0, 1, sizeof sp_exp64_bytes - 1, sizeof sp_exp64_bytes + 1,
                                   UINT32_MAX};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    m.note.length = wrong[i];
    sp_evidence evidence = read(&m);
    ck_assert_uint_eq(evidence.n_leaves, 1);
    ck_assert(!evidence.leaf[0].proved);
  }
}
END_TEST

/* A leaf must lie in code that is mapped to be run; nothing else is even read. */
START_TEST(only_what_can_run) {
  image m;
  make(&m);
  m.segment[1].p_flags = PF_R;
  ck_assert(!read(&m).leaf[0].proved);
  make(&m);
  m.segment[1].p_flags = PF_X;
  ck_assert(!read(&m).leaf[0].proved);
  make(&m);
  m.note.distance = INT32_MIN;
  ck_assert_int_eq(read(&m).leaf[0].loaded, -1);
  make(&m);
  m.segment[1].p_memsz = 16 + sizeof sp_exp64_bytes - 1;
  ck_assert_uint_eq(read(&m).leaf[0].differs_at, sizeof sp_exp64_bytes - 1);
}
END_TEST

/* Not ours, or not a note at all: nothing is claimed and nothing is wrong. */
START_TEST(other_notes_are_passed_over) {
  image m;
  make(&m);
  m.note.owner[0] = 'S';
  ck_assert_uint_eq(read(&m).n_leaves, 0);
  make(&m);
  m.note.head[2] = 2;
  ck_assert_uint_eq(read(&m).n_leaves, 0);
  make(&m);
  m.note.name[7] = '5';
  ck_assert_uint_eq(read(&m).n_leaves, 0);
  make(&m);
  memset(m.note.path, 'x', sizeof m.note.path);
  ck_assert_uint_eq(read(&m).n_leaves, 0);
  for (size_t field = 0; field < 2; field++) {
    make(&m);
    m.note.head[field] = UINT32_MAX;
    ck_assert_uint_eq(read(&m).n_leaves, 0);
  }
  make(&m);
  m.segment[0].p_memsz--;
  ck_assert_uint_eq(read(&m).n_leaves, 0);
}
END_TEST

Suite *suite_evidence(void) {
  Suite *suite = suite_create("host/evidence");
  TCase *tc = tcase_create("KC-9");
  tcase_add_test(tc, proved_code_is_known);
  tcase_add_test(tc, every_byte_counts);
  tcase_add_test(tc, length_counts);
  tcase_add_test(tc, only_what_can_run);
  tcase_add_test(tc, other_notes_are_passed_over);
  suite_add_tcase(suite, tc);
  return suite;
}
