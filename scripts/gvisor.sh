#!/usr/bin/env bash
# Makes a Docker daemon answer that knows gVisor, and prints its DOCKER_HOST. It is one of its own, beside the machine's:
# to teach that one a runtime would mean to change its configuration.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
state="$(cache_dir)/gvisor"
socket="$state/docker.sock"
deadline=$((SECONDS + 60))
mkdir -p "$state"

answers() { DOCKER_HOST="unix://$socket" docker info >/dev/null 2>&1; }

done_with() {
    echo "unix://$socket"
    exit 0
}

answers && done_with
[ "$(id -u)" = 0 ] || fail "A Docker daemon with gVisor is started by root alone."
if ! command -v dockerd >/dev/null || ! command -v docker >/dev/null; then
    apt_install "Starting a Docker daemon" docker.io iptables
fi

exec 9>"$state/lock"
flock 9
answers && done_with
runsc="$(command -v runsc || true)"
if [ -z "$runsc" ]; then
    runsc="$state/files/usr/bin/runsc"
    if [ ! -x "$runsc" ]; then
        say "Fetching the Debian package runsc …"
        apt-get update -qq >/dev/null || say "The package lists could not be refreshed; trying with those at hand."
        (cd "$state" && apt-get -o APT::Sandbox::User=root download -qq runsc) || fail "apt-get could not fetch the package runsc."
        dpkg -x "$state"/runsc_*.deb "$state/files"
    fi
fi

# A guest dials a socket of the host's: older versions name that otherwise. ptrace needs nothing of the machine.
flags="$("$runsc" flags 2>&1 || true)"
uds="--fsgofer-host-uds"
case "$flags" in *-host-uds*open*) uds="--host-uds=open" ;; esac
cat >"$state/daemon.json" <<JSON
{"runtimes": {"runsc": {"path": "$runsc", "runtimeArgs": ["--network=none", "--platform=ptrace", "$uds"]}}}
JSON

say "Starting a dockerd with gVisor (log in $state/dockerd.log) …"
setsid dockerd --config-file "$state/daemon.json" --data-root "${QFLOW_GVISOR_ROOT:-/var/lib/docker-qflow-gvisor}" \
    --exec-root "$state/run" --pidfile "$state/dockerd.pid" --host "unix://$socket" --bridge none --iptables=false \
    >"$state/dockerd.log" 2>&1 </dev/null 9>&- &
pid=$!
until answers; do
    if ! kill -0 "$pid" 2>/dev/null; then
        tail -n 15 "$state/dockerd.log" >&2
        fail "dockerd ended before it was ready; its log is $state/dockerd.log"
    fi
    [ "$SECONDS" -lt "$deadline" ] || fail "Docker did not answer within 60 s; see $state/dockerd.log"
    sleep 0.2
done
done_with
