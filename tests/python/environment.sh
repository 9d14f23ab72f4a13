#!/usr/bin/env bash
# Prints an interpreter that has tests/python/requirements.txt: $PYTHON if that is set; else that of a virtual
# environment in $VENV (build/venv), made when it is not there, from PyPI alone: 1 to 2 minutes, 5.5 GB, most of
# it CUDA libraries, which torch from there does not start without.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [[ -n ${PYTHON:-} ]]; then
  echo "$PYTHON"
  exit
fi
venv=${VENV:-build/venv}
if [[ ! -f $venv/complete ]]; then
  python3 -m venv "$venv" >&2  # in Debian a package of its own: scripts/setup.sh python
  "$venv/bin/pip" install -q --no-compile -r tests/python/requirements.txt >&2
  touch "$venv/complete"  # an installation that was cut short is taken up again
fi
echo "$venv/bin/python"
