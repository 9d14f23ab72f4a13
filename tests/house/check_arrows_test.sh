#!/bin/sh
# Plants one forbidden include after another in a copy of the tree: check_arrows.sh must find each.
set -u
root=$1
here=$(dirname "$0")
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT

for folder in framework cpu data nas apps; do
  mkdir -p "$copy/$folder"
  (cd "$root" && find $folder -name '*.h' -o -name '*.cpp' | grep "^$folder/") |
    while read -r file; do
      mkdir -p "$copy/$(dirname "$file")"
      cp "$root/$file" "$copy/$file"
    done
done
"$here/check_arrows.sh" "$copy" >/dev/null || { echo "the tree itself breaks a rule"; exit 1; }

# plant FILE HEADER
plant() {
  mkdir -p "$copy/$(dirname "$1")"
  echo "#include $2" > "$copy/$1"
  if "$here/check_arrows.sh" "$copy" >/dev/null; then
    echo "not found: $2 in $1"
    exit 1
  fi
  rm "$copy/$1"
}
plant framework/core/planted.h '"nas/space/architecture.h"'
plant framework/ops/planted.cpp '<oneapi/dnnl/dnnl.hpp>'
plant cpu/planted.cpp '"data/loader.h"'
plant data/planted.cpp '"nas/space/architecture.h"'
plant nas/search/planted.cpp '"cpu/cpu_backend.h"'
plant nas/planted.h '"data/test_split.h"'
plant nas/planted.cpp '<cuda_runtime.h>'
plant apps/search/planted.cpp '"data/test_split.h"'
plant apps/common/planted.cpp '"tests/oracle/oracle.h"'
echo "every planted include was found"
