# SPDX-License-Identifier: Apache-2.0
"""What the tests of the command share: the command, README's example, and a way to compile kernels.
Each test is called as THEME.py path/to/sinkproof build-directory, from the top of the tree."""
import os
import re
import subprocess
import sys

SINKPROOF, BUILD = (os.path.abspath(p) for p in sys.argv[1:3])
README = open("README.md", encoding="utf-8").read()
EXAMPLE = re.search(r"```c\n(.*?)```", README, re.S).group(1)
CC = os.environ.get("CC", "cc")
# README's example with a window that is one key too wide.
WIDE = EXAMPLE.replace(">= call->window", "> call->window")
assert WIDE != EXAMPLE


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
