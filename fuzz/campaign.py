#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run the fuzz targets, and measure them.

  campaign.py run DIRECTORY SECONDS           all targets side by side; fails on a finding
  campaign.py corpus DIRECTORY SECONDS        rebuild the committed corpus from seeds and campaigns
  campaign.py numbers DIRECTORY               measure, and rewrite the tables of fuzz/README.md
  campaign.py worst DIRECTORY SECONDS         search for the worst cases, and keep them in worst/
  campaign.py feedback DIRECTORY INPUTS       error feedback against plain coverage, ten seeds each

DIRECTORY holds the programs fuzz_* and tool_*. Corpora that grow are kept beside them.
"""
import concurrent.futures
import glob
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
CORPUS = os.path.join(HERE, "corpus")
CASES = ["softmax", "attention", "cache"]
SEEDS = {"softmax": ["softmax"], "attention": ["attention"], "cache": ["cache"], "paths": CASES,
         "plugin": CASES, "parsers": ["parsers"], "descriptor": ["descriptor"]}
REGRESSIONS = sorted(glob.glob(os.path.join(HERE, "regressions", "*.input")))
LIMIT_BYTES = 400000  # of the committed corpus

# What libFuzzer and the targets print.
UNITS = r"number_of_executed_units: (\d+)"
COV = r"cov: (\d+)"
CORP = r"corp: (\d+)"
COUNTERS = r"\((\d+) inline 8-bit counters"
WORST = r"share of the budget ([0-9.]+)"


def seeds_of(target):
    return [path for path in (os.path.join(CORPUS, name) for name in SEEDS[target])
            if os.path.isdir(path)]


def command(programs, target, seconds, *more, start=None):
    dictionary = "parsers.dict" if target == "parsers" else "fuzz.dict"
    grown = os.path.join(programs, "corpus", target)
    os.makedirs(grown, exist_ok=True)
    return [os.path.join(programs, "fuzz_" + target), f"-max_total_time={seconds}",
            "-dict=" + os.path.join(HERE, dictionary), "-max_len=4096", "-timeout=60",
            "-rss_limit_mb=4096", "-print_final_stats=1",
            f"-artifact_prefix={programs}/finding-{target}-", *more, grown,
            *(start or seeds_of(target))]


def last(pattern, text, otherwise="-"):
    found = re.findall(pattern, text)
    return found[-1] if found else otherwise


def run(programs, seconds):
    """All at once: what one machine does in the time."""
    environment = dict(os.environ, SINKPROOF_FINDINGS=programs)
    started = {}
    for target in SEEDS:
        log = open(os.path.join(programs, target + ".log"), "w+", encoding="utf-8",
                   errors="replace")
        started[target] = (subprocess.Popen(command(programs, target, seconds), stdout=log,
                                            stderr=log, env=environment), log)
    failed = 0
    for target, (process, log) in started.items():
        status = process.wait()
        log.seek(0)
        text = log.read()
        n, cov, kept = (last(p, text) for p in (UNITS, COV, CORP))
        print(f"{target:10} {n:>9} inputs  {cov:>6} edges  {kept:>5} kept  "
              f"worst budget {last(WORST, text)}")
        if n in ("-", "0"):
            failed += 1
            print(text[-3000:])
            print(f"{target}: nothing was run")
        elif status != 0:
            failed += 1
            print(text[-3000:])
            print(f"{target}: exit status {status}; the input is {programs}/finding-{target}-*")
    return failed


def one(programs, target, seconds, *more, start=None, environment=None):
    """One target alone: its text, and the processor seconds that it took. A finding ends it."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command(programs, target, seconds, *more, start=start),
                          capture_output=True, text=True, errors="replace", check=False,
                          env=dict(os.environ, SINKPROOF_FINDINGS=programs, **(environment or {})))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done.stderr, used


# ---- the committed corpus ----

def distinct_files(directory):
    seen, kept = set(), []
    for path in sorted(glob.glob(os.path.join(directory, "**"), recursive=True)):
        if os.path.isfile(path):
            with open(path, "rb") as file:
                data = file.read()
            if data not in seen:
                seen.add(data)
                kept.append((path, data))
    return kept


def merge(programs, name, into, *sources):
    """The fewest inputs that reach what all of them reach, smallest first. Of readers, how often a line ran
    says little."""
    os.makedirs(into)
    subprocess.run([os.path.join(programs, "fuzz_" + name), "-set_cover_merge=1", "-max_len=1500",
                    f"-use_counters={int(name in CASES)}", into, *sources], check=True,
                   capture_output=True)
    return sorted(distinct_files(into), key=lambda item: len(item[1]))


def write_corpus(name, files):
    shutil.rmtree(os.path.join(CORPUS, name), ignore_errors=True)
    os.makedirs(os.path.join(CORPUS, name))
    for base, data in files:
        with open(os.path.join(CORPUS, name, base), "wb") as file:
            file.write(data)
    print(f"{name}: {len(files)} files, {sum(len(data) for _, data in files)} bytes")


