#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""sinkproof bench on tiny shapes: what it says of kernels that are right, wrong, absent or deadly.
No time is asserted: speed is no matter of tests. usage: bench.py path/to/sinkproof build-directory

tests: CT-1, CT-3
"""
import html.parser
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

import jsonschema

SINKPROOF, BUILD = (os.path.abspath(p) for p in sys.argv[1:3])
EXPLOITS = os.path.join(BUILD, "lib", "exploits.so")
FAST = os.path.join(BUILD, "lib", "kernel_fast.so")
EXAMPLE = re.search(r"```c\n(.*?)```", open("README.md", encoding="utf-8").read(), re.S).group(1)
SCHEMA = json.load(open("certify/bench/bench.schema.json", encoding="utf-8"))
QUICK = ["--time", "0.005", "--no-roofs", "--threads", "1"]


def bench(*args):
    done = subprocess.run([SINKPROOF, "bench", *args], capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


def report(*args):
    code, out, err = bench(*args, "--json", "-")
    if code != 0:
        raise AssertionError(err)
    parsed = json.loads(out)
    jsonschema.validate(parsed, SCHEMA)
    return parsed


def marks(parsed):
    return {r["kernel"]: r["mark"] for r in parsed["results"]}


def example(directory, name, old="", new=""):
    """README's kernel under another name, with one thing changed."""
    source = EXAMPLE.replace('.name = "mykernel"', f'.name = "{name}"')
    assert not old or old in source
    path = os.path.join(directory, name)
    with open(path + ".c", "w", encoding="utf-8") as file:
        file.write(source.replace(old, new) if old else source)
    subprocess.run([os.environ.get("CC", "cc"), "-O2", "-shared", "-fPIC", "-Iinclude",
                    path + ".c", "-o", path + ".so", "-lm"], check=True)
    return path + ".so"


class Page(html.parser.HTMLParser):
    VOID = {"meta", "wbr"}

    def __init__(self):
        super().__init__()
        self.open, self.words, self.tags = [], "", set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        assert "src" not in dict(attrs) and "href" not in dict(attrs), "the page must stand alone"
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        self.words += data


