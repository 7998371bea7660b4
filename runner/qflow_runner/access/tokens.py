"""Tokens: made, verified from memory, looked after in the database.

A token is `qf_<id>_<secret>`. The database has its SHA-256, which is enough because the secret is 32 random bytes. A
token that was verified once is found by its hash in memory, and looked at in the database every few seconds: what
another process revokes is refused then, and what this one revokes at once.
"""

import asyncio
import contextlib
import hashlib
import hmac
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from qflow_runner.access.scopes import Scope, effective, expanded, read_scopes
from qflow_runner.background import end
from qflow_runner.errors import DatabaseUnavailable, RequestError, TokenUnknown, Unauthorized
from qflow_runner.store import StoredTokens, TokenRow

REFRESH_S = 4.0
USED_EVERY_S = 900.0
"""How exactly the database knows when a token was last used."""
TRUSTED_S = 900.0
"""How long a verified token is good while the database is away, and nobody could revoke it there."""
REMEMBERED = 1_000
STRONG = 32
"""Characters from which on a token that a person chose cannot be found by trying."""

_FORM = re.compile(r"qf_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")
_AGE = re.compile(r"(\d{1,6}(?:\.\d+)?)\s*(m|h|d|w|y)")
_UNITS = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800, "y": 31_536_000}


@dataclass(frozen=True)
class Caller:
    """Whose call it is. `scopes` has what others imply; `expires` is Unix time."""

    id: str
    name: str
    scopes: frozenset[Scope]
    expires: float = float("inf")
    guessable: bool = False
    """Whether its token is so short that trying must be slow."""


@dataclass(frozen=True)
class MadeToken:
    row: TokenRow
    token: str


class Tokens:
    """`own` is the runner's own token, which may do everything and is in no database."""

    def __init__(self, stored: StoredTokens, own: str) -> None:
        self._stored = stored
        caller = Caller("runner", "the runner's own", effective(("admin",)), guessable=len(own) < STRONG)
        self._own = (_digest(own), caller)
        self._known: OrderedDict[bytes, Caller] = OrderedDict()
        self._revoked: set[str] = set()
        self._last_used: dict[str, float] = {}
        self._written: dict[str, float] = {}
        self._looked = time.monotonic()
        self._refreshing: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """Write when tokens were last used, where the database is there."""
        await end([self._refreshing])
        with contextlib.suppress(DatabaseUnavailable):
            await self._note_used(0)

    def known(self, token: str) -> Caller | None:
        """From memory, in microseconds. Raises Unauthorized where its time is over, and DatabaseUnavailable."""
        digest = _digest(token)
        if hmac.compare_digest(digest, self._own[0]):
            return self._own[1]
        caller = self._known.get(digest)
        if caller is None:
            return None
        now = time.time()
        if now >= caller.expires:
            raise _over()
        if time.monotonic() - self._looked > TRUSTED_S:
            raise DatabaseUnavailable("Whether the token is still good cannot be looked up.")
        self._last_used[caller.id] = now
        return caller

    @property
    def next_expiry(self) -> float | None:
        """Unix time at which the first of the tokens that are in memory ends; None where none does."""
        first = min((caller.expires for caller in self._known.values()), default=float("inf"))
        return None if first == float("inf") else first

    async def verify(self, token: str) -> Caller | None:
        """As the database has it; None for what is no token. Raises Unauthorized and DatabaseUnavailable."""
        form = _FORM.fullmatch(token)
        if form is None:
            return None
        row = (await self._stored.find([form[1]])).get(form[1])
        digest = _digest(token)
        if row is None or not hmac.compare_digest(digest.hex(), row.hash):
            return None
        if row.revoked is not None or row.id in self._revoked:
            raise Unauthorized("The token was revoked.", hint="Make a new one: qflow token create.")
        caller = _caller(row)
        if time.time() >= caller.expires:
            raise _over()
        if not self._known:
            self._looked = time.monotonic()
        self._known[digest] = caller
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        self._last_used[caller.id] = time.time()
        if self._refreshing is None:
            self._refreshing = asyncio.create_task(self._refresh_always())
        return caller

    async def create(
        self, name: str, scopes: Sequence[str], *, by: str, expires_s: float | None = None
    ) -> MadeToken:
        """The token is shown now and never again. Raises RequestError and DatabaseUnavailable."""
        if not 1 <= len(name) <= 200 or not name.isprintable() or name != name.strip():
            raise RequestError(
                "The name of a token has 1 to 200 printable characters, and no space at either end."
            )
        chosen = expanded(scopes)
        public = secrets.token_hex(6)
        token = f"qf_{public}_{secrets.token_urlsafe(32)}"
        now = datetime.now(UTC)
        row = TokenRow(
            public,
            name,
            _digest(token).hex(),
            " ".join(chosen),
            now,
            by[:200],
            None if expires_s is None else now + timedelta(seconds=expires_s),
        )
        await self._stored.add(row)
        return MadeToken(row, token)

    async def every(self) -> list[TokenRow]:
        """The newest first. Raises DatabaseUnavailable."""
        return await self._stored.every()

    async def revoke(self, token_id: str) -> None:
        """It is refused from now on. Raises TokenUnknown and DatabaseUnavailable."""
        if not await self._stored.revoke(token_id):
            raise TokenUnknown(f"There is no token with the id '{token_id[:40]}'.")
        self._revoked.add(token_id)  # also for a call that is just being looked up
        self._forget({token_id})

    async def refresh(self) -> None:
        """Look at what is in memory, and forget what is good no more. Raises DatabaseUnavailable."""
        began = time.monotonic()
        rows = await self._stored.find({caller.id for caller in self._known.values()}) if self._known else {}
        good = {row.id: row for row in rows.values() if row.revoked is None}
        for digest, caller in list(self._known.items()):
            row = good.get(caller.id)
            if row is None or row.hash != digest.hex():
                del self._known[digest]
            else:
                self._known[digest] = _caller(row)
        self._looked = began
        await self._note_used(USED_EVERY_S)

    async def _refresh_always(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_S)
            with contextlib.suppress(DatabaseUnavailable):
                await self.refresh()

    async def _note_used(self, every_s: float) -> None:
        due = {
            token_id: moment
            for token_id, moment in self._last_used.items()
            if moment - self._written.get(token_id, 0) > every_s
        }
        if not due:
            return
        await self._stored.used({token_id: datetime.fromtimestamp(at, UTC) for token_id, at in due.items()})
        self._written |= due
        for token_id, moment in due.items():
            if self._last_used.get(token_id) == moment:
                del self._last_used[token_id]

    def _forget(self, ids: set[str]) -> None:
        for digest in [digest for digest, caller in self._known.items() if caller.id in ids]:
            del self._known[digest]


def read_age(text: str) -> float:
    """Seconds, of `90d`, `12h`, `1y` and the like. Raises RequestError."""
    found = _AGE.fullmatch(text.strip())
    if found is None or float(found[1]) <= 0:
        raise RequestError(
            f"'{text[:40]}' is no time.", hint="Write a number and m, h, d, w or y, as in 90d."
        )
    seconds = float(found[1]) * _UNITS[found[2]]
    if seconds > 100 * _UNITS["y"]:
        raise RequestError("A token lives for at most 100 years.")
    return seconds


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def _caller(row: TokenRow) -> Caller:
    expires = row.expires.timestamp() if row.expires is not None else float("inf")
    return Caller(row.id, row.name, effective(read_scopes(row.scopes)), expires)


def _over() -> Unauthorized:
    return Unauthorized("The token's time is over.", hint="Make a new one: qflow token create.")
