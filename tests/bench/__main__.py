"""``python -m tests.bench [PART …]``: the parts that are named, or all of them."""

import asyncio
import sys
import tempfile
from pathlib import Path

from tests.bench import authoring, direct, files, inside_n8n, large, packages, references
from tests.bench.results import Result, show, write

PARTS = ("direct", "pool", "churn", "authoring", "files", "packages", "references", "large", "n8n")
OUTPUT = Path("build/bench.json")
MACHINE, WHOLE, DEFAULT = 2.0, 1.0, 0.5


async def measure(parts: list[str], folder: Path) -> list[Result]:
    results: list[Result] = []
    if "direct" in parts:
        print("The runner by itself …", flush=True)
        for cpus, label in ((WHOLE, ""), (DEFAULT, ".half")):
            results += await direct.measure_latency(folder / f"latency{label}", cpus, label)
        for cpus, label in ((MACHINE, ""), (WHOLE, ".one"), (DEFAULT, ".half")):
            results += await direct.measure_rate(folder / f"rate{label}", cpus, label)
    if "pool" in parts:
        print("The pool …", flush=True)
        results += await direct.measure_pool(folder)
    if "churn" in parts:
        print("The pool with 200 workflows, 100 s …", flush=True)
        results += await direct.measure_churn(folder)
    if "authoring" in parts:
        print("Analysis and the check of links …", flush=True)
        results += await authoring.measure(folder)
    if "files" in parts:
        print("Files and spilled values …", flush=True)
        results += await files.measure(folder)
    if "packages" in parts:
        print("Packages …", flush=True)
        results += await packages.measure(folder)
    if "references" in parts:
        print("Live objects …", flush=True)
        results += await references.measure(folder)
    if "large" in parts:
        print("A million items …", flush=True)
        results += await large.measure(folder)
    if "n8n" in parts:
        print("Inside real n8n …", flush=True)
        results += await inside_n8n.measure(folder, (WHOLE, DEFAULT))
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
