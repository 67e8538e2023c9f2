/* SPDX-License-Identifier: Apache-2.0 */
/* The museum: kernels that are wrong on purpose, one per recorded real bug, and null kernels that
 * compute nothing. A run must reject them on its own cases before its verdict counts. (CT-5) */
#ifndef SINKPROOF_MUSEUM_H
#define SINKPROOF_MUSEUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sinkproof/kernel.h"

typedef struct sp_fault {
  const char *name;    /* "A1-sink-twice-per-split"; also the kernel's name */
  char family;         /* 'A' to 'K' as in the catalogue of real bugs; '0' for a null kernel */
  const char *clause;  /* the clause it violates */
  const char *summary; /* one sentence: what it does wrong */
  const char *cite;    /* public thread, "flashinfer-ai/flashinfer#4267"; "" when there is none */
  const char *reveals; /* the class of input that reveals it */
  uint32_t ops;        /* 1u << SP_OP_…: operations in which it is visible */
  uint64_t needs;      /* SP_OPT_… that a case uses to show it; they suffice, alone */
  uint64_t min_n;      /* needs rows at least this long; 0 = any */
  bool precision;      /* a loss of accuracy, visible only to classes with f32 arithmetic */
  uint32_t dtypes; /* SP_DTYPE_BIT…: seen only where logits, q, k or v are one of these; 0 = any */
  uint32_t dtypes_kv; /* likewise, k and v */
} sp_fault;

/* Every fault; kernel number i of sp_museum_kernel is fault i. */
const sp_fault *sp_faults(size_t *count);
const sp_kernel *sp_museum_kernel(uint32_t host_abi_major, uint32_t index);

/* The kernel that every fault is made from, without a fault. It must certify. */
const sp_kernel *sp_museum_base_kernel(void);

#endif
