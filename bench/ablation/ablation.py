#!/usr/bin/env python3
"""What is each part of the recipe `paper` worth? Trainings of one network, with the recipe `standard` and each part.

    bench/ablation/ablation.py run BUILD DATA NETWORK.json WORK ROWS.jsonl   # hours; goes on where it stopped
    bench/ablation/ablation.py tables ROWS.jsonl                             # needs numpy

DATA as for `train`, e.g. 'folder:cifar10'. `run --help` names the options: the epochs, some of the parts alone, a
teacher for the part `distillation`. As many trainings as there are cores run side by side, with one thread each. Each
part is added to `standard` by itself, then all together as `paper` has them; all trainings have the same epochs and
batches, so that a row differs from the first by its part alone. The test images are read once, at the end of a
training; nothing is chosen by them.
"""
import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SEEDS = (1, 2)
# Values of the recipe `paper`, but for the average's decay: 0.9998 remembers 5,000 steps, too many for 40 epochs.
PARTS = {
    "standard": [],
    "averaged weights": ["--ema", "0.998"],
    "cutout": ["--cutout", "0.5"],
    "erasing": ["--erasing", "0.25"],
    "mixup": ["--mixup", "0.2", "--mix-probability", "0.5"],
    "CutMix": ["--cutmix", "1", "--mix-probability", "0.5"],
    "TrivialAugment": ["--trivial-augment"],
    "label smoothing": ["--label-smoothing", "0.1"],
    "drop path": ["--drop-path", "0.2"],
    "dropout": ["--dropout", "0.2"],
    "auxiliary head": ["--auxiliary", "0.4"],
    "smaller images at first": ["--progressive", "16:0.4,24:0.8"],
    "all of paper": ["--ema", "0.998", "--cutout", "0.5", "--mixup", "0.2", "--cutmix", "1", "--mix-probability", "0.5",
                     "--label-smoothing", "0.1", "--drop-path", "0.2", "--dropout", "0.2", "--auxiliary", "0.4"],
}


def finished(run, command):
    """Runs `train` into `run`, or goes on with it; what it found."""
    if not (run / "result.json").exists():
        resume = ["--resume"] if (run / "config.toml").exists() else []
        done = subprocess.run([str(word) for word in [*command, "--out", run, *resume]], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"error: [ablation] {' '.join(map(str, command))}\n{done.stderr}")
    return json.loads((run / "result.json").read_text())


def run(build, data, network, work, rows, epochs, teacher, only):
    there = read(rows) if rows.exists() else []
    if others := {row["epochs"] for row in there} - {epochs}:
        sys.exit(f"error: [ablation] rows of other epochs in {rows}, got {epochs}, expected {min(others)}; "
                 "name another file")
    done = {(row["part"], row["seed"]) for row in there}
    parts = {**PARTS, **({"distillation": ["--teacher", teacher]} if teacher else {})}
    if unknown := set(only) - set(parts):
        sys.exit(f"error: [ablation] no such part, got {', '.join(sorted(unknown))}, expected {', '.join(parts)}")
    work.mkdir(parents=True, exist_ok=True)

    def train(seed, part):
        found = finished(work / f"{part.replace(' ', '_')}-{seed}",
                         [Path(build) / "apps/train", "--architecture", network, "--data", data, "--recipe", "standard",
                          "--epochs", epochs, "--test-flip", "--seed", seed, "--threads", 1, "--quiet", *parts[part]])
        row = {"part": part, "seed": seed, "epochs": epochs, "params": found["params"],
               **{key: found[key] for key in ("test_accuracy", "test_flip", "raw", "seconds") if key in found}}
        with rows.open("a") as file:
            file.write(json.dumps(row) + "\n")

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda job: train(*job), [(seed, part) for seed in SEEDS for part in only or parts
                                                if (part, seed) not in done]))


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def tables(rows):
    import numpy as np

    def accuracies(part):
        return {row["seed"]: 100 * row["test_accuracy"] for row in rows if row["part"] == part}

    plain = accuracies("standard")
    print("| `standard` with | seeds | test accuracy, % | above `standard`, paired | with mirror images | s |")
    print("|---|---|---|---|---|---|")
    for part in dict.fromkeys(row["part"] for row in rows):
        mine = accuracies(part)
        if not mine:
            continue
        gains = [mine[seed] - plain[seed] for seed in mine if seed in plain]
        flips = [100 * row["test_flip"]["test_accuracy"] for row in rows if row["part"] == part and "test_flip" in row]
        seconds = np.median([row["seconds"] for row in rows if row["part"] == part])
        spread = " to ".join(f"{gain:+.2f}" for gain in sorted({min(gains), max(gains)})) if gains else ""
        print(f"| {part} | {len(mine)} | {np.mean(list(mine.values())):.2f} | "
              f"{f'{np.mean(gains):+.2f} ({spread})' if gains and part != 'standard' else ''} | "
              f"{f'{np.mean(flips):.2f}' if flips else ''} | {seconds:.0f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    runs = commands.add_parser("run")
    for name in ("build", "data", "network"):
        runs.add_argument(name)
    for name in ("work", "rows"):
        runs.add_argument(name, type=Path)
    runs.add_argument("--epochs", type=int, default=40, help="of each training (40)")
    runs.add_argument("--teacher", help="a run of train on the same images, for the part distillation")
    runs.add_argument("--parts", type=lambda text: text.split(","), default=[],
                      help="these alone, with commas between (all): " + ", ".join([*PARTS, "distillation"]))
    commands.add_parser("tables").add_argument("rows", type=Path)
    options = parser.parse_args()
    if options.command == "tables":
        return tables(read(options.rows))
    run(options.build, options.data, options.network, options.work, options.rows, options.epochs, options.teacher,
        options.parts)


if __name__ == "__main__":
    main()
