"""What a person wrote as requirements, read as requirement lines.

It may be lines, a requirements file pasted whole, a pyproject's or a script's TOML, in one entry or in many.
What would reach the runner's files, run code, or choose another index is refused here, before anything is asked.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from qflow_runner.errors import RequirementInvalid, RequirementRefused
from qflow_runner.layers.pasted import as_toml

MAX_TEXT = 2_000_000
MAX_REQUIREMENTS = 500

_HASH = re.compile(r"\s--hash[=\s]+(\S+)")
_IGNORED = re.compile(r"--(require-hashes|prefer-binary|only-binary)\b")
_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.\-]*:")
_COMMAND = re.compile(r"^[!%]?\s*(python3?\s+-m\s+)?(uv\s+)?(pip3?|poetry|conda|uv)\s+(install|add)\b")
_OPTIONS = {
    ("-e", "--editable"): "An editable install reads a directory of the runner, which a node may not.",
    (
        "-r",
        "--requirement",
        "--requirements",
    ): "Another file cannot be read from here: paste its lines instead.",
    (
        "-c",
        "--constraint",
        "--constraints",
    ): "A file of constraints is set by the administrator (QFLOW_CONSTRAINTS).",
    (
        *("-i", "--index-url", "--extra-index-url", "--index", "--default-index", "--no-index"),
        *("-f", "--find-links", "--trusted-host"),
    ): "Which index packages come from is set by the administrator (QFLOW_INDEX_URL).",
    (
        *("--no-binary", "--config-settings", "--config-setting", "--global-option", "--install-option"),
        "--build-option",
    ): "Building from source runs code on the runner: wheels alone are installed.",
    ("--pre",): "Ask for a pre-release in the version instead, as in: name>=2.0rc1",
}


@dataclass(frozen=True)
class Asked:
    """`lines` are as written, without comments; `requirements` normalised and sorted; `hashes` by canonical name."""

    lines: tuple[str, ...]
    requirements: tuple[str, ...]
    names: Mapping[str, str]
    """The line as written, by canonical name."""
    hashes: Mapping[str, frozenset[str]]


def read_lines(given: Sequence[str], *, urls: bool = False) -> Asked:
    """Raises RequirementInvalid and RequirementRefused with a sentence about the line. `urls` allows those of wheels."""
    text = "\n".join(given)
    if len(text) > MAX_TEXT:
        raise RequirementInvalid(f"The requirements have more than {MAX_TEXT} characters.")
    lines: dict[str, None] = {}
    names: dict[str, str] = {}
    hashes: dict[str, frozenset[str]] = {}
    found: set[str] = set()
    for line in _logical(text):
        body, marked = _split_hashes(line)
        parsed = _parse(body, urls)
        name = canonicalize_name(parsed.name)
        lines[body] = None
        names[name] = f"{names[name]}, {body}" if names.get(name, body) != body else body
        if marked:
            hashes[name] = hashes.get(name, frozenset()) | marked
        found.add(normal(parsed))
    if len(found) > MAX_REQUIREMENTS:
        raise RequirementInvalid(f"There are {len(found)} requirements, and at most {MAX_REQUIREMENTS}.")
    return Asked(tuple(lines), tuple(sorted(found)), MappingProxyType(names), MappingProxyType(hashes))


def normal(parsed: Requirement) -> str:
    """One way to write it, so that order, case and spaces make no difference."""
    extras = f"[{','.join(sorted(map(canonicalize_name, parsed.extras)))}]" if parsed.extras else ""
    versions = ",".join(sorted(map(str, parsed.specifier)))
    where = f" @ {parsed.url}" if parsed.url else ""
    marker = f" ; {parsed.marker}" if parsed.marker else ""
    return f"{canonicalize_name(parsed.name)}{extras}{versions}{where}{marker}"


def shown(text: str) -> str:
    """A person's own words as a part of a sentence: one line, not too long, no password."""
    clean = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    clean = re.sub(r"(://)[^/@\s]*@", r"\1***@", clean)
    return clean if len(clean) <= 120 else clean[:119] + "…"


def _logical(text: str) -> Iterator[str]:
    """Lines without comments and blanks, those that a backslash continues made one."""
    listed = as_toml(text)
    if listed is not None:
        yield from (entry.strip() for entry in listed if entry.strip())
        return
    whole = re.sub(r"\\[ \t]*\r?\n[ \t]*", " ", text.removeprefix("\ufeff"))
    for raw in whole.splitlines():
        line = re.sub(r"(^|\s)#.*$", "", raw).strip().removesuffix("\\").strip()
        quoted = re.fullmatch(r"""(["'])(.*)\1\s*,?""", line)
        line = quoted[2].strip() if quoted else line
        if line and not _IGNORED.match(line):
            yield line


