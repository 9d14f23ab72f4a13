#!/usr/bin/env bash
# Exported networks in ONNX Runtime and PyTorch. Usage: check_export.sh [PROGRAMS]; tests/python/environment.sh
# says which Python is used.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=$(tests/python/environment.sh)
exec "$python" tests/export/check_export.py --programs "${1:-build/apps}"
