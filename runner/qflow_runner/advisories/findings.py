"""What a source says of one package."""

from dataclasses import dataclass, field

from qflow_runner.advisories.model import Advisory


@dataclass
class Finding:
    """`failure` says why this may be less than there is; empty when it is all. `partial`: an advisory lacks its text."""

    advisories: list[Advisory] = field(default_factory=list[Advisory])
    failure: str = ""
    partial: bool = False
