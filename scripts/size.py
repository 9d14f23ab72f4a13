#!/usr/bin/env python3
"""Counts the code lines (neither blank nor only comment) of the .h .cpp .cu .cuh files that git knows.

    scripts/size.py [--check]   # --check: fails beyond scripts/size_budget
The core is CORE. Lines of scripts/size_budget: `core NUMBER REASON`, of which the last counts, and
`function FILE:NAME REASON` for a function that may be longer than others.
"""
import re
import statistics
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CORE = ("framework", "cpu", "cuda", "data", "nas")  # and nas/export counts separately
LONGEST = 60  # lines of a function of these and of apps
NO_FUNCTION = re.compile(r"(inline )?(namespace|class|struct|enum|union|extern|if|for|while|switch|do|else|try|return)\b")


def functions(lines):
    """(name, lines) of each function: as clang-format has it, from its head to the brace below the head's start."""
    start, head, end = 0, "", -1
    for i, line in enumerate(lines):
        text = line.split("//")[0].rstrip()
        if i <= end or not text or text.lstrip().startswith("#") or text.strip() in ("public:", "private:", "protected:"):
            continue
        if not head:
            start = i
        head += " " + text.strip()
        if text.endswith("{") and "(" in head and not NO_FUNCTION.match(head.strip()):
            indent = re.match(" *", lines[start])[0]
            end = next((j for j in range(i, len(lines)) if re.match(indent + "}", lines[j])), i)
            yield re.findall(r"([\w:~]+)\(", head)[:1], end - start + 1
        if text[-1] in ";{}":
            head = ""


def main():
    listed = subprocess.check_output(["git", "ls-files", "*.h", "*.cpp", "*.cu", "*.cuh"], cwd=ROOT, text=True).split()
    budget = [line.split(" ", 2)[:2] for line in (ROOT / "scripts/size_budget").read_text().splitlines()]
    allowed, exempt = int(dict(budget)["core"]), {name for kind, name in budget if kind == "function"}
    folders, lengths, long = Counter(), [], []
    for name in (name for name in listed if (ROOT / name).exists()):
        lines = (ROOT / name).read_text().splitlines()
        folder = "nas/export" if name.startswith("nas/export/") else name.split("/")[0]
        folders[folder] += sum(bool(line.strip()) and not line.strip().startswith("//") for line in lines)
        if folder in (*CORE, "nas/export", "apps"):
            lengths.append(len(lines))
            long += [(f"{name}:{''.join(f)}", n) for f, n in functions(lines) if n > LONGEST]
    core = sum(folders[folder] for folder in CORE)
    print(*(f"{folder:12} {count:7,}" for folder, count in sorted(folders.items())), sep="\n")
    print(f"{'core':12} {core:7,} of {allowed:,}\n{len(lengths)} files of the core and apps: median "
          f"{statistics.median(lengths):.0f} lines, {sum(n < 30 for n in lengths)} under 30")
    heart = re.findall(r"^\| `([\w/.]+)` \|", (ROOT / "docs/guide.md").read_text(), re.M)
    print(f"the heart (docs/guide.md): {len(heart)} files, "
          f"{sum(len((ROOT / name).read_text().splitlines()) for name in heart):,} lines with comments")
    print(*(f"{n} lines: {name}" + " (allowed)" * (name in exempt) for name, n in long), sep="\n")
    if "--check" in sys.argv and (core > allowed or {name for name, _ in long} - exempt):
        sys.exit(f"error: [size] too large, got a core of {core} lines and the functions above, expected {allowed} "
                 f"lines and none over {LONGEST}; shorten, or raise scripts/size_budget with the reason")

main()
