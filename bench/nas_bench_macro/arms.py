#!/usr/bin/env python3
"""Searches on NAS-Bench-Macro by table look-up, at equal cost: the tables of docs/results/nas_bench_macro.md.

    bench/nas_bench_macro/arms.py TABLE.json [--repetitions 1000] [--errors measured|independent|leaning|weak]
                                             [--scores scores.jsonl]

--scores: what a HyperNetwork trained for this space predicts of each network, as `ranking_study scores` writes it for
the file of networks.py; its arms stand beside those of simulated predictions, and are charged for it (PREDICTION).
TABLE.json is nas-bench-macro_cifar10.json of github.com/xiusu/NAS-Bench-Macro; needs numpy. Costs are counted in full
trainings of 50 epochs. A full training is looked up: the network is chosen by one of its three stored accuracies and
judged by the mean of the other two. SHORT TRAININGS ARE NOT IN THE TABLE; they are simulated (class World), and so are
predictions. Same seed, same figures.
"""
import argparse
import json
from statistics import NormalDist

import numpy as np

FULL = 50  # epochs
# Kendall tau between trainings of k and of 50 epochs, after networks of DeepNets-1M (published figures). Ours, on
# CIFAR-10 (JPEG): .47 for 1 epoch of 16 (144 networks of bench/ranking), .40 and .62 for 1 and 8 of 32 (40 networks).
AGREEMENT = {1: .42, 5: .64, 10: .71, 20: .77}
WEAK = {1: .30, 5: .50, 10: .60, 20: .70}
# How the variance of a short training's error is made up. Ours: errors after 1 of 16 epochs lean against depth
# (correlation -.49; in the 40 networks -.50) and structure explains .38 of their variance (leave-one-out; .30); those
# of two lengths correlate by .5 to .7. Each: the share against depth, the share along some other direction of the
# structure. Half of what is left is the network's own at every length, the other half is new at each.
ERRORS = {"measured": (.20, .15), "independent": (0, 0), "leaning": (.40, .30), "weak": (.20, .15)}
# (epochs, share of the cost): each rung takes what the one before ranks best. Of six schedules, the best for
# random + halving and for size + halving.
# What the real predictions cost, in full trainings of 50 epochs of 50,000 images of 32 pixels: 60 epochs of 9,000 images
# of 16 pixels, a quarter of the work each; and 3,969 networks on 500 such images, forward only, a third.
PREDICTION = (60 * 9_000 + 3_969 * 500 / 3) / 4 / (FULL * 50_000)
RUNGS = ((1, 1 / 3), (10, 1 / 3), (FULL, 1 / 3))


def canonical(code):
    """Identities behind a stage's first block commute: they stand last."""
    first, second, third = code[:2], code[2:5], code[5:]
    return "".join(s[0] + s[1:].replace("0", "") + "0" * s[1:].count("0") for s in (first, second, third))


def structure(code):
    """What structure_features of nas/score/structure.h counts here; what is constant in this space is left out."""
    stages = code[:2], code[2:5], code[5:]
    small, large = code.count("1"), code.count("2")
    depths = [len(s) - s.count("0") for s in stages]
    residual = sum(len(s[1:]) - s[1:].count("0") for s in stages)
    return depths + [small + large, 3 * small + 6 * large, large, residual]


def normal_scores(values):
    n, scores = len(values), np.empty(len(values))
    scores[np.argsort(values, kind="stable")] = [NormalDist().inv_cdf((i + .5) / n) for i in range(n)]
    return scores


def beside(direction, z):
    """The part of a direction that is independent of z, standardised; not beyond what 144 networks can show."""
    direction = direction - direction.mean()
    direction = direction - (direction @ z) / (z @ z) * z
    return np.clip(direction / direction.std(), -2.5, 2.5)


class Networks:
    """Those of the table within a limit on MACs."""

    def __init__(self, table, limit, predicted=None):
        codes = sorted({canonical(code) for code in table if table[code]["flops"] <= limit * 1e6})
        self.count = len(codes)
        self.accuracy = np.array([table[c]["test_acc"] for c in codes])
        self.macs = np.array([table[c]["flops"] for c in codes], float)
        params = np.array([table[c]["params"] for c in codes], float)
        features = np.column_stack([np.log(params), np.log(self.macs), [structure(c) for c in codes]])
        features -= features.mean(0)
        spread = features.std(0)
        self.features = features[:, spread > 1e-9] / spread[spread > 1e-9]
        self.directions = np.linalg.svd(self.features, full_matrices=False)[0]
        self.predicted = None if predicted is None else normal_scores(np.array([predicted[c] for c in codes]))
        self.depth = np.array([len(c) - c.count("0") for c in codes], float)
        self.z = [normal_scores(self.accuracy[:, seed]) for seed in range(3)]
        self.truth = [np.delete(self.accuracy, seed, 1).mean(1) for seed in range(3)]
        self.against_depth = [beside(-self.depth, z) for z in self.z]


