"""Takes up a sandbox again that a killed runner left: its first process, its environments, and its idle sessions."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass

from qflow_runner.errors import QflowError
from qflow_runner.sandbox.guest import Guest
from qflow_runner.sandbox.guest_session import GuestSession
from qflow_runner.sandbox.ledger import Records, SessionRecord
from qflow_runner.sandbox.zygote import Zygote

RETURN_S = 1.5
"""How long a guest may take to dial in again: it tries four times a second at least."""


@dataclass(frozen=True)
class Returned:
    """A session that is as it was: it had no run when the runner was killed."""

    record: SessionRecord
    zygote: Zygote
    session: GuestSession


async def adopt(guest: Guest, records: Records) -> list[Returned]:
    """Listen again, and wait for who returns. Whoever does not is ended.

    Raises TimeoutError when the sandbox itself does not return in time, SandboxError and OSError when it cannot.
    """
    environments = {each.token: guest.expected(each) for each in records.environments.values()}
    zygotes = {guest.token: guest.zygote, **environments}
    until = asyncio.get_running_loop().time() + RETURN_S
    waiting = {
        asyncio.ensure_future(_session(zygotes[record.zygote], record)): record
        for record in records.sessions.values()
        if record.zygote in zygotes
    }
    try:
        await guest.listen()
        async with asyncio.timeout_at(until):
            await guest.ready()
        await asyncio.gather(*(_environment(guest, each, until) for each in environments.values()))
        if waiting:
            await asyncio.wait(waiting, timeout=max(until - asyncio.get_running_loop().time(), 0))
        return [task.result() for task in waiting if task.done() and not task.exception()]
    finally:
        for task, record in waiting.items():
            if not task.done() or task.cancelled() or task.exception():
                zygotes[record.zygote].kill(record.token)
                guest.ledger.ended(record.token)
            task.cancel()


async def _session(zygote: Zygote, record: SessionRecord) -> Returned:
    session = await zygote.returned(record.token)
    await session.answers(RETURN_S)
    return Returned(record, zygote, session)


async def _environment(guest: Guest, environment: Zygote, until: float) -> None:
    if await _in_time(environment.ready(), until):
        guest.returned(environment)
    else:
        guest.forgotten(environment, "it did not return to the runner")


async def _in_time(work: Awaitable[None], until: float) -> bool:
    try:
        async with asyncio.timeout_at(until):
            await work
    except (TimeoutError, QflowError):
        return False
    return True
