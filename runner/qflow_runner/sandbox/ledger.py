"""What the runner writes down about one sandbox, to find its way in it again after it was killed.

One file of JSON lines, beside the directory that the sandbox sees and readable by the runner's user alone: it has the
tokens. A later line about the same thing replaces an earlier one. Nothing is synced: it is for a runner that returns
on a machine that stayed up, because the sandboxes are gone too when the machine was not.

What a sandbox says about itself is never believed: which session belongs to which execution, and which references it
may stand for, is what this runner wrote when it handed them out.
"""

import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import structlog

from qflow_agent import wire

log = structlog.get_logger()

SUFFIX = ".ledger"

REWRITE_BYTES = 256 * 1024
"""A file of this size is written anew without what no longer holds, and again when it has doubled since."""


@dataclass(frozen=True)
class SessionRecord:
    """A session that was given to an execution; `zygote` is the token of the process that forked it.

    `kept` has the space of each reference, `spilled` those whose values the store has.
    """

    token: str
    zygote: str
    workflow: str
    execution: str
    layer: str
    kept: dict[str, str] = field(default_factory=dict[str, str])
    spilled: list[str] = field(default_factory=list[str])
    lane: int = 0


@dataclass(frozen=True)
class EnvironmentRecord:
    token: str
    layer: str
    imports: list[str]


@dataclass
class Records:
    """A sandbox as its ledger has it. Times are Unix seconds."""

    sandbox: str
    python: str
    token: str
    booted: float
    protocol: int = wire.PROTOCOL
    workflow: str | None = None
    owned: float = 0.0
    environments: dict[str, EnvironmentRecord] = field(default_factory=dict[str, EnvironmentRecord])
    sessions: dict[str, SessionRecord] = field(default_factory=dict[str, SessionRecord])


class Ledger:
    """Of one sandbox. Writing costs microseconds; where it fails, the sandbox is not found again, and works on."""

    def __init__(self, path: Path, records: Records) -> None:
        self.records = records
        self._path = path
        self._file: int | None = None
        self._size = 0
        self._rewrite_at = REWRITE_BYTES

    @classmethod
    def read(cls, path: Path) -> "Ledger | None":
        """None where it is no good: cut short at its start, or of another protocol."""
        records: Records | None = None
        with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
            for line in path.read_text().splitlines():
                try:
                    told = json.loads(line)
                except ValueError:
                    break  # the last one, which the killed runner had begun
                records = _applied(records, told)
            if records is not None and records.protocol == wire.PROTOCOL:
                return cls(path, records)
        return None

    def begin(self) -> None:
        """Write all that is known. Called when the sandbox is about to be booted, and when it was found again."""
        try:
            self._begin()
        except OSError as error:
            self._broken(error)

    def owned(self, workflow: str) -> None:
        """The sandbox was given to a workflow."""
        if self.records.workflow is None:
            self.records.workflow, self.records.owned = workflow, time.time()
            self._write({"owner": workflow, "since": self.records.owned})

    def environment(self, record: EnvironmentRecord) -> None:
        self.records.environments[record.token] = record
        self._write({"environment": vars(record)})

    def session(self, record: SessionRecord) -> None:
        self.records.sessions[record.token] = record
        self._write({"session": vars(record)})

    def ended(self, token: str) -> None:
        """A session or an environment is over."""
        if self.records.sessions.pop(token, None) or self.records.environments.pop(token, None):
            self._write({"ended": token})

    def close(self) -> None:
        """Called when the sandbox is gone, or about to be: nobody looks for it."""
        self._close()
        self._path.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _begin(self) -> None:
        written = self._path.with_suffix(".new")
        descriptor = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            content = b"".join(map(_line, _lines(self.records)))
            os.write(descriptor, content)
            written.rename(self._path)
        except OSError:
            os.close(descriptor)
            raise
        self._close()
        self._file, self._size = descriptor, len(content)
        self._rewrite_at = max(REWRITE_BYTES, 2 * self._size)

    def _write(self, told: Mapping[str, Any]) -> None:
        if self._file is None:
            return
        try:
            if self._size > self._rewrite_at:
                self._begin()
                return
            self._size += os.write(self._file, _line(told))
        except OSError as error:
            self._broken(error)

    def _broken(self, error: OSError) -> None:
        """Half a ledger would be believed: there is none from here on."""
        log.warning("ledger.failed", sandbox=self.records.sandbox, reason=error.strerror)
        self._close()
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


def _line(told: Mapping[str, Any]) -> bytes:
    return json.dumps(told, separators=(",", ":")).encode() + b"\n"


def _lines(records: Records) -> list[dict[str, Any]]:
    about = {
        "sandbox": records.sandbox,
        "python": records.python,
        "token": records.token,
        "booted": records.booted,
        "protocol": records.protocol,
    }
    lines: list[dict[str, Any]] = [{"booted": about}]
    if records.workflow is not None:
        lines.append({"owner": records.workflow, "since": records.owned})
    lines += [{"environment": vars(each)} for each in records.environments.values()]
    lines += [{"session": vars(each)} for each in records.sessions.values()]
    return lines


def _applied(records: Records | None, told: dict[str, Any]) -> Records:
    if records is None:
        return Records(**told["booted"])
    if "owner" in told:
        records.workflow, records.owned = cast("str", told["owner"]), cast("float", told["since"])
    elif "environment" in told:
        environment = EnvironmentRecord(**told["environment"])
        records.environments[environment.token] = environment
    elif "session" in told:
        session = SessionRecord(**told["session"])
        records.sessions[session.token] = session
    elif "ended" in told:
        records.sessions.pop(told["ended"], None)
        records.environments.pop(told["ended"], None)
    return records
