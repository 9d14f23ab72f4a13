#!/usr/bin/env bash
# Runs every fuzz target (libFuzzer with AddressSanitizer and UBSan), one a core, and prints a table: inputs
# tried, coverage (edges, features), inputs kept, findings. Ends with 1 when there is one; the input that shows
# it stays in BUILD_FOLDER/findings/TARGET. The corpus stays in BUILD_FOLDER/corpus, for the next run to go on from.
#
#   scripts/fuzz.sh [SECONDS_PER_TARGET] [BUILD_FOLDER]     60, build-fuzz
#   TARGETS="idx cifar" scripts/fuzz.sh 600                 these alone
#
# One input again: BUILD_FOLDER/tests/fuzz/fuzz_TARGET FILE
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
build=${2:-build-fuzz}
jobs=${JOBS:-$(nproc)}
if ! [[ $seconds =~ ^[0-9]+$ ]] || (( seconds < 1 )); then
  echo "error: [fuzz] bad time, got '$seconds', expected whole seconds per target" >&2
  exit 2
fi
clang=${CXX:-clang++}
if ! command -v "$clang" > /dev/null; then
  echo "error: [fuzz] no $clang here, expected clang with libFuzzer; run scripts/setup.sh fuzz" >&2
  exit 2
fi

cmake -S . -B "$build" -G Ninja -DCMAKE_CXX_COMPILER="$clang" -DCMAKE_BUILD_TYPE=None \
      -DCMAKE_CXX_FLAGS="-O1 -g1" -DADWP_FUZZ=ON -DADWP_NATIVE=OFF > "$build.log" || { cat "$build.log"; exit 1; }
cmake --build "$build" -j "$jobs" --target fuzz_targets

# Inputs that are too long say nothing new: as large as two of the seeds.
longest() {
  case $1 in
    data_spec) echo 400 ;;
    image_file | image_folder) echo 3000 ;;
    run_store) echo 200000 ;;
    *) echo 20000 ;;
  esac
}

all=()
for source in tests/fuzz/targets/*.cpp; do all+=("$(basename "$source" .cpp)"); done
read -r -a targets <<< "${TARGETS:-${all[*]}}"

# What targets write is small and short-lived: it belongs into memory.
place=$(mktemp -d -p "$( [[ -w /dev/shm ]] && echo /dev/shm || echo "${TMPDIR:-/tmp}" )")
trap 'rm -rf "$place"' EXIT
export ASAN_OPTIONS=quarantine_size_mb=16:allocator_may_return_null=1:detect_leaks=1
export UBSAN_OPTIONS=print_stacktrace=1

rm -rf "$build/seeds"
TMPDIR=$place "$build/tests/fuzz/fuzz_seeds" "$build/seeds"

fuzz() {
  local target=$1 corpus=$build/corpus/$1 findings=$build/findings/$1 log=$build/logs/$1.log
  local dictionary=tests/fuzz/dictionaries/$1.dict options=()
  mkdir -p "$corpus" "$findings" "$build/logs" "$place/$1"
  if [[ -f $dictionary ]]; then options+=(-dict="$dictionary"); fi
  # 0: finished; all else is a finding, or a target that does not start.
  if TMPDIR=$place/$1 "$build/tests/fuzz/fuzz_$1" "$corpus" "$build/seeds/$1" "${options[@]}" \
      -max_total_time="$seconds" -rss_limit_mb=1024 -timeout=10 -max_len="$(longest "$1")" \
      -artifact_prefix="$findings/" -print_final_stats=1 > "$log" 2>&1; then
    echo finished > "$build/logs/$1.status"
  else
    echo failed > "$build/logs/$1.status"
  fi
}

running=0
for target in "${targets[@]}"; do
  rm -f "$build/logs/$target.status"
  if (( running >= jobs )); then wait -n; running=$((running - 1)); fi
  fuzz "$target" &
  running=$((running + 1))
done
wait

failed=0
printf '%-14s %12s %8s %9s %7s %9s\n' target executions edges features corpus findings
for target in "${targets[@]}"; do
  log=$build/logs/$target.log
  last=$(grep -aE '^#[0-9]+.* cov: ' "$log" | tail -1 || true)
  field() { grep -oP "(?<= $1: )[0-9]+" <<< "$last" || echo -; }
  executions=$(grep -aoP '(?<=number_of_executed_units: )[0-9]+' "$log" || grep -oP '(?<=^#)[0-9]+' <<< "$last" || echo -)
  found=$(find "$build/findings/$target" -type f -newer "$build/seeds" | wc -l)
  if [[ $(cat "$build/logs/$target.status" 2> /dev/null) != finished ]]; then
    failed=1
    (( found > 0 )) || found=1
  fi
  printf '%-14s %12s %8s %9s %7s %9s\n' "$target" "$executions" "$(field cov)" "$(field ft)" \
      "$(find "$build/corpus/$target" -type f | wc -l)" "$found"
done
for target in "${targets[@]}"; do
  if [[ $(cat "$build/logs/$target.status" 2> /dev/null) == finished ]]; then continue; fi
  echo "--- $target: $build/logs/$target.log"
  grep -aE 'finding:|ERROR:|runtime error:|SUMMARY:|artifact_prefix|Test unit written' "$build/logs/$target.log" || tail -5 "$build/logs/$target.log"
done
exit $failed
