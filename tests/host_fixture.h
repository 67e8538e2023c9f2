/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the host share: the library of hostile kernels, a small case of each operation,
 * and the check of an incident. */
#ifndef SINKPROOF_TESTS_HOST_FIXTURE_H
#define SINKPROOF_TESTS_HOST_FIXTURE_H

#include "tests/asserts.h"

#include "certify/host/host.h"

/* The library of tests/exploits/: beside the test runner in …/lib, or as SP_EXPLOITS says. */
const char *host_library_path(void);

/* A host with that library. arena_bytes as in sp_host_config. */
sp_host *host_library(size_t arena_bytes);
size_t host_find(const sp_host *host, const char *name);

/* Small cases that use most options of their operation; host_case makes the one of `op`. */
void host_softmax(sp_case *c);
void host_attention(sp_case *c);
void host_stream(sp_case *c);
void host_case(sp_case *c, sp_op op);

/* An f32 array of harmless numbers. */
void host_fill(sp_array *array, size_t count);

/* Run a case on a kernel and keep nothing but the incident. */
void host_run(sp_host *host, const char *kernel, const sp_case *c, bool once, sp_incident *incident,
              char path[32]);

/* The incident is of this kind and its sentence contains `text`. */
void host_check(const sp_incident *incident, sp_incident_kind kind, const char *text);

/* A Check case named `clause` that runs a loop test for first … end - 1. */
void host_add(Suite *suite, const char *clause, const TTest *test, size_t first, size_t end);

#endif
