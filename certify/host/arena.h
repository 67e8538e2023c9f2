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

/* A tensor of n[0] x n[1] x n[2] rows of `length` elements, and where it lies: in one part, or, with
 * `reach`, in one for each index of its outermost axis. Each part has pages of its own, `step` bytes
 * after those of the part before; what is between them is nobody's and costs no memory. */
typedef struct sp_tensor {
  const char *name; /* for messages: "k" */
  sp_dtype dtype;   /* 0: integers, or a struct */
  size_t element;   /* bytes of an element */
  size_t n[3], length;
  size_t pad;         /* unused elements between two rows */
  bool head_major;    /* axes 1 and 2 change places in memory */
  bool writable;      /* an output */
  bool reversed;      /* the last row is the first in memory */
  uint32_t reach;     /* elements from first to last index of the outermost axis, as a power of 2 */
  bool at_end;        /* ends at its guard zone exactly, whatever the layout says */
  const void *packed; /* an input's rows in logical order, one after another */
  size_t page, bytes; /* pages of the first part: offset and length; none when it has no elements */
  size_t start;       /* offset of the first byte of data */
  size_t data;        /* offset of element 0 */
} sp_tensor;

size_t sp_tensor_rows(const sp_tensor *t);
int64_t sp_tensor_stride(const sp_tensor *t, int axis); /* elements */
size_t sp_tensor_parts(const sp_tensor *t);
size_t sp_tensor_step(const sp_tensor *t); /* bytes from one part to the next */
size_t
sp_tensor_extent(const sp_tensor *t); /* bytes from a part's first element to its last's end */

/* The part that an offset of the arena is in or near, and that offset in the first part instead. */
size_t sp_tensor_part_at(const sp_tensor *t, size_t offset, size_t *in_first);

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
