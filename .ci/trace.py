#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Clause by clause: which code, tests and proofs speak of it. Fails on a gap or a dangling tag.

A clause is a bold number at the start of a line of SPEC.md. Comments carry `spec: SM-2` (code),
`tests: SM-2` (tests, generators, faults), `proves: SM-2` (proofs), or proofs/README.md says
`unproved: SM-2 reason`. A Check test case named after a clause counts as `tests:`.
"""
import re
import subprocess
import sys

CLAUSE = r"[A-Z]{2}-[0-9]+"
TAG = re.compile(r"\b(spec|tests|proves|unproved): *((?:%s[, ]*)+)" % CLAUSE)
CASE = re.compile(r'tcase_create\("(%s)"\)' % CLAUSE)
FIELD = re.compile(r'(?:\.clause = |")(%s)"' % CLAUSE)


def clauses(text):
    return re.findall(r"^\*\*(%s)\*\* (?!\*withdrawn)" % CLAUSE, text, re.M)


def tags(paths, read):
    found = {}
    for path in paths:
        text = read(path)
        for kind, names in TAG.findall(text):
            for name in re.findall(CLAUSE, names):
                found.setdefault(name, {}).setdefault(kind, set()).add(path)
        named = CASE.findall(text)
        if path.startswith(("certify/gen", "certify/museum")):
            named += FIELD.findall(text)
        for name in named:
            found.setdefault(name, {}).setdefault("tests", set()).add(path)
    return found


def problems(known, found):
    for name in sorted(found):
        if name not in known:
            where = sorted(set().union(*found[name].values()))
            yield f"{name}: no such clause, but tagged in {', '.join(where)}"
    for name in known:
        kinds = found.get(name, {})
        if "spec" not in kinds:
            yield f"{name}: no code carries `spec: {name}`"
        if "tests" not in kinds:
            yield f"{name}: no test, generator or fault carries it"
        if "proves" not in kinds and "unproved" not in kinds:
            yield f"{name}: neither proved nor listed as unproved in proofs/README.md"


def selftest():
    """The tracer itself must notice each kind of gap."""
    read = {"a.c": "/* spec: SM-1 tests: SM-1 proves: SM-1 */", "b.c": "/* spec: SM-9 */"}.get
    found = tags(["a.c", "b.c"], read)
    said = list(problems(["SM-1", "SM-2"], found))
    assert len(said) == 4 and "SM-9" in said[0] and all("SM-2" in s for s in said[1:]), said
    assert not list(problems(["SM-1"], tags(["a.c"], read)))


def main():
    selftest()
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], check=True,
                            capture_output=True, text=True).stdout.split()
    rooms = ("ref/", "fast/", "certify/", "adapters/", "proofs/", "tests/", "fuzz/", "include/")
    paths = [p for p in listed if p.startswith(rooms)
             and p.endswith((".c", ".h", ".S", ".v", ".md", ".py", ".txt", ".mk"))]

    def read(path):
        with open(path, encoding="utf-8") as file:
            return file.read()

    known = clauses(read("SPEC.md"))
    found = tags(paths, read)
    print(f"{'clause':8} {'code':28} {'tests':34} proof")
    for name in known:
        kinds = found.get(name, {})

        def cell(kind):
            where = sorted(kinds.get(kind, ()))
            more = f" +{len(where) - 1}" if len(where) > 1 else ""
            return (where[0] + more) if where else "-"

        proof = cell("proves") if "proves" in kinds else ("reason given" if "unproved" in kinds else "-")
        print(f"{name:8} {cell('spec'):28} {cell('tests'):34} {proof}")
    said = list(problems(known, found))
    for line in said:
        print("trace:", line, file=sys.stderr)
    print(f"{len(known)} clauses, {len(said)} problems")
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
