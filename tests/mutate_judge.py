#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Breaks the judge on purpose, one fault at a time, and expects the unit tests to notice each.

    mutate_judge.py BUILD JOBS COMPILE LINK

COMPILE is the command that compiles one source of certify/, LINK what follows the mutated object
when the tests are linked; `make mutate-judge` knows both. A fault whose text is not found any more,
or that no suite notices, fails the run."""

import concurrent.futures
import os
import subprocess
import sys

# Name, file, and replacements; each text occurs exactly once.
FAULTS = [
    ("a comparison swallows NaN", "certify/judge/judge.c",
     [("if (got >= accept->out_lo && got <= accept->out_hi)",
       "if (!(got < accept->out_lo || got > accept->out_hi))"),
      ("if (got >= accept->in_lo && got <= accept->in_hi)",
       "if (!(got < accept->in_lo || got > accept->in_hi))")]),
    ("the tolerance is twice the bound", "certify/judge/accept.c",
     [("  start(accept, a->format, y);\n  accept->out_lo = end(a, &y->left, m->shrink",
       "  sp_margin wide = *m;\n  wide.down *= 2, wide.up *= 2;\n"
       "  wide.shrink *= m->shrink, wide.grow *= m->grow;\n  m = &wide;\n"
       "  start(accept, a->format, y);\n  accept->out_lo = end(a, &y->left, m->shrink")]),
    ("lse_total is not compared", "certify/judge/judge.c",
     [("if (accept == NULL) return;",
       "if (accept == NULL || output == SP_OUT_LSE_TOTAL) return;")]),
    ("lse_keys is not compared", "certify/judge/judge.c",
     [("if (accept == NULL) return;", "if (accept == NULL || output == SP_OUT_LSE_KEYS) return;")]),
    ("weights and outputs are not compared", "certify/judge/judge.c",
     [("if (accept == NULL) return;", "if (accept == NULL || output == SP_OUT_VALUES) return;")]),
    ("only the first element of a row is compared", "certify/judge/judge.c",
     [("i < row_len; i++", "i < row_len && i < 1; i++")]),
    ("only the first row is compared", "certify/judge/judge.c",
     [("r < n_rows; r++", "r < n_rows && r < 1; r++")]),
    ("what is exact is not checked", "certify/judge/judge.c",
     [("accept->kind == SP_ACCEPT_EXACT && got == accept->in_lo",
       "accept->kind == SP_ACCEPT_EXACT")]),
    ("what is NaN may be a number", "certify/judge/judge.c",
     [("accept->kind == SP_ACCEPT_NAN && isnan(got)", "accept->kind == SP_ACCEPT_NAN")]),
    ("a coarse sink logit alone is exact", "certify/judge/bound.c",
     [("if (cls->c_d <= 1) return a;", "if (cls->c_d <= 1) return 0;")]),
    ("a row without keys has no domain", "certify/judge/truth_row.c",
     [("if (sp_bound_sink_outside(w->cls, w->in.sink_logit))", "if (false)")]),
    ("a sink logit alone is never flushed", "certify/judge/truth_row.c",
     [("error > 0 || w->cls->flush_outputs", "error > 0")]),
    ("an open question passes", "certify/judge/judge.c",
     [("verdict = SP_UNDECIDED;", "verdict = SP_PASS;")]),
    ("a missing output is the exact one", "certify/judge/judge.c",
     [("got->bits, at) : NAN;", "got->bits, at) : accept[at].exact;")]),
    ("a list may be longer", "certify/judge/judge.c", [("n_got <= n)", "true)")]),
    ("the lower ends are rounded the other way", "certify/judge/accept.c",
     [("-m->down, MPFR_RNDD", "-m->down, MPFR_RNDU"),
      ("end(a, &y->right, m->shrink, -m->down, MPFR_RNDU", "end(a, &y->right, m->shrink, -m->down, MPFR_RNDD")]),
    ("the upper ends are rounded the other way", "certify/judge/accept.c",
     [("m->grow, m->up, MPFR_RNDD", "m->grow, m->up, MPFR_RNDN"),
      ("m->grow, m->up, MPFR_RNDU", "m->grow, m->up, MPFR_RNDN")]),
    ("both ends come from one end of the enclosure", "certify/judge/accept.c",
     [("accept->in_lo = end(a, &y->right", "accept->in_lo = end(a, &y->left"),
      ("accept->out_hi = end(a, &y->right", "accept->out_hi = end(a, &y->left")]),
    ("a weight may be negative", "certify/judge/accept.c",
     [("accept->out_lo = fmax(0, accept->out_lo);", ""),
      ("accept->in_lo = fmax(0, accept->in_lo);", "")]),
    ("a class without a bound judges", "certify/judge/truth.c",
     [("if (sp_class_unbounded(cls, n)) {", "if (false) {")]),
    ("the status of a call is not looked at", "certify/host/host_call.c",
     [("  if (status == SP_OK) return;\n  /* spec: EV-15", "  if (status >= SP_OK) return;\n  /* spec: EV-15")]),
    ("guards and gaps are not looked at", "certify/host/host_call.c",
     [("if (changed == SP_NO_CHANGE) continue;\n    describe_byte(t, changed, place, sizeof place);\n"
       "    sp_incident_set(incident, t->writable", "if (changed != 1) continue;\n"
       "    describe_byte(t, changed, place, sizeof place);\n"
       "    sp_incident_set(incident, t->writable")]),
    ("the floating-point state is not looked at", "certify/host/host_call.c",
     [("if (sp_fp_changed(reply->before, reply->after, what, sizeof what)) {", "if (false) {")]),
    ("a run with open questions conforms", "certify/run/run.c",
     [("{undecided + skipped > 0,", "{undecided + skipped > UINT64_MAX / 2,")]),
    ("a run without power is trusted", "certify/run/run.c",
     [("report->mistrusted = !sp_power_suffices(report) || sink_unseen;",
       "report->mistrusted = sink_unseen && false;")]),
    ("whatever survives counts as hidden by the class", "certify/run/hidden.c",
     [("= judgement.verdict == SP_FAIL;", "= true;")]),
    ("failures of a second shard are forgotten", "certify/run/merge.c",
     [("whole->n_failed += part->n_failed;", "")]),
]

SUITES = ["judge", "judge_element", "judge_lists", "accept", "run", "truth", "truth_round",
          "truth_classes", "host", "hidden"]


def write_mutant(file, replacements, path):
    text = open(file).read()
    for old, new in replacements:
        if text.count(old) != 1:
            return f"'{old}' occurs {text.count(old)} times in {file}"
        text = text.replace(old, new)
    with open(path, "w") as out:
        out.write(text)
    return None


def noticed_by(binary):
    for suite in SUITES:
        ran = subprocess.run([binary, suite], capture_output=True, text=True)
        if ran.returncode != 0:
            lines = [l for l in ran.stdout.splitlines() if ":F:" in l or ":E:" in l]
            return f"{suite}: {':'.join(lines[0].split(':')[3:5]) if lines else 'failed'}"
    return None


def run(number, fault):
    name, file, replacements = fault
    build, _, compile_command, link = sys.argv[1:5]
    stem = f"{build}/mutants/{number}"
    problem = write_mutant(file, replacements, stem + ".c")
    if problem:
        return False, f"STALE     {name}: {problem}"
    command = f"{compile_command} -c -o {stem}.o {stem}.c && {link.replace('MUTANT', stem)}"
    made = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    if made.returncode != 0:
        return False, f"BROKEN    {name}: {made.stderr.strip()[:400]}"
    suite = noticed_by(stem)
    os.remove(stem)
    return suite is not None, f"noticed   {name} ({suite})" if suite else f"UNNOTICED {name}"


def main():
    build, jobs = sys.argv[1], int(sys.argv[2])
    os.makedirs(f"{build}/mutants", exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        results = list(pool.map(run, range(len(FAULTS)), FAULTS))
    for _, line in results:
        print(line)
    n = sum(ok for ok, _ in results)
    print(f"{n} of {len(results)} faults of the judge were noticed by the tests")
    return 0 if n == len(results) else 1


sys.exit(main())
