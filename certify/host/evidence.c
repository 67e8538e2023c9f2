/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the notes of a mapped library and compares the code they point at with the theorems'. Note
 * and code are a stranger's: every length is checked against the segments that are mapped.
 * spec: KC-9 */
#include "certify/host/evidence.h"

#include <stdio.h>
#include <string.h>

#include "certify/judge/proved.h"
#include "certify/judge/proved_bytes.h"

enum { TYPE = 1 };

static const char owner[] = "sinkproof";

/* The contents of a note. */
typedef struct note {
  int32_t distance;
  uint32_t length;
  char name[16], path[16];
} note;

typedef struct proved {
  const char *name, *theorem;
  const unsigned char *bytes;
  uint32_t length;
} proved;

static const proved table[] = {
    {"sp_exp16", SP_PROVED_EXP16, sp_exp16_bytes, sizeof sp_exp16_bytes},
    {"sp_exp64", SP_PROVED_EXP64, sp_exp64_bytes, sizeof sp_exp64_bytes},
    {"sp_exp128", SP_PROVED_EXP128, sp_exp128_bytes, sizeof sp_exp128_bytes},
};

static const proved *find(const char *name) {
  for (size_t i = 0; i < sizeof table / sizeof *table; i++)
    if (strcmp(table[i].name, name) == 0) return &table[i];
  return NULL;
}

/* Code that the processor may run, as far as it goes: how many of the bytes from `at` on. */
static uint64_t runnable(const struct dl_phdr_info *library, uint64_t at, uint64_t length) {
  for (int i = 0; i < library->dlpi_phnum; i++) {
    const ElfW(Phdr) *segment = &library->dlpi_phdr[i];
    uint64_t from = library->dlpi_addr + segment->p_vaddr;
    if (segment->p_type != PT_LOAD || (segment->p_flags & (PF_R | PF_X)) != (PF_R | PF_X)) continue;
    if (at < from || at - from >= segment->p_memsz) continue;
    uint64_t room = segment->p_memsz - (at - from);
    return length < room ? length : room;
  }
  return 0;
}

static const unsigned char *address(uint64_t at) {
  const unsigned char *pointer;
  uintptr_t value = (uintptr_t)at;
  memcpy(&pointer, &value, sizeof pointer);
  return pointer;
}

static void compare(sp_leaf *leaf, const proved *wanted, const unsigned char *loaded,
                    uint64_t length) {
  uint32_t i = 0;
  while (i < length && i < wanted->length && loaded[i] == wanted->bytes[i]) i++;
  leaf->proved = i == length && i == wanted->length;
  leaf->differs_at = i;
  leaf->loaded = i < length ? loaded[i] : -1;
  leaf->wanted = i < wanted->length ? wanted->bytes[i] : -1;
}

static void read_note(sp_evidence *evidence, const struct dl_phdr_info *library,
                      uint64_t contents) {
  note n;
  memcpy(&n, address(contents), sizeof n);
  if (memchr(n.name, '\0', sizeof n.name) == NULL || memchr(n.path, '\0', sizeof n.path) == NULL)
    return;
  const proved *wanted = find(n.name);
  if (wanted == NULL || evidence->n_leaves == SP_MAX_LEAVES) return;
  uint64_t at = contents + (uint64_t)(int64_t)n.distance;
  sp_leaf *leaf = &evidence->leaf[evidence->n_leaves++];
  *leaf = (sp_leaf){.proved = false};
  memcpy(leaf->name, n.name, sizeof n.name);
  memcpy(leaf->path, n.path, sizeof n.path);
  snprintf(leaf->theorem, sizeof leaf->theorem, "%s", wanted->theorem);
  compare(leaf, wanted, address(at), runnable(library, at, n.length));
}

/* Owner and contents are padded to multiples of 4 bytes. */
static uint64_t padded(uint64_t length) {
  return (length + 3) / 4 * 4;
}

static void read_notes(sp_evidence *evidence, const struct dl_phdr_info *library, uint64_t at,
                       uint64_t bytes) {
  uint32_t head[3]; /* length of the owner, of the contents, type */
  while (bytes >= sizeof head) {
    memcpy(head, address(at), sizeof head);
    uint64_t contents = sizeof head + padded(head[0]);
    uint64_t whole = contents + padded(head[1]);
    if (whole > bytes) return;
    if (head[0] == sizeof owner && head[1] == sizeof(note) && head[2] == TYPE &&
        memcmp(address(at + sizeof head), owner, sizeof owner) == 0)
      read_note(evidence, library, at + contents);
    at += whole;
    bytes -= whole;
  }
}

void sp_evidence_read(sp_evidence *evidence, const struct dl_phdr_info *library) {
  *evidence = (sp_evidence){.n_leaves = 0};
  for (int i = 0; i < library->dlpi_phnum; i++) {
    const ElfW(Phdr) *segment = &library->dlpi_phdr[i];
    /* Notes aligned to 8 bytes are padded otherwise, and none of ours. */
    if (segment->p_type == PT_NOTE && segment->p_align <= 4)
      read_notes(evidence, library, library->dlpi_addr + segment->p_vaddr, segment->p_memsz);
  }
}

bool sp_evidence_proves(const sp_evidence *evidence, const char *path) {
  bool any = false;
  for (uint32_t i = 0; i < evidence->n_leaves; i++) {
    if (strcmp(evidence->leaf[i].path, path) != 0) continue;
    if (!evidence->leaf[i].proved) return false;
    any = true;
  }
  return any;
}
