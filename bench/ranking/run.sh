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
scores() { study scores --rows "$rows/scores.jsonl" --score-every 1000 --weights "$@"; }
all_scores() {
  for seed in 0 1 2; do
    for weights in predicted residual; do scores $weights --seed $seed --hyper-epochs 120; done
  done
  for seed in 0 1 2; do scores predicted --seed $seed --hyper-epochs 40; done
  for growth in 0 0.2; do scores predicted --seed 0 --hyper-epochs 120 --growth $growth; done
  scores shared --seed 0 --hyper-epochs 120
}
all_scores &
study truth --rows "$rows/truth.jsonl" --epochs 1,4 --seeds 11
study truth --rows "$rows/truth.jsonl" --epochs 16 --seeds 1,2
study truth --rows "$rows/horizon.jsonl" --epochs 8,32,64 --seeds 1 --part 1 --parts 6
wait $!
build/bench/ranking_study rankings --networks "$rows/networks.jsonl" --truth "$rows/truth.jsonl" \
    --scores "$rows/scores.jsonl" --rows "$rows/rankings.jsonl"
