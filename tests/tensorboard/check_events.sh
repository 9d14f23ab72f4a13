#!/usr/bin/env bash
# Event files in TensorBoard's reader. Usage: check_events.sh [PROGRAMS]; tests/python/environment.sh says which
# Python is used.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=$(tests/python/environment.sh)
exec "$python" tests/tensorboard/check_events.py --programs "${1:-build/apps}"
