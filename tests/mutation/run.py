#!/usr/bin/env python3
"""Plants one-line faults into the code outside the kernels and expects the tests to catch them.

    tests/mutation/run.py                          # all faults, as many at a time as there are cores
    tests/mutation/run.py --only 'evaluator.*'     # those of a name; --list says where each one stands

All faults of faults.txt are written into one copy of the tree, each behind `mutation::on(ID)`, which compares
with the environment variable ADWP_FAULT: one build for all, one run of the tests for each. First come the tests
that the list names, then all fast ones, then the slow ones; a failed test, a crash and a hang each catch the
fault. Programs that tests start inherit the variable. Ends with 1 when a test fails without any fault, or when
fewer than 95 % of the faults are caught.

The list, one fault per paragraph (# begins a comment line):

    NAME | FILE OR GLOB | GTEST FILTER     # the name is unique; the filter says which tests are to see it
    - TEXT                                 # part of one line, found exactly once in those files
    + FAULTY TEXT
    ! REASON                               # optional: why no test can catch it

A text that ends with ';' is a statement, and becomes { if (on) { FAULTY } else { TEXT } }; a declaration cannot
be planted so. Any other text is an expression, and becomes (on ? (FAULTY) : (TEXT)): both of one type, TEXT a
whole operand, nothing that must be known when compiling. A text that is found nowhere, or twice, is an error:
code that moves takes its faults along, within the glob, and code that changes makes us look.
"""
import argparse
import contextlib
import fnmatch
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
ENOUGH, FAST = 0.95, 0.5  # share of the faults; seconds of a test
HEADER = """#pragma once
#include <cstdlib>
namespace mutation {
static const unsigned long active = [] {
  const char* text = std::getenv("ADWP_FAULT");
  return text == nullptr ? 0ul : std::strtoul(text, nullptr, 10);
}();
inline bool on(unsigned long fault) { return active == fault; }
}  // namespace mutation
"""


@dataclass
class Fault:
    name: str
    where: str
    filter: str
    text: str = ""
    faulty: str = ""
    reason: str = ""
    file: str = ""  # where the text stands
    at: int = 0
    line: int = 0

    @property
    def id(self):  # from the name, so that a new entry changes no other's code
        return zlib.crc32(self.name.encode())

    def planted(self):
        if self.text.endswith(";"):
            return f"{{ if (mutation::on({self.id}ul)) {{ {self.faulty} }} else {{ {self.text} }} }}"
        return f"(mutation::on({self.id}ul) ? ({self.faulty}) : ({self.text}))"


def read_faults(path):
    faults = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line[:2] in ("- ", "+ ", "! ") and faults:
            setattr(faults[-1], {"-": "text", "+": "faulty", "!": "reason"}[line[0]], line[2:].strip())
        elif line.count(" | ") == 2:
            faults.append(Fault(*(part.strip() for part in line.split(" | "))))
        else:
            sys.exit(f"[faults] {path.name}:{number}: expected 'name | files | filter' or - + !, got '{line}'")
        if sum(fault.name == faults[-1].name for fault in faults) > 1:
            sys.exit(f"[faults] {path.name}:{number}: the name {faults[-1].name} stands twice")
    for fault in (fault for fault in faults if not fault.text or not fault.faulty):
        sys.exit(f"[faults] {fault.name}: no text or no faulty text; give it a line of - and one of +")
    return faults


def tracked_files():
    listed = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, text=True)
    return [name for name in listed.splitlines() if (ROOT / name).is_file()]


def locate(faults, files):
    """Finds each text; ends the program when one is not there exactly once."""
    contents, errors = {}, []
    for fault in faults:
        places = []
        for name in fnmatch.filter(files, fault.where):
            text = contents.setdefault(name, (ROOT / name).read_text())
            places += [(name, match.start(), text.count("\n", 0, match.start()) + 1)
                       for match in re.finditer(re.escape(fault.text), text)]
        if len(places) == 1:
            fault.file, fault.at, fault.line = places[0]
        else:
            found = ", ".join(f"{name}:{line}" for name, _, line in places)
            errors.append(f"[faults] {fault.name}: '{fault.text}' found {len(places)} times in {fault.where}, "
                          f"expected once{'; at ' + found if found else ''}")
    placed = sorted((f for f in faults if f.file), key=lambda f: (f.file, f.at))
    for a, b in zip(placed, placed[1:]):
        if a.file == b.file and a.at + len(a.text) > b.at:
            errors.append(f"[faults] {a.name} and {b.name} overlap in {a.file}:{b.line}")
    if errors:
        sys.exit("\n".join(errors))


def write_copy(copy, files, faults):
    """The tree with all faults in it; what is the same already is left alone, for the build's sake."""
    mutated = {}
    for fault in sorted(faults, key=lambda f: f.at, reverse=True):
        text = mutated.get(fault.file) or (ROOT / fault.file).read_text()
        mutated[fault.file] = text[:fault.at] + fault.planted() + text[fault.at + len(fault.text):]
    wanted = {copy / name: mutated[name].encode() if name in mutated else (ROOT / name).read_bytes()
              for name in files} | {copy / "mutation.h": HEADER.encode()}
    for old in copy.rglob("*"):
        if old.is_file() and old not in wanted and copy / "build" not in old.parents:
            old.unlink()
    for path, content in wanted.items():
        if not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            path.chmod(0o755)  # some of it is scripts


