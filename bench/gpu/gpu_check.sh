#!/usr/bin/env bash
# Checks and measures the device `cuda` on this machine; runs from anywhere, needs a driver, and Python with
# PyTorch for the comparison. Correctness first; figures only of what is correct.
#
#   gpu_check.sh [OUT]      # JSON and logs go to OUT (default: results beside this script)
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-${OUT:-$here/results}}
mkdir -p "$out"
failed=0
step() { printf '\n=== %s (%d s)\n' "$1" "$SECONDS"; }

if ! command -v nvidia-smi > /dev/null || ! nvidia-smi > "$out/nvidia-smi.txt" 2>&1; then
  echo "error: [gpu-check] no NVIDIA driver answers here; this folder checks the device cuda" >&2
  exit 1
fi
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader | tee "$out/gpu.txt"

step "every operator, layer and trainer on cuda against the oracle"
"$here/bin/adwp_tests" --gtest_filter='*/cuda*' > "$out/tests.txt" 2>&1 || failed=1
tail -3 "$out/tests.txt"
grep -E '^\[  (FAILED|SKIPPED)' "$out/tests.txt"
# Skipped tests are no failure to GoogleTest; here they are, where the device is not.
absent=$(grep -m 1 -o 'device cuda is not here.*' "$out/tests.txt")
if [[ -n $absent ]] || ! grep -q '^\[       OK \]' "$out/tests.txt"; then
  echo "error: [gpu-check] no test has run on a GPU; ${absent:-see $out/tests.txt}" >&2
  exit 1
fi
if [[ $failed != 0 ]]; then
  echo "error: [gpu-check] tests fail, see $out/tests.txt; nothing is measured" >&2
  exit 1
fi

step "cuDNN and cuBLAS against the oracle and against the kernels here"
ADWPNAS_ENGINE=vendor "$here/bin/adwp_tests" --gtest_filter='*Operators*/cuda*:VendorOnGpu*' \
    > "$out/tests-vendor.txt" 2>&1 || echo "they differ, or are not here: see $out/tests-vendor.txt"
tail -1 "$out/tests-vendor.txt"

if command -v compute-sanitizer > /dev/null; then
  step "compute-sanitizer on the small cases"
  for tool in memcheck racecheck; do
    compute-sanitizer --tool $tool --error-exitcode 9 "$here/bin/adwp_tests" \
        --gtest_filter='*Contract*cuda*' > "$out/sanitizer-$tool.txt" 2>&1 || failed=1
    tail -1 "$out/sanitizer-$tool.txt"
  done
else
  echo "compute-sanitizer is not here: not run"
fi

# The loss of one step is that of the first weights: it differs by the rounding of sums alone. An epoch of
# AdamW, which divides small gradients by their own size, makes more of that.
step "the same search as on the CPU"
compare_losses() {  # NAME LARGEST_DIFFERENCE OPTION...
  rm -rf "$out/search-$1"
  "$here/bin/search" --config "$here/tiny.toml" --device cuda --out "$out/search-$1" --quiet "${@:3}" \
      > "$out/search-$1.txt" 2>&1 || { failed=1; tail -1 "$out/search-$1.txt"; return; }
  python3 - "$1" "$2" "$out/search-$1/result.json" "$here/expected/$1/result.json" <<'P' || failed=1
import json, sys
name, most = sys.argv[1], float(sys.argv[2])
gpu, cpu = (json.load(open(p))["hypernetwork"]["final_loss"] for p in sys.argv[3:])
difference = abs(gpu - cpu) / cpu
print(f"HyperNetwork loss of one {name}: cuda {gpu:.8f}, cpu {cpu:.8f}, relative difference {difference:.1e}, "
      f"expected at most {most:.0e}")
sys.exit(not difference <= most)
P
}
compare_losses step 1e-6 --data 'synthetic:48?size=16'
compare_losses epoch 1e-2

step "what an evaluation and a training step cost"
for engine in hand vendor; do
  for precision in f32 tf32 bf16; do
    for batch in 64 256; do
      name=$engine-$precision-$batch
      "$here/bin/evaluation_cost" "$here/candidate.json" --device cuda --batch $batch --precision $precision \
          --engine $engine --benchmark_counters_tabular=true --benchmark_out="$out/cost-$name.json" \
          > "$out/cost-$name.txt" 2>&1 ||
        [[ $engine == vendor ]] || failed=1  # cuDNN and cuBLAS need not be here
      grep -E 'undisturbed|^error' "$out/cost-$name.txt" | sed "s/^/$engine $precision batch $batch: /"
    done
  done
done
"$here/bin/prediction_cost" --device cuda --space cifar --networks 10 --benchmark_out="$out/prediction.json" \
    > "$out/prediction.txt" 2>&1 || failed=1
python3 - "$out/prediction.json" <<'P' || failed=1
import json, statistics, sys
ratios = [case["on_top"] for case in json.load(open(sys.argv[1]))["benchmarks"] if "on_top" in case]
print(f"predicting costs on top of a step: median {100 * statistics.median(ratios):.0f} % of {len(ratios)} networks")
P

step "every kernel on the shapes of the space cifar: its ladder, and cuDNN and cuBLAS beside it"
for precision in f32 tf32 bf16; do
  "$here/bin/kernel_bench" --device cuda --space cifar --batch 256 --top 48 --precision $precision \
      --benchmark_counters_tabular=true --benchmark_out="$out/kernels-$precision.json" \
      > "$out/kernels-$precision.txt" 2> "$out/kernels-$precision.log" || failed=1
  head -24 "$out/kernels-$precision.txt"
done

step "beside PyTorch"
if python3 -c 'import torch; assert torch.cuda.is_available()' 2> /dev/null; then
  compare() {  # NAME OPTION...
    echo "$1:"
    python3 "$here/pytorch_step.py" "$here/candidate.json" --program "$here/bin/network_step" --device cuda \
        --batch 256 --json "$out/pytorch-$1.json" "${@:2}" || failed=1
  }
  compare f32-eager --precision f32
  compare tf32-eager --precision tf32
  compare bf16-eager --precision bf16
  compare bf16-compiled --precision bf16 --compile
  compare bf16-replayed --precision bf16 --compile reduce-overhead
else
  echo "no PyTorch with CUDA here: not compared"
fi
exit $failed
