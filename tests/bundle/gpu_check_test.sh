#!/usr/bin/env bash
# gpu_check.sh with programs that only say what they are told to: it must fail where no test ran on a GPU,
# where a test fails, and where losses differ by more than rounding; and pass where all is well.
#
#   tests/bundle/gpu_check_test.sh GPU_CHECK
set -euo pipefail
check=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/bin" "$work/path" "$work/expected/step" "$work/expected/epoch"
cp "$check" "$work/gpu_check.sh"
program() {  # FILE; the body from standard input
  { echo '#!/usr/bin/env bash'; cat; } > "$1"
  chmod +x "$1"
}
for name in nvidia-smi compute-sanitizer; do echo 'exit 0' | program "$work/path/$name"; done
program "$work/bin/adwp_tests" <<< 'printf "%b\n" "$FAKE_TESTS"; exit "$FAKE_STATUS"'
for name in evaluation_cost prediction_cost kernel_bench network_step; do
  program "$work/bin/$name" <<'P'
for option in "$@"; do
  [[ $option == --benchmark_out=* ]] && echo '{"benchmarks": [{"on_top": 0.1}]}' > "${option#*=}"
done
exit 0
P
done
program "$work/bin/search" <<'P'
while [[ $1 != --out ]]; do shift; done
mkdir -p "$2"
loss=$FAKE_EPOCH
[[ $2 == *step ]] && loss=$FAKE_STEP
echo "{\"hypernetwork\": {\"final_loss\": $loss}}" > "$2/result.json"
P
for run in step epoch; do echo '{"hypernetwork": {"final_loss": 2.0}}' > "$work/expected/$run/result.json"; done

ran='[       OK ] Device/Operators.Results/cuda (3 ms)'
skipped='../tests/support/device.cpp:61: Skipped\ndevice cuda is not here: [cuda] the driver is too old\n[  SKIPPED ] Device/Operators.Results/cuda (0 ms)'
failed=0
expect() {  # STATUS, TEXT IN THE OUTPUT, TESTS' OUTPUT AND STATUS, LOSSES
  status=0
  output=$(FAKE_TESTS=$3 FAKE_STATUS=$4 FAKE_STEP=$5 FAKE_EPOCH=$6 PATH=$work/path:$PATH \
               "$work/gpu_check.sh" "$work/results" 2>&1) || status=$?
  if [[ $status != "$1" || $output != *"$2"* ]]; then
    echo "status $status, expected $1 and '$2', with tests '$3', losses $5 and $6:" "$output"
    failed=1
  fi
}
expect 0 'expected at most' "$ran" 0 2.000001 2.01
expect 1 'no test has run on a GPU; device cuda is not here: [cuda] the driver is too old' "$skipped" 0 2.0 2.0
expect 1 'device cuda is not here' "$ran\n$skipped" 0 2.0 2.0
expect 1 'no test has run on a GPU' '[  PASSED  ] 0 tests.' 0 2.0 2.0
expect 1 'tests fail' "$ran" 1 2.0 2.0
expect 1 'relative difference 2.5e-06' "$ran" 0 2.000005 2.0
expect 1 'relative difference 2.5e-02' "$ran" 0 2.0 2.05
expect 1 'relative difference nan' "$ran" 0 NaN 2.0
exit $failed
