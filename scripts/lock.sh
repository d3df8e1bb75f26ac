#!/usr/bin/env bash
# Remakes requirements.lock and requirements.hashes from pyproject.toml; versions already locked stay unless asked: scripts/lock.sh --upgrade
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || {
    echo "error: the lock is made with Python 3.11, the oldest supported; set PYTHON=python3.11" >&2
    exit 1
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check pip-tools==7.6.2 # so that remade locks compare
[ ! -f requirements.lock ] || cp requirements.lock "$work/lock" # pip-compile keeps the versions that it finds there

CUSTOM_COMPILE_COMMAND="make lock" "$work/venv/bin/pip-compile" --quiet --extra dev --build-deps-for editable \
    --allow-unsafe --strip-extras --annotation-style line --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
    --output-file "$work/lock" "$@" pyproject.toml

# The build of torch (CPU or CUDA) is each machine's choice, so the lock names the version alone.
sed -i.bak -E -e 's/^(torch==[0-9.]+)\+[a-z0-9]+/\1/' -e '/considered to be unsafe/d' "$work/lock"
if grep -nE '^(nvidia|cuda|triton)' "$work/lock"; then
    echo "error: a CUDA build of torch was resolved; lock with a CPU build in reach (see the head of requirements.lock)" >&2
    exit 1
fi
cat - "$work/lock" >requirements.lock <<'HEAD'
# Exact versions of everything, development tools included, for Linux and macOS on Python 3.11 and 3.12.
# torch: pip installs the build that it finds, on Linux the CUDA one with its libraries (about 3 GB more). To choose
# another, put the wheel index that PyTorch's "Get started" page prints for it (CPU, or a CUDA version) in
# PIP_EXTRA_INDEX_URL before `make install`: of equal versions pip takes the one labelled with its build.
HEAD

scripts/lock_hashes.sh
