"""How far the sandboxes keep executions of one workflow apart: the guests' own word, of which the least counts."""

from collections.abc import Iterable

from qflow_runner.sandbox.backend import Health

FULL = "full"
_APART = (
    "each workflow has a container of its own, and in it each execution its own files, processes and sockets"
)
_SHARED = {
    "": "executions of one workflow share their files and may signal each other: the kernel offers no Landlock",
    "files": "executions of one workflow may signal each other and reach abstract sockets: the kernel is older than 6.12",
}
"""What a sandbox says that keeps less apart."""


def isolation_of(said: Iterable[str]) -> Health:
    """Of all sandboxes that are there. A word that nobody knows counts as nothing."""
    least = min(
        (each if each in {FULL, *_SHARED} else "" for each in said),
        key=[*_SHARED, FULL].index,
        default=FULL,
    )
    return Health(least == FULL, _SHARED.get(least) or _APART)
