"""Checks of a release: one version everywhere, everything in the packages that belongs there, every licence known."""

import json
import re
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lab.cache import ROOT
from lab.errors import LabError

IN_WHEEL = (
    "qflow_runner/console/index.html",
    "qflow_runner/console/licenses.txt",
    "qflow_runner/_editor/qflow-hooks.cjs",
    "qflow_runner/_editor/qflow-editor.js",
    "qflow_runner/_sandbox_images/seccomp.json",
    "qflow_runner/_sandbox_images/python/Dockerfile",
    "qflow_runner/_sandbox_images/base/Dockerfile",
    "qflow_runner/_sandbox_images/agent/requirements.lock",
    "qflow_runner/_sandbox_images/agent/qflow_agent/__main__.py",
    "qflow_agent/__main__.py",
    "qflow/__init__.py",
)
IN_SDIST = (
    "pyproject.toml",
    "LICENSE",
    "runner/qflow_runner/__init__.py",
    "runner/qflow_runner/console/index.html",
)
IN_NODE_PACKAGE = (
    "package.json",
    "README.md",
    "LICENSE.md",
    "dist/nodes/QflowPython/QflowPython.node.js",
    "dist/credentials/QflowApi.credentials.js",
)
NEVER = re.compile(r"(^|/)(__pycache__|\.env|\.git|node_modules|tests?|\.venv)(/|$)|\.pyc$|\.map$")


KNOWN = {"protobuf": "BSD-3-Clause"}
"""Licences that packages bring as a text alone."""


def versions(root: Path = ROOT) -> dict[str, str]:
    """Where a version stands, and which."""
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    init = (root / "runner/qflow_runner/__init__.py").read_text()
    lock: dict[str, Any] = json.loads((root / "n8n-nodes-qflow/package-lock.json").read_text())
    return {
        "pyproject.toml": project["version"],
        "runner/qflow_runner/__init__.py": _found(r'__version__ = "([^"]+)"', init),
        "n8n-nodes-qflow/package.json": json.loads((root / "n8n-nodes-qflow/package.json").read_text())[
            "version"
        ],
        "n8n-nodes-qflow/package-lock.json": lock["version"],
        "CHANGELOG.md": _newest(root / "CHANGELOG.md"),
        "n8n-nodes-qflow/CHANGELOG.md": _newest(root / "n8n-nodes-qflow/CHANGELOG.md"),
        "deploy/kubernetes/qflow.yaml": _found(
            r"image: qflow-runner:(\S+)", (root / "deploy/kubernetes/qflow.yaml").read_text()
        ),
    }


def one_version(root: Path = ROOT) -> str:
    """The version of the release. LabError when two places differ."""
    told = versions(root)
    if len(set(told.values())) != 1:
        lines = "\n".join(f"  {version or 'none':12} {place}" for place, version in told.items())
        raise LabError(f"The version is not the same everywhere:\n{lines}")
    return next(iter(told.values()))


def check(place: Path) -> None:
    """LabError when a package lacks what belongs in it, or has what does not."""
    version = one_version()
    wheel = place / f"qflow-{version}-py3-none-any.whl"
    sdist = place / f"qflow-{version}.tar.gz"
    node = place / f"n8n-nodes-qflow-{version}.tgz"
    with zipfile.ZipFile(wheel) as archive:
        _holds(wheel, archive.namelist(), IN_WHEEL)
    for path, wanted in ((sdist, IN_SDIST), (node, IN_NODE_PACKAGE)):
        with tarfile.open(path) as archive:
            names = [each.partition("/")[2] for each in archive.getnames()]
        _holds(path, names, wanted, strict=path == node)
    with tarfile.open(node) as archive:
        manifest = archive.extractfile("package/package.json")
        if manifest is None or json.load(manifest).get("dependencies"):
            raise LabError("The node package must have no dependencies.")


def licenses(place: Path) -> None:
    """Write licenses.txt: what the runner installs, what its sandboxes hold, what its pages are made of."""
    lines = ["What Qflow is made of, by part. The full texts are in the packages themselves.", ""]
    unknown: list[str] = []
    for title, components in (
        ("The runner's Python packages", _components(place / "sbom-runner.cdx.json")),
        (
            "The console's npm packages (full texts: /console/licenses.txt of a runner)",
            _components(place / "sbom-console.cdx.json"),
        ),
    ):
        lines += [title, ""]
        for name, version, terms in components:
            lines.append(f"  {name} {version}: {terms or 'unknown'}")
            if not terms:
                unknown.append(name)
        lines.append("")
    lines += ["In sandbox images, beside Python and Debian", ""]
    lines += [f"  {name} {version}" for name, version, _ in _components(place / "sbom-sandbox.cdx.json")]
    if unknown:
        raise LabError(f"Without a known licence: {', '.join(unknown)}. Look at what they say of themselves.")
    (place / "licenses.txt").write_text("\n".join(lines) + "\n")


def _components(path: Path) -> Iterator[tuple[str, str, str]]:
    told: dict[str, Any] = json.loads(path.read_text())
    for each in sorted(told.get("components", []), key=lambda each: str(each["name"]).lower()):
        found: list[str] = []
        for one in each.get("licenses", []):
            named = one.get("license", {})
            found.append(one.get("expression") or named.get("id") or named.get("name") or "")
        yield (
            each["name"],
            each.get("version", ""),
            " / ".join(dict.fromkeys(filter(None, found))) or KNOWN.get(each["name"], ""),
        )


def _holds(package: Path, names: list[str], wanted: tuple[str, ...], *, strict: bool = True) -> None:
    missing = [each for each in wanted if each not in names]
    strange = [each for each in names if strict and NEVER.search(each)]
    if missing or strange:
        raise LabError(f"{package.name} lacks {missing} and has {strange[:5]}, which does not belong there.")


def _newest(changelog: Path) -> str:
    return _found(r"^## \[?v?(\d+\.\d+\.\d+[^\s\]]*)", changelog.read_text())


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text, re.MULTILINE)
    return match[1] if match else ""


def main(command: str, place: Path) -> None:
    match command:
        case "version":
            print(one_version())
        case "licenses":
            licenses(place)
        case "check":
            check(place)
        case _:
            raise LabError("Usage: python -m lab.release version|licenses|check [DIRECTORY]")


if __name__ == "__main__":
    try:
        main(
            sys.argv[1] if len(sys.argv) > 1 else "",
            Path(sys.argv[2] if len(sys.argv) > 2 else "build/release"),
        )
    except LabError as error:
        sys.exit(str(error))
