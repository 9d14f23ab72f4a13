#!/usr/bin/env python3
"""Lays out the answers that check the checkers: the reference solution of a lab, and each wrong one.

    course/plant.py SOLUTIONS ANSWERS        # .../solutions/lab1 build/course/answers/lab1

A wrong solution is the reference with a change, an entry of SOLUTIONS/wrong.txt:

    NAME | FILE | TEXT THAT THE CHECKER MUST SAY        # or NAME(ARGUMENT), which the checker then gets
    - lines to be found, exactly once (leading blanks do not count)
    + lines that take their place
    ...                                      # and so on: further changes of the file

`- *` stands for the whole file. Writes ANSWERS/reference/ and ANSWERS/NAME/, with the argument and the text as the two
lines of ANSWERS/NAME.expected. Sources are left out where they are the reference's: its program does for both.
"""
import re
import shutil
import sys
from pathlib import Path


def entries(text):
    """(name, argument, file, expected, [(lines to find, lines to put)...]) of each."""
    for block in re.split(r"\n(?=\w+(?:\(\w+\))? \|)", "\n" + re.sub(r"^#.*\n", "", text, flags=re.M))[1:]:
        head, *lines = block.splitlines()
        name, file, expected = (part.strip() for part in head.split("|", 2))
        changes = []
        for before, line in zip(["", *lines], lines):
            if line[:1] == "-" and before[:1] != "-":
                changes.append(([], []))
            if line[:1] in ("-", "+"):
                changes[-1]["-+".index(line[0])].append(line[2:])
        name, _, argument = name.rstrip(")").partition("(")
        yield name, argument, file, expected, changes


def changed(text, old, new):
    """The text with the lines `old`, found once, replaced by `new`; None where they are not found once."""
    if old == ["*"]:
        return "\n".join(new) + "\n" if new else ""
    pattern = r"\n\s*".join(re.escape(line.strip()) for line in old)
    if len(re.findall(pattern, text)) != 1:
        return None
    return re.sub(pattern, lambda _: "\n".join(new), text)


def write(path, text):
    """Leaves a file alone that holds the text already, so that nothing is built anew."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def main():
    solutions, answers = Path(sys.argv[1]), Path(sys.argv[2])
    reference = {path.name: path.read_text() for path in (solutions / "reference").iterdir()}
    sources = {name for name in reference if name.endswith((".cpp", ".cu"))}
    planned = {"reference": (reference, None)}
    for name, argument, file, expected, changes in entries((solutions / "wrong.txt").read_text()):
        text = reference[file]
        for old, new in changes:
            text = changed(text, old, new)
            if text is None:
                sys.exit(f"error: [course] the wrong solution {name} cannot be planted, got no single place in {file}, "
                         f"expected {' / '.join(old)}")
        files = {**reference, file: text}
        if file not in sources:
            files = {name: text for name, text in files.items() if name not in sources}
        planned[name] = (files, f"{argument}\n{expected}\n")
    for old_folder in answers.glob("*") if answers.exists() else []:
        if old_folder.is_dir() and old_folder.name not in planned:
            shutil.rmtree(old_folder)
            old_folder.with_suffix(".expected").unlink(missing_ok=True)
    for name, (files, expected) in planned.items():
        for file, text in files.items():
            write(answers / name / file, text)
        for path in (answers / name).iterdir():  # of another set of files
            if path.name not in files:
                path.unlink()
        if expected is not None:
            write(answers / f"{name}.expected", expected)


main()
