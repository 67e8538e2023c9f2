#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The kernels that other people ship, certified. Nothing here tells the judge what to find; it
checks that the run found by itself what is known of these versions, and accused nobody wrongly.
usage: adapters.py path/to/sinkproof directory-of-adapters LIBRARY…

tests: NU-8, AT-9, EV-2
"""
import json
import os
import re
import subprocess
import sys
import unittest

SINKPROOF, ADAPTERS = (os.path.abspath(p) for p in sys.argv[1:3])
LIBRARIES = sys.argv[3:]
reports = {}


def setUpModule():
    for library in LIBRARIES:
        path = os.path.join(ADAPTERS, library + ".so")
        # The default seed is that of the library's bytes, which hold the place where it was built.
        done = subprocess.run([SINKPROOF, "certify", path, "--seed", "1", "--json", "-"],
                              capture_output=True, text=True, timeout=1200)
        for report in json.loads(done.stdout)["reports"]:
            reports[report["kernel"]["name"]] = report
            print(f"{report['kernel']['name']:22} {report['class']:30} {report['verdict']}")


def findings(kernel, **wanted):
    return [f for f in reports[kernel]["findings"] if all(f[k] == v for k, v in wanted.items())]


def group(kernel, generator):
    return next(g for g in reports[kernel]["groups"] if g["generator"] == generator)


def needs(library):
    return unittest.skipUnless(library in LIBRARIES, library + " was not asked for")


class Known(unittest.TestCase):
    def test_every_run_was_able_to_judge(self):
        for name, report in reports.items():
            with self.subTest(name):
                self.assertNotIn(report["verdict"], ("NO VERDICT", "UNTESTED"))
                self.assertEqual(report["tool_error"], "")

    @needs("ggml")
    def test_ggml_f16_accumulates_values_in_f16(self):
        """Of n equal keys with V = 1 only 2048/n arrives: the sum stalls at 2048."""
        found = findings("ggml-flash-f16", generator="equal-scores")
        self.assertTrue(found)
        self.assertEqual(group("ggml-flash-f32", "equal-scores")["state"], "PASS")
        told, ratios = "", []
        for index in range(62):
            line = re.sub(r"index=\d+", f"index={index}", found[0]["replay"])
            told += subprocess.run([SINKPROOF, "replay", os.path.join(ADAPTERS, "ggml.so")
                                    + ":ggml-flash-f16", line], capture_output=True,
                                   text=True).stdout
        for got, exact in re.findall(r"worst .*\(([-0-9.e+]+)\), .* exact ([-0-9.e+]+)", told):
            ratios.append(float(got) / float(exact))
        self.assertLess(min(ratios), 0.26)
        self.assertIn("stalls at 2^11", told)

    @needs("ggml")
    def test_ggml_softmax_is_nan_on_an_empty_row(self):
        found = findings("ggml-softmax", generator="empty-rows")
        self.assertTrue(any("nan" in f["what"] for f in found), found)

    @needs("onnxruntime")
    def test_onnxruntime_window_counts_the_query(self):
        for kernel in ("onnxruntime-gqa-f32", "onnxruntime-gqa-f16"):
            for generator in ("window-needle", "window-size"):
                with self.subTest(kernel=kernel, generator=generator):
                    self.assertEqual(group(kernel, generator)["state"], "PASS")

    @needs("torch")
    def test_torch_says_that_an_empty_row_has_the_log_sum_exp_0(self):
        for kernel in ("torch-sdpa-f32", "torch-sdpa-f16", "torch-sdpa-bf16"):
            with self.subTest(kernel):
                def is_known(finding):
                    return "lse_keys" in finding["what"] and "only -inf" in finding["what"]
                self.assertTrue(any(map(is_known, findings(kernel))))
                for generator in ("equal-scores", "running-max", "cancellation"):
                    self.assertEqual(group(kernel, generator)["state"], "PASS", generator)
                # A bias may hide every key of a row; nothing else is wrong with it.
                self.assertIn(group(kernel, "key-bias")["state"], ("PASS", "FAIL"))
                self.assertTrue(all(map(is_known, findings(kernel, generator="key-bias"))))

    def test_conventions_are_identified(self):
        """What the libraries' own sources say of windows, corners and sink logits; see CT-13."""
        known = {"onednn": {"onednn-softmax-f32": {"empty": "nan"}},
                 "ggml": {"ggml-softmax": {"empty": "nan", "sink": "natural"},
                          "ggml-flash-f32": {"window": "self", "causal": "bottom-right",
                                             "sink": "natural", "empty": "zero"}},
                 "onnxruntime": {"onnxruntime-gqa-f32": {"window": "self", "sink": "natural",
                                                         "softcap": "first", "gqa": "grouped"}},
                 "torch": {"torch-softmax": {"empty": "nan"},
                           "torch-sdpa-f32": {"sink": "natural", "lse-base": "e", "empty": "zero",
                                              "masked-nan": "poisons"}}}
        for library in known.keys() & set(LIBRARIES):
            done = subprocess.run([SINKPROOF, "identify", os.path.join(ADAPTERS, library + ".so"),
                                   "--json", "-"], capture_output=True, text=True, timeout=600)
            for kernel in json.loads(done.stdout)["kernels"]:
                answers = {q["question"]: q["answer"] for q in kernel["questions"]}
                for question, answer in known[library].get(kernel["kernel"], {}).items():
                    with self.subTest(kernel=kernel["kernel"], question=question):
                        self.assertEqual(answers[question], answer)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
