"""How the cluster is, in sentences: for /readyz, and for `qflow doctor`."""

import platform

from qflow_runner.engine.cluster.members import Member, Members
from qflow_runner.errors import QflowError
from qflow_runner.sandbox.backend import Health

SKEW_S = 10.0
"""How far clocks may be apart: records of runs are put in order by the clocks of those who made them."""


def queue_health(refused: QflowError | None, pending: int, queued: int) -> Health:
    if refused is not None:
        return Health(ok=False, reason=" ".join(filter(None, (refused.detail, refused.hint))))
    return Health(
        ok=True, reason=f"Redis answers; {pending} runs are handed over, {queued} wait for a worker"
    )


def workers_health(members: Members, nobody: QflowError) -> Health:
    taking = members.taking
    if not taking and not members.known:
        return Health(ok=False, reason=" ".join(filter(None, (nobody.detail, nobody.hint))))
    runs = sum(len(each.runs) for each in taking)
    told = [f"{len(taking)} workers, {runs} of {members.places} runs"]
    told += [wrong for each in members.known.values() for wrong in _wrong(each, members.skew_s[each.name])]
    if members.gone:
        told.append(f"gone within the last hour: {', '.join(sorted(members.gone)[:10])}")
    return Health(ok=bool(taking) and len(told) == 1 + bool(members.gone), reason="; ".join(told))


def _wrong(member: Member, skew_s: float) -> list[str]:
    from qflow_runner import __version__  # noqa: PLC0415 - a package that imports this module

    found: list[str] = []
    if not member.understands:
        found.append(
            f"{member.name} is Qflow {member.version}, which this version does not speak with: it gets no runs"
        )
    elif member.version != __version__:
        found.append(
            f"{member.name} is Qflow {member.version}, this process {__version__}: upgrade the rest soon"
        )
    if member.python and member.python.rpartition(".")[0] != platform.python_version().rpartition(".")[0]:
        found.append(
            f"{member.name} runs on Python {member.python}, this process on {platform.python_version()}"
        )
    if abs(skew_s) > SKEW_S:
        found.append(f"the clock of {member.name} is {skew_s:.0f} s from that of Redis: set it by NTP")
    if member.draining:
        found.append(f"{member.name} is stopping")
    return found
