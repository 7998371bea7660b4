"""A real n8n: one process with its own user folder and ports, and the node package installed as from npm."""

import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

from lab.cache import ROOT, n8n_home, node_home
from lab.errors import LabError
from lab.n8n_api import N8nApi
from lab.processes import Process, free_ports

PACKAGE = ROOT / "n8n-nodes-qflow"

# What would call out, or cover the editor with something that is not ours.
QUIET = {
    "N8N_DIAGNOSTICS_ENABLED": "false",
    "N8N_VERSION_NOTIFICATIONS_ENABLED": "false",
    "N8N_VERSION_NOTIFICATIONS_WHATS_NEW_ENABLED": "false",
    "N8N_TEMPLATES_ENABLED": "false",
    "N8N_PERSONALIZATION_ENABLED": "false",
    "N8N_DYNAMIC_BANNERS_ENABLED": "false",
    "N8N_HIRING_BANNER_ENABLED": "false",
}


class N8n:
    """n8n with an owner who is signed in; `api` speaks for that owner. Its nodes may read what lies in `files`."""

    def __init__(self, process: Process, url: str, api: N8nApi, files: Path) -> None:
        self.process = process
        self.url = url
        self.api = api
        self.files = files

    @classmethod
    async def start(
        cls,
        folder: Path,
        *,
        package: Path | None = PACKAGE,
        port: int | None = None,
        env: Mapping[str, str] | None = None,
        version: str | None = None,
        deadline_s: float = 90,
    ) -> "N8n":
        """Start n8n in `folder`, which may be from an earlier start, with the node `package` unless it is None.

        LabError when it is not ready after `deadline_s` seconds.
        """
        if package is not None:
            install_package(package, folder)
        port = port or free_ports(1)[0]
        files = folder / "files"
        files.mkdir(exist_ok=True)
        own = {"N8N_PORT": str(port), "N8N_RESTRICT_FILE_ACCESS_TO": str(files), **(env or {})}
        process = await run_n8n(folder, "start", own, version)
        url = f"http://127.0.0.1:{port}"
        try:
            await process.ready(f"{url}/healthz/readiness", deadline_s)
            api = await N8nApi.sign_in(url)
        except BaseException:
            # Whoever waits may be cancelled; what was started must not stay behind.
            await process.stop()
            raise
        return cls(process, url, api, files)

    async def stop(self) -> None:
        await self.api.close()
        await self.process.stop()


async def run_n8n(folder: Path, command: str, env: Mapping[str, str], version: str | None = None) -> Process:
    """A command of n8n, with `folder` as its own. LabError where that n8n is not installed."""
    home = n8n_home(version)
    if not (home / "installed").exists():
        raise LabError(f"n8n is not installed in {home}: run scripts/n8n.sh")
    own = {
        **QUIET,
        "PATH": f"{node_home() / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "N8N_USER_FOLDER": str(folder),
        "N8N_RUNNERS_BROKER_PORT": str(free_ports(1)[0]),
        "N8N_LISTEN_ADDRESS": "127.0.0.1",
        "N8N_SECURE_COOKIE": "false",
        "GENERIC_TIMEZONE": "UTC",
        **env,
    }
    argv = [node_home() / "bin" / "node", home / "node_modules" / "n8n" / "bin" / "n8n", *command.split()]
    return await Process.start("n8n", argv, log=folder / "n8n.log", env=own)


def install_package(package: Path, folder: Path) -> None:
    """Pack the built node as npm does and unpack it where n8n's own installer puts packages, as on a real server."""
    if not (package / "dist").is_dir():
        raise LabError(f"{package} is not built: run scripts/node-package.sh")
    target = folder / ".n8n" / "nodes" / "node_modules" / package.name
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent.parent) as scratch:
        packed = subprocess.run(
            ["npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", scratch],
            cwd=package,
            env={**os.environ, "PATH": f"{node_home() / 'bin'}{os.pathsep}{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if packed.returncode:
            raise LabError(f"npm could not pack {package}: {packed.stderr.strip()}")
        (tarball,) = Path(scratch).glob("*.tgz")
        with tarfile.open(tarball) as archive:
            archive.extractall(scratch, filter="data")
        (Path(scratch) / "package").rename(target)
