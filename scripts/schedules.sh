#!/usr/bin/env bash
# Every kernel on the emulated device under other schedules than the plain one.
#
#   scripts/schedules.sh BUILD_FOLDER [SCHEDULES]
set -euo pipefail
build=$1 schedules=${2:-10}
for (( seed = 1; seed <= schedules; ++seed )); do
  ADWPNAS_EMULATION_SEED=$seed "$build/tests/adwp_tests" --gtest_brief=1 \
      --gtest_filter='*Operators*emulated*:*Contract*emulated*:*Fragments*emulated*:*PrecisionTest*emulated*:Emulated/*'
done
