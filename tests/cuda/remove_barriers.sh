#!/usr/bin/env bash
# Does a test fail when a barrier is missing? Takes barriers out of the real kernels, one at a time, builds
# the tests with the faulty kernel in front of the good one, and expects them to fail under some schedule.
#
#   tests/cuda/remove_barriers.sh BUILD_FOLDER      # prints a line a barrier; exit 1 if one goes unnoticed
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# kernel file, number of the barrier in it (from 1), tests that use it
faults=(
  "tile_product.cuh 1 gemm *emulated*"
  "tile_product.cuh 2 gemm *Ladder*"
  "column_reduce.cuh 1 batch_norm *emulated*"
  "depthwise.cu 1 depthwise *emulated*"
  "depthwise.cu 2 depthwise *emulated*"
  "depthwise.cu 3 depthwise *emulated*"
  "elementwise.cu 1 elementwise *emulated*"
  "pooling.cu 1 pooling *emulated*"
  "loss.cu 1 loss *emulated*"
  "reduce.cu 1 reduce *emulated*"
)
# The command that compiles the emulated kernel NAME, and the one that links the tests.
compile_command() {
  ninja -C "$build" -t commands adwp_tests | grep -- "generated/emulated/$1.cpp" | tail -1
}
link_command=$(ninja -C "$build" -t commands adwp_tests | grep -- '-o tests/adwp_tests ' | tail -1)
missed=0
for fault in "${faults[@]}"; do
  read -r file number kernel tests <<< "$fault"
  rm -rf "$work/cuda"
  mkdir -p "$work/cuda"
  cp -r cuda/kernels "$work/cuda/kernels"
  awk -v n="$number" '/__syncthreads\(\);/ && ++seen == n { sub(/__syncthreads\(\);/, ";") } { print }' \
    "cuda/kernels/$file" > "$work/cuda/kernels/$file"
  if cmp -s "cuda/kernels/$file" "$work/cuda/kernels/$file"; then
    echo "no barrier $number in $file" >&2
    exit 1
  fi
  command=$(compile_command "$kernel")
  command=${command#*&& }
  object="$work/faulty.o"
  # The faulty copy is found before the good one.
  (cd "$build" && eval "$(sed -E "s| -o [^ ]+| -o $object|; s| -MF [^ ]+| -MF $work/d|; s| -I| -I$work -I|" <<< "$command")")
  (cd "$build" && eval "$(sed -E "s| -o tests/adwp_tests | $object -o $work/tests |; s/ && cd .*//" <<< "${link_command#*&& }")")
  caught=""
  for seed in 0 1 2 3 4 5; do
    if ! ADWPNAS_EMULATION_SEED=$seed timeout 300 "$work/tests" \
         --gtest_filter="Device/Operators$tests:Device/Contract$tests:$tests-*Synthetic*:*Weights*" > "$work/log" 2>&1; then
      caught=$seed
      break
    fi
  done
  if [[ -n $caught ]]; then
    echo "$file, barrier $number: caught under schedule $caught"
  else
    echo "$file, barrier $number: NOT CAUGHT"
    missed=1
  fi
done
exit $missed
