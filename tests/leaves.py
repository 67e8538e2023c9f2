#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The machine code that theorems are about: is it what the fast path executes, and does certify say
so only then? usage: leaves.py path/to/sinkproof build-directory

No Coq is needed: the theorems' bytes stand in certify/judge/proved_bytes.h. tests: KC-9
"""
import os
import re
import struct
import subprocess
import sys
import tempfile
import unittest

SINKPROOF, BUILD = (os.path.abspath(p) for p in sys.argv[1:3])
LIBRARY = os.path.join(BUILD, "lib/kernel_fast.so")
CC = os.environ.get("CC", "cc")
ROWS = "attention_row_certified"
LSE = "NU7_fast_lse"
# Instructions of which an exponential has one, and nothing else here.
OF_AN_EXPONENTIAL = re.compile(r"^ *([0-9a-f]+):\t(?:vscalefps|vrndscaleps)\s", re.M)


def proved():
    """Leaf -> bytes, from the header that certify compares with."""
    with open("certify/judge/proved_bytes.h", encoding="utf-8") as file:
        arrays = re.findall(r"char (\w+)_bytes\[\] = \{([^}]*)\}", file.read())
    return {name: bytes(int(x) for x in text.split(",")) for name, text in arrays}


def notes(library):
    """(leaf, path, offset in the file, length) of each note; our libraries map code where it lies
    in the file."""
    with open(library, "rb") as file:
        image = file.read()
    table, = struct.unpack_from("<Q", image, 0x20)
    entry, count = struct.unpack_from("<HH", image, 0x36)
    for i in range(count):
        kind, _, at, address, _, size = struct.unpack_from("<IIQQQQ", image, table + i * entry)
        if kind != 4:
            continue
        end = at + size
        while at + 12 <= end:
            owner, contents, _ = struct.unpack_from("<III", image, at)
            name = image[at + 12:at + 12 + owner]
            start = at + 12 + (owner + 3) // 4 * 4
            if name == b"sinkproof\0":
                distance, length = struct.unpack_from("<iI", image, start)
                leaf, path = (image[start + k:start + k + 16].rstrip(b"\0").decode()
                              for k in (8, 24))
                yield leaf, path, start + distance, length
            at = start + (contents + 3) // 4 * 4


def strays(library, leaves):
    """Addresses of exponentials outside the leaves."""
    code = subprocess.run(["objdump", "-d", "--no-show-raw-insn", library], check=True,
                          capture_output=True, text=True).stdout
    addresses = [int(a, 16) for a in OF_AN_EXPONENTIAL.findall(code)]
    return [a for a in addresses if not any(at <= a < at + n for _, _, at, n in leaves)]


def calls(library, address):
    code = subprocess.run(["objdump", "-d", "--no-show-raw-insn", library], check=True,
                          capture_output=True, text=True).stdout
    return len(re.findall(r"\tcall +%x\b" % address, code))


def certify(library):
    done = subprocess.run([SINKPROOF, "certify", library, "--level", "smoke", "--op", "softmax",
                           "--generator", "known-answer"], capture_output=True, text=True)
    return done.stdout


class Library(unittest.TestCase):
    """What was just built and linked."""

    def setUp(self):
        self.leaves = list(notes(LIBRARY))
        with open(LIBRARY, "rb") as file:
            self.image = file.read()

    def test_every_leaf_has_the_bytes_of_its_theorem(self):
        linked = {leaf: self.image[at:at + n] for leaf, _, at, n in self.leaves}
        self.assertEqual(linked, proved())

    def test_the_header_is_that_of_the_theorems(self):
        printed = subprocess.run(["proofs/export/proved_bytes.sh", "proofs/obj/Bytes.v"],
                                 check=True, capture_output=True, text=True).stdout
        with open("certify/judge/proved_bytes.h", encoding="utf-8") as file:
            self.assertEqual(file.read(), printed)

    def test_no_other_exponential(self):
        self.assertEqual(strays(LIBRARY, self.leaves), [])
        self.assertTrue(strays(LIBRARY, []), "the leaves themselves are not seen")

    def test_another_exponential_is_noticed(self):
        with tempfile.TemporaryDirectory() as directory:
            source, library = (os.path.join(directory, n) for n in ("stray.c", "stray.so"))
            with open(source, "w", encoding="utf-8") as file:
                file.write("#include <immintrin.h>\n__m512 f(__m512 x, __m512 k);\n"
                           "__m512 f(__m512 x, __m512 k) { return _mm512_scalef_ps(x, k); }\n")
            subprocess.run([CC, "-O2", "-mavx512f", "-shared", "-fPIC", source, "-o", library],
                           check=True)
            self.assertEqual(len(strays(library, self.leaves)), 1)

    def test_the_leaves_are_called(self):
        for leaf, _, at, _ in self.leaves:
            with self.subTest(leaf):
                self.assertGreater(calls(LIBRARY, at), 0)


class Certificate(unittest.TestCase):
    """certify reads the bytes of the library that it has loaded."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.copy = os.path.join(directory.name, "kernel.so")
        self.said = certify(LIBRARY)
        if not re.search(r"^paths +avx512", self.said, re.M):
            self.skipTest("this processor runs no leaf")

    def patched(self, offset):
        with open(LIBRARY, "rb") as file:
            image = bytearray(file.read())
        image[offset] ^= 1
        with open(self.copy, "wb") as file:
            file.write(image)
        return certify(self.copy)

    def test_the_theorems_are_named(self):
        self.assertIn(ROWS, self.said)
        self.assertIn(LSE, self.said)
        share = float(re.search(r"largest error (\S+) of the bound", self.said).group(1))
        self.assertTrue(0 < share <= 1, share)
        for leaf, *_ in notes(LIBRARY):
            self.assertRegex(self.said, r"%s as loaded is that of NU7_machine_code" % leaf)

    def test_one_byte_is_enough(self):
        """The last byte of a constant's mantissa, and one that is never executed."""
        for leaf, _, at, length in notes(LIBRARY):
            never = at + proved()[leaf].index(b"\xc3") + 1
            for offset in (at + length - 8, never):
                with self.subTest(leaf, offset=offset - at):
                    said = self.patched(offset)
                    self.assertRegex(said, r"%s as loaded is NOT that of .* byte %d is"
                                     % (leaf, offset - at))
                    self.assertNotIn(ROWS, said)

    def test_a_shorter_leaf_is_not_the_leaf(self):
        with open(LIBRARY, "rb") as file:
            image = file.read()
        leaf, path, _, length = next(notes(LIBRARY))
        tail = struct.pack("<I", length) + leaf.encode().ljust(16, b"\0") + path.encode()
        self.assertEqual(image.count(tail), 1)
        with open(self.copy, "wb") as file:
            file.write(image.replace(tail, struct.pack("<I", length - 4) + tail[4:]))
        said = certify(self.copy)
        self.assertIn("past the end", said)
        self.assertNotIn(ROWS, said)

    def test_nothing_is_said_of_other_kernels(self):
        said = certify(os.path.join(BUILD, "lib/kernel_ref.so"))
        self.assertIn("paths", said)
        self.assertNotRegex(said, r"(?m)^code")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]])
