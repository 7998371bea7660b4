"""The index of an export: its records by package, in one SQLite file, so that a lock is looked up without reading it all."""

import contextlib
import json
import os
import re
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from qflow_runner.advisories.export import MirrorUnusable, fingerprint, read_export
from qflow_runner.advisories.records import Affected, Record, read_record

_FORM = 1
"""Raised when the tables or what stands in them change."""
_SCHEMA = """
    create table about (form integer, export text, records integer, unreadable integer, newest text);
    create table records (number integer primary key, record text);
    create table affected (name text, number integer, affected text);
"""
_ABANDONED_S = 3_600.0
_DATE = re.compile(r"[12]\d{3}-[01]\d-[0-3]\d", re.ASCII)


@dataclass(frozen=True)
class Index:
    """`unreadable`: files that are no advisory or name no package, so that no package can be called clean."""

    path: Path
    export: str
    records: int
    unreadable: int
    newest: str

    def records_of(self, names: Iterable[str]) -> dict[str, list[Record]]:
        """The records about each name, each cut down to what it says of that name. Blocks."""
        found: dict[str, list[Record]] = {}
        with _reading(self.path) as base:
            for name in dict.fromkeys(names):
                rows = base.execute(
                    "select record, affected from affected join records using (number) where name = ?",
                    (name,),
                )
                found[name] = [_record(name, record, affected) for record, affected in rows]
        return found


def current_index(path: Path, export: Path, stopped: Callable[[], bool]) -> Index:
    """The index at `path` if it is of this export as it is now, else a new one. Blocks; seconds for a whole export."""
    key = fingerprint(export)
    try:
        index = _read_about(path)
        if index is not None and index.export == key:
            return index
    except (sqlite3.Error, OSError):
        pass  # a file that is none of ours is replaced
    try:
        return _build(path, export, key, stopped)
    except (sqlite3.Error, OSError) as error:
        raise MirrorUnusable(f"the index of {export} cannot be written to {path.parent}: {error}") from None


def _build(path: Path, export: Path, key: str, stopped: Callable[[], bool]) -> Index:
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f"{path.name}.*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _ABANDONED_S:
                left.unlink()
    handle, name = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
    os.close(handle)
    made = Path(name)
    try:
        index = _fill(made, path, export, key, stopped)
        if fingerprint(export) != key:
            raise MirrorUnusable(f"{export} changed while it was read: it is read anew at the next check")
        with made.open("rb") as file:
            os.fsync(file.fileno())
        made.replace(path)
    finally:
        made.unlink(missing_ok=True)
    return index


def _fill(made: Path, path: Path, export: Path, key: str, stopped: Callable[[], bool]) -> Index:
    count, unreadable, newest = 0, 0, ""
    with contextlib.closing(sqlite3.connect(made)) as base, base:
        # The file counts only when it is complete and renamed, so it needs no journal.
        base.execute("pragma journal_mode = off")
        base.execute("pragma synchronous = off")
        base.executescript(_SCHEMA)
        base.execute("begin")
        for raw in read_export(export):
            if stopped():
                raise MirrorUnusable("the runner is stopping")
            record = read_record(raw)
            if record is None or not record.complete:
                unreadable += 1
            if record is None:
                continue
            count += 1
            newest = max(newest, record.modified[:10] if _DATE.match(record.modified) else "")
            if record.affected and not record.withdrawn:
                base.execute("insert into records values (?, ?)", (count, _record_text(record)))
                for name in {each.name for each in record.affected}:
                    row = (name, count, _affected_text(name, record))
                    base.execute("insert into affected values (?, ?, ?)", row)
        if count == 0:
            raise MirrorUnusable(f"{export} has no advisories in it")
        base.execute("create index affected_name on affected (name)")
        base.execute("insert into about values (?, ?, ?, ?, ?)", (_FORM, key, count, unreadable, newest))
    return Index(path, key, count, unreadable, newest)


def _reading(path: Path) -> contextlib.closing[sqlite3.Connection]:
    return contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True))


def _read_about(path: Path) -> Index | None:
    path = path.absolute()
    if not path.is_file():
        return None
    with _reading(path) as base:
        rows = base.execute("select form, export, records, unreadable, newest from about").fetchall()
        base.execute("select count(*) from affected where name = ''").fetchone()
    if len(rows) != 1 or rows[0][0] != _FORM:
        return None
    return Index(path, *rows[0][1:])


def _record_text(record: Record) -> str:
    kept = (record.id, record.aliases, record.summary, record.severity, record.modified)
    return json.dumps(kept, separators=(",", ":"))


def _affected_text(name: str, record: Record) -> str:
    kept = [
        (each.severity, each.versions, [_range(one) for one in each.ranges])
        for each in record.affected
        if each.name == name
    ]
    return json.dumps(kept, separators=(",", ":"))


def _range(given: Any) -> Any:
    """Without the commits: they are half of a record, and no version is compared with them."""
    if not isinstance(given, dict):
        return None
    entry = cast("dict[str, Any]", given)
    return (
        {"type": "GIT"}
        if entry.get("type") == "GIT"
        else {name: entry.get(name) for name in ("type", "events")}
    )


def _record(name: str, record: str, affected: str) -> Record:
    identity, aliases, summary, severity, modified = json.loads(record)
    entries = tuple(Affected(name, *each) for each in json.loads(affected))
    return Record(
        identity,
        tuple(aliases),
        summary,
        severity,
        modified,
        withdrawn=False,
        complete=True,
        affected=entries,
    )
