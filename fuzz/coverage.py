#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the committed corpus reaches of ref/, fast/ and certify/, in lines and branches: a table of the
rooms for fuzz/README.md; in fuzz/coverage.md a table of the files, and every line that is not reached,
by reason.

usage: coverage.py DIRECTORY     the programs replay_*, built for coverage: make fuzz-coverage

A reason is a rule of fuzz/unreached.rules: where, and why. A line that no rule explains is an error, for
that is what the corpus has still to reach, and so is a rule that explains nothing any more. A reason that
begins with "owed" says that the line can be reached and what would; it is counted apart.
"""
import collections
import fnmatch
import glob
import os
import re
import subprocess
import sys

from campaign import CORPUS, HERE, REGRESSIONS, SEEDS, rewrite

ROOT = os.path.dirname(HERE)
TARGETS = list(SEEDS)
ROOMS = ["ref/", "fast/", "certify/"]


def lcov(programs):
    """Run the corpus; the result as llvm-cov tells it."""
    raw = os.path.join(programs, "raw")
    os.makedirs(raw, exist_ok=True)
    for old in glob.glob(os.path.join(raw, "*")):
        os.remove(old)
    for target in TARGETS:
        subprocess.run([os.path.join(programs, "replay_" + target),
                        *(os.path.join(CORPUS, name) for name in SEEDS[target]),
                        *(REGRESSIONS if target == "paths" else [])], check=True,
                       env=dict(os.environ, LLVM_PROFILE_FILE=f"{raw}/{target}-%p.profraw"))
    data = os.path.join(programs, "all.profdata")
    subprocess.run(["llvm-profdata", "merge", "-o", data, *glob.glob(raw + "/*.profraw")],
                   check=True)
    first, *rest = (os.path.join(programs, "replay_" + target) for target in TARGETS)
    more = [word for program in rest for word in ("-object", program)]
    return subprocess.run(["llvm-cov", "export", "-format=lcov", "-instr-profile=" + data, first,
                           *more], check=True, capture_output=True, text=True).stdout


class File:
    def __init__(self, path):
        self.lines, self.branches, self.functions = {}, {}, {}
        self.absent = False
        with open(os.path.join(ROOT, path), encoding="utf-8") as source:
            self.text = source.read().splitlines()

    def function_at(self, line):
        starts = [start for start in self.functions if start <= line]
        return self.functions[max(starts)] if starts else "-"

    def unreached(self):
        return sorted(line for line, count in self.lines.items() if count == 0)


def parse(text):
    files, file = {}, None
    for line in text.splitlines():
        key, _, value = line.partition(":")
        fields = value.split(",")
        if key == "SF":
            path = os.path.relpath(value, ROOT)
            file = files.setdefault(path, File(path))
        elif key == "FN":  # a static function's name has its file before it
            file.functions[int(fields[0])] = fields[1].split(":")[-1]
        elif key == "DA" and not file.text[int(fields[0]) - 1].startswith("#"):  # used elsewhere
            number, count = int(fields[0]), int(fields[1])
            file.lines[number] = max(count, file.lines.get(number, 0))
        elif key == "BRDA":
            at = tuple(fields[:3])
            count = 0 if fields[3] == "-" else int(fields[3])
            file.branches[at] = max(count, file.branches.get(at, 0))
    return files


def room_of(path):
    return next((room for room in ROOMS if path.startswith(room)), None)


def with_the_absent(files):
    """Sources that no target is linked with: nothing of them is reached. Their lines are not counted,
    since nobody compiled them here, but they need a reason like any other."""
    for room in ROOMS:
        for path in glob.glob(os.path.join(ROOT, room, "**", "*.c"), recursive=True):
            path = os.path.relpath(path, ROOT)
            if path not in files:
                files[path] = File(path)
                files[path].absent = True
    return {path: file for path, file in files.items() if room_of(path)}


# ---- reasons ----

class Rule:
    """A line of the rules: path, functions (both with wildcards), a pattern on the line, reason."""

    def __init__(self, text):
        self.path, self.function, pattern, self.reason = re.split(r"\s\s+|\t", text.strip(), maxsplit=3)
        self.pattern = re.compile(pattern)
        self.used = 0

    def explains(self, path, function, line):
        if not fnmatch.fnmatch(path, self.path) or not self.pattern.search(line):
            return False
        if not any(fnmatch.fnmatch(function, one) for one in self.function.split("|")):
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
    """Reason -> path -> lines; line 0 is a file that no target has."""
    why = collections.defaultdict(lambda: collections.defaultdict(list))
    for path, file in sorted(files.items()):
        for number in [0] if file.absent else file.unreached():
            function, line = file.function_at(number), file.text[number - 1] if number else ""
            rule = next((r for r in rules if r.explains(path, function, line)), None)
            why[rule.reason if rule else ""][path].append(number)
    return why


# ---- tables ----

def share(hit, n):
    return f"{hit} of {n} ({100 * hit / n:.1f} %)" if n else "none"


def counts(files):
    lines = [count for file in files for count in file.lines.values()]
    branches = [count for file in files for count in file.branches.values()]
    return (f"{share(sum(c > 0 for c in lines), len(lines))} "
            f"| {share(sum(c > 0 for c in branches), len(branches))}")


def by_room(files, why):
    rows = ["| | lines reached | branches reached, each way | not reached, for a reason | owed |",
            "|---|--:|--:|--:|--:|"]
    for room in ROOMS:
        missed = [0, 0]
        for reason, paths in why.items():
            missed[reason.startswith("owed") or not reason] += sum(len([n for n in numbers if n]) for path, numbers
                                        in paths.items() if room_of(path) == room)
        mine = [file for path, file in files.items() if room_of(path) == room]
        rows.append(f"| {room} | {counts(mine)} | {missed[0]} | {missed[1]} |")
    return rows


def write_report(files, why):
    total = {reason: sum(map(len, paths.values())) for reason, paths in why.items()}
    lines = ["# What the committed corpus reaches", "",
             "Written by `make fuzz-coverage`; the reasons are the rules in unreached.rules.", "",
             "| | lines reached | branches reached, each way |", "|---|--:|--:|"]
    lines += [f"| {path} | {counts([file])} |" for path, file in sorted(files.items()) if file.lines]
    lines += ["", "# Lines that it does not reach", ""]
    for reason in sorted(why, key=lambda r: (r != "", -total[r])):
        lines += [f"## {reason or 'No reason: to be reached'}", ""]
        lines += [f"- {path}: {ranges(numbers) if numbers != [0] else 'all'}"
                  for path, numbers in sorted(why[reason].items())]
        lines.append("")
    with open(os.path.join(HERE, "coverage.md"), "w", encoding="utf-8") as file:
        file.write("\n".join(lines))


def main():
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    files = with_the_absent(parse(lcov(os.path.abspath(sys.argv[1]))))
    rules = read_rules()
    why = explain(files, rules)
    write_report(files, why)
    rewrite("coverage", by_room(files, why))
    wrong = [f"{path}: {ranges(numbers)}: not reached, and no rule says why"
             for path, numbers in why.get("", {}).items()]
    wrong += [f"unreached.rules: nothing left for {rule.path} {rule.function}: {rule.reason}"
              for rule in rules if rule.used == 0 and not rule.reason.startswith("chance")]
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
