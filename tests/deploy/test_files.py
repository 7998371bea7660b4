"""The Compose and systemd files, as far as they can be tried without a registry and a running systemd."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import docker
import pytest
import yaml

from lab.cache import ROOT
from qflow_runner.settings import Settings
from tests.deploy.conftest import run

COMPOSE = ROOT / "deploy" / "compose"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((COMPOSE / "compose.yaml").read_text())["services"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    """With a program that is there; a misspelt directive is told of, and is a failure here."""
    unit = tmp_path / "qflow.service"
    text = (ROOT / "deploy/systemd/qflow.service").read_text()
    unit.write_text(text.replace("/opt/qflow/bin/qflow", "/bin/true"))
    command = ["systemd-analyze", "verify", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    assert done.returncode == 0, done.stderr
    assert not [line for line in done.stderr.splitlines() if str(unit) in line]


def test_the_unit_names_settings() -> None:
    text = (ROOT / "deploy/systemd/qflow.service").read_text() + (
        ROOT / "deploy/systemd/qflow.env"
    ).read_text()
    names = set(re.findall(r"\bQFLOW_([A-Z_]+)", text))

    assert names
    assert all(name.lower() in Settings.model_fields for name in names)


def test_the_compose_file_is_one_that_compose_takes() -> None:
    """By the schema of the Compose specification; Compose itself is not needed for that."""
    run(
        *(sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"),
        COMPOSE / "compose.yaml",
    )


def test_the_cluster_file_goes_with_it() -> None:
    """By the schema; its workers share what a cluster shares and have their own directories; the proxy lets in them alone."""
    run(
        *(sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"),
        COMPOSE / "cluster.yaml",
    )
    services = yaml.safe_load((COMPOSE / "cluster.yaml").read_text())["services"]
    workers = {name: each["environment"] for name, each in services.items() if name.startswith("worker-")}
    shared = (
        "QFLOW_REDIS_URL",
        "QFLOW_DATABASE_URL",
        "QFLOW_SHARED_DIR",
        "QFLOW_ENCRYPTION_KEYS",
        "QFLOW_ENGINE",
    )
    runner = {**SERVICES["runner"]["environment"], **services["runner"]["environment"]}
    for each in workers.values():
        assert {name: runner[name] for name in shared} == {name: each[name] for name in shared}
        assert each["QFLOW_DATA_DIR"] != runner.get("QFLOW_DATA_DIR", "/var/lib/qflow")
        assert all(
            name.removeprefix("QFLOW_").lower() in Settings.model_fields
            for name in each
            if name != "DOCKER_HOST"
        )
    assert len(workers) == len({each["QFLOW_DATA_DIR"] for each in workers.values()})
    proxy, own = services["docker-proxy"]["command"], SERVICES["docker-proxy"]["command"]
    assert f"-allowfrom={','.join(workers)}" in proxy
    assert {e for e in proxy if "allowfrom" not in e} == {e for e in own if "allowfrom" not in e}


def test_compose_names_settings() -> None:
    """A misspelt variable would be ignored."""
    for name in ("runner", "n8n-setup"):
        for each in SERVICES[name]["environment"]:
            assert (
                not each.startswith("QFLOW_") or each.removeprefix("QFLOW_").lower() in Settings.model_fields
            )


def test_dockers_socket_is_with_the_proxy_and_the_images_alone() -> None:
    """The runner and n8n have neither the socket nor a way to the proxy that is not theirs."""
    having = {
        name
        for name, each in SERVICES.items()
        if any("docker.sock" in str(v) for v in each.get("volumes", ()))
    }

    assert having == {"docker-proxy", "images"}
    assert SERVICES["images"]["profiles"] == ["setup"]
    assert {name for name, each in SERVICES.items() if "docker" in each.get("networks", ())} == {
        "runner",
        "docker-proxy",
    }


def test_what_the_runner_mounts_is_what_it_is_told_and_what_the_proxy_allows() -> None:
    """The same names and paths in three places."""
    volumes = yaml.safe_load((COMPOSE / "compose.yaml").read_text())["volumes"]
    mounted = {
        f"{volumes[source]['name']}:{path}"
        for source, path in (each.split(":") for each in SERVICES["runner"]["volumes"])
    }
    (allowed,) = [
        each for each in SERVICES["docker-proxy"]["command"] if each.startswith("-allowbindmountfrom=")
    ]

    assert set(SERVICES["runner"]["environment"]["QFLOW_DOCKER_MOUNTS"].split(",")) == mounted
    assert all(f"/{each.split(':')[0]}/_data" in allowed for each in mounted)


@pytest.mark.docker
def test_prepare_writes_what_the_compose_file_asks_for(tmp_path: Path) -> None:
    """Every variable without a default, with secrets that differ; and a second call leaves them."""
    shutil.copy2(COMPOSE / "prepare.sh", tmp_path)
    run(tmp_path / "prepare.sh")
    env = tmp_path / ".env"
    first = env.read_text()
    told = dict(line.split("=", 1) for line in first.splitlines())
    wanted = set(re.findall(r"\$\{([A-Z_0-9]+):\?", (COMPOSE / "compose.yaml").read_text()))

    assert wanted <= set(told)
    assert all(told.values())
    secrets = [value for name, value in told.items() if "DOCKER" not in name]
    assert len(set(secrets)) == len(secrets)
    assert min(map(len, secrets)) >= 32
    assert env.stat().st_mode & 0o777 == 0o600
    assert Path(told["DOCKER_VOLUMES"]).is_absolute()

    run(tmp_path / "prepare.sh")
    assert env.read_text() == first


@pytest.mark.docker
@pytest.mark.timeout(600)
def test_n8n_gets_the_node_and_the_files(
    client: docker.DockerClient, runner_image: str, tmp_path: Path
) -> None:
    """As n8n's user may read them; and a second call, as after an update, replaces them."""
    release, home, files = tmp_path / "release", tmp_path / "home", tmp_path / "files"
    for each in (release, home, files):
        each.mkdir()
    run(ROOT / "scripts" / "node-package.sh")
    run(
        "npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", release, ROOT / "n8n-nodes-qflow"
    )
    stale = home / "nodes" / "node_modules" / "n8n-nodes-qflow" / "dist" / "stale.js"
    stale.parent.mkdir(parents=True)
    stale.touch()
    binds = {
        str(home): {"bind": "/home/node/.n8n", "mode": "rw"},
        str(files): {"bind": "/qflow", "mode": "rw"},
        str(release): {"bind": "/release", "mode": "ro"},
        str(COMPOSE / "n8n-setup.sh"): {"bind": "/n8n-setup.sh", "mode": "ro"},
    }
    for _ in range(2):
        client.containers.run(
            runner_image,
            name=f"qflow-test-setup-{os.getpid()}",
            entrypoint=SERVICES["n8n-setup"]["entrypoint"],
            command=SERVICES["n8n-setup"]["command"],
            user=SERVICES["n8n-setup"]["user"],
            environment={"QFLOW_TOKEN": "a-token-of-the-tests"},
            network_mode="none",
            volumes=binds,
            remove=True,
        )

    package = home / "nodes" / "node_modules" / "n8n-nodes-qflow"
    assert (package / "dist/nodes/QflowPython/QflowPython.node.js").is_file()
    assert not stale.exists()
    assert {path.stat().st_uid for path in (home, *home.rglob("*"))} == {1000}
    settings = files / "qflow.json"
    assert "http://runner:8717" in settings.read_text()
    assert (settings.stat().st_uid, settings.stat().st_mode & 0o777) == (1000, 0o600)
