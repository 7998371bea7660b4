#!/bin/sh
# n8n-setup.sh RUNNER_URL: run as root in the runner's image, with n8n's volumes at the places below. May be run again.
set -eu
owner=1000:1000 # the user `node` of n8n's image
home=/home/node/.n8n
place="$home/nodes/node_modules/n8n-nodes-qflow"
set -- "$1" /release/n8n-nodes-qflow-*.tgz
[ -f "$2" ] && [ "$#" = 2 ] || {
    echo "There must be one n8n-nodes-qflow-*.tgz in build/release: run 'make release' first." >&2
    exit 1
}
# The package has no dependencies, so unpacking is all there is to an installation.
rm -rf "$place.new"
mkdir -p "$place.new"
tar -xzf "$2" -C "$place.new" --strip-components=1
rm -rf "$place"
mv "$place.new" "$place"
chown "$owner" "$home"
chown -R "$owner" "$home/nodes"
chown "$owner" /qflow
qflow n8n-files /qflow --url "$1"
