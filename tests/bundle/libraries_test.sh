#!/usr/bin/env bash
# A bundle's programs start with the machine's C library where it is new enough, and with the bundle's own
# where it is not; arguments, output and exit status are the program's.
#
#   tests/bundle/libraries_test.sh SOURCE_FOLDER C++_COMPILER
set -euo pipefail
source=$1 compiler=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bundle=$work/a\ bundle
mkdir -p "$bundle/programs"
# Prints the C library that it runs on and its arguments.
cat > "$work/who.cpp" <<'P'
#include <cmath>
#include <cstdio>
#include <cstring>
int main(int argc, char** argv) {
  char line[4096];
  for (std::FILE* maps = std::fopen("/proc/self/maps", "r"); std::fgets(line, sizeof(line), maps);) {
    if (const char* at = std::strstr(line, "/libc.so.6") ? std::strchr(line, '/') : nullptr) {
      std::printf("%s", at);
      break;
    }
  }
  for (int i = 1; i < argc; ++i) std::printf("[%s]", argv[i]);
  return 3 + int(std::sqrt(double(argc - 1) * 0));
}
P
"$compiler" -o "$bundle/programs/who" "$work/who.cpp"
"$source/scripts/bundle_libraries.sh" "$bundle" > "$work/said"
grep -q 'the programs need glibc 2\.[0-9]*;' "$work/said"

failed=0
expect() {  # NEEDED, IS THE LIBRARY THE BUNDLE'S?
  echo "$1" > "$bundle/libc/needed"
  status=0
  output=$("$bundle/bin/who" one 'two words') || status=$?
  own=no
  [[ $output == *"a bundle/libc/libc.so.6"* ]] && own=yes
  if [[ $own != "$2" || $status != 3 || $output != *'[one][two words]' ]]; then
    echo "needing glibc $1: own library $own, expected $2; status $status; output: $output"
    failed=1
  fi
}
expect 2.17 no
expect 99.1 yes
exit $failed
