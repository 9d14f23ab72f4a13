#!/usr/bin/env python3
"""What a search and a training show on a terminal: one line a phase, with rate, loss or score, and time left.

    progress_line.py [PROGRAMS]
"""
import os
import pty
import re
import subprocess
import sys
import tempfile
from pathlib import Path

NOTES = {"HyperNetwork": "loss", "rank sample": "trained", "evolution": "best score", "finalists": "trained to",
         "train": "loss"}


def on_a_terminal(command):
    master, slave = pty.openpty()
    process = subprocess.Popen([str(part) for part in command], stderr=slave, stdout=subprocess.DEVNULL)
    os.close(slave)
    text = b""
    while True:
        try:
            chunk = os.read(master, 65536)
        except OSError:  # the other end is closed
            break
        if not chunk:
            break
        text += chunk
    if process.wait() != 0:
        sys.exit(f"error: [progress] {command[0]} ended with {process.returncode}: {text.decode()}")
    return text.decode()


def check(text, phases):
    lines = text.replace("\r\n", "\n").split("\n")
    for phase in phases:
        shown = [line for line in lines if phase in line.replace("\x1b[K", "").lstrip("\r")[:len(phase)]]
        if len(shown) != 1:
            sys.exit(f"error: [progress] {phase}: got {len(shown)} lines, expected 1: {shown}")
        drawn = shown[0].split("\r\x1b[K")[1:]
        first = next((i for i, one in enumerate(drawn) if NOTES[phase] in one), None)
        if first is None:
            sys.exit(f"error: [progress] {phase}: never shows its {NOTES[phase]}: {drawn}")
        lost = [one for one in drawn[first:] if NOTES[phase] not in one]
        no_rate = [one for one in drawn[first:] if not re.search(r"[0-9] ?k? ?(epochs|networks|generations)/s", one)]
        no_time = [one for one in drawn[first:-1] if "100 %" not in one and not one.endswith("left")]
        for what, wrong in (("loses its note", lost), ("has no rate", no_rate), ("has no time left", no_time)):
            if wrong:
                sys.exit(f"error: [progress] {phase} {what}: {wrong[:3]}")
        print(f"{phase}: drawn {len(drawn)} times, last: {drawn[-1]}")


def main():
    programs = Path(sys.argv[1] if len(sys.argv) > 1 else "build/apps")
    with tempfile.TemporaryDirectory() as folder:
        search = on_a_terminal([programs / "search", "--data", "synthetic:1500?size=16", "--out", folder + "/search",
                                "--hyper-epochs", 2, "--rank-sample", 3, "--population", 16, "--generations", 3,
                                "--finalists", 2, "--finalist-epochs", 2])
        check(search, ["HyperNetwork", "rank sample", "evolution", "finalists"])
        train = on_a_terminal([programs / "train", "--architecture", folder + "/search/best.json", "--data",
                               "synthetic:3000?size=16", "--out", folder + "/train", "--epochs", 3])
        check(train, ["train"])


if __name__ == "__main__":
    main()
