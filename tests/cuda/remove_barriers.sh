#!/usr/bin/env bash
# Takes every barrier and every wait out of the real kernels, one at a time, and expects a test on the
# emulated device to fail under one of a few schedules.
#
#   tests/cuda/remove_barriers.sh BUILD_FOLDER [SCHEDULES]     # a folder in which adwp_tests is built
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$1 schedules=${2:-4}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/cuda/kernels"

# How ninja links the tests; a mutant's object stands before the libraries, so that theirs is not taken.
link=$(ninja -C "$build" -t commands adwp_tests | grep -- '-o tests/adwp_tests ' | tail -1)
link=${link#*: && }
link=${link%% && *}
link=${link/-o tests\/adwp_tests/"$work/mutant.o" -o $work/mutant}

missed=0 caught=0
while IFS=: read -r file line code; do
  name=$(basename "$file")
  case $name in  # a kernel that is made of the header
    tile_product.cuh) source=gemm.cu ;;
    column_reduce.cuh) source=batch_norm.cu ;;
    *) source=$name ;;
  esac
  rm -f "$work"/cuda/kernels/*
  sed -E "${line}s/(__syncthreads|__syncwarp|ptx::cp_async_wait<[0-9]>)\(\);/;/" "$file" > "$work/cuda/kernels/$name"
  [[ -f $work/cuda/kernels/$source ]] || cp "cuda/kernels/$source" "$work/cuda/kernels/$source"
  g++ -std=c++20 -O1 -DADWP_GPU=emulated -DFMT_SHARED -I"$work" -I. -I"$build/generated" -w -x c++ \
      -c "$work/cuda/kernels/$source" -o "$work/mutant.o"
  (cd "$build" && eval "$link")
  result=missed
  for (( seed = 0; seed <= schedules; ++seed )); do
    if ! ADWPNAS_EMULATION_SEED=$seed timeout 300 "$work/mutant" --gtest_brief=1 --gtest_fail_fast \
        --gtest_filter='*Operators.ResultsAreTheOracles/emulated:*Operators.Gradients*emulated:*Contract*emulated:*Fragments*emulated' \
        > "$work/log" 2>&1; then
      result="caught under schedule $seed"
      break
    fi
  done
  if [[ $result == missed ]]; then missed=$((missed + 1)); else caught=$((caught + 1)); fi
  echo "$file:$line without ${code#"${code%%[![:space:]]*}"} $result"
done < <(grep -nE '__syncthreads\(\);|__syncwarp\(\);|cp_async_wait<[0-9]>\(\);' cuda/kernels/*.cu cuda/kernels/*.cuh)
echo "$caught caught, $missed missed"
(( missed == 0 && caught >= 6 ))
