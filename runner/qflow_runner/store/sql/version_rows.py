"""Rows of the versions of saved definitions: add, load, list. What people wrote is sealed in them."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from qflow_runner.errors import SavedChanged, ValueDamaged
from qflow_runner.keys import Keys
from qflow_runner.store.model import NewVersion, SavedVersion
from qflow_runner.store.sealed import of_definition, of_version, open_json, open_text, seal_json
from qflow_runner.store.sql import definition_rows
from qflow_runner.store.sql.tables import saved, versions

AT_ONCE = 200
"""Versions in one question: databases bound the parameters of a statement."""


async def add(
    connection: AsyncConnection,
    keys: Keys,
    name: str,
    key: str,
    new: NewVersion,
    *,
    content_hash: str,
    based_on: int | None,
    now: datetime,
) -> bool:
    """Whether a version was added: the latest one may have this very content. A deleted name comes back.

    Raises SavedChanged where another than `based_on` is the latest.
    """
    sealed = seal_json(keys, new.definition, of_definition(new.definition_id))
    await definition_rows.save(connection, new.definition_id, sealed, now)
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    adding = insert(saved).values(key=key, name=name, latest=0, created=now, updated=now)
    # The update changes nothing; it locks the row against whoever saves the same name.
    holding = adding.on_conflict_do_update(index_elements=["key"], set_={"key": key})
    returned = holding.returning(saved.c.id, saved.c.latest, saved.c.deleted, saved.c.updated)
    row = (await connection.execute(returned)).one()
    known = await connection.execute(
        select(versions.c.content_hash).where(versions.c.saved_id == row.id, versions.c.version == row.latest)
    )
    if known.scalar_one_or_none() == content_hash:
        if row.deleted is not None:
            await connection.execute(
                update(saved).where(saved.c.id == row.id).values(deleted=None, updated=now)
            )
        return False
    if based_on is not None and row.deleted is None and row.latest != based_on:
        raise _changed(name, row.latest, row.updated, based_on)
    number = row.latest + 1
    texts = {"function": new.function, "signature": new.signature, "note": new.note}
    await connection.execute(
        versions.insert().values(
            saved_id=row.id,
            version=number,
            content=seal_json(keys, new.content, of_version(row.id, number, "content")),
            content_hash=content_hash,
            definition_id=new.definition_id,
            **{column: keys.seal(text, of_version(row.id, number, column)) for column, text in texts.items()},
            created=now,
        )
    )
    await connection.execute(
        update(saved).where(saved.c.id == row.id).values(latest=number, updated=now, deleted=None)
    )
    return True


def _changed(name: str, latest: int, updated: datetime, based_on: int) -> SavedChanged:
    when = f"{updated:%Y-%m-%d %H:%M} UTC"
    if not based_on:
        return SavedChanged(f"There is a saved definition '{name}' already, of {when}.", version=latest)
    return SavedChanged(
        f"Version {latest} of '{name}' was saved at {when}, and yours was made from version {based_on}.",
        version=latest,
    )


async def load(connection: AsyncConnection, keys: Keys, key: str, version: int | None) -> SavedVersion | None:
    """The version; the latest for None. Raises ValueDamaged."""
    wanted = versions.c.version == (saved.c.latest if version is None else version)
    row = (await connection.execute(_versions().where(saved.c.key == key, wanted))).first()
    return None if row is None else _version(row, keys)


async def load_many(
    connection: AsyncConnection, keys: Keys, wanted: Collection[tuple[str, int | None]]
) -> dict[tuple[str, int | None], SavedVersion]:
    """By key and version (None: the latest); what is not there is left out. Raises ValueDamaged."""
    found: dict[tuple[str, int | None], SavedVersion] = {}
    ordered = sorted(wanted, key=lambda each: (each[0], each[1] or 0))
    for start in range(0, len(ordered), AT_ONCE):
        chunk = ordered[start : start + AT_ONCE]
        asked = _versions().where(
            saved.c.key.in_({key for key, _ in chunk}),
            (versions.c.version == saved.c.latest)
            | versions.c.version.in_({number for _, number in chunk if number}),
        )
        for row in await connection.execute(asked):
            version = _version(row, keys)
            if version.version == version.latest:
                found[row.key, None] = version
            found[row.key, version.version] = version
    return {each: found[each] for each in wanted if each in found}


async def page(
    connection: AsyncConnection, keys: Keys, key: str, before: int | None, limit: int
) -> list[SavedVersion]:
    """The newest first, those before the version `before`. Raises ValueDamaged."""
    asked = _versions().where(saved.c.key == key).order_by(versions.c.version.desc()).limit(limit)
    if before is not None:
        asked = asked.where(versions.c.version < before)
    return [_version(row, keys) for row in await connection.execute(asked)]


def _versions() -> Select[Any]:
    return (
        select(versions, saved.c.key, saved.c.name, saved.c.latest)
        .join(saved, versions.c.saved_id == saved.c.id)
        .where(saved.c.deleted.is_(None))
    )


def _version(row: Row[Any], keys: Keys) -> SavedVersion:
    content = open_json(keys, row.content, of_version(row.saved_id, row.version, "content"))
    if content is None:
        raise ValueDamaged(
            f"Version {row.version} of the saved definition '{row.name}' cannot be decrypted.",
            hint="Put its key back into QFLOW_ENCRYPTION_KEYS, or into the file 'key' of the data directory.",
        )
    texts = {
        column: open_text(keys, getattr(row, column), of_version(row.saved_id, row.version, column)) or ""
        for column in ("function", "signature", "note")
    }
    return SavedVersion(
        name=row.name,
        version=row.version,
        latest=row.latest,
        content=content,
        definition_id=row.definition_id,
        **texts,
        created=row.created,
    )