class Marks(unittest.TestCase):
    def test_kernels_that_do_not_answer_rightly(self):
        names = ("correct", "writes-nothing", "forgets-last", "declines", "refuses")
        said = marks(report(*[f"{EXPLOITS}:{n}" for n in names], "--only", "tiny-softmax*", *QUICK))
        self.assertEqual(said, {"correct": "not certified", "writes-nothing": "FAILS CLASS",
                                "forgets-last": "FAILS CLASS", "declines": "not offered",
                                "refuses": "error"})

    def test_a_death_takes_only_its_own_contender(self):
        names = ("correct", "aborts", "hang", "quit", "over-read")
        said = marks(report(*[f"{EXPLOITS}:{n}" for n in names], "--only", "tiny-softmax*",
                            "--limit", "0.2", *QUICK))
        self.assertEqual(said, {"correct": "not certified", "aborts": "crashed",
                                "hang": "too slow", "quit": "crashed", "over-read": "not offered"})

    def test_wrong_numbers_are_marked_in_both_layouts(self):
        with tempfile.TemporaryDirectory() as directory:
            libraries = [
                example(directory, "right"),
                example(directory, "no-pins", " && (uint64_t)j >= call->n_sink_tokens", ""),
                example(directory, "no-sink", "float l = m > -INFINITY ? 1 : 0;", "float l = 0;"),
                example(directory, "kv-heads", "h / (call->n_heads / call->n_kv_heads)",
                        "h % call->n_kv_heads")]
            for layout in ("heads", "tokens"):
                parsed = report(*libraries, "--only", f"tiny-prefill-*-{layout}", *QUICK)
                with self.subTest(layout):
                    self.assertEqual(marks(parsed), {
                        "right": "not certified", "no-pins": "FAILS CLASS",
                        "no-sink": "FAILS CLASS", "kv-heads": "FAILS CLASS"})
                    worst = next(r for r in parsed["results"] if r["kernel"] == "no-sink")
                    self.assertIn("accepted", worst["why"])
                    self.assertGreater(worst["error"], 1e-3)

    def test_plans_are_what_is_timed(self):
        parsed = report(*[f"{EXPLOITS}:{n}" for n in ("correct", "plan", "plan-fails",
                                                      "plan-declines")],
                        "--only", "tiny-softmax*", *QUICK)
        self.assertEqual(marks(parsed)["plan-fails"], "error")
        planned = {r["kernel"]: r["planned"] for r in parsed["results"] if r["state"] == "timed"}
        self.assertEqual(planned, {"correct": False, "plan": True, "plan-declines": False})

    def test_a_narrower_class_is_judged_as_given(self):
        said = marks(report(f"{EXPLOITS}:correct", "--class", "cr", "--only", "tiny-soft*", *QUICK))
        self.assertEqual(said, {"correct": "FAILS CLASS"})

    def test_right_on_a_shape_without_a_certificate(self):
        """Wrong only where no shape of the benchmark looks: a needle outside a window of 2."""
        with tempfile.TemporaryDirectory() as directory:
            parsed = report(example(directory, "narrow", ">= call->window &&",
                                    ">= call->window + (call->window == 2) &&"),
                            "--certify", "smoke", "--only", "tiny-prefill-*-heads", *QUICK)
        self.assertEqual(marks(parsed), {"narrow": "ok here, no certificate"})
        self.assertEqual(parsed["contenders"][0]["certificate"], "DOES NOT CONFORM")

    def test_certified_in_the_same_run(self):
        with tempfile.TemporaryDirectory() as directory:
            parsed = report(example(directory, "right"),
                            example(directory, "blind", "<= pos; j++", "< pos; j++"),
                            "--certify", "smoke", "--only", "tiny-prefill-*-heads", *QUICK)
        certified = {c["kernel"]: c["certified"] for c in parsed["contenders"]}
        self.assertEqual(certified, {"right": True, "blind": False})
        self.assertEqual(marks(parsed), {"right": "ok", "blind": "FAILS CLASS"})


