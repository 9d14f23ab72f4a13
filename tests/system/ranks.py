#!/usr/bin/env python3
"""Runs on several ranks (mpirun), held to the same run on one.

  ranks.py BUILD search         1, 2 and 3 ranks: equal results, tables and checkpoints
  ranks.py BUILD train          the same for a training in micro-batches
  ranks.py BUILD faults         errors on one rank, ranks that differ, ranks that die, signals
  ranks.py BUILD kills [N [SEED]]  N kills, each continued on another number of ranks: equal to the undisturbed run

Ranks may outnumber cores; each has one thread.
"""
import json
import os
import pathlib
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

BUILD = pathlib.Path(sys.argv[1]).resolve()
MPIRUN = ["mpirun", "--allow-run-as-root", "--oversubscribe"]
ENVIRONMENT = dict(os.environ, OMP_NUM_THREADS="1", OMPI_MCA_rmaps_base_oversubscribe="1")
TIMES = {"seconds", "candidates_per_minute", "images_per_second", "ranks"}
PROMISED_SECONDS = 10  # in which a run ends when a rank dies
SEARCH = [BUILD / "apps/search", "--data", "synthetic:300?size=16", "--batch", "32", "--validation", "0.2",
          "--hyper-epochs", "2", "--hypernetworks", "2", "--rank-sample", "3", "--rank-epochs", "2", "--rank-one-epoch",
          "--population", "6", "--generations", "2", "--finalists", "4", "--finalist-epochs", "4",
          "--halvings", "1"]


def train(best, epochs=3):
    return [BUILD / "apps/train", "--architecture", best, "--data", "synthetic:600?size=16", "--batch", "48",
            "--micro-batches", "6", "--mixup", "0.2", "--cutmix", "1", "--erasing", "0.3", "--drop-path", "0.2",
            "--dropout", "0.1", "--ema", "0.9", "--epochs", epochs, "--progressive", "8:0.5", "--trivial-augment",
            "--auxiliary", "0.4"]


def command(program, out, ranks, more=()):
    start = MPIRUN + ["-n", str(ranks)] if ranks > 1 else []
    return start + [str(word) for word in program] + ["--out", str(out)] + list(more)


def start(program, out, ranks, more=()):
    return subprocess.Popen(command(program, out, ranks, more), env=ENVIRONMENT, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, start_new_session=True)


def finish(process, seconds=120):
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        sys.exit(f"error: [ranks] still running after {seconds} s: {process.args}\n{err}")
    return process.returncode, out, err


def run(program, out, ranks, more=()):
    status, _, err = finish(start(program, out, ranks, more))
    if status != 0:
        sys.exit(f"error: [ranks] exit status {status}, expected 0: {command(program, out, ranks, more)}\n{err}")
    return err


def without_times(value):
    if isinstance(value, dict):
        return {key: without_times(v) for key, v in value.items() if key not in TIMES}
    return [without_times(v) for v in value] if isinstance(value, list) else value


def facts(out):
    """All that a run leaves and no clock says, by name."""
    found = {"result.json": json.dumps(without_times(json.loads((out / "result.json").read_text())))}
    for file in [*out.glob("best.json"), *out.glob("checkpoints/*")]:
        found[file.name] = file.read_bytes()
    if (out / "search.db").exists():
        with sqlite3.connect(out / "search.db") as store:
            for table in ("rank_sample", "generations", "candidates", "finalists"):
                found[table] = str(sorted(store.execute(f"SELECT * FROM {table}").fetchall(), key=str))
    return found


def require_equal(expected, out, what):
    found = facts(out)
    differing = [name for name in sorted(expected | found) if expected.get(name) != found.get(name)]
    if differing:
        for name in differing:
            print(name, str(expected.get(name))[:3000], str(found.get(name))[:3000], sep="\n  ")
        sys.exit(f"error: [ranks] {what}: {', '.join(differing)} differ from the run on one rank")
    print(f"{what}: equal to the run on one rank")


