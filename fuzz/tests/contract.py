#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The files that other people's fuzzing services read: do they say one thing, and what is still to be
filled in before they can be handed over?

usage: contract.py             the checks; placeholders are named, and are no failure
       contract.py submission  placeholders are a failure

tests: CT-3
"""
import os
import re
import sys

import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "fuzz"))
from campaign import CORPUS, LIMIT_BYTES, SEEDS, distinct_files  # noqa: E402

OSS = os.path.join(ROOT, "fuzz", "oss-fuzz")
LITE = os.path.join(ROOT, ".clusterfuzzlite")
WORKFLOWS = os.path.join(ROOT, ".github", "workflows")
FILES = [os.path.join(OSS, name) for name in ("project.yaml", "Dockerfile")]

# The actions and their inputs, as ClusterFuzzLite's documentation has them.
ACTIONS = "google/clusterfuzzlite/actions/"
COMMON = {"language", "github-token", "sanitizer", "storage-repo", "storage-repo-branch",
          "storage-repo-branch-coverage"}
INPUTS = {"build_fuzzers": COMMON | {"bad-build-check", "keep-unaffected-fuzz-targets",
                                     "upload-build"},
          "run_fuzzers": COMMON | {"fuzz-seconds", "mode", "output-sarif", "minimize-crashes",
                                   "parallel-fuzzing", "report-unreproducible-crashes",
                                   "report-timeouts", "report-ooms"}}
MODES = {"code-change", "batch", "prune", "coverage"}
SANITIZERS = {"address", "undefined", "memory"}

wrong = []


def require(holds, what):
    if not holds:
        wrong.append(what)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def steps_of(path, workflow):
    """Each step that builds or runs, with the sanitizers that its matrix gives it."""
    for job in workflow["jobs"].values():
        matrix = job.get("strategy", {}).get("matrix", {}).get("sanitizer", [])
        for step in job["steps"]:
            with_ = step.get("with", {})
            name, _, version = step["uses"].removeprefix(ACTIONS).partition("@")
            require(step["uses"].startswith(ACTIONS) and name in INPUTS, f"{path}: {step['uses']}")
            require(version == "v1", f"{path}: {step['uses']}: no such version")
            require(set(with_) <= INPUTS.get(name, set()),
                    f"{path}: {name} has no input {sorted(set(with_) - INPUTS.get(name, set()))}")
            chosen = with_.get("sanitizer", "address")
            yield name, with_, matrix if chosen.startswith("${{") else [chosen]


def check_workflow(path):
    """A step that runs follows one that built for the same sanitizers; the modes are real ones."""
    built = None
    modes = set()
    for name, with_, sanitizers in steps_of(path, yaml.safe_load(read(path))):
        require(set(sanitizers) <= SANITIZERS | {"coverage"}, f"{path}: sanitizers {sanitizers}")
        if name == "build_fuzzers":
            built = sanitizers
            require(with_.get("language") == "c", f"{path}: the language is c")
        else:
            require(built == sanitizers, f"{path}: built for {built}, run with {sanitizers}")
            require(with_.get("mode") in MODES, f"{path}: mode {with_.get('mode')}")
            modes.add(with_.get("mode"))
    return modes


def check_workflows():
    modes = set()
    for name in sorted(os.listdir(WORKFLOWS)):
        if name.startswith("cflite_"):
            modes |= check_workflow(os.path.join(WORKFLOWS, name))
    require(modes == MODES, f"workflows: modes {sorted(map(str, modes))}, wanted {sorted(MODES)}")


def check_project():
    project = yaml.safe_load(read(FILES[0]))
    lite = yaml.safe_load(read(os.path.join(LITE, "project.yaml")))
    require(lite["language"] == project["language"] == "c", "project.yaml: the language is c")
    require(set(project["sanitizers"]) == SANITIZERS, "project.yaml: sanitizers")
    require(project["main_repo"] in read(FILES[1]), "Dockerfile clones something else than main_repo")
    installs = [re.search(r"apt-get install(?:[^\n]*\\\n)?[^\n]*", read(path)).group()
                for path in (FILES[1], os.path.join(LITE, "Dockerfile"))]
    require(installs[0] == installs[1], "the two Dockerfiles install different packages")
    sources = re.search(r"for package in ([a-z0-9 ]+);", read(os.path.join(OSS, "sources.sh")))
    built = set(re.findall(r"^\s*(?:\w+=\w+ )?configure (\w+)", read(os.path.join(OSS, "build.sh")),
                           re.M)) | {"cjson"}
    require(set(sources.group(1).split()) == built, f"sources.sh fetches other than {sorted(built)}")


def check_corpus():
    """The cap, and that nothing is kept that no target reads."""
    total = sum(len(data) for _, data in distinct_files(CORPUS))
    require(total <= LIMIT_BYTES, f"corpus/: {total} bytes, the cap is {LIMIT_BYTES}")
    known = {name for names in SEEDS.values() for name in names}
    require(set(os.listdir(CORPUS)) == known, f"corpus/: {os.listdir(CORPUS)}, read: {sorted(known)}")
    regressions = os.listdir(os.path.join(ROOT, "fuzz", "regressions"))
    stems = {name.rsplit(".", 1)[0] for name in regressions}
    require(set(regressions) == {stem + end for stem in stems for end in (".input", ".case")},
            "regressions/: each is an input and a case file of one name")
    require("*searched*" in read(os.path.join(ROOT, "fuzz", "worst", "README.md")),
            "worst/ does not say that its cases were searched for")


def placeholders():
    for path in FILES:
        for number, line in enumerate(read(path).splitlines(), 1):
            if not line.startswith("#") and ".invalid" in line:
                yield f"{os.path.relpath(path, ROOT)}:{number}: {line.strip()}"


def main():
    check_workflows()
    check_project()
    check_corpus()
    for line in wrong:
        print("WRONG", line)
    still = list(placeholders())
    for line in still:
        print("to be filled in:", line)
    if not wrong:
        print(f"fuzz contract: consistent; {len(still)} placeholders")
    return 1 if wrong or (still and "submission" in sys.argv) else 0


if __name__ == "__main__":
    sys.exit(main())
