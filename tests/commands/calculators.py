#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The calculators: the numbers that SPEC.md and README.md name."""
import re
import sys
import unittest

from command import README, run


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


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
