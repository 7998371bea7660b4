"""An execution's place in one environment of one sandbox, and what it keeps there."""

import asyncio
import time

import structlog

from qflow_agent import wire
from qflow_runner.errors import QflowError
from qflow_runner.files import Spill
from qflow_runner.sandbox.guest_session import GuestSession
from qflow_runner.sandbox.ledger import Ledger, SessionRecord
from qflow_runner.sessions.desk import Place, SpillDesk

log = structlog.get_logger()

SPILL_DEADLINE_S = 60.0


class Held:
    """`turn` is held for each run, and for each time that the session is asked for its values."""

    def __init__(self, place: Place, layer: str, ledger: Ledger) -> None:
        """`ledger` is the sandbox's, where a runner that returns finds the place again."""
        self.place = place
        self._layer = layer
        self._ledger = ledger
        self._zygote = ""
        self.session: GuestSession | None = None
        self.turn = asyncio.Lock()
        self.users = 0
        self.expiry: asyncio.TimerHandle | None = None
        self.kept: dict[str, str] = {}
        """References to what the session keeps, with the space of each: its workflow, or all of the runner."""
        self.spilled: set[str] = set()

    def begin(self, session: GuestSession, zygote: str) -> None:
        """The place has a session from here on, forked by the process of this token."""
        if self.session is not None:
            self._ledger.ended(self.session.token)
        self.session, self._zygote = session, zygote
        self.note()

    def note(self) -> None:
        """Called whenever what it keeps has changed."""
        if self.session is None or self.session.ended:
            return
        where = self.place.workflow, self.place.execution, self._layer
        record = SessionRecord(
            self.session.token,
            self._zygote,
            *where,
            dict(self.kept),
            sorted(self.spilled),
            self.place.lane,
        )
        self._ledger.session(record)

    def over(self) -> None:
        """Nobody comes here any more."""
        if self.session is not None:
            self._ledger.ended(self.session.token)

    async def spill(self, store: Spill, references: list[str], *, drop: bool = False) -> dict[str, str]:
        """Have the values of these references written to the store. A sentence for each that could not be.

        With `drop` they are in the store alone then. Its caller has the turn.
        """
        wanted = [reference for reference in references if reference not in self.spilled]
        if not wanted:
            return {}
        if self.session is None or self.session.ended:
            return dict.fromkeys(wanted, f"the session that held it ended at {clock()}")
        spaces = {reference: self.kept[reference] for reference in wanted if reference in self.kept}
        desk = SpillDesk(store, self.place, spaces)
        try:
            refused = await self.session.spill(wire.Spill(wanted, drop), desk, SPILL_DEADLINE_S) | desk.failed
        except TimeoutError:
            self.session.end()
            return dict.fromkeys(wanted, f"it was not saved within {SPILL_DEADLINE_S:g} s")
        except QflowError as error:
            log.warning("session.not_spilled", execution=self.place.execution, reason=error.detail)
            return dict.fromkeys(wanted, error.detail.removesuffix("."))
        self.spilled.update(set(wanted) - set(refused))
        self.note()
        log.info(
            "session.spilled",
            execution=self.place.execution,
            values=len(wanted) - len(refused),
            refused=len(refused),
        )
        return refused


def clock() -> str:
    return time.strftime("%H:%M:%S")
