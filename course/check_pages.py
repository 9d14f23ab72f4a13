#!/usr/bin/env python3
"""Runs every command of the pages in docs/course: each fenced block of `sh`, page by page, from the root of the
repository, with the reference solutions in the place of a student's answers. $BUILD is the build folder (build).

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


def commands(page):
    return re.findall(r"^```sh\n(.*?)^```$", page.read_text(), re.M | re.S)


def main():
    build = os.environ.get("BUILD", "build")
    pages = [Path(name) for name in sys.argv[1:]] or sorted((ROOT / "docs/course").glob("*.md"))
    solutions = (ROOT / "course/solutions").exists()
    if not solutions:
        print("pages: no solutions here (course/solutions), so their commands are not run")
    ran = 0
    with tempfile.TemporaryDirectory() as work:
        for page in pages if solutions else []:
            for block in commands(page):
                if block.strip() == "make course":  # that is what runs this
                    continue
                # Runs go to a fresh folder: one that is used would be refused.
                text = block.replace("build/", f"{build}/").replace("runs/", f"{work}/")
                start = time.monotonic()
                done = subprocess.run(["bash", "-euo", "pipefail", "-c", text], cwd=ROOT, capture_output=True, text=True,
                                      errors="replace", env={**os.environ, "ANSWER": "reference", "BUILD": build})
                if done.returncode != 0:
                    sys.exit(f"error: [course] a command of {page.name} fails with {done.returncode}:\n{block}\n"
                             f"{done.stdout[-3000:]}{done.stderr[-3000:]}")
                ran += 1
                print(f"{page.name}: {block.strip().splitlines()[0]} ({time.monotonic() - start:.0f} s)")
    print(f"{ran} blocks of commands ran")


main()
