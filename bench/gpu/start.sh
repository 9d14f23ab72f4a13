#!/bin/sh
# Starts the bundle's program of this name: with the machine's C library, or, where that is older than the
# programs need, with the bundle's own and its loader.
here=$(cd "$(dirname "$0")/.." && pwd)
program=$here/programs/$(basename "$0")
read -r needed < "$here/libc/needed"
have=$(getconf GNU_LIBC_VERSION 2> /dev/null | cut -d ' ' -f 2)
older=$(printf '%s\n%s\n' "$needed" "${have:-0}" | sort -V | head -n 1)
if [ "$older" = "$needed" ]; then
  exec "$program" "$@"
fi
exec "$here/libc/ld-linux-x86-64.so.2" --argv0 "$0" \
     --library-path "$here/libc:$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" "$program" "$@"