class Reports(unittest.TestCase):
    def test_default_kernel_limits_threads_and_page(self):
        with tempfile.TemporaryDirectory() as directory:
            page_path = os.path.join(directory, "bench.html")
            parsed = report("--only", "tiny*", "--time", "0.005", "--threads", "1,2", "--html",
                            page_path)
            with open(page_path, encoding="utf-8") as file:
                text = file.read()
        self.assertEqual([x["threads"] for x in parsed["limits"]], [1, 2])
        states = {r["state"] for r in parsed["results"]}
        self.assertLessEqual(states, {"timed", "not offered"})
        timed = [r for r in parsed["results"] if r["state"] == "timed"]
        self.assertEqual({r["shape"] for r in timed}, {s["name"] for s in parsed["shapes"]})
        for result in timed:
            self.assertGreater(result["fraction_of_roof"], 0)
            self.assertEqual(result["verdict"], "PASS")
        page = Page()
        page.feed(text)
        self.assertEqual(page.open, [])
        self.assertNotIn("script", page.tags)
        self.assertIn("svg", page.tags)
        self.assertNotIn("url(", text)
        for shape in parsed["shapes"]:
            self.assertIn(shape["name"], page.words)
        self.assertIn(parsed["cpu"], page.words)

    def test_own_kernels_are_the_best_of_each_class_or_all(self):
        own = report("--own", "--only", "tiny-soft*", *QUICK)["contenders"]
        every = report("--variants", f"{EXPLOITS}:correct", "--only", "tiny-soft*",
                       *QUICK)["contenders"]
        self.assertEqual(len({c["class"] for c in own}), len(own))
        self.assertEqual({c["class"] for c in own}, {c["class"] for c in every if c["own"]})
        self.assertIn("fast-scalar", {c["kernel"] for c in every if c["own"]})
        self.assertEqual([c["kernel"] for c in every if not c["own"]], ["correct"])

    def test_the_table_names_what_it_shows(self):
        code, out, _ = bench(FAST, f"{EXPLOITS}:declines", "--only", "tiny-soft*", *QUICK)
        self.assertEqual(code, 0)
        for word in ("least", "median", "spread", "error", "budget", "class", "judged"):
            self.assertIn(word, out)
        self.assertRegex(out, r"not offered by .*\bdeclines\b")

    def test_markdown(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "bench.json")
            code, _, err = bench(f"{EXPLOITS}:correct", f"{EXPLOITS}:forgets-last", "--only",
                                 "tiny-soft*", "--json", path, *QUICK)
            self.assertEqual(code, 0, err)
            out = subprocess.run([sys.executable, "certify/bench/results.py", path], check=True,
                                 capture_output=True, text=True).stdout
        titles, cells = (re.search(pattern, out, re.M).group(1).split("|") for pattern in
                         (r"^(\| shape \| thr .*)$", r"^(\| tiny-softmax\S+ \| 1 .*)$"))
        row = {title.strip(): cell.strip() for title, cell in zip(titles, cells)}
        self.assertRegex(row["forgets-last"], r"^[0-9.]+ µs [0-9.]+× \*\*wrong\*\*$")
        self.assertRegex(row["correct"], r"^[0-9.]+ µs [0-9.]+×$")

    def test_the_summary_sets_the_fastest_peer_beside_ours(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "bench.json")
            code, _, err = bench("--own", f"{EXPLOITS}:correct", f"{EXPLOITS}:writes-nothing",
                                 "--only", "tiny-soft*", "--json", path, *QUICK)
            self.assertEqual(code, 0, err)
            with open(path, encoding="utf-8") as file:
                times = {r["kernel"]: r["least_s"] for r in json.load(file)["results"]
                         if r["state"] == "timed"}
            out = subprocess.run([sys.executable, "certify/bench/results.py", path], check=True,
                                 capture_output=True, text=True).stdout
        own = next(name for name in times if name.startswith("fast-"))
        least = min(times["correct"], times["writes-nothing"]) / times[own]
        peer = min(("correct", "writes-nothing"), key=times.get)
        mark = " **wrong**" if peer == "writes-nothing" else ""
        self.assertIn(f"| {least:.2f}× {peer}{mark} |", out)

    def test_the_schema_can_fail(self):
        parsed = report(f"{EXPLOITS}:correct", "--only", "tiny-soft*", *QUICK)
        del parsed["results"][0]["verdict"]
        with self.assertRaises(jsonschema.ValidationError):
            jsonschema.validate(parsed, SCHEMA)

    def test_what_cannot_be_run(self):
        self.assertEqual(bench("--only", "no-such-shape", FAST)[0], 2)
        for wrong, told in ((("--threads", "0"), "0 is no number of threads"),
                            (("--threads", "1.5"), "1.5 is no number of threads"),
                            (("--time", "0"), "--time: 0 is no number of seconds"),
                            (("--class", "w-quick"), 'unknown name "w-quick"'),
                            (("--json", "-", "--html", "-"), "cannot both go"),
                            (("--html", "/no/such/folder/x"), "cannot write '/no/such/folder/x'"),
                            (("--only", "nobody"), "no shape is called 'nobody'")):
            code, out, err = bench(FAST, *wrong)
            self.assertEqual((code, out), (2, ""), wrong)
            self.assertIn(told, err)
        self.assertEqual(bench("./no-such-file.so")[0], 5)
        self.assertEqual(bench(f"{FAST}:nobody")[0], 5)

    def test_names_of_shapes_are_unique(self):
        names = [line.split()[0] for line in bench("--list")[1].splitlines()]
        self.assertEqual(len(names), len(set(names)))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
