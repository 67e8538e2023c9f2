/* SPDX-License-Identifier: Apache-2.0 */
/* The benchmark as one page that can be sent to somebody: no script, no file beside it. What a
 * reader must know to believe a number stands on the page: the processor, its measured limits, the
 * certificate of each kernel, and beside each time the error of the outputs that were timed. */
#include "certify/bench/page.h"

#include <math.h>
#include <string.h>

#include "certify/bench/report.h"

void sp_page_text(FILE *file, const char *text) {
  for (; *text != '\0'; text++) {
    switch (*text) {
    case '<':
      fputs("&lt;", file);
      break;
    case '>':
      fputs("&gt;", file);
      break;
    case '&':
      fputs("&amp;", file);
      break;
    case '"':
      fputs("&quot;", file);
      break;
    default:
      fputc(*text, file);
    }
  }
}

static size_t family_length(const char *label) {
  static const char *const types[] = {"-f32", "-f16", "-bf16"};
  const size_t length = strlen(label);
  for (size_t i = 0; i < 3; i++) {
    const size_t n = strlen(types[i]);
    if (length > n && strcmp(label + length - n, types[i]) == 0) return length - n;
  }
  return length;
}

static bool same_family(const sp_contender *a, const sp_contender *b) {
  const size_t n = family_length(a->label);
  return n == family_length(b->label) && strncmp(a->label, b->label, n) == 0;
}

void sp_page_family(FILE *file, const sp_contender *contender) {
  char name[sizeof contender->label];
  snprintf(name, sizeof name, "%.*s", (int)family_length(contender->label), contender->label);
  sp_page_text(file, name);
}

size_t sp_page_colour(const sp_bench *bench, size_t contender) {
  size_t colour = 0;
  for (size_t i = 0; i <= contender; i++) {
    size_t first = 0;
    while (!same_family(&bench->contender[first], &bench->contender[i])) first++;
    if (same_family(&bench->contender[i], &bench->contender[contender])) return colour;
    colour += first == i;
  }
  return colour;
}

static void head(FILE *file, const sp_bench *bench) {
  fprintf(file,
          "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
          "<title>sinkproof bench</title>\n<style>%s</style></head><body>\n"
          "<h1>Kernels with sinks, timed and judged</h1>\n<p class=\"soft\">",
          sp_page_style);
  sp_page_text(file, bench->cpu);
  fprintf(file, ", %u core%s · %.10s · sinkproof %s · %s scheduling</p>\n<p class=\"soft\"><code>",
          bench->n_cores, bench->n_cores == 1 ? "" : "s", bench->made, SP_VERSION,
          bench->config.realtime ? "real-time" : "ordinary");
  sp_page_text(file, bench->command);
  fprintf(
      file,
      "</code></p>\n<p>All kernels ran in turns over the same buffers, %d rounds for each "
      "shape. <b>Least</b> is the shortest time seen, <b>spread</b> the distance from the 10th to "
      "the 90th percentile over the median. <b>Error</b> is that of the outputs that were timed, "
      "against exact values: the largest relative error of a weight for softmax, the RMS error "
      "over the RMS value for attention. <b>Budget</b> is the share of its own accuracy "
      "class&rsquo;s bound that a kernel used; above 1 it fails. Ratios between kernels of "
      "different classes compare different work.</p>\n",
      SP_BENCH_ROUNDS);
}

/* A class may break after a comma, or the columns behind it leave the page. */
static void class_text(FILE *file, const sp_contender *c) {
  const char *text = c->has_class ? c->cls.text : "none";
  fputs("<td class=\"l\"><code>", file);
  for (; *text != '\0'; text++) fprintf(file, *text == ',' ? "%c<wbr>" : "%c", *text);
  fputs("</code></td>", file);
}

static void contenders(FILE *file, const sp_bench *bench) {
  fputs(
      "<h2>Kernels</h2>\n<div class=\"wide\"><table><tr><th>kernel</th><th class=\"l\">version</th>"
      "<th class=\"l\">class</th><th class=\"l\">certificate of this run</th></tr>\n",
      file);
  for (size_t i = 0; i < bench->n_contenders; i++) {
    const sp_contender *c = &bench->contender[i];
    fprintf(file, "<tr><td><span class=\"key\"><i%s style=\"background:var(--c%zu)\"></i></span>",
            sp_page_colour(bench, i) < SP_PAGE_COLOURS ? " class=\"round\"" : "",
            sp_page_colour(bench, i) % SP_PAGE_COLOURS);
    sp_page_text(file, c->label);
    fputs("</td><td class=\"l\">", file);
    sp_page_text(file, c->version);
    fputs("</td>", file);
    class_text(file, c);
    fprintf(file, "<td class=\"l %s\">",
            c->certified             ? "good"
            : c->certificate[0] != 0 ? "bad"
                                     : "soft");
    sp_page_text(file, c->certificate[0] ? c->certificate : "not certified");
    fputs("</td></tr>\n", file);
  }
  fputs("</table></div>\n", file);
}

