#!/usr/bin/env bash
# Every kernel under ThreadSanitizer, on the emulated device: each CUDA thread is a thread of its own to it,
# ordered by barriers and warp operations alone.
#
#   scripts/sanitize_threads.sh [BUILD_FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build-threads}
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DADWP_BENCH=OFF -DADWP_CPU=OFF \
      -DADWP_SANITIZE=thread
cmake --build "$build" -j "${JOBS:-$(nproc)}" --target adwp_tests
for workers in 1 2; do
  ADWPNAS_EMULATION_WORKERS=$workers TSAN_OPTIONS=halt_on_error=1 \
      "$build/tests/adwp_tests" --gtest_brief=1 --gtest_filter='*Operators*emulated*:*Contract*emulated*:*Fragments*'
done
