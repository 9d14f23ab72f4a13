#!/usr/bin/env bash
# Tests and a tiny search with AddressSanitizer and UBSan: no finding, no leak. Left out are the tests that
# train until something is learned; what they run is run by others.
#
#   scripts/sanitize.sh [BUILD_FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build-sanitize}
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=None -DCMAKE_CXX_FLAGS="-O1 -g1" -DADWP_BENCH=OFF \
      -DADWP_SANITIZE=address,undefined > "$build.log" || { cat "$build.log"; exit 1; }
cmake --build "$build" -j "${JOBS:-$(nproc)}" --target adwp_tests search train

export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
programs() {
  "$build/apps/search" --config apps/search/tiny.toml --out "$out/search" &&
  "$build/apps/train" --architecture "$out/search/best.json" --data 'synthetic:200?size=16' --epochs 1 \
      --out "$out/train"
}
# Two halves of the tests side by side, a core each; the programs beside them.
half() {
  GTEST_TOTAL_SHARDS=2 GTEST_SHARD_INDEX=$1 OMP_NUM_THREADS=1 "$build/tests/adwp_tests" --gtest_brief=1 \
      --gtest_filter='-*/cuda*:*Synthetic.A*:*TrainingASourceLearns*:*Weights*/emulated:*OnTheEmulated*:*PredictionBeatsChance*:*TheSameSeed*:*Killed*' \
      > "$out/half$1.log" 2>&1
}
failed=0 running=()
programs > "$out/programs.log" 2>&1 & running+=($!)
half 1 & running+=($!)
half 0 || failed=1
for process in "${running[@]}"; do wait "$process" || failed=1; done
cat "$out"/programs.log "$out"/half?.log
exit $failed
