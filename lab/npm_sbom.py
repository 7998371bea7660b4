"""A CycloneDX list of what an npm package needs to run, from its lock file: python -m lab.npm_sbom DIRECTORY

`npm sbom --omit dev` leaves out a direct dependency that is a peer of another one too, as `vue` is.
"""

import base64
import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote


def needed(lock: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The lock's entries that the package's own dependencies lead to, by their place."""
    packages: dict[str, dict[str, Any]] = lock["packages"]
    found: dict[str, dict[str, Any]] = {}
    ahead = [("", name) for name in packages[""].get("dependencies", {})]
    while ahead:
        where, name = ahead.pop()
        place = _place(packages, where, name)
        if place is None or place in found:
            continue  # an optional one that was not installed, or known
        found[place] = packages[place]
        optional = packages[place].get("peerDependenciesMeta", {})
        for kind in ("dependencies", "optionalDependencies", "peerDependencies"):
            ahead += [(place, each) for each in packages[place].get(kind, {}) if each not in optional]
    return found


def sbom(directory: Path) -> dict[str, Any]:
    lock: dict[str, Any] = json.loads((directory / "package-lock.json").read_text())
    components = {place: _component(place, each) for place, each in needed(lock).items()}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {"type": "application", "name": lock["name"], "version": lock.get("version", "")}
        },
        "components": sorted(
            {each["bom-ref"]: each for each in components.values()}.values(), key=lambda each: each["bom-ref"]
        ),
    }


def _place(packages: dict[str, dict[str, Any]], where: str, name: str) -> str | None:
    """As Node.js looks for it: in the package's own folder, then in those above."""
    while True:
        place = f"{where}/node_modules/{name}".removeprefix("/")
        if place in packages:
            return place
        if not where:
            return None
        where = where.rpartition("/node_modules/")[0] if "/node_modules/" in where else ""


def _component(place: str, entry: dict[str, Any]) -> dict[str, Any]:
    # One that is installed under another name has its own in its entry.
    name = str(entry.get("name") or place.rpartition("node_modules/")[2])
    version = str(entry["version"])
    purl = f"pkg:npm/{quote(name, safe='/')}@{version}"
    made: dict[str, Any] = {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
    }
    if entry.get("license"):
        made["licenses"] = [{"expression": entry["license"]}]
    kind, _, digest = str(entry.get("integrity", "")).partition("-")
    if kind == "sha512":
        made["hashes"] = [{"alg": "SHA-512", "content": base64.b64decode(digest).hex()}]
    return made


if __name__ == "__main__":
    print(json.dumps(sbom(Path(sys.argv[1])), indent=2))
