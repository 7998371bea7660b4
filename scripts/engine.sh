#!/usr/bin/env bash
# Makes a Docker daemon answer: at once when one does, else installs and starts one (Debian, as root).
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
data_root="${QFLOW_DOCKER_ROOT:-/var/lib/docker-qflow}"
deadline=$((SECONDS + 60))

answers() { docker info >/dev/null 2>&1; }

answers && exit 0
[ "$(id -u)" = 0 ] || fail "No Docker daemon answers 'docker info' for user $(id -un): start Docker, or run this as root."
[ -z "${DOCKER_HOST:-}" ] || fail "DOCKER_HOST is $DOCKER_HOST, and no Docker daemon answers there."

if ! command -v dockerd >/dev/null || ! command -v docker >/dev/null || ! command -v iptables >/dev/null; then
    apt_install "Starting a Docker daemon" docker.io iptables
fi

state="$(cache_dir)/engine"
mkdir -p "$state"
pid=""
if [ -d /run/systemd/system ]; then
    say "Starting Docker with systemd …"
    systemctl start docker || fail "systemd could not start Docker: see 'journalctl -u docker'."
elif ! answers; then
    say "Starting dockerd (data in $data_root, log in $state/dockerd.log) …"
    # A session of its own and no open streams let the daemon outlive this script and whoever waits for its output.
    setsid dockerd --data-root "$data_root" >"$state/dockerd.log" 2>&1 </dev/null &
    pid=$!
    echo "$pid" >"$state/dockerd.pid"
fi

until answers; do
    if [ -n "$pid" ] && ! kill -0 "$pid" 2>/dev/null; then
        tail -n 15 "$state/dockerd.log" >&2
        fail "dockerd ended before it was ready; its log is $state/dockerd.log"
    fi
    [ "$SECONDS" -lt "$deadline" ] || fail "Docker did not answer 'docker info' within 60 s; see $state/dockerd.log"
    sleep 0.2
done
say "Docker $(docker version --format '{{.Server.Version}}') is ready."
