#!/usr/bin/env bash
# Makes sure that a Chromium is on PATH, for the tests that click in n8n's editor.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

command -v chromium >/dev/null && exit 0
# Without a font the editor's text is empty boxes.
apt_install "The browser tests" chromium fonts-liberation
command -v chromium >/dev/null || fail "Chromium was installed but is not on PATH."
