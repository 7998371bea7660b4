"""What a runner tells at /metrics, taken apart."""

import re
from dataclasses import dataclass, field

_SAMPLE = re.compile(r"([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass
class Family:
    name: str
    kind: str = ""
    help: str = ""
    samples: dict[tuple[str, tuple[tuple[str, str], ...]], float] = field(default_factory=dict)

    @property
    def labels(self) -> set[str]:
        return {name for _, pairs in self.samples for name, _ in pairs} - {"le"}

    @property
    def series(self) -> int:
        return len({(name, tuple(p for p in pairs if p[0] != "le")) for name, pairs in self.samples})


def read(text: str) -> dict[str, Family]:
    """By the name that stands in its HELP line."""
    families: dict[str, Family] = {}
    latest = Family("")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name, _, told = line[7:].partition(" ")
            latest = families[name] = Family(name, help=told)
        elif line.startswith("# TYPE "):
            latest.kind = line.split()[3]
        elif line:
            found = _SAMPLE.fullmatch(line)
            assert found is not None, line
            pairs = tuple(sorted(_LABEL.findall(found[2] or "")))
            latest.samples[found[1], pairs] = float(found[3])
    return families


def value(families: dict[str, Family], sample: str, **labels: str) -> float:
    wanted = (sample, tuple(sorted(labels.items())))
    return next(
        (family.samples[wanted] for family in families.values() if wanted in family.samples), float("nan")
    )
