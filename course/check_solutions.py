#!/usr/bin/env python3
"""Checks the checkers of the labs: each must refuse the starting point, pass the reference solution, and refuse every
wrong solution with the text that course/solutions/labN/wrong.txt expects.

    course/check_solutions.py BUILD_FOLDER [N...]     # after `cmake --build BUILD_FOLDER --target course`

With --wrong-only the reference solutions are left to course/check_pages.py, which runs them as students do.
"""
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

COURSE = Path(__file__).resolve().parent
LIMIT = 180  # seconds that a check may take


def run(program, answers, arguments):
    start = time.monotonic()
    try:
        done = subprocess.run([program, answers, *arguments], capture_output=True, text=True, errors="replace", timeout=LIMIT,
                              env={**os.environ, "OMP_NUM_THREADS": "1"})
        return done.returncode, done.stdout + done.stderr, time.monotonic() - start
    except subprocess.TimeoutExpired:
        return None, "", float(LIMIT)


def cases(build, lab, wrong_only):
    """(what, program, answers, arguments, exit code, text that the checker must say)."""
    yield f"{lab}, starting point", build / "course" / lab, COURSE / lab, [], 1, "wrong"
    if not (COURSE / "solutions" / lab).exists():
        print(f"{lab}: no solutions here (course/solutions/{lab}), so only the starting point is checked")
        return
    answers = build / "course" / "answers" / lab
    for folder in sorted(path for path in answers.iterdir() if path.is_dir()):
        name = folder.name
        if name == "reference" and wrong_only:
            continue
        # A wrong solution without sources is for the reference's program.
        program = name if any(path.suffix in (".cpp", ".cu") for path in folder.iterdir()) else "reference"
        argument, expected = "", "tasks pass"
        if name != "reference":
            argument, expected = folder.with_suffix(".expected").read_text().splitlines()
        yield (f"{lab}, {name}", build / "course" / f"{lab}_{program}", folder, argument.split(),
               int(name != "reference"), expected)


def fault(code, text, wanted, expected):
    if code is None:
        return f"takes more than {LIMIT} s"
    if code != wanted:
        return f"exit code {code}, expected {wanted}:\n{text}"
    if expected not in text:
        return f"does not say '{expected}':\n{text}"
    return None


def main():
    build, *numbers = [argument for argument in sys.argv[1:] if argument != "--wrong-only"]
    build, wrong_only = Path(build).resolve(), "--wrong-only" in sys.argv
    labs = [f"lab{n}" for n in numbers] or sorted(p.name for p in COURSE.glob("lab[1-9]"))
    failed, longest = 0, ("", 0.0)
    start = time.monotonic()
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for lab in labs:
            listed = list(cases(build, lab, wrong_only))
            results = list(pool.map(lambda case: run(*case[1:4]), listed))
            for (what, _, _, _, wanted, expected), (code, text, seconds) in zip(listed, results):
                longest = max(longest, (what, seconds), key=lambda entry: entry[1])
                if reason := fault(code, text, wanted, expected):
                    failed += 1
                    print(f"error: [course] {what}: {reason}", file=sys.stderr)
            print(f"{lab}: {len(listed)} answers, {sum(seconds for _, _, seconds in results):.0f} s")
    print(f"{failed} of the answers were judged wrongly; the longest check took {longest[1]:.0f} s ({longest[0]}), "
          f"all {time.monotonic() - start:.0f} s")
    sys.exit(failed > 0)


main()
