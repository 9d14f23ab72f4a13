#!/usr/bin/env bash
# Makes the documentation and the course one static site that opens without a network. The generator comes from PyPI
# into a virtual environment beside it.
#
#   scripts/docs/build.sh SITE
set -euo pipefail
mkdir -p "$1"
site=$(realpath "$1")
cd "$(dirname "$0")"
venv=$site-environment
if [[ ! -f $venv/complete ]]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install -q -r requirements.txt
  touch "$venv/complete"
fi
export PYTHONPATH=$PWD ADWPNAS_PAGES=$site-pages
"$venv/bin/python" stage.py "$ADWPNAS_PAGES"
"$venv/bin/mkdocs" build --quiet --strict --config-file mkdocs.yml --site-dir "$site"
echo "site $site/index.html"
