#!/usr/bin/env bash
# Builds the n8n node: scripts/node-package.sh [build|lint|test]. Its tools are installed once per lock file.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
task="${1:-build}"
root="$(cd "$(dirname "$0")/.." && pwd)"
package="$root/n8n-nodes-qflow"
stamp="$root/build/node-package.built"

fingerprint() { sha256sum | cut -c1-16; }

# The tools live in the cache, half a gigabyte of small files; the package only points there.
install_tools() {
    local dir
    dir="$(cache_dir)/node-package/$(fingerprint <"$package/package-lock.json")"
    mkdir -p "$dir"
    (
        flock 9
        [ -f "$dir/installed" ] && exit 0
        say "Installing the tools of the node package: this takes half a minute, once."
        cp "$package/package.json" "$package/package-lock.json" "$dir/"
        with_progress "packages" "$dir" npm ci --prefix "$dir" \
            --ignore-scripts --no-audit --no-fund --loglevel=error
        touch "$dir/installed"
    ) 9>"$dir/lock"
    if [ -d "$package/node_modules" ] && [ ! -L "$package/node_modules" ]; then
        fail "$package/node_modules is a directory: remove it, so that a link can take its place."
    fi
    ln -sfn "$dir/node_modules" "$package/node_modules"
}

sources() {
    cd "$package"
    find credentials nodes icons package.json package-lock.json tsconfig.json -type f -print0 |
        LC_ALL=C sort -z | xargs -0 sha256sum
}

build() {
    local wanted log="$root/build/node-package.log"
    wanted="$(sources | fingerprint)"
    [ -f "$package/dist/package.json" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && return
    say "Building the node package …"
    mkdir -p "$root/build"
    rm -f "$stamp"
    # Its spinner fills a log with control characters, so only a failure is shown.
    if ! (cd "$package" && node_modules/.bin/n8n-node build >"$log" 2>&1); then
        cat "$log" >&2
        fail "The node package was not built."
    fi
    echo "$wanted" >"$stamp"
}

install_node
install_tools
cd "$package"
case "$task" in
    build) build ;;
    lint)
        npm run --silent lint
        npm run --silent format:check
        ;;
    test) npm run --silent test ;;
    *) fail "Usage: scripts/node-package.sh [build|lint|test]" ;;
esac
