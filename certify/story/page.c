/* SPDX-License-Identifier: Apache-2.0 */
/* The story as one page: drawings are inline SVG, and nothing is fetched. See story.h. */
#include <math.h>
#include <stdio.h>

#include "certify/story/story.h"

static const char head[] =
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>The sink, in numbers</title>"
    "<style>body{font:16px/1.5 sans-serif;max-width:46em;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse}td,th{padding:.2em .8em;text-align:right}"
    ".before{fill:#999}.after{fill:#c33}text{font-size:11px}</style>"
    "<h1>The sink, in numbers</h1><p>Weights of a row of attention before (grey) and after (red) "
    "an "
    "eviction, as sinkproof's oracle gives them. The last pair of bars is the mass that no value "
    "receives.</p>";

static void bar(FILE *f, const char *kind, double x, double height) {
  fprintf(f, "<rect class=\"%s\" x=\"%.0f\" y=\"%.2f\" width=\"26\" height=\"%.2f\"/>", kind, x,
          150 - 130 * height, 130 * height);
}

static void draw(FILE *f, const sp_scene *s) {
  fprintf(f, "<svg role=\"img\" width=\"480\" height=\"175\"><title>%s</title>", s->title);
  for (int j = 0; j <= SP_STORY_KEYS; j++) {
    bool sink = j == SP_STORY_KEYS;
    double x = 10 + 78 * j;
    bar(f, "before", x, sink ? s->sink_before : s->before[j]);
    bar(f, "after", x + 28, sink ? s->sink_after : s->after[j]);
    if (sink)
      fprintf(f, "<text x=\"%.0f\" y=\"168\">sink logit</text>", x);
    else
      fprintf(f, "<text x=\"%.0f\" y=\"168\">x = %g</text>", x, s->logit[j]);
  }
  fputs("</svg>", f);
}

static void scene_part(FILE *f, const sp_scene *s) {
  fprintf(f, "<h2>%s</h2><p>%s.</p>", s->title, s->lesson);
  draw(f, s);
  fprintf(f,
          "<table><tr><th>m<th>1/(1 - m)<th>total variation<th>output<th>after<th>drift<th>bound"
          "<tr><td>%.12g<td>%.12g<td>%.12g<td>%.12g<td>%.12g<td>%.6g<td>%.6g</table>",
          s->mass, s->factor, s->distance, s->out_before, s->out_after, s->drift, s->bound);
}

static void cost_part(FILE *f, const sp_cost *cost, const char *kernel) {
  double top = 0;
  for (int i = 0; i < SP_STORY_COSTS; i++) top = fmax(top, fmax(cost[i].whole, cost[i].window));
  fprintf(
      f,
      "<h2>What one more token costs</h2><p>Kernel %s, attention alone, one thread, 8 heads of 64 "
      "elements. The published 22.2 times (StreamingLLM, abstract) compares whole models with "
      "recomputation, on a GPU.</p><svg role=\"img\" width=\"480\" height=\"175\">"
      "<title>grey: everything kept; red: a window</title>",
      kernel);
  for (int i = 0; i < SP_STORY_COSTS; i++) {
    bar(f, "before", 10 + 100 * i, cost[i].whole / top);
    bar(f, "after", 38 + 100 * i, cost[i].window / top);
    fprintf(f, "<text x=\"%d\" y=\"168\">n = %llu</text>", 10 + 100 * i,
            (unsigned long long)cost[i].length);
  }
  fputs("</svg><table><tr><th>n<th>window, us<th>everything, us<th>window anew, us", f);
  for (int i = 0; i < SP_STORY_COSTS; i++)
    fprintf(f, "<tr><td>%llu<td>%.2f<td>%.2f<td>%.0f", (unsigned long long)cost[i].length,
            cost[i].window, cost[i].whole, cost[i].again);
  fputs("</table>", f);
}

bool sp_story_page(const char *path, const sp_scene scene[SP_STORY_SCENES], const sp_cost *cost,
                   const char *kernel) {
  FILE *f = fopen(path, "w");
  if (f == NULL) return false;
  fputs(head, f);
  for (int i = 0; i < SP_STORY_SCENES; i++) scene_part(f, &scene[i]);
  if (kernel != NULL) cost_part(f, cost, kernel);
  fputs("</html>\n", f);
  bool good = ferror(f) == 0;
  return fclose(f) == 0 && good;
}
