#!/usr/bin/env bash
# Builds and checks a lab of the course, in a build folder that is configured: make lab N=1
#
#   course/lab.sh BUILD N [ANSWER] [ARGUMENT...]     # ANSWER: a solution's name; empty: the student's
set -uo pipefail
build=$1 n=$2 answer=${3-}
shift 3
lab=lab$n program=lab$n${answer:+_$answer} folder=course/lab$n
if [[ -n $answer ]]; then folder=$build/course/answers/$lab/$answer; fi
if ! compgen -G "$folder/*.c[pu]*" > /dev/null && [[ -n $answer ]]; then program=${lab}_reference; fi
if [[ ! -d $folder ]]; then
  echo "error: [lab] no solution '$answer', expected a name that wrong.txt in course/solutions/$lab has, or reference" >&2
  exit 2
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
# What the linker says of a missing function is long; its names are said below.
if ! cmake --build "$build" -j "${JOBS:-2}" --target "$program" 2>&1 | tee "$log" |
    sed -uE '/undefined reference|: in function |collect2:|^FAILED: course\/lab|^: && |Re-checking globbed/d'; then
  missing=$(grep -o 'undefined reference to `lab::[^(]*' "$log" | sed 's/.*lab:://' | sort -u | paste -sd ' ')
  if [[ -n $missing ]]; then
    echo "error: [lab] the files in $folder lack a function, got none or another signature of $missing, expected" \
      "those of course/$lab/lab.h; git checkout $folder brings the starting points back" >&2
  else
    echo "error: [lab] the answers in $folder do not compile, got the errors above, of which the first counts" >&2
  fi
  exit 1
fi
"$build/course/$program" "$folder" "$@"
