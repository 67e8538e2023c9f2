#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The command as a user meets it: README's example certified, broken in many ways and rejected,
calculators, reports, replay, exit statuses. usage: commands.py path/to/sinkproof build-directory

tests: CT-4, CT-7, CT-8, CT-9, CT-10
"""
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

import jsonschema

SINKPROOF, BUILD = (os.path.abspath(p) for p in sys.argv[1:3])
README = open("README.md", encoding="utf-8").read()
EXAMPLE = re.search(r"```c\n(.*?)```", README, re.S).group(1)
CC = os.environ.get("CC", "cc")


def run(*args, cwd=None):
    """What a library's default seed is depends on its bytes, and these on where it was built: a test that
    names no seed has this one."""
    if "--level" in args and "--seed" not in args:
        args += ("--seed", "1")
    done = subprocess.run([SINKPROOF, *args], capture_output=True, text=True, cwd=cwd, timeout=300)
    return done.returncode, done.stdout, done.stderr


def build(source, directory, name="mykernel"):
    path = os.path.join(directory, name + ".c")
    with open(path, "w", encoding="utf-8") as file:
        file.write(source)
    library = os.path.join(directory, name + ".so")
    subprocess.run([CC, "-O2", "-shared", "-fPIC", "-Iinclude", path, "-o", library, "-lm"],
                   check=True)
    return library


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
        _, old, new, _ = BREAKS[0]
        build(EXAMPLE.replace(old, new), self.directory.name)
        _, out, _ = run(*shown.group(1).split(), cwd=self.directory.name)
        self.assertIn(shown.group(2), out)

    def test_replay_finds_the_same(self):
        name, old, new, _ = BREAKS[0]
        library = build(EXAMPLE.replace(old, new), self.directory.name)
        _, out, _ = run("certify", library, "--level", "smoke")
        line = re.search(r"replay  sinkproof replay '([^']*)' '([^']*)'", out)
        self.assertIsNotNone(line, name)
        case = os.path.join(self.directory.name, "case.txt")
        status, out, _ = run("replay", line.group(1), line.group(2), "--save", case)
        self.assertEqual(status, 1, out)
        again, from_file, _ = run("replay", line.group(1), "--case", case)
        self.assertEqual((again, from_file), (status, out))
        good = build(EXAMPLE, self.directory.name, "good")
        self.assertEqual(run("replay", good, "--case", case)[0], 0)


class Oracle(unittest.TestCase):
    """Cases that once made the oracle's own kernel fail. tests: NU-3"""

    def test_regressions(self):
        ref = os.path.join(BUILD, "lib", "kernel_ref.so")
        for name in ("oracle-nan-at-first-precision",):
            status, out, _ = run("replay", ref, "--case", f"fuzz/regressions/{name}.case")
            self.assertEqual(status, 0, out)


