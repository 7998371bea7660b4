#!/usr/bin/env bash
# Makes sure that promtool is there, which checks the alert rules: out of Debian's package, without its server.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
target="$(cache_dir)/promtool"

command -v promtool >/dev/null && exit 0
[ -x "$target/promtool" ] && exit 0
command -v dpkg-deb >/dev/null || fail "The tests of the alert rules need promtool (of Prometheus): put it on PATH."
say "Fetching promtool …"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
[ "$(id -u)" != 0 ] || apt-get update -qq >/dev/null || say "The package lists could not be refreshed; trying with those at hand."
(cd "$work" && apt-get download -qq prometheus >/dev/null 2>&1) || fail "apt-get could not fetch the package prometheus."
dpkg-deb --extract "$work"/prometheus_*.deb "$work/package"
mkdir -p "$target"
mv "$work/package/usr/bin/promtool" "$target/promtool.new"
mv "$target/promtool.new" "$target/promtool"
