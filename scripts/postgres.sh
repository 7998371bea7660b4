#!/usr/bin/env bash
# Makes sure that PostgreSQL's programs are there, for the tests of the database. They start servers of their own.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

# Debian keeps the server's programs out of PATH, a directory for each version.
there() { command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; }

there && exit 0
if [ "$(id -u)" = 0 ] && [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    # Debian's package would also start a server of the machine's, which nobody here asked for.
    mkdir -p /etc/postgresql-common
    echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
fi
apt_install "The tests of the database" postgresql
there || fail "PostgreSQL was installed but its programs are not there."
