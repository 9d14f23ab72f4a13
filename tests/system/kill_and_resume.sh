#!/usr/bin/env bash
# Kills searches and trainings at random moments, resumes them, and compares what they leave with an
# undisturbed run's. Usage: kill_and_resume.sh [KILLS [BUILD_FOLDER [SEED]]]; 30 kills take a few minutes.
#
# A program that is killed is started again with --resume and killed again, until it ends; then the next run
# begins. SEED makes the moments repeatable as far as the machine's speed is.
set -euo pipefail

kills=${1:-30}
apps=$(cd "${2:-build}/apps" && pwd)
RANDOM=${3:-1}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

search=("$apps/search" --data 'synthetic:300?size=16' --batch 32 --validation 0.2 --hyper-epochs 4
        --rank-sample 4 --rank-epochs 3 --population 6 --generations 6 --finalists 4 --finalist-epochs 4
        --halvings 1)
train=("$apps/train" --architecture "$work/search/best.json" --data 'synthetic:600?size=16' --batch 32
       --epochs 8)

# What must be equal: all but what a clock says. result.json has a key a line.
facts() {
  (cd "$1" && grep -vE '"(seconds|candidates_per_minute|images_per_second)"' result.json | sha256sum
   find . -name best.json -o -name '*.safetensors' | sort | xargs sha256sum)
}

milliseconds() { echo $(($(date +%s%N) / 1000000)); }

done_kills=0
# disturb OUT LENGTH PROGRAM...: one run, killed again and again within LENGTH milliseconds of each start.
disturb() {
  local out=$1 length=$2 killed=0
  shift 2
  while true; do
    local resume=()
    if [[ -d $out ]]; then resume=(--resume); fi
    "$@" --out "$out" "${resume[@]}" > /dev/null 2> "$work/err" &
    local child=$! delay=$((RANDOM * length / 32768))
    if ((done_kills < kills)); then
      sleep "$(printf '%d.%03d' $((delay / 1000)) $((delay % 1000)))"
      kill -KILL $child 2> /dev/null || true
    fi
    local status=0
    wait $child 2> /dev/null || status=$?
    if ((status == 0)); then break; fi
    if ((status != 137)); then
      echo "error: [kill_and_resume] got exit status $status, expected 0: $(cat "$work/err")" >&2
      exit 1
    fi
    killed=$((killed + 1)) done_kills=$((done_kills + 1))
  done
  echo "$(basename "$out"): $killed kills"
}

for program in search train; do
  declare -n command=$program
  start=$(milliseconds)
  "${command[@]}" --out "$work/$program" > /dev/null 2>&1
  declare "${program}_length=$(($(milliseconds) - start))"
  facts "$work/$program" > "$work/$program.facts"
done

for ((run = 1; done_kills < kills; ++run)); do
  for program in search train; do
    if ((done_kills >= kills)); then break; fi
    declare -n command=$program length=${program}_length
    disturb "$work/$program-$run" "$length" "${command[@]}"
    if ! diff "$work/$program.facts" <(facts "$work/$program-$run"); then
      echo "error: [kill_and_resume] $program-$run differs from the undisturbed run" >&2
      exit 1
    fi
  done
done
echo "$done_kills kills, $((run - 1)) rounds: all equal to the undisturbed runs"
