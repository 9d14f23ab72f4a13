#!/usr/bin/env python3
"""Runs every command of the pages in docs/course, page by page, from the root of the repository, with the reference
solutions in the place of a student's answers: each fenced block of `sh`, and each command in a line of text that no
block has. $BUILD is the build folder (build).

    course/check_pages.py [PAGE...]           # all of docs/course
"""
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Commands of the pages that are not run here, and why.
LEFT_OUT = {
    "make course": "it runs this",
    "make lab": "named without a number",
    "cmake --install": "named without a folder; tests/install/own_operator_test.sh runs it",
    "git checkout course/lab1": "it would undo the changes of whoever runs this",
}


def commands(page):
    """The blocks of commands of a page, then those commands in its lines that no block has."""
    text = page.read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S)
    lines = {line.split("#")[0].strip() for block in blocks for line in block.splitlines()}
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    inline = dict.fromkeys(re.findall(r"`((?:make|cmake|git|build/\S+|course/\S+\.(?:py|sh)) [^`\n]*)`", prose))
    return blocks + [command for command in inline if command not in lines]


def run(block, build, runs):
    # Runs go to a fresh folder: one that is used would be refused.
    text = block.replace("build/", f"{build}/").replace("runs/", f"{runs}/")
    return subprocess.run(["bash", "-euo", "pipefail", "-c", text], cwd=ROOT, capture_output=True, text=True,
                          errors="replace", env={**os.environ, "ANSWER": "reference", "BUILD": build})


def main():
    build = os.environ.get("BUILD", "build")
    pages = [Path(name) for name in sys.argv[1:]] or sorted((ROOT / "docs/course").glob("*.md"))
    solutions = (ROOT / "course/solutions").exists()
    if not solutions:
        print("pages: no solutions here (course/solutions), so their commands are not run")
    ran, left_out = {}, set()
    with tempfile.TemporaryDirectory() as work:
        for page in pages if solutions else []:
            for block in commands(page):
                name = block.strip()
                if name in LEFT_OUT:
                    left_out.add(name)
                if name in LEFT_OUT or name in ran:
                    continue
                start = time.monotonic()
                done = run(block, build, work)
                if done.returncode != 0:
                    sys.exit(f"error: [course] a command of {page.name} fails with {done.returncode}:\n{block}\n"
                             f"{done.stdout[-3000:]}{done.stderr[-3000:]}")
                ran[name] = page.name
                print(f"{page.name}: {name.splitlines()[0]} ({time.monotonic() - start:.0f} s)", flush=True)
    if solutions and not sys.argv[1:] and left_out != set(LEFT_OUT):
        sys.exit(f"error: [course] no page has {sorted(set(LEFT_OUT) - left_out)}, which check_pages.py leaves out")
    for name in sorted(left_out):
        print(f"not run: {name} ({LEFT_OUT[name]})")
    print(f"{len(ran)} commands and blocks of commands ran")


main()
