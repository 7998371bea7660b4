#!/usr/bin/env bash
# Makes .venv with the project and its development tools, from the lock file. Quick when nothing changed.
set -euo pipefail
cd "$(dirname "$0")/.."
uv_version=0.13.9
cache="${QFLOW_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/qflow}"
uv="$cache/uv/$uv_version/bin/uv"

if [ ! -x "$uv" ]; then
    echo "Installing uv $uv_version …"
    if ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
        if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
            echo "Python 3.11 or newer with its venv module is needed (on Debian: apt install python3-venv)." >&2
            exit 1
        fi
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3 python3-venv >/dev/null
    fi
    python3 -m venv "$cache/uv/$uv_version"
    "$cache/uv/$uv_version/bin/pip" install --quiet "uv==$uv_version"
fi

stamp=.venv/installed
wanted="$(cat pyproject.toml requirements-dev.lock | sha256sum | cut -d' ' -f1)"
if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    echo "Installing the Python packages …"
    [ -x .venv/bin/python ] || "$uv" venv --quiet --python '>=3.11' .venv
    "$uv" pip sync --quiet --python .venv/bin/python --require-hashes requirements-dev.lock
    "$uv" pip install --quiet --python .venv/bin/python --no-deps --editable .
    echo "$wanted" >"$stamp"
fi
