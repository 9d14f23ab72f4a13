#!/usr/bin/env bash
# Takes every barrier and every wait out of the real kernels, one at a time, and expects a test on the
# emulated device to fail under one of a few schedules.
#
#   tests/cuda/remove_barriers.sh BUILD_FOLDER [SCHEDULES]     # a folder in which adwp_tests is built
#   SHARE=0/2 tests/cuda/remove_barriers.sh ...               # every second of them, from the first
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$1 schedules=${2:-4}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# How ninja links the tests; a mutant's object stands before the libraries, so that theirs is not taken.
link=$(ninja -C "$build" -t commands adwp_tests | grep -- '-o tests/adwp_tests ' | tail -1)
link=${link#*: && }
link=${link%% && *}

try_without() {  # FILE LINE CODE: prints whether the tests see that the line's barrier is missing
  local file=$1 line=$2 code=$3 name own source seed result=missed
  name=$(basename "$file")
  own=$work/$name-$line
  case $name in  # a kernel that is made of the header
    tile_product.cuh | tile_loader.cuh | norm_sums.cuh) source=gemm.cu ;;
    tile_moments.cuh) source=convolution.cu ;;
    column_reduce.cuh) source=batch_norm.cu ;;
    part_sums.cuh | depthwise_tile.cuh | input_norm.cuh | last_block.cuh) source=depthwise.cu ;;
    *) source=$name ;;
  esac
  mkdir -p "$own/cuda/kernels"
  sed -E "${line}s/(__syncthreads|__syncwarp|ptx::cp_async_wait<[0-9]>)\(\);/;/" "$file" > "$own/cuda/kernels/$name"
  [[ -f $own/cuda/kernels/$source ]] || cp "cuda/kernels/$source" "$own/cuda/kernels/$source"
  g++ -std=c++20 -O1 -DADWP_GPU=emulated -DFMT_SHARED -I"$own" -I. -I"$build/generated" -w -x c++ \
      -c "$own/cuda/kernels/$source" -o "$own/mutant.o"
  (cd "$build" && eval "${link/-o tests\/adwp_tests/"$own/mutant.o" -o $own/mutant}")
  for (( seed = 0; seed <= schedules; ++seed )); do
    if ! ADWPNAS_EMULATION_SEED=$seed timeout 300 "$own/mutant" --gtest_brief=1 --gtest_fail_fast \
        --gtest_filter='*Operators.Res*emulated:*Operators.Gradients*emulated:*Contract*emulated:*Fragments*emulated:*Storage*emulated:*TrivialAugment*emulated' \
        > "$own/log" 2>&1; then
      result="caught under schedule $seed"
      break
    fi
  done
  echo "$file:$line without ${code#"${code%%[![:space:]]*}"} $result"
  rm -rf "$own"
}

places() {
  grep -nE '__syncthreads\(\);|__syncwarp\(\);|cp_async_wait<[0-9]>\(\);' cuda/kernels/*.cu cuda/kernels/*.cuh |
    awk -v share="${SHARE:-0/1}" 'BEGIN { split(share, s, "/") } (NR - 1) % s[2] == s[1]'
}

while IFS=: read -r file line code; do
  while (( $(jobs -rp | wc -l) >= ${JOBS:-$(nproc)} )); do wait -n; done
  try_without "$file" "$line" "$code" >> "$work/results" &
done < <(places)
wait
sort "$work/results"
caught=$(grep -c 'caught under schedule' "$work/results" || true)
tried=$(places | wc -l)
echo "$caught of $tried caught"
(( caught == tried && caught >= 6 ))
