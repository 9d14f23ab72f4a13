#!/usr/bin/env bash
# Makes docs/results/ranking.md: how well predicted weights rank networks, beside what else would.
#
#   [RANKING_JSON=FILE] bench/ranking/run.sh CIFAR10_FOLDER     # 25 minutes on 2 cores; make build first
#
# CIFAR10_FOLDER holds train/CLASS/*.jpg. 15,000 images at 16 pixels: 10,000 to train on, 5,000 to judge.
set -euo pipefail
cd "$(dirname "$0")/../.."
[[ $# == 1 && -d $1/train ]] || { echo "usage: bench/ranking/run.sh CIFAR10_FOLDER" >&2; exit 2; }
data="folder:$1?limit=15000&size=16"
page=docs/results/ranking.md
mkdir -p docs/results
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
build/bench/ranking_study --data "$data" --space bench/ranking/study_space.toml \
    --out "${RANKING_JSON:-$work/networks.json}" > "$work/table"
{
  echo "# How well do predicted weights rank networks?"
  echo
  echo "$(date +%F); made by \`bench/ranking/run.sh\`. CIFAR-10 as re-encoded in JPEG (accuracies lie a little"
  echo "below those on the lossless set), 16 px. \"Trained\" is the accuracy after 8 epochs from scratch; one"
  echo "HyperNetwork, one set of shared weights. Intervals: bootstrap over networks, 95 %."
  echo
  cat "$work/table"
} > "$page"
echo "wrote $page"
