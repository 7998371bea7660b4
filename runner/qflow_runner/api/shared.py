"""Whether what the cluster shares is still there: looked at from time to time, so that /readyz need not wait for it."""

import asyncio

from qflow_runner.blobs import CLUSTER_MARK, shared_blobs
from qflow_runner.errors import QflowError
from qflow_runner.files.disk import Disk
from qflow_runner.files.tidy import Tidy
from qflow_runner.sandbox.backend import Health
from qflow_runner.settings import Settings

EVERY_S = 10.0
DEADLINE_S = 5.0


class SharedPlace:
    """`health` is None where nothing is shared."""

    def __init__(self, settings: Settings, every_s: float = EVERY_S) -> None:
        self.health: Health | None = None
        self._name = settings.shared_bucket or str(settings.shared_dir)
        self._blobs = shared_blobs(settings)
        self._disk = Disk("qflow-shared", threads=1)
        self._tidy = Tidy(every_s, self._look)
        self._marked = False

    async def open(self) -> None:
        if self._blobs is not None:
            await self._look()
            self._tidy.start()

    async def close(self) -> None:
        await self._tidy.stop()
        await self._disk.close()

    async def _look(self) -> None:
        assert self._blobs is not None  # noqa: S101 - else nobody looks
        try:
            async with asyncio.timeout(DEADLINE_S):
                held = await self._disk.call(self._blobs.read, CLUSTER_MARK)
        except TimeoutError:
            self.health = Health(ok=False, reason=f"{self._name} did not answer for {DEADLINE_S:g} s")
        except QflowError as error:
            self.health = Health(ok=False, reason=" ".join(filter(None, (error.detail, error.hint))))
        else:
            if held is None and self._marked:
                gone = f"{self._name} is empty: the cluster's mark is gone. See that it is mounted, and that nobody removed it"
                self.health = Health(ok=False, reason=gone)
            else:
                self.health = Health(ok=True, reason=f"{self._name} answers")
            self._marked = self._marked or held is not None
