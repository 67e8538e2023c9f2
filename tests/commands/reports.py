#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reports for machines, and the cases that they replay.

tests: CT-7, CT-9, CT-10, NU-3"""
import json
import os
import sys
import tempfile
import unittest
import xml.etree.ElementTree

import jsonschema

from command import BUILD, WIDE, build, run


class Oracle(unittest.TestCase):
    """Cases that once made the oracle's own kernel fail, or an honest one."""

    def test_regressions(self):
        ref = os.path.join(BUILD, "lib", "kernel_ref.so")
        for name in ("oracle-nan-at-first-precision", "query-beyond-bf16"):
            status, out, _ = run("replay", ref, "--case", f"fuzz/regressions/{name}.case")
            self.assertEqual(status, 0, out)


class Reports(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.library = build(WIDE, self.directory.name)

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


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
