/* SPDX-License-Identifier: Apache-2.0 */
/* The memory that a call's tensors lie in. Each tensor has a run of pages of its own between guard
 * zones that nobody may touch, with its data flush against one end, so that the first byte read or
 * written beyond it is a fault with an address, not a guess. spec: KC-4, KC-5
 *
 * The memory is one file without a name, mapped twice: readable and writable here, where data are
 * written and checked, and with exactly the rights of the call in the process that runs the kernel.
 * Positions are offsets, since the two mappings have different addresses. */
#ifndef SINKPROOF_ARENA_H
#define SINKPROOF_ARENA_H

#include "certify/case/case.h"

/* Guard zones are wider than a page, since a wrong stride seldom misses by one element. */
enum { SP_GUARD_BYTES = 1 << 16 };

typedef struct sp_arena {
  int fd; /* -1: not open */
  unsigned char *base;
  size_t bytes;
  size_t page;   /* bytes of a page */
  size_t cursor; /* where the next call is placed */
} sp_arena;

bool sp_arena_open(sp_arena *arena, size_t bytes);
void sp_arena_close(sp_arena *arena);

/* Make room for `bytes`; the other process must map the file again. */
bool sp_arena_grow(sp_arena *arena, size_t bytes);

/* A tensor of n[0] x n[1] x n[2] rows of `length` elements, and where it lies. */
typedef struct sp_tensor {
  const char *name; /* for messages: "k" */
  sp_dtype dtype;   /* 0: integers, or a struct */
  size_t element;   /* bytes of an element */
  size_t n[3], length;
  size_t pad;         /* unused elements between two rows */
  bool head_major;    /* axes 1 and 2 change places in memory */
  bool writable;      /* an output */
  bool at_end;        /* ends at its guard zone exactly, whatever the layout says */
  const void *packed; /* an input's rows in logical order, one after another */
  size_t page, bytes; /* its pages: offset and length; no pages when it has no elements */
  size_t data;        /* offset of element 0 */
} sp_tensor;

size_t sp_tensor_rows(const sp_tensor *t);
size_t sp_tensor_extent(const sp_tensor *t); /* bytes from the first element to the last's end */
int64_t sp_tensor_stride(const sp_tensor *t, int axis); /* elements */

/* Bytes that these tensors need, guard zones included. */
size_t sp_arena_need(const sp_arena *arena, const sp_tensor *t, size_t n, const sp_layout *layout);

/* Place them after those of the last call, so that a pointer kept from there finds nothing.
 * Precondition: sp_arena_need(…) <= arena->bytes. */
void sp_arena_place(sp_arena *arena, sp_tensor *t, size_t n, const sp_layout *layout);

/* ---- contents (certify/host/arena_data.c) ---- */

#define SP_NO_CHANGE SIZE_MAX

/* The eight bytes, repeated, that outputs hold before run 0 or 1, and what lies in the gaps of
 * inputs. The two runs differ in every byte, and all are hostile as numbers. */
uint64_t sp_poison(sp_dtype dtype, unsigned run);
uint64_t sp_hostile(sp_dtype dtype, unsigned run);

/* The low bytes of `word` are the element at `index` of `bits`. */
bool sp_is_pattern(const void *bits, size_t index, size_t element, uint64_t word);

/* Write an input's rows and hostile gaps, or fill an output with poison. */
void sp_arena_fill(const sp_arena *arena, const sp_tensor *t, unsigned run);

/* Offset of the first byte that is not as sp_arena_fill left it: in the gaps and beside the data,
 * or anywhere. SP_NO_CHANGE when there is none. */
size_t sp_arena_changed_gap(const sp_arena *arena, const sp_tensor *t, unsigned run);
size_t sp_arena_changed(const sp_arena *arena, const sp_tensor *t, unsigned run);

/* The rows of an output, packed. */
void sp_arena_gather(const sp_arena *arena, const sp_tensor *t, void *packed);

#endif
