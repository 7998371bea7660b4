"""Definitions that people saved by name, with their versions."""

import hashlib
import json
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from qflow_runner.errors import SavedUnknown, SavedVersionUnknown
from qflow_runner.store.database import Database
from qflow_runner.store.model import NewVersion, Saved, SavedVersion
from qflow_runner.store.names import check_name, key_of

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

SavedName = tuple[str, int | None]
"""A name and a version of it; None: whichever is the latest."""


class SavedDefinitions:
    """Every method raises DatabaseUnavailable, those that take a name SavedNameInvalid, and those that read content
    ValueDamaged where its key is gone."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(
        self, name: str, new: NewVersion, *, based_on: int | None = None
    ) -> tuple[SavedVersion, bool]:
        """The latest version after this, and whether it is new: the same content makes none.

        Raises SavedChanged where `based_on` is given and is not the latest one, unless that has this very content.
        """
        key = key_of(check_name(name))
        canonical = json.dumps(new.content, sort_keys=True, separators=(",", ":"))
        content_hash = hashlib.sha256(canonical.encode()).hexdigest()

        async def work(connection: "AsyncConnection") -> tuple[SavedVersion | None, bool]:
            from qflow_runner.store.sql import version_rows  # noqa: PLC0415 - loaded when it is opened

            added = await version_rows.add(
                connection,
                self._database.keys,
                name,
                key,
                new,
                content_hash=content_hash,
                based_on=based_on,
                now=datetime.now(UTC),
            )
            return await version_rows.load(connection, self._database.keys, key, None), added

        latest, added = await self._database.write(work)
        if latest is None:
            raise SavedUnknown(f"The saved definition '{name}' was deleted just now.")
        return latest, added

    async def get(self, name: str, version: int | None = None) -> SavedVersion:
        """Raises SavedUnknown, SavedVersionUnknown."""
        key = key_of(check_name(name))

        async def work(connection: "AsyncConnection") -> tuple[SavedVersion | None, Saved | None]:
            from qflow_runner.store.sql import saved_rows, version_rows  # noqa: PLC0415

            found = await version_rows.load(connection, self._database.keys, key, version)
            return found, None if found else await saved_rows.find(connection, self._database.keys, key)

        found, named = await self._database.read(work)
        if found is not None:
            return found
        if named is None:
            raise _unknown(name)
        raise SavedVersionUnknown(
            f"The saved definition '{named.name}' has no version {version}; its latest is {named.version}."
        )

    async def find(self, wanted: Collection[SavedName]) -> Mapping[SavedName, SavedVersion]:
        """Those that there are, in one question."""
        by_key = {(name, version): (key_of(name), version) for name, version in wanted}

        async def work(connection: "AsyncConnection") -> dict[SavedName, SavedVersion]:
            from qflow_runner.store.sql import version_rows  # noqa: PLC0415 - loaded when it is opened

            return await version_rows.load_many(connection, self._database.keys, set(by_key.values()))

        found = await self._database.read(work)
        return {each: found[key] for each, key in by_key.items() if key in found}

    async def page(self, part: str, after: str, limit: int) -> list[Saved]:
        """Names in the order of their keys: those that contain `part`, after the key `after`."""

        async def work(connection: "AsyncConnection") -> list[Saved]:
            from qflow_runner.store.sql import saved_rows  # noqa: PLC0415 - loaded when it is opened

            return await saved_rows.page(connection, self._database.keys, key_of(part), after, limit)

        return await self._database.read(work)

    async def versions(self, name: str, before: int | None, limit: int) -> list[SavedVersion]:
        """The newest first. Raises SavedUnknown."""
        key = key_of(check_name(name))

        async def work(connection: "AsyncConnection") -> tuple[list[SavedVersion], Saved | None]:
            from qflow_runner.store.sql import saved_rows, version_rows  # noqa: PLC0415

            found = await version_rows.page(connection, self._database.keys, key, before, limit)
            return found, await saved_rows.find(connection, self._database.keys, key)

        found, named = await self._database.read(work)
        if named is None:
            raise _unknown(name)
        return found

    async def delete(self, name: str) -> None:
        """Its versions are kept for as long as unused definitions are. Raises SavedUnknown."""
        key = key_of(check_name(name))

        async def work(connection: "AsyncConnection") -> bool:
            from qflow_runner.store.sql import saved_rows  # noqa: PLC0415 - loaded when it is opened

            return await saved_rows.delete(connection, key, datetime.now(UTC))

        if not await self._database.write(work):
            raise _unknown(name)


def _unknown(name: str) -> SavedUnknown:
    return SavedUnknown(f"There is no saved definition named '{name}'.")
