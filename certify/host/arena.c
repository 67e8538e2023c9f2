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

/* Axes from the outermost in memory to the innermost. */
static int axis_at(const sp_tensor *t, int place) {
  if (place == 0) return 0;
  return (place == 1) != t->head_major ? 1 : 2;
}

/* The outermost axis of more than one index; 3 when there is none. */
static int spread_axis(const sp_tensor *t) {
  int place = 0;
  while (place < 3 && t->n[axis_at(t, place)] == 1) place++;
  return place;
}

size_t sp_tensor_parts(const sp_tensor *t) {
  int place = spread_axis(t);
  return t->reach == 0 || place == 3 || sp_tensor_rows(t) == 0 ? 1 : t->n[axis_at(t, place)];
}

/* The unused elements after the last row are not part of the tensor: the guard zone is there. */
size_t sp_tensor_extent(const sp_tensor *t) {
  size_t rows = sp_tensor_rows(t) / sp_tensor_parts(t);
  if (rows == 0 || t->length == 0) return 0;
  return ((rows - 1) * (t->length + t->pad) + t->length) * t->element;
}

/* Parts begin at the same place of a page. Between two of them there is room for guard zones. */
size_t sp_tensor_step(const sp_tensor *t) {
  size_t parts = sp_tensor_parts(t);
  if (parts == 1) return 0;
  size_t least = (((size_t)1 << t->reach) + parts - 2) / (parts - 1) * t->element;
  size_t packed = sp_tensor_extent(t) + 4 * SP_GUARD_BYTES;
  return round_up(least > packed ? least : packed, SP_GUARD_BYTES);
}

int64_t sp_tensor_stride(const sp_tensor *t, int axis) {
  int spread = sp_tensor_parts(t) > 1 ? spread_axis(t) : 3;
  size_t stride = t->length + t->pad;
  for (int place = 2;; place--) {
    if (place == spread) stride = sp_tensor_step(t) / t->element;
    if (axis_at(t, place) == axis) break;
    stride *= t->n[axis_at(t, place)];
  }
  return t->reversed ? -(int64_t)stride : (int64_t)stride;
}

size_t sp_tensor_part_at(const sp_tensor *t, size_t offset, size_t *in_first) {
  size_t step = sp_tensor_step(t), parts = sp_tensor_parts(t), part = 0;
  size_t from = t->page - SP_GUARD_BYTES;
  if (step > 0 && offset >= from) part = (offset - from) / step;
  if (part >= parts) part = parts - 1;
  *in_first = offset - part * step;
  return part;
}

static size_t shift(const sp_tensor *t, const sp_layout *layout) {
  return t->at_end ? 0 : layout->misalign * t->element;
}

/* Pages of one part, and the address space that all of them span. */
static size_t pages_of(const sp_arena *arena, const sp_tensor *t, const sp_layout *layout) {
  size_t extent = sp_tensor_extent(t);
  return extent == 0 ? 0 : round_up(extent + shift(t, layout), arena->page);
}

static size_t span_of(const sp_arena *arena, const sp_tensor *t, const sp_layout *layout) {
  return (sp_tensor_parts(t) - 1) * sp_tensor_step(t) + pages_of(arena, t, layout);
}

size_t sp_arena_need(const sp_arena *arena, const sp_tensor *t, size_t n, const sp_layout *layout) {
  size_t need = SP_GUARD_BYTES;
  for (size_t i = 0; i < n; i++) need += span_of(arena, &t[i], layout) + SP_GUARD_BYTES;
  return need;
}

/* From the first row in memory to the last. */
static size_t last_row_offset(const sp_tensor *t) {
  return (sp_tensor_parts(t) - 1) * sp_tensor_step(t) + sp_tensor_extent(t) -
         t->length * t->element;
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
    t[i].start = page;
    if (t[i].bytes > 0)
      t[i].start += at_start ? shift(&t[i], layout) : beyond - shift(&t[i], layout);
    t[i].data = t[i].start;
    if (t[i].bytes > 0 && t[i].reversed) t[i].data += last_row_offset(&t[i]);
    page += span_of(arena, &t[i], layout) + SP_GUARD_BYTES;
  }
  arena->cursor += need;
}
