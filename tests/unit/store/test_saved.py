"""Definitions saved by name: versions, spelling, pages, and people who save at the same time."""

import asyncio

import pytest

from qflow_runner.errors import SavedChanged, SavedNameInvalid, SavedUnknown, SavedVersionUnknown
from qflow_runner.store import NewVersion, SavedVersion, check_name
from tests.unit.store.conftest import Store


def new(code: str, note: str = "") -> NewVersion:
    content = {"code": code}
    return NewVersion(content, f"id-{code}"[:64], content, "f", f"f({code})", note)


async def test_other_content_makes_a_version(store: Store) -> None:
    """The same content as the latest makes none; content of before does."""
    made = [await store.saved.put("a", new(code)) for code in ("1", "1", "2", "1")]

    assert [(1, True), (1, False), (2, True), (3, True)] == [(found.version, added) for found, added in made]
    assert [("1", 1), ("2", 2), ("1", 3)] == [
        (found.content["code"], found.version)
        for found in [await store.saved.get("a", number) for number in (1, 2, 3)]
    ]
    assert 3 == (await store.saved.get("a")).version
    assert [3, 2, 1] == [each.version for each in await store.saved.versions("a", None, 10)]
    assert [2] == [each.version for each in await store.saved.versions("a", 3, 1)]


async def test_who_saves_second_is_told_of_the_first(store: Store) -> None:
    """Two people change one version: nobody's work is covered unseen, and each can be put on top on purpose."""
    await store.saved.put("a", new("1"), based_on=0)
    first, second = await asyncio.gather(
        store.saved.put("a", new("mine"), based_on=1),
        store.saved.put("a", new("yours"), based_on=1),
        return_exceptions=True,
    )
    refused = next(each for each in (first, second) if isinstance(each, BaseException))
    assert isinstance(refused, SavedChanged)
    assert {"version": 2} == refused.members
    assert "version 1" in refused.detail

    latest = await store.saved.get("a")
    assert 2 == latest.version
    assert (2, False) == _told(await store.saved.put("a", new(latest.content["code"]), based_on=1))
    assert (3, True) == _told(await store.saved.put("a", new("on top"), based_on=2))
    assert (4, True) == _told(await store.saved.put("a", new("as ever")))
    with pytest.raises(SavedChanged, match="'A' already"):
        await store.saved.put("A", new("new"), based_on=0)
    await store.saved.delete("a")
    assert (5, True) == _told(await store.saved.put("a", new("again"), based_on=0))


def _told(put: tuple[SavedVersion, bool]) -> tuple[int, bool]:
    return put[0].version, put[1]


async def test_what_is_not_there_is_said(store: Store) -> None:
    """A name that is unknown is another thing than a version that is."""
    await store.saved.put("a", new("1"))

    for call in (store.saved.get("b"), store.saved.versions("b", None, 5), store.saved.delete("b")):
        with pytest.raises(SavedUnknown, match="'b'"):
            await call
    with pytest.raises(SavedVersionUnknown, match="no version 2; its latest is 1"):
        await store.saved.get("a", 2)


async def test_a_name_is_found_in_any_case(store: Store) -> None:
    """And shown as it was first written."""
    await store.saved.put("Größe Å", new("1"))
    found, added = await store.saved.put("GRÖSSE A\u030a", new("2"))

    assert ("Größe Å", 2, True) == (found.name, found.version, added)
    assert ["Größe Å"] == [each.name for each in await store.saved.page("grösse", "", 10)]


@pytest.mark.parametrize("name", ["", "x" * 201, "a\nb", "a\x00", "\ud800", " a", "a ", ".", "..", "\u200b"])
def test_what_is_no_name(name: str) -> None:
    """Nothing that cannot be read aloud, or be part of an address."""
    with pytest.raises(SavedNameInvalid):
        check_name(name)


@pytest.mark.parametrize(
    "name", ["a", "x" * 200, "İ" * 200, "ΐ" * 200, "a/b?c#d%2F{e}", "100 %_\\", "🐍", "'; --"]
)
async def test_any_printable_name_can_be_kept(store: Store, name: str) -> None:
    """Up to its length."""
    await store.saved.put(name, new("1"))

    assert name == (await store.saved.get(name)).name
    assert [name] == [each.name for each in await store.saved.page(name, "", 10)]


async def test_a_part_of_a_name_is_no_pattern(store: Store) -> None:
    """What is a wildcard to a database is a letter to a person."""
    for name in ("100%", "1000", "a_b", "axb"):
        await store.saved.put(name, new("1"))

    assert [["100%"], ["a_b"]] == [
        [each.name for each in await store.saved.page(part, "", 10)] for part in ("0%", "A_")
    ]


async def test_pages_hold_every_name_once(store: Store) -> None:
    """In one order on every database, whatever its language."""
    names = ["b", "A", "ä", "Z", "a-1", "a 1", "_", "é", "10", "9"]
    for name in names:
        await store.saved.put(name, new("1"))
    seen: list[str] = []
    after = ""
    while found := await store.saved.page("", after, 3):
        seen += [each.name for each in found]
        after = found[-1].key

    assert sorted(names, key=str.casefold) == seen


async def test_a_deleted_name_comes_back_with_its_versions(store: Store) -> None:
    """Deleting is soft: the next version goes on counting."""
    await store.saved.put("a", new("1"))
    await store.saved.delete("a")
    assert [] == await store.saved.page("", "", 10)
    assert {} == await store.saved.find([("a", None), ("a", 1)])
    with pytest.raises(SavedUnknown):
        await store.saved.get("a", 1)

    assert (1, False) == _told(await store.saved.put("a", new("1")))
    await store.saved.delete("a")
    assert (2, True) == _told(await store.saved.put("a", new("2")))


async def test_many_names_are_found_at_once(store: Store) -> None:
    """By version and latest, in any case, and nothing for what there is not."""
    for number in range(3):
        await store.saved.put("a", new(str(number)))
    await store.saved.put("b", new("b"))
    wanted = [("a", None), ("A", 1), ("a", 9), ("b", 1), ("b", 2), ("c", None)]
    found = await store.saved.find([*wanted, *((f"none {number}", None) for number in range(500))])

    assert {("a", None): 3, ("A", 1): 1, ("b", 1): 1} == {name: each.version for name, each in found.items()}


async def test_saving_at_the_same_time_loses_nothing(store: Store) -> None:
    """Everybody gets a version of their own, and they are counted without a gap."""
    made = await asyncio.gather(*(store.saved.put("a", new(str(number))) for number in range(12)))

    assert all(added for _, added in made)
    assert [*range(12, 0, -1)] == [each.version for each in await store.saved.versions("a", None, 50)]
    assert {str(number) for number in range(12)} == {
        str(each.content["code"]) for each in await store.saved.versions("a", None, 50)
    }


async def test_a_caller_who_hangs_up_breaks_nothing(store: Store) -> None:
    """What was begun is finished, and no connection is lost."""
    for number in range(20):
        task = asyncio.create_task(store.saved.put("a", new(str(number))))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await store.saved.put("a", new("end"))

    found = await store.saved.get("a")
    assert "end" == found.content["code"]
    assert [*range(found.version, 0, -1)] == [
        each.version for each in await store.saved.versions("a", None, 50)
    ]


def _told(answer: tuple[object, bool]) -> tuple[int, bool]:
    return answer[0].version, answer[1]  # type: ignore[attr-defined]
