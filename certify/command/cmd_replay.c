/* SPDX-License-Identifier: Apache-2.0 */
/* sinkproof replay: one case again, with everything that is wrong about it. spec: CT-4 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certify/command/cli.h"
#include "certify/profile/translate.h"

static const char help[] =
    "usage: sinkproof replay KERNEL.so[:NAME] 'LINE' [options]\n"
    "       sinkproof replay KERNEL.so[:NAME] --case FILE [options]\n"
    "       sinkproof replay KERNEL.so --report FILE\n\n"
    "Runs one case again and shows every element that fails. LINE is what a report prints after\n"
    "'replay'. --report runs everything that a JSON report holds again and compares the bytes.\n\n"
    "  --class CLASS   accuracy class instead of the claimed one\n"
    "  --profile NAME  conventions of the kernel; a LINE names its own (sinkproof list profiles)\n"
    "  --save FILE     write the case, with every bit of its inputs, as text\n"
    "  --elements N    failing elements to show, default 16\n"
    "  --timeout MS    per call, default 10000\n";

typedef struct options {
  sp_subject subject;
  sp_profile profile;
  char line_text[1024];
  const char *profile_text, *line, *file, *report, *class_text, *save;
  uint64_t n_elements, timeout_ms;
} options;

/* The last word of a line may name the profile; the rest names the case. */
static sp_exit choose_profile(options *o) {
  static const char key[] = " profile=";
  char why[240] = "";
  const char *at = o->line != NULL ? strstr(o->line, key) : NULL;
  if (at != NULL) {
    size_t length = (size_t)(at - o->line);
    if (length >= sizeof o->line_text) return sp_usage_error("replay", "the line is too long");
    memcpy(o->line_text, o->line, length);
    if (o->profile_text == NULL) o->profile_text = at + sizeof key - 1;
    o->line = o->line_text;
  }
  if (o->profile_text == NULL) o->profile_text = "core";
  if (sp_profile_parse(o->profile_text, &o->profile, why, sizeof why)) return SP_EXIT_CONFORMS;
  return sp_usage_error("replay", "%s", why);
}

static sp_exit parse(int argc, char **argv, options *o) {
  static const struct option table[] = {
      {"case", 1, 0, 'f'}, {"report", 1, 0, 'r'},   {"class", 1, 0, 'c'},
      {"save", 1, 0, 's'}, {"elements", 1, 0, 'n'}, {"timeout", 1, 0, 't'},
      {"help", 0, 0, 'h'}, {"profile", 1, 0, 'P'},  {0, 0, 0, 0}};
  for (int opt; (opt = getopt_long(argc, argv, "h", table, NULL)) != -1;) {
    switch (opt) {
    case 'f':
      o->file = optarg;
      break;
    case 'r':
      o->report = optarg;
      break;
    case 'c':
      o->class_text = optarg;
      break;
    case 'P':
      o->profile_text = optarg;
      break;
    case 's':
      o->save = optarg;
      break;
    case 'n':
      if (sp_parse_count(optarg, &o->n_elements)) break;
      return sp_usage_error("replay", "--elements: '%s' is not a number", optarg);
    case 't':
      if (sp_parse_count(optarg, &o->timeout_ms)) break;
      return sp_usage_error("replay", "--timeout: '%s' is not a number", optarg);
    case 'h':
      fputs(help, stdout);
      exit(0);
    default:
      return sp_usage_error("replay", "see above");
    }
  }
  if (optind < argc && !sp_subject_parse(argv[optind++], &o->subject))
    return sp_usage_error("replay", "the path is too long");
  if (optind < argc) o->line = argv[optind++];
  int sources = (o->line != NULL) + (o->file != NULL) + (o->report != NULL);
  if (!o->subject.path[0] || sources != 1 || optind != argc)
    return sp_usage_error("replay",
                          "a kernel library and one of LINE, --case, --report are needed");
  return choose_profile(o);
}

static sp_exit load_case(const options *o, sp_case *c) {
  char why[240] = "";
  if (o->file) {
    if (sp_case_read(c, o->file, why, sizeof why)) return SP_EXIT_CONFORMS;
    return sp_usage_error("replay", "%s", why);
  }
  sp_generator_request request;
  if (!sp_case_parse_line(o->line, &request, why, sizeof why))
    return sp_usage_error("replay", "%s", why);
  if (sp_case_make(c, &request)) return SP_EXIT_CONFORMS;
  return sp_usage_error("replay", "the generator has no case for this line");
}

static void show_element(const sp_case *c, const sp_truth *truth, sp_output_kind output, size_t row,
                         size_t element, double got, const sp_accept *accept) {
  char text[320];
  sp_judgement judgement = {.verdict = SP_FAIL,
                            .n_elements = 1,
                            .n_failed = 1,
                            .output = output,
                            .row = row,
                            .element = element,
                            .got = got,
                            .accept = *accept};
  double budget = 0;
  sp_verdict verdict = sp_judge_element(accept, got, &budget);
  sp_describe_judgement(c, truth, &judgement, text, sizeof text);
  char *end = strchr(text, ';');
  if (end) *end = '\0';
  printf("  %s %s\n", verdict == SP_FAIL ? "FAIL" : "open", text);
}

