#!/usr/bin/env bash
# Makes what a release consists of, in build/release: wheel, sdist, node package, SBOMs, licences, checksums.
# It publishes nothing. With --tag it also makes the annotated tag v<version>, from a clean tree alone.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
root="$(cd "$(dirname "$0")/.." && pwd)"
cd "$root"
tag=""
case "${1:-}" in
    "") ;;
    --tag) tag=yes ;;
    *) fail "Usage: scripts/release.sh [--tag]" ;;
esac
release="${QFLOW_RELEASE_DIR:-$root/build/release}"
uv=.venv/bin/uv

version="$(.venv/bin/python -m lab.release version)"
say "Qflow $version"
if [ -n "$tag" ]; then
    [ -z "$(git status --porcelain)" ] || fail "There are changes that no commit holds: a tag would not name what is built."
    ! git rev-parse -q --verify "refs/tags/v$version" >/dev/null || fail "The tag v$version is there already."
fi

scripts/console.sh
scripts/node-package.sh
new="$release.new"
rm -rf "$new"
mkdir -p "$new"
# Files are as old as the commit, so a build can be repeated.
SOURCE_DATE_EPOCH="$(git log -1 --format=%ct 2>/dev/null || echo 0)"
export SOURCE_DATE_EPOCH
say "Building wheel and source distribution …"
$uv build --quiet --wheel --sdist --out-dir "$new"
rm -f "$new/.gitignore"

say "Packing the node …"
install_node
(cd n8n-nodes-qflow && npm pack --silent --ignore-scripts --pack-destination "$new" >/dev/null)

say "Listing what it is made of …"
$uv pip compile --quiet --no-header --universal --python-version 3.11 --all-extras \
    --constraints requirements-dev.lock pyproject.toml -o "$new/requirements.txt"
venv="$(mktemp -d)"
trap 'rm -rf "$venv"' EXIT
$uv venv --quiet "$venv/env"
$uv pip install --quiet --python "$venv/env/bin/python" --requirement "$new/requirements.txt"
$uv pip install --quiet --python "$venv/env/bin/python" --no-deps "$new"/qflow-*.whl
$uv tool run --quiet --from "cyclonedx-bom==7.5.0" cyclonedx-py environment "$venv/env/bin/python" \
    --pyproject pyproject.toml --spec-version 1.6 --output-reproducible --output-file "$new/sbom-runner.cdx.json"
$uv tool run --quiet --from "cyclonedx-bom==7.5.0" cyclonedx-py requirements sandbox-images/agent/requirements.lock \
    --spec-version 1.6 --output-reproducible --output-file "$new/sbom-sandbox.cdx.json"
for part in n8n-nodes-qflow runner/console; do
    .venv/bin/python -m lab.npm_sbom "$part" >"$new/sbom-$(basename "$part").cdx.json"
done
.venv/bin/python -m lab.release licenses "$new"
.venv/bin/python -m lab.release check "$new"
sums="$(cd "$new" && find . -type f -printf '%P\n' | LC_ALL=C sort | xargs sha256sum)"
echo "$sums" >"$new/SHA256SUMS"
rm -rf "$release"
mv "$new" "$release"
say "Made in $release:"
find "$release" -type f -printf '  %10s  %P\n' | LC_ALL=C sort -k 2 >&2

if [ -n "$tag" ]; then
    git tag -a "v$version" -m "Qflow $version"
    say "Tagged v$version. What to do next: docs/releasing.md."
else
    say "Nothing was tagged or published (make release TAG=1 tags)."
fi
