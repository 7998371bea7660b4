"""What Redis does in one step, so that two processes cannot come between each other."""

import secrets
from typing import Any, cast

from redis.asyncio import Redis

from qflow_runner.engine.cluster.messages import Message
from qflow_runner.engine.cluster.names import Names

CLAIM_MS = 2 * 3600 * 1000
"""How long it is known that a run was begun: longer than a message can lie anywhere."""

# What Redis knows of runs holds for one life of it: one that was restarted may have forgotten the last second, or all.
EPOCH = """
local epoch = redis.call('GET', KEYS[1])
if not epoch or string.sub(epoch, 1, #ARGV[1]) ~= ARGV[1] then
  epoch = ARGV[1] .. ':' .. ARGV[2]
  redis.call('SET', KEYS[1], epoch)
end
return epoch
"""

# A worker wants to begin a run. Its caller must be there, its execution at home here or nowhere, and nobody else may
# have begun it. What is at home with a worker that is gone is at home nowhere; the fence counts how often that was.
CLAIM = """
if redis.call('GET', KEYS[5]) ~= ARGV[5] then return {'void', 'it is of an earlier life of Redis'} end
if redis.call('EXISTS', KEYS[4]) == 0 then return {'void', 'its caller is gone'} end
local home = redis.call('GET', KEYS[2])
local holder = home and string.match(home, '^(.*)|')
if holder and holder ~= ARGV[1] and redis.call('EXISTS', ARGV[4] .. holder) == 1 then return {'elsewhere', holder} end
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return {'void', redis.call('GET', KEYS[1])} end
if holder == ARGV[1] then
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
else
  redis.call('SET', KEYS[2], ARGV[1] .. '|' .. redis.call('INCR', KEYS[3]), 'PX', ARGV[3])
end
return {'go', ARGV[1]}
"""

# A caller gives a run up: from now on nobody begins it. Who had begun it already is answered.
VOID = """
if redis.call('GET', KEYS[2]) ~= ARGV[3] then return '?' end
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return '' end
return redis.call('GET', KEYS[1])
"""

# Of the executions that a worker has sessions of, those that are another's now.
KEEP = """
local lost = {}
for n = 2, #KEYS do
  local home = redis.call('GET', KEYS[n])
  if not home then
    redis.call('SET', KEYS[n], ARGV[1] .. '|' .. redis.call('INCR', KEYS[1]), 'PX', ARGV[2])
  elseif string.match(home, '^(.*)|') == ARGV[1] then
    redis.call('PEXPIRE', KEYS[n], ARGV[2])
  else
    table.insert(lost, n - 1)
  end
end
return lost
"""

LEAVE = """
for n = 1, #KEYS do
  local home = redis.call('GET', KEYS[n])
  if home and string.match(home, '^(.*)|') == ARGV[1] then redis.call('DEL', KEYS[n]) end
end
return 1
"""

MANY = 500
"""Keys of one call: Redis does nothing else meanwhile."""


class Scripts:
    def __init__(self, redis: Redis, names: Names) -> None:
        self._names = names
        self._epoch: Any = redis.register_script(EPOCH)
        self._claim: Any = redis.register_script(CLAIM)
        self._void: Any = redis.register_script(VOID)
        self._keep: Any = redis.register_script(KEEP)
        self._leave: Any = redis.register_script(LEAVE)

    async def epoch(self, server: str) -> str:
        """The name of this life of Redis, whose own name for it is `server`."""
        found = await self._epoch(keys=[self._names.epoch], args=[server, secrets.token_hex(8)])
        return cast("bytes", found).decode()

    async def void(self, run: str, caller: str, epoch: str) -> str:
        """Empty where nobody will begin the run; who began it; or ? where that cannot be told any more."""
        keys = [self._names.claim(run), self._names.epoch]
        return cast("bytes", await self._void(keys=keys, args=[caller, CLAIM_MS, epoch])).decode()

    async def claim(self, message: Message, home: str, worker: str, home_ms: int) -> tuple[str, str]:
        """go; elsewhere, with whose it is; or void, with the reason or who has it."""
        names = self._names
        keys = [names.claim(message.id), home, names.fence, names.api(message.api), names.epoch]
        args = [worker, CLAIM_MS, home_ms, names.worker(""), message.epoch]
        found = await self._claim(keys=keys, args=args)
        verdict, who = cast("list[bytes]", found)
        return verdict.decode(), who.decode()

    async def keep(self, homes: list[str], worker: str, home_ms: int) -> list[str]:
        """Those that are another worker's now."""
        lost: list[str] = []
        for start in range(0, len(homes), MANY):
            some = homes[start : start + MANY]
            found = await self._keep(keys=[self._names.fence, *some], args=[worker, home_ms])
            lost.extend(some[number - 1] for number in cast("list[int]", found))
        return lost

    async def leave(self, homes: list[str], worker: str) -> None:
        for start in range(0, len(homes), MANY):
            await self._leave(keys=homes[start : start + MANY], args=[worker])
