"""What those hear who watch an execution: what happens from then on, and first how far it is."""

from contextlib import ExitStack

import pytest

from qflow_runner.observe import events
from qflow_runner.observe.events import ALL, Events, Watcher


async def heard(watcher: Watcher) -> list[tuple[str, str, object]]:
    """All that waits for it: kind, node, text or phase."""
    found: list[tuple[str, str, object]] = []
    async for event in watcher.events(0.001):
        if event is None:
            break
        found.append((event.kind, event.node, event.about.get("text", event.about.get("phase"))))
    return found


async def test_who_comes_later_hears_how_far_runs_are_that_last() -> None:
    """The newest of each, of this execution alone, and nothing of a run that is over."""
    told = Events()
    told.tell("e1", "started", "A")
    told.tell("e1", "installing", "A", phase="download")
    told.tell("e1", "installing", "A", phase="compile")
    told.tell("e1", "progress", "B", text="half")
    told.tell("e1", "ended", "B")
    told.tell("e2", "progress", "C", text="other")
    with ExitStack() as stack:
        one, every = (stack.enter_context(told.watched(name)) for name in ("e1", ALL))
        told.tell("e1", "ended", "A")

        assert [("installing", "A", "compile"), ("ended", "A", None)] == await heard(one)
        assert [("ended", "A", None)] == await heard(every)
    with told.watched("e1") as later:
        assert [] == await heard(later)


async def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest goes: a run that never ends stays in no memory for ever."""
    monkeypatch.setattr(events, "BUSY", 2)
    told = Events()
    for node in ("A", "B", "C"):
        told.tell("e1", "progress", node, text="half")
    with told.watched("e1") as watcher:
        assert ["B", "C"] == [node for _, node, _ in await heard(watcher)]
