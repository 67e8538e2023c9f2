/* SPDX-License-Identifier: Apache-2.0 */
/* Which of the machine code that theorems are about a loaded library holds, and whether it is that
 * code. A library says where its leaves lie in an ELF note that is mapped with it (owner
 * "sinkproof", type 1): the distance from the note's contents to the leaf and the leaf's length, 32
 * bits each, then the leaf's name and the name of the code path it is part of, 16 bytes each. The
 * bytes are read from memory, where the library will run them. A library without the note, and a
 * leaf of an unknown name, are passed over: nothing is claimed and nothing is wrong. (KC-9) */
#ifndef SINKPROOF_EVIDENCE_H
#define SINKPROOF_EVIDENCE_H

#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SP_MAX_LEAVES = 4 };

typedef struct sp_leaf {
  char name[16], path[16];
  char theorem[48];
  bool proved;         /* the loaded bytes are those of the theorem; if not: */
  uint32_t differs_at; /* the first byte that is not, and … */
  int loaded, wanted;  /* … what it is and should be; -1 past an end */
} sp_leaf;

typedef struct sp_evidence {
  uint32_t n_leaves;
  sp_leaf leaf[SP_MAX_LEAVES];
} sp_evidence;

/* What this process has mapped of a library. */
void sp_evidence_read(sp_evidence *evidence, const struct dl_phdr_info *library);

/* There are leaves of that path, and all of them hold the theorems' bytes. */
bool sp_evidence_proves(const sp_evidence *evidence, const char *path);

#endif
