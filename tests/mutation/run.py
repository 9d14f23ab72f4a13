#!/usr/bin/env python3
"""Plants one-line faults into the code outside the kernels and expects the tests to catch them.

    tests/mutation/run.py                          # all faults, two at a time on two cores
    tests/mutation/run.py --only 'evaluator.*'     # those of a name
    tests/mutation/run.py --list                   # where each one stands; builds nothing

All faults of faults.txt are written into one copy of the tree, each behind `mutation::on(ID)`, which asks the
environment variable ADWP_FAULT once: so there is one build, and each fault costs one run of the tests. First
come the tests that the list names, then all fast ones, then the slow ones; a failed test, a crash and a hang
each catch the fault. Programs that tests start inherit the variable.

The list, one fault per paragraph (# begins a comment line):

    NAME | FILE OR GLOB | GTEST FILTER     # the name is unique; the filter says which tests are to see it
    - TEXT                                 # part of one line, found exactly once in those files
    + FAULTY TEXT
    ! REASON                               # optional: why no test can catch it

A text that ends with ';' is a statement, and becomes { if (on) { FAULTY } else { TEXT } }; a declaration
cannot be planted so. Any other text is an expression, and becomes (on ? (FAULTY) : (TEXT)): both of one type,
TEXT a whole operand, nothing that must be known when compiling. A text that is found nowhere, or twice, is an
error: code that moves takes its faults along, within the glob, and code that changes makes us look.

Ends with 1 when a test fails without any fault, or when fewer than 95 % of the faults are caught.
"""
import argparse
import concurrent.futures
import fnmatch
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from dataclasses import dataclass

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
ENOUGH = 0.95
FAST = 0.5  # seconds that a fast test takes at most
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
    file: str = ""
    at: int = 0
    line: int = 0

    @property
    def id(self):  # of the name, so that a new entry leaves the others' code, and the compiler's cache, alone
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
            sys.exit(f"[faults] {path.name}:{number}: got '{line}', expected 'name | files | filter' or - + !")
    for fault in faults:
        if not fault.text or not fault.faulty:
            sys.exit(f"[faults] {fault.name}: no text or no faulty text; give it a line of - and one of +")
    if len({fault.name for fault in faults}) != len(faults):
        sys.exit("[faults] a name stands twice")
    return faults


def tracked_files():
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True,
                            capture_output=True, text=True)
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def locate(faults, files):
    """Finds each text; ends the program when one is not there exactly once."""
    contents, errors = {}, []
    for fault in faults:
        places = []
        for name in fnmatch.filter(files, fault.where):
            text = contents.setdefault(name, (ROOT / name).read_text())
            places += [(name, match.start()) for match in re.finditer(re.escape(fault.text), text)]
        if len(places) != 1:
            found = ", ".join(f"{name}:{contents[name].count(chr(10), 0, at) + 1}" for name, at in places)
            errors.append(f"[faults] {fault.name}: '{fault.text}' found {len(places)} times in {fault.where}, "
                          f"expected once{'; at ' + found if found else ''}")
            continue
        fault.file, fault.at = places[0]
        fault.line = contents[fault.file].count("\n", 0, fault.at) + 1
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
    wanted = {name: mutated[name].encode() if name in mutated else (ROOT / name).read_bytes() for name in files}
    wanted["mutation.h"] = HEADER.encode()
    for old in [p for p in copy.rglob("*") if p.is_file() and p.relative_to(copy).parts[0] != "build"]:
        if str(old.relative_to(copy)) not in wanted:
            old.unlink()
    for name, content in wanted.items():
        path = copy / name
        if not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            if (ROOT / name).exists():
                shutil.copymode(ROOT / name, path)


def build(copy, jobs):
    environment = dict(os.environ, CCACHE_BASEDIR=str(copy), CCACHE_NOHASHDIR="1")
    for command in (["cmake", "-S", copy, "-B", copy / "build", "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
                     "-DADWP_TESTS=ON", "-DADWP_BENCH=OFF", "-DADWP_CUDA=OFF",
                     f"-DCMAKE_CXX_FLAGS=-include {copy}/mutation.h -Wno-unused-value"],
                    ["ninja", "-C", copy / "build", "-k", "0", "-j", str(jobs), "adwp_tests"]):
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True)
        if done.returncode != 0:
            errors = [line for line in done.stdout.splitlines() if " error: " in line] or done.stdout.splitlines()
            sys.exit("\n".join(errors[:40]) + f"\n[build] the copy in {copy} does not build")


