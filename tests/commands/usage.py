#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Help, exit statuses, and runs in which nothing is green that was not tested."""
import os
import sys
import unittest

from command import BUILD, run


class Usage(unittest.TestCase):
    def test_statuses(self):
        for args, status in [(["--help"], 0), (["--version"], 0), ([], 2), (["nonsense"], 2),
                             (["certify"], 2), (["certify", "/nonexistent.so"], 5),
                             (["certify", "README.md"], 5), (["softmax"], 2),
                             (["softmax", "--", "x"], 2), (["attention", "--q", "1"], 2),
                             (["list", "generators"], 0), (["list", "faults"], 0),
                             (["list", "classes"], 0), (["list", "profiles"], 0),
                             (["list", "questions"], 0), (["doctor"], 0), (["identify"], 2),
                             (["identify", "/nonexistent.so"], 5),
                             (["certify", "x.so", "--profile", "none"], 2)]:
            with self.subTest(args):
                self.assertEqual(run(*args)[0], status)

    def test_help_everywhere(self):
        for command in ("certify", "replay", "identify", "list", "selftest", "doctor", "softmax", "attention"):
            status, out, _ = run(command, "--help")
            self.assertEqual(status, 0)
            self.assertIn("usage: sinkproof " + command, out)

    def test_nothing_ran_is_not_green(self):
        fast = os.path.join(BUILD, "lib", "kernel_fast.so")
        status, out, _ = run("certify", fast, "--level", "smoke", "--clause", "XX-1")
        self.assertEqual(status, 3, out)

    def test_bound_names_the_theorem_for_rotations(self):
        fast = os.path.join(BUILD, "lib", "kernel_fast.so")
        for op, told in (("attention", "logits as NU7_logit_steps (claims"),
                         ("cache", "logits as NU7_logit_steps and NU7_logit_rotated (claims")):
            _, out, _ = run("certify", fast + ":fast-scalar", "--level", "smoke", "--op", op)
            self.assertIn(told, out)

    def test_missing_path_is_not_green(self):
        ref = os.path.join(BUILD, "lib", "kernel_ref.so")
        status, out, _ = run("certify", ref, "--level", "smoke", "--require-path", "avx9",
                             "--op", "softmax")
        self.assertEqual(status, 6, out)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
