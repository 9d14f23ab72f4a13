#!/bin/sh
# Usage: nccl_check.sh PROGRAM FOLDER: the program on 2 and 3 ranks, with the stand-in for NCCL in FOLDER, and
# with an empty library in its place on rank 0 alone.
set -eu
program=$1 folder=$2
start() { mpirun -q --allow-run-as-root --oversubscribe "$@"; }
for ranks in 2 3; do
  start -n $ranks -x LD_LIBRARY_PATH="$folder" "$program" linked
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
: > "$work/libnccl.so.2"
start -n 1 -x LD_LIBRARY_PATH="$work" "$program" staged : -n 1 -x LD_LIBRARY_PATH="$folder" "$program" staged
echo "linked on 2 and 3 ranks; through the host where one rank has no NCCL"
