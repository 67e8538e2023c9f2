/* SPDX-License-Identifier: Apache-2.0 */
#include "certify/run/digest.h"

#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool sp_digest_file(const char *path, char hex[65]) {
  FILE *file = fopen(path, "rb");
  if (!file) return false;
  struct sha256_ctx context;
  uint8_t buffer[65536], digest[SHA256_DIGEST_SIZE];
  sha256_init(&context);
  for (size_t n; (n = fread(buffer, 1, sizeof buffer, file)) > 0;)
    sha256_update(&context, n, buffer);
  bool ok = !ferror(file);
  fclose(file);
  sha256_digest(&context, sizeof digest, digest);
  for (size_t i = 0; i < sizeof digest; i++) snprintf(hex + 2 * i, 3, "%02x", digest[i]);
  return ok;
}

uint64_t sp_digest_seed(const char *hex) {
  char head[17] = "73696e6b70726f6f"; /* "sinkproo" in ASCII: kernels without a file */
  if (hex[0]) memcpy(head, hex, 16);
  return strtoull(head, NULL, 16);
}
