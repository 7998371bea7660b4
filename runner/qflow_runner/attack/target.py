"""The runner under attack: the real application with the real backend, on loopback, with secrets planted around it."""

import asyncio
import contextlib
import io
import json
import os
import secrets
import tempfile
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from qflow_runner.api.parts import build_state
from qflow_runner.api.server import build_app
from qflow_runner.api.state import State
from qflow_runner.attack.model import Answer
from qflow_runner.errors import Unavailable
from qflow_runner.sandbox.choose import choose_backend
from qflow_runner.sandbox.images import SUPPORTED
from qflow_runner.settings import Settings

READY_S = 60.0
CALL_S = 120.0
MARK = Path(tempfile.gettempdir()) / "qflow-owned"
"""What code that was tricked onto the host would leave."""


def canary() -> str:
    """A secret that is looked for in everything that an attack's caller gets to see."""
    return f"canary-{secrets.token_hex(16)}"


class Target:
    """One runner, its client, and the secrets that nobody may learn."""

    def __init__(
        self, state: State, address: str, http: aiohttp.ClientSession, token: str, public: Path
    ) -> None:
        self.state = state
        self.port = int(address.rpartition(":")[2])
        self.secrets = {token}
        self.host_files: list[str] = []
        self._address = address
        self._http = http
        for place in (public, state.settings.data_dir):
            file = place / "secret.txt"
            file.write_text(self.secret())
            self.host_files.append(str(file))

    @property
    def data_dir(self) -> Path:
        return self.state.settings.data_dir

    def secret(self) -> str:
        made = canary()
        self.secrets.add(made)
        return made

    async def run(self, code: str, hints: Mapping[str, Any] | None = None, **options: Any) -> Answer:
        """Define the code and run it with one item. Options of the run are taken out, the others are the definition's."""
        run = {name: options.pop(name) for name in ("workflow", "execution", "keep") if name in options}
        query = {"workflow": "attack", "execution": "attack", "node": "Attack"} | run
        if query.pop("keep", False):
            query["keep"] = "1"
        began = time.monotonic()
        status, reply = await self._call("PUT", "/v1/definitions", {"code": code, "cpus": None, **options})
        if status == 200:
            path = f"/v1/definitions/{reply['id']}/runs"
            status, reply = await self._call("POST", path, {"items": [{"json": hints or {}}]}, query)
        return Answer(status, reply, time.monotonic() - began)

    async def retire(self, workflow: str) -> None:
        """Stop a workflow's sandbox as for want of room: what its sessions keep is packed and written first."""
        for row in self.state.keeper.snapshot():
            if row["workflow"] == workflow:
                self.state.keeper.retire(row["id"])

    def host_file(self, name: str) -> bool:
        """Sandboxes come and go below the directory: `os.walk` goes on where a folder is gone, `rglob` would raise."""
        found = (name in (*folders, *files) for _, folders, files in os.walk(self.data_dir))
        return MARK.exists() or any(found)

    async def _call(
        self, method: str, path: str, body: Mapping[str, Any], query: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        given = {name: value for name, value in body.items() if value is not None}
        data = io.BytesIO(json.dumps(given).encode())
        headers = {"Content-Type": "application/json"}
        async with self._http.request(
            method, self._address + path, params=query, data=data, headers=headers
        ) as response:
            return response.status, await response.json(content_type=None)


def apart(directory: Path) -> dict[str, Any]:
    """What keeps this runner from the operator's own: its data, and no store or cache that others use."""
    elsewhere = {"data_dir": directory, "layers_dir": directory / "layers"}
    return elsewhere | dict.fromkeys(
        ("files_dir", "spill_dir", "database_url", "redis_url", "advisories_mirror")
    )


@asynccontextmanager
async def under_attack(settings: Settings) -> AsyncGenerator[Target]:
    """A runner of its own beside whatever runs here: other data, another identity, the same limits and backend."""
    with (
        tempfile.TemporaryDirectory(prefix="qflow-attack-", ignore_cleanup_errors=True) as directory,
        contextlib.ExitStack() as planted,
    ):
        public = Path(planted.enter_context(tempfile.TemporaryDirectory(prefix="qflow-public-")))
        os.chmod(public, 0o755)  # noqa: PTH101, S103 - so that nothing but the boundary keeps the file from a sandbox
        MARK.unlink(missing_ok=True)
        own = settings.model_copy(update=apart(Path(directory)))
        token, identity = secrets.token_urlsafe(24), f"attack{secrets.token_hex(4)}"
        os.environ["QFLOW_CANARY"] = hidden = canary()
        planted.callback(os.environ.pop, "QFLOW_CANARY", None)
        state = build_state(own, token, identity, choose_backend(own, identity), SUPPORTED)
        runner = web.AppRunner(
            build_app(state), handler_cancellation=True, access_log=None, shutdown_timeout=1
        )
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            headers = {"Authorization": f"Bearer {token}"}
            timeout = aiohttp.ClientTimeout(total=CALL_S)
            address = f"http://127.0.0.1:{runner.addresses[0][1]}"
            async with aiohttp.ClientSession(headers=headers, timeout=timeout) as http:
                target = Target(state, address, http, token, public)
                target.secrets.add(hidden)
                await _warm(state)
                yield target
        finally:
            await runner.cleanup()


async def _warm(state: State) -> None:
    """Wait for the first warm sandbox. Raises Unavailable with the reason why there is none."""
    deadline = time.monotonic() + READY_S
    while not any(row["state"] == "warm" for row in state.keeper.snapshot()):
        if time.monotonic() > deadline or state.keeper.last_failure is not None:
            failure = state.keeper.last_failure
            raise Unavailable(
                failure.detail if failure else f"No sandbox was ready within {READY_S:g} s.",
                hint=failure.hint if failure else "See the runner's log.",
            )
        await asyncio.sleep(0.05)  # the pool tells nobody outside of a lease
