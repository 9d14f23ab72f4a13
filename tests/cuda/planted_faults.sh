#!/usr/bin/env bash
# Expects every planted fault of planted_faults.cpp to be reported by its sanitizer, and right kernels to
# pass all of them.
#
#   tests/cuda/planted_faults.sh BUILD_FOLDER     # a configured build folder, for generated headers
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
flags=(-std=c++20 -O1 -g -I. "-I$build/generated" -Wno-restrict)
libraries=(-lfmt -lboost_context -lpthread)

g++ "${flags[@]}" -fsanitize=address,undefined -fno-sanitize-recover=all -o "$work/asan" \
    tests/cuda/planted_faults.cpp cuda/emulation/*.cpp framework/core/error.cpp "${libraries[@]}" &
asan=$!
# The scheduler is built without ThreadSanitizer and tells it what orders threads.
for source in block_runner scheduler; do
  g++ "${flags[@]}" -DADWP_EMULATION_TSAN=1 -c "cuda/emulation/$source.cpp" -o "$work/$source.o"
done
g++ "${flags[@]}" -fsanitize=thread -o "$work/tsan" tests/cuda/planted_faults.cpp framework/core/error.cpp "$work"/*.o "${libraries[@]}"
wait $asan

failed=0
expect() {  # sanitizer, fault, text of the report
  if output=$("$work/$1" "$2" 2>&1); then status=0; else status=$?; fi
  if [[ $2 == none ]]; then
    if [[ $status != 0 || $output != *done* ]]; then failed=1; echo "$1: right kernels are reported: $output"; fi
  elif [[ $status == 0 || $output != *"$3"* ]]; then
    failed=1
    echo "$1 does not see $2 (status $status): $output"
  else
    echo "$1 sees $2"
  fi
}
expect asan none ""
expect tsan none ""
for fault in shared_race global_race missing_syncwarp missing_barrier; do expect tsan $fault "data race"; done
for fault in past_shared past_dynamic past_global; do expect asan $fault "AddressSanitizer"; done
expect asan misaligned "misaligned address"
exit $failed
