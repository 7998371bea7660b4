"""How serious an advisory is, in one word: what its database says, else the base score of its CVSS vector.

Vectors of version 2 and 3 are computed. One of version 4 alone says UNKNOWN: its score is looked up in a table of
270 rows, and the databases that use it say the word as well.
"""

import math
from collections.abc import Mapping
from typing import Any, cast

from qflow_runner.advisories.model import Severity, worst_severity

_WORDS: dict[str, Severity] = {
    "CRITICAL": "CRITICAL",
    "HIGH": "HIGH",
    "IMPORTANT": "HIGH",
    "MODERATE": "MEDIUM",
    "MEDIUM": "MEDIUM",
    "LOW": "LOW",
    "NONE": "NONE",
}
_SCALE: tuple[tuple[float, Severity], ...] = ((9.0, "CRITICAL"), (7.0, "HIGH"), (4.0, "MEDIUM"), (0.1, "LOW"))
_V3: dict[str, dict[str, float]] = {
    "AV": {"N": 0.85, "A": 0.62, "L": 0.55, "P": 0.2},
    "AC": {"L": 0.77, "H": 0.44},
    "PR": {"N": 0.85, "L": 0.62, "H": 0.27},
    "UI": {"N": 0.85, "R": 0.62},
    "S": {"U": 0, "C": 1},
    "C": {"H": 0.56, "L": 0.22, "N": 0},
    "I": {"H": 0.56, "L": 0.22, "N": 0},
    "A": {"H": 0.56, "L": 0.22, "N": 0},
}
_PRIVILEGES_CHANGED = {"N": 0.85, "L": 0.68, "H": 0.5}
_V2: dict[str, dict[str, float]] = {
    "AV": {"L": 0.395, "A": 0.646, "N": 1.0},
    "AC": {"H": 0.35, "M": 0.61, "L": 0.71},
    "Au": {"M": 0.45, "S": 0.56, "N": 0.704},
    "C": {"N": 0, "P": 0.275, "C": 0.66},
    "I": {"N": 0, "P": 0.275, "C": 0.66},
    "A": {"N": 0, "P": 0.275, "C": 0.66},
}


def severity_of(*holders: Mapping[str, Any]) -> Severity:
    """The worst word that a database gave in these objects (a record, its `affected` entry), else the worst score."""
    words: list[Severity] = [
        _WORDS[word.upper()]
        for holder in holders
        for part in ("database_specific", "ecosystem_specific")
        if isinstance(word := _member(holder.get(part), "severity"), str) and word.upper() in _WORDS
    ]
    if words:
        return worst_severity(words)
    scores = [
        score
        for holder in holders
        if isinstance(entries := holder.get("severity"), list)
        for entry in cast("list[Any]", entries)
        if isinstance(text := _member(entry, "score"), str) and (score := base_score(text)) is not None
    ]
    return _word(max(scores)) if scores else "UNKNOWN"


def base_score(vector: str) -> float | None:
    """The base score (0 to 10) of a CVSS vector of version 2 or 3; None for any other text."""
    head, _, rest = vector.partition("/")
    parts = (rest if head.startswith("CVSS:") else vector).strip().strip("()").split("/")
    metrics = dict(cast("tuple[str, str]", part.split(":", 1)) for part in parts if ":" in part)
    try:
        if head in {"CVSS:3.0", "CVSS:3.1"}:
            return _score_3({name: metrics[name] for name in _V3}, newest=head == "CVSS:3.1")
        if not head.startswith("CVSS:"):
            return _score_2({name: _V2[name][metrics[name]] for name in _V2})
    except KeyError:
        pass
    return None


def _score_3(metrics: dict[str, str], *, newest: bool) -> float:
    value = {name: _V3[name][metrics[name]] for name in _V3}
    changed = bool(value["S"])
    if changed:
        value["PR"] = _PRIVILEGES_CHANGED[metrics["PR"]]
    lost = 1 - (1 - value["C"]) * (1 - value["I"]) * (1 - value["A"])
    impact = 7.52 * (lost - 0.029) - 3.25 * (lost - 0.02) ** 15 if changed else 6.42 * lost
    if impact <= 0:
        return 0.0
    exploitability = 8.22 * value["AV"] * value["AC"] * value["PR"] * value["UI"]
    score = min(10.0, (1.08 if changed else 1.0) * (impact + exploitability))
    return _up(score) if newest else math.ceil(score * 10) / 10


def _up(score: float) -> float:
    """Version 3.1 rounds up on integers, so that the error of a float changes no score."""
    exact = round(score * 100_000)
    return exact / 100_000 if exact % 10_000 == 0 else (exact // 10_000 + 1) / 10


def _score_2(value: dict[str, float]) -> float:
    impact = 10.41 * (1 - (1 - value["C"]) * (1 - value["I"]) * (1 - value["A"]))
    if impact == 0:
        return 0.0
    exploitability = 20 * value["AV"] * value["AC"] * value["Au"]
    return round((0.6 * impact + 0.4 * exploitability - 1.5) * 1.176, 1)


def _word(score: float) -> Severity:
    for least, word in _SCALE:
        if score >= least:
            return word
    return "NONE"


def _member(value: Any, name: str) -> Any:
    return cast("dict[str, Any]", value).get(name) if isinstance(value, dict) else None
