#!/usr/bin/env python3
"""How runs scale with ranks: measured costs of jobs, and a simulation of the ranks that share them.

  scaling.py measure BUILD FILE [ROUNDS]  runs search and train on 1, 2 and 4 ranks, in turns, and writes what they took
  scaling.py report FILE [SVG]            simulates the same runs, says how far off, and larger ones; draws those

The simulation does what framework/parallel/jobs.cpp does: rank 0 begins with the costliest job, the others get
theirs in the order of costs and one by one; a batch ends when rank 0 has every result.
"""
import json
import os
import pathlib
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

import numpy

SEARCH = ["--data", "synthetic:1500?size=16", "--batch", "32", "--validation", "0.2", "--hyper-epochs", "4",
          "--hypernetworks", "2", "--rank-sample", "8", "--rank-epochs", "2", "--population", "40", "--generations",
          "4", "--finalists", "6", "--finalist-epochs", "4", "--halvings", "1", "--quiet"]
SMALL = ["--data", "synthetic:3000?size=8", "--batch", "16", "--validation", "0.2", "--hyper-epochs", "4",
         "--hypernetworks", "2", "--rank-sample", "8", "--rank-epochs", "2", "--population", "60", "--generations", "6",
         "--finalists", "6", "--finalist-epochs", "4", "--quiet"]  # networks too small for two threads
TRAIN = ["--data", "synthetic:2400?size=16", "--batch", "64", "--micro-batches", "8", "--epochs", "6", "--quiet"]
AHEAD = 2          # jobs that a rank holds besides the one it does: candidates (apps/search/search_jobs.cpp)
PAUSE = 0.001      # seconds: the mean of what a rank that waits sleeps between two looks (at most 2 ms)
SCORING = 1 / 3    # of what training on an image costs: to evaluate it (apps/search/budget.cpp)
HELD_OUT = 0.02    # of the training split, for validation (train --validation)
HANDLING = 0.0001  # seconds of rank 0 for a message: an assumption, not measured


# ---- measuring ----

def command(program, arguments, out, ranks):
    start = ["mpirun", "--allow-run-as-root", "--oversubscribe", "-n", str(ranks)] if ranks > 1 else []
    return start + [str(program), *arguments, "--out", str(out)]


def run(program, arguments, outs, ranks, threads):
    """Seconds from start to end of as many runs as `outs`, one beside the other."""
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads))
    begin = time.monotonic()
    started = [subprocess.Popen(command(program, arguments, place, ranks), env=environment, stdout=subprocess.DEVNULL)
               for place in outs]
    for process in started:
        if process.wait() != 0:
            sys.exit(f"error: [scaling] {process.args} failed")
    return time.monotonic() - begin


def jobs_of(out):
    """The jobs of a search on one rank, in the order in which it did them: seconds, and what they are ordered by."""
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    with sqlite3.connect(out / "search.db") as store:
        macs = dict(store.execute("SELECT id, macs FROM candidates").fetchall()
                    + store.execute("SELECT id, macs FROM rank_sample").fetchall())
    hyper = [line["seconds"] for line in lines if line["phase"] == "hypernetwork"]
    sample = [(line["seconds"], line["macs"]) for line in lines if line["phase"] == "rank_sample"]
    candidates = [line for line in lines if line["phase"] == "candidate"]
    ended = sorted({line["seconds"] for line in candidates if line["generation"] == 0})[-1]
    generations = max(line["generation"] for line in candidates) + 1
    search = next(line for line in lines if line["phase"] == "search")
    predicting = search["seconds_here"] - search["seconds_of_records"]
    per_mac = predicting / sum(line["macs"] for line in candidates)
    finalists = [(line["seconds"], macs[line["architecture"]], line["epochs"])
                 for line in lines if line["phase"] == "finalist"]
    before_sample = hyper[-1] + per_mac * sum(m for _, m in sample)
    return {
        "hyper_epochs": list(numpy.diff(hyper)),
        "hyper_first": hyper[0],
        "sample": list(zip(numpy.diff([before_sample] + [s for s, _ in sample]).tolist(), [m for _, m in sample])),
        "predictions": [[line["macs"] for line in candidates if line["generation"] == g] for g in range(generations)],
        "seconds_per_mac": per_mac,
        "records": search["seconds_of_records"] / generations,
        "first_generation_ended": ended,
        "finalists": list(zip(numpy.diff([search["seconds"]] + [s for s, _, _ in finalists]).tolist(),
                              [m for _, m, _ in finalists], [e for _, _, e in finalists])),
        "seconds": lines[-1]["seconds"],
    }