def build(copy, jobs):
    environment = dict(os.environ, CCACHE_BASEDIR=str(copy), CCACHE_NOHASHDIR="1")
    for command in (["cmake", "-S", copy, "-B", copy / "build", "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
                     "-DADWP_TESTS=ON", "-DADWP_BENCH=OFF", "-DADWP_CUDA=OFF",
                     f"-DCMAKE_CXX_FLAGS=-include {copy}/mutation.h -Wno-unused-value"],
                    ["ninja", "-C", copy / "build", "-k", "0", "-j", str(jobs), "adwp_tests"]):
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            lines = (done.stdout + done.stderr).splitlines()
            errors = [line for line in lines if " error: " in line] or lines[-40:]
            sys.exit("\n".join(errors) + f"\n[build] the copy in {copy} does not build")


class Tests:
    END = re.compile(r"\[ *(OK|SKIPPED|FAILED) *\] ([^ ,]+).* \((\d+) ms\)$")

    def __init__(self, copy, jobs):
        self.program, self.jobs = copy / "build" / "tests" / "adwp_tests", jobs
        self.seconds = {}  # of each test, without a fault

    def run(self, fault, tests, timeout, more=None):
        """The first test that fails, and how (None when all pass), and the seconds of those that ended."""
        environment = dict(os.environ, ADWP_FAULT=str(fault), GOMP_SPINCOUNT="10000",
                           OMP_NUM_THREADS=str(max(1, os.cpu_count() // self.jobs)), **(more or {}))
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            process = subprocess.Popen(
                [self.program, "--gtest_fail_fast", "--gtest_filter=" + tests], text=True, errors="replace",
                env=dict(environment, TMPDIR=folder), cwd=folder, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, start_new_session=True)
            hung = threading.Event()
            timer = threading.Timer(timeout, lambda: (hung.set(), os.killpg(process.pid, signal.SIGKILL)))
            timer.start()
            running, failed, seconds = "", None, {}
            for line in process.stdout:
                if line.startswith("[ RUN      ] "):
                    running = line[13:].strip()
                if end := self.END.match(line.rstrip()):
                    seconds[end[2]] = int(end[3]) / 1000
                    failed = failed or (end[2] if end[1] == "FAILED" else None)
            status = process.wait()
            timer.cancel()
        if hung.is_set():
            failed = running + " (hangs)"
        elif status != 0 and not failed:
            failed = f"{running} (ends with status {status})"
        return failed, seconds

    def measure(self, report):
        """Runs everything without a fault, once per build; ends the program when a test fails."""
        built = max(path.stat().st_mtime for path in (self.program, *self.program.parents[1].glob("apps/*")))
        if not report.exists() or report.stat().st_mtime < built:
            shards = [{"GTEST_TOTAL_SHARDS": str(self.jobs), "GTEST_SHARD_INDEX": str(i)} for i in range(self.jobs)]
            with ThreadPoolExecutor(self.jobs) as pool:
                for failed, seconds in pool.map(lambda shard: self.run(0, "*", 7200, shard), shards):
                    if failed:
                        sys.exit(f"[tests] {failed} fails without any fault")
                    self.seconds |= seconds
            report.write_text(json.dumps(self.seconds))
        self.seconds = json.loads(report.read_text())

    def catch(self, fault):
        """Which test catches the fault; nothing when none does."""
        own = {name for name in self.seconds
               if any(fnmatch.fnmatchcase(name, pattern) for pattern in fault.filter.split(":"))}
        if not own:
            sys.exit(f"[faults] {fault.name}: no test is called '{fault.filter}'")
        fast = {name for name, seconds in self.seconds.items() if seconds <= FAST}
        for stage in filter(None, (own, fast - own, set(self.seconds) - own - fast)):
            timeout = 60 + 10 * sum(self.seconds[name] for name in stage)
            if caught := self.run(fault.id, ":".join(sorted(stage)), timeout)[0]:
                return caught
        return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", metavar="NAME", default="*", help="only faults of this name (a glob)")
    parser.add_argument("--jobs", type=int, default=int(os.environ.get("JOBS", os.cpu_count())))
    parser.add_argument("--keep", metavar="FOLDER", help="build in this folder and leave it there")
    parser.add_argument("--list", action="store_true", help="say where the faults stand, and end")
    options = parser.parse_args()
    faults = read_faults(HERE / "faults.txt")
    files = tracked_files()
    locate(faults, files)
    chosen = [f for f in faults if fnmatch.fnmatchcase(f.name, options.only)]
    if options.list:
        print("\n".join(f"{fault.name:<45} {fault.file}:{fault.line}" for fault in chosen))
        return 0
    start = time.monotonic()
    keep = contextlib.nullcontext(options.keep)
    with keep if options.keep else tempfile.TemporaryDirectory(prefix="adwp_mutation_") as folder:
        copy = pathlib.Path(folder).resolve()
        write_copy(copy, files, faults)
        build(copy, options.jobs)
        tests = Tests(copy, options.jobs)
        tests.measure(copy / "build" / "times.json")
        print(f"built and tested without a fault in {time.monotonic() - start:.0f} s", flush=True)
        survivors = []
        with ThreadPoolExecutor(options.jobs) as pool:
            for fault, caught in zip(chosen, pool.map(tests.catch, chosen)):
                outcome = f"caught by {caught}" if caught else f"SURVIVED {fault.reason}"
                print(f"{fault.name:<45} {outcome}", flush=True)
                survivors += [] if caught else [fault.name]
    caught = len(chosen) - len(survivors)
    print(f"{len(chosen)} faults, {caught} caught ({caught / max(len(chosen), 1):.1%}) in "
          f"{time.monotonic() - start:.0f} s; survivors: {', '.join(survivors) or 'none'}")
    return 0 if caught >= ENOUGH * len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
