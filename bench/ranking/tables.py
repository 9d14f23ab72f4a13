#!/usr/bin/env python3
"""The tables of docs/results/ranking.md from the rows of bench/ranking/run.sh.

    bench/ranking/tables.py FOLDER    # with rankings.jsonl, which `ranking_study rankings` makes; needs numpy

Truth is the accuracy on the test images after the longest training, the mean of its seeds. Rankings with "structure"
are the score's: each network by a fit to all the others. Intervals hold 95 % of 2,000 bootstrap resamples of the
networks; differences are paired.
"""
import json
import re
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


def precision(score, y):
    """Of the best tenth, the share that is among the best tenth by score."""
    count = max(1, round(0.1 * len(y)))
    best = set(np.argsort(-y, kind="stable")[:count])
    return len(best & set(np.argsort(-score, kind="stable")[:count])) / count


def regret(score, y):
    """How far the best of the five that the score puts first lies below the best of all, in points."""
    return 100 * (y.max() - y[np.argsort(-score, kind="stable")[:5]].max())


def table(title, chosen, y, rankings):
    n = len(chosen)
    print(f"\n### {title}\n\n{n} networks; accuracy {y.mean():.3f}, standard deviation {y.std(ddof=1):.3f}.\n")
    bases = ["MACs", "structure"] + [name for name in rankings if name.startswith("one epoch")][:1]
    print("| ranking by | Kendall τ (95 %) | above MACs, paired | above structure | above one epoch | τ in the top half "
          "| precision at 10 % | regret of the top 5, points |\n|---|---|---|---|---|---|---|---|")
    top = y >= np.median(y)
    for name, all_scores in rankings.items():
        score = all_scores[chosen]
        cells = [interval(lambda k: tau(score[k], y[k]), n)]
        for base in bases:
            if base != name and (base == "MACs" or name.startswith("structure")):
                other = rankings[base][chosen]
                cells.append(interval(lambda k: tau(score[k], y[k]) - tau(other[k], y[k]), n))
            else:
                cells.append("")
        cells += [f"{tau(score[top], y[top]):.2f}", f"{precision(score, y):.2f}", f"{regret(score, y):.1f}"]
        print(f"| {name} | {' | '.join(cells)} |")


def images_table(y, rankings):
    """Sources that were scored on several numbers of images: what fewer cost."""
    print("\n### Scored on fewer images\n\nAll networks; Kendall τ, by itself and with structure in the score.\n")
    fewer = sorted({int(found[1]) for name in rankings if (found := re.search(r", images (\d+)", name))}, reverse=True)
    print(f"| weights | all images | {' | '.join(map(str, fewer))} |\n|---|{'---|' * (len(fewer) + 1)}")
    for name in rankings:
        if "epochs, seed" not in name or "images" in name or name.startswith("structure"):
            continue
        variants = [name] + [name.replace(", seed", f", images {count}, seed") for count in fewer]
        if all(variant in rankings for variant in variants):
            cells = [f"{tau(rankings[v], y):.2f}, {tau(rankings['structure + ' + v], y):.2f}" for v in variants]
            print(f"| {name} | {' | '.join(cells)} |")


def short_training_table(y, truth):
    """Networks that were trained briefly too: what tells sooner how good they will be?"""
    print("\n### Short trainings: by loss or by accuracy?\n\nKendall τ with the truth; on the held-out images.\n")
    print("| trained for | networks | accuracy | loss | loss above accuracy, paired |\n|---|---|---|---|---|")
    longest = max(row["epochs"] for row in truth)
    for epochs in sorted({row["epochs"] for row in truth} - {longest}):
        trained = sorted((row for row in truth if row["epochs"] == epochs), key=lambda row: row["network"])
        accuracy = np.array([row["validation"]["accuracy"] for row in trained])
        better = -np.array([row["validation"]["loss"] for row in trained])
        then = y[[row["network"] for row in trained]]
        gain = interval(lambda k: tau(better[k], then[k]) - tau(accuracy[k], then[k]), len(then))
        print(f"| {epochs} of {longest} epochs | {len(then)} | {tau(accuracy, then):.2f} | {tau(better, then):.2f} | "
              f"{gain} |")


def horizon_table(truth, longer):
    """Networks that were trained for other lengths too: how well do lengths agree?"""
    test = {(row["epochs"], row["seed"], row["network"]): row["test"]["accuracy"] for row in truth + longer}
    lengths = sorted({row["epochs"] for row in longer})
    chosen = sorted({row["network"] for row in longer if row["epochs"] == lengths[-1]})
    of = {}  # by length and seed
    for epochs, seed in sorted({key[:2] for key in test}):
        if all((epochs, seed, network) in test for network in chosen):
            of[f"{epochs} epochs, seed {seed}"] = np.array([test[epochs, seed, network] for network in chosen])
    longest = max(row["epochs"] for row in truth)
    seeds = [x for name, x in of.items() if name.startswith(f"{longest} epochs")]
    of[f"{longest} epochs, mean of {len(seeds)} seeds"] = np.mean(seeds, axis=0)
    last = of[f"{lengths[-1]} epochs, seed {longer[0]['seed']}"]
    print(f"\n### How long has truth to be?\n\n{len(chosen)} networks, each trained for all lengths.\n")
    print(f"| trained for | mean accuracy | standard deviation | τ with {lengths[-1]} epochs (95 %) |\n|---|---|---|---|")
    for name, x in sorted(of.items(), key=lambda item: int(item[0].split()[0])):
        agreement = "" if x is last else interval(lambda k: tau(x[k], last[k]), len(chosen))
        print(f"| {name} | {x.mean():.3f} | {x.std(ddof=1):.3f} | {agreement} |")
    if len(seeds) == 2:
        print(f"\nτ between the two seeds of {longest} epochs: {interval(lambda k: tau(seeds[0][k], seeds[1][k]), len(chosen))}.")


def main():
    found = rows(Path(sys.argv[1]) / "rankings.jsonl")
    groups = np.array(found[0]["groups"])
    rankings = {row["ranking"]: np.array(row["score"], float) for row in found}
    y = rankings.pop("truth")
    for title, members in (("All networks", groups != ""), ("Drawn from the whole space", groups == "uniform"),
                           ("Within a band of equal MACs (±12 %)", groups == "band")):
        chosen = np.flatnonzero(members)
        if len(chosen) >= 10:
            table(title, chosen, y[chosen], {name: s for name, s in rankings.items() if "images" not in name})
    images_table(y, rankings)
    truth = rows(Path(sys.argv[1]) / "truth.jsonl")
    short_training_table(y, truth)
    horizon_table(truth, rows(Path(sys.argv[1]) / "horizon.jsonl"))


if __name__ == "__main__":
    main()