def corpus(programs, seconds):
    """From the generators' cases, what is committed, and a campaign of each target: what finds faults
    stays, and what was made for one place in the code; then what covers, smallest first, as long as there
    is room."""
    with tempfile.TemporaryDirectory() as scratch:
        seeds, finders = os.path.join(scratch, "seeds"), os.path.join(scratch, "finders")
        os.makedirs(finders)
        subprocess.run([os.path.join(programs, "tool_seed"), seeds, "4"], check=True)
        committed = [os.path.join(CORPUS, name) for name in CASES]
        subprocess.run([os.path.join(programs, "tool_power"), "-t", "30", "-k", finders, seeds,
                        *committed], check=False)
        room = LIMIT_BYTES
        total = {name: [] for name in SEEDS if os.path.isdir(os.path.join(CORPUS, name))}
        for path, data in distinct_files(finders) + distinct_files(os.path.join(seeds, "bare")):
            total[CASES[data[0] % 3 if data else 0]].append((os.path.basename(path), data))
            room -= len(data)
        for left, name in zip(range(len(total), 0, -1), reversed(total)):  # parsers need least
            if seconds > 0:
                subprocess.run(command(programs, name, seconds), check=True, capture_output=True)
            grown = os.path.join(programs, "corpus", name)
            sources = [path for path in (os.path.join(seeds, name), grown) if os.path.isdir(path)]
            budget = room // left
            for path, data in merge(programs, name, os.path.join(scratch, "merged-" + name),
                                    os.path.join(CORPUS, name), *sources):
                if len(data) <= budget:
                    budget -= len(data)
                    room -= len(data)
                    total[name].append((os.path.basename(path), data))
        for name, files in total.items():
            write_corpus(name, files)
    return 0


# ---- worst cases ----

def worst(programs, seconds):
    """From the corpus and what grew beside the programs; every campaign starts its list anew."""
    rows, kept = [], os.path.join(HERE, "worst")
    os.makedirs(kept, exist_ok=True)
    for target in CASES:
        text, _ = one(programs, target, seconds, environment={"SINKPROOF_WORST": kept})
        rows += re.findall(r"sinkproof fuzz: worst (\S+-\S+-\S+) ([0-9.]+)", text)
    with open(os.path.join(kept, "README.md"), "w", encoding="utf-8") as file:
        file.write("# The worst cases that campaigns found\n\nLabel: *searched*. Each uses the "
                   "largest share of its kernel's error budget that was met, rounding into the\n"
                   "output not counted; the true worst case is at least that. `make fuzz-worst` "
                   "searches again.\n\n| case | share |\n|---|--:|\n")
        file.writelines(f"| {name}.case | {share} |\n" for name, share in rows)
    return 0


# ---- numbers ----

