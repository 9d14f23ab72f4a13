#!/bin/sh
# Who may know whom, as the design has it. Usage: check_arrows.sh ROOT; lists every include that
# breaks a rule and exits with 1.
set -u
root=$1

# FOLDER: what its files may include besides files of the folder itself. The longest folder that holds
# a file has the say; a folder that no line names is an error. Tests may know anything.
rules='
framework/core:
framework/backend: framework/core
framework/autograd: framework/core framework/backend
framework/ops: framework/core framework/backend framework/autograd
framework/nn: framework/core framework/backend framework/autograd
framework/optim: framework/core framework/backend framework/autograd framework/nn
framework/parallel: framework/core
framework/io: framework/core framework/nn framework/optim framework/version.h

cpu: framework

cuda: framework
cuda/kernels: framework cuda/cuda_backend.h cuda/runtime cuda/emulation
cuda/runtime: framework cuda/cuda_backend.h cuda/emulation
cuda/emulation: framework/core
cuda/vendor: framework cuda/kernels cuda/runtime

data: framework

nas/space: framework
nas/weights: framework nas/space
nas/network: framework data nas/space nas/weights
nas/evaluation: framework data nas/space nas/weights nas/network
nas/training: framework data nas/space nas/weights nas/network nas/evaluation
nas/score: framework nas/space
nas/search: framework nas/space nas/score
nas/store: framework nas/space nas/score nas/search
nas/export: framework nas/space nas/weights nas/network

apps: framework cpu cuda data nas
apps/common: framework cpu cuda data nas
apps/report: framework cpu cuda data nas apps/common
apps/inspect: framework cpu cuda data nas apps/common
apps/classify: framework cpu cuda data nas apps/common
apps/search: framework cpu cuda data nas apps/common apps/report
apps/train: framework cpu cuda data nas apps/common apps/report

bench: framework cpu cuda data nas apps

course: framework cpu cuda data nas
'

# includes PATTERN PATH...: FILE:INCLUDED, one per line, of all #include lines that match.
includes() {
  pattern=$1
  shift
  (cd "$root" && grep -rnE --include='*.h' --include='*.cpp' --include='*.cu' --include='*.cuh' \
    "^[[:space:]]*#[[:space:]]*include[[:space:]]*$pattern" "$@" 2>/dev/null) |
    sed -E 's/^([^:]*):[0-9]+:[^"<]*["<]([^">]*)[">].*/\1:\2/'
}

between_folders() {
  includes '"' framework cpu cuda data nas apps bench course | awk -F: -v rules="$rules" '
    function within(path, folder) { return path == folder || index(path, folder "/") == 1 }
    BEGIN {
      lines = split(rules, line, "\n")
      for (i = 1; i <= lines; ++i) if (split(line[i], part, ":") == 2) may[part[1]] = part[2]
    }
    $2 ~ /(^|\/)\.\.?\// { print "  " $1 " includes " $2 ", which is not written from the root"; next }
    {
      for (folder = $1; sub(/\/[^\/]*$/, "", folder) && !(folder in may);) {}
      if (!(folder in may)) { print "  " $1 " lies in a folder without a rule"; next }
      if ($2 !~ /^(framework|cpu|cuda|data|nas|apps|tests|bench|course)\// || within($2, folder)) next
      count = split(may[folder], known, " ")
      for (i = 1; i <= count; ++i) if (within($2, known[i])) next
      print "  " $1 " must not know " $2
    }'
}

# forbid WHY PATTERN PATH...: nothing there includes what matches.
forbid() {
  why=$1
  pattern=$2
  shift 2
  includes "$pattern" "$@" | sed -E "s|^([^:]*):(.*)|  \1 must not know \2, $why|"
}

broken=$(
  between_folders
  forbid 'a device library' '[<"](oneapi/|dnnl|cuda|cudnn|cublas|omp\.h)' framework nas data
  forbid 'MPI' '[<"](mpi|nccl)' $(cd "$root" && ls -d framework/*/ | grep -v parallel) cpu cuda data nas apps bench
  # Nobody who chooses may read the test split.
  forbid 'the test split' '"data/test_split' nas apps/search apps/search.cpp apps/common
)
if [ -n "$broken" ]; then
  echo "includes that break a rule (tests/house/check_arrows.sh):"
  echo "$broken"
  exit 1
fi
echo "all includes keep the rules"
