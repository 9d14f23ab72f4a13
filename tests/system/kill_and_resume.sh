#!/usr/bin/env bash
# Kills searches and trainings in each of their phases and at random moments, resumes them, and compares what
# they leave with an undisturbed run's. Usage: kill_and_resume.sh [KILLS [BUILD_FOLDER [SEED]]]; 6 kills, one a
# phase of a search and two of a training, take seconds, 30 a minute or two.
#
# A program that is killed is started again with --resume and killed again, in the phase that comes next and
# then wherever it may be; then the next run begins. SEED makes the moments repeatable as far as the machine's
# speed is.
set -euo pipefail

kills=${1:-30}
apps=$(cd "${2:-build}/apps" && pwd)
RANDOM=${3:-1}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

search=("$apps/search" --data 'synthetic:300?size=16' --batch 32 --validation 0.2 --hyper-epochs 4
        --rank-sample 4 --rank-epochs 2 --population 6 --generations 6 --finalists 4 --finalist-epochs 4
        --halvings 1)
train=("$apps/train" --architecture "$work/search/best.json" --data 'synthetic:600?size=16' --batch 32
       --epochs 8)

# What must be equal: all but what a clock says. result.json has a key a line.
facts() {
  (cd "$1" && grep -vE '"(seconds|candidates_per_minute|images_per_second)"' result.json | sha256sum
   find . -name best.json -o -name '*.safetensors' | sort | xargs sha256sum)
}

milliseconds() { echo $(($(date +%s%N) / 1000000)); }

pause() { sleep "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))"; }

# Returns once process $1 has shown progress in phase $2, or has ended.
wait_for_phase() {
  until grep -qs "^$2" "$work/err" || ! kill -0 "$1" 2> /dev/null; do sleep 0.005; done
}

search_phases=(HyperNetwork 'rank sample' evolution finalists)
train_phases=(train)
random_kills=$((kills < 9 ? 0 : 2))  # of a search, after those in its phases; a training has one more

done_kills=0
# disturb NAME OUT LENGTH PROGRAM...: one run, killed in each phase of program NAME, then within LENGTH
# milliseconds of each start.
disturb() {
  local -n phases=${1}_phases
  local out=$2 length=$3 killed=0 most=$((${#phases[@]} + random_kills))
  if [[ $1 == train ]]; then most=$((most + 1)); fi
  shift 3
  local where=""
  while true; do
    local resume=()
    if [[ -d $out ]]; then resume=(--resume); fi
    "$@" --out "$out" "${resume[@]}" > /dev/null 2> "$work/err" &
    local child=$!
    if ((done_kills < kills && killed < most)); then
      if ((killed < ${#phases[@]})); then
        wait_for_phase $child "${phases[killed]}"
        pause $((RANDOM * 50 / 32768))
      else
        pause $((RANDOM * length / 32768))
      fi
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
    where+=", $(tail -1 "$work/err" | cut -c 1-18)"
  done
  echo "$(basename "$out"): $killed kills, last seen: ${where:2}"
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
    disturb "$program" "$work/$program-$run" "$length" "${command[@]}"
    if ! diff "$work/$program.facts" <(facts "$work/$program-$run"); then
      echo "error: [kill_and_resume] $program-$run differs from the undisturbed run" >&2
      exit 1
    fi
  done
done
echo "$done_kills kills, $((run - 1)) rounds: all equal to the undisturbed runs"
