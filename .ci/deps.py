#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Who may include whom, and where AVX-512 may live. Fails on an include against the arrows.

With object directories as arguments it also disassembles them: a zmm register is an error outside
fast/avx512, fast/avx512bf16 and certify/bench/avx512, whose code asks the processor first. Adapters are built for
the machine they are built on, as their libraries are.
"""
import os
import re
import subprocess
import sys

ALLOWED = {
    "include": {"include"},
    "ref": {"ref", "include"},
    "fast": {"fast", "include"},
    "certify": {"certify", "ref", "include"},
    "adapters": {"adapters", "include"},
    "tests": {"tests", "fuzz", "certify", "ref", "fast", "adapters", "include"},
    "fuzz": {"fuzz", "certify", "ref", "fast", "include"},
    "proofs": {"proofs", "fast", "ref", "include"},
}
# certify/export/ makes shared libraries of our own kernels: it is glue for the linker.
EXCEPTIONS = {("certify/export/fast.c", "fast")}
ZMM_ROOMS = ("/fast/avx512/", "/fast/avx512bf16/", "/certify/bench/avx512/", "/adapters/")
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)


def room_of(target):
    return "include" if target.startswith("sinkproof/") else target.split("/")[0]


def breaches(path, text):
    room = path.split("/")[0]
    for target in INCLUDE.findall(text):
        to = room_of(target)
        if "/" not in target:
            yield f'{path}: "{target}" is not written from the root'
        elif to not in ALLOWED[room] and (path, to) not in EXCEPTIONS:
            yield f"{path}: {room}/ must not include {target}"


def zmm_outside(directory):
    for folder, _, files in os.walk(directory):
        for name in files:
            path = os.path.join(folder, name)
            if not name.endswith(".o") or any(room in path for room in ZMM_ROOMS):
                continue
            code = subprocess.run(["objdump", "-d", path], check=True, capture_output=True,
                                  text=True).stdout
            if "%zmm" in code:
                yield f"{path}: zmm registers outside {', '.join(ZMM_ROOMS)}"


def selftest():
    assert list(breaches("ref/a.c", '#include "fast/fast.h"'))
    assert list(breaches("certify/run/a.c", '#include "fast/fast.h"'))
    assert list(breaches("ref/a.c", '#include "a.h"'))
    assert not list(breaches("certify/run/a.c", '#include "ref/ref.h"\n#include <math.h>'))


def main():
    selftest()
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], check=True,
                            capture_output=True, text=True).stdout.split()
    said = []
    for path in listed:
        if path.split("/")[0] not in ALLOWED or not path.endswith((".c", ".h", ".cc", ".cpp")):
            continue
        with open(path, encoding="utf-8") as file:
            said += breaches(path, file.read())
    for directory in sys.argv[1:]:
        said += zmm_outside(directory)
    for line in said:
        print("deps:", line, file=sys.stderr)
    print(f"includes follow the arrows: {'no' if said else 'yes'}")
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
