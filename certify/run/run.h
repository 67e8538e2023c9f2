/* SPDX-License-Identifier: Apache-2.0 */
/* The engine: puts one kernel, and the museum's wrong ones, through every generator's cases and
 * gathers what the report says. (CT-3, CT-5, CT-7, CT-8, CT-10)
 *
 * Work is split over processes ("shards"), case i of a group going to shard i mod n_shards. What is
 * merged is ordered by (group, index), so the result does not depend on how many there were. */
#ifndef SINKPROOF_RUN_H
#define SINKPROOF_RUN_H

#include "certify/judge/accuracy.h"
#include "certify/gen/gen.h"
#include "certify/host/host.h"
#include "certify/judge/judge.h"
#include "certify/museum/museum.h"
#include "certify/profile/conventions.h"

enum {
  SP_MAX_GROUPS = 192,
  SP_MAX_FAULTS = 256,
  SP_MAX_PATHS = 8,
  SP_MAX_ILLEGAL = 64, /* more than there are kinds of illegal calls (KC-7) */
  SP_FINDINGS_PER_GROUP = 3
};

/* Exit statuses. (CT-7) */
typedef enum sp_exit {
  SP_EXIT_CONFORMS = 0,
  SP_EXIT_NOT_CONFORMING = 1,
  SP_EXIT_USAGE = 2,
  SP_EXIT_INCOMPLETE = 3, /* undecided, mistrusted, or nothing ran */
  SP_EXIT_UNSAFE = 4,     /* crash, hang or contract violation */
  SP_EXIT_CANNOT_LOAD = 5,
  SP_EXIT_PATH_MISSING = 6,
  SP_EXIT_TOOL_FAULT = 7
} sp_exit;

typedef struct sp_run_config {
  const char *path; /* kernel library, or NULL and entry */
  sp_kernel_entry entry;
  size_t kernel;             /* index in the library */
  const char *class_text;    /* NULL: what the kernel claims */
  const sp_profile *profile; /* NULL: core (CT-11) */
  sp_level level;
  uint64_t seed;
  uint32_t ops;             /* 1u << SP_OP_…; 0 = all */
  const char *generator;    /* only this one; NULL = all */
  const char *clause;       /* only generators that witness this clause; NULL = all */
  const char *require_path; /* NULL = none (CT-7) */
  unsigned n_shards;        /* 0 = one per processor */
  unsigned timeout_ms;      /* 0 = the host's default */
  bool keep_output;
  bool every_fault; /* do not stop running a fault once it is dead (selftest matrix) */
  void (*progress)(uint64_t done, uint64_t total, void *context);
  void *context;
} sp_run_config;

typedef struct sp_group {
  const sp_generator *generator; /* NULL, and op SP_N_OPS: illegal calls, or: */
  bool conventions;              /* the questions of identify (CT-13) */
  const char *name;
  const char *clause;
  sp_op op;
  uint64_t n_cases;
  uint64_t n_none; /* indices for which the request allows no case */
  uint64_t n_passed, n_failed, n_undecided, n_declined, n_unsafe;
  uint64_t n_skipped; /* not run: the kernel had hung too often, or the class has no bound */
  uint64_t n_elements, n_outside; /* elements scored; rows outside the domain */
  uint64_t n_lse;                 /* of the elements, the log-sum-exps */
  uint64_t n_sink_visible;        /* scored cases with a row that shows the sink logit (CT-6) */
  uint64_t n_rotated;             /* scored cases with rotated keys */
  double budget;                  /* largest share of the error budget used */
  uint64_t budget_index;
  double resolution; /* smallest relative error that would have been noticed */
} sp_group;

typedef struct sp_finding {
  uint32_t group;
  uint64_t index;
  bool unsafe; /* a contract violation rather than a wrong number */
  char clause[8];
  char what[320];
  char likely[320]; /* "" when no diagnosis fits */
} sp_finding;

/* How a fault was seen: bits of sp_fault_result.seen. A bit 1u << (SP_SEEN_INCIDENT + kind) is a guard's:
 * an incident of that kind. */
enum {
  SP_SEEN_VALUES = 1 << 0, /* weights, an output or a list was wrong */
  SP_SEEN_LSE = 1 << 1,    /* a log-sum-exp was, and nothing else */
  SP_SEEN_INCIDENT = 2
};

