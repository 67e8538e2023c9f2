#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The table of a benchmark report as Markdown: results.py bench.json... Least times; a kernel that
does not pass its class on a shape is marked with what the report says of it. Several reports of the
same libraries on the same machine, each of other shapes or with the certificates, become one table,
then without the tiny shapes."""
import json
import sys


def time(seconds):
    return f"{seconds * 1e6:.1f} µs" if seconds < 1e-3 else f"{seconds * 1e3:.2f} ms"


def cell(result):
    text = f"{time(result['least_s'])} ({result['fraction_of_roof']:.0%})" \
        if "fraction_of_roof" in result else time(result["least_s"])
    return text if result["verdict"] == "PASS" else f"{text} **{result['mark']}**"


def block(report, shape, threads):
    timed = [r for r in report["results"] if r["shape"] == shape and r["threads"] == threads
             and r["state"] == "timed"]
    timed.sort(key=lambda r: r["least_s"])
    classes = {c["kernel"]: c["class"] for c in report["contenders"]}
    return [f"{r['kernel']} {cell(r)}, {r['least_s'] / timed[0]['least_s']:.2f}×, "
            f"error {r.get('error', float('nan')):.1e} in `{classes[r['kernel']]}`" for r in timed]


def merged(paths):
    """The reports as one; what a later one knows of a kernel's certificate is added."""
    reports = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            reports.append(json.load(file))
    one = {"cpu": reports[0]["cpu"], "tool": reports[0]["tool"], "shapes": [], "results": []}
    contenders = {}
    for report in reports:
        if (report["cpu"], report["tool"]) != (one["cpu"], one["tool"]):
            sys.exit("the reports are of different machines or programs")
        for c in report["contenders"]:
            known = contenders.setdefault(c["kernel"], c)
            if (known["version"], known["class"]) != (c["version"], c["class"]):
                sys.exit(f"{c['kernel']} is not the same in all reports")
            known["certificate"] = known["certificate"] or c["certificate"]
        one["shapes"] += [s for s in report["shapes"]
                          if len(reports) == 1 or not s["name"].startswith("tiny-")]
        one["results"] += report["results"]
    one["contenders"] = list(contenders.values())
    return one


def main():
    report = merged(sys.argv[1:])
    print(f"# Times on {report['cpu']}\n\nsinkproof {report['tool']}, least times, fraction of the "
          "nearest measured limit, time over that of the fastest, and error of the outputs that were "
          "timed.\n")
    print("| kernel | version | class | certificate |\n|---|---|---|---|")
    for c in report["contenders"]:
        print(f"| {c['kernel']} | {c['version']} | `{c['class']}` | "
              f"{c['certificate'] or 'not certified'} |")
    print("\n| shape | threads | fastest first |\n|---|---|---|")
    for shape in {shape["name"]: shape for shape in report["shapes"]}.values():
        for threads in sorted({r["threads"] for r in report["results"]}):
            lines = block(report, shape["name"], threads)
            if lines:
                print(f"| {shape['name']} | {threads} | {'<br>'.join(lines)} |")


if __name__ == "__main__":
    main()
