#!/usr/bin/env bash
# Puts beside the programs of a bundle what they need to start on another Linux (x86-64, glibc 2.17 or newer):
# their libraries, the C library of this machine with its loader for machines that have an older one, and
# bin/, which starts them (bench/gpu/start.sh).
#
#   scripts/bundle_libraries.sh BUNDLE     # with programs in BUNDLE/programs, rpath $ORIGIN/../lib
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
bundle=$1
of_libc='/(ld-linux-x86-64\.so\.2|lib(c|m|mvec|pthread|dl|rt|resolv|util|anl)\.so\.[0-9])$'
mkdir -p "$bundle/bin" "$bundle/lib" "$bundle/libc"

libraries=$(ldd "$bundle"/programs/* | grep -oE '/[^ ]+\.so[^ ]*' | sort -u)
{ grep -vE "$of_libc" <<< "$libraries" || true; } | xargs -r cp -Lt "$bundle/lib"
# Also those that no program names: a library that is loaded later may.
folder=$(dirname "$(grep -m1 '/libc\.so\.6$' <<< "$libraries")")
find "$folder" -maxdepth 1 | grep -E "$of_libc" | xargs cp -Lt "$bundle/libc"
cp -L "$(grep -m1 '/ld-linux-x86-64\.so\.2$' <<< "$libraries")" "$bundle/libc"

# The newest version of the C library's functions that anything here asks for.
newest() { find "$@" -type f -exec objdump -T {} + | grep -oE 'GLIBC_[0-9.]+' | sed 's/GLIBC_//' | sort -V | tail -1; }
needed=$(newest "$bundle/programs" "$bundle/lib")
provided=$(newest "$bundle/libc/libc.so.6")
if [[ $(printf '%s\n' "$needed" "$provided" | sort -V | tail -1) != "$provided" ]]; then
  echo "error: [bundle] the programs need glibc $needed, got $provided to go with them" >&2
  exit 1
fi
echo "$needed" > "$bundle/libc/needed"

for program in "$bundle"/programs/*; do
  cp "$here/bench/gpu/start.sh" "$bundle/bin/$(basename "$program")"
  # As on a machine with an older C library: everything from the bundle, nothing from here.
  found=$("$bundle/libc/ld-linux-x86-64.so.2" --inhibit-cache --library-path "$bundle/libc:$bundle/lib" \
              --list "$program" | awk -v own="$bundle/" '/not found/ || (/=>/ && index($0, "=> " own) == 0)')
  if [[ -n $found ]]; then
    echo "$found" >&2
    echo "error: [bundle] $(basename "$program") finds these libraries, if at all, outside the bundle" >&2
    exit 1
  fi
done
echo "the programs need glibc $needed; where it is older, they start with the bundle's own"
