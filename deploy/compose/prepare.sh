#!/bin/sh
# Writes .env beside this file, once, with secrets of its own and this machine's Docker group.
set -eu
cd "$(dirname "$0")"
[ ! -e .env ] || { echo ".env is there already: it is left as it is." >&2; exit 0; }
secret() { head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n'; }
socket="${DOCKER_SOCKET:-/var/run/docker.sock}"
umask 077
cat >.env.new <<EOF
QFLOW_TOKEN=$(secret)
QFLOW_DB_PASSWORD=$(secret)
QFLOW_ENCRYPTION_KEYS=$(head -c 32 /dev/urandom | base64 | tr '+/' '-_')
N8N_DB_PASSWORD=$(secret)
N8N_ENCRYPTION_KEY=$(secret)
POSTGRES_PASSWORD=$(secret)
DOCKER_SOCKET=$socket
DOCKER_GROUP=$(stat -c %g "$socket")
DOCKER_VOLUMES=$(docker info --format '{{.DockerRootDir}}')/volumes
EOF
mv .env.new .env
echo "Written: $(pwd)/.env. Keep a copy: n8n's credentials cannot be read without N8N_ENCRYPTION_KEY." >&2
