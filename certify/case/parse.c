/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers from text. strtoull is not used: it skips blanks, accepts signs, depends on the locale
 * and needs a terminated string. */
#include "certify/case/parse.h"

static int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return 16;
}

static bool parse(const char *text, size_t length, unsigned base, uint64_t *value) {
  if (length == 0) return false;
  uint64_t sum = 0;
  for (size_t i = 0; i < length; i++) {
    unsigned digit = (unsigned)digit_value(text[i]);
    if (digit >= base) return false;
    if (sum > (UINT64_MAX - digit) / base) return false;
    sum = sum * base + digit;
  }
  *value = sum;
  return true;
}

bool sp_parse_u64(const char *text, size_t length, uint64_t *value) {
  if (length > 2 && text[0] == '0' && text[1] == 'x') return parse(text + 2, length - 2, 16, value);
  return parse(text, length, 10, value);
}

bool sp_parse_hex(const char *text, size_t length, size_t digits, uint64_t *value) {
  return length == digits && parse(text, length, 16, value);
}
