#!/usr/bin/env python3
"""Lays out the pages of the site: docs/ with README.md as its first page.

    scripts/docs/stage.py PAGES

Links to files that are no pages (sources, data, the licence) become plain text: the site stands alone.
"""
import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FONT = Path("/usr/share/texmf/fonts/opentype/public/lm-math/latinmodern-math.otf")  # Debian's fonts-lmodern
LINK = re.compile(r"(?<!!)\[([^\]\n]+)\]\(([^)\s]+)\)")


def linked(text, page, pages):
    """The text with those links left that lead to a page, a picture, or out."""
    parts = re.split(r"(^```.*?^```$|`[^`\n]+`)", text, flags=re.M | re.S)

    def keep(match):
        target = match[2].split("#")[0]
        if not target or target.startswith("http") or (pages / page.parent / target).is_file():
            return match[0]
        return match[1]

    joined = "".join(part if i % 2 else LINK.sub(keep, part) for i, part in enumerate(parts))
    # A link whose text is code was cut apart above.
    return re.sub(r"\[(`[^`\n]+`)\]\(([^)\s]+)\)", keep, joined)


def main():
    pages = Path(sys.argv[1])
    shutil.rmtree(pages, ignore_errors=True)
    shutil.copytree(ROOT / "docs", pages, ignore=shutil.ignore_patterns("*.jsonl", "*.json", "*.csv", "*.txt"))
    shutil.copy(ROOT / "scripts/docs/style.css", pages)
    if FONT.exists():  # else the browser takes a font of its machine
        shutil.copy(FONT, pages)
    readme = (ROOT / "README.md").read_text()
    readme = re.sub(r'(\]\(|src=")docs/', r"\1", readme)
    (pages / "index.md").write_text(readme)
    for path in pages.rglob("*.md"):
        path.write_text(linked(path.read_text(), path.relative_to(pages), pages))


main()
