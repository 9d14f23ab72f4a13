#!/usr/bin/env bash
# Makes a folder that can be carried to a machine with a GPU and nothing but a driver and Python: programs
# with machine code for sm_80, 90, 100 and 120, and PTX of sm_80 for what comes between and after, the
# libraries they need, and gpu_check.sh, which runs everything.
#
#   scripts/gpu_bundle.sh BUILD GPU_BUILD BUNDLE     # BUILD has the CPU device, for figures to compare with
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1 gpu_build=$2 bundle=$3
if ! command -v nvcc > /dev/null; then
  echo "error: [gpu-bundle] no nvcc here, expected a CUDA toolkit; see README.md" >&2
  exit 1
fi
cmake -S . -B "$gpu_build" -G Ninja -DADWP_CPU=OFF -DADWP_NATIVE=OFF -DADWP_TESTS=ON -DADWP_BENCH=ON \
      -DCMAKE_CUDA_ARCHITECTURES="80;90-real;100-real;120-real" \
      -DCMAKE_EXE_LINKER_FLAGS="-static-libstdc++ -static-libgcc -Wl,-rpath,'\$ORIGIN/../lib'"
cmake --build "$gpu_build" -j "${JOBS:-$(nproc)}"

rm -rf "$bundle"
mkdir -p "$bundle/programs" "$bundle/expected"
cp "$gpu_build"/apps/{search,train} "$gpu_build"/tests/adwp_tests \
   "$gpu_build"/bench/{evaluation_cost,kernel_bench,network_step,prediction_cost} "$bundle/programs"
strip "$bundle"/programs/*
cp bench/gpu/gpu_check.sh "$bundle"
cp bench/peers/pytorch_step.py bench/gpu/candidate.json apps/search/tiny.toml "$bundle"
scripts/bundle_libraries.sh "$bundle"
# What gpu_check.sh's searches give on the CPU.
search() {  # NAME OPTION...
  "$build/apps/search" --config apps/search/tiny.toml --out "$bundle/expected/$1" --device cpu --quiet \
      "${@:2}" > /dev/null
}
search step --data 'synthetic:48?size=16'
search epoch
du -sh "$bundle"
tar -cJf "$bundle.tar.xz" -C "$(dirname "$bundle")" "$(basename "$bundle")"
ls -lh "$bundle.tar.xz"