/* Elements of one output that are not accepted; returns how many were shown. */
static uint64_t show_output(const sp_case *c, const sp_truth *truth, sp_output_kind kind,
                            const sp_array *got, const sp_accept *accept, size_t row_len,
                            uint64_t left) {
  uint64_t shown = 0;
  for (size_t i = 0; accept && got->bits && i < truth->n_rows * row_len && shown < left; i++) {
    double budget, value = sp_ref_load(got->dtype, got->bits, i);
    if (sp_judge_element(&accept[i], value, &budget) == SP_PASS) continue;
    show_element(c, truth, kind, i / row_len, i % row_len, value, &accept[i]);
    shown++;
  }
  return shown;
}

static sp_exit judge_case(const options *o, const sp_kernel *kernel, const sp_translation *t,
                          const sp_outputs *outputs) {
  const sp_case *c = &t->meaning;
  const sp_truth *truth = t->expected;
  sp_judgement judgement;
  char text[320];
  sp_judge(truth, outputs, &judgement);
  bool core = strcmp(o->profile.text, "core") == 0;
  printf("kernel  %s · class %s%s%s · %llu elements\n", kernel->name,
         o->class_text ? o->class_text : kernel->accuracy_class, core ? "" : " · profile ",
         core ? "" : o->profile.text, (unsigned long long)judgement.n_elements);
  if (judgement.verdict == SP_PASS) {
    printf("verdict PASS · budget %.3g\n", judgement.budget);
    return SP_EXIT_CONFORMS;
  }
  uint64_t left = o->n_elements;
  left -=
      show_output(c, truth, SP_OUT_VALUES, &outputs->values, truth->values, truth->row_len, left);
  left -= show_output(c, truth, SP_OUT_LSE_KEYS, &outputs->lse_keys, truth->lse_keys, 1, left);
  show_output(c, truth, SP_OUT_LSE_TOTAL, &outputs->lse_total, truth->lse_total, 1, left);
  sp_describe_judgement(c, truth, &judgement, text, sizeof text);
  printf("worst   %s\n", text);
  sp_translation_diagnose(t, outputs, text, sizeof text);
  if (text[0]) printf("likely  %s\n", text);
  bool failed = judgement.verdict == SP_FAIL;
  printf("verdict %s · %llu of %llu elements fail\n", failed ? "FAIL" : "UNDECIDED",
         (unsigned long long)judgement.n_failed, (unsigned long long)judgement.n_elements);
  return failed ? SP_EXIT_NOT_CONFORMING : SP_EXIT_INCOMPLETE;
}

static sp_exit run_case(const options *o, sp_host *host, size_t index, const sp_case *c) {
  const sp_kernel *kernel = sp_host_kernel(host, index);
  const char *class_text = o->class_text ? o->class_text : kernel->accuracy_class;
  sp_class cls;
  sp_translation t;
  const char *left_out;
  sp_outputs outputs = {0};
  sp_incident incident = {0};
  char why[240] = "", path[32] = "";
  sp_exit status = SP_EXIT_TOOL_FAULT;
  if (!sp_class_parse(class_text, &cls, why, sizeof why))
    return sp_usage_error("replay", "%s", why);
  if (!sp_case_offered(c, kernel)) {
    printf("kernel  %s does not offer what this case needs\n", kernel->name);
    return SP_EXIT_INCOMPLETE;
  }
  if (!sp_translate(&t, &o->profile, c, &left_out)) {
    printf("profile %s leaves this case out: %s\n", o->profile.text,
           left_out != NULL ? left_out : "out of memory");
    return SP_EXIT_INCOMPLETE;
  }
  if (!sp_translation_expect(&t, NULL, &cls, 4096, why, sizeof why) ||
      !sp_outputs_init(&outputs, &t.put) ||
      !sp_host_run(host, index, &t.put, false, &outputs, &incident, path) ||
      !sp_translate_back(&t, &outputs)) {
    fprintf(stderr, "sinkproof replay: %s%s\n", why, incident.text);
  } else if (incident.kind != SP_INCIDENT_NONE) {
    printf("kernel  %s\nUNSAFE  %s: %s\n", kernel->name, sp_incident_name(incident.kind),
           incident.text);
    status = incident.kind == SP_INCIDENT_UNSUPPORTED ? SP_EXIT_INCOMPLETE : SP_EXIT_UNSAFE;
  } else {
    status = judge_case(o, kernel, &t, &outputs);
  }
  sp_outputs_clear(&outputs);
  sp_translation_clear(&t);
  return status;
}

static sp_exit replay_case(const options *o) {
  size_t index[64], count = 0;
  char why[240] = "";
  sp_case c;
  sp_exit status = sp_subject_kernels(&o->subject, index, 64, &count);
  if (status != SP_EXIT_CONFORMS) return status;
  sp_host_config config = {.path = o->subject.path, .timeout_ms = (unsigned)o->timeout_ms};
  sp_host *host = sp_host_open(&config, why, sizeof why);
  if (!host) {
    fprintf(stderr, "sinkproof replay: %s\n", why);
    return SP_EXIT_CANNOT_LOAD;
  }
  status = load_case(o, &c);
  if (status == SP_EXIT_CONFORMS) {
    if (o->save && !sp_case_write(&c, o->save, why, sizeof why))
      status = sp_usage_error("replay", "%s", why);
    for (size_t i = 0; i < count && status != SP_EXIT_USAGE; i++)
      status = sp_exit_worse(status, run_case(o, host, index[i], &c));
    sp_case_clear(&c);
  }
  sp_host_close(host);
  return status;
}

int sp_cmd_replay(int argc, char **argv) {
  options o = {.n_elements = 16};
  sp_exit status = parse(argc, argv, &o);
  if (status != SP_EXIT_CONFORMS) return (int)status;
  return (int)(o.report ? sp_replay_report(&o.subject, o.report) : replay_case(&o));
}
