#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`sinkproof story` says what the theorems say (T-11, T-12)."""
import json
import os
import sys
import tempfile
import unittest

from command import BUILD, run


class Story(unittest.TestCase):
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
