#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the committed corpus reaches of ref/, fast/ and certify/, in lines and branches: a table for
fuzz/README.md, and every line that is not reached, by reason, in fuzz/unreached.md.

usage: coverage.py DIRECTORY     the programs replay_*, built for coverage: make fuzz-coverage

A reason is a rule of fuzz/unreached.rules: where, and why. What no rule explains is listed as such:
that is what the corpus has still to reach. A rule that explains nothing any more is an error.
"""
import collections
import fnmatch
import glob
import os
import re
import subprocess
import sys

from campaign import CORPUS, HERE, SEEDS, rewrite

ROOT = os.path.dirname(HERE)
TARGETS = ["paths", "plugin", "parsers", "descriptor"]  # the others run what paths runs
ROOMS = ["ref/", "fast/", "certify/case/", "certify/judge/", "certify/"]  # the first that fits


def lcov(programs):
    """Run the corpus; the result as llvm-cov tells it."""
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


class File:
    def __init__(self):
        self.lines, self.branches, self.functions = {}, {}, {}

    def function_at(self, line):
        starts = [start for start in self.functions if start <= line]
        return self.functions[max(starts)] if starts else "-"

    def unreached(self):
        return sorted(line for line, count in self.lines.items() if count == 0)


def parse(text):
    files = collections.defaultdict(File)
    file = None
    for line in text.splitlines():
        key, _, value = line.partition(":")
        fields = value.split(",")
        if key == "SF":
            file = files[os.path.relpath(value, ROOT)]
        elif key == "FN":  # a static function's name has its file before it
            file.functions[int(fields[0])] = fields[1].split(":")[-1]
        elif key == "DA":
            number, count = int(fields[0]), int(fields[1])
            file.lines[number] = max(count, file.lines.get(number, 0))
        elif key == "BRDA":
            at = tuple(fields[:3])
            count = 0 if fields[3] == "-" else int(fields[3])
            file.branches[at] = max(count, file.branches.get(at, 0))
    return files


def room_of(path):
    return next((room for room in ROOMS if path.startswith(room)), None)


# ---- reasons ----

class Rule:
    """A line of the rules: path, function (both with wildcards), a pattern on the line, reason."""

    def __init__(self, text):
        self.path, self.function, pattern, self.reason = re.split(r"\s\s+|\t", text.strip(), maxsplit=3)
        self.pattern = re.compile(pattern)
        self.used = 0

    def explains(self, path, function, line):
        if not fnmatch.fnmatch(path, self.path) or not fnmatch.fnmatch(function, self.function):
            return False
        if not self.pattern.search(line):
            return False
        self.used += 1
        return True


def read_rules():
    with open(os.path.join(HERE, "unreached.rules"), encoding="utf-8") as file:
        return [Rule(line) for line in file if line.strip() and not line.startswith("#")]


def ranges(numbers):
    """1, 2, 3, 7 as "1-3, 7"."""
    spans = []
    for n in numbers:
        if spans and n == spans[-1][1] + 1:
            spans[-1][1] = n
        else:
            spans.append([n, n])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in spans)


def explain(files, rules):
    """Reason -> path -> lines."""
    why = collections.defaultdict(lambda: collections.defaultdict(list))
    for path, file in sorted(files.items()):
        if room_of(path) is None:
            continue
        with open(os.path.join(ROOT, path), encoding="utf-8") as source:
            text = source.read().splitlines()
        for number in file.unreached():
            function, line = file.function_at(number), text[number - 1]
            rule = next((r for r in rules if r.explains(path, function, line)), None)
            why[rule.reason if rule else ""][path].append(number)
    return why


def write_reasons(why):
    total = {reason: sum(map(len, paths.values())) for reason, paths in why.items()}
    lines = ["# Lines that the committed corpus does not reach", "",
             "Written by `make fuzz-coverage`, from the rules in unreached.rules.", ""]
    for reason in sorted(why, key=lambda r: (r != "", -total[r])):
        lines += [f"## {reason or 'No reason: to be reached'} ({total[reason]})", ""]
        lines += [f"- {path}: {ranges(numbers)}" for path, numbers in sorted(why[reason].items())]
        lines.append("")
    with open(os.path.join(HERE, "unreached.md"), "w", encoding="utf-8") as file:
        file.write("\n".join(lines))


# ---- the table ----

def share(hit, n):
    return f"{hit} of {n} ({100 * hit / n:.1f} %)" if n else "none"


def table(files, why):
    rows = ["| | lines reached | branches reached, each way | lines with a reason | without |",
            "|---|--:|--:|--:|--:|"]
    for room in ROOMS:
        mine = [file for path, file in files.items() if room_of(path) == room]
        lines = [count for file in mine for count in file.lines.values()]
        branches = [count for file in mine for count in file.branches.values()]
        missed = {kind: sum(len(numbers) for reason, paths in why.items() for path, numbers
                            in paths.items() if room_of(path) == room and bool(reason) == kind)
                  for kind in (True, False)}
        name = room if room != "certify/" else "the rest of certify/"
        rows.append(f"| {name} | {share(sum(c > 0 for c in lines), len(lines))} "
                    f"| {share(sum(c > 0 for c in branches), len(branches))} "
                    f"| {missed[True]} | {missed[False]} |")
    return rows


def main():
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    files = parse(lcov(os.path.abspath(sys.argv[1])))
    rules = read_rules()
    why = explain(files, rules)
    write_reasons(why)
    rewrite("coverage", table(files, why))
    idle = [rule for rule in rules if rule.used == 0]
    for rule in idle:
        print(f"unreached.rules: nothing left for {rule.path} {rule.function}: {rule.reason}")
    return 1 if idle else 0


if __name__ == "__main__":
    sys.exit(main())
