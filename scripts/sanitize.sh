#!/usr/bin/env bash
# Tests and a tiny search with AddressSanitizer and UBSan: no finding, no leak.
#
#   scripts/sanitize.sh [BUILD_FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build-sanitize}
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DADWP_BENCH=OFF \
      -DADWP_SANITIZE=address,undefined
cmake --build "$build" -j "${JOBS:-$(nproc)}"

export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
"$build/apps/search" --config apps/search/tiny.toml --out "$out/search"
"$build/apps/train" --architecture "$out/search/best.json" --data 'synthetic:200?size=16' --epochs 1 \
    --out "$out/train"
ctest --test-dir "$build" --output-on-failure
