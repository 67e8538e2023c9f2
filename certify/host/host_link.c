/* SPDX-License-Identifier: Apache-2.0 */
/* Starting, asking and stopping the processes that certify/host/worker.h describes. Every wait has a
 * deadline and every message may find nobody there, so that the host outlives whatever the kernel
 * does. spec: KC-8 */
#include "certify/host/host_link.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
  DEFAULT_TIMEOUT_MS = 10000,
  LOAD_FACTOR = 6, /* a large library may have to come from a cold disk first */
  KILL_MS = 10000, /* for a kill to be reported */
  PAGE = 4096
};
#define DEFAULT_ARENA ((size_t)512 << 20)

/* Shared memory between two pages that fault, so that a kernel's stray writes are less likely to
 * end here. */
static sp_control *map_control(void) {
  size_t bytes = (sizeof(sp_control) + PAGE - 1) / PAGE * PAGE;
  unsigned char *base =
      mmap(NULL, bytes + 2 * PAGE, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) return NULL;
  if (mprotect(base + PAGE, bytes, PROT_READ | PROT_WRITE) == 0) return (void *)(base + PAGE);
  munmap(base, bytes + 2 * PAGE);
  return NULL;
}

static void unmap_control(sp_control *control) {
  size_t bytes = (sizeof(sp_control) + PAGE - 1) / PAGE * PAGE;
  if (control != NULL) munmap((unsigned char *)control - PAGE, bytes + 2 * PAGE);
}

bool sp_link_open(sp_link *link, const sp_host_config *config) {
  int pair[2] = {-1, -1};
  *link = (sp_link){.socket = -1, .arena.fd = -1};
  link->timeout_ms = config->timeout_ms ? config->timeout_ms : DEFAULT_TIMEOUT_MS;
  link->control = map_control();
  if (link->control == NULL) goto failed;
  if (!sp_arena_open(&link->arena, config->arena_bytes ? config->arena_bytes : DEFAULT_ARENA))
    goto failed;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) goto failed;
  link->socket = pair[0];
  sp_worker_config worker = {.control = link->control,
                             .path = config->path,
                             .entry = config->entry,
                             .keep_output = config->keep_output,
                             .socket = pair[1],
                             .arena_fd = link->arena.fd};
  fflush(NULL); /* or a kernel that calls exit() would write our buffers once more */
  link->keeper = fork();
  if (link->keeper == 0) sp_keeper_main(&worker);
  close(pair[1]);
  if (link->keeper > 0) return true;
failed:
  sp_link_close(link);
  return false;
}

void sp_link_close(sp_link *link) {
  if (link->socket >= 0) close(link->socket); /* the keeper ends, and its worker with it */
  while (link->keeper > 0 && waitpid(link->keeper, NULL, 0) < 0 && errno == EINTR) continue;
  sp_arena_close(&link->arena);
  unmap_control(link->control);
  *link = (sp_link){.socket = -1, .arena.fd = -1};
}

static int64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Wait until request `number` is answered or the worker is dead. */
static sp_ending await(sp_link *link, uint32_t number, int64_t timeout_ms) {
  sp_control *control = link->control;
  int64_t deadline = now_ms() + timeout_ms;
  for (;;) {
    uint32_t bell = atomic_load(&control->bell);
    if (atomic_load(&control->reply) == number) return SP_END_REPLY;
    if (atomic_load(&control->dead)) return SP_END_DEATH;
    int64_t left = deadline - now_ms();
    if (left <= 0) return SP_END_TIMEOUT;
    sp_futex_wait(&control->bell, bell, left < 1000 ? (int)left : 1000);
  }
}

/* SIGPIPE, which a dead keeper would cause, is the program's own affair: do not raise it. */
static bool order(sp_link *link, char byte) {
  return send(link->socket, &byte, 1, MSG_NOSIGNAL) == 1;
}

void sp_link_stop(sp_link *link) {
  link->running = false;
  if (atomic_load(&link->control->dead)) return;
  uint32_t never = atomic_load(&link->control->reply) - 1;
  if (order(link, SP_KEEPER_STOP)) await(link, never, KILL_MS);
}

static sp_ending finish(sp_link *link, sp_ending ending) {
  if (ending == SP_END_REPLY) return ending;
  if (ending == SP_END_TIMEOUT) sp_link_stop(link);
  link->running = false;
  return atomic_load(&link->control->dead) ? ending : SP_END_LOST;
}

sp_ending sp_link_start(sp_link *link) {
  sp_control *control = link->control;
  control->load = (sp_load_report){0};
  control->trap = (sp_trap){0};
  control->arena_bytes = link->arena.bytes;
  atomic_store(&control->phase, SP_PHASE_START);
  atomic_store(&control->dead, 0);
  uint32_t number = atomic_fetch_add(&control->request, 1) + 1;
  if (!order(link, SP_KEEPER_START)) return SP_END_LOST;
  sp_ending ending = await(link, number, (int64_t)link->timeout_ms * LOAD_FACTOR);
  link->running = ending == SP_END_REPLY;
  link->base = control->load.arena;
  return finish(link, ending);
}

sp_ending sp_link_ask(sp_link *link) {
  sp_control *control = link->control;
  if (atomic_load(&control->dead)) return finish(link, SP_END_DEATH);
  control->call.timeout_ms = link->timeout_ms;
  uint32_t number = atomic_fetch_add(&control->request, 1) + 1;
  sp_futex_wake(&control->request);
  return finish(link, await(link, number, (int64_t)link->timeout_ms + 2 * SP_GRACE_MS));
}
