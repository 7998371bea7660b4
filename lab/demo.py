"""`python -m lab.demo [--exit]`: n8n with the Qflow node and its runner, the examples in it, one of them run."""

import argparse
import asyncio
import json
import signal
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.json import JSON
from rich.panel import Panel
from rich.table import Table

from lab import parts
from lab.cache import run_script
from lab.errors import LabError
from lab.n8n_api import OWNER_EMAIL, OWNER_PASSWORD
from lab.processes import port_or_free
from lab.runner import Backend, docker_answers
from lab.workflows import EXAMPLES, Workflow, load, webhooks

ORDER = {"customer": "Ada Lovelace", "item": "punched cards", "quantity": 250, "price": 0.08}


async def demo(console: Console, *, stay: bool) -> None:
    """Start everything, run the quickstart, say where things are; then stay up if asked to."""
    began = time.monotonic()
    backend: Backend = "docker" if await docker_answers() else "process"
    if backend == "process":
        console.print(
            "[yellow]No Docker daemon answers, so the code runs as plain processes of this machine, without a "
            "boundary. That is for trying only; start Docker (scripts/engine.sh) for real sandboxes.[/]"
        )
    step(console, began, "installing n8n, building the node and the console (minutes the first time)")
    await parts.install()
    await run_script("console.sh")
    if backend == "docker":
        step(console, began, "building the sandbox image (quick when it is there)")
        await parts.build_image()
    with tempfile.TemporaryDirectory(prefix="qflow-demo-") as folder:
        step(console, began, "starting the runner and n8n")
        runner_port = port_or_free(8717)
        async with parts.started(
            Path(folder),
            backend,
            n8n_port=port_or_free(5678),
            runner_port=runner_port,
            # So that what n8n shows of a run leads to its page in the console.
            runner_env={"QFLOW_PUBLIC_URL": f"http://127.0.0.1:{runner_port}"},
        ) as running:
            step(console, began, "importing the examples")
            saved = {path.stem: await running.save(load(path)) for path in sorted(EXAMPLES.glob("*.json"))}
            for workflow in saved.values():
                await running.runner.put_workflow(workflow)
            quickstart = saved["quickstart"]
            await running.n8n.api.activate(quickstart)
            step(console, began, "running the quickstart through its webhook")
            await show_run(console, running, quickstart)
            show_addresses(console, running, quickstart)
            step(console, began, "ready")
            if stay:
                console.print("Ctrl-C ends all of it.")
                await asyncio.Event().wait()


def step(console: Console, began: float, what: str) -> None:
    console.print(f"[dim]{time.monotonic() - began:5.1f} s[/]  {what}")


async def show_run(console: Console, running: parts.Parts, quickstart: Workflow) -> None:
    path, _ = webhooks(quickstart)[0]
    sent = time.perf_counter()
    status, answer = await running.n8n.api.webhook(path, ORDER)
    took = (time.perf_counter() - sent) * 1000
    if status != 200:
        raise LabError(f"the quickstart answered {status}: {answer}")
    console.print(Panel(JSON(json.dumps(ORDER)), title="sent", title_align="left"))
    console.print(Panel(JSON(json.dumps(answer)), title=f"came back after {took:.0f} ms", title_align="left"))


def show_addresses(console: Console, running: parts.Parts, quickstart: Workflow) -> None:
    path, _ = webhooks(quickstart)[0]
    table = Table.grid(padding=(0, 2))
    table.add_row("n8n", running.n8n.url)
    table.add_row("sign in", f"{OWNER_EMAIL}  {OWNER_PASSWORD}")
    table.add_row("quickstart", f"{running.n8n.url}/workflow/{quickstart['id']}")
    table.add_row("its webhook", f"{running.n8n.url}/webhook/{path}")
    table.add_row("runner", f"{running.runner.url}  ({running.runner.backend} sandboxes)")
    table.add_row("its console", f"{running.runner.url}/console/executions")
    table.add_row("token", running.runner.token)
    console.print(Panel(table, title="Qflow demo", title_align="left"))


async def run(*, stay: bool) -> int:
    """The demo until its end or a signal; an exit status."""
    console = Console()
    task = asyncio.create_task(demo(console, stay=stay))
    loop = asyncio.get_running_loop()

    def end() -> None:
        # A second signal must not interrupt the clearing up.
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)
        console.print("\nEnding …")
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end)
    try:
        await task
    except asyncio.CancelledError:
        return 0 if stay else 130
    except LabError as failure:
        console.print(str(failure), style="red", markup=False)
        return 1
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m lab.demo", description=__doc__)
    parser.add_argument(
        "--exit", action="store_true", help="end when the quickstart has run, instead of staying up"
    )
    return asyncio.run(run(stay=not parser.parse_args().exit))


if __name__ == "__main__":
    sys.exit(main())
