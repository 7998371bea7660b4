#!/usr/bin/env bash
# Installs the real n8n into the cache: scripts/n8n.sh [VERSION]. At once when it is there, else about 5 minutes.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
version="${1:-$N8N_VERSION}"

install_node
dir="$(cache_dir)/n8n/$version"
mkdir -p "$dir"
exec 9>"$dir/lock"
flock 9
[ -f "$dir/installed" ] && exit 0

npm_finished() {
    # npm writes this file last, so it tells a finished tree from an interrupted one.
    [ -f "$dir/node_modules/.package-lock.json" ] &&
        [ "$(node -p "require('$dir/node_modules/n8n/package.json').version" 2>/dev/null)" = "$version" ]
}

sqlite_loads() { node -e "require('$dir/node_modules/sqlite3')" 2>/dev/null; }

compile_sqlite() {
    # Its Makefile runs node for include paths, and node-gyp would otherwise download the headers that Node brought.
    cd "$dir/node_modules/sqlite3"
    node "$dir/node_modules/node-gyp/bin/node-gyp.js" rebuild "--nodedir=$NODE_HOME"
}

if ! npm_finished; then
    say "Installing n8n $version, about 1,100 packages: this takes 3 to 5 minutes, once."
    # No install scripts: some of them download sources, and only sqlite3's result is needed.
    with_progress "packages" "$dir" npm install --prefix "$dir" --ignore-scripts --no-audit --no-fund \
        --loglevel=error "n8n@$version"
fi
if ! sqlite_loads; then
    for tool in make g++ python3; do
        command -v "$tool" >/dev/null || apt_install "Compiling n8n's database driver" make g++ python3
    done
    say "Compiling n8n's database driver: about a minute."
    with_progress "sqlite3" "$dir" compile_sqlite
    sqlite_loads || fail "n8n's database driver was compiled but does not load; see $dir/install.log"
fi
touch "$dir/installed"
say "n8n $version is ready in $dir."
