#!/usr/bin/env bash
# Installs what the build needs and this machine lacks (Debian and Ubuntu, through apt).
#
#   scripts/setup.sh         compiler, CMake and libraries
#   scripts/setup.sh lint    also what `make format` and `make lint` run
#   scripts/setup.sh fuzz    also what scripts/fuzz.sh builds with: clang and libFuzzer
#   scripts/setup.sh report  also the browser of tests/report/check_report.sh
#   scripts/setup.sh mpi     also MPI, for runs on several processes (docs/cluster.md)
#   scripts/setup.sh python  also what tests/python/environment.sh makes its environment with
#   scripts/setup.sh docs    also what `make docs` makes the site with: an environment for the generator, a font
#
# Asks for nothing when everything is there; uses sudo only when not root.
set -euo pipefail

packages=(g++ make cmake ninja-build ccache libdnnl-dev libcli11-dev libtomlplusplus-dev
          nlohmann-json3-dev libfmt-dev libstb-dev libsqlite3-dev libgtest-dev libbenchmark-dev
          libboost-context-dev libprotobuf-dev protobuf-compiler libonnx-dev libjs-chart.js python3
          pkg-config libjpeg-dev libpng-dev libwebp-dev zlib1g-dev libutf8proc-dev)
if [[ ${1:-} == lint ]]; then packages+=(clang-format clang-tidy); fi
if [[ ${1:-} == fuzz ]]; then packages+=(clang libclang-rt-dev); fi
if [[ ${1:-} == report ]]; then packages+=(chromium); fi
if [[ ${1:-} == mpi ]]; then packages+=(libopenmpi-dev openmpi-bin); fi
if [[ ${1:-} == python ]]; then packages+=(python3-venv); fi
if [[ ${1:-} == docs ]]; then packages+=(python3-venv fonts-lmodern); fi

if ! command -v dpkg-query > /dev/null; then
  echo "setup: no dpkg here, so nothing is installed; see README.md for the libraries needed" >&2
  exit 0
fi
missing=()
for package in "${packages[@]}"; do
  state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2> /dev/null || true)
  [[ $state == installed ]] || missing+=("$package")
done
if (( ${#missing[@]} == 0 )); then exit 0; fi

as_root=()
if (( EUID != 0 )); then
  if ! command -v sudo > /dev/null; then
    echo "error: [setup] missing packages and no right to install them, expected root or sudo; run: apt-get install ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
echo "setup: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
run() { "${as_root[@]}" apt-get -q "$@" > "$log" 2>&1 || { cat "$log" >&2; return 1; }; }
run update
run install -y --no-install-recommends "${missing[@]}"
