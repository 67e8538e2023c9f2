/* SPDX-License-Identifier: Apache-2.0 */
/* Fills golden vectors in: reads records from standard input and writes them to standard output
 * with the results that the oracle gives, remarks kept. Run from the root of the repository:
 *
 *     cc -std=c11 -D_GNU_SOURCE -I. -Iinclude -DSP_VERSION='"0"' -o fill \
 *         tests/vectors/fill.c tests/vector.c ref/[a-z]*.c -lmpfi -lmpfr -lgmp -lm
 *     ./fill < tests/vectors/rows.txt > rows.new && mv rows.new tests/vectors/rows.txt
 *
 * A new vector is written by hand without its results and filled in by this. The test
 * tests/test_ref_vectors.c then holds the file against both oracles, so a result that only one of
 * them gives does not get in. */
#include <stdlib.h>

#include "tests/vector.h"

static void copy_remarks(void) {
  int c;
  while ((c = getchar()) == '#') {
    do putchar(c);
    while (c != '\n' && (c = getchar()) != EOF);
  }
  if (c != EOF) ungetc(c, stdin);
}

int main(void) {
  sp_vector vector;
  char error[128];
  copy_remarks();
  while (sp_vector_read(stdin, &vector, error, sizeof error)) {
    if (!sp_vector_fill(&vector)) {
      fprintf(stderr, "fill: %s is undecided\n", vector.name);
      return EXIT_FAILURE;
    }
    putchar('\n');
    sp_vector_write(stdout, &vector);
    sp_vector_clear(&vector);
  }
  if (error[0] != '\0') fprintf(stderr, "fill: %s\n", error);
  return error[0] == '\0' ? EXIT_SUCCESS : EXIT_FAILURE;
}