def compare(name, program, work, ranks=(2, 3)):
    run(program, work / name, 1)
    expected = facts(work / name)
    for count in ranks:
        run(program, work / f"{name}-{count}", count)
        require_equal(expected, work / f"{name}-{count}", f"{name} on {count} ranks")


def check_search(work):
    compare("search", SEARCH, work)


def best_of(work):
    """An architecture to train."""
    small = [*SEARCH[:7], "--hyper-epochs", "0", "--rank-sample", "0", "--population", "2", "--generations", "0",
             "--finalists", "0"]
    run(small, work / "small", 1)
    return work / "small/best.json"


def check_train(work):
    compare("train", train(best_of(work)), work)


def children(process):
    """The ranks that mpirun started, in the order of their process numbers."""
    listed = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return sorted(int(pid) for pid in listed.read_text().split()) if listed.exists() else []


def wait_for(out, phase, process):
    """Until log.jsonl names the phase, or the run ends."""
    log = out / "log.jsonl"
    while process.poll() is None:
        if log.exists() and f'"phase":"{phase}"' in log.read_text():
            return
        time.sleep(0.01)


def alive(pids):
    return [pid for pid in pids if pathlib.Path(f"/proc/{pid}/stat").exists()
            and pathlib.Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"]


def disturb(process, victim):
    """Kills a rank, all ranks, or mpirun; returns standard error. All must be gone in time."""
    ranks = children(process)
    hit = {"rank 0": ranks[:1], "last rank": ranks[-1:], "all ranks": ranks, "mpirun": [process.pid],
           "SIGTERM": [process.pid], "Ctrl-C": [process.pid]}[victim]
    how = {"SIGTERM": signal.SIGTERM, "Ctrl-C": signal.SIGINT}.get(victim, signal.SIGKILL)
    begin = time.monotonic()
    for pid in hit:
        try:
            os.kill(pid, how)
        except ProcessLookupError:
            pass
    status, _, err = finish(process)
    while alive(ranks):
        if time.monotonic() - begin > PROMISED_SECONDS:
            sys.exit(f"error: [ranks] {victim} killed, and ranks live on after {PROMISED_SECONDS} s")
        time.sleep(0.05)
    return status, err, time.monotonic() - begin


def pictures(folder, each):
    """A data set of two classes, of plain bitmaps."""
    for split in ("train", "test"):
        for label in range(2):
            place = folder / split / f"class{label}"
            place.mkdir(parents=True)
            for number in range(each):
                pixels = bytes((label * 128 + number * 17 + i) % 256 for i in range(16 * 16 * 3))
                header = b"BM" + (54 + len(pixels)).to_bytes(4, "little") + bytes(4) + (54).to_bytes(4, "little")
                header += (40).to_bytes(4, "little") + (16).to_bytes(4, "little") * 2
                header += (1).to_bytes(2, "little") + (24).to_bytes(2, "little") + bytes(24)
                (place / f"{number}.bmp").write_bytes(header + pixels)


def expect(program, work, status, words, setup="true", ranks=2):
    """Both ranks start in folders of their own; `setup` runs there. The program fails with one line."""
    line = " ".join(f"'{word}'" for word in program)
    script = f'cd "{work}/$OMPI_COMM_WORLD_RANK" && {setup} && exec {line}'
    process = subprocess.Popen([*MPIRUN, "-n", str(ranks), "sh", "-c", script], env=ENVIRONMENT, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    got, out, err = finish(process)
    lines = [text for text in err.splitlines() if text.startswith("error:")]
    if got != status or len(lines) != 1 or any(word not in lines[0] for word in words):
        sys.exit(f"error: [ranks] status {got}, expected {status} and one line with {words}:\n{err}{out}")
    print(lines[0])


def check_faults(work):
    for rank in ("0", "1"):
        (work / rank).mkdir()
    small = [*SEARCH[:1], "--out", "out", *SEARCH[3:], "--data"]
    host = os.uname().nodename
    pictures(work / "0/data", 40)
    expect([*small, "folder:data"], work, 1, ["rank 1 on " + host, "data"])
    pictures(work / "1/data", 41)
    expect([*small, "folder:data?size=16"], work, 2, ["rank 1 on " + host, "data differs"])
    expect([*small, "synthetic:300?size=16", "--seed", "1000000001"], work, 2, ["seed"])
    expect([*small, "synthetic:300?size=16", "--config", "own.toml"], work, 2,
           ["rank 1 on " + host, "setting seed differs, got 1, expected 0"], 'echo "seed = $OMPI_COMM_WORLD_RANK" > own.toml')
    expect([*small, "synthetic:300?size=16"], work, 1, ["out"],
           'rm -rf out && if [ "$OMPI_COMM_WORLD_RANK" = 0 ]; then ulimit -f 60; fi')
    best = best_of(work)
    steps = [*train(best), "--out", "steps"]
    expect(steps, work, 1, ["steps"], 'if [ "$OMPI_COMM_WORLD_RANK" = 0 ]; then ulimit -f 60; fi')
    long_search = [*SEARCH]
    long_search[SEARCH.index("--hyper-epochs") + 1] = "60"
    long_training = train(best, epochs=200)
    for program, phase in ((long_search, "hypernetwork"), (long_training, "train")):
        for victim in ("last rank", "SIGTERM"):
            out = work / f"{victim}-{phase}"
            process = start(program, out, 2)
            wait_for(out, phase, process)
            status, err, seconds = disturb(process, victim)
            if status == 0 or seconds > PROMISED_SECONDS:
                sys.exit(f"error: [ranks] {victim}: status {status} after {seconds:.1f} s:\n{err}")
            # mpirun says who was killed; it no longer passes on what ranks say after a SIGTERM.
            if victim == "SIGTERM" and not list(out.glob("checkpoints/*.interrupted.safetensors")):
                sys.exit(f"error: [ranks] SIGTERM: nothing was saved:\n{err}")
            if victim == "last rank" and not re.search(rf"rank 1 with PID \d+ on node {host} exited on signal 9", err):
                sys.exit(f"error: [ranks] {victim}: mpirun does not name it:\n{err}")
            print(f"{phase}, {victim}: status {status} after {seconds:.1f} s")


def check_kills(work, kills, seed):
    chance = random.Random(seed)
    best = best_of(work)
    programs = {"search": (SEARCH, ["hypernetwork", "rank_sample", "candidate", "finalist"]),
                "train": (train(best), ["train"])}
    expected = {}
    for name, (program, _) in programs.items():
        run(program, work / name, 1)
        expected[name] = facts(work / name)
    done = 0
    while done < kills:
        for name, (program, phases) in programs.items():
            out = work / f"{name}-{done}"
            for phase in phases:
                if done >= kills:
                    break
                ranks = chance.choice([2, 3])
                process = start(program, out, ranks, ["--resume"] if out.exists() else [])
                wait_for(out, phase, process)
                time.sleep(chance.random() * 0.3)
                victim = chance.choice(["rank 0", "last rank", "all ranks", "mpirun", "SIGTERM", "Ctrl-C"])
                if process.poll() is None:
                    _, _, seconds = disturb(process, victim)
                    done += 1
                    print(f"{name}, {phase}: {victim} of {ranks} ranks, gone after {seconds:.1f} s")
                else:
                    finish(process)
            run(program, out, chance.choice([1, 2, 3]), ["--resume"] if out.exists() else [])
            require_equal(expected[name], out, f"{name} after kills")
            shutil.rmtree(out)
    print(f"{done} kills")


def main():
    what, rest = sys.argv[2], sys.argv[3:]
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        if what == "kills":
            check_kills(work, int(rest[0]) if rest else 20, int(rest[1]) if len(rest) > 1 else 1)
        else:
            {"search": check_search, "train": check_train, "faults": check_faults}[what](work)


if __name__ == "__main__":
    main()
