#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the committed corpus reaches: lines and branches of ref/, fast/ and certify/, as a table in
fuzz/README.md, and every line that it does not reach, with a reason, in a file.

usage: coverage.py DIRECTORY     the programs replay_*, built for coverage (make fuzz-coverage)

A reason is a rule: where, what the line or the function around it looks like, and why. Lines that no
rule explains are listed as such: they are what the campaign has still to reach.
"""
import collections
import glob
import os
import re
import subprocess
import sys

from campaign import CORPUS, HERE, SEEDS, rewrite

ROOT = os.path.dirname(HERE)
TARGETS = ["paths", "plugin", "parsers", "descriptor"]  # the others run what paths runs

# Whole files that no input of a fuzzer is for: the first that fits is the reason.
APART = [
    ("certify/bench/", "measures time"),
    ("certify/command/", "the command's own words and files; tests/commands.py"),
    ("certify/export/", "the libraries' one symbol"),
    ("certify/host/", "the child process of a run; its memory and calls are the room's too"),
    ("certify/profile/", "asks a kernel for its conventions"),
    ("certify/report/", "writes reports"),
    ("certify/run/", "counts, plans and shards a run"),
    ("certify/story/", "writes the story"),
    ("certify/gen/", "makes the cases of a run; the fuzzer makes its own"),
    ("certify/museum/", "wrong on purpose: each fault runs when it is fuzzed (make fuzz-power)"),
    ("certify/judge/diagnose", "words about a finding; there is none in the corpus"),
]

# Lines of the rest: file, pattern on the function's name, pattern on the line, reason.
RULES = [
    (r".", r".", r"NULL\)? (return|goto)|SP_NOMEM|NOMEM|out of memory|!ok\b", "memory runs out"),
]


def lcov(programs):
    raw = os.path.join(programs, "raw")
    os.makedirs(raw, exist_ok=True)
    for old in glob.glob(os.path.join(raw, "*")):
        os.remove(old)
    for target in TARGETS:
        subprocess.run([os.path.join(programs, "replay_" + target),
                        *(os.path.join(CORPUS, name) for name in SEEDS[target])], check=True,
                       env=dict(os.environ, LLVM_PROFILE_FILE=f"{raw}/{target}-%p.profraw"))
    data = os.path.join(programs, "all.profdata")
    subprocess.run(["llvm-profdata", "merge", "-o", data, *glob.glob(raw + "/*.profraw")],
                   check=True)
    first, *rest = (os.path.join(programs, "replay_" + target) for target in TARGETS)
    more = [word for program in rest for word in ("-object", program)]
    return subprocess.run(["llvm-cov", "export", "-format=lcov", "-instr-profile=" + data, first,
                           *more], check=True, capture_output=True, text=True).stdout
