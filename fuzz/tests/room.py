#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The programs of the fuzz room as people meet them: a replay that says nothing of what passes and
names the input it died of, and a finding that becomes a minimal vector by one command.

usage: room.py BUILD            the replays
       room.py BUILD FUZZERS    and what needs a fuzzing engine (programs in FUZZERS)

tests: CT-4, KC-8
"""
import glob
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

BUILD = os.path.abspath(sys.argv[1])
FUZZERS = os.path.abspath(sys.argv[2]) if len(sys.argv) > 2 else None
SINKPROOF = os.path.join(BUILD, "bin", "sinkproof")
CC = os.environ.get("CC", "cc")


def run(*args, **environment):
    done = subprocess.run(args, capture_output=True, text=True, errors="replace", check=False,
                          timeout=300, env=dict(os.environ, **environment))
    return done.returncode, done.stdout, done.stderr


class Room(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.scratch = scratch.name

    def planted(self):
        library = os.path.join(self.scratch, "planted.so")
        subprocess.run([CC, "-O2", "-shared", "-fPIC", "-Iinclude", "fuzz/tests/planted.c", "-o",
                        library, "-lm"], check=True)
        return library


class Replay(Room):
    program = os.path.join(BUILD, "fuzz", "replay_plugin")

    def test_names_the_input(self):
        """A wrong number and a crash: the last line is the file."""
        for kernel in ("museum:A7-sink-omitted", self.planted() + ":planted-crash"):
            status, out, err = run(self.program, "fuzz/corpus/softmax", SINKPROOF_PLUGIN=kernel,
                                   SINKPROOF_FINDINGS=self.scratch)
            self.assertLess(status, 0, out)
            name = err.splitlines()[-1].split("this input: ")[1]
            self.assertTrue(os.path.isfile(name), err)
            status, _, _ = run(self.program, name, SINKPROOF_PLUGIN=kernel,
                               SINKPROOF_FINDINGS=self.scratch)
            self.assertLess(status, 0)

    def test_says_nothing_of_what_passes(self):
        some = sorted(glob.glob("fuzz/corpus/softmax/*"))[:9]
        status, out, err = run(self.program, *some)
        self.assertEqual((status, out, err), (0, "replay_plugin: 9 inputs\n", ""))

    def test_nothing_is_not_green(self):
        for what in (self.scratch, os.path.join(self.scratch, "absent")):
            self.assertNotEqual(run(self.program, what)[0], 0)


class Contract(Room):
    """The files for other people's services, each spoiled in one way."""
    planted_faults = (
        (".github/workflows/cflite_pr.yml", "actions/build_fuzzers@v1", "actions/build-fuzzers@v1"),
        (".github/workflows/cflite_pr.yml", "mode: code-change", "mode: pull-request"),
        (".github/workflows/cflite_batch.yml", "fuzz-seconds", "seconds"),
        (".github/workflows/cflite_cron.yml", "sanitizer: coverage", "sanitizer: address"),
        (".clusterfuzzlite/Dockerfile", " libtool", ""),
        ("fuzz/oss-fuzz/project.yaml", "sinkproof.git", "other.git"),
        ("fuzz/oss-fuzz/project.yaml", "  - memory\n", ""),
        ("fuzz/oss-fuzz/sources.sh", " mpfi ", " "),
        ("fuzz/worst/README.md", "*searched*", "found"),
        ("fuzz/campaign.py", "LIMIT_BYTES = ", "LIMIT_BYTES = 1 + 0 * "),
    )

    def contract(self, *words):
        return run(sys.executable, os.path.join(self.scratch, "fuzz/tests/contract.py"), *words)

    def test_spoiled(self):
        for part in ("fuzz", ".clusterfuzzlite", ".github"):
            shutil.copytree(part, os.path.join(self.scratch, part))
        status, out, _ = self.contract()
        self.assertEqual(status, 0, out)
        for name, good, bad in self.planted_faults:
            path = os.path.join(self.scratch, name)
            with open(path, encoding="utf-8") as file:
                text = file.read()
            self.assertIn(good, text)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text.replace(good, bad, 1))
            status, out, err = self.contract()
            self.assertEqual((status, out.count("WRONG") > 0), (1, True), name + bad + out + err)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)

    def test_placeholders_are_named(self):
        """As long as there are any, nothing is handed over."""
        for part in ("fuzz", ".clusterfuzzlite", ".github"):
            shutil.copytree(part, os.path.join(self.scratch, part))
        with open(os.path.join(self.scratch, "fuzz/oss-fuzz/project.yaml"), encoding="utf-8") as file:
            n = sum(".invalid" in line for line in file if not line.startswith("#"))
        status, out, _ = self.contract("submission")
        self.assertEqual(status, 1 if n else 0)
        self.assertEqual(out.count("to be filled in: fuzz/oss-fuzz/project.yaml"), n)


@unittest.skipUnless(FUZZERS, "needs a fuzzing engine")
class Triage(Room):
    """Found from the corpus, minimised, and the line that was printed shows it again."""

    def triage(self, name):
        kernel = self.planted() + ":" + name
        status, _, err = run(os.path.join(FUZZERS, "fuzz_plugin"), "-seed=1", "-max_total_time=60",
                             f"-artifact_prefix={self.scratch}/", "fuzz/corpus/softmax",
                             SINKPROOF_PLUGIN=kernel, SINKPROOF_FINDINGS=self.scratch)
        self.assertNotEqual(status, 0, err[-2000:])
        found = glob.glob(os.path.join(self.scratch, "crash-*"))[0]
        vector = os.path.join(self.scratch, "vector")
        status, out, err = run("bash", "fuzz/triage.sh", "plugin", found, kernel, vector,
                               PROGRAMS=FUZZERS, TIME="4")
        self.assertEqual(status, 0, out + err)
        self.assertLess(os.path.getsize(vector + ".input"), os.path.getsize(found))
        line = out.splitlines()[-1].split()
        self.assertEqual(line[:2], ["sinkproof", "replay"])
        return run(SINKPROOF, *line[1:])

    def test_crash(self):
        status, out, err = self.triage("planted-crash")
        self.assertEqual(status, 4, out + err)
        self.assertIn("SIGSEGV", out)

    def test_wrong_number(self):
        status, out, err = self.triage("planted-sink-forgotten")
        self.assertEqual(status, 1, out + err)
        self.assertIn("FAIL", out)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
