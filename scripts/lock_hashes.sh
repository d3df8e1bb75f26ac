#!/usr/bin/env bash
# Remakes requirements.hashes from requirements.lock: what each file of a locked version must hash to, on any platform.
# Part of `make lock`; alone after a line was added to the lock by hand. Needs seconds, and the package index.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check uv==0.13.9 # so that remade files compare

sed -e 's/ *#.*//' -e '/^torch==/d' requirements.lock | grep == >"$work/versions.in"
"$work/venv/bin/uv" pip compile --quiet --generate-hashes --no-deps --no-annotate --no-header --python-version 3.11 \
    --output-file "$work/hashes" "$work/versions.in"
cat - "$work/hashes" >requirements.hashes <<'HEAD'
# sha256 of every file of the versions in requirements.lock, which pip compares before it installs one. Made from it by
# `make lock`, or by scripts/lock_hashes.sh alone. Without torch: each machine chooses its build, whose file has another
# hash (see the head of requirements.lock), and pip takes hashes for all of a file's lines or for none. So `make install`
# installs this file first, and then what is left of requirements.lock: torch, and the libraries its CUDA build names.
HEAD
