#!/usr/bin/env bash
# Builds the runner's web pages: scripts/console.sh [build|check|test|format]. Their tools are installed once per lock file.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
task="${1:-build}"
root="$(cd "$(dirname "$0")/.." && pwd)"
console="$root/runner/console"
built="$root/runner/qflow_runner/console"
stamp="$root/build/console.built"
mkdir -p "$root/build"

fingerprint() { sha256sum | cut -c1-16; }

# The tools live in the cache; the sources only point there.
install_tools() {
    local dir
    dir="$(cache_dir)/console/$(fingerprint <"$console/package-lock.json")"
    mkdir -p "$dir"
    (
        flock 9
        [ -f "$dir/installed" ] && exit 0
        say "Installing the tools of the console: this takes half a minute, once."
        cp "$console/package.json" "$console/package-lock.json" "$console/.npmrc" "$dir/"
        with_progress "packages" "$dir" npm ci --prefix "$dir" \
            --ignore-scripts --no-audit --no-fund --loglevel=error
        touch "$dir/installed"
    ) 9>"$dir/lock"
    if [ -d "$console/node_modules" ] && [ ! -L "$console/node_modules" ]; then
        fail "$console/node_modules is a directory: remove it, so that a link can take its place."
    fi
    ln -sfn "$dir/node_modules" "$console/node_modules"
}

sources() {
    cd "$console"
    find src index.html package.json package-lock.json vite.config.ts finishing.ts tsconfig.json -type f -print0 |
        LC_ALL=C sort -z | xargs -0 sha256sum
}

# Beside the old files first: a runner that serves them meanwhile never finds half of a build.
build() {
    local wanted log="$root/build/console.log"
    wanted="$(sources | fingerprint)"
    [ -f "$built/index.html" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && return
    say "Building the console …"
    rm -f "$stamp"
    if ! (cd "$console" && npm run --silent build -- --outDir "$built.new" --emptyOutDir >"$log" 2>&1); then
        cat "$log" >&2
        fail "The console was not built."
    fi
    rm -rf "$built"
    mv "$built.new" "$built"
    echo "$wanted" >"$stamp"
}

install_node
install_tools
cd "$console"
case "$task" in
    build)
        (
            flock 9
            build
        ) 9>"$root/build/console.lock"
        ;;
    check)
        npm run --silent check
        npm run --silent format:check
        ;;
    test) npm run --silent test ;;
    format) npm run --silent format ;;
    *) fail "Usage: scripts/console.sh [build|check|test|format]" ;;
esac
