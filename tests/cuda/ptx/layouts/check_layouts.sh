#!/usr/bin/env bash
# Holds the fragments of mma and ldmatrix, as the device emulated and the executor of PTX lay them out, to CuTe's
# traits. CUTLASS's headers come from PyPI (nvidia-cutlass), or from the folder in $CUTLASS; CUDA's from nvcc's
# toolkit.
#
#   tests/cuda/ptx/layouts/check_layouts.sh BUILD_FOLDER      # a configured build folder, for generated headers
set -euo pipefail
cd "$(dirname "$0")/../../../.."
build=$1
if ! command -v nvcc > /dev/null; then
  echo "SKIPPED: check_layouts.sh, for want of CUDA's headers" >&2
  exit 0
fi
cuda=$(dirname "$(dirname "$(readlink -f "$(command -v nvcc)")")")/include
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cutlass=${CUTLASS:-}
if [[ -z $cutlass ]]; then
  python3 -m venv "$work/venv"  # in Debian a package of its own: scripts/setup.sh python
  "$work/venv/bin/pip" download -q --no-deps --disable-pip-version-check -d "$work" nvidia-cutlass
  python3 -m zipfile -e "$work"/nvidia_cutlass-*.whl "$work/cutlass"
  cutlass=$(dirname "$(dirname "$(find "$work/cutlass" -path '*/include/cute/tensor.hpp')")")
fi

flags=(-std=c++20 -O2 -I. "-I$build/generated" -w)
compile() {  # beside others, one a core
  while (( $(jobs -rp | wc -l) >= ${JOBS:-$(nproc)} )); do wait -n; done
  { g++ "${flags[@]}" "${@:2}" -c "$1" -o "$work/${1//\//_}.o" || touch "$work/failed"; } &
}
compile tests/cuda/ptx/layouts/check_layouts.cpp -isystem "$cutlass" -isystem "$cuda" -isystem "$cuda/cccl"
compile tests/cuda/ptx/layouts/emulated.cpp -DADWP_GPU=emulated
compile tests/cuda/ptx/layouts/executed.cpp
for source in cuda/emulation/*.cpp framework/core/error.cpp; do compile "$source" -DADWP_GPU=emulated; done
for name in advance counts floating_point instruction_builder integers loads_stores memory_checks moves parser rounding \
            scheduler warp_operations; do
  compile "tests/cuda/ptx/$name.cpp" -fno-strict-aliasing
done
wait
if [[ -e $work/failed ]]; then exit 1; fi
g++ -o "$work/check_layouts" "$work"/*.o -lboost_context -lfmt -lpthread
"$work/check_layouts"
