"""While Docker is away: nobody waits long, nobody asks in vain more than needed, and the first call finds it back."""

import asyncio

import pytest

from qflow_runner.errors import DockerUnavailable
from qflow_runner.sandbox.outage import Outage


class Docker:
    def __init__(self) -> None:
        self.away = True
        self.asked = 0
        self.outage = Outage(self.probe)

    async def probe(self) -> None:
        self.asked += 1
        await asyncio.sleep(0.001)
        if self.away:
            raise DockerUnavailable("Docker does not answer.")


async def test_nothing_is_asked_while_all_is_well() -> None:
    """A call costs nothing more."""
    docker = Docker()
    await docker.outage.over()

    assert (0, False) == (docker.asked, docker.outage.lasts)


async def test_all_who_call_ask_together_and_learn_since_when() -> None:
    """Twenty boots at once are one question."""
    docker = Docker()
    docker.outage.began(DockerUnavailable("Docker does not answer."))
    answers = await asyncio.gather(*(docker.outage.over() for _ in range(20)), return_exceptions=True)

    assert 1 == docker.asked
    assert all(isinstance(answer, DockerUnavailable) for answer in answers)
    assert "Docker does not answer, since 20" in str(answers[0])


async def test_the_first_call_after_its_return_goes_through() -> None:
    """It is found by whoever needs it, without a pause."""
    docker = Docker()
    docker.outage.began(DockerUnavailable("Docker does not answer."))
    with pytest.raises(DockerUnavailable):
        await docker.outage.over()
    docker.away = False
    await docker.outage.over()
    await docker.outage.over()

    assert (2, False) == (docker.asked, docker.outage.lasts)


async def test_a_caller_that_leaves_takes_nobody_with_it() -> None:
    """The question belongs to all."""
    docker = Docker()
    docker.outage.began(DockerUnavailable("Docker does not answer."))
    docker.away = False
    first, second = (asyncio.create_task(docker.outage.over()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await second

    assert first.cancelled()
    assert not docker.outage.lasts
