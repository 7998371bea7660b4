"""Attacks on a runner of one's own host: what `qflow doctor --attack` and the tests run."""

from collections.abc import Callable

from qflow_runner.attack import card
from qflow_runner.attack.hostile import channel, files, kernel, language, neighbours, network, resources
from qflow_runner.attack.model import Case, Verdict
from qflow_runner.attack.referee import Referee
from qflow_runner.attack.target import Target, under_attack
from qflow_runner.settings import Settings

__all__ = ["HOSTILE", "Case", "Referee", "Target", "Verdict", "attack", "card", "under_attack"]

HOSTILE: tuple[Case, ...] = tuple(
    case
    for module in (language, resources, kernel, files, neighbours, channel, network)
    for case in module.CASES
)


async def attack(settings: Settings, told: Callable[[Verdict], None]) -> list[Verdict]:
    """Every hostile case, one after the other; `told` hears each verdict as it is reached."""
    verdicts: list[Verdict] = []
    async with under_attack(settings) as target:
        referee = Referee(target)
        await referee.prepare()
        for case in HOSTILE:
            verdicts.append(await referee.judge(case))
            told(verdicts[-1])
    return verdicts
