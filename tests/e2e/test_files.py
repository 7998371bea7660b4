"""Files of n8n items: into a function, out of it, large ones, and what goes wrong on the way."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from lab.browser import Editor
from lab.cache import ROOT
from lab.n8n_api import Execution
from lab.parts import Parts
from lab.runner import Runner
from lab.workflows import CREDENTIAL_TYPE, Node, chain, node, pinned, qflow, with_credential

MB = 1 << 20
LARGE = 200 * MB
GIGABYTE = 1024 * MB
FILE_NODE = "convertToFile"

DRAW = """
    import struct
    import zlib
    from qflow import File

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    def main(width: int, height: int) -> File:
        rows = b"".join(
            b"\\0" + b"".join(bytes((x * 255 // width, y * 255 // height, 160)) for x in range(width))
            for y in range(height)
        )
        head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        content = b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
        return File.from_bytes(content, "colours.png", "image/png")
"""


@pytest.fixture(scope="session", name="pictures")
def _pictures() -> Path:
    """The pictures of the documentation are renewed when QFLOW_SCREENSHOTS=1."""
    wanted = os.environ.get("QFLOW_SCREENSHOTS") == "1"
    return ROOT / "docs" / "images" if wanted else ROOT / "build" / "screenshots"


def to_file(**options: Any) -> Node:
    """n8n's own node that makes a file of the field `text`."""
    parameters = {"operation": "toText", "sourceProperty": "text", "options": options}
    return node("File", FILE_NODE, parameters, version=1.1)


def read_from_disk(path: Path) -> Node:
    return node("Read", "readWriteFile", {"fileSelector": str(path)})


async def run(parts: Parts, nodes: Sequence[Node], items: Sequence[dict[str, Any]]) -> Execution:
    """Start (its items pinned) → the nodes, with "Execute step" of the last."""
    workflow = pinned(chain("Files", [node("Start", "manualTrigger"), *nodes]), "Start", items)
    return await parts.n8n.api.run_step(await parts.save(workflow), nodes[-1]["name"], deadline_s=180)


@pytest.mark.parametrize("size", [5, 65_536, 65_537, 900_000])
async def test_a_file_of_n8n_reaches_a_function_whole(parts: Parts, size: int) -> None:
    """Small content goes with its item, large content before it; the function cannot tell."""
    code = """
        from qflow import File

        def f(file: File) -> dict:
            content = file.read_bytes()
            return {"size": len(content), "same": content == b"x" * len(content), "name": file.name, "mime": file.mime}
    """

    execution = await run(
        parts, [to_file(fileName="note.txt"), qflow("Python", code)], [{"text": "x" * size}]
    )

    assert execution.values("Python") == [
        {"size": size, "same": True, "name": "note.txt", "mime": "text/plain"}
    ]


async def test_each_item_brings_its_own_file(parts: Parts) -> None:
    code = """
        def f(data: bytes) -> str:
            return data.decode()[:9]
    """
    texts = [f"{index:09}{'.' * 70_000}" for index in range(7)]

    execution = await run(parts, [to_file(), qflow("Python", code)], [{"text": text} for text in texts])

    assert execution.values("Python") == [{"value": f"{index:09}"} for index in range(7)]


@pytest.mark.parametrize("size", [7, 300_000])
async def test_a_returned_file_becomes_one_of_n8n(parts: Parts, size: int) -> None:
    """Name and type are kept, and n8n's own nodes read it."""
    code = """
        from qflow import File

        def f(size: int) -> File:
            return File.from_bytes(b"y" * size, "täble.csv", "text/csv")
    """
    read = node("Read", "extractFromFile", {"operation": "text", "destinationKey": "text"}, version=1.1)

    execution = await run(parts, [qflow("Python", code), read], [{"size": size}])

    [item] = execution.output("Python")
    file = item["binary"]["data"]
    assert (file["fileName"], file["mimeType"], file["bytes"]) == ("täble.csv", "text/csv", size)
    assert execution.values("Read") == [{"text": "y" * size}]


async def test_only_what_is_returned_leaves_the_node(parts: Parts) -> None:
    """As with n8n's Code node: an item's files go on when the function returns them."""
    code = """
        def f(data: bytes) -> int:
            return len(data)
    """

    execution = await run(parts, [to_file(), qflow("Python", code)], [{"text": "abc"}])

    assert [(item["json"], "binary" in item) for item in execution.output("Python")] == [
        ({"value": 3}, False)
    ]


async def test_a_picture_is_shown_in_the_editor(parts: Parts, editor: Editor, pictures: Path) -> None:
    """What a function draws is seen where its result is shown."""
    nodes = [node("Start", "manualTrigger"), qflow("Draw", DRAW)]
    workflow = pinned(chain("A picture", nodes), "Start", [{"width": 320, "height": 180}])
    saved = await parts.save(workflow)
    await editor.open_workflow(saved["id"])
    await editor.tidy()
    await editor.open_node("Draw")

    await editor.execute_step()
    await expect(editor.output.get_by_text("colours.png")).to_be_visible(timeout=30_000)
    await editor.output.get_by_text("View", exact=True).click()
    picture = editor.page.locator("img[src*=binary-data]").first
    await expect(picture).to_be_visible(timeout=30_000)

    assert (
        await picture.evaluate(
            "each => each.complete ? each.naturalWidth : each.decode().then(() => each.naturalWidth)"
        )
        == 320
    )
    await editor.screenshot(pictures / "picture.png")
    await editor.close_node()


async def test_a_large_file_goes_both_ways_without_n8n_holding_it(parts: Parts) -> None:
    """n8n's memory does not grow with the file."""
    make = """
        from qflow import File

        def make(size: int) -> File:
            return File.from_bytes(bytes(size), "large.bin")
    """
    measure = """
        from qflow import File

        def measure(data: File) -> dict:
            return {"size": data.size, "name": data.name}
    """
    # Once before it counts: a young n8n grows with anything that it does first.
    await run(parts, [qflow("Make", make), qflow("Measure", measure)], [{"size": LARGE}])
    before = memory(parts.n8n.process.pid, "VmRSS")
    forget_peak(parts.n8n.process.pid)

    large = await run(parts, [qflow("Make", make), qflow("Measure", measure)], [{"size": LARGE}])

    grown = memory(parts.n8n.process.pid, "VmHWM") - before
    assert large.values("Measure") == [{"size": LARGE, "name": "large.bin"}]
    print(f"n8n grew by {grown / MB:.0f} MB with a file of {LARGE / MB:.0f} MB, both ways")
    assert grown < LARGE / 4


async def test_a_gigabyte_passes_and_nobody_holds_it(parts: Parts) -> None:
    """From the disk into the function and back into n8n, with the memory of runner and n8n as it was."""
    keep = """
        from qflow import File

        def keep(data: File) -> dict:
            with data.open() as content:
                content.seek(-6, 2)
                return {"end": content.read().decode(), "size": data.size, "copy": data}
    """
    source, little = parts.n8n.files / "gigabyte.bin", parts.n8n.files / "little.bin"
    little.write_bytes(b"qflow!" * 20_000)
    with source.open("wb") as content:
        content.seek(GIGABYTE - 6)
        content.write(b"qflow!")
    # Once with little, before it counts.
    await run(parts, [read_from_disk(little), qflow("Keep", keep)], [{}])
    pids = [parts.n8n.process.pid, parts.runner.process.pid]
    before = [memory(pid, "VmRSS") for pid in pids]
    for pid in pids:
        forget_peak(pid)

    execution = await run(parts, [read_from_disk(source), qflow("Keep", keep)], [{}])

    source.unlink()
    n8n_grew, runner_grew = (memory(pid, "VmHWM") - was for pid, was in zip(pids, before, strict=True))
    assert execution.status == "success", execution.error
    assert execution.values("Keep") == [{"end": "qflow!", "size": GIGABYTE}]
    [item] = execution.output("Keep")
    assert item["binary"]["copy"]["bytes"] == GIGABYTE
    print(f"with 1 GiB the runner grew by {runner_grew / MB:.0f} MB, n8n by {n8n_grew / MB:.0f} MB")
    assert runner_grew < 32 * MB
    assert n8n_grew < 256 * MB


async def test_a_file_that_n8n_has_lost_is_a_sentence_on_the_node(parts: Parts) -> None:
    code = "def f(data: bytes) -> int:\n    return len(data)\n"
    lost = {"mimeType": "text/plain", "fileName": "lost.txt", "data": "filesystem-v2", "bytes": 9}
    lost["id"] = "filesystem-v2:workflows/none/executions/temp/binary_data/none"
    workflow = chain("A lost file", [node("Start", "manualTrigger"), qflow("Python", code)])
    workflow["pinData"] = {"Start": [{"json": {}, "binary": {"data": lost}}]}

    execution = await parts.n8n.api.run_step(await parts.save(workflow), "Python")

    assert execution.error is not None
    assert execution.error["message"] == 'The file "lost.txt" cannot be read from n8n\'s binary data'


async def test_a_file_that_the_runner_refuses_is_told_in_its_words(parts: Parts, tmp_path: Path) -> None:
    """The refusal comes while the file is still on its way."""
    make = "from qflow import File\n\ndef make(size: int) -> File:\n    return File.from_bytes(bytes(size), 'zeros')\n"
    measure = "def measure(data: bytes) -> int:\n    return len(data)\n"
    backend = "docker" if parts.runner.backend == "docker" else "process"
    strict = await Runner.start(tmp_path / "strict", backend, env={"QFLOW_FILES_MAX_MB": "1"})
    try:
        nodes = [node("Start", "manualTrigger"), qflow("Make", make), qflow("Measure", measure)]
        workflow = with_credential(chain("Too large", nodes), parts.credential)
        workflow = pinned(workflow, "Start", [{"size": 30 * MB}])
        strict_credential = await parts.n8n.api.create_credential(
            "Strict", CREDENTIAL_TYPE, strict.credential
        )
        workflow["nodes"][2]["credentials"] = {CREDENTIAL_TYPE: strict_credential}
        saved = await parts.n8n.api.create_workflow(workflow)

        execution = await parts.n8n.api.run_step(saved, "Measure")
    finally:
        await strict.stop()

    assert execution.error is not None
    assert execution.error["message"].startswith('The file "zeros" could not be sent to the runner: ')
    assert "1 MB" in execution.error["message"]


def forget_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def memory(pid: int, name: str) -> int:
    """Bytes that a process has (VmRSS), or had at most (VmHWM)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    [line] = [each for each in lines if each.startswith(f"{name}:")]
    return int(line.split()[1]) * 1024
