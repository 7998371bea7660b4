"""Environments of a sandbox: what is imported ahead, and what packages do when they are imported."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from qflow_agent import wire
from qflow_runner.errors import SandboxError
from qflow_runner.sandbox import environments
from qflow_runner.sandbox.backend import Backend, Limits, SandboxSpec
from qflow_runner.sandbox.environments import Lessons
from qflow_runner.sandbox.guest import Guest
from qflow_runner.sandbox.zygote import Zygote

PACKAGES = {
    "good": "import os\nPID = os.getpid()\n",
    "other": "VALUE = 2\n",
    "threads": "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n",
    "hangs": "import time\ntime.sleep(60)\n",
    "kills": "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n",
    "raises": "raise SystemExit('no')\n",
    "json": "raise RuntimeError('a layer never stands before the standard library')\n",
    "msgpack": "VERSION = 'of the layer'\n",
    "starts": "import subprocess\nsubprocess.Popen(['sleep', '60'])\n",
}
LAYER = "0123abcd"


@pytest.fixture
async def guest(backend: Backend, tmp_path: Path) -> AsyncIterator[Guest]:
    layers = tmp_path / "layers"
    layer = layers / LAYER
    layer.mkdir(parents=True)
    for name, code in PACKAGES.items():
        (layer / f"{name}.py").write_text(code)
    for place in (tmp_path.parent.parent, tmp_path.parent, tmp_path):
        place.chmod(0o755)  # the sandbox's user is another
    await backend.open()
    guest = Guest(tmp_path / "s", 1 << 20, lambda _: None, Lessons())
    await guest.listen()
    await backend.boot(
        SandboxSpec(
            id="environments",
            python="3.12",
            socket=guest.socket,
            token=guest.token,
            limits=Limits(cpus=1.0),
            layers=layers,
            labels={"qflow.runner": "contract-tests"},
        )
    )
    await asyncio.wait_for(guest.ready(), 20)
    yield guest
    guest.close()
    await backend.remove("environments")
    await backend.close()


async def value(zygote: Zygote, code: str, name: str = "d") -> object:
    session = await zygote.take()
    define = wire.Define(name, code)
    _, items = await session.run(define, wire.Run(1, name), b'{"items": [{"json": {}}]}')
    return json.loads(items)[0]["json"]["value"]


async def test_packages_are_imported_before_the_fork(guest: Guest) -> None:
    """Two sessions see the one process that imported; a session without the layer does not see the package."""
    zygote = await guest.environment(LAYER, frozenset({"good"}))
    code = "def f() -> int:\n    import good\n    return good.PID\n"

    first, second = await value(zygote, code), await value(zygote, code)

    assert first == second
    assert await guest.environment(LAYER, frozenset({"good"})) is zygote
    with pytest.raises(Exception, match="No module named 'good'"):
        await value(guest.zygote, code)


@pytest.mark.parametrize("name", ["threads", "hangs", "kills", "raises", "starts"])
async def test_a_package_that_misbehaves_is_left_to_the_session(
    guest: Guest, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment comes up without it, and the sandbox stays whole."""
    monkeypatch.setattr(environments, "IMPORT_DEADLINE_S", 1.5)
    zygote = await guest.environment(LAYER, frozenset({"good", name}))

    assert 2 == await value(zygote, "import other\ndef f() -> int:\n    return other.VALUE\n")
    assert 1 == await value(guest.zygote, "def f() -> int:\n    return 1\n")
    assert ["threads"] == zygote.late if name == "threads" else not zygote.late


USES = {
    "raises": "class DataFrame:\n    def __init__(self, rows): raise RuntimeError('not that one')\n",
    "exits": "class DataFrame:\n    def __init__(self, rows): raise SystemExit('no')\n",
    "threads": "import threading, time\nclass DataFrame:\n    def __init__(self, rows):\n"
    "        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n",
    "hangs in a fork": "import os, time\nMADE = os.getpid()\nclass DataFrame:\n    def __init__(self, rows):\n"
    "        time.sleep(0 if os.getpid() == MADE else 60)\n",
}


@pytest.mark.parametrize("how", USES)
async def test_a_package_that_misbehaves_when_it_is_used_ahead(
    guest: Guest, tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is called pandas may be anything: its first use ahead costs nobody a run."""
    monkeypatch.setattr(environments, "IMPORT_DEADLINE_S", 1.5)
    (tmp_path / "layers" / LAYER / "pandas.py").write_text(USES[how])
    zygote = await guest.environment(LAYER, frozenset({"pandas"}))

    for number in range(3):
        code = f"import other\ndef f() -> int:\n    return other.VALUE + {number}\n"
        assert 2 + number == await value(zygote, code, f"d{number}")
    assert ["pandas"] == zygote.late if how == "threads" else not zygote.late


async def test_the_standard_library_stands_before_a_layer_and_the_agents_libraries_are_not_met(
    guest: Guest,
) -> None:
    """A package cannot shadow what Python brings, and may bring its own of what the agent uses."""
    zygote = await guest.environment(LAYER, frozenset())
    code = "import json, msgpack\ndef f() -> str:\n    return json.dumps(1) + ' ' + msgpack.VERSION\n"

    assert "1 of the layer" == await value(zygote, code)


async def test_imports_of_a_later_definition_make_a_new_environment(guest: Guest) -> None:
    """The run that brings them does not wait; the next execution has them."""
    before = await guest.environment(LAYER, frozenset({"good"}))
    assert await guest.environment(LAYER, frozenset({"other"})) is before
    async with asyncio.timeout(10):
        while (after := await guest.environment(LAYER, frozenset({"other"}))) is before:
            await asyncio.sleep(0.01)  # it is made in the background

    assert {"good", "other"} == after.imports
    assert before.lost


async def test_an_environment_that_ends_takes_its_sessions_along_and_comes_back(guest: Guest) -> None:
    """What a package does later to the process that imported it costs the executions that use it."""
    zygote = await guest.environment(LAYER, frozenset({"good"}))
    session = await zygote.take()
    define = wire.Define("loop", "def f():\n    while True: pass\n")
    run = asyncio.ensure_future(
        session.run(define, wire.Run(1, "loop", time_limit_s=60), b'{"items": [{"json": {}}]}')
    )
    await asyncio.sleep(0.05)  # under way
    guest.zygote.kill(zygote.token)

    with pytest.raises(SandboxError):
        await run
    again = await guest.environment(LAYER, frozenset({"good"}))
    assert again is not zygote
    assert 3 == await value(again, "def f() -> int:\n    return 3\n")
