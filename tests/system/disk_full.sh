#!/usr/bin/env bash
# Runs on a disk that is truly full: a small one in memory, with more and more room left, so that in turn every
# file of a run is the one that does not fit. Each attempt must end in one line (or in a result), leave nothing
# half written, and go on to the undisturbed result once there is room. Then the same on a disk that is
# read-only. Usage: disk_full.sh [BUILD_FOLDER]; needs the right to mount, which `unshare` may give.
set -euo pipefail

build=${1:-build}
if [[ -z ${ADWPNAS_MAY_MOUNT:-} ]]; then
  if ! unshare --mount --map-root-user true 2> /dev/null; then
    echo "SKIPPED: disk_full.sh, for want of the right to mount a file system" >&2
    exit 0
  fi
  ADWPNAS_MAY_MOUNT=1 exec unshare --mount --map-root-user "$0" "$@"
fi
apps=$(cd "$build/apps" && pwd)
work=$(mktemp -d)
disk=$work/disk
mkdir "$disk"
mount -t tmpfs -o size=160M tmpfs "$disk"
trap 'umount "$disk" && rm -rf "$work"' EXIT

search=("$apps/search" --data 'synthetic:300?size=16' --batch 32 --validation 0.2 --hyper-epochs 3
        --rank-sample 2 --rank-epochs 2 --population 4 --generations 2 --finalists 2 --finalist-epochs 2
        --halvings 0 --threads 1 --tensorboard --out "$disk/run")

fail() { echo "error: [disk_full] $*" >&2; exit 1; }

# What must be equal: all but what a clock says.
facts() {
  (cd "$disk/run" && grep -vE '"(seconds|candidates_per_minute)"' result.json | sha256sum &&
   sha256sum best.json checkpoints/*.safetensors)
}

restore() { rm -rf "$disk/run" "$disk/filler" && cp -r "$1" "$disk/run"; }

# All but $1 KiB of the disk.
fill() {
  local free
  free=$(df -k --output=avail "$disk" | tail -1)
  if ((free > $1)); then fallocate -l $(((free - $1) * 1024)) "$disk/filler"; fi
}

# One start; its status, and its last line in $line.
attempt() {
  local status=0
  "${search[@]}" "$@" > /dev/null 2> "$work/err" || status=$?
  line=$(tail -1 "$work/err")
  if ((status != 0)) && { ((status != ${expected:-1})) || [[ $line != 'error: ['* ]] ||
      (($(grep -c '^error' "$work/err") != 1)); }; then
    fail "got exit status $status and: $(cat "$work/err")"
  fi
  if [[ -n $(find "$disk/run" -name '*.tmp*') ]]; then fail "half written: $(find "$disk/run" -name '*.tmp*')"; fi
  return $status
}

# sweep STATE ROOM...: the run in STATE is continued with so many KiB of room.
sweep() {
  local state=$1
  shift
  for room in "$@"; do
    restore "$state"
    fill "$room"
    if attempt --resume; then
      echo "$(basename "$state"), $room KiB free: done"
    else
      echo "$(basename "$state"), $room KiB free: $line"
      echo "$line" >> "$work/lines"
    fi
    rm -f "$disk/filler"
    attempt --resume || fail "does not go on with room again: $line"
    diff <(facts) "$work/facts" || fail "$room KiB: another result than the undisturbed run's"
  done
}

"${search[@]}" > /dev/null 2>&1
facts > "$work/facts"
cp -r "$disk/run" "$work/complete"

# A run that was killed after its first epoch.
restore "$work/complete"
rm -rf "$disk/run"
"${search[@]}" > /dev/null 2> "$work/err" &
child=$!
until grep -q 'HyperNetwork  33 %' "$work/err"; do
  kill -0 $child 2> /dev/null || fail "ended before its first epoch was done: $(cat "$work/err")"
  sleep 0.01
done
kill -KILL $child
wait $child 2> /dev/null || true
cp -r "$disk/run" "$work/begun"

sweep "$work/begun" 0 8 48 64 80 120 400 2000 4000 9000 20000 40000
rm -f "$work"/complete/{result.json,best.json,report.html}
sweep "$work/complete" 0 4 8 12 16 24 32 40 44 48 52 56 60 64 72 80 88 96 104 112 128 160 200 240 280 320

for part in search.db hypernetwork.safetensors result.json; do
  grep -q "$part" "$work/lines" || fail "$part never failed, so this has shown too little"
done

# Read-only, as a disk with faults becomes.
restore "$work/begun"
mount -o remount,ro "$disk"
if expected=2 attempt --resume; then fail "wrote to a read-only disk"; fi
echo "read-only: $line"
mount -o remount,rw "$disk"
attempt --resume || fail "does not go on: $line"
diff <(facts) "$work/facts" || fail "after read-only: another result"
echo "every stop in one line, every run went on to the undisturbed result"