class World:
    """One repetition: which stored accuracy chooses, and what is simulated."""

    def __init__(self, networks, seed, errors):
        self.networks, self.random = networks, np.random.default_rng(seed)
        self.seed = self.random.integers(3)
        self.z = networks.z[self.seed]
        self.agreement = WEAK if errors == "weak" else AGREEMENT
        depth, structural = ERRORS[errors]
        other = networks.directions @ self.random.standard_normal(networks.directions.shape[1])
        self.own = .5 * (1 - depth - structural)
        self.lasting = (np.sqrt(depth) * networks.against_depth[self.seed] +
                        np.sqrt(structural) * beside(other, self.z) +
                        np.sqrt(self.own) * self.random.standard_normal(networks.count))
        self.passing = {epochs: self.random.standard_normal(networks.count) for epochs in (1, 2, 5, 10, 20)}
        self.unpredicted = self.random.standard_normal(networks.count)

    def train(self, chosen, epochs):
        """SIMULATED result of short trainings: agrees with the chosen seed's full one as AGREEMENT says."""
        known = sorted(self.agreement.items())
        tau = np.interp(np.log(epochs), np.log([k for k, _ in known]), [t for _, t in known])
        r = np.sin(np.pi * tau / 2)  # the correlation that has this tau between normal variables
        error = self.lasting[chosen] + np.sqrt(self.own) * self.passing[epochs][chosen]
        return r * self.z[chosen] + np.sqrt(1 - r * r) * error

    def prediction(self, tau):
        """SIMULATED score that costs nothing."""
        r = np.sin(np.pi * tau / 2)
        return r * self.z + np.sqrt(1 - r * r) * self.unpredicted

    def regret(self, trained):
        """Of the best of those trained in full."""
        trained = np.asarray(trained)
        best = trained[self.networks.accuracy[trained, self.seed].argmax()]
        truth = self.networks.truth[self.seed]
        return truth.max() - truth[best]


def rung_size(cost, share, epochs):
    return max(1, round(cost * share * FULL / epochs))


def halving(world, order, cost, rungs=RUNGS):
    for epochs, share in rungs:
        order = order[:rung_size(cost, share, epochs)]
        if epochs == FULL:
            return world.regret(order)
        order = order[np.argsort(-world.train(order, epochs), kind="stable")]


class Ridge:
    """Results of trainings of several lengths, regressed on structure. A result is made up of

        level of its length (free) + structure + the network's own part + noise,

    the last three normal; of their variances those of greatest likelihood are taken. This is a ridge regression with
    a column for each length and for each network besides. The network's own part is what carries its results from
    rung to rung.
    """
    OWN = .2
    VARIANCES = [(structure, noise) for structure in (.5, 2) for noise in (.2, .5)]  # the first results have 1

    def __init__(self, features):
        self.features = features
        self.networks, self.epochs, self.results = [], [], []

    def add(self, chosen, epochs, results):
        self.networks.extend(chosen)
        self.epochs.extend([epochs] * len(chosen))
        self.results.extend(results)

    def scores(self):
        """(with the network's own part, without it) of all networks."""
        networks, epochs, results = (np.array(v) for v in (self.networks, self.epochs, self.results))
        first = results[epochs == epochs.min()]
        y = (results - first.mean()) / first.std()
        x = self.features[networks] / np.sqrt(self.features.shape[1])
        structure, same = x @ x.T, networks[:, None] == networks
        level = 100. * (epochs[:, None] == epochs)
        noise = np.sqrt(epochs.min() / epochs)  # longer trainings have less
        best = -np.inf
        for of_structure, of_noise in self.VARIANCES:
            covariance = of_structure * structure + self.OWN * same + level
            covariance[np.diag_indices(len(y))] += of_noise * noise
            root = np.linalg.cholesky(covariance)
            half = np.linalg.solve(root, y)
            likelihood = -half @ half / 2 - np.log(np.diag(root)).sum()
            if likelihood > best:
                best, chosen = likelihood, (of_structure, np.linalg.solve(root.T, half))
        of_structure, weights = chosen
        without = of_structure * self.features @ (x.T @ weights) / np.sqrt(self.features.shape[1])
        with_own = without.copy()
        np.add.at(with_own, networks, self.OWN * weights)
        return with_own, without


