"""`qflow token`, `qflow audit` and `qflow keys`: on the runner's database and data directory, whether it runs or not.

A running runner sees what they change within seconds. Each of them leaves its row in the audit log.
"""

import asyncio
import getpass
import json
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import typer
from rich.table import Column
from rich.text import Text

from qflow_runner.access import Tokens, read_age
from qflow_runner.audit import Audit, Who, verify
from qflow_runner.cli.reading import read_settings
from qflow_runner.cli.terminal import Terminal, complain, show, table
from qflow_runner.errors import RequestError, TokenUnknown
from qflow_runner.keys import Keys
from qflow_runner.observe import logs
from qflow_runner.settings import Settings
from qflow_runner.store import AuditRow, Database, Rotation, StoredTokens, TokenRow
from qflow_runner.store.rotation import UNREADABLE

tokens = typer.Typer(help="Tokens for the API.", no_args_is_help=True)
audit = typer.Typer(help="The audit log: who did what.", no_args_is_help=True)
keys = typer.Typer(help="The keys with which the runner encrypts what it keeps.", no_args_is_help=True)

T = TypeVar("T")
PAGE = 500


@dataclass
class _Opened:
    settings: Settings
    keys: Keys
    database: Database
    tokens: Tokens
    audit: Audit
    by: Who


@tokens.command("create")
def token_create(
    name: Annotated[str, typer.Argument(help="What it is for")],
    scope: Annotated[
        list[str],
        typer.Option(help="run, read, edit or admin; n8n is run and edit. May be given several times"),
    ],
    expires: Annotated[
        str, typer.Option(help="After what time it is over, as in 90d; never when absent")
    ] = "",
) -> None:
    """Make a token and print it, this once."""

    async def work(opened: _Opened) -> str:
        made = await opened.tokens.create(
            name, scope, by=opened.by.name, expires_s=read_age(expires) if expires else None
        )
        opened.audit.note(
            "token.created",
            made.row.id,
            by=opened.by,
            token_name=name,
            scopes=made.row.scopes,
            expires=expires or "never",
        )
        return made.token

    print(_with_store(work))


@tokens.command("list")
def token_list() -> None:
    """The tokens that there are and were, the newest first."""
    shown = table(Column("Id", no_wrap=True), "Name", "Scopes", "Created", "Expires", "Last used", "State")
    for row in _with_store(lambda opened: opened.tokens.every()):
        moments = (_moment(each) for each in (row.created, row.expires, row.used))
        shown.add_row(row.id, row.name, row.scopes, *moments, _state(row))
    show(shown, "No token was made yet: `qflow token create` makes one.")


@tokens.command("revoke")
def token_revoke(
    token: Annotated[list[str], typer.Argument(help="Ids, as `qflow token list` shows them")],
) -> None:
    """Revoke tokens. A running runner refuses them within five seconds."""

    async def work(opened: _Opened) -> None:
        for each in token:
            try:
                await opened.tokens.revoke(each)
            except TokenUnknown as error:
                opened.audit.note("token.revoked", each, by=opened.by, outcome=error.code)
                raise
            opened.audit.note("token.revoked", each, by=opened.by)
            print(each)

    _with_store(work)


@audit.command("list")
def audit_list(
    *,
    action: Annotated[str, typer.Option(help="A whole one, or its first word, as in token")] = "",
    actor: Annotated[str, typer.Option(help="The id or the name of a token")] = "",
    outcome: Annotated[str, typer.Option(help="ok, or the code of an error")] = "",
    since: Annotated[str, typer.Option(help="How far back, as in 7d")] = "",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Rows at most")] = 100,
    form: Annotated[str, typer.Option("--format", help="table, or json: an object a line")] = "table",
) -> None:
    """Who did what, the newest first."""
    since_ms = int((datetime.now(UTC).timestamp() - read_age(since)) * 1000) if since else 0

    async def work(opened: _Opened) -> list[AuditRow]:
        found: list[AuditRow] = []
        while len(found) < limit:
            wanted = min(PAGE, limit - len(found))
            before = found[-1].seq if found else None
            page = await opened.audit.log.page(
                before=before, action=action, actor=actor, outcome=outcome, since_ms=since_ms, limit=wanted
            )
            found += page
            if len(page) < wanted:
                break
        return found

    rows = _with_store(work)
    if form == "json":
        for row in rows:
            print(json.dumps({**row._asdict(), "details": json.loads(row.details)}))
        return
    shown = table(
        Column("Row", justify="right", no_wrap=True),
        Column("When (UTC)", no_wrap=True),
        Column("Who", overflow="fold"),
        Column("What", overflow="fold", ratio=1),
        Column("Outcome", overflow="fold"),
    )
    for row in rows:
        who = (row.name or "the runner") + (f"\nfrom {row.origin}" if row.origin else "")
        what = Text(f"{row.action} {row.object}")
        for name, value in _flat(json.loads(row.details)):
            what.append(f"\n{name} {value}", style="dim")
        when = f"{datetime.fromtimestamp(row.at / 1000, UTC):%Y-%m-%d %H:%M:%S}"
        shown.add_row(str(row.seq), when, who, what, row.outcome)
    show(shown, "No such entry.")


