"""``python -m tests.bench [PART …]``: the parts that are named, or all of them."""

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.bench import (
    authoring,
    cluster,
    direct,
    files,
    frames,
    inside_n8n,
    large,
    load,
    packages,
    parallel,
    references,
    store,
)
from tests.bench.results import Result, show, write

OUTPUT = Path("build/bench.json")
MACHINE, WHOLE, DEFAULT = 2.0, 1.0, 0.5


async def alone(folder: Path) -> list[Result]:
    results: list[Result] = []
    for cpus, label in ((WHOLE, ""), (DEFAULT, ".half")):
        results += await direct.measure_latency(folder / f"latency{label}", cpus, label)
    for cpus, label in ((MACHINE, ""), (WHOLE, ".one"), (DEFAULT, ".half")):
        results += await direct.measure_rate(folder / f"rate{label}", cpus, label)
    return results


async def in_n8n(folder: Path) -> list[Result]:
    return await inside_n8n.measure(folder, (WHOLE, DEFAULT))


PARTS: dict[str, tuple[str, Callable[[Path], Awaitable[list[Result]]]]] = {
    "direct": ("The runner by itself", alone),
    "pool": ("The pool", direct.measure_pool),
    "churn": ("The pool with 200 workflows, 100 s", direct.measure_churn),
    "authoring": ("Analysis and the check of links", authoring.measure),
    "files": ("Files and spilled values", files.measure),
    "packages": ("Packages", packages.measure),
    "references": ("Live objects", references.measure),
    "parallel": ("Parallel items", parallel.measure),
    "large": ("A million items", large.measure),
    "load": ("Mixed load, and a runner that is killed", load.measure),
    "store": ("The store, with a million runs", store.measure),
    "cluster": ("A cluster of two workers", cluster.measure),
    "n8n": ("Inside real n8n", in_n8n),
    "frames": ("DataFrames inside real n8n", frames.measure),
}


async def measure(parts: list[str], folder: Path) -> list[Result]:
    results: list[Result] = []
    for name, (told, work) in PARTS.items():
        if name in parts:
            print(f"{told} …", flush=True)
            results += await work(folder / name)
    return results


def main() -> None:
    parts = sys.argv[1:] or list(PARTS)
    unknown = set(parts) - set(PARTS)
    if unknown:
        raise SystemExit(f"unknown: {', '.join(sorted(unknown))}; choose from {', '.join(PARTS)}")
    with tempfile.TemporaryDirectory(prefix="qflow-bench-") as folder:
        results = asyncio.run(measure(parts, Path(folder)))
    limits = {"cpus": "as each note says; the default is 0.5", "memory_mb": 512}
    write(OUTPUT, results, limits)
    show(results)
    print(f"Written to {OUTPUT}")


main()