class Reports(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.library = build(EXAMPLE.replace(BREAKS[0][1], BREAKS[0][2]), self.directory.name)

    def test_json(self):
        path = os.path.join(self.directory.name, "report.json")
        status, _, _ = run("certify", self.library, "--level", "smoke", "--json", path)
        self.assertEqual(status, 1)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        report = json.loads(text)
        with open("certify/report/report.schema.json", encoding="utf-8") as file:
            schema = json.load(file)
        jsonschema.validate(report, schema)
        self.assertGreater(len(report["reports"][0]["findings"]), 0)
        report["reports"][0]["verdict"] = "FINE"
        with self.assertRaises(jsonschema.ValidationError):
            jsonschema.validate(report, schema)
        for jobs in ("1", "3"):
            _, again, _ = run("certify", self.library, "--level", "smoke", "--json", "-", "--jobs",
                              jobs)
            self.assertEqual(again, text)
        self.assertEqual(run("replay", self.library, "--report", path)[0], 0)

    def test_junit(self):
        _, out, _ = run("certify", self.library, "--level", "smoke", "--junit", "-")
        root = xml.etree.ElementTree.fromstring(out)
        self.assertGreater(len(root.findall(".//failure")), 0)


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
    """tests: CT-11, CT-12, CT-13"""
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


class Calculators(unittest.TestCase):
    def numbers(self, *args):
        status, out, err = run(*args)
        self.assertEqual(status, 0, err)
        return [line.split()[1] for line in out.splitlines()]

    def test_softmax_of_the_article(self):
        got = self.numbers("softmax", "--", "-0.1", "-1.2", "-0.9", "-0.8", "-0.5")
        for value, start in zip(got, ["0.33908588034847", "0.11287188445831", "0.15236110736375",
                                      "0.16838506490422", "0.22729606292522", "0.98150186932413"]):
            self.assertTrue(value.startswith(start), (value, start))

    def test_sink_logit(self):
        got = self.numbers("softmax", "--sink-logit", "0", "--", "-0.1", "-1.2", "-0.9", "-0.8",
                           "-0.5")
        self.assertTrue(got[0].startswith("0.246653144"), got)

    def test_evict(self):
        got = self.numbers("softmax", "--evict", "0", "--", "-0.1", "-1.2", "-0.9", "-0.8", "-0.5")
        self.assertEqual(got[0], "0")
        self.assertTrue(got[1].startswith("0.170781469334969"), got)

    def test_uniform_bias_changes_nothing(self):
        row = ["--", "-0.5", "0.25", "1"]
        self.assertEqual(self.numbers("softmax", *row)[:3],
                         self.numbers("softmax", "--key-bias", "2", *row)[:3])

    def test_attention_window(self):
        got = self.numbers("attention", "--q", "0", "--k", "1;2;3;4", "--v", "1;2;4;8", "--window",
                           "2", "--n-sink-tokens", "1", "--format", "f32")
        self.assertEqual(got[0], "4.33333349")

    def test_documented(self):
        for command, shown in re.findall(r"```console\n\$ sinkproof (softmax[^\n]*)\n(.*?)```", README,
                                         re.S):
            self.assertEqual(run(*command.split())[1], shown, command)


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

    def test_bound_names_no_theorem_for_rotations(self):
        fast = os.path.join(BUILD, "lib", "kernel_fast.so")
        for op, told in (("attention", "logits as NU7_logit_steps (claims"),
                         ("cache", "logits as NU7_logit_steps but for rotations (claims")):
            _, out, _ = run("certify", fast + ":fast-scalar", "--level", "smoke", "--op", op)
            self.assertIn(told, out)

    def test_missing_path_is_not_green(self):
        ref = os.path.join(BUILD, "lib", "kernel_ref.so")
        status, out, _ = run("certify", ref, "--level", "smoke", "--require-path", "avx9",
                             "--op", "softmax")
        self.assertEqual(status, 6, out)


class Story(unittest.TestCase):
    """`sinkproof story` says what the theorems say (T-11, T-12)."""

    def check_scene(self, scene):
        mass, sink = scene["mass"], scene["sink"]
        self.assertAlmostEqual(scene["distance"], mass, delta=1e-15)
        self.assertAlmostEqual(scene["factor"], 1 / (1 - mass), delta=1e-15)
        self.assertLessEqual(scene["drift"], scene["bound"])
        self.assertAlmostEqual(sum(scene["before"]) + sink[0], 1, delta=1e-15)
        self.assertAlmostEqual(sum(scene["after"]) + sink[1], 1, delta=1e-15)
        for before, after in zip(scene["before"] + sink[:1], scene["after"] + sink[1:]):
            self.assertTrue(after == 0 or abs(after - before * scene["factor"]) < 1e-15)

    def test_scenes(self):
        status, out, _ = run("story", "--no-cost", "--json")
        self.assertEqual(status, 0)
        scenes = json.loads(out)["scenes"]
        self.assertEqual(len(scenes), 5)
        for scene in scenes:
            self.check_scene(scene)
        self.assertEqual(scenes[0]["mass"], 0.33908588034847648)
        wrong = dict(scenes[0], distance=0.3)
        self.assertRaises(AssertionError, self.check_scene, wrong)

    def test_costs_and_page(self):
        with tempfile.TemporaryDirectory() as directory:
            page = os.path.join(directory, "story.html")
            status, out, _ = run("story", os.path.join(BUILD, "lib/kernel_fast.so"), "--json",
                                 "--html", page)
            self.assertEqual(status, 0)
            self.assertEqual([cost["n"] for cost in json.loads(out)["costs"]],
                             [1024, 4096, 16384, 65536])
            with open(page, encoding="utf-8") as file:
                text = file.read()
            self.assertEqual(text.count("<svg"), 6)
            self.assertNotIn("http", text)
            self.assertEqual(run("story", "--no-cost", "--html", directory)[0], 2)

    def test_usage(self):
        self.assertIn("sinkproof story --no-cost --json", run("story", "--help")[1])
        self.assertEqual(run("story", "./none.so")[0], 5)
        self.assertEqual(run("story", "a.so", "b.so")[0], 2)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
