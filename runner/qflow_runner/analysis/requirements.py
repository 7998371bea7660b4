"""Which distributions the code needs: what its header says, else what its imports ask for."""

import ast
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from packaging.requirements import InvalidRequirement
from packaging.requirements import Requirement as Parsed
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from qflow_runner.analysis.distributions import distribution_of
from qflow_runner.analysis.model import Finding, Requirement
from qflow_runner.analysis.names import statements
from qflow_runner.analysis.source import Source
from qflow_runner.analysis.stdlib import Absence, absence_of, is_standard

OWN = frozenset({"qflow", "__future__", "__main__"})
_CAUGHT = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})


@dataclass(frozen=True)
class Needs:
    imports: tuple[str, ...]
    requirements: tuple[Requirement, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class _Import:
    module: str
    names: tuple[str, ...]
    node: ast.stmt


def of_code(module: ast.Module, source: Source, python: tuple[int, int]) -> Needs:
    every = [found for node in ast.walk(module) for found in _imports(node)]
    imports = tuple(dict.fromkeys(found.module for found in every))
    header, findings = _header(source, python)
    if header is not None:
        return Needs(imports, header, tuple(findings))
    found: dict[str, Requirement] = {}
    for needed in _needed(module.body, python):
        top = needed.module.partition(".")[0]
        absence = absence_of(top, python)
        if absence is not None:
            findings.append(_absent(absence, needed, source))
            names = (absence.distribution,) if absence.distribution else ()
        elif is_standard(top) or top in OWN:
            continue
        else:
            names = distribution_of(needed.module, needed.names)
            if not names:
                findings.append(_unknown(needed, source))
        for name in names:
            found.setdefault(name, Requirement(name, "import", needed.module))
    return Needs(imports, tuple(found.values()), tuple(findings))


def _absent(absence: Absence, needed: _Import, source: Source) -> Finding:
    node = needed.node
    stand_in = f"The distribution {absence.distribution} stands in for it." if absence.distribution else ""
    return source.finding(
        "warning", "module_missing", absence.message, node.lineno, source.column(node), hint=stand_in
    )


def _unknown(needed: _Import, source: Source) -> Finding:
    node = needed.node
    message = f"Many distributions bring parts of {needed.module.partition('.')[0]}; which one has {needed.module} is not known."
    hint = "List the distribution in the node's requirements."
    return source.finding(
        "info", "distribution_unknown", message, node.lineno, source.column(node), hint=hint
    )


def _imports(node: ast.AST) -> Iterator[_Import]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield _Import(alias.name, (), node)
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        yield _Import(node.module, tuple(alias.name for alias in node.names), node)


def _needed(body: list[ast.stmt], python: tuple[int, int]) -> Iterator[_Import]:
    """The imports that must succeed when the code runs, those in functions too."""
    skipped: set[int] = set()
    for node, when in statements(body, python):
        if when == "typing" or id(node) in skipped:
            continue
        if isinstance(node, ast.Try):
            unused = _unused(node, python)
            skipped |= {id(part) for statement in unused for part in ast.walk(statement)}
        yield from _imports(node)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from _needed(node.body, python)


def _unused(node: ast.Try, python: tuple[int, int]) -> list[ast.stmt]:
    """Of ``try: import a`` and ``except ImportError: import b``, the side that will not be taken."""
    handlers = [handler for handler in node.handlers if _catches_import(handler)]
    first = [found for statement in node.body for found in _imports(statement)]
    if not handlers or not first:
        return []
    tops = [found.module.partition(".")[0] for found in first]
    if any(absence_of(top, python) for top in tops):
        return node.body
    return [statement for handler in handlers for statement in handler.body]


def _catches_import(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(isinstance(kind, ast.Name) and kind.id in _CAUGHT for kind in kinds)


def _blocks(lines: list[str]) -> Iterator[tuple[int, int]]:
    """First and last line of each script header, from 0. One that nothing ends is a comment."""
    start = end = None
    for at, line in enumerate([*lines, ""]):
        text = line.rstrip()
        if start is None:
            start = at if text == "# /// script" else None
        elif text == "# ///":
            end = at
        elif text != "#" and not line.startswith("# "):
            if end is not None:
                yield start, end
            start = end = None


def _header(source: Source, python: tuple[int, int]) -> tuple[tuple[Requirement, ...] | None, list[Finding]]:
    """The PEP 723 block: its requirements, or None without one."""
    blocks = list(_blocks(source.lines))
    if not blocks:
        return None, []
    line = blocks[0][0] + 1

    def wrong(message: str, hint: str = "") -> Finding:
        return source.finding("error", "header_invalid", message, line, 1, hint=hint)

    if len(blocks) > 1:
        return (), [wrong("The code has more than one script header.", "Keep one block of # /// script.")]
    start, end = blocks[0]
    text = "".join(row[2:] + "\n" for row in source.lines[start + 1 : end])
    try:
        content: dict[str, Any] = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        return (), [wrong(f"The script header is no TOML: {error}.")]
    listed = content.get("dependencies", [])
    if not isinstance(listed, list) or not all(isinstance(entry, str) for entry in listed):
        return (), [wrong("The script header's dependencies are no list of texts.")]
    findings: list[Finding] = []
    requirements: list[Requirement] = []
    for entry in dict.fromkeys(listed):
        try:
            Parsed(entry)
        except InvalidRequirement as error:
            reason = str(error).splitlines()[0].rstrip(".")
            findings.append(wrong(f"'{entry}' is no requirement: {reason}.", "Write it as in: pandas>=2,<3"))
        else:
            requirements.append(Requirement(entry, "header", ""))
    mismatch = _python(content.get("requires-python"), python)
    if mismatch:
        findings.append(source.finding("warning", "python_mismatch", mismatch, line, 1))
    return tuple(requirements), findings


def _python(wanted: Any, python: tuple[int, int]) -> str:
    """What is wrong with the header's requires-python; empty if nothing is."""
    running = f"{python[0]}.{python[1]}"
    if wanted is None:
        return ""
    try:
        asked = SpecifierSet(str(wanted))
        # Which patch level the sandbox has is its own matter.
        if any(asked.contains(f"{running}.{patch}") for patch in range(100)):
            return ""
    except InvalidSpecifier:
        return f"The script header's requires-python is no version specifier: {wanted}."
    return f"The script header asks for Python {wanted}, and the node has Python {running}."