def _flat(details: dict[str, Any], place: str = "") -> Iterator[tuple[str, str]]:
    for name, value in details.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{place}{name}.")
        else:
            yield f"{place}{name}", value if isinstance(value, str) else json.dumps(value)


@audit.command("verify")
def audit_verify() -> None:
    """Walk the whole log. Ends with 1 where a row was altered, is missing, or was cut off."""
    found = _with_store(lambda opened: verify(opened.audit.log, opened.keys, opened.audit.head_path))
    for note in found.notes:
        complain(note)
    if not found.ok:
        complain(found.broken)
        raise SystemExit(1)
    print(f"{found.rows} rows, from {found.first} to {found.last}, are as they were written.")


@keys.command("status")
def keys_status() -> None:
    """The keys, the newest first, and how much each of them still holds in the database."""

    async def work(opened: _Opened) -> dict[str, dict[str, int]]:
        return await Rotation(opened.database).held()

    settings = read_settings({})
    held, known = _with_store(work), Keys(settings)
    shown = table(Column("Key", no_wrap=True), Column("From", overflow="fold"), "In the database", "Note")
    for number, name in enumerate(known.names):
        origin = "QFLOW_ENCRYPTION_KEYS" if name in known.given else str(settings.data_dir / "key")
        shown.add_row(
            name, origin, _counts(held.get(name, {})), "the newest: it encrypts" if number == 0 else ""
        )
    if UNREADABLE in held:
        shown.add_row(
            "", "", _counts(held[UNREADABLE]), "no key opens this: put the one that is missing back"
        )
    Terminal().print(shown)


@keys.command("rotate")
def keys_rotate() -> None:
    """Make a new key and encrypt the database anew with it. With QFLOW_ENCRYPTION_KEYS, the first of those is the new one."""

    async def work(opened: _Opened) -> tuple[str, dict[str, int]]:
        name = opened.keys.newest if opened.keys.given else opened.keys.rotate()
        renewed = await Rotation(opened.database).renew()
        opened.audit.note("keys.rotated", name, by=opened.by, rows=renewed)
        return name, renewed

    name, renewed = _with_store(work)
    print(f"{name} is the newest key. Encrypted anew: {_counts(renewed) or 'nothing'}.")
    print(
        "Values that outlive their session follow within ten minutes where the runner runs, or at its next start; "
        "cached results are read with the old key until they expire. Keep a copy of the key file.",
        file=sys.stderr,
    )


@keys.command("remove")
def keys_remove(
    name: Annotated[str, typer.Argument(help="As `qflow keys status` shows it")],
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Also where it still holds something, which is lost then")
    ] = False,
) -> None:
    """Take an old key out of the key file, once nothing in the database needs it."""

    async def work(opened: _Opened) -> None:
        held = (await Rotation(opened.database).held()).get(name, {})
        if held and not force:
            raise RequestError(f"{name} still holds {_counts(held)}.", hint="Run `qflow keys rotate` first.")
        opened.keys.remove(name)
        opened.audit.note("keys.removed", name, by=opened.by, held=held)

    _with_store(work)
    print(name)


def _with_store(work: Callable[[_Opened], Awaitable[T]]) -> T:
    settings = read_settings({})
    logs.configure(settings.log_format, "error")
    known = Keys(settings)

    async def run() -> T:
        database = Database(settings, known)
        trail = Audit(settings, database, "command")
        by = Who("command", f"{getpass.getuser()} on this machine")
        try:
            await database.opened()
            opened = _Opened(settings, known, database, Tokens(StoredTokens(database), ""), trail, by)
            try:
                return await work(opened)
            finally:
                await trail.close()
        finally:
            await database.close()

    return asyncio.run(run())


def _state(row: TokenRow) -> str:
    if row.revoked is not None:
        return f"revoked {_moment(row.revoked)}"
    return "expired" if row.expires is not None and row.expires <= datetime.now(UTC) else "good"


def _moment(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment.astimezone():%Y-%m-%d %H:%M}"


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in counts.items() if number)
