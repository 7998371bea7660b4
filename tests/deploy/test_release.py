"""What a release consists of: made by the release script, complete, of one version; and the wheel works by itself."""

import hashlib
import json
import os
import re
import shutil
import sys
import tarfile
import zipfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from lab import release
from lab.cache import ROOT, node_home
from lab.errors import LabError
from lab.processes import Process, free_ports
from tests.deploy.conftest import UV, run
from tests.runner import TOKEN, RunnerClient

pytestmark = pytest.mark.timeout(600)  # the release is made once, and downloads what is not at hand
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory that `make release` makes, somewhere else."""
    place = tmp_path_factory.mktemp("release") / "release"
    told = run(ROOT / "scripts" / "release.sh", env={**os.environ, "QFLOW_RELEASE_DIR": str(place)})
    assert "Nothing was tagged" in told
    return place


@pytest.fixture(scope="module")
def installed(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The bin directory of a fresh environment with the wheel and what it declares, and nothing of this checkout."""
    place = tmp_path_factory.mktemp("installed") / "env"
    (wheel,) = made.glob("*.whl")
    run(UV, "venv", "--quiet", "--python", HERE, place)
    run(UV, "pip", "install", "--quiet", "--python", place / "bin" / "python", wheel)
    yield place / "bin"
    shutil.rmtree(place)


def test_every_file_is_listed_with_its_hash(made: Path) -> None:
    """SHA256SUMS has all files but itself, each with its true hash."""
    told = dict(reversed(line.split("  ", 1)) for line in (made / "SHA256SUMS").read_text().splitlines())
    found = {path.name for path in made.iterdir()} - {"SHA256SUMS"}

    assert set(told) == found
    for name, digest in told.items():
        assert hashlib.sha256((made / name).read_bytes()).hexdigest() == digest


@pytest.mark.parametrize("part", ["runner", "sandbox", "n8n-nodes-qflow", "console"])
def test_the_sboms_are_cyclonedx(made: Path, part: str) -> None:
    told: dict[str, Any] = json.loads((made / f"sbom-{part}.cdx.json").read_text())

    assert told["bomFormat"] == "CycloneDX"
    names = {each["name"] for each in told.get("components", [])}
    expected = {
        "runner": {"aiohttp", "docker"},
        "sandbox": {"msgpack"},
        "console": {"vue"},
        "n8n-nodes-qflow": set[str](),
    }
    assert expected[part] <= names
    assert not {"pytest", "hypothesis", "vitest"} & names


def test_what_the_console_is_built_of_is_in_its_sbom(made: Path) -> None:
    """Every package of which something is in the pages: their notices name them."""
    with zipfile.ZipFile(next(made.glob("*.whl"))) as archive:
        notices = archive.read("qflow_runner/console/licenses.txt").decode()
    built_of = set(re.findall(r"^(\S+ \d\S*) \([^)]+\)\n\n-+$", notices, re.MULTILINE))
    told: dict[str, Any] = json.loads((made / "sbom-console.cdx.json").read_text())

    assert len(built_of) > 10
    assert built_of <= {f"{each['name']} {each['version']}" for each in told["components"]}


def test_licences_are_listed_and_known(made: Path) -> None:
    """Of everything that is installed with the runner."""
    text = (made / "licenses.txt").read_text()

    assert "aiohttp" in text
    assert "unknown" not in text
    assert str(ROOT) not in text


def test_nothing_of_this_machine_is_in_it(made: Path) -> None:
    """No path of the machine that built it, and no address of its package index."""
    for path in made.glob("*.cdx.json"):
        assert str(ROOT) not in path.read_text()
        assert "file://" not in path.read_text()
    (wheel,) = made.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert not [name for name in archive.namelist() if str(ROOT).encode() in archive.read(name)]


def test_the_sources_make_the_same_wheel(made: Path, tmp_path: Path) -> None:
    """So nothing is in it that the sources do not have."""
    (wheel,), (sources,) = made.glob("*.whl"), made.glob("*.tar.gz")
    run(UV, "build", "--quiet", "--wheel", "--out-dir", tmp_path, sources)
    (again,) = tmp_path.glob("*.whl")

    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(again) as two:
        assert {each.filename: each.CRC for each in one.infolist()} == {
            each.filename: each.CRC for each in two.infolist()
        }


def test_versions_that_differ_are_refused(tmp_path: Path) -> None:
    """With the places named, so that the wrong one is found."""
    for name in release.versions():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, tmp_path / name)
    assert release.one_version(tmp_path) == release.one_version()
    package = tmp_path / "n8n-nodes-qflow" / "package.json"
    package.write_text(package.read_text().replace('"version": "', '"version": "9.'))

    with pytest.raises(LabError, match=r"9\.\S+ +n8n-nodes-qflow/package.json"):
        release.one_version(tmp_path)


