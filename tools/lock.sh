#!/usr/bin/env bash
# Resolves the dependencies of pyproject.toml into the four locks, for every supported Python at once.
# usage: tools/lock.sh PYTHON
set -euo pipefail
cd "$(dirname "$0")/.."
python=$1

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" -m venv "$work/uv"
"$work/uv/bin/python" -m pip install --quiet --disable-pip-version-check uv

resolve() {
    output=$1
    shift
    "$work/uv/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
        --no-header --no-emit-index-url --no-emit-find-links --output-file "$work/lock" "$@"
    {
        echo "# Written by 'make lock' from pyproject.toml. Install with pip install --require-hashes -r $output"
        cat "$work/lock"
    } > "$output"
    rm "$work/lock"
    echo "$output: $(grep -c == "$output") packages"
}

# The large lock first: the others agree with it.
resolve requirements-dev.lock pyproject.toml --group dev
resolve requirements.lock pyproject.toml --constraint requirements-dev.lock
resolve requirements-build.lock --group build --constraint requirements-dev.lock
resolve requirements-fuzz.lock --group fuzz --constraint requirements-dev.lock
