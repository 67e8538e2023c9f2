#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kernels that follow other systems: identified, certified as such, refused under core.

tests: CT-11, CT-12, CT-13"""
import json
import os
import re
import sys
import tempfile
import unittest
import xml.etree.ElementTree

import jsonschema

from command import BUILD, README, run


# Kernels of tests/profiles/, which follow a system's own text: the profile that identify must find,
# and what a refusal under core must name.
FOLLOWERS = [
    ("flashinfer", "flashinfer", ["window=left", "lse-base=2", "alibi-cap=inside"]),
    ("fa2", "vllm-fa:lse-empty=+inf", ["window=left", "lse-empty=+inf"]),
    ("torch", "torch-sdpa", ["causal=top-left"]),
    ("modulo", "core:gqa=modulo", ["gqa=modulo"]),
    ("softmax1", "softmax1", ["fixed-sink=zero"]),
    ("hf-sliding", "hf-sliding", ["empty=average"]),
    ("streaming-llm-after", "streaming-llm-after", ["cache-window=after", "blocks=dense"]),
    ("streaming-llm-before", "streaming-llm-before", ["blocks=dense"]),
    ("mlx-rotating", "mlx-rotating", ["cache-pinned=inside", "blocks=recent"]),
    ("llama-shift", "llama-shift", ["cache-window=spare", "cache-pinned=inside", "evict=half"]),
    ("stubborn", "streaming-llm-before", ["position=cache", "pairing=half"]),
    ("trt-llm-stream", "trt-llm-stream", ["cache-pinned=inside", "blocks=dense"]),
]


class Profiles(unittest.TestCase):
    library = os.path.join(BUILD, "lib", "profiles.so")

    def report(self, kernel, *args):
        _, out, err = run("certify", f"{self.library}:{kernel}", "--level", "smoke", "--json", "-",
                          *args)
        self.assertEqual(err, "")
        return json.loads(out)["reports"][0]

    def test_identified(self):
        _, out, _ = run("identify", self.library, "--json", "-")
        with open("certify/report/identity.schema.json", encoding="utf-8") as file:
            jsonschema.validate(json.loads(out), json.load(file))
        found = {k["kernel"]: k for k in json.loads(out)["kernels"]}
        self.assertEqual(found["wide"]["profile"], "vllm-fa:lse-empty=+inf")
        self.assertEqual(found["grouped"]["profile"], "torch-sdpa")
        self.assertNotIn("neither", [q["state"] for q in found["grouped"]["questions"]])
        for kernel in ["always-rotates", "attend-only"]:  # which decline what is asked first
            answers = {q["question"]: q["answer"] for q in found[kernel]["questions"]}
            self.assertEqual(found[kernel]["profile"], "streaming-llm-before")
            self.assertEqual(answers["cache-window"], "before")
        for kernel, profile, _ in FOLLOWERS:
            with self.subTest(kernel):
                self.assertEqual(found[kernel]["profile"], profile)
                states = {q["question"]: q["state"] for q in found[kernel]["questions"]}
                self.assertNotIn("neither", states.values(), states)

    def test_conform_under_their_own_profile(self):
        for kernel, profile, _ in FOLLOWERS:
            with self.subTest(kernel):
                report = self.report(kernel, "--profile", profile)
                self.assertEqual(report["verdict"], "CONFORMS", report["findings"])
                self.assertEqual(report["profile"]["name"], profile)

    def test_refused_under_core_with_the_reason(self):
        for kernel, profile, reasons in FOLLOWERS:
            with self.subTest(kernel):
                report = self.report(kernel)
                self.assertEqual(report["verdict"], "DOES NOT CONFORM")
                self.assertEqual(report["profile"]["name"], "core")
                told = report["findings"][0]
                self.assertEqual(told["generator"], "conventions")
                for reason in reasons:
                    self.assertIn(reason, told["what"])
                self.assertIn(f"--profile '{profile}'", told["likely"])

    def test_refused_under_another_profile(self):
        for kernel, profile in [("flashinfer", "vllm-fa"), ("mlx-rotating", "streaming-llm-before"),
                                ("streaming-llm-after", "streaming-llm-before"),
                                ("torch", "gpt-oss"), ("softmax1", "torch-sdpa")]:
            with self.subTest(kernel):
                self.assertEqual(self.report(kernel, "--profile", profile)["verdict"],
                                 "DOES NOT CONFORM")

    def test_wrong_in_what_only_a_probe_can_see(self):
        """No case caps a biased logit under this profile, so the cases cannot refuse core."""
        fast = os.path.join(BUILD, "lib", "kernel_fast.so") + ":fast-scalar"
        status, out, _ = run("certify", fast, "--level", "smoke", "--profile", "core:softcap=last")
        self.assertEqual(status, 1, out)
        self.assertIn("softcap=first", out)

    def test_reference_is_core(self):
        status, out, _ = run("identify", os.path.join(BUILD, "lib", "kernel_ref.so"))
        self.assertEqual(status, 0)
        self.assertIn("nearest  core", out)
        self.assertIn("--profile 'core'", out)
        self.assertNotRegex(out, r"(?m)^\* (?!differs)")

    def test_report_replays(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "report.json")
            kernel = self.library + ":flashinfer"
            status, _, _ = run("certify", kernel, "--level", "smoke", "--profile", "vllm-fa",
                               "--json", path)
            self.assertEqual(status, 1)
            with open(path, encoding="utf-8") as file:
                report = json.load(file)
            with open("certify/report/report.schema.json", encoding="utf-8") as file:
                jsonschema.validate(report, json.load(file))
            self.assertEqual(run("replay", self.library, "--report", path)[0], 0)
            line = next(f["replay"] for f in report["reports"][0]["findings"]
                        if f["generator"] != "conventions")
            self.assertTrue(line.endswith(" profile=vllm-fa"), line)
            self.assertEqual(run("replay", kernel, line)[0], 1)
            self.assertEqual(run("replay", kernel, line.replace("vllm-fa", "flashinfer"))[0], 0)
            self.assertEqual(run("replay", kernel, line, "--profile", "flashinfer")[0], 0)

    def test_junit_names_the_profile(self):
        _, out, _ = run("certify", self.library + ":torch", "--level", "smoke", "--profile",
                        "torch-sdpa", "--junit", "-")
        names = [p.get("value") for p in xml.etree.ElementTree.fromstring(out).iter("property")]
        self.assertEqual(names, ["torch-sdpa"])

    def test_documented(self):
        shown = re.search(r"\$ sinkproof (identify [^\n]*)\n\.\.\.\n(.*?)```", README, re.S)
        _, out, _ = run(*shown.group(1).split(), cwd=os.path.join(BUILD, "lib"))
        for part in shown.group(2).split("...\n"):
            self.assertIn(part, out)

    def test_lists(self):
        _, out, _ = run("list", "profiles")
        for _, profile, _ in FOLLOWERS:
            self.assertRegex(out, rf"(?m)^{profile.split(':')[0]}$")
        self.assertIn("window_left", run("list", "questions")[1])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
