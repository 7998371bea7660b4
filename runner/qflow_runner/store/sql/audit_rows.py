"""Rows of the audit log: append to the chain, read, prune its beginning."""

from collections.abc import Sequence

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from qflow_runner.store.audit_record import AuditEntry, AuditRow, ChainEnd, ChainHead, chained
from qflow_runner.store.sql.tables import audit, audit_head


async def append(connection: AsyncConnection, entries: Sequence[AuditEntry]) -> ChainEnd:
    """The end of the chain after it. Whoever else appends waits for this transaction, at the row of the head."""
    taking = update(audit_head).where(audit_head.c.id == 1).values(seq=audit_head.c.seq + len(entries))
    seq, before = (await connection.execute(taking.returning(audit_head.c.seq, audit_head.c.hash))).one()
    rows: list[AuditRow] = []
    for number, entry in enumerate(entries, seq - len(entries) + 1):
        rows.append(chained(rows[-1].hash if rows else before, number, entry))
    await connection.execute(audit.insert(), [row._asdict() for row in rows])
    await connection.execute(update(audit_head).where(audit_head.c.id == 1).values(hash=rows[-1].hash))
    return ChainEnd(rows[-1].seq, rows[-1].hash)


async def head(connection: AsyncConnection) -> ChainHead:
    row = (await connection.execute(select(audit_head).where(audit_head.c.id == 1))).one()
    return ChainHead(ChainEnd(row.seq, row.hash), ChainEnd(row.pruned_seq, row.pruned_hash), row.pruned_mac)


async def walk(connection: AsyncConnection, after: int, limit: int) -> list[AuditRow]:
    """The rows after that one, the oldest first."""
    asked = select(audit).where(audit.c.seq > after).order_by(audit.c.seq).limit(limit)
    return [AuditRow(*row) for row in await connection.execute(asked)]


async def page(
    connection: AsyncConnection,
    *,
    before: int | None,
    action: str,
    actor: str,
    outcome: str,
    since: int,
    limit: int,
) -> list[AuditRow]:
    """The newest first. `action` is the whole of one, or its first word (`token` for `token.created`)."""
    asked = select(audit).order_by(audit.c.seq.desc()).limit(limit)
    if before is not None:
        asked = asked.where(audit.c.seq < before)
    if action:
        asked = asked.where(
            (audit.c.action == action) | audit.c.action.startswith(f"{action}.", autoescape=True)
        )
    if actor:
        asked = asked.where((audit.c.actor == actor) | (audit.c.name == actor))
    if outcome:
        asked = asked.where(audit.c.outcome == outcome)
    if since:
        asked = asked.where(audit.c.at >= since)
    return [AuditRow(*row) for row in await connection.execute(asked)]


async def last_before(connection: AsyncConnection, at: int, limit: int) -> ChainEnd | None:
    """The end of what is older than `at`, at most `limit` rows from the beginning on; None where that is nothing."""
    others = audit.alias()
    # One statement, because rows that come between two would be taken for old ones.
    first_young = select(func.min(others.c.seq)).where(others.c.at >= at).scalar_subquery()
    old = (audit.c.at < at) & (audit.c.seq < func.coalesce(first_young, audit.c.seq + 1))
    asked = select(audit.c.seq, audit.c.hash).where(old).order_by(audit.c.seq).limit(limit)
    rows = (await connection.execute(asked)).all()
    return ChainEnd(*rows[-1]) if rows else None


async def prune(connection: AsyncConnection, through: ChainEnd, mac: str) -> int:
    """Remove the rows up to that one, which the chain then begins after. How many."""
    moving = update(audit_head).where(audit_head.c.id == 1, audit_head.c.pruned_seq < through.seq)
    values = {"pruned_seq": through.seq, "pruned_hash": through.hash, "pruned_mac": mac}
    if (await connection.execute(moving.values(**values))).rowcount == 0:
        return 0
    return (await connection.execute(delete(audit).where(audit.c.seq <= through.seq))).rowcount
