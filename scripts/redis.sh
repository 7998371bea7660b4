#!/usr/bin/env bash
# Makes sure that a Redis server is on PATH, for the tests of the result cache; they start their own.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

command -v redis-server >/dev/null && exit 0
# This run level keeps the package from starting a server on the machine's port.
RUNLEVEL=1 apt_install "The tests of the result cache" redis-server
command -v redis-server >/dev/null || fail "Redis was installed but redis-server is not on PATH."
