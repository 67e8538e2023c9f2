/* SPDX-License-Identifier: Apache-2.0 */
/* The matrix of faults and generators. A column is a generator, whatever the operation; a cell is the
 * share of its cases that reject the fault. What a line says in words is what a reader looks for: the
 * generator that needs the fewest cases, and faults for which there is only one witness. spec: CT-5 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "certify/command/selftest_matrix.h"

enum { MAX_COLUMNS = SP_MAX_GROUPS };

/* A generator: its groups of all operations together. */
typedef struct column {
  const char *name;
  uint64_t n_cases;
  size_t n_rejected, n_alone; /* faults that it rejects, and that no other does */
} column;

typedef struct matrix {
  const sp_report *report;
  const sp_fault *faults;
  size_t n_faults, n_columns;
  column column[MAX_COLUMNS];
  size_t column_of[SP_MAX_GROUPS];
} matrix;

static size_t find_column(matrix *m, const char *name) {
  size_t i = 0;
  while (i < m->n_columns && strcmp(m->column[i].name, name) != 0) i++;
  if (i == m->n_columns) m->column[m->n_columns++] = (column){.name = name};
  return i;
}

static void collect_columns(matrix *m) {
  const sp_tally *tally = m->report->tally;
  for (size_t g = 0; g < tally->n_groups; g++) {
    if (tally->groups[g].generator == NULL) continue;
    m->column_of[g] = find_column(m, tally->groups[g].name);
    m->column[m->column_of[g]].n_cases += tally->groups[g].n_cases;
  }
}

/* One line of the matrix: cases of each generator that reject the fault, and the best of them. */
typedef struct line {
  uint64_t kills[MAX_COLUMNS];
  size_t n_generators, best;
  uint64_t needed; /* cases of the best until the first that rejects, that one included */
} line;

static void collect_line(const matrix *m, size_t fault, line *l) {
  const sp_tally *tally = m->report->tally;
  const sp_fault_result *result = &tally->faults[fault];
  *l = (line){.needed = UINT64_MAX};
  for (size_t g = 0; g < tally->n_groups; g++) {
    if (result->kills[g] == 0) continue;
    size_t at = m->column_of[g];
    l->n_generators += l->kills[at] == 0;
    l->kills[at] += result->kills[g];
    if (result->first[g] + 1 >= l->needed) continue;
    l->needed = result->first[g] + 1;
    l->best = at;
  }
}

static void print_heading(const matrix *m) {
  printf("Columns: the generators below, by number. Cells: cases of the generator that reject the\n"
         "fault: . none, 1 to 9 up to so many tenths, # more. `needs`: cases until the first "
         "rejects,\n"
         "in the generator that is named, where they are fewest.\n\n");
  for (int digit = 10; digit > 0; digit /= 10) {
    printf("%-36s %5s %-18s ", "", digit == 1 ? "needs" : "", digit == 1 ? "of" : "");
    for (size_t i = 0; i < m->n_columns; i++) putchar('0' + (int)(i / (size_t)digit % 10));
    putchar('\n');
  }
}

static char cell(uint64_t kills, uint64_t n_cases) {
  if (kills == 0) return '.';
  uint64_t tenths = (kills * 10 + n_cases - 1) / n_cases;
  return tenths > 9 ? '#' : (char)('0' + tenths);
}

static void print_line(matrix *m, size_t fault) {
  line l;
  collect_line(m, fault, &l);
  if (l.n_generators == 0) {
    printf("%-36s %5s %-18s\n", m->faults[fault].name, "-", "SURVIVED");
    return;
  }
  printf("%-36s %5" PRIu64 " %-18s ", m->faults[fault].name, l.needed, m->column[l.best].name);
  for (size_t i = 0; i < m->n_columns; i++) {
    putchar(cell(l.kills[i], m->column[i].n_cases));
    m->column[i].n_rejected += l.kills[i] > 0;
    m->column[i].n_alone += l.kills[i] > 0 && l.n_generators == 1;
  }
  putchar('\n');
}

static void print_generators(const matrix *m) {
  printf("\n%-5s%-22s %8s %8s %10s\n", "", "generator", "cases", "rejects", "alone");
  for (size_t i = 0; i < m->n_columns; i++) {
    const column *c = &m->column[i];
    printf("%3zu  %-22s %8" PRIu64 " %8zu %10zu\n", i, c->name, c->n_cases, c->n_rejected,
           c->n_alone);
  }
}

static void print_guards(uint32_t seen) {
  for (int kind = SP_INCIDENT_UNSUPPORTED + 1; kind <= SP_INCIDENT_VARIES; kind++)
    if (seen >> (SP_SEEN_INCIDENT + kind) & 1u)
      printf(" %s", sp_incident_name((sp_incident_kind)kind));
}

/* Faults for which one kind of comparison is all there is: without it they would pass. */
static void print_only(const matrix *m, const char *title, bool by_lse) {
  size_t n = 0;
  printf("\n%s\n", title);
  for (size_t i = 0; i < m->n_faults; i++) {
    const sp_fault_result *result = &m->report->tally->faults[i];
    bool guards = (result->seen & (SP_SEEN_VALUES | SP_SEEN_LSE)) == 0;
    if (!result->killed || !(by_lse ? result->seen == SP_SEEN_LSE : guards)) continue;
    printf("  %-34s", m->faults[i].name);
    print_guards(result->seen);
    putchar('\n');
    n++;
  }
  if (n == 0) printf("  none\n");
}

static void print_alone(const matrix *m) {
  size_t n = 0;
  printf("\nSeen by one generator only:\n");
  for (size_t i = 0; i < m->n_faults; i++) {
    line l;
    collect_line(m, i, &l);
    if (l.n_generators != 1) continue;
    printf("  %-34s %s, %" PRIu64 " of %" PRIu64 " cases\n", m->faults[i].name,
           m->column[l.best].name, l.kills[l.best], m->column[l.best].n_cases);
    n++;
  }
  if (n == 0) printf("  none\n");
}

void sp_print_matrix(const sp_report *report) {
  static matrix m;
  m = (matrix){.report = report};
  m.faults = sp_faults(&m.n_faults);
  collect_columns(&m);
  print_heading(&m);
  for (size_t i = 0; i < m.n_faults; i++)
    if (report->tally->faults[i].applicable) print_line(&m, i);
  print_generators(&m);
  print_only(&m, "Seen only because log-sum-exps are compared:", true);
  print_only(&m, "Seen only by guards of memory, state and containment:", false);
  print_alone(&m);
  putchar('\n');
}