def guided(world, order, cost, prediction=None, steps=3, rungs=RUNGS, first=None):
    """Ours: a rank sample, and rungs that a ridge guides, refitted with the results of each.

    The rank sample is trained in equal steps. Half of the first are the largest networks within the limit (or those of
    the highest `first`), half come in the (random) order; each later step takes what the fit so far ranks best. With one step all come in the order.
    """
    n = world.networks
    features = n.features
    if prediction is not None:
        column = (prediction - prediction.mean()) / prediction.std()
        features = np.column_stack([features, column])
    ridge = Ridge(features)

    def train(chosen, epochs):
        ridge.add(chosen, epochs, world.train(chosen, epochs))

    epochs, share = rungs[0]
    step = max(8, rung_size(cost, share, epochs)) // steps
    size = n.macs if first is None else first
    largest = order[np.argsort(-size[order], kind="stable")][:step // 2 if steps > 1 else 0]
    rest = order[~np.isin(order, largest)]
    train(np.concatenate([largest, rest[:step - len(largest)]]), epochs)
    for _ in range(steps - 1):
        scores = ridge.scores()[1]
        scores[ridge.networks] = -np.inf
        train(np.argsort(-scores)[:step], epochs)
    for epochs, share in rungs[1:]:
        chosen = np.argsort(-ridge.scores()[0])[:rung_size(cost, share, epochs)]
        if epochs == FULL:
            return world.regret(chosen)
        train(chosen, epochs)


def arms(world, cost):
    """{name: how to find its regret}"""
    n = world.networks
    order = world.random.permutation(n.count)
    by_size = order[np.argsort(-n.macs[order], kind="stable")]
    by_depth = np.lexsort((-n.macs, -n.depth))
    weak, good = world.prediction(.2), world.prediction(.3)
    real = {} if n.predicted is None else {
        "prediction (real) + halving": lambda: halving(world, np.argsort(-n.predicted), cost - PREDICTION),
        "prediction (real), its best in full": lambda: halving(world, np.argsort(-n.predicted), cost - PREDICTION,
                                                               ((FULL, 1),)),
        "ours (real prediction)": lambda: guided(world, order, cost - PREDICTION, n.predicted),
        "ours (real prediction), first those it ranks best": lambda: guided(world, order, cost - PREDICTION, n.predicted,
                                                                            first=n.predicted),
    }
    known = n.features @ np.linalg.lstsq(n.features, world.z, rcond=None)[0]
    return {
        "random + halving": lambda: halving(world, order, cost),
        "size + halving": lambda: halving(world, by_size, cost),
        "depth, then size; in full": lambda: halving(world, by_depth, cost, ((FULL, 1),)),
        "depth, then size + halving": lambda: halving(world, by_depth, cost),
        "prediction of τ .3 (simulated) + halving": lambda: halving(world, np.argsort(-good), cost),
        "ours without prediction": lambda: guided(world, order, cost),
        "ours without prediction, rank sample all random": lambda: guided(world, order, cost, steps=1),
        "ours, prediction of τ .2 (simulated)": lambda: guided(world, order, cost, weak),
        "ours, prediction of τ .3 (simulated)": lambda: guided(world, order, cost, good),
        **real,
        "oracle: structure fitted to all accuracies; in full": lambda: halving(world, np.argsort(-known), cost,
                                                                               ((FULL, 1),)),
        "oracle: all networks in full": lambda: world.regret(np.arange(n.count)),
    }


def interval(values):
    random = np.random.default_rng(0)
    means = [values[random.integers(0, len(values), len(values))].mean() for _ in range(1000)]
    low, high = np.percentile(means, [2.5, 97.5])
    return f"{values.mean():.3f} ({low:.3f} to {high:.3f})"


def play(worlds, cost):
    regrets = {}
    for world in worlds:
        for name, run in arms(world(), cost).items():
            regrets.setdefault(name, []).append(run())
    return {name: np.array(values) for name, values in regrets.items()}


def table(title, regrets):
    ours = regrets["ours without prediction"]
    print(f"\n### {title}\n\n| arm | regret | ours without prediction, less this (paired) |\n|---|---|---|")
    for name, values in regrets.items():
        print(f"| {name} | {interval(values)} | {'' if values is ours else interval(ours - values)} |")
    print(f"\nOurs / random + halving: {ours.mean() / regrets['random + halving'].mean():.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("table")
    parser.add_argument("--repetitions", type=int, default=1000)
    parser.add_argument("--errors", choices=ERRORS, default="measured")
    parser.add_argument("--costs", type=int, nargs="+", default=[8, 4, 16])
    parser.add_argument("--limits", default="none,60,80,all", help="MMACs; all: 14 of them, sharing repetitions")
    parser.add_argument("--scores")
    options = parser.parse_args()
    with open(options.table) as file:
        stored = json.load(file)
    predicted = None
    if options.scores:
        with open(options.scores) as file:
            row = json.loads(file.readline())
        codes = sorted({canonical(code) for code in stored})
        predicted = {code: -loss for code, loss in zip(codes, row["loss"], strict=True)}
    print(f"Short trainings and simulated predictions are a model, not measured: errors '{options.errors}'. Regret in points of "
          f"accuracy; mean of {options.repetitions} repetitions, 95 % bootstrap intervals of them.")
    for limit in options.limits.split(","):
        limits = range(35, 105, 5) if limit == "all" else [np.inf if limit == "none" else float(limit)]
        sets = [Networks(stored, one, predicted) for one in limits]
        share = options.repetitions // len(sets)
        worlds = [lambda n=n, s=s: World(n, s, options.errors) for n in sets for s in range(share)]
        name = {"none": "No limit", "all": "Mean over the limits 35, 40, ..., 100 MMACs"}.get(limit, f"{limit} MMACs")
        for cost in options.costs:
            table(f"{name}; cost of {cost} full trainings", play(worlds, cost))


if __name__ == "__main__":
    main()
