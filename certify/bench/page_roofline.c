/* SPDX-License-Identifier: Apache-2.0 */
/* The roofline plot: what the machine can do at a given number of operations per byte, and where
 * the attention kernels of the run stand below it. Both axes are logarithmic. A point lies at the
 * intensity of its shape, counting each byte once; a hollow one failed its class there. */
#include <math.h>

#include "certify/bench/page.h"

enum { WIDTH = 880, HEIGHT = 460, LEFT = 64, RIGHT = 180, TOP = 24, BOTTOM = 52 };

typedef struct axes {
  double x0, x1, y0, y1; /* log10 of the ends */
} axes;

static double px(const axes *a, double x) {
  return LEFT + (log10(x) - a->x0) / (a->x1 - a->x0) * (WIDTH - LEFT - RIGHT);
}

static double py(const axes *a, double y) {
  return HEIGHT - BOTTOM - (log10(y) - a->y0) / (a->y1 - a->y0) * (HEIGHT - TOP - BOTTOM);
}

static bool point(const sp_bench *bench, const sp_bench_result *r, double *x, double *y) {
  sp_bench_work work;
  const sp_bench_shape *shape = &bench->shape[r->shape];
  if (shape->op != SP_OP_ATTENTION || r->state != SP_CELL_TIMED) return false;
  if (r->n_threads != bench->config.threads[0]) return false;
  sp_bench_work_of(shape, &work);
  *x = work.flops / work.bytes;
  *y = work.flops / r->least * 1e-9;
  return true;
}

static bool range(const sp_bench *bench, axes *a) {
  double x, y, x0 = INFINITY, x1 = 0, y0 = INFINITY, y1 = 0;
  for (size_t i = 0; i < bench->n_results; i++) {
    if (!point(bench, &bench->result[i], &x, &y)) continue;
    x0 = fmin(x0, x), x1 = fmax(x1, x), y0 = fmin(y0, y), y1 = fmax(y1, y);
  }
  if (!(x0 <= x1)) return false;
  const double *limit = bench->limits[0].value;
  y1 = fmax(y1, fmax(limit[SP_LIMIT_FMA], limit[SP_LIMIT_DOT_BF16]) * 1e-9);
  /* The left end is where the nearest cache stops being the roof, so that all roofs are seen. */
  const double ridge =
      limit[SP_LIMIT_READ_L1] > 0 ? limit[SP_LIMIT_FMA] / limit[SP_LIMIT_READ_L1] : x0;
  *a = (axes){log10(fmin(x0, ridge) / 2), log10(x1 * 2), log10(y0 / 1.6), log10(y1 * 1.6)};
  return true;
}

static const double of_decade[] = {1, 2, 5}; /* where the ticks are */

static void ticks_x(FILE *file, const axes *a) {
  for (double e = floor(a->x0); e <= a->x1; e++)
    for (int i = 0; i < 3; i++) {
      double x = of_decade[i] * pow(10, e);
      if (log10(x) < a->x0 || log10(x) > a->x1) continue;
      fprintf(file,
              "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\" stroke=\"var(--line)\"/>"
              "<text class=\"soft\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%g</text>\n",
              px(a, x), px(a, x), TOP, HEIGHT - BOTTOM, px(a, x), HEIGHT - BOTTOM + 18, x);
    }
}

static void ticks_y(FILE *file, const axes *a) {
  for (double e = floor(a->y0); e <= a->y1; e++)
    for (int i = 0; i < 3; i++) {
      double y = of_decade[i] * pow(10, e);
      if (log10(y) < a->y0 || log10(y) > a->y1) continue;
      fprintf(file,
              "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"var(--line)\"/>"
              "<text class=\"soft\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%g</text>\n",
              LEFT, WIDTH - RIGHT, py(a, y), py(a, y), LEFT - 8, py(a, y) + 4, y);
    }
}

