/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 of a file: what a certificate is about, and where a run's default seed comes from, so
 * that cases cannot be learned and can always be replayed. spec: CT-4, CT-9 */
#ifndef SINKPROOF_DIGEST_H
#define SINKPROOF_DIGEST_H

#include <stdbool.h>
#include <stdint.h>

/* 64 hex digits and a zero byte. False when the file cannot be read. */
bool sp_digest_file(const char *path, char hex[65]);

/* The first 64 bits of a digest; a fixed number for "". */
uint64_t sp_digest_seed(const char *hex);

#endif
