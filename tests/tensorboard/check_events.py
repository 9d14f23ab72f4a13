#!/usr/bin/env python3
"""Do event files open in TensorBoard's own reader, with the scalars that the run logged?

    check_events.py [--programs build/apps]

A tiny search and a training, both with --tensorboard, both stopped in their middle and resumed; the search is
killed, and its last record cut. Needs: pip install -r tests/python/requirements.txt
"""
import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def check(condition, what):
    if not condition:
        sys.exit(f"error: [tensorboard] {what}")


def run(command, stop_at=None, with_signal=None):
    """Runs a program; stops it once `stop_at` stands on its standard error."""
    process = subprocess.Popen([str(part) for part in command], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
                               text=True)
    lines = []
    for line in process.stderr:
        lines.append(line)
        if stop_at and stop_at in line:
            process.send_signal(with_signal)
            break
    lines += process.stderr.readlines()
    process.wait()
    check(stop_at or process.returncode == 0, f"{command[0]} ended with {process.returncode}: {''.join(lines)}")


def scalars(folder):
    reader = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    found = {}
    for tag in reader.Tags()["scalars"]:
        events = reader.Scalars(tag)
        steps = [event.step for event in events]
        check(steps == sorted(set(steps)), f"{tag}: steps twice or out of order: {steps}")
        check(all(abs(event.wall_time - time.time()) < 3600 for event in events), f"{tag}: wrong time")
        found[tag] = {event.step: event.value for event in events}
    return found


def expect(found, tag, wanted):
    check(tag in found, f"no {tag}, only {sorted(found)}")
    wanted = {step: float(np.float32(value)) for step, value in wanted.items()}
    check(found[tag] == wanted, f"{tag}: got {found[tag]}, expected {wanted}")


def log_of(run_folder, phase):
    return [entry for entry in map(json.loads, (run_folder / "log.jsonl").read_text().splitlines())
            if entry["phase"] == phase]


def check_search(programs, folder):
    out = folder / "search"
    command = [programs / "search", "--data", "synthetic:300?size=16", "--out", out, "--batch", 32, "--validation",
               0.2, "--hyper-epochs", 4, "--rank-sample", 3, "--rank-epochs", 1, "--population", 4, "--generations",
               3, "--finalists", 2, "--finalist-epochs", 1, "--halvings", 0, "--tensorboard"]
    run(command, stop_at="HyperNetwork  50 %", with_signal=signal.SIGKILL)
    files = sorted((out / "tensorboard").iterdir())
    check(len(files) == 1, f"expected one file, got {files}")
    files[0].write_bytes(files[0].read_bytes()[:-5])
    run(command + ["--resume"])
    check(len(list((out / "tensorboard").iterdir())) == 2, "a resumed run begins no new file")
    found = scalars(out / "tensorboard")
    result = json.loads((out / "result.json").read_text())
    check(len(found["hypernetwork/loss"]) >= 3, f"hypernetwork/loss: {found['hypernetwork/loss']}")
    check(found["hypernetwork/loss"][4] == np.float32(result["hypernetwork"]["final_loss"]), "hypernetwork/loss")
    rank = log_of(out, "rank_sample")
    expect(found, "rank_sample/trained_accuracy", {i + 1: e["trained_accuracy"] for i, e in enumerate(rank)})
    candidates = log_of(out, "candidate")
    expect(found, "search/best_score",
           {g: max(c["score"] for c in candidates if c["generation"] <= g) for g in range(4)})
    expect(found, "search/mean_score",
           {g: np.mean([c["score"] for c in candidates if c["generation"] == g]) for g in range(4)})
    expect(found, "search/best_predicted_accuracy",
           {g: max(c["predicted_accuracy"] for c in candidates if c["generation"] <= g) for g in range(4)})
    expect(found, "finalists/trained_accuracy",
           {i + 1: e["trained_accuracy"] for i, e in enumerate(log_of(out, "finalist"))})
    return out / "best.json", sum(map(len, found.values()))


def check_train(programs, architecture, folder):
    out = folder / "train"
    command = [programs / "train", "--architecture", architecture, "--data", "synthetic:600?size=16", "--out", out,
               "--epochs", 5, "--batch", 32, "--tensorboard"]
    run(command, stop_at="train         40 %", with_signal=signal.SIGINT)
    run(command + ["--resume"])
    found = scalars(out / "tensorboard")
    log = log_of(out, "train")
    expect(found, "train/loss", {e["epoch"]: e["loss"] for e in log})
    expect(found, "validation/loss", {e["epoch"]: e["validation_loss"] for e in log})
    expect(found, "validation/accuracy", {e["epoch"]: e["validation_accuracy"] for e in log})
    rates = found["train/learning_rate"]
    check(sorted(rates) == [1, 2, 3, 4, 5] and rates[5] < rates[1], f"train/learning_rate: {rates}")
    return sum(map(len, found.values()))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--programs", type=Path, default=Path("build/apps"))
    programs = parser.parse_args().programs
    with tempfile.TemporaryDirectory() as folder:
        best, of_search = check_search(programs, Path(folder))
        of_train = check_train(programs, best, Path(folder))
    print(f"TensorBoard reads {of_search} scalars of a search and {of_train} of a training, as they were logged")


if __name__ == "__main__":
    main()
