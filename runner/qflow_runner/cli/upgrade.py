"""`qflow layers upgrade`: on this machine's own files, or by a running runner, which can try the new versions too."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from qflow_runner.cli.reading import read_text
from qflow_runner.cli.remote import post
from qflow_runner.cli.terminal import complain, refuse, say
from qflow_runner.layers import Layers, LockChange
from qflow_runner.settings import Settings

SHOWN = 20
"""Differences that are printed."""


def on_disk(given: list[str], python: str, *, yes: bool, back: bool) -> Callable[[Layers], Awaitable[None]]:
    async def work(layers: Layers) -> None:
        if back:
            lock = await layers.locks.rollback(given, python)
            print(lock.text, end="")
            return
        change = await layers.locks.upgrade(given, python)
        _show(change)
        if yes:
            await layers.layer(change.new)
            await layers.locks.accept(change)

    return work


def by_runner(
    settings: Settings,
    runner: str,
    given: list[str],
    python: str,
    *,
    yes: bool,
    back: bool,
    definition: str,
    items: Path | None,
) -> None:
    """Exit 1 where the new versions could not be installed, or give other items; then they are not accepted."""
    body: dict[str, Any] = {"requirements": given, "python": python}
    deadline_s = 2 * settings.build_deadline_s + 2 * settings.time_limit_max_s + settings.pool_wait_s
    if back:
        lock = post(settings, runner, "/v1/packages/rollback", body, deadline_s=deadline_s)
        for package in lock["packages"]:
            say(f"{package['name']}=={package['version']}")
        return
    if definition:
        body |= {"definition": definition, "items": _items(items)}
    found = post(settings, runner, "/v1/packages/upgrade", body, deadline_s=deadline_s)
    _show_lines(
        [(row["name"], row["before"], row["after"]) for row in found["changed"]],
        [(row["name"], row["version"]) for row in found["added"]],
        [(row["name"], row["version"]) for row in found["removed"]],
        same=found["same"],
    )
    for each in found["audit"]["after"]["packages"]:
        if each["verdict"] == "vulnerable":
            say(f"! {each['name']} {each['version']} has known vulnerabilities")
    comparison = found["comparison"]
    good = comparison is None or comparison["equal"] or _first(comparison)
    if comparison is not None:
        _show_comparison(comparison)
    if yes and good:
        post(settings, runner, "/v1/packages/accept", {"upgrade": found["upgrade"]}, deadline_s=deadline_s)
    elif not good:
        if yes:
            complain("Not accepted.")
        raise SystemExit(1)


def _first(comparison: dict[str, Any]) -> bool:
    """There was nothing before to compare with, and the new versions work."""
    return comparison["before"] is None and "problem" not in comparison["after"]


def _items(path: Path | None) -> list[Any]:
    if path is None:
        return [{"json": {}}]
    try:
        items = json.loads(read_text(path))
    except ValueError as error:
        refuse(f"{path} is not JSON: {error}.")
    return items if isinstance(items, list) else [items]


def _show(change: LockChange) -> None:
    _show_lines(change.changed, change.added, change.removed, same=change.same)


def _show_lines(changed: Any, added: Any, removed: Any, *, same: bool) -> None:
    if same:
        say("Nothing changes.")
    for name, before, after in changed:
        say(f"  {name} {before} -> {after}")
    for name, version in added:
        say(f"+ {name} {version}")
    for name, version in removed:
        say(f"- {name} {version}")


def _show_comparison(comparison: dict[str, Any]) -> None:
    for when in ("before", "after"):
        problem = (comparison[when] or {}).get("problem")
        if problem:
            say(f"{when}: {problem['detail']}")
    for each in comparison["differences"][:SHOWN]:
        before, after = (
            json.dumps(each[when]) if when in each else "nothing" for when in ("before", "after")
        )
        say(f"item {each['item']}, {each['path'] or 'whole'}: {before} -> {after}")
    more = len(comparison["differences"][SHOWN:]) + comparison["more"]
    if more:
        say(f"and {more} more differences")
    if comparison["equal"]:
        say("The items are the same.")
