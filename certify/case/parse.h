/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers from text that strangers wrote: nothing is skipped, guessed or wrapped round. */
#ifndef SINKPROOF_PARSE_H
#define SINKPROOF_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All of text[0 … length) is a number: decimal, or hex after "0x". False otherwise, and when it
 * does not fit. */
bool sp_parse_u64(const char *text, size_t length, uint64_t *value);

/* All of it is hex digits, exactly `digits` of them (at most 16). */
bool sp_parse_hex(const char *text, size_t length, size_t digits, uint64_t *value);

#endif
