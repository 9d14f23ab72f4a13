#!/usr/bin/env bash
# A project outside this repository, examples/own_operator, built on what `cmake --install` installs, and run.
#
#   own_operator_test.sh ROOT BUILD_FOLDER
set -euo pipefail
root=$1 build=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$build" --prefix "$work/prefix" > "$work/install.log" || { cat "$work/install.log" >&2; exit 1; }
cp -r "$root/examples/own_operator" "$work/project"
cmake -S "$work/project" -B "$work/build" -G Ninja "-DCMAKE_PREFIX_PATH=$work/prefix" > "$work/configure.log" 2>&1 ||
  { cat "$work/configure.log" >&2; exit 1; }
# Nothing of the source tree may be needed.
if grep -nF "$root" "$work/prefix"/lib*/cmake/adwpnas/*.cmake "$work/prefix"/lib/*/cmake/adwpnas/*.cmake 2> /dev/null; then
  echo "error: [install] the package names the source tree" >&2
  exit 1
fi
cmake --build "$work/build"
"$work/build/own_operator"
