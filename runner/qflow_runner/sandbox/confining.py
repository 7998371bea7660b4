"""The kernel's wall around a session: a control group of its own, where the runner may make one."""

import asyncio
from collections.abc import Iterable
from weakref import WeakKeyDictionary

import structlog

from qflow_runner.background import Background
from qflow_runner.limits import Asked
from qflow_runner.sandbox.backend import Limits
from qflow_runner.sandbox.cgroups import Group, Groups
from qflow_runner.sandbox.guest import Guest
from qflow_runner.sandbox.guest_session import GuestSession
from qflow_runner.sandbox.readings import tree

log = structlog.get_logger()

UNSEEN = (
    "the runner does not see the processes of its sandboxes, as in a container of its own: "
    "limits of nodes on memory, CPU and processes are not held, those of sandboxes are"
)
OWN_KERNEL = (
    "sandboxes have a kernel of their own, in which the runner sees no sessions: "
    "limits of nodes on memory, CPU and processes are not held, those of sandboxes are"
)
NO_GROUPS = "the runner may make no control group ({}): limits of nodes are held by looking"


class Confining:
    def __init__(self, *, burst: bool) -> None:
        """`burst`: a session may use up CPU time that it saved."""
        self._burst = burst
        self._groups: WeakKeyDictionary[Guest, Groups | None] = WeakKeyDictionary()
        self._confined: WeakKeyDictionary[GuestSession, Group] = WeakKeyDictionary()
        self._background = Background()
        self._unconfined = ""

    def close(self) -> None:
        self._background.cancel()

    def unheld(self, guests: Iterable[Guest]) -> str:
        """How far a node's own limits do not hold in these sandboxes, as a sentence; empty where they do, as far as is known."""
        unseen = any(guest.zygote.connected and not guest.zygote.pid for guest in guests)
        return UNSEEN if unseen else self._unconfined

    def seen(self, guest: Guest, session: GuestSession, *, limited: bool) -> int:
        """The session's process; 0 where it cannot be told from others."""
        if session.pid != guest.zygote.pid:
            return session.pid
        # The guest has a kernel of its own, and is one process here; or none of it is seen.
        if limited:
            self._unconfined = OWN_KERNEL
        return 0

    def group(self, session: GuestSession) -> Group | None:
        """That of a session which was confined before."""
        return self._confined.get(session)

    def groups_of(self, guest: Guest) -> Groups | None:
        if guest not in self._groups:
            self._groups[guest] = Groups.of(guest.zygote.pid)
        return self._groups[guest]

    async def confine(
        self, guest: Guest, session: GuestSession, asked: Asked, limits: Limits
    ) -> Group | None:
        """The session in a group of its own, where the runner may make one; else it is watched alone."""
        groups = self.groups_of(guest)
        if groups is None:
            self._unconfined = NO_GROUPS.format("it sees none of its sandboxes'")
            return None
        known = self._confined.get(session)

        def confined() -> Group:
            group = known or groups.group()
            try:
                group.limit(asked, int(limits.cpu_period_ms * 1000), burst=self._burst)
                if known is None:
                    group.take(tree(session.pid))
            except OSError:
                if known is None:
                    group.remove()
                raise
            return group

        try:
            group = await asyncio.get_running_loop().run_in_executor(None, confined)
        except OSError as error:
            self._unconfined = NO_GROUPS.format(error)
            log.warning("session.not_confined", reason=str(error))
            return known
        self._unconfined = ""
        if known is None:
            self._confined[session] = group
            self._background.start(_removed(session, group))
        return group


async def _removed(session: GuestSession, group: Group) -> None:
    """What is left of a group goes with its container."""
    await session.cleared()
    await asyncio.get_running_loop().run_in_executor(None, group.remove)
