"""The runner and n8n together: n8n knows the runner by a stored credential, as after a person set it up."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.cache import run_program, run_script
from lab.n8n import N8n
from lab.runner import Backend, Runner
from lab.workflows import CREDENTIAL_TYPE, Workflow, with_credential

QFLOW = Path(sys.executable).parent / "qflow"
DEFAULT_PYTHON = "3.12"


@dataclass(frozen=True)
class Parts:
    """Both servers, and the credential (id and name) by which n8n reaches the runner."""

    runner: Runner
    n8n: N8n
    credential: Mapping[str, str]

    async def save(self, workflow: Workflow) -> Workflow:
        """Save a workflow in n8n, its Qflow nodes connected to the runner."""
        return await self.n8n.api.create_workflow(with_credential(workflow, self.credential))


async def install() -> None:
    """Install n8n and build the node; quick when that was done before. LabError when it cannot be done."""
    await run_script("n8n.sh")
    await run_script("node-package.sh")


async def build_image(python: str = DEFAULT_PYTHON) -> None:
    """Build the sandbox image of one Python version; quick when it is there."""
    await run_program(QFLOW, "images", "build", "--python", python)


@asynccontextmanager
async def started(
    folder: Path,
    backend: Backend,
    *,
    n8n_port: int | None = None,
    runner_port: int | None = None,
    runner_env: Mapping[str, str] | None = None,
) -> AsyncGenerator[Parts]:
    """Start both at once, below `folder`; end both when the block is left, in whatever way."""
    async with AsyncExitStack() as stack:

        async def start_runner() -> Runner:
            runner = await Runner.start(folder / "runner", backend, port=runner_port, env=runner_env)
            stack.push_async_callback(runner.stop)
            return runner

        async def start_n8n() -> N8n:
            n8n = await N8n.start(folder / "n8n", port=n8n_port)
            stack.push_async_callback(n8n.stop)
            return n8n

        try:
            async with asyncio.TaskGroup() as group:
                runner_task = group.create_task(start_runner())
                n8n_task = group.create_task(start_n8n())
        except BaseExceptionGroup as failures:
            # The first that failed is the cause; the other was cancelled for it.
            raise failures.exceptions[0] from None
        runner, n8n = runner_task.result(), n8n_task.result()
        credential = await n8n.api.create_credential("Qflow runner", CREDENTIAL_TYPE, runner.credential)
        yield Parts(runner, n8n, credential)
