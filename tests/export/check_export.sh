#!/usr/bin/env bash
# Exported networks in ONNX Runtime and PyTorch. Usage: check_export.sh [PROGRAMS]; PYTHON names an interpreter
# that has tests/export/requirements.txt, else a virtual environment is made with it in $VENV.
set -euo pipefail
cd "$(dirname "$0")/../.."
programs=${1:-build/apps}
if [[ -z ${PYTHON:-} ]]; then
  venv=${VENV:-build/venv-export}
  if [[ ! -x $venv/bin/python ]]; then
    python3 -m venv "$venv"
    # The CPU's wheels where that index can be reached: the others bring gigabytes of CUDA.
    "$venv/bin/pip" install -q --extra-index-url https://download.pytorch.org/whl/cpu \
        -r tests/export/requirements.txt
  fi
  PYTHON=$venv/bin/python
fi
exec "$PYTHON" tests/export/check_export.py --programs "$programs"
