"""Where Docker finds the runner's directories, when the runner is itself a container.

Docker takes the source of a bind mount as a path of its own machine. A runner in a container knows its directories by
other paths: they are volumes, whose place on that machine Docker tells. Sandboxes get single directories below that
place and never a whole volume, in which one would see the sockets and files of the others.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from qflow_runner.errors import SandboxError

FindVolume = Callable[[str], str]
"""The place of a volume on Docker's machine, by its name."""


class HostPaths:
    """Runner's paths to Docker's. Without mounts they are the same."""

    def __init__(self, mounts: Sequence[str] = ()) -> None:
        """`mounts` are `name:/path` for a volume and `/host/path:/path` for a directory, as of QFLOW_DOCKER_MOUNTS."""
        pairs = [each.split(":", 1) for each in mounts]
        # The deepest first: a volume may be mounted below another.
        self._mounts = sorted(
            ((PurePosixPath(target), source) for source, target in pairs),
            key=lambda pair: len(pair[0].parts),
            reverse=True,
        )
        self._found: dict[str, str] = {}

    def on_host(self, path: Path, find: FindVolume) -> str:
        """Raises SandboxError for what is in none of the mounts, and what `find` raises for a volume."""
        place = _plain(path)
        if not self._mounts:
            return str(path)
        mount = self._mount_of(place)
        if mount is None:
            raise SandboxError(
                f"Docker cannot be told where {path} is: it is in none of QFLOW_DOCKER_MOUNTS.",
                hint="Add the volume that it is in, as name:/path.",
            )
        target, source = mount
        if not source.startswith("/"):
            source = self._found.setdefault(source, self._found.get(source) or find(source))
        return str(PurePosixPath(source) / place.relative_to(target))

    def _mount_of(self, place: PurePosixPath) -> tuple[PurePosixPath, str] | None:
        return next((each for each in self._mounts if place.is_relative_to(each[0])), None)


def _plain(path: Path) -> PurePosixPath:
    return PurePosixPath(os.path.abspath(path))  # noqa: PTH100 - links are kept: Docker follows them where they lead there
