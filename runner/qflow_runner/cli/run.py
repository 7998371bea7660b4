"""`qflow run`: the Qflow nodes of a workflow file, by a running runner and without n8n."""

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterable
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

import typer

from qflow_runner.cli.reading import read_settings, read_text
from qflow_runner.cli.remote import CONNECT_S, Refused, no_runner
from qflow_runner.cli.run_show import Progress, show_run
from qflow_runner.cli.terminal import Terminal, refuse
from qflow_runner.errors import Unavailable
from qflow_runner.identity import DataDir

Json = dict[str, Any]


def run(  # noqa: PLR0917 - options of a command
    workflow: Annotated[Path, typer.Argument(help="An n8n workflow file (JSON), or - for standard input")],
    items: Annotated[
        Path | None,
        typer.Option(help="JSON: items for the start, or an object with the items of nodes by their names"),
    ] = None,
    node: Annotated[
        list[str] | None, typer.Option(help="Only this Qflow node and what it needs; may be repeated")
    ] = None,
    url: Annotated[str, typer.Option(help="The runner's address; by default that of this machine")] = "",
    token: Annotated[str, typer.Option(help="The runner's token; by default that of this machine")] = "",
    serial: Annotated[bool, typer.Option("--serial", help="One node after another, as n8n does")] = False,
    check: Annotated[bool, typer.Option(help="Refuse a workflow with an incompatible link")] = True,
    deadline: Annotated[float, typer.Option(min=1, help="Seconds that the whole run may take")] = 3_600.0,
    form: Annotated[Literal["table", "json"], typer.Option("--format", help="How to print it")] = "table",
) -> None:
    """Run the Qflow nodes of an n8n workflow, without n8n, those beside each other at once. Exit 1 when one fails.

    Other nodes give what is pinned to them in the file, or what --items says.
    """
    settings = read_settings({})
    read = _read(workflow)
    if not isinstance(read, dict):
        refuse(f"{workflow} is not an n8n workflow: it is no JSON object.")
    body: Json = {"workflow": read, "concurrent": not serial, "check": check}
    if items is not None:
        body["items"] = _items(items)
    if node:
        body["nodes"] = node
    runner = (url or f"http://{settings.host}:{settings.port}").rstrip("/")
    name = str(read.get("id") or read.get("name") or workflow.stem)[:200]
    with Progress(Terminal(markup=True, stderr=True), read, shown=form == "table") as progress:
        answer = asyncio.run(
            _run(runner, token or DataDir.kept_token(settings), name, body, progress, deadline_s=deadline)
        )
    if form == "json":
        print(json.dumps(answer, indent=2))
    else:
        show_run(Terminal(markup=True), str(read.get("name") or workflow.name), answer)
    if not answer["ok"]:
        raise SystemExit(1)


async def _run(
    runner: str, token: str, workflow: str, body: Json, progress: Progress, *, deadline_s: float
) -> Json:
    """Raises Refused, and Unavailable where no runner answers."""
    import aiohttp

    execution = f"cli-{secrets.token_hex(8)}"
    timeout = aiohttp.ClientTimeout(total=deadline_s, sock_connect=CONNECT_S)
    headers = {"Authorization": f"Bearer {token}"}
    path = f"{runner}/v1/workflows/{quote(workflow, safe='')}/runs"
    try:
        async with (
            aiohttp.ClientSession(headers=headers, timeout=timeout) as http,
            http.get(f"{runner}/v1/executions/{execution}/events") as events,
        ):
            watching = asyncio.create_task(_watch(events.content, progress))
            try:
                async with http.post(path, json={**body, "execution": execution}) as response:
                    answer = await response.json(content_type=None)
            finally:
                watching.cancel()
                with contextlib.suppress(asyncio.CancelledError, aiohttp.ClientError, ValueError):
                    await watching
    except TimeoutError:
        raise Unavailable(
            f"The run was not over within {deadline_s:g} s, and was stopped.", hint="Raise --deadline."
        ) from None
    except (aiohttp.ClientError, ValueError) as error:
        hint = "Say with --url where a runner is, or start one with qflow serve."
        raise no_runner(runner, error, hint) from None
    known: Json = answer if isinstance(answer, dict) else {}
    if response.status != 200 or "nodes" not in known:
        raise Refused(
            str(known.get("detail") or f"{path} answered {response.status}."), hint=known.get("hint")
        )
    return known


async def _watch(lines: AsyncIterable[bytes], progress: Progress) -> None:
    """Server-sent events, as long as they come."""
    kind = ""
    async for line in lines:
        name, _, value = line.decode("utf-8", "replace").rstrip("\r\n").partition(": ")
        if name == "event":
            kind = value
        elif name == "data" and kind:
            with contextlib.suppress(ValueError):  # what cannot be read is not shown
                progress.told(kind, json.loads(value))


def _items(path: Path) -> Any:
    """A list for the start, or lists by node; one object that is neither is an item."""
    read = _read(path)
    if isinstance(read, dict) and read and all(isinstance(each, list) for each in read.values()):
        return {name: [_item(each, path) for each in listed] for name, listed in read.items()}
    return [_item(each, path) for each in (read if isinstance(read, list) else [read])]


def _item(value: Any, path: Path) -> Json:
    if not isinstance(value, dict):
        refuse(f"{path} holds something that is no item: {json.dumps(value)[:80]}.")
    return value if isinstance(value.get("json"), dict) else {"json": value}


def _read(path: Path) -> Any:
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        refuse(f"{path} is not JSON: {error}.")