def _split_hashes(line: str) -> tuple[str, frozenset[str]]:
    found = _HASH.findall(line)
    body = _HASH.sub("", line).strip()
    for each in found:
        if re.fullmatch(r"sha256:[0-9a-fA-F]{64}", each) is None:
            raise RequirementInvalid(
                f"'{shown(body)}' has a hash that is no sha256: {shown(each)}.",
                hint="Write it as --hash=sha256:… with 64 digits, or leave the hashes out: Qflow locks with its own.",
            )
    return body, frozenset(each.lower() for each in found)


def _parse(line: str, urls: bool) -> Requirement:
    _refuse_options(line)
    if _COMMAND.match(line):
        raise RequirementInvalid(
            f"'{shown(line)}' is a command.", hint="Write the packages alone, one a line."
        )
    path = line.startswith((".", "/", "~", "\\")) or re.match(r"^[A-Za-z]:[\\/]", line)
    file = line.lower().startswith("file:") or re.fullmatch(r"\S+\.(whl|zip|tar\.gz|tgz)", line)
    if path or (file and not re.match(r"^https?://", line, re.IGNORECASE)):
        raise RequirementRefused(
            f"'{shown(line)}' is a path, and the runner's files are not for nodes.",
            hint="Name the package as the index has it; the administrator can add wheels with QFLOW_WHEELS_DIR.",
        )
    if re.match(r"^(git|hg|svn|bzr)\+", line, re.IGNORECASE) or re.match(r"^(ssh|git)(@|://)", line):
        raise _version_control(line)
    if _SCHEME.match(line) and "://" in line.split(maxsplit=1)[0]:
        raise _url(line, urls)
    try:
        parsed = Requirement(line)
    except InvalidRequirement as error:
        reason = str(error).splitlines()[0].rstrip(".:")
        hint = "Write one requirement a line." if re.fullmatch(r"[\w.\-]+([\s,]+[\w.\-]+)+", line) else None
        raise RequirementInvalid(f"'{shown(line)}' is no requirement: {shown(reason)}.", hint=hint) from None
    if parsed.url is not None:
        _check_url(line, parsed.url, urls)
    return parsed


def _refuse_options(line: str) -> None:
    if not line.startswith("-"):
        rest = re.search(r"\s(--?[a-z][a-z\-]*)", line)
        if rest is None or rest[1] in {"-", "--"} or ";" in line[: rest.start()]:
            return
        option = rest[1]
    else:
        option = re.split(r"[\s=]", line, maxsplit=1)[0]
    for options, reason in _OPTIONS.items():
        short = next((each for each in options if len(each) == 2 and line.startswith(each)), None)
        if option in options or (short and not line.startswith("--")):
            raise RequirementRefused(f"'{shown(line)}' is not taken.", hint=reason)
    raise RequirementRefused(
        f"'{shown(line)}' is an option of pip, and is not taken.",
        hint="Write requirements alone, one a line.",
    )


def _check_url(line: str, url: str, urls: bool) -> None:
    if re.match(r"^[a-z]+\+", url, re.IGNORECASE) or url.lower().startswith(("git:", "ssh:")):
        raise _version_control(line)
    if not re.match(r"^https?://[^/]", url, re.IGNORECASE):
        raise RequirementRefused(
            f"'{shown(line)}' is a path, and the runner's files are not for nodes.",
            hint="Name the package as the index has it.",
        )
    if "${" in url:
        raise RequirementRefused(
            f"'{shown(line)}' wants a variable of the runner's environment.", hint="Write it out."
        )
    if not urls or not re.search(r"\.whl(#.*)?$", url, re.IGNORECASE):
        raise _url(line, urls)


def _version_control(line: str) -> RequirementRefused:
    return RequirementRefused(
        f"'{shown(line)}' would be built from a repository, which runs its code on the runner.",
        hint="Ask for a released version of the package.",
    )


def _url(line: str, urls: bool) -> RequirementRefused:
    if urls:
        return RequirementRefused(
            f"'{shown(line)}' is no URL of a wheel.",
            hint="Write it as: name @ https://…/name-1.0-py3-none-any.whl",
        )
    return RequirementRefused(
        f"'{shown(line)}' is a URL, and packages come from the index alone.",
        hint="Ask for the package by its name; the administrator can allow URLs with QFLOW_PACKAGE_URLS.",
    )
