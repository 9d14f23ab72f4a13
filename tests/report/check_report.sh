#!/usr/bin/env bash
# Opens the reports of a small search and a small training in Chromium, at desktop and phone width, in light and
# dark. Usage: check_report.sh [PROGRAMS] [PICTURES]; CHROMIUM names the browser (scripts/setup.sh report
# installs one). Planted faults must be caught. About half a minute.
set -euo pipefail
cd "$(dirname "$0")/../.."
programs=${1:-build/apps}
pictures=${2:-build/report-pictures}
browser=${CHROMIUM:-chromium}
if ! command -v "$browser" > /dev/null; then
  echo "error: [report] no browser, got '$browser', expected Chromium; run scripts/setup.sh report" >&2
  exit 2
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
check() { python3 tests/report/check_report.py --browser "$browser" --pictures "$@"; }

"$programs/search" --quiet --config apps/search/tiny.toml --data 'synthetic:600?size=16' --hyper-epochs 3 \
    --rank-sample 8 --population 10 --generations 3 --latency --out "$work/search" > /dev/null
# As if three ranks had shared the search.
echo '{"seconds":9.5,"phase":"ranks","hosts":["node1","node1","node2"],"until":9.5,' \
    '"busy":[[[0,4.2],[4.3,9.4]],[[0.1,6],[7,9]],[[0.1,3.5],[5,5.5],[8,9.3]]]}' >> "$work/search/log.jsonl"
"$programs/report" "$work/search" > /dev/null
"$programs/train" --quiet --architecture "$work/search/best.json" --data 'synthetic:600?size=16' --epochs 3 \
    --progressive 8:0.34 --out "$work/train" > /dev/null
# A search that stopped before its first candidate.
mkdir "$work/unfinished"
cp "$work/search/config.toml" "$work/search/log.jsonl" "$work/unfinished"
"$programs/report" "$work/unfinished" > /dev/null

check "$pictures" search="$work/search/report.html" train="$work/train/report.html" \
    unfinished="$work/unfinished/report.html"

# plant NAME SCRIPT EXPECTED: the report, changed by sed's SCRIPT, must be found wrong in EXPECTED.
plant() {
  sed "$2" "$work/search/report.html" > "$work/$1.html"
  if cmp -s "$work/search/report.html" "$work/$1.html"; then
    echo "error: [report] the fault '$1' cannot be planted: the page has nothing of the kind" >&2
    exit 1
  fi
  if check "$work/planted" --quick search="$work/$1.html" 2> "$work/faults"; then
    echo "error: [report] the planted fault '$1' was not caught" >&2
    exit 1
  fi
  grep -q "$3" "$work/faults" || { echo "error: [report] '$1' was taken for:" >&2; cat "$work/faults" >&2; exit 1; }
}
plant chart "s/^  chart('progress', /  void ('progress', /" "chart 'progress' is not drawn"
plant ranks "s/^  chart('ranks', /  void ('ranks', /" "chart 'ranks' is not drawn"
plant order 's/return ascending ? order : -order/return 0/' 'does not sort'
plant keyboard "s/className: 'plain'}, column.title/className: 'plain', tabIndex: -1}, column.title/" 'Tab does not reach'
plant enter 's/ascending = by === i/return; ascending = by === i/' 'Enter on a header'
plant network 's|img-src data:|img-src *|; s|<main>|<main><img alt="" src="http://127.0.0.1:9/picture.png">|' 'requests http'
plant width 's|<main>|<main><div style="width:3000px">wide</div>|' 'pixels wide'
echo "seven planted faults were caught"
