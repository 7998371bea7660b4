"""The rules: those of the settings, and for single workflows those of a file."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from qflow_runner.analysis import is_standard
from qflow_runner.errors import PolicyFileInvalid
from qflow_runner.settings import Settings
from qflow_runner.settings.code import Mode

__all__ = ["Mode", "Rules", "RulesBook", "rules_of"]

STANDARD = "stdlib"
"""In a list of modules: the whole standard library."""
ALWAYS = frozenset({"__future__", "typing", "typing_extensions", "qflow"})
"""What no list of allowed modules has to name: types, and what a node itself offers."""
_KEYS = {"mode": str, "allow": list, "deny": list}


@dataclass(frozen=True)
class Rules:
    """`allow` empty means everything. A module stands for all below it; `deny` goes before `allow`."""

    mode: Mode
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()

    def refuses(self, module: str) -> str:
        """Why, as the end of a sentence; empty where it may be imported."""
        top = module.partition(".")[0]
        denied = next((each for each in self.deny if _covers(each, module)), "")
        if denied:
            return f"{denied} is denied"
        if not self.allow or top in ALWAYS or any(_covers(each, module) for each in self.allow):
            return ""
        return "it is not among the allowed modules"


@dataclass(frozen=True)
class RulesBook:
    """The rules of every workflow that has its own, and of all others."""

    general: Rules
    own: Mapping[str, Rules] = field(default_factory=dict[str, Rules])

    def of(self, workflow: str) -> Rules:
        return self.own.get(workflow, self.general)


def rules_of(settings: Settings) -> RulesBook:
    """Raises PolicyFileInvalid."""
    general = Rules(settings.code_policy, tuple(settings.imports_allow), tuple(settings.imports_deny))
    if settings.code_policy_file is None:
        return RulesBook(general)
    return _read(settings.code_policy_file, general)


def _read(path: Path, general: Rules) -> RulesBook:
    """A table for each workflow; what it does not say is as in general."""
    try:
        content = tomllib.loads(path.read_text())
    except OSError as error:
        raise PolicyFileInvalid(f"{path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PolicyFileInvalid(f"{path} is no TOML: {error}.") from None
    workflows = content.pop("workflows", {})
    if content or not isinstance(workflows, dict):
        named = ", ".join(map(str, content)) or "workflows"
        raise PolicyFileInvalid(f"{path}: {named} is not known; write tables like [workflows.the-id].")
    return RulesBook(general, {name: _rules(path, name, table, general) for name, table in workflows.items()})


def _rules(path: Path, name: str, table: Any, general: Rules) -> Rules:
    where = f"{path}: workflow {name}"
    if not isinstance(table, dict):
        raise PolicyFileInvalid(f"{where} is no table.")
    for key, value in table.items():
        if key not in _KEYS or not isinstance(value, _KEYS[key]):
            raise PolicyFileInvalid(f"{where}: {key} is not known, or of another kind.")
    mode = table.get("mode", general.mode)
    if mode not in {"off", "warn", "block"}:
        raise PolicyFileInvalid(f"{where}: the mode is off, warn or block, and not {mode}.")
    lists = {key: _modules(where, table[key]) for key in ("allow", "deny") if key in table}
    return replace(general, mode=mode, **lists)


def _modules(where: str, values: Sequence[Any]) -> tuple[str, ...]:
    if not all(isinstance(each, str) and each for each in values):
        raise PolicyFileInvalid(f"{where}: a list of modules has texts alone.")
    return tuple(values)


def _covers(listed: str, module: str) -> bool:
    if listed == STANDARD:
        return is_standard(module.partition(".")[0])
    return module == listed or module.startswith(f"{listed}.")
