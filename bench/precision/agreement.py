#!/usr/bin/env python3
"""Holds searches in bf16 and TF32 to one in f32, at a small scale, without a GPU.

    bench/precision/agreement.py SEARCH [--device emulated] [--precisions tf32 bf16] [--epochs 12] [--images 300]
                                 [--candidates 30] [--seed 1]                # minutes, on one core

SEARCH: the program. Each precision trains a HyperNetwork of its own from the same seed and scores the same random
architectures with it. A table of losses, and of how well the rankings agree. Exits with 1 where a precision is further
from f32 than LOSS (share) or has fewer than COMMON of the best ten in common.
"""
import argparse
import json
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

LOSS, COMMON, BEST = 0.02, 8, 10


def search(options, precision, folder):
    """Final loss of the HyperNetwork, and {architecture: predicted loss}."""
    out = Path(folder) / precision
    subprocess.run([options.search, "--data", f"synthetic:{options.images}?size=8", "--space", "tiny", "--device",
                    options.device, "--precision", precision, "--batch", "32", "--hyper-epochs", str(options.epochs),
                    "--rank-sample", "0", "--strategy", "random", "--population", str(options.candidates // 2),
                    "--generations", "1", "--finalists", "0", "--validation", "0.3", "--seed", str(options.seed),
                    "--out", str(out), "--quiet"], check=True, stdout=subprocess.DEVNULL)
    with sqlite3.connect(out / "search.db") as database:
        losses = dict(database.execute("SELECT id, predicted_loss FROM candidates"))
    return json.loads((out / "result.json").read_text())["hypernetwork"]["final_loss"], losses


def kendall(a, b, names):
    pairs = [(x, y) for i, x in enumerate(names) for y in names[:i]]
    agree = sum(1 if (a[x] - a[y]) * (b[x] - b[y]) > 0 else -1 for x, y in pairs)
    return agree / len(pairs)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("search")
    parser.add_argument("--device", default="emulated")
    parser.add_argument("--precisions", nargs="*", default=["tf32", "bf16"])
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--candidates", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = {precision: search(options, precision, folder) for precision in ["f32", *options.precisions]}
    loss, scores = runs["f32"]
    best = set(sorted(scores, key=scores.get)[:BEST])
    print(f"{options.device}, {options.images} synthetic images of 8 pixels, {options.epochs} epochs, "
          f"{len(scores)} candidates, seed {options.seed}\n")
    print("| precision | HyperNetwork's final loss | of f32 | candidates' loss, furthest from f32 | best ten in common | "
          "Kendall τ with f32 |\n|---|---:|---:|---:|---:|---:|")
    faults = 0
    for precision, (own_loss, own) in runs.items():
        names = sorted(scores.keys() & own.keys())
        furthest = max(abs(own[name] / scores[name] - 1) for name in names)
        common = len(best & set(sorted(own, key=own.get)[:BEST]))
        print(f"| {precision} | {own_loss:.4f} | {100 * (own_loss / loss - 1):+.2f} % | {100 * furthest:.2f} % | {common} | "
              f"{kendall(scores, own, names):.3f} |")
        faults += len(names) < len(scores) or abs(own_loss / loss - 1) > LOSS or common < COMMON
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