typedef struct sp_fault_result {
  bool applicable, killed;
  bool left_out;  /* shows in a case that the profile leaves out (CT-12) */
  bool declined;  /* shows in a case that the subject declined (CT-5) */
  bool hidden;    /* survived, and shows in these cases under the museum's own class (CT-5) */
  uint32_t group; /* the first case, in report order, that kills it */
  uint64_t index;
  uint64_t kills[SP_MAX_GROUPS]; /* with every_fault: cases of each group that kill it … */
  uint64_t first[SP_MAX_GROUPS]; /* … the first of them, where there is one … */
  uint32_t seen;                 /* … and how */
} sp_fault_result;

typedef struct sp_path_count {
  char name[32];
  uint64_t calls;
} sp_path_count;

/* Plain data without pointers into the heap: shards fill it in shared memory. */
typedef struct sp_tally {
  size_t n_groups;
  sp_group groups[SP_MAX_GROUPS];
  size_t n_findings;
  sp_finding findings[SP_MAX_GROUPS * SP_FINDINGS_PER_GROUP];
  sp_fault_result faults[SP_MAX_FAULTS];
  sp_path_count paths[SP_MAX_PATHS];
  char tool_error[320]; /* the tool's own failure; "" = none */
  uint64_t done;        /* cases finished, for progress */
} sp_tally;

typedef struct sp_report {
  sp_run_config config;
  sp_kernel kernel; /* identity and claims; strings and shapes owned by the report */
  sp_shapes shapes;
  sp_class cls;
  uint64_t withheld; /* options that the profile keeps from the kernel (CT-12) */
  char digest[65];   /* SHA-256 of the library, hex; "" for a built-in kernel */
  sp_evidence evidence;
  sp_tally *tally;
  bool partial; /* --op, --generator or --clause left groups out */
  size_t n_faults, n_applicable, n_killed;
  size_t n_hidden;         /* faults that the claimed class accepts (CT-5) */
  size_t n_declined;       /* faults that show only in cases that the kernel declined (CT-5) */
  size_t n_left_out;       /* faults that show only in what the profile leaves out */
  uint64_t n_sink_visible; /* scored cases that are evidence about the sink logit (CT-6) */
  uint64_t n_rotated;      /* scored cases with rotated keys: a theorem of their own (NU-7) */
  bool mistrusted, path_ran;
  sp_exit exit;
  const char *verdict; /* "CONFORMS", "DOES NOT CONFORM", "MISTRUSTED", … */
} sp_report;

/* Run. False for what ends the run before it starts, with the exit status and a sentence. */
bool sp_run(const sp_run_config *config, sp_report *report, sp_exit *status, char *error,
            size_t capacity);
void sp_report_clear(sp_report *report);

/* ---- parts of the engine ---- */

/* certify/run/plan.c: the groups that this kernel and configuration call for. */
void sp_plan(const sp_run_config *config, const sp_kernel *kernel, sp_tally *tally);

/* certify/run/shard.c: every n_shards-th case of every group, from `first`. */
void sp_shard_run(const sp_run_config *config, const sp_kernel *kernel, const sp_class *cls,
                  unsigned first, unsigned n_shards, sp_tally *tally);

/* certify/run/hidden.c: which survivors the claimed class hides; tally holds the merged results. */
void sp_shard_hidden(const sp_run_config *config, const sp_kernel *kernel, const sp_class *cls,
                     unsigned first, unsigned n_shards, sp_tally *tally);

/* certify/run/ask.c: put the questions of identify to the subject, and record where its answer is
 * not the profile's. False with a sentence for the host's own faults. */
bool sp_ask_conventions(const sp_run_config *config, sp_host *subject, sp_group *group,
                        sp_finding *finding, char *error, size_t capacity);

/* certify/run/merge.c: fold a shard into the whole; order of calls does not matter. */
void sp_tally_merge(sp_tally *whole, const sp_tally *part);

/* certify/run/power.c: this fault can be expected to show with this kernel's options. */
bool sp_fault_applicable(const sp_fault *fault, const sp_kernel *kernel, const sp_tally *plan,
                         sp_level level);

/* certify/run/power.c: the run noticed every fault that it owes, and more than its class hides. */
bool sp_power_suffices(const sp_report *report);

/* certify/run/run.c: from the merged tally to verdict and exit status. */
void sp_conclude(sp_report *report);

/* The request for case `index` of a group; also what a replay line prints. */
void sp_group_request(const sp_group *group, const sp_kernel *kernel, uint64_t seed, uint64_t index,
                      sp_generator_request *request);

/* certify/run/describe.c: one line that says what was got and what is accepted. */
void sp_describe_judgement(const sp_case *c, const sp_truth *truth, const sp_judgement *judgement,
                           char *text, size_t capacity);

#endif
