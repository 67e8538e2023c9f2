/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's signal handler: notes where a kernel touched memory, then ends the process. A
 * handler of the kernel's own, or a blocked signal, costs the address but not the containment: the
 * keeper still sees how the process ended. x86-64 only, for the page fault's error code.
 * spec: KC-4, KC-8 */
#include "certify/host/worker.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

enum {
  STACK_BYTES = 1 << 16, /* enough for a handler that runs after a stack overflow */
  TRAP_PAGE_FAULT = 14,  /* x86 exception vector */
  FAULT_WRITE = 1 << 1   /* … and the bit of its error code */
};

/* A signal handler has no argument for this. Set once per worker, in the child only. */
static sp_control *shared;
static pid_t worker;

static void handle(int signal, siginfo_t *info, void *context) {
  const greg_t *registers = ((const ucontext_t *)context)->uc_mcontext.gregs;
  if (getpid() == worker && !shared->trap.caught) {
    shared->trap.signal = signal;
    shared->trap.code = info->si_code;
    shared->trap.page_fault = registers[REG_TRAPNO] == TRAP_PAGE_FAULT;
    shared->trap.write = (registers[REG_ERR] & FAULT_WRITE) != 0;
    shared->trap.other_thread = syscall(SYS_gettid) != worker;
    shared->trap.address = (uint64_t)(uintptr_t)info->si_addr;
    shared->trap.stack = (uint64_t)registers[REG_RSP];
    shared->trap.instruction = (uint64_t)registers[REG_RIP];
    shared->trap.caught = true;
  }
  _exit(128 + signal);
}

bool sp_worker_trap(sp_control *control) {
  static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS};
  shared = control;
  worker = getpid();
  stack_t stack = {.ss_sp = malloc(STACK_BYTES), .ss_size = STACK_BYTES};
  if (stack.ss_sp == NULL || sigaltstack(&stack, NULL) != 0) return false;
  struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigfillset(&action.sa_mask);
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
    if (sigaction(signals[i], &action, NULL) != 0) return false;
  return true;
}
