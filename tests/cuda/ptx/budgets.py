#!/usr/bin/env python3
"""Holds every hot kernel of the device cuda to its budget, counted without a GPU.

    tests/cuda/ptx/budgets.py KERNEL_COUNTS [--update]

KERNEL_COUNTS: the program (kernel_counts.cpp). It counts RUNS, training step and evaluation of two networks. A kernel
that executes at least one in 200 of a run's instructions is hot and must stand in budgets.txt, with the most that it
may take of

    instructions   PTX instructions of threads, for each 4 bytes that its operators read or write (each operand once):
                   an element of f32, two of bf16
    sectors        of global memory, over the fewest that hold the bytes of the same requests
    banks          rounds over shared memory, over the fewest that the same accesses could take

Over 1.05 sectors or 1.1 banks need a reason, behind a #. --update writes what was counted, 3 % more instructions, and
keeps limits and reasons. Exits with 1 when a kernel is above its budget, or hot and not known.
"""
import collections
import json
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
BUDGETS = HERE / "budgets.txt"
SECTORS, BANKS, HOT = 1.05, 1.10, 1 / 200

# Name, architecture, options of kernel_counts.
RUNS = [("candidate-bf16", ROOT / "bench/gpu/candidate.json", ["--precision", "bf16", "--batch", "64"]),
        ("kinds-bf16", HERE / "kinds.json", ["--precision", "bf16", "--batch", "32"]),
        ("kinds-f32", HERE / "kinds.json", ["--precision", "f32", "--batch", "32"]),
        ("kinds-tf32", HERE / "kinds.json", ["--precision", "tf32", "--batch", "32"])]


def count(program, architecture, options):
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        subprocess.run([program, architecture, *options, "--blocks", "2", "--out", out.name], check=True)
        return json.load(out)


def by_kernel(counts):
    """{kernel: sums over its launches}."""
    sums = collections.defaultdict(collections.Counter)
    for operators in counts["steps"].values():
        for operator in operators:
            for kernel in {launch["kernel"] for launch in operator["launches"]}:
                sums[kernel]["elements"] += operator["bytes"] / 4
            for launch in operator["launches"]:
                own = sums[launch["kernel"]]
                own["executed"] += sum(launch.get("executed", {}).values())
                for key in ("sectors", "ideal_sectors", "bank_rounds", "ideal_rounds"):
                    own[key] += launch.get(key, 0)
    return sums


def figures(sums):
    ratio = lambda a, b: sums[a] / sums[b] if sums[b] else 1.0
    return (32 * sums["executed"] / sums["elements"], ratio("sectors", "ideal_sectors"),
            ratio("bank_rounds", "ideal_rounds"))


def read_budgets():
    budgets = {}
    for line in BUDGETS.read_text().splitlines() if BUDGETS.exists() else []:
        text, _, reason = line.partition("  # ")
        if text.strip() and not text.startswith("#"):
            run, instructions, sectors, banks, kernel = text.split(None, 4)
            budgets[run, kernel.strip()] = (float(instructions), float(sectors), float(banks), reason.strip())
    return budgets


def complaints(run, kernel, found, budget):
    if budget is None:
        yield f"{run}: {kernel} is hot ({found[0]:.2f} instructions an element) and has no budget"
        return
    for what, value, most in zip(("instructions an element", "sectors over the fewest", "bank rounds over the fewest"),
                                 found, budget):
        if value > most:
            yield f"{run}: {kernel}: {value:.3f} {what}, budget {most}"
    if (budget[1] > SECTORS or budget[2] > BANKS) and not budget[3]:
        yield f"{run}: {kernel}: a budget above {SECTORS} sectors or {BANKS} banks without a reason"


def written(run, kernel, found, known):
    sectors, banks, reason = (known[1], known[2], known[3]) if known else (SECTORS, BANKS, "")
    line = f"{run:15} {found[0] * 1.03:10.3f} {sectors:5.2f} {banks:5.2f}  {kernel}"
    return f"{line}  # {reason}" if reason else line


def main():
    program, update = sys.argv[1], "--update" in sys.argv[2:]
    budgets, faults, lines = read_budgets(), [], []
    for run, architecture, options in RUNS:
        sums = by_kernel(count(program, architecture, options))
        everything = sum(own["executed"] for own in sums.values())
        hot = {kernel: own for kernel, own in sums.items() if own["executed"] >= HOT * everything}
        for kernel, own in sorted(hot.items(), key=lambda item: -item[1]["executed"]):
            found, budget = figures(own), budgets.get((run, kernel))
            print(f"{run:15} {found[0]:10.3f} {found[1]:5.2f} {found[2]:5.2f}  {kernel}")
            lines.append(written(run, kernel, found, budget))
            faults += complaints(run, kernel, found, budget)
    if update:
        head = [line for line in BUDGETS.read_text().splitlines() if line.startswith("#")] if BUDGETS.exists() else []
        BUDGETS.write_text("\n".join(head + lines) + "\n")
        return 0
    for fault in faults:
        print(f"error: [budget] {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