def test_a_wheel_without_the_console_is_refused(made: Path, tmp_path: Path) -> None:
    for path in made.iterdir():
        shutil.copy2(path, tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("qflow_runner/__init__.py", "")

    with pytest.raises(LabError, match=r"console/index\.html"):
        release.check(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--help"], "serve"),
        (["settings"], "QFLOW_DOCKER_MOUNTS"),
        pytest.param(["images", "list"], "3.12", marks=pytest.mark.docker),
        (["n8n-files", "{place}", "--url", "http://127.0.0.1:8717"], "EXTERNAL_HOOK_FILES"),
    ],
)
def test_its_commands(installed: Path, tmp_path: Path, arguments: list[str], said: str) -> None:
    """In an environment that has only what the wheel declares, away from the checkout."""
    given = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "QFLOW_TOKEN": TOKEN, "COLUMNS": "200"}
    told = run(installed / "qflow", *(each.format(place=tmp_path / "n8n") for each in arguments), env=given)

    assert said in told


@pytest.fixture
async def served(installed: Path, tmp_path: Path) -> AsyncIterator[RunnerClient]:
    (port,) = free_ports(1)
    environment = {
        "QFLOW_BACKEND": "process",
        "QFLOW_DATA_DIR": str(tmp_path / "data"),
        "QFLOW_PORT": str(port),
        "QFLOW_TOKEN": TOKEN,
        "QFLOW_PYTHON": HERE,
        # No index: what the runner and its sandboxes need came with the installation, or is here.
        "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple/",
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple/",
        "QFLOW_WHEELS_DIR": str(tmp_path / "wheels"),
    }
    from tests.unit.layers.wheels import make_wheel

    make_wheel(
        tmp_path / "wheels", "greeting", files={"greeting.py": "def hello(name): return f'hello {name}'\n"}
    )
    process = await Process.start(
        "qflow", [installed / "qflow", "serve"], log=tmp_path / "log", env=environment, cwd=tmp_path
    )
    try:
        await process.ready(f"http://127.0.0.1:{port}/readyz", 60)
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as http:
            yield RunnerClient(f"http://127.0.0.1:{port}", http, None)
    finally:
        await process.stop(40)


async def test_it_runs_a_node(served: RunnerClient) -> None:
    """And shows its pages."""
    assert await served.values(
        "def double(n: int) -> int:\n    return n * 2\n", [{"n": 21}], python=HERE
    ) == [{"value": 42}]
    async with served.http.get(f"{served.address}/console/") as answer:
        assert answer.status == 200
        assert "<html" in await answer.text()


async def test_it_installs_packages_without_an_index(served: RunnerClient) -> None:
    """Air-gapped: from a directory of wheels, while every index is a closed port."""
    code = "import greeting\ndef greet(name: str) -> str:\n    return greeting.hello(name)\n"

    values = await served.values(
        code, [{"name": "you"}], python=HERE, requirements=["greeting"], workflow="packages"
    )

    assert values == [{"value": "hello you"}]


async def test_what_is_not_in_the_directory_is_said(served: RunnerClient) -> None:
    status, reply = await served.run(
        "def f() -> int:\n    return 1\n", python=HERE, requirements=["colorama"]
    )

    assert status == 422, reply
    assert reply["category"] == "dependency"
    assert "colorama" in reply["detail"]


def test_the_node_package_is_what_n8n_loads(made: Path, tmp_path: Path) -> None:
    """Installed with npm from its tarball, every file that its manifest names is there, and nothing came with it."""
    (tarball,) = made.glob("*.tgz")
    target = tmp_path / "nodes"
    target.mkdir()
    path = {"PATH": f"{node_home() / 'bin'}{os.pathsep}{os.environ['PATH']}", "HOME": str(tmp_path)}
    run(
        *(
            "npm",
            "install",
            "--prefix",
            target,
            "--offline",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--omit=dev",
        ),
        *("--omit=optional", "--omit=peer", "--legacy-peer-deps", "--package-lock=false", tarball),
        env=path,
    )

    assert [each.name for each in (target / "node_modules").iterdir() if each.name[0] != "."] == [
        "n8n-nodes-qflow"
    ]
    package = target / "node_modules" / "n8n-nodes-qflow"
    manifest = json.loads((package / "package.json").read_text())
    for each in (*manifest["n8n"]["nodes"], *manifest["n8n"]["credentials"]):
        assert (package / each).is_file()
    with tarfile.open(tarball) as archive:
        assert not [
            name
            for name in archive.getnames()
            if "/test" in name or (name.endswith(".ts") and ".d.ts" not in name)
        ]
