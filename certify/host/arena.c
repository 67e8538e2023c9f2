/* SPDX-License-Identifier: Apache-2.0 */
/* Where tensors lie: in pages of their own between guard zones, against one end of them. Successive
 * calls walk through the memory instead of meeting the same addresses, so that a pointer which a
 * kernel kept finds a guard and not the next call's data. spec: KC-4, KC-5 */
#include "certify/host/arena.h"

#include <sys/mman.h>
#include <unistd.h>

/* Calls walk through at least this much address space before they meet the same addresses again. */
enum { WALK_BYTES = 16 << 20, WALK_CALLS = 4 };

static size_t round_up(size_t bytes, size_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

static unsigned char *map(int fd, size_t bytes) {
  void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
  return base == MAP_FAILED ? NULL : base;
}

bool sp_arena_open(sp_arena *arena, size_t bytes) {
  *arena = (sp_arena){.fd = -1, .page = (size_t)sysconf(_SC_PAGESIZE)};
  arena->bytes = round_up(bytes, arena->page);
  arena->fd = memfd_create("sinkproof-arena", MFD_CLOEXEC);
  if (arena->fd < 0) return false;
  if (ftruncate(arena->fd, (off_t)arena->bytes) == 0) arena->base = map(arena->fd, arena->bytes);
  if (arena->base != NULL) return true;
  sp_arena_close(arena);
  return false;
}

void sp_arena_close(sp_arena *arena) {
  if (arena->base != NULL) munmap(arena->base, arena->bytes);
  if (arena->fd >= 0) close(arena->fd);
  *arena = (sp_arena){.fd = -1};
}

bool sp_arena_grow(sp_arena *arena, size_t bytes) {
  bytes = round_up(bytes, arena->page);
  if (bytes <= arena->bytes) return true;
  if (ftruncate(arena->fd, (off_t)bytes) != 0) return false;
  unsigned char *base = map(arena->fd, bytes);
  if (base == NULL) return false;
  munmap(arena->base, arena->bytes);
  arena->base = base;
  arena->bytes = bytes;
  return true;
}

size_t sp_tensor_rows(const sp_tensor *t) {
  return t->n[0] * t->n[1] * t->n[2];
}

/* The unused elements after the last row are not part of the tensor: the guard zone is there. */
size_t sp_tensor_extent(const sp_tensor *t) {
  size_t rows = sp_tensor_rows(t);
  if (rows == 0 || t->length == 0) return 0;
  return ((rows - 1) * (t->length + t->pad) + t->length) * t->element;
}

int64_t sp_tensor_stride(const sp_tensor *t, int axis) {
  size_t row = t->length + t->pad;
  size_t stride = row;
  if (axis == 0) stride = t->n[1] * t->n[2] * row;
  if (axis == 1 && !t->head_major) stride = t->n[2] * row;
  if (axis == 2 && t->head_major) stride = t->n[1] * row;
  return (int64_t)stride;
}

static size_t shift(const sp_tensor *t, const sp_layout *layout) {
  return t->at_end ? 0 : layout->misalign * t->element;
}

static size_t pages_of(const sp_arena *arena, const sp_tensor *t, const sp_layout *layout) {
  size_t extent = sp_tensor_extent(t);
  return extent == 0 ? 0 : round_up(extent + shift(t, layout), arena->page);
}

size_t sp_arena_need(const sp_arena *arena, const sp_tensor *t, size_t n, const sp_layout *layout) {
  size_t need = SP_GUARD_BYTES;
  for (size_t i = 0; i < n; i++) need += pages_of(arena, &t[i], layout) + SP_GUARD_BYTES;
  return need;
}

void sp_arena_place(sp_arena *arena, sp_tensor *t, size_t n, const sp_layout *layout) {
  size_t need = sp_arena_need(arena, t, n, layout);
  size_t walk = need > WALK_BYTES / WALK_CALLS ? need * WALK_CALLS : WALK_BYTES;
  if (walk > arena->bytes) walk = arena->bytes;
  if (arena->cursor + need > walk) arena->cursor = 0;
  size_t page = arena->cursor + SP_GUARD_BYTES;
  for (size_t i = 0; i < n; i++) {
    t[i].page = page;
    t[i].bytes = pages_of(arena, &t[i], layout);
    size_t beyond = t[i].bytes - sp_tensor_extent(&t[i]); /* unused bytes of its pages */
    bool at_start = layout->guard_before && !t[i].at_end;
    t[i].data = page;
    if (t[i].bytes > 0)
      t[i].data += at_start ? shift(&t[i], layout) : beyond - shift(&t[i], layout);
    page += t[i].bytes + SP_GUARD_BYTES;
  }
  arena->cursor += need;
}
