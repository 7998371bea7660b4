"""Choosing versions: among wheels, and where there is none and the administrator allows it, by building one."""

from collections.abc import Sequence
from pathlib import Path

from qflow_runner.errors import DependencyError, SourceBuildFailed
from qflow_runner.layers.built import BuiltWheels
from qflow_runner.layers.lines import Asked
from qflow_runner.layers.model import Built, Lock
from qflow_runner.layers.resolve import Resolver
from qflow_runner.layers.source_errors import without_wheel
from qflow_runner.layers.sources import BUILDS_MAX, Sources
from qflow_runner.layers.threads import in_thread


class Chooser:
    """`sources` is None where wheels alone are installed."""

    def __init__(
        self, resolver: Resolver, constraints: str, kept: BuiltWheels, sources: Sources | None
    ) -> None:
        self._resolver = resolver
        self._constraints = constraints
        self._kept = kept
        self._sources = sources

    async def resolve(
        self, asked: Asked, python: str, *, refresh: bool = False, bounds: Sequence[str] = ()
    ) -> Lock:
        """As Resolver.resolve."""
        built: dict[Built, Path] = {}
        while True:
            try:
                return await self._resolver.resolve(
                    asked, python, refresh=refresh, bounds=bounds, built=built
                )
            except DependencyError as error:
                wanted = without_wheel(error)
                if self._sources is None or not wanted:
                    raise
                name = next((each for each in wanted if each not in {one.name for one in built}), None)
                if name is None:
                    raise SourceBuildFailed(
                        f"{wanted[0]} was built from source, and what came out does not do: {error.detail}"
                    ) from error
                if len(built) == BUILDS_MAX:
                    raise SourceBuildFailed(
                        f"More than {BUILDS_MAX} packages of these requirements come without a wheel.",
                        hint="Ask for versions that have wheels, or choose another Python in the node.",
                    ) from error
            bound = "\n".join((self._constraints, *bounds))
            made = await self._sources.build(name, asked, python, bound, built)
            built[made] = await in_thread(self._kept.place, made)
