/* SPDX-License-Identifier: Apache-2.0 */
/* sinkproof story: why sinks matter, in exact numbers, and what a window costs. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "certify/command/cli.h"
#include "certify/story/story.h"

typedef struct story {
  sp_scene scene[SP_STORY_SCENES];
  sp_cost cost[SP_STORY_COSTS];
  char path[4096], kernel[64];
  bool measured;
} story;

static void help(void) {
  fputs("usage: sinkproof story [KERNEL.so] [--no-cost] [--json] [--html FILE]\n\n"
        "What evicting tokens does to a row of attention, in the oracle's numbers, and what one "
        "more\n"
        "token costs through a window, with everything kept, and with the window computed anew.\n\n"
        "  sinkproof story                      tables; costs by our own fast kernel\n"
        "  sinkproof story ./mykernel.so        costs by yours\n"
        "  sinkproof story --no-cost --json     the exact numbers alone, for a program\n"
        "  sinkproof story --html story.html    one page with drawings\n",
        stdout);
}

/* lib/kernel_fast.so beside the folder that this program is in. */
static void own_kernel(char path[4096]) {
  char here[3000];
  ssize_t n = readlink("/proc/self/exe", here, sizeof here - 1);
  here[n > 0 ? n : 0] = '\0';
  char *slash = strrchr(here, '/');
  if (slash != NULL) *slash = '\0';
  snprintf(path, 4096, "%s/../lib/kernel_fast.so", here);
}

static void print_scenes(const story *s) {
  for (int i = 0; i < SP_STORY_SCENES; i++) {
    const sp_scene *scene = &s->scene[i];
    printf("%d. %s\n   %s\n\n   logit     value    weight               after\n", i + 1,
           scene->title, scene->lesson);
    for (int j = 0; j < SP_STORY_KEYS; j++)
      printf("   %6g  %8g    %.17f  %.17f%s\n", scene->logit[j], scene->value[j], scene->before[j],
             scene->after[j], scene->evicted[j] ? "  evicted" : "");
    if (scene->sink_before > 0)
      printf("   %6g      none    %.17f  %.17f  sink logit\n", scene->sink_logit,
             scene->sink_before, scene->sink_after);
    printf("\n   mass that left m        %.17g\n   factor 1/(1 - m)        %.17g\n"
           "   total variation         %.17g\n   output                  %.17g -> %.17g\n"
           "   drift, and its bound    %.6g <= %.6g\n\n",
           scene->mass, scene->factor, scene->distance, scene->out_before, scene->out_after,
           scene->drift, scene->bound);
  }
}

static void print_costs(const story *s) {
  printf("What one more token costs (%s, attention alone, one thread, 8 heads of 64), in us\n\n"
         "          n    window 4+1020    everything kept    window anew\n",
         s->kernel);
  for (int i = 0; i < SP_STORY_COSTS; i++)
    printf("   %8llu    %13.2f    %15.2f    %11.0f\n", (unsigned long long)s->cost[i].length,
           s->cost[i].window, s->cost[i].whole, s->cost[i].again);
  printf("\n   anew / window           %.1f   attention alone, here\n"
         "   published               22.2   whole models on a GPU (StreamingLLM, abstract)\n",
         s->cost[0].again / s->cost[0].window);
}

static void print_json(const story *s) {
  printf("{\"scenes\": [");
  for (int i = 0; i < SP_STORY_SCENES; i++) {
    const sp_scene *scene = &s->scene[i];
    printf("%s\n {\"title\": \"%s\", \"before\": [", i > 0 ? "," : "", scene->title);
    for (int j = 0; j < SP_STORY_KEYS; j++) printf("%s%.17g", j > 0 ? ", " : "", scene->before[j]);
    printf("], \"after\": [");
    for (int j = 0; j < SP_STORY_KEYS; j++) printf("%s%.17g", j > 0 ? ", " : "", scene->after[j]);
    printf("], \"sink\": [%.17g, %.17g], \"mass\": %.17g, \"factor\": %.17g, \"distance\": %.17g,"
           " \"out\": [%.17g, %.17g], \"drift\": %.17g, \"bound\": %.17g}",
           scene->sink_before, scene->sink_after, scene->mass, scene->factor, scene->distance,
           scene->out_before, scene->out_after, scene->drift, scene->bound);
  }
  printf("],\n \"costs\": [");
  for (int i = 0; s->measured && i < SP_STORY_COSTS; i++)
    printf("%s{\"n\": %llu, \"window_us\": %.3f, \"whole_us\": %.3f, \"again_us\": %.3f}",
           i > 0 ? ", " : "", (unsigned long long)s->cost[i].length, s->cost[i].window,
           s->cost[i].whole, s->cost[i].again);
  printf("]}\n");
}

static int tell(story *s, bool cost, bool json, const char *html) {
  if (!sp_story_play(s->scene)) {
    fprintf(stderr, "sinkproof story: out of memory\n");
    return SP_EXIT_TOOL_FAULT;
  }
  const char *why = cost ? sp_story_measure(s->path, s->cost, s->kernel) : NULL;
  if (why != NULL) {
    fprintf(stderr, "sinkproof story: %s: %s\n", s->path, why);
    return SP_EXIT_CANNOT_LOAD;
  }
  s->measured = cost;
  if (json) {
    print_json(s);
  } else {
    print_scenes(s);
    if (cost) print_costs(s);
  }
  if (html == NULL || sp_story_page(html, s->scene, s->cost, cost ? s->kernel : NULL)) return 0;
  fprintf(stderr, "sinkproof story: %s cannot be written\n", html);
  return SP_EXIT_USAGE;
}

int sp_cmd_story(int argc, char **argv) {
  static const struct option options[] = {{"no-cost", no_argument, NULL, 'n'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"html", required_argument, NULL, 'o'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
  static story s;
  bool cost = true;
  bool json = false;
  const char *html = NULL;
  for (int o; (o = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
    if (o == 'h') {
      help();
      return 0;
    }
    if (o == 'n') cost = false;
    if (o == 'j') json = true;
    if (o == 'o') html = optarg;
    if (o == '?') return (int)sp_usage_error("story", "see above");
  }
  if (argc - optind > 1) return (int)sp_usage_error("story", "one kernel at most");
  if (optind < argc)
    snprintf(s.path, sizeof s.path, "%s%s", strchr(argv[optind], '/') ? "" : "./", argv[optind]);
  else
    own_kernel(s.path);
  return tell(&s, cost, json, html);
}
