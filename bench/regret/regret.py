#!/usr/bin/env python3
"""How good is the network that a search finds, against simpler ways to spend as much? docs/results/regret.md.

    bench/regret/regret.py run BUILD CIFAR10_FOLDER WORK ROWS.jsonl    # hours on one core; goes on where it stopped
    bench/regret/regret.py tables ROWS.jsonl                           # needs numpy

Each arm is `search` with a budget that takes it about as many seconds as the others: an epoch takes longer where
networks are larger. Each chosen network is then trained anew with seeds that no search used, and judged on the test
images. WORK keeps the runs; a row is written when a network is judged.
"""
import json
import subprocess
import sys
from pathlib import Path

SPACE = Path(__file__).resolve().parents[1] / "ranking" / "study_space.toml"
DATA = "limit=6000&size=16"
RANK_EPOCHS, EPOCHS, HALVINGS = 2, 16, 2
BUDGETS = {"ours": 440, "ours without prediction": 400, "random + halving": 480, "size + halving": 290}  # epochs
ALL_RANDOM = BUDGETS["random + halving"] // (HALVINGS + 1) // RANK_EPOCHS  # networks of its first rung
COMMON = ["--space", SPACE, "--validation", "0.25", "--max-macs", "1000000", "--device", "cpu", "--threads", "1",
          "--rank-epochs", RANK_EPOCHS, "--finalist-epochs", EPOCHS,
          "--halvings", HALVINGS, "--score-images", "500", "--quiet"]
NO_WEIGHTS = ["--hyper-epochs", "0"]
ARMS = {
    "ours": [],
    "ours without prediction": NO_WEIGHTS,
    "random + halving": [*NO_WEIGHTS, "--rank-sample", "0", "--strategy", "random",
                         "--population", ALL_RANDOM, "--generations", "0"],
    "size + halving": [*NO_WEIGHTS, "--rank-sample", "0"],
}
LARGEST = "largest, not searched"  # of the candidates of size + halving
SEEDS = range(8)
JUDGES = (101, 102)  # seeds of the trainings that judge


def call(command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"error: [regret] {' '.join(map(str, command))}\n{done.stderr}")


def finished(run, command):
    """Runs a program into `run`, or goes on with it; what it found."""
    if not (run / "result.json").exists():
        call([*command, "--out", run, *(["--resume"] if (run / "config.toml").exists() else [])])
    return json.loads((run / "result.json").read_text())


def judged(build, data, run, architecture):
    """Accuracies on the test images, of one training for each judge."""
    run.mkdir(parents=True, exist_ok=True)
    network = run / "network.json"
    network.write_text(json.dumps(architecture))
    return [finished(run / f"judge{seed}", [build / "apps/train", "--architecture", network, "--data", data,
                                            "--validation", "0.25", "--epochs", EPOCHS, "--seed", seed,
                                            "--device", "cpu", "--threads", 1, "--quiet"])["test_accuracy"]
            for seed in JUDGES]


def run(build, images, work, rows):
    data = f"folder:{images.resolve()}?{DATA}"
    done = {(row["arm"], row["seed"]) for row in read(rows)} if rows.exists() else set()

    def row(arm, seed, found, network):
        if (arm, seed) in done:
            return
        folder = work / f"{arm.replace(' ', '_')}-{seed}"
        accuracies = judged(build, data, folder, network["architecture"])
        line = {"arm": arm, "seed": seed, "seconds": found["seconds"], "params": network["params"],
                "macs": network["macs"], "validation_accuracy": network.get("trained_accuracy"),
                "test_accuracies": accuracies, "architecture": network["architecture"],
                "score": found["rank_correlation"].get("score"), "scored_by": found["search"]["score"]}
        with rows.open("a") as file:
            file.write(json.dumps(line) + "\n")

    for seed in SEEDS:
        for arm, options in ARMS.items():
            folder = work / f"{arm.replace(' ', '_')}-{seed}" / "search"
            folder.parent.mkdir(parents=True, exist_ok=True)
            found = finished(folder, [build / "apps/search", "--data", data, "--seed", seed,
                                     "--budget-epochs", BUDGETS[arm], *COMMON, *options])
            row(arm, seed, found, found["finalists"][0])
            if arm == "size + halving":
                largest = max(found["pareto"], key=lambda network: (network["macs"], network["params"]))
                row(LARGEST, seed, found, largest)


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def tables(rows):
    import numpy as np

    truth = {(row["arm"], row["seed"]): np.mean(row["test_accuracies"]) for row in rows}
    arms = [*ARMS, LARGEST]
    seeds = [seed for seed in SEEDS if all((arm, seed) in truth for arm in arms)]
    random = np.random.default_rng(0)
    draws = random.integers(0, len(seeds), (10000, len(seeds)))

    def interval(values):
        low, high = np.percentile(values[draws].mean(axis=1), [2.5, 97.5])
        return f"{values.mean():.2f} ({low:.2f} to {high:.2f})"

    print(f"{len(seeds)} seeds; test accuracy in %, intervals: 95 % of 10,000 bootstrap resamples of the seeds\n")
    print("| arm | test accuracy | ours, less this (paired) | ours without prediction, less this | better in | seconds |")
    print("|---|---|---|---|---|---|")
    values = {arm: 100 * np.array([truth[arm, seed] for seed in seeds]) for arm in arms}
    for arm in arms:
        seconds = [row["seconds"] for row in rows if row["arm"] == arm and row["seed"] in seeds]
        ours = values["ours"] - values[arm]
        plain = values["ours without prediction"] - values[arm]
        print(f"| {arm} | {interval(values[arm])} | {interval(ours) if arm != 'ours' else ''} | "
              f"{interval(plain) if arm not in ARMS or 'ours' not in arm else ''} | "
              f"{np.sum(ours > 0)} of {len(seeds)} | {np.median(seconds):.0f} |")


if __name__ == "__main__":
    if len(sys.argv) == 6 and sys.argv[1] == "run":
        run(*map(Path, sys.argv[2:]))
    elif len(sys.argv) == 3 and sys.argv[1] == "tables":
        tables(read(Path(sys.argv[2])))
    else:
        sys.exit(__doc__)
