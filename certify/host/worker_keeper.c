/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper: forks workers, kills them on order, and reports how they ended. It was forked before
 * any expected value was computed and never computes one, so neither does a worker. spec: KC-8 */
#include "certify/host/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void on_child(int signal) {
  (void)signal; /* only interrupts ppoll */
}

/* The parent's handlers, masks and files are not ours: a worker must not write to a file that the
 * parent has open, and must not keep another host's socket from closing. */
static void forget_parent(sp_worker_config *config) {
  enum { SOCKET = 3, ARENA, FIRST_FREE };
  for (int signal = 1; signal < NSIG; signal++)
    sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
  int socket = fcntl(config->socket, F_DUPFD, FIRST_FREE);
  int arena = fcntl(config->arena_fd, F_DUPFD, FIRST_FREE);
  config->socket = dup2(socket, SOCKET);
  config->arena_fd = dup2(arena, ARENA);
  if (close_range(FIRST_FREE, ~0u, 0) == 0) return;
  long most = sysconf(_SC_OPEN_MAX);
  for (int fd = FIRST_FREE; fd < most; fd++) close(fd);
}

static void report_end(sp_control *control, int status) {
  control->wait_status = status;
  atomic_store(&control->dead, 1);
  atomic_fetch_add(&control->bell, 1);
  sp_futex_wake(&control->bell);
}

static void reap(sp_control *control, pid_t *worker) {
  int status;
  if (*worker == 0 || waitpid(*worker, &status, WNOHANG) != *worker) return;
  kill(-*worker, SIGKILL); /* what it forked */
  *worker = 0;
  report_end(control, status);
}

static void stop(pid_t worker) {
  if (worker == 0) return;
  kill(-worker, SIGKILL);
  kill(worker, SIGKILL); /* it may have died before it had a group */
}

static pid_t start(const sp_worker_config *config, const sigset_t *mask) {
  pid_t keeper = getpid();
  pid_t worker = fork();
  if (worker > 0) return worker;
  if (worker < 0) {
    report_end(config->control, 0);
    return 0;
  }
  sigaction(SIGCHLD, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
  sigprocmask(SIG_SETMASK, mask, NULL);
  sp_worker_main(config, keeper);
}

_Noreturn void sp_keeper_main(const sp_worker_config *parents_config) {
  sp_worker_config config = *parents_config;
  sigset_t none, child;
  pid_t worker = 0;
  sigemptyset(&none);
  sigfillset(&child);
  sigprocmask(SIG_SETMASK, &child, NULL);
  forget_parent(&config);
  sigaction(SIGCHLD, &(struct sigaction){.sa_handler = on_child}, NULL);
  for (;;) {
    struct pollfd order = {.fd = config.socket, .events = POLLIN};
    int ready = ppoll(&order, 1, NULL, &none);
    bool interrupted = ready < 0 && errno == EINTR;
    reap(config.control, &worker);
    if (interrupted) continue;
    char byte;
    if (ready < 0 || recv(config.socket, &byte, 1, 0) != 1) break;
    if (byte == SP_KEEPER_STOP) stop(worker);
    if (byte == SP_KEEPER_START && worker == 0) worker = start(&config, &none);
  }
  stop(worker);
  if (worker != 0) waitpid(worker, NULL, 0); /* or it would be left to whoever adopts it */
  _exit(0);
}
