#!/usr/bin/env python3
"""Opens every page of the site in Chromium at desktop and phone width: nothing may come from a network, no page may be
wider than its screen, and equations must be drawn.

    tests/docs/check_site.py SITE [PICTURES]      # $CHROMIUM names the browser
"""
import os
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "report"))
from browser import Browser  # noqa: E402

SIZES = {"desktop": (1280, 900, False), "phone": (390, 844, True)}
PAGES = Path(__file__).resolve().parents[2] / "docs"


def equations_of(site, page):
    """How many equations the page's source has."""
    source = PAGES / page.relative_to(site).with_suffix(".md")
    if not source.exists():
        source = source.with_name("README.md")
    if page.name == "index.html" or not source.exists():
        return 0 if page.parent == site else count(source)
    return count(source)


def count(source):
    text = re.sub(r"^```.*?^```$|`[^`\n]+`", "", source.read_text(), flags=re.M | re.S)
    display = re.findall(r"\$\$(?:.|\n)+?\$\$", text)
    return len(display) + len(re.findall(r"\$(?=\S)[^$]+?(?<=\S)\$", re.sub(r"\$\$(?:.|\n)+?\$\$", "", text)))


def faults(browser, site, page, size, pictures):
    width, height, phone = SIZES[size]
    browser.open(page.as_uri(), width, height, "light", phone)
    for event in browser.events:
        if event.get("method") == "Network.requestWillBeSent":
            url = event["params"]["request"]["url"]
            if not url.startswith(("file:", "data:")):
                yield f"requests {url}"
        if event.get("method") == "Runtime.exceptionThrown":
            yield "a script fails"
    wide = browser.evaluate("document.documentElement.scrollWidth")
    if wide > width:
        yield f"is {wide} pixels wide"
    drawn = browser.evaluate("[...document.querySelectorAll('math')].filter(m => m.getBoundingClientRect().width > 4).length")
    if drawn != equations_of(site, page):
        yield f"draws {drawn} equations of {equations_of(site, page)}"
    raw = browser.evaluate("[...document.querySelectorAll('math')].map(m => m.textContent).filter(t => t.includes('\\\\'))")
    if raw:
        yield f"shows TeX in an equation: {raw}"
    if pictures:
        name = "-".join(page.relative_to(site).with_suffix("").parts)
        browser.screenshot(pictures / f"{name}-{size}.png")


def main():
    site, pictures = Path(sys.argv[1]).resolve(), Path(sys.argv[2]) if len(sys.argv) > 2 else None
    if pictures:
        pictures.mkdir(parents=True, exist_ok=True)
    browser = Browser(os.environ.get("CHROMIUM", "chromium"))
    wrong, pages = 0, [page for page in sorted(site.rglob("*.html")) if page.name != "404.html"]
    try:
        for page in pages:
            for size in SIZES:
                for fault in faults(browser, site, page, size, pictures):
                    wrong += 1
                    print(f"error: [docs] {page.relative_to(site)} ({size}) {fault}", file=sys.stderr)
    finally:
        browser.close()
    print(f"{len(pages)} pages at two sizes, {wrong} faults")
    sys.exit(wrong > 0)


main()
