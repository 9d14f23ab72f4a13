#!/usr/bin/env bash
# The rows behind docs/results/ranking.md, written to docs/results/ranking/; goes on where it stopped. Hours on
# 2 cores; make build first.
#
#   bench/ranking/run.sh CIFAR10_FOLDER && bench/ranking/tables.py docs/results/ranking
#
# CIFAR10_FOLDER holds train/CLASS/*.jpg and test/CLASS/*.jpg. 15,000 images at 16 pixels: 10,000 to train on,
# 5,000 to score on; the truth comes from the 10,000 test images.
set -euo pipefail
[[ $# == 1 && -d $1/train ]] || { echo "usage: bench/ranking/run.sh CIFAR10_FOLDER" >&2; exit 2; }
images=$(realpath "$1")
cd "$(dirname "$0")/../.."
rows=docs/results/ranking
mkdir -p "$rows"
study() {
  build/bench/ranking_study "$1" --device cpu --threads 1 --data "folder:$images?limit=15000&size=16" \
      --space bench/ranking/study_space.toml --networks "$rows/networks.jsonl" "${@:2}"
}
study networks

# One core each: weight sources on the first, truth on the second.
scores() {
  for seed in 0 1 2; do
    for weights in residual predicted shared; do
      study scores --rows "$rows/scores.jsonl" --weights $weights --seed $seed --hyper-epochs 40 --hyper-lr 1e-3
    done
  done
}
scores &
study truth --rows "$rows/truth.jsonl" --epochs 16 --seeds 1
study truth --rows "$rows/truth.jsonl" --epochs 1 --seeds 11
study truth --rows "$rows/truth.jsonl" --epochs 16 --seeds 2
wait $!
