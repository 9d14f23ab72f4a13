#!/usr/bin/env bash
# The tables of docs/results/ranking.md: how well predicted weights rank networks, beside what else would.
#
#   [RANKING_JSON=FILE] bench/ranking/run.sh CIFAR10_FOLDER > TABLES.md    # 25 minutes on 2 cores; make build first
#
# CIFAR10_FOLDER holds train/CLASS/*.jpg. 15,000 images at 16 pixels: 10,000 to train on, 5,000 to judge.
set -euo pipefail
[[ $# == 1 && -d $1/train ]] || { echo "usage: bench/ranking/run.sh CIFAR10_FOLDER" >&2; exit 2; }
images=$(realpath "$1")
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
build/bench/ranking_study --data "folder:$images?limit=15000&size=16" --space bench/ranking/study_space.toml \
    --out "${RANKING_JSON:-$work/networks.json}"
