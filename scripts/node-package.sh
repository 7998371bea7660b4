#!/usr/bin/env bash
# Builds the n8n node: scripts/node-package.sh [build|lint|test|scan]. Its tools are installed once per lock file.
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

# The rules by which n8n judges a published package, on the sources and on what is packed.
scan() {
    local dir unpacked
    dir="$(cache_dir)/node-scan/$SCAN_VERSION"
    mkdir -p "$dir"
    (
        flock 9
        [ -f "$dir/installed" ] && exit 0
        say "Installing n8n's scan: this takes a minute, once."
        with_progress "packages" "$dir" npm install --prefix "$dir" --ignore-scripts --no-audit --no-fund \
            --loglevel=error "@n8n/scan-community-package@$SCAN_VERSION"
        touch "$dir/installed"
    ) 9>"$dir/lock"
    build
    unpacked="$(mktemp -d)"
    # shellcheck disable=SC2064 # its name now
    trap "rm -rf '$unpacked'" EXIT
    (cd "$package" && npm pack --silent --ignore-scripts --pack-destination "$unpacked" >/dev/null)
    tar -xzf "$unpacked"/*.tgz -C "$unpacked"
    node "$root/scripts/scan-node-package.mjs" \
        "$dir/node_modules/@n8n/scan-community-package/scanner/scanner.mjs" "$package" "$unpacked/package"
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
    scan) scan ;;
    *) fail "Usage: scripts/node-package.sh [build|lint|test|scan]" ;;
esac
