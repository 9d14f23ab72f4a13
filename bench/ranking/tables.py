#!/usr/bin/env python3
"""The tables of docs/results/ranking.md from the rows of bench/ranking/run.sh.

    bench/ranking/tables.py FOLDER    # networks.jsonl, truth*.jsonl, scores.jsonl; needs numpy

Truth is the accuracy on the test images after the longest training, the mean of its seeds. Intervals hold 95 % of
2,000 bootstrap resamples of the networks; differences are paired.
"""
import json
import sys
from pathlib import Path

import numpy as np


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def tau(a, b):
    """Kendall's tau-b."""
    i, j = np.triu_indices(len(a), 1)
    x, y = np.sign(a[i] - a[j]), np.sign(b[i] - b[j])
    untied = np.sqrt(np.sum(x != 0) * np.sum(y != 0))
    return np.sum(x * y) / untied if untied else np.nan


def interval(statistic, n, seed=0):
    random = np.random.default_rng(seed)
    values = [statistic(random.integers(0, n, n)) for _ in range(2000)]
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return f"{statistic(np.arange(n)):.2f} ({low:.2f} to {high:.2f})"


def truth_of(folder):
    """{epochs: {seed: {network: row}}}"""
    truth = {}
    for path in sorted(folder.glob("truth*.jsonl")):
        for row in rows(path):
            truth.setdefault(row["epochs"], {}).setdefault(row["seed"], {})[row["network"]] = row
    return truth


def rankings(networks, chosen, truth, scores):
    """What ranks the chosen networks: higher is better."""
    named = {
        "MACs": np.array([networks[i]["macs"] for i in chosen], float),
        "parameters": np.array([networks[i]["params"] for i in chosen], float),
    }
    for seed, found in sorted(truth.get(1, {}).items()):
        if all(i in found for i in chosen):
            named[f"one epoch of SGD, its loss (seed {seed})"] = np.array(
                [-found[i]["validation"]["loss"] for i in chosen])
    for row in scores:
        name = f"{row['weights']}, seed {row['seed']}, {row['epoch']} of {row['epochs']} epochs"
        named[name] = -np.array(row["loss"])[chosen]
    return named


def table(title, networks, chosen, y, named):
    n = len(chosen)
    print(f"\n## {title}\n\n{n} networks; accuracy {y.mean():.3f}, standard deviation {y.std(ddof=1):.3f}.\n")
    print("| ranking by | Kendall τ (95 %) | τ above MACs, paired (95 %) | τ in the top half |\n|---|---|---|---|")
    top = y >= np.median(y)
    for name, score in named.items():
        alone = interval(lambda k: tau(score[k], y[k]), n)
        above = interval(lambda k: tau(score[k], y[k]) - tau(named["MACs"][k], y[k]), n)
        print(f"| {name} | {alone} | {above} | {tau(score[top], y[top]):.2f} |")


def main():
    folder = Path(sys.argv[1])
    networks = rows(folder / "networks.jsonl")
    truth = truth_of(folder)
    scores = rows(folder / "scores.jsonl")
    longest = max(truth)
    seeds = truth[longest]
    trained = sorted(set.union(*(set(found) for found in seeds.values())))
    print(f"Truth: {longest} epochs, seeds {sorted(seeds)}, {len(trained)} of {len(networks)} networks so far.")
    for group, title in (("uniform", "Over the whole space"), ("band", "Within a band of equal MACs (±12 %)")):
        chosen = [i for i in trained if networks[i]["group"] == group]
        if len(chosen) < 10:
            print(f"\n## {title}\n\nNot measured yet: {len(chosen)} networks are trained.")
            continue
        y = np.array([np.mean([found[i]["test"]["accuracy"] for found in seeds.values() if i in found]) for i in chosen])
        table(title, networks, chosen, y, rankings(networks, chosen, truth, scores))


if __name__ == "__main__":
    main()