static void titles(FILE *file) {
  fprintf(file,
          "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">operations per byte</text>"
          "<text x=\"%d\" y=\"%d\">GFLOP/s</text>\n",
          (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, LEFT - 48, TOP - 8);
}

static void flat_roof(FILE *file, const axes *a, const sp_limits *limits, sp_limit limit) {
  double y = limits->value[limit] * 1e-9;
  if (y <= 0) return;
  fprintf(file,
          "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"var(--fg)\"/>"
          "<text x=\"%d\" y=\"%.1f\">%s, %.0f</text>\n",
          LEFT, WIDTH - RIGHT, py(a, y), py(a, y), WIDTH - RIGHT + 8, py(a, y) + 4,
          sp_limit_names[limit], y);
}

/* Bandwidth times intensity, up to the FMA roof. The third level is often close to the second, so its
 * name stands below its line. */
static void slanted_roof(FILE *file, const axes *a, const sp_limits *limits, sp_limit limit) {
  double rate = limits->value[limit] * 1e-9, top = limits->value[SP_LIMIT_FMA] * 1e-9;
  if (rate <= 0 || top <= 0) return;
  double x0 = fmax(pow(10, a->x0), pow(10, a->y0) / rate), x1 = fmin(top / rate, pow(10, a->x1));
  if (!(x0 < x1)) return;
  fprintf(file,
          "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"var(--soft)\" "
          "stroke-dasharray=\"5 4\"><title>%s, %.0f GB/s</title></line>",
          px(a, x0), px(a, x1), py(a, x0 * rate), py(a, x1 * rate), sp_limit_names[limit], rate);
  if (px(a, x1) - px(a, x0) < 60) return; /* no room for its name; the title has it */
  double angle = atan2(py(a, x1 * rate) - py(a, x0 * rate), px(a, x1) - px(a, x0)) * 57.29578;
  fprintf(
      file,
      "<text class=\"soft\" transform=\"translate(%.1f %.1f) rotate(%.1f)\" dy=\"%d\">%s</text>\n",
      px(a, x0) + 6, py(a, x0 * rate) - 4, angle, limit == SP_LIMIT_READ_L3 ? 14 : -4,
      sp_limit_names[limit]);
}

/* A circle; where the colours begin again, a square. */
static void mark(FILE *file, double x, double y, bool square) {
  if (square)
    fprintf(file, "<rect x=\"%.1f\" y=\"%.1f\" width=\"8\" height=\"8\"", x - 4, y - 4);
  else
    fprintf(file, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4.5\"", x, y);
}

static void points(FILE *file, const sp_bench *bench, const axes *a) {
  double x, y;
  for (size_t i = 0; i < bench->n_results; i++) {
    const sp_bench_result *r = &bench->result[i];
    if (!point(bench, r, &x, &y)) continue;
    bool hollow = !r->judged || r->verdict == SP_FAIL;
    size_t colour = sp_page_colour(bench, r->contender) % SP_PAGE_COLOURS;
    bool square = sp_page_colour(bench, r->contender) >= SP_PAGE_COLOURS;
    mark(file, px(a, x), py(a, y), square);
    fprintf(file, " style=\"stroke:var(--c%zu);stroke-width:1.6;fill-opacity:.75;", colour);
    if (hollow) fputs("fill:none\"", file);
    if (!hollow) fprintf(file, "fill:var(--c%zu)\"", colour);
    fprintf(file, "><title>%s, %s: %.1f GFLOP/s</title></%s>\n",
            bench->contender[r->contender].label, bench->shape[r->shape].name, y,
            square ? "rect" : "circle");
  }
}

static bool has_point(const sp_bench *bench, size_t colour) {
  double x, y;
  for (size_t r = 0; r < bench->n_results; r++)
    if (sp_page_colour(bench, bench->result[r].contender) == colour &&
        point(bench, &bench->result[r], &x, &y))
      return true;
  return false;
}

/* One entry for each colour, by the first contender that has it. */
static void key(FILE *file, const sp_bench *bench) {
  size_t next = 0;
  fputs("<p class=\"key\">", file);
  for (size_t i = 0; i < bench->n_contenders; i++) {
    const size_t colour = sp_page_colour(bench, i);
    if (colour < next) continue;
    next = colour + 1;
    if (!has_point(bench, colour)) continue;
    fprintf(file, "<span><i%s style=\"background:var(--c%zu)\"></i>",
            colour < SP_PAGE_COLOURS ? " class=\"round\"" : "", colour % SP_PAGE_COLOURS);
    sp_page_family(file, &bench->contender[i]);
    fputs("</span>", file);
  }
  fputs("</p>\n", file);
}

void sp_page_roofline(FILE *file, const sp_bench *bench) {
  axes a;
  if (!range(bench, &a)) return;
  fprintf(file,
          "<h2>Attention under the roofs, %u thread%s</h2>\n"
          "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"Roofline plot\">\n",
          bench->config.threads[0], bench->config.threads[0] == 1 ? "" : "s", WIDTH, HEIGHT);
  ticks_x(file, &a);
  ticks_y(file, &a);
  titles(file);
  for (sp_limit i = SP_LIMIT_READ_L1; i <= SP_LIMIT_READ_DRAM; i++)
    slanted_roof(file, &a, &bench->limits[0], i);
  flat_roof(file, &a, &bench->limits[0], SP_LIMIT_FMA);
  flat_roof(file, &a, &bench->limits[0], SP_LIMIT_DOT_BF16);
  points(file, bench, &a);
  fputs("</svg>\n", file);
  key(file, bench);
  fputs("<p class=\"soft\">A filled point passed its class on that shape, a hollow one did not. "
        "Every "
        "byte is counted once, so a point may lie above a slanted roof when its keys stay in a "
        "nearer cache.</p>\n",
        file);
}