def mann_whitney(a, b):
    """How many of the pairs the first wins, and the two-sided normal approximation of p."""
    wins = sum((x > y) + 0.5 * (x == y) for x in a for y in b)
    n, m = len(a), len(b)
    sigma = (n * m * (n + m + 1) / 12) ** 0.5
    z = abs(wins - n * m / 2) / sigma
    t = 1 / (1 + 0.2316419 * z)
    tail = 0.3989422804 * 2.718281828459045 ** (-z * z / 2) * t * (
        0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
    return wins, min(1.0, 2 * tail)


def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def reached(programs, seed, mode, runs, start):
    """The worst budget of one campaign of so many inputs, which no load of the machine changes."""
    with tempfile.TemporaryDirectory() as grown:
        done = subprocess.run([os.path.join(programs, "fuzz_softmax"), f"-runs={runs}",
                               f"-seed={seed}", "-max_len=4096", "-rss_limit_mb=4096",
                               "-dict=" + os.path.join(HERE, "fuzz.dict"), grown, start],
                              capture_output=True, text=True, errors="replace", check=True,
                              env=dict(os.environ, SINKPROOF_FEEDBACK=mode))
    return float(last(WORST, done.stderr, "nan"))


def feedback(programs, runs):
    """From one bare header: what feedback does. From the corpus: what it adds to what is known."""
    modes = (("1", "with error feedback"), ("0", "plain coverage"))
    lines = [f"Target `fuzz_softmax`, 10 seeds of {runs} inputs each way: the worst share of the error "
             "budget that each met.", "",
             "| start from | | median | least | most |", "|---|---|--:|--:|--:|"]
    with (tempfile.TemporaryDirectory() as bare,
          concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool):
        for name, start in (("one bare header", bare_header(bare, 0)),
                            ("the committed corpus", os.path.join(CORPUS, "softmax"))):
            found = {mode: list(pool.map(lambda seed: reached(programs, seed, mode, runs, start),
                                         range(1, 11))) for mode, _ in modes}
            lines += [f"| {name} | {how} | {median(found[mode]):.4f} | {min(found[mode]):.4f} "
                      f"| {max(found[mode]):.4f} |" for mode, how in modes]
            wins, p = mann_whitney(found["1"], found["0"])
            lines.append(f"| | feedback wins {wins:g} of 100 pairs (Mann-Whitney, two-sided "
                         f"p = {p:.2g}) | | | |")
    rewrite("feedback", lines)
    return 0


def rewrite(name, lines):
    path = os.path.join(HERE, "README.md")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, rest = text.split(begin)
    _, after = rest.split(end)
    with open(path, "w", encoding="utf-8") as file:
        file.write(before + begin + "\n" + "\n".join(lines) + "\n" + end + after)
    print("\n".join(lines))


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        return dict(re.findall(r"^(model name|cpu family|model)\s*: (.*)", file.read(), re.M))


def bare_header(directory, op):
    """A directory of its own, in which there is header(op)."""
    path = os.path.join(directory, CASES[op])
    os.makedirs(path)
    with open(os.path.join(path, "header"), "wb") as file:
        file.write(header(op))
    return path


def speed_of(programs, target, small=None):
    shutil.rmtree(os.path.join(programs, "corpus", target), ignore_errors=True)
    text, used = one(programs, target, 30, "-seed=1", start=small and [small])
    n = int(last(UNITS, text, "0"))
    found = " (ended by a finding)" if "deadly signal" in text or "ERROR" in text else ""
    where = "one small case" if small else "the committed corpus"
    return (f"| `fuzz_{target}`{found} | {where} | {n} | {n / used:.0f} | {last(COV, text)} "
            f"| {last(COUNTERS, text)} | {last(CORP, text)} |")


def speed(programs):
    cpu = processor()
    lines = [f"On {cpu['model name']}, family {cpu['cpu family']}, model {cpu['model']}.", "",
             "| target | start from | inputs | per processor second | edges | of | inputs kept |",
             "|---|---|--:|--:|--:|--:|--:|"]
    with tempfile.TemporaryDirectory() as bare:
        for op, name in enumerate(CASES[:2]):
            lines.append(speed_of(programs, name, bare_header(bare, op)))
    lines += [speed_of(programs, target) for target in SEEDS]
    rewrite("speed", lines)


def header(op):
    """Sixty bytes that are a whole case: nine keys, three queries, both log-sum-exps, a window of 6,
    ten steps of a stream; the elements follow from them. (fuzz/header.h)"""
    data = bytearray(60)
    for at, value in ((0, op), (3, 12), (8, 3), (9, 3), (10, 9), (12, 2), (14, 2), (16, 6), (46, 9),
                      (47, 1), (50, 1)):
        data[at] = value
    return bytes(data)


def power_of(programs, seed, *corpora):
    done = subprocess.run([os.path.join(programs, "tool_power"), "-t", "60", "-s", str(seed),
                           *corpora], capture_output=True, text=True, check=False)
    value = dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)
    missed = [line[7:].split(":")[0] for line in done.stdout.splitlines()
              if line.startswith("missed ")]
    return value, missed


def power(programs):
    rows = []
    corpora = [os.path.join(CORPUS, name) for name in CASES]
    with tempfile.TemporaryDirectory() as scratch:
        bare = [bare_header(scratch, op) for op in range(len(CASES))]
        for start, seed, where in (("the committed corpus", 1, corpora),
                                   ("three bare headers", 1, bare),
                                   ("three bare headers", 2, bare),
                                   ("three bare headers", 3, bare)):
            value, missed = power_of(programs, seed, *where)
            rows.append(f"| {start} | {seed} | {value['corpus_inputs']} | {value['faults']} "
                        f"| {value['found_by_corpus']} | {value['found']} "
                        f"| {value['median_seconds']} s | {value['last_seconds']} s "
                        f"| {value['fuzzed_inputs']} | {', '.join(missed) or 'none'} |")
    rewrite("power", [
        "| start from | seed | inputs | faults | found by them | found after at most 60 s | median "
        "time to find | last | mutants tried | missed |", "|---|--:|--:|--:|--:|--:|--:|--:|--:|---|",
        *rows])


def numbers(programs):
    power(programs)
    speed(programs)
    return 0


def main():
    if len(sys.argv) < 3:
        print(__doc__)
        return 2
    what, programs = sys.argv[1], os.path.abspath(sys.argv[2])
    seconds = int(sys.argv[3]) if len(sys.argv) > 3 else 60
    if what == "numbers":
        return numbers(programs)
    return {"run": run, "corpus": corpus, "worst": worst, "feedback": feedback}[what](programs, seconds)


if __name__ == "__main__":
    sys.exit(main())
