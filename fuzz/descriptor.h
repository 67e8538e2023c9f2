/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes as a stranger's descriptor, put to what reads it: sizes, versions, operations that are not
 * there, names that are none. (KC-1, KC-2)
 *
 * No byte at all is a descriptor with nothing wrong; each byte that is not zero changes one thing. */
#ifndef SINKPROOF_FUZZ_DESCRIPTOR_H
#define SINKPROOF_FUZZ_DESCRIPTOR_H

#include "certify/host/worker.h"

/* sp_worker_describe, or one of its kind that a test has spoiled. */
typedef bool (*sp_fuzz_reader)(const sp_kernel *theirs, sp_kernel *kernel, sp_descriptor *d,
                               sp_load_report *load, uint32_t index);

/* NULL, or what is wrong with the reader's answer. */
const char *sp_fuzz_descriptor(sp_fuzz_reader reader, const uint8_t *data, size_t size);

#endif
