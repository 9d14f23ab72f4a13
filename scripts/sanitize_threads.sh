#!/usr/bin/env bash
# Every kernel under ThreadSanitizer, on the emulated device: each CUDA thread is a thread of its own to it,
# ordered by barriers and warp operations alone. With two workers, blocks run side by side. Left out are batches that
# make nothing but the grid large.
#
#   scripts/sanitize_threads.sh [BUILD_FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build-threads}
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=None -DCMAKE_CXX_FLAGS="-O1 -g1" -DADWP_BENCH=OFF \
      -DADWP_CPU=OFF -DADWP_SANITIZE=thread > "$build.log" || { cat "$build.log"; exit 1; }
cmake --build "$build" -j "${JOBS:-$(nproc)}" --target adwp_kernel_tests
ADWPNAS_EMULATION_WORKERS=2 ADWPNAS_EMULATION_SEED=1 TSAN_OPTIONS=halt_on_error=1 \
    "$build/tests/adwp_kernel_tests" --gtest_brief=1 \
    --gtest_filter='*Operators*emulated*:*Contract*emulated*:*Fragments*emulated*:Emulated/*:-*VeryLargeBatches*'
