#!/usr/bin/env bash
# Every kernel on the emulated device under other schedules than the plain one, one schedule a core.
#
#   scripts/schedules.sh BUILD_FOLDER [SCHEDULES]
set -euo pipefail
build=$1 schedules=${2:-10}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
under() {
  ADWPNAS_EMULATION_SEED=$1 "$build/tests/adwp_tests" --gtest_brief=1 \
      --gtest_filter='*Operators*emulated*:*Contract*emulated*:*Fragments*emulated*:*PrecisionTest*emulated*:Emulated/*' \
      > "$work/$1.log" 2>&1 || touch "$work/$1.failed"
}
for (( seed = 1; seed <= schedules; ++seed )); do
  while (( $(jobs -rp | wc -l) >= ${JOBS:-$(nproc)} )); do wait -n; done
  under "$seed" &
done
wait
for (( seed = 1; seed <= schedules; ++seed )); do
  echo "schedule $seed:"
  cat "$work/$seed.log"
done
! compgen -G "$work/*.failed" > /dev/null
