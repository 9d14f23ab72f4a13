#!/usr/bin/env python3
"""Opens reports in Chromium and says what is wrong with them. Called by check_report.sh.

   check_report.py --browser PROGRAM --pictures FOLDER [--quick] KIND=REPORT ...

KIND is search, train, or unfinished (a search without candidates); --quick looks at the phone's size alone.
"""
import argparse
import pathlib
import sys

from browser import Browser

MOST_BYTES = 2_000_000
SIZES = {"desktop": (1280, 900, False), "phone": (390, 844, True)}
CHARTS = {"search": ["front", "hyper", "progress", "agreement", "ranks"], "train": ["loss", "accuracy", "rate", "classes"],
          "unfinished": ["hyper"]}

# For each canvas that is shown: does it hold pixels of at least two colours besides the empty one?
DRAWN = """Object.fromEntries([...document.querySelectorAll('canvas')].filter(c => c.offsetParent).map(c => {
  const pixels = new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer);
  return [c.id, new Set(pixels).size];
}))"""

# A column of the table as numbers, missing ones left out.
COLUMN = """(title => {
  const heads = [...document.querySelectorAll('#table thead th')];
  const column = heads.findIndex(h => h.textContent.startsWith(title));
  const unit = {k: 1e3, M: 1e6, G: 1e9};
  return [...document.querySelectorAll('#table tbody tr:not(.detail)')].map(r => r.cells[column].textContent)
    .filter(t => t !== '\\u2013').map(t => {
      const [, digits, prefix] = t.replace(/,/g, '').replace('\\u2212', '-').match(/^(-?[\\d.]+)\\s*([kMG]?)/);
      return Number(digits) * (unit[prefix] || 1);
    });
})"""
CLICK = """(title => [...document.querySelectorAll('#table thead button')]
  .find(b => b.textContent.startsWith(title)).click())"""


def check_page(browser, kind, wrong):
    events = browser.events
    for event in events:
        method, parameters = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            wrong(f"exception: {parameters['exceptionDetails'].get('exception', {}).get('description')}")
        elif method == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning", "assert"):
            wrong(f"console: {parameters['args']}")
        elif method == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            wrong(f"log: {parameters['entry']['text']}")
        elif method == "Network.requestWillBeSent":
            url = parameters["request"]["url"]
            if not url.startswith(("data:", "about:")) and parameters.get("type") != "Document":
                wrong(f"requests {url}")
    drawn = browser.evaluate(DRAWN)
    for chart in CHARTS[kind]:
        if drawn.get(chart, 0) < 10:
            wrong(f"chart '{chart}' is not drawn: {drawn.get(chart, 0)} colours")
    width, seen = browser.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    if width > seen:
        wrong(f"the page is {width} pixels wide where {seen} are seen")
    if kind != "unfinished" and not browser.evaluate("document.querySelector('svg.drawing rect') !== null"):
        wrong("no network is drawn")
    if not browser.evaluate("[...document.querySelectorAll('canvas')].every(c => c.ariaLabel || !c.offsetParent)"):
        wrong("a chart has no text")
    if kind == "train":
        rate = browser.evaluate("document.getElementById('rate').ariaLabel")
        if "Images had 8 px from epoch 1, 16 px from epoch 2." not in rate:
            wrong(f"the sizes of images are not said: {rate}")


def check_table(browser, wrong):
    for title in ("parameters", "MACs", "predicted loss"):
        orders = []
        for _ in range(2):
            browser.evaluate(f"{CLICK}('{title}')")
            values = browser.evaluate(f"{COLUMN}('{title}')")
            orders.append("falling" if values == sorted(values, reverse=True) else
                          "rising" if values == sorted(values) else "none")
        if len(set(values)) < 3 or orders != ["falling", "rising"]:
            wrong(f"the table does not sort by {title}: {orders} over {len(values)} rows")
        if browser.evaluate("document.querySelectorAll('#table th[aria-sort]').length") != 1:
            wrong("not one header says how the table is sorted")
    browser.evaluate("document.querySelector('#table tbody button').click()")
    if not browser.evaluate("document.querySelector('#table tr.detail svg.drawing rect') !== null"):
        wrong("a row of the table opens no drawing")


def check_keyboard(browser, wrong):
    """Tab, from the top of the page, reaches the table's header; Enter sorts by it, and again the other way."""
    focused = """(() => {
      const head = document.activeElement.closest('#table thead th');
      return head && head.textContent === 'MACs' ? head.getAttribute('aria-sort') || 'none' : null;
    })()"""
    browser.evaluate("document.activeElement.blur()")
    for _ in range(200):
        browser.press("Tab")
        if browser.evaluate(focused) == "none":
            break
    else:
        wrong("Tab does not reach the table's headers")
        return
    orders = []
    for _ in range(2):
        browser.press("Enter")
        orders.append(browser.evaluate(focused))
    if orders != ["descending", "ascending"]:
        wrong(f"Enter on a header of the table does not sort it: {orders}")


def check_theme(browser, wrong):
    paper = "getComputedStyle(document.body).backgroundColor"
    before = browser.evaluate(paper)
    browser.evaluate("document.getElementById('theme').click()")
    if browser.evaluate(paper) == before:
        wrong("the button changes no colours")


def check(browser, kind, report, pictures, sizes, wrong):
    if report.stat().st_size > MOST_BYTES:
        wrong(f"{report.name}: {report.stat().st_size} bytes")
    for size in sizes:
        width, height, phone = SIZES[size]
        for scheme in ("light", "dark"):
            name = f"{kind}-{size}-{scheme}"
            browser.open(report.resolve().as_uri(), width, height, scheme, phone)
            browser.screenshot(pictures / f"{name}.png")
            check_page(browser, kind, lambda what: wrong(f"{name}: {what}"))
            if kind == "search":
                check_keyboard(browser, lambda what: wrong(f"{name}: {what}"))
                check_table(browser, lambda what: wrong(f"{name}: {what}"))
            check_theme(browser, lambda what: wrong(f"{name}: {what}"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--browser", required=True)
    parser.add_argument("--pictures", required=True, type=pathlib.Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("reports", nargs="+", metavar="KIND=REPORT")
    options = parser.parse_args()
    options.pictures.mkdir(parents=True, exist_ok=True)
    faults = []
    browser = Browser(options.browser)
    try:
        for report in options.reports:
            kind, path = report.split("=", 1)
            check(browser, kind, pathlib.Path(path), options.pictures, ["phone"] if options.quick else SIZES, faults.append)
    finally:
        browser.close()
    for fault in faults:
        print(f"error: [report] {fault}", file=sys.stderr)
    if not faults:
        print(f"{len(options.reports)} reports are as they should be; pictures in {options.pictures}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
