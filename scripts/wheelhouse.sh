#!/usr/bin/env bash
# Collects the wheels that the runner needs, in the versions that were tested: scripts/wheelhouse.sh DIRECTORY [PYTHON]
# For Linux of this machine's architecture. Needs a package index; what uses the directory then needs none.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
[ $# -ge 1 ] || fail "Usage: scripts/wheelhouse.sh DIRECTORY [PYTHON]"
root="$(cd "$(dirname "$0")/.." && pwd)"
mkdir -p "$1"
target="$(cd "$1" && pwd)"
python="${2:-3.12}"
machine="$(uname -m)"
lock="$(mktemp)"
trap 'rm -f "$lock"' EXIT
cd "$root"
.venv/bin/uv pip compile --quiet --no-header --python-version "$python" --all-extras \
    --constraints requirements-dev.lock pyproject.toml -o "$lock"
# uv downloads no wheels into a directory, so pip does.
.venv/bin/uv tool run --quiet --from pip pip --disable-pip-version-check download --quiet --no-deps --only-binary :all: --dest "$target" \
    --python-version "$python" --platform "manylinux_2_28_$machine" --platform "manylinux_2_17_$machine" \
    --platform "manylinux2014_$machine" --platform any --requirement "$lock" pip
say "$(find "$target" -name '*.whl' | wc -l) wheels for Python $python are in $target."
