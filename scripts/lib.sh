# shellcheck shell=bash
# Shared by the scripts that install real parts; sourced, never run. See versions.env for what is pinned.
# shellcheck source=scripts/versions.env
. "$(dirname "${BASH_SOURCE[0]}")/versions.env"
N8N_VERSION="${N8N:-$N8N_VERSION}" # make e2e N8N=x.y.z

say() { echo "$*" >&2; }

fail() {
    say "$*"
    exit 1
}

# Where downloads are kept between runs; everything in it is keyed by version and may be deleted.
cache_dir() { echo "${QFLOW_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/qflow}"; }

# apt_install PURPOSE PACKAGE...: installs Debian packages, or fails with a sentence that says which are missing.
apt_install() {
    local purpose="$1"
    shift
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        fail "$purpose needs these Debian packages (or their like): $*. Install them and try again."
    fi
    say "Installing $* …"
    apt-get update -qq >/dev/null || say "The package lists could not be refreshed; trying with those at hand."
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null ||
        fail "apt-get could not install: $*"
}

# Puts the pinned Node.js into the cache and first on PATH. Sets NODE_HOME (bin/ and include/ are in it).
install_node() {
    local arch dir
    case "$(uname -m)" in
        x86_64) arch=x64 ;;
        aarch64) arch=arm64 ;;
        *) fail "Node.js $NODE_VERSION is not published for $(uname -m) as an npm package." ;;
    esac
    command -v npm >/dev/null || apt_install "Installing Node.js $NODE_VERSION" npm
    dir="$(cache_dir)/node/$NODE_VERSION"
    mkdir -p "$dir"
    (
        # Two scripts may want it at the same moment.
        flock 9
        [ -f "$dir/installed" ] && exit 0
        say "Installing Node.js $NODE_VERSION …"
        npm install --prefix "$dir" --ignore-scripts --no-audit --no-fund --loglevel=error \
            "node-linux-$arch@$NODE_VERSION" >&2 || exit 1
        ln -sfn "node_modules/node-linux-$arch/bin" "$dir/bin"
        ln -sfn "node_modules/node-linux-$arch/include" "$dir/include"
        touch "$dir/installed"
    ) 9>"$dir/lock" || fail "Node.js $NODE_VERSION could not be installed into $dir."
    export NODE_HOME="$dir"
    export PATH="$dir/bin:$PATH"
}

# with_progress LABEL DIRECTORY COMMAND...: runs it, and says every 15 s how long it took and how much is there.
with_progress() {
    local label="$1" dir="$2" log started pid
    shift 2
    log="$dir/install.log"
    started=$SECONDS
    "$@" >>"$log" 2>&1 &
    pid=$!
    while sleep 1 && kill -0 "$pid" 2>/dev/null; do
        if [ $(((SECONDS - started) % 15)) = 0 ]; then
            say "  $label: $((SECONDS - started)) s, $(du -sm "$dir" 2>/dev/null | cut -f1) MB"
        fi
    done
    if ! wait "$pid"; then
        tail -n 25 "$log" >&2
        fail "$label failed after $((SECONDS - started)) s; the whole log is $log"
    fi
    say "  $label: done in $((SECONDS - started)) s"
}
