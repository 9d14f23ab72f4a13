#!/bin/sh
# Who may know whom, as the design has it. Usage: check_arrows.sh ROOT; lists every include that
# breaks a rule and exits with 1.
set -u
root=$1
broken=0

# forbid FOLDER PATTERN WHY: no file under FOLDER includes anything that matches.
forbid() {
  found=$(grep -rnE --include='*.h' --include='*.cpp' --include='*.cu' --include='*.cuh' \
    "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]($2)" "$root/$1" 2>/dev/null)
  if [ -n "$found" ]; then
    echo "$1 must not know $3:"
    echo "$found" | sed "s|^$root/|  |"
    broken=1
  fi
}

forbid framework '(cpu|cuda|nas|data|apps|tests|bench)/' 'any other part of the project'
forbid cpu '(cuda|nas|data|apps|tests|bench)/' 'anything but framework'
forbid cuda '(cpu|nas|data|apps|tests|bench)/' 'anything but framework'
forbid data '(cpu|cuda|nas|apps|tests|bench)/' 'anything but framework'
forbid nas '(cpu|cuda|apps|tests|bench)/' 'a device or a program'
forbid apps '(tests|bench)/' 'tests or benches'
forbid bench 'tests/' 'tests'
for folder in framework nas data; do
  forbid $folder '(oneapi/|dnnl|cuda|cudnn|cublas|omp\.h)' 'a device library'
done
# Nobody who chooses may read the test split.
forbid nas 'data/test_split' 'the test split'
forbid apps/search 'data/test_split' 'the test split'
forbid apps/common 'data/test_split' 'the test split'
if grep -nE 'include.*data/test_split' "$root/apps/search.cpp" 2>/dev/null; then
  echo "apps/search.cpp must not know the test split"
  broken=1
fi
[ $broken -eq 0 ] && echo "all includes keep the rules"
exit $broken
