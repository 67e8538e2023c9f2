/* SPDX-License-Identifier: Apache-2.0 */
/* The host's line to its keeper and worker: start, ask, stop. (certify/host/worker.h has the whole
 * picture.) What an answer means is decided elsewhere. */
#ifndef SINKPROOF_HOST_LINK_H
#define SINKPROOF_HOST_LINK_H

#include "certify/host/worker.h"

typedef struct sp_link {
  sp_arena arena;
  sp_control *control;
  int socket;
  pid_t keeper;
  unsigned timeout_ms;
  bool running;        /* a worker is loaded and not known to have died */
  unsigned char *base; /* where that worker has the arena */
} sp_link;

typedef enum sp_ending {
  SP_END_REPLY,
  SP_END_DEATH,
  SP_END_TIMEOUT, /* and the worker was killed */
  SP_END_LOST     /* the keeper does not answer: nothing more can be done */
} sp_ending;

bool sp_link_open(sp_link *link, const sp_host_config *config);
void sp_link_close(sp_link *link);

/* Start a worker and wait until it has loaded the kernel: control->load holds the report. */
sp_ending sp_link_start(sp_link *link);

/* Have the call in control->call made. */
sp_ending sp_link_ask(sp_link *link);

/* Kill the worker, if there is one. */
void sp_link_stop(sp_link *link);

#endif
