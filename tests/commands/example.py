#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""README's kernel: certified, broken in many ways and rejected, replayed.

tests: CT-4, CT-8"""
import os
import re
import sys
import tempfile
import unittest

from command import EXAMPLE, README, WIDE, build, run


# Each breaks the example in one way that a kernel author might, and names a word that the report
# must contain so that its message can be acted on.
BREAKS = [
    ("window one key too wide", ">= call->window", "> call->window", "window"),
    ("window ignores the pinned tokens", " && (uint64_t)j >= call->n_sink_tokens", "", "pinned"),
    ("one pinned token too many", "(uint64_t)j >= call->n_sink_tokens",
     "(uint64_t)j > call->n_sink_tokens", "EV-"),
    ("sees its own future", "j <= pos; j++", "j < (int64_t)call->n_kv; j++", "FAIL"),
    ("top-left causal bound", "(int64_t)call->n_kv - (int64_t)call->n_q + (int64_t)i", "(int64_t)i",
     "FAIL"),
    ("sink logit dropped", "float l = m > -INFINITY ? 1 : 0;", "float l = 0;", "sink logit"),
    ("sink logit scaled", "sink_logit[at(call->sink_logit.stride, 0, 0, h)]",
     "call->scale * sink_logit[at(call->sink_logit.stride, 0, 0, h)]", "sink logit"),
    ("sink logit of the kv head", "sink_logit[at(call->sink_logit.stride, 0, 0, h)]",
     "sink_logit[at(call->sink_logit.stride, 0, 0, h_kv)]", "FAIL"),
    ("heads grouped modulo", "h / (call->n_heads / call->n_kv_heads)", "h % call->n_kv_heads",
     "FAIL"),
    ("maximum starts at zero", "-INFINITY;\n  float l", "0;\n  float l", "FAIL"),
    ("no rescale of the output", "out[c] * rescale + p", "out[c] + p", "FAIL"),
    ("exponent in half precision", "p = expf(x - m_new)", "p = (float)(_Float16)expf(x - m_new)",
     "accepted"),
    ("scale forgotten", "    x *= call->scale;\n", "", "scale"),
    ("last element of the dot product lost", "c < call->d_head; c++", "c + 1 < call->d_head; c++",
     "FAIL"),
    ("empty row divides by zero", "l > 0 ? out[c] / l : 0", "out[c] / l", "without a visible key"),
    ("batch stride ignored", "(int64_t)a * stride[0] + ", "(void)a, ", "KC-5"),
]


class Example(unittest.TestCase):
    """README's kernel certifies; every broken one is rejected with something to act on."""

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)

    def test_certifies(self):
        library = build(EXAMPLE, self.directory.name)
        status, out, _ = run("certify", library, "--level", "smoke")
        self.assertEqual(status, 0, out)
        self.assertIn("CONFORMS", out)
        self.assertIn("not offered, so not tested", out)

    def test_breaks(self):
        for name, old, new, word in BREAKS:
            with self.subTest(name):
                self.assertIn(old, EXAMPLE)
                library = build(EXAMPLE.replace(old, new), self.directory.name)
                status, out, _ = run("certify", library, "--level", "smoke")
                self.assertIn(status, (1, 4), out)
                self.assertIn(word, out)
                self.assertIn("replay", out)

    def test_hostile(self):
        body = "  for (uint64_t b = 0; b < call->n_batch; b++)\n"
        self.assertIn(body, EXAMPLE)
        for name, code, word in [
                ("segfault", "*(volatile int *)8 = 1;", "SIGSEGV"),
                ("exit", "extern void exit(int); exit(0);", "KC-8"),
                ("hang", "for (volatile int i = 0;; i++) {}", "KC-8"),
                ("write past the end",
                 "((float *)call->out.data)[at(call->out.stride, call->n_batch - 1, call->n_q - 1,"
                 " call->n_heads - 1) + (int64_t)call->d_value] = 1;", "KC-"),
                ("writes nothing", "return SP_OK;", "KC-5"),
                ("rounding mode", "{ unsigned m = 0x7f80; __asm__ volatile(\"ldmxcsr %0\" :: \"m\"(m)); }",
                 "KC-6")]:
            with self.subTest(name):
                library = build(EXAMPLE.replace(body, "  " + code + "\n" + body),
                                self.directory.name)
                status, out, _ = run("certify", library, "--level", "smoke", "--timeout", "300")
                self.assertEqual(status, 4, out)
                self.assertIn(word, out)

    def test_unsafe_comes_first(self):
        """Of many kinds of findings the first is one that made the verdict."""
        source = EXAMPLE.replace("call->v.stride, b", "call->k.stride, b")
        self.assertNotEqual(source, EXAMPLE)
        library = build(source, self.directory.name)
        status, out, _ = run("certify", library, "--level", "smoke", "--errors", "1")
        self.assertEqual(status, 4, out)
        self.assertRegex(out, r"\n\nUNSAFE KC-")
        self.assertNotRegex(out, r"\nFAIL ")

    def test_narrow_kernels_are_told_what_to_declare(self):
        condition = "if (call->q.dtype != SP_F32"
        source = EXAMPLE.replace(condition, condition.replace("(", "(call->d_head != 8 || "))
        self.assertNotEqual(source, EXAMPLE)
        _, out, _ = run("certify", build(source, self.directory.name), "--level", "smoke")
        self.assertIn("a kernel that serves only some shapes declares them", out)
        declared = source.replace(
            "static const sp_kernel kernel = {",
            "static const sp_shapes shapes = {.size = sizeof shapes, .dims = {{8, 8}}};\n"
            "static const sp_kernel kernel = {\n    .shapes = &shapes,")
        status, out, _ = run("certify", build(declared, self.directory.name), "--level", "smoke")
        self.assertEqual(status, 0, out)
        self.assertIn("shapes served, and no others tested: dims=8x8", out)

    def test_documented_failure(self):
        shown = re.search(r"\$ sinkproof (certify [^\n]*)\n\.\.\.\n(.*?)\n\.\.\.\n```", README, re.S)
        build(WIDE, self.directory.name)
        _, out, _ = run(*shown.group(1).split(), cwd=self.directory.name)
        self.assertIn(shown.group(2), out)

    def test_replay_finds_the_same(self):
        library = build(WIDE, self.directory.name)
        _, out, _ = run("certify", library, "--level", "smoke")
        line = re.search(r"replay  sinkproof replay '([^']*)' '([^']*)'", out)
        self.assertIsNotNone(line)
        case = os.path.join(self.directory.name, "case.txt")
        status, out, _ = run("replay", line.group(1), line.group(2), "--save", case)
        self.assertEqual(status, 1, out)
        again, from_file, _ = run("replay", line.group(1), "--case", case)
        self.assertEqual((again, from_file), (status, out))
        good = build(EXAMPLE, self.directory.name, "good")
        self.assertEqual(run("replay", good, "--case", case)[0], 0)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
