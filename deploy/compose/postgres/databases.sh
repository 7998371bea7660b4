#!/bin/sh
# Run by the image at the first start, with an empty data directory: a user and a database each.
set -eu
psql -v ON_ERROR_STOP=1 -U postgres -v n8n="$N8N_DB_PASSWORD" -v qflow="$QFLOW_DB_PASSWORD" <<'SQL'
CREATE USER n8n PASSWORD :'n8n';
CREATE DATABASE n8n OWNER n8n;
CREATE USER qflow PASSWORD :'qflow';
CREATE DATABASE qflow OWNER qflow;
SQL
