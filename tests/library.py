#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The library as a user meets it: installed below a prefix, found by pkg-config, linked static and
shared; the header's example builds and says what it should; a run allocates nothing.
usage: library.py build-directory
"""
import math
import os
import re
import subprocess
import sys
import tempfile
import unittest

BUILD = os.path.abspath(sys.argv[1])
CC = os.environ.get("CC", "cc")
STRICT = ["-std=c11", "-pedantic-errors", "-Wall", "-Wextra", "-Werror"]


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, **options)


def weight(*logits):
    """Of the first key, beside the others and a sink logit of 0."""
    return math.exp(logits[0]) / (1 + sum(map(math.exp, logits)))


class Library(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.TemporaryDirectory()
        cls.root = os.path.join(cls.dir.name, "root")
        done = run("make", f"BUILD={BUILD}", "PREFIX=/usr", f"DESTDIR={cls.root}", "install")
        assert done.returncode == 0, done.stderr

    @classmethod
    def tearDownClass(cls):
        cls.dir.cleanup()

    def flags(self, *options):
        where = dict(os.environ, PKG_CONFIG_SYSROOT_DIR=self.root,
                     PKG_CONFIG_PATH=os.path.join(self.root, "usr/lib/pkgconfig"))
        found = run("pkg-config", *options, "sinkproof", env=where)
        self.assertEqual(found.returncode, 0, found.stderr)
        return found.stdout.split()

    def build(self, source, name, libs):
        program = os.path.join(self.dir.name, name)
        done = run(CC, *STRICT, *self.flags("--cflags"), source, "-o", program, *libs)
        self.assertEqual(done.returncode, 0, done.stderr)
        return program

    def shared(self):
        return self.flags("--libs")

    def static(self):
        libs = self.flags("--libs", "--static")
        self.assertIn("-lm", libs)
        return ["-l:libsinkproof_fast.a" if lib == "-lsinkproof_fast" else lib for lib in libs]

    def call(self, program, *arguments):
        where = dict(os.environ, LD_LIBRARY_PATH=os.path.join(self.root, "usr/lib"))
        return run(program, *arguments, env=where)

    def test_example_of_the_header(self):
        with open("include/sinkproof/fast.h", encoding="utf-8") as file:
            text = re.search(r"This one is complete:\n \*\n(.*?\n \*     \})\n", file.read(), re.S)[1]
        source = os.path.join(self.dir.name, "example.c")
        with open(source, "w", encoding="utf-8") as file:
            file.write(re.sub(r"^ \*(     )?", "", text, flags=re.M) + "\n")
        first = [weight(x, 2, 3, 4) for x in (2, 3, 4)]
        second = weight(4, 3, 2, 1)
        for libs in (self.shared(), self.static()):
            done = self.call(self.build(source, "example", libs))
            self.assertEqual(done.returncode, 0, done.stderr)
            weights = [line.split()[1:] for line in done.stdout.splitlines()]
            self.assertEqual(weights, [[f"{x:.6f}", f"{second:.6f}"] for x in first])

    def test_static_needs_no_library_at_run_time(self):
        program = self.build("tests/library/user.c", "user", self.static())
        self.assertNotIn("sinkproof", run("ldd", program).stdout)
        program = self.build("tests/library/user.c", "user", self.shared())
        self.assertIn("libsinkproof_fast.so.0", run("ldd", program).stdout)

    def test_a_run_allocates_nothing(self):
        for libs in (self.shared(), self.static()):
            program = self.build("tests/library/user.c", "user", libs)
            done = self.call(program)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            counts = [(int(plan), int(ran))
                      for plan, ran in re.findall(r"plan (\d+), run (\d+)$", done.stdout, re.M)]
            self.assertTrue(counts)
            for plan, ran in counts:
                self.assertGreaterEqual(plan, 1)  # the counter sees the library
                self.assertEqual(ran, 0, done.stdout)
            # … and it sees an allocation among the runs
            faulty = self.call(program, "faulty").stdout
            self.assertEqual(set(re.findall(r"run (\d+)$", faulty, re.M)), {"1"})

    def test_exported_symbols(self):
        """The shared library exports its header and nothing else; a kernel, the one function."""
        for name, pattern in (("libsinkproof_fast.so.0", r"sp_fast_(n_variants|variant_name|"
                               r"variant_available|select|active|kernel)"),
                              ("kernel_fast.so", "sinkproof_kernel")):
            shown = run("nm", "-D", "--defined-only", os.path.join(self.root, "usr/lib", name))
            symbols = [line.split()[-1] for line in shown.stdout.splitlines()]
            self.assertTrue(symbols)
            for symbol in symbols:
                self.assertRegex(symbol, f"^{pattern}$")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
