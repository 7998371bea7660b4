"""Which workers there are, by what each says of itself every few seconds."""

import json
import time
from dataclasses import asdict, dataclass, field, fields
from typing import Any, cast

from redis.asyncio import Redis

from qflow_runner.engine.cluster.messages import OLDEST, PROTOCOL
from qflow_runner.engine.cluster.names import Names
from qflow_runner.engine.cluster.scripts import Scripts

FORGOTTEN_S = 3600.0
"""A worker that went without a word is named for so long."""


@dataclass(frozen=True)
class Member:
    """What a worker says. `clock` is its own time (Unix), `runs` what it makes just now."""

    name: str
    places: int
    runs: list[str] = field(default_factory=list[str])
    version: str = ""
    python: str = ""
    clock: float = 0.0
    draining: bool = False
    oldest: int = OLDEST
    newest: int = PROTOCOL
    sandboxes: int = 0

    @property
    def understands(self) -> bool:
        return self.oldest <= PROTOCOL and self.newest >= OLDEST

    @property
    def takes(self) -> bool:
        """Whether runs may be sent to it."""
        return self.understands and not self.draining


def told(member: Member) -> bytes:
    return json.dumps(asdict(member)).encode()


def read(text: bytes) -> Member | None:
    """None for what is none: it came from Redis, where others may write."""
    try:
        about: Any = json.loads(text)
        known = {each.name for each in fields(Member)}
        return Member(**{name: value for name, value in about.items() if name in known})
    except (ValueError, TypeError, AttributeError):
        return None


class Members:
    """As they were at the last look. `epoch` is the life of the Redis that was asked."""

    def __init__(self, redis: Redis, names: Names) -> None:
        self._redis = redis
        self._names = names
        self._scripts = Scripts(redis, names)
        self.known: dict[str, Member] = {}
        self.gone: dict[str, float] = {}
        self.epoch = ""
        self.skew_s: dict[str, float] = {}
        """How far each worker's clock is from that of Redis, in seconds."""

    @property
    def taking(self) -> list[Member]:
        return [each for each in self.known.values() if each.takes]

    @property
    def places(self) -> int:
        return sum(each.places for each in self.taking)

    def takes(self, worker: str) -> bool:
        member = self.known.get(worker)
        return member is not None and member.takes

    async def look(self) -> list[str]:
        """The names of those that are gone since the last look. Raises what the client raises."""
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.smembers(self._names.workers)
            pipe.time()
            pipe.info("server")
            found, now, server = await pipe.execute()
        names = sorted(each.decode() for each in found)
        texts = await self._redis.mget([self._names.worker(name) for name in names]) if names else []
        members = [read(cast("bytes", text)) for text in texts if text is not None]
        known = {member.name: member for member in members if member is not None}
        self.epoch = await self._scripts.epoch(str(server["run_id"]))
        clock = now[0] + now[1] / 1e6
        self.skew_s = {name: member.clock - clock for name, member in known.items()}
        lost = [name for name in self.known if name not in known]
        self.known = known
        self._note(lost)
        absent = [name for name in names if name not in known]
        if absent and not lost:  # one look later, so that every API process sees it go
            await self._redis.srem(self._names.workers, *absent)
        return lost

    def _note(self, lost: list[str]) -> None:
        now = time.monotonic()
        self.gone.update(dict.fromkeys(lost, now))
        self.gone = {
            name: when
            for name, when in self.gone.items()
            if name not in self.known and now - when < FORGOTTEN_S
        }