def measure(build, file, rounds):
    search, train = build / "apps/search", build / "apps/train"
    taken, jobs = {}, []

    def note(name, seconds):
        taken.setdefault(name, []).append(seconds)
        print(f"{name}: {seconds:.2f} s", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            work = pathlib.Path(folder) / str(number)
            work.mkdir()
            measured = [("search 1", SEARCH, 1, 1, ["s1"]), ("search twice at once", SEARCH, 1, 1, ["sa", "sb"]),
                        ("search four times at once", SEARCH, 1, 1, ["sc", "sd", "se", "sf"]),
                        ("search 2", SEARCH, 2, 1, ["s2"]), ("search 4", SEARCH, 4, 1, ["s4"]),
                        ("search 1, two threads", SEARCH, 1, 2, ["st"]),
                        ("small search 1, two threads", SMALL, 1, 2, ["m1"]),
                        ("small search 2", SMALL, 2, 1, ["m2"])]
            for name, arguments, ranks, threads, outs in measured:
                whole = run(search, arguments, [work / out for out in outs], ranks, threads)
                note(name + ", with its start", whole)
                note(name, json.loads((work / outs[0] / "result.json").read_text())["seconds"])
            jobs.append(jobs_of(work / "s1"))
            arguments = TRAIN + ["--architecture", str(work / "s1/best.json")]
            for name, ranks, threads, outs in [
                    ("train 1", 1, 1, ["t1"]), ("train twice at once", 1, 1, ["ta", "tb"]),
                    ("train four times at once", 1, 1, ["tc", "td", "te", "tf"]), ("train 2", 2, 1, ["t2"]),
                    ("train 4", 4, 1, ["t4"]), ("train 1, two threads", 1, 2, ["tt"])]:
                run(train, arguments, [work / out for out in outs], ranks, threads)
                note(name, json.loads((work / outs[0] / "result.json").read_text())["seconds"])
            file.write_text(json.dumps({"seconds": taken, "jobs": jobs}, indent=1) + "\n")


# ---- simulating ----

class Cores:
    """Cores that all ranks share: how fast each rank is while so many are busy. None: each has a core of its own."""

    def __init__(self, slowdowns=None):
        self.slowdowns = slowdowns  # busy ranks -> how many times as long as alone each takes

    def rate(self, busy):
        if self.slowdowns is None:
            return 1.0
        return 1 / numpy.interp(busy, list(self.slowdowns), list(self.slowdowns.values()))


class Rank:
    def __init__(self):
        self.left, self.held = 0.0, []  # seconds of the job at hand, costs of those that wait here


def batch(jobs, ranks, cores, ahead=0, polls=True):
    """Seconds of one batch. jobs: (seconds, order); polls: whether rank 0 answers others while it does a job."""
    if not jobs:
        return 0.0
    waiting = sorted(jobs, key=lambda job: -job[1])
    if ranks == 1:
        return sum(seconds for seconds, _ in jobs)
    team = [Rank() for _ in range(ranks)]
    reported, now = [], 0.0  # ranks whose results rank 0 has not taken
    counts = [0] * ranks

    def give(number, most):
        while waiting and counts[number] < most:
            team[number].held.append(waiting.pop(0)[0])
            counts[number] += 1

    def begin():
        for rank in team[1:]:
            if rank.left <= 0 and rank.held:
                rank.left = rank.held.pop(0) + PAUSE

    team[0].left = waiting.pop(0)[0]
    done, total = 0, len(jobs)
    for most in range(1, ahead + 2):
        for number in range(1, ranks):
            give(number, most)
    begin()
    while True:
        busy = [rank for rank in team if rank.left > 0]
        step = min(rank.left for rank in busy) / cores.rate(len(busy))
        now += step
        rate = cores.rate(len(busy))
        for number, rank in enumerate(team):
            if rank.left <= 0:
                continue
            rank.left -= step * rate
            if rank.left < 1e-12:
                rank.left = 0.0
                if number:
                    reported.append(number)
                else:
                    done += 1
        if polls or team[0].left <= 0:
            for number in reported:
                done += 1
                counts[number] -= 1
                give(number, ahead + 1)
                now += HANDLING
            reported = []
            if team[0].left <= 0 and waiting:
                team[0].left = waiting.pop(0)[0]
        begin()
        if done == total:
            return now + PAUSE


def search_seconds(jobs, ranks, cores):
    """A search's phases, one after another; its setup is left out."""
    members = [(seconds, order) for seconds, order in jobs["members"]]
    seconds = batch(members + jobs["sample"], ranks, cores)
    for generation in jobs["predictions"]:
        seconds += batch(generation, ranks, cores, AHEAD, polls=False) + jobs["records"]
    return seconds + sum(batch(part, ranks, cores) for part in jobs["parts"])


def workload(measured, epochs, members):
    """Of a measured search: what `search_seconds` takes."""
    epoch = statistics.mean(measured["hyper_epochs"])
    mean_macs = statistics.mean(m for _, m in measured["sample"])
    first = len(measured["finalists"]) and [f for f in measured["finalists"] if f[2] == measured["finalists"][0][2]]
    later = measured["finalists"][len(first):]
    half = len(first) // 2  # two parts of the first rung, between which the score is fitted again
    return {"members": [(epoch * epochs, 1.5 * mean_macs * epochs)] * members,
            "sample": [(s, m * 2.0) for s, m in measured["sample"]],
            "predictions": [[(m * measured["seconds_per_mac"], m) for m in g] for g in measured["predictions"]],
            "records": measured["records"],
            "parts": [[(s, m) for s, m, _ in part] for part in (first[:half], first[half:], later)]}


def slowdowns(seconds, program):
    """What as many runs of one rank, one beside the other, take on this machine's two cores, in runs that are alone."""
    alone = seconds[f"{program} 1"]
    return {1: 1.0, 2: seconds[f"{program} twice at once"] / alone,
            4: seconds[f"{program} four times at once"] / alone}


def check(data):
    """Real runs on this machine's two cores against the simulation."""
    seconds = {name: statistics.median(values) for name, values in data["seconds"].items()}
    cores = Cores(slowdowns(seconds, "search"))
    runs = [workload(jobs, 4, 2) for jobs in data["jobs"]]
    one = statistics.median(search_seconds(jobs, 1, cores) for jobs in runs)
    beside = seconds["search 1"] - one  # what is no job: predictions of the rank sample, choices, the store
    for program in ("search", "train"):
        print(f"{program}, as many at once on two cores, each takes as many times as long as alone: "
              + ", ".join(f"{busy}: {times:.2f}" for busy, times in slowdowns(seconds, program).items()))
    print("\n| run | measured, s | simulated, s | off |\n|---|---|---|---|")
    for ranks in (1, 2, 4):
        there = statistics.median(search_seconds(jobs, ranks, cores) for jobs in runs) + beside
        real = seconds[f"search {ranks}"]
        print(f"| search, {ranks} ranks | {real:.2f} | {there:.2f} | {100 * (there / real - 1):+.1f} % |")
    slow = slowdowns(seconds, "train")
    alone = seconds["train 1"] * HELD_OUT * SCORING / (1 - HELD_OUT)  # of rank 0, which evaluates
    shared = seconds["train 1"] - alone
    exchange = seconds["train 2"] - alone - shared / 2 * slow[2]  # from two ranks; the check is four
    for ranks in (1, 2, 4):
        there = alone + shared / ranks * slow[ranks] + exchange * 2 * (ranks - 1) / ranks
        real = seconds[f"train {ranks}"]
        print(f"| train, {ranks} ranks | {real:.2f} | {there:.2f} | {100 * (there / real - 1):+.1f} % |")
    print(f"\none rank with two threads: search {seconds['search 1, two threads']:.2f} s, "
          f"train {seconds['train 1, two threads']:.2f} s")
    for name, values in data["seconds"].items():
        print(f"  {name}: " + ", ".join(f"{value:.2f}" for value in values))


def draw(path, curves):
    """Speedup against ranks, both logarithmic. curves: name -> [(ranks, speedup)]."""
    def x(ranks): return 60 + 50 * numpy.log2(ranks)
    def y(speedup): return 340 - 30 * numpy.log2(speedup)
    parts = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 400" font-family="sans-serif" font-size="12">',
             "<title>Simulated speedup of a search on 1 to 1,024 ranks</title>",
             '<rect width="800" height="400" fill="#fff"/>']
    for power in range(11):
        parts += [f'<path d="M{60 + 50 * power} 340V40M60 {340 - 30 * power}H560" stroke="#dfe2e6"/>',
                  f'<text x="{60 + 50 * power}" y="358" text-anchor="middle">{2 ** power:,}</text>',
                  f'<text x="52" y="{344 - 30 * power}" text-anchor="end">{2 ** power:,}</text>']
    parts += ['<text x="310" y="382" text-anchor="middle">ranks</text>', '<text x="60" y="26">times as fast as one rank</text>',
              '<path d="M60 340L560 40" stroke="#8a95a3" stroke-dasharray="3 4"/>']
    ends = []
    for (name, points), colour in zip(curves.items(), ["#1f63ad", "#b54a12", "#2b7a4b"]):
        line = " ".join(f"{x(ranks):.1f},{y(speedup):.1f}" for ranks, speedup in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        ends.append((y(points[-1][1]), name, colour))
    height = 1e9
    for place, name, colour in sorted(ends, reverse=True):
        height = min(place, height - 16)
        parts.append(f'<text x="568" y="{height + 4:.1f}" fill="{colour}">{name}</text>')
    pathlib.Path(path).write_text("\n".join(parts) + "\n</svg>\n")


def large(data, picture):
    """20,000 candidates, 64 networks of a rank sample, ensembles, on 1 to 1,024 ranks with a core each."""
    random = numpy.random.default_rng(1)
    sample = [job for jobs in data["jobs"] for job in jobs["sample"]]
    macs = [m for jobs in data["jobs"] for g in jobs["predictions"] for m in g]
    per_mac = statistics.median(jobs["seconds_per_mac"] for jobs in data["jobs"])
    records = statistics.median(jobs["records"] for jobs in data["jobs"])
    epoch = statistics.median(e for jobs in data["jobs"] for e in jobs["hyper_epochs"])
    mean_macs = statistics.mean(macs)

    def trained(count, epochs):  # `sample` took two epochs
        drawn = [sample[i] for i in random.integers(len(sample), size=count)]
        return [(s / 2 * epochs, m * epochs) for s, m in drawn]

    def search(members, population):
        drawn = random.choice(macs, size=(20_000 // population, population))
        return {"members": [(epoch * 40, 1.5 * mean_macs * 40)] * members, "sample": trained(64, 8),
                "predictions": [[(m * per_mac, m) for m in generation] for generation in drawn],
                "records": records, "parts": [trained(16, 8), trained(16, 8), trained(12, 24)]}

    counts = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]
    cases = {"search, population 200": search(1, 200), "the same, 8 HyperNetworks": search(8, 200),
             "the same, population 2,000": search(8, 2_000)}
    print("\n| ranks | " + " | ".join(cases) + " |\n|" + "---|" * (len(cases) + 1))
    alone = {name: search_seconds(jobs, 1, Cores()) for name, jobs in cases.items()}
    curves = {name: [] for name in cases}
    for ranks in counts:
        cells = []
        for name, jobs in cases.items():
            seconds = search_seconds(jobs, ranks, Cores())
            curves[name].append((ranks, alone[name] / seconds))
            cells.append(f"{seconds:,.0f} s, {alone[name] / seconds:.1f} x")
        print(f"| {ranks:,} | " + " | ".join(cells) + " |")
    if picture:
        draw(picture, curves)
    training(data)


def training(data):
    """600 epochs of CIFAR-10 in 64 micro-batches: an exchange moves two gradients (through hosts, in slices)."""
    seconds = {name: statistics.median(values) for name, values in data["seconds"].items()}
    per_image = seconds["train 1"] / (6 * 2400)
    gradients = 4 * 2 * 1_000_000  # bytes of a network of a million parameters, both ways
    print("\n| ranks | " + " | ".join(f"{rate:g} Gbit/s" for rate in (1, 10, 100)) + " |\n|---|---|---|---|")
    for ranks in (1, 2, 4, 8, 16, 32, 64):
        cells = []
        for rate in (1, 10, 100):
            step = 512 * per_image / ranks
            evaluation = 50_000 * HELD_OUT * SCORING * per_image  # of an epoch, by rank 0
            exchange = 0 if ranks == 1 else gradients * 8 / (rate * 1e9) + 50e-6 * ranks
            steps = 50_000 * (1 - HELD_OUT) / 512  # of an epoch
            cells.append(f"{600 * (steps * (step + exchange) + evaluation) / 3600:,.2f} h")
        print(f"| {ranks} | " + " | ".join(cells) + " |")


def main():
    if len(sys.argv) < 3 or sys.argv[1] not in ("measure", "report"):
        sys.exit(__doc__)
    if sys.argv[1] == "measure":
        measure(pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]), int(sys.argv[4]) if len(sys.argv) > 4 else 3)
    else:
        data = json.loads(pathlib.Path(sys.argv[2]).read_text())
        check(data)
        large(data, sys.argv[3] if len(sys.argv) > 3 else None)


if __name__ == "__main__":
    main()
