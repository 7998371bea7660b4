"""Disks that are full: what needs the room says so, what does not goes on, and room that is made is used."""

import io
import os
from pathlib import Path

from lab.trees import below
from tests.faults.around.conftest import SmallDisk, Start
from tests.faults.around.helpers import GOOD, all_recorded, fill, works
from tests.unit.layers.wheels import make_wheel

MB = 1 << 20
FILE = "from qflow import File\ndef make(mb: int) -> File:\n    return File.from_bytes(b'x' * (mb << 20), name='a.bin')\n"
HOLD = (
    "import os\n"
    "class Held:\n"
    "    def __init__(self, mb):\n"
    "        self.data = os.urandom(mb << 20)\n"
    "def hold(mb: int):\n"
    "    return Held(mb)\n"
)
SIZE = "def size(held) -> int:\n    return len(held.data)\n"


async def test_the_store_is_full(start: Start, small_disk: SmallDisk) -> None:
    """Runs are answered and say that they are not recorded yet; when there is room, each is recorded once."""
    disk = small_disk(2048)
    runner = await start(database_url=f"sqlite:///{disk}/store.db", database_deadline_s=2)
    runs = [(await works(runner))["run"]]
    ballast = fill(disk)
    replies = [await works(runner, number) for number in range(60)]
    runs += [each["run"] for each in replies]

    assert not replies[-1]["recorded"], "the disk was full, and all the same every run was recorded"
    assert "database is away" in " ".join(replies[-1]["hints"])
    ballast.unlink()
    await all_recorded(runner, runs)
    assert (await works(runner))["recorded"]


async def test_the_store_is_full_for_a_new_definition(start: Start, small_disk: SmallDisk) -> None:
    """It is refused as unavailable, never lost in silence; the runner finds the room by itself."""
    disk = small_disk(2048)
    runner = await start(database_url=f"sqlite:///{disk}/store.db", database_deadline_s=2)
    await works(runner)
    ballast = fill(disk)
    code = GOOD + "\n# " + "x" * 500_000
    status, reply = await runner.call("PUT", "/v1/definitions", json={"code": code})
    assert 200 == status or (503, "unavailable") == (status, reply["category"]), reply
    status, reply = await runner.call("PUT", "/v1/saved/large", json={"code": code})
    assert (503, "unavailable", "database_unavailable") == (status, reply["category"], reply["code"])
    ballast.unlink()

    status, reply = await runner.call("PUT", "/v1/saved/large", json={"code": code})
    assert 200 == status, reply
    await works(runner)


async def test_the_layers_are_full(start: Start, small_disk: SmallDisk, tmp_path: Path) -> None:
    """Packages that do not fit are refused with the reason, nothing half is left, and smaller ones install."""
    disk = small_disk(4096)
    wheels = tmp_path / "wheels"
    make_wheel(wheels, "large", files={"large.py": "x = 1\n", "large.bin": os.urandom(8 * MB)})
    make_wheel(wheels, "small")
    runner = await start(layers_dir=disk, wheels_dir=wheels)
    status, reply = await runner.run(GOOD, [{"n": 1}], requirements=["large"])

    assert (507, "dependency", "layer_disk_full") == (status, reply["category"], reply["code"]), reply
    assert not [path for path in below(disk) if path.name == "large.bin"]
    assert [{"value": 14}] == await runner.values(GOOD, [{"n": 2}], requirements=["small"])
    await works(runner)


async def test_the_disk_of_values_is_full(start: Start, small_disk: SmallDisk) -> None:
    """A value that another execution asks for cannot pass, and stays where it is; a small one passes."""
    runner = await start(spill_dir=small_disk(2048))
    large = await runner.values(HOLD, [{"mb": 8}], output="reference", execution="one")
    small = await runner.values(HOLD, [{"mb": 1}], output="reference", execution="one")
    status, reply = await runner.run(SIZE, large, execution="two")

    assert (422, "unavailable", "reference_gone") == (status, reply["category"], reply["code"]), reply
    assert "disk" in reply["detail"]
    assert [{"value": MB}] == await runner.values(SIZE, small, execution="three")
    assert [{"value": 8 * MB}] == await runner.values(SIZE, large, execution="one")


async def test_the_disk_of_files_is_full_at_an_upload(start: Start, small_disk: SmallDisk) -> None:
    """The caller is told before it has sent all of it, or at its end, and nothing of the file is left."""
    disk = small_disk(4096)
    runner = await start(files_dir=disk)
    place = {"workflow": "w", "execution": "e"}
    status, reply = await runner.call("POST", "/v1/files", params=place, data=io.BytesIO(b"x" * 8 * MB))

    assert (507, "unavailable", "disk_full") == (status, reply["category"], reply["code"]), reply
    status, reply = await runner.call("POST", "/v1/files", params=place, data=io.BytesIO(b"y" * MB))
    assert (200, MB) == (status, reply["size"])
    await works(runner)


async def test_the_disk_of_files_is_full_at_a_result(start: Start, small_disk: SmallDisk) -> None:
    """The run fails with the reason, and a smaller file of the next run comes whole."""
    runner = await start(files_dir=small_disk(4096))
    status, reply = await runner.run(FILE, [{"mb": 8}])

    assert (507, "unavailable", "disk_full") == (status, reply["category"], reply["code"]), reply
    status, reply = await runner.run(FILE, [{"mb": 1}])
    assert 200 == status, reply
    ((about,),) = [item["binary"].values() for item in reply["items"]]
    async with runner.http.get(f"{runner.address}/v1/files/{about['file']}?workflow=w") as response:
        assert b"x" * MB == await response.read()


async def test_everything_is_full(start: Start, small_disk: SmallDisk) -> None:
    """Database, results, inputs, audit log: a run, a failing run and a cached run are answered all the same."""
    disk = small_disk(4096)
    runner = await start(data_dir=disk, database_deadline_s=2)
    await works(runner)
    fails = "def fails(n: int) -> int:\n    raise ValueError(n)\n"
    cached = "import os\ndef cached(n: int) -> str:\n    return os.urandom(n).hex()\n"
    definition = await runner.define(fails)
    await runner.values(cached, [{"n": 1}], cache_ttl_s=600)
    ballast = fill(disk)
    runs = [(await works(runner, number))["run"] for number in range(40)]
    body = {"items": [{"json": {"n": 1}}]}
    path = f"/v1/definitions/{definition}/runs?workflow=w&execution=e"
    status, problem = await runner.call("POST", path, json=body)
    assert (422, "user_code", "code_raised") == (status, problem["category"], problem["code"])
    values = await runner.values(cached, [{"n": 200_000}], cache_ttl_s=600)
    assert 400_000 == len(values[0]["value"])

    ballast.unlink()
    await all_recorded(runner, [*runs, problem["run"]])
    await works(runner)