class Tests:
    def __init__(self, copy, jobs):
        self.program = copy / "build" / "tests" / "adwp_tests"
        self.threads = max(1, os.cpu_count() // jobs)
        self.seconds = {}  # of each test, without a fault

    def run(self, fault_id, selected, timeout, report=None):
        """The first test that fails, and how; None when all pass."""
        command = [self.program, "--gtest_filter=" + selected]
        command += [f"--gtest_output=json:{report}"] if report else ["--gtest_fail_fast"]
        environment = dict(os.environ, ADWP_FAULT=str(fault_id), GOMP_SPINCOUNT="10000",
                           OMP_NUM_THREADS=str(self.threads))
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            process = subprocess.Popen(command, env=dict(environment, TMPDIR=folder), cwd=folder, text=True,
                                       errors="replace", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                       start_new_session=True)
            hung = threading.Event()
            timer = threading.Timer(timeout, lambda: (hung.set(), os.killpg(process.pid, signal.SIGKILL)))
            timer.start()
            running, failed = "", []
            for line in process.stdout:
                if line.startswith("[ RUN      ] "):
                    running = line[13:].strip()
                if line.startswith("[  FAILED  ] ") and "(" in line and running in line:
                    failed.append(running)
            status = process.wait()
            timer.cancel()
            if hung.is_set():
                return f"{running} (hangs)"
            if failed:
                return failed[0]
            return None if status == 0 else f"{running} (ends with status {status})"

    def measure(self, report):
        """Runs everything without a fault, once per build; ends the program when a test fails."""
        built = max(path.stat().st_mtime for path in (self.program, *self.program.parents[1].glob("apps/*")))
        if not report.exists() or report.stat().st_mtime < built:
            new = report.with_suffix(".new")
            failed = self.run(0, "*", 3600, new)
            if failed:
                sys.exit(f"[tests] {failed} fails without any fault")
            new.rename(report)
        for suite in json.loads(report.read_text())["testsuites"]:
            for test in suite["testsuite"]:
                self.seconds[f"{suite['name']}.{test['name']}"] = float(test["time"].rstrip("s"))

    def catch(self, fault):
        """Which test catches the fault; None when none does."""
        own = {name for name in self.seconds
               if any(fnmatch.fnmatchcase(name, p) for p in fault.filter.split(":"))}
        if not own:
            sys.exit(f"[faults] {fault.name}: no test is called '{fault.filter}'")
        fast = {name for name, seconds in self.seconds.items() if seconds <= FAST}
        for stage in (own, fast - own, set(self.seconds) - own - fast):
            # Named one by one: what runs is what was measured.
            timeout = 60 + 10 * sum(self.seconds[name] for name in stage)
            caught = self.run(fault.id, ":".join(sorted(stage)), timeout) if stage else None
            if caught:
                return caught
        return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", metavar="NAME", help="only faults of this name (a glob)")
    parser.add_argument("--jobs", type=int, default=int(os.environ.get("JOBS", os.cpu_count())))
    parser.add_argument("--keep", metavar="FOLDER", help="build in this folder and leave it there")
    parser.add_argument("--list", action="store_true", help="say where the faults stand, and end")
    options = parser.parse_args()

    faults = read_faults(HERE / "faults.txt")
    files = tracked_files()
    locate(faults, files)
    chosen = [f for f in faults if fnmatch.fnmatchcase(f.name, options.only or "*")]
    if options.list:
        for fault in chosen:
            print(f"{fault.name:<40} {fault.file}:{fault.line}")
        return 0
    copy = pathlib.Path(options.keep or tempfile.mkdtemp(prefix="adwp_mutation_")).resolve()
    try:
        start = time.monotonic()
        write_copy(copy, files, faults)
        build(copy, options.jobs)
        tests = Tests(copy, options.jobs)
        tests.measure(copy / "build" / "times.json")
        print(f"built and tested without a fault in {time.monotonic() - start:.0f} s", flush=True)
        survivors = []
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            for fault, caught in zip(chosen, pool.map(tests.catch, chosen)):
                print(f"{fault.name:<40} " + (f"caught by {caught}" if caught else "SURVIVED") +
                      (f" ({fault.reason})" if fault.reason and not caught else ""), flush=True)
                if not caught:
                    survivors.append(fault.name)
        caught = len(chosen) - len(survivors)
        print(f"{len(chosen)} faults, {caught} caught ({caught / max(len(chosen), 1):.1%}) in "
              f"{time.monotonic() - start:.0f} s; survivors: {', '.join(survivors) or 'none'}")
        return 0 if caught >= ENOUGH * len(chosen) else 1
    finally:
        if not options.keep:
            shutil.rmtree(copy)


if __name__ == "__main__":
    sys.exit(main())
