"""What the service answered, kept in memory and in a file, so that a lock is asked about once a day and not at each run."""

import contextlib
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog
from pydantic import TypeAdapter, ValidationError

from qflow_runner.advisories.model import Advisory

_MAX = 20_000
_KEEP_S = 30 * 86_400.0
"""An answer that is too old to be taken as it is still says what was vulnerable."""
_SCHEMA = """
    create table if not exists answers_1 (
        source text, name text, version text, asked real, advisories text,
        primary key (source, name, version)
    )
"""

_ADVISORIES = TypeAdapter(tuple[Advisory, ...])

log = structlog.get_logger()

Key = tuple[str, str]


@dataclass(frozen=True)
class Answer:
    """`asked` in seconds since the epoch."""

    advisories: tuple[Advisory, ...]
    asked: float


class AnswerCache:
    """The answers of one source by (name, version). Without its file it works on, and forgets at the end."""

    def __init__(self, path: Path, source: str) -> None:
        self._path = path
        self._source = source
        self._answers: dict[Key, Answer] = {}

    def get(self, key: Key) -> Answer | None:
        return self._answers.get(key)

    def load(self) -> None:
        """Blocks: it reads the file. One that is none of ours is replaced."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._read()
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise
                self._path.unlink(missing_ok=True)
                self._read()
        except (sqlite3.Error, OSError) as error:
            log.warning("advisories.cache_unusable", path=str(self._path), reason=str(error))

    def remember(self, answers: Mapping[Key, Answer]) -> None:
        """In memory; `write` keeps them in the file."""
        for key, answer in answers.items():
            self._answers.pop(key, None)
            self._answers[key] = answer
        while len(self._answers) > _MAX:
            self._answers.pop(next(iter(self._answers)))

    def write(self, answers: Mapping[Key, Answer]) -> None:
        """Blocks: it writes the file."""
        rows = [
            (self._source, *key, each.asked, _ADVISORIES.dump_json(each.advisories).decode())
            for key, each in answers.items()
        ]
        try:
            with contextlib.closing(sqlite3.connect(self._path, timeout=5)) as base, base:
                base.execute(_SCHEMA)
                base.executemany("insert or replace into answers_1 values (?, ?, ?, ?, ?)", rows)
        except (sqlite3.Error, OSError) as error:
            log.warning("advisories.cache_unusable", path=str(self._path), reason=str(error))

    def _read(self) -> None:
        with contextlib.closing(sqlite3.connect(self._path, timeout=5)) as base, base:
            base.execute(_SCHEMA)
            base.execute("delete from answers_1 where asked < ?", (time.time() - _KEEP_S,))
            rows = base.execute(
                "select name, version, asked, advisories from answers_1 where source = ? order by asked desc limit ?",
                (self._source, _MAX),
            ).fetchall()
        for name, version, asked, text in reversed(rows):
            # A row that another version wrote, or nobody of ours, is passed over.
            with contextlib.suppress(ValidationError, ValueError, TypeError):
                self._answers[name, version] = Answer(_ADVISORIES.validate_json(text), float(asked))