static void limits(FILE *file, const sp_bench *bench) {
  if (bench->config.limit_time <= 0) return;
  fprintf(
      file,
      "<h2>Limits of the machine</h2>\n<p class=\"soft\">Measured with %s code just before the "
      "run. A copy counts what is read and what is written.</p>\n<div class=\"wide\"><table><tr>"
      "<th>limit</th>",
      bench->limits[0].isa);
  for (size_t t = 0; t < SP_BENCH_THREADS && bench->config.threads[t] > 0; t++)
    fprintf(file, "<th>%u thread%s</th>", bench->config.threads[t],
            bench->config.threads[t] == 1 ? "" : "s");
  fputs("</tr>\n", file);
  for (sp_limit i = 0; i < SP_N_LIMITS; i++) {
    if (bench->limits[0].value[i] <= 0) continue;
    const char *unit = sp_limit_is_bandwidth(i) ? "GB/s"
                       : i == SP_LIMIT_VECTOR   ? "G lane operations/s"
                                                : "GFLOP/s";
    fprintf(file, "<tr><td>%s</td>", sp_limit_names[i]);
    for (size_t t = 0; t < SP_BENCH_THREADS && bench->config.threads[t] > 0; t++)
      fprintf(file, "<td>%.0f %s</td>", bench->limits[t].value[i] * 1e-9, unit);
    fputs("</tr>\n", file);
  }
  fputs("</table></div>\n", file);
}

static void bar(FILE *file, const sp_bench *bench, const sp_bench_result *r, double slowest) {
  fprintf(file,
          "<td class=\"bar\"><span class=\"track\"><span class=\"fill\" "
          "style=\"width:%.1f%%;background:var(--c%zu)\"></span></span></td>",
          100 * r->least / slowest, sp_page_colour(bench, r->contender) % SP_PAGE_COLOURS);
}

static void row(FILE *file, const sp_bench *bench, const sp_bench_result *r, double best,
                double slowest) {
  const sp_contender *c = &bench->contender[r->contender];
  char time[24], rate[32];
  const char *mark = sp_bench_mark(bench, r);
  bool right = r->judged && r->verdict == SP_PASS;
  const char *look = !right ? "bad" : c->certified ? "good" : "soft";
  fputs("<tr><td>", file);
  sp_page_text(file, c->label);
  fputs("</td>", file);
  if (r->state != SP_CELL_TIMED) {
    fprintf(file, "<td></td><td colspan=\"8\" class=\"l soft\">%s</td></tr>\n", mark);
    return;
  }
  bar(file, bench, r, slowest);
  sp_bench_time(r->least, time, sizeof time);
  sp_bench_rate(&bench->shape[r->shape], r->least, rate, sizeof rate);
  fprintf(file, "<td>%s</td><td>%.2f&times;</td><td>%.0f %%</td><td>%s</td><td>", time,
          r->least / best, 100 * r->spread, rate);
  if (r->roof.seconds > 0)
    fprintf(file, "%.0f %% of %s", 100 * r->roof.seconds / r->least, sp_limit_names[r->roof.limit]);
  fprintf(file, "</td><td>%.1e</td><td>%.2g</td>", r->error, r->budget);
  class_text(file, c);
  fprintf(file, "<td class=\"l %s\"", look);
  fputs(" title=\"", file);
  sp_page_text(file, r->why);
  fprintf(file, "\">%s</td></tr>\n", mark);
}

static void absent(FILE *file, const sp_bench *bench, const sp_bench_result *const *block,
                   size_t n) {
  const char *before = "<p class=\"soft\">Not offered by ";
  for (size_t i = 0; i < n; i++) {
    if (block[i]->state != SP_CELL_NOT_OFFERED) continue;
    fputs(before, file);
    sp_page_text(file, bench->contender[block[i]->contender].label);
    before = ", ";
  }
  if (before[0] == ',') fputs(".</p>\n", file);
}

static void blocks(FILE *file, const sp_bench *bench) {
  const sp_bench_result *block[SP_BENCH_CONTENDERS];
  fputs("<h2>Times</h2>\n", file);
  for (size_t first = 0; first < bench->n_results; first += bench->n_contenders) {
    size_t n = sp_bench_block(bench, first, block);
    double slowest = 0;
    for (size_t i = 0; i < n; i++)
      if (block[i]->state == SP_CELL_TIMED) slowest = fmax(slowest, block[i]->least);
    fprintf(file,
            "<h3>%s, %u thread%s</h3>\n<div class=\"wide\"><table><tr><th>kernel</th><th></th>"
            "<th>least</th><th>ratio</th><th>spread</th><th>rate</th><th>roof</th><th>error</th>"
            "<th>budget</th><th class=\"l\">class</th><th class=\"l\">judged</th></tr>\n",
            bench->shape[block[0]->shape].name, block[0]->n_threads,
            block[0]->n_threads == 1 ? "" : "s");
    for (size_t i = 0; i < n; i++)
      if (block[i]->state != SP_CELL_NOT_OFFERED)
        row(file, bench, block[i], block[0]->least, slowest);
    fputs("</table></div>\n", file);
    absent(file, bench, block, n);
  }
}

bool sp_bench_html(FILE *file, const sp_bench *bench) {
  head(file, bench);
  contenders(file, bench);
  limits(file, bench);
  if (bench->config.limit_time > 0) sp_page_roofline(file, bench);
  blocks(file, bench);
  fputs("</body></html>\n", file);
  return ferror(file) == 0;
}
