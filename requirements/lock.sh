#!/bin/sh
# Writes the pinned, hashed lists of packages anew from pyproject.toml. Needs `uv` on PATH.
set -eu
cd "$(dirname "$0")/.."
lock() { out=$1; shift; uv pip compile -q --upgrade --universal --generate-hashes --python-version 3.11 --no-header --no-annotate "$@" -o "requirements/$out"; }
run="--extra camera --extra provisioning --extra controlroom --extra tools"
lock run.txt $run pyproject.toml
lock dev.txt $run --extra pkcs11 --extra dev pyproject.toml
lock npm.txt requirements/npm.in
lock unit.txt --extra camera pyproject.toml # what the package for a unit holds
