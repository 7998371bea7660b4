"""Tracebacks for the person who wrote the code: their frames, their lines, the node's name for a file name.

The agent's frames are left out, libraries are shortened, and so is recursion. The exceptions are the
person's own and may lie or fail when they are asked anything, so they are read through the built-in
descriptors and every call of theirs is guarded.
"""

import itertools
import linecache
import os
import sys
from types import CodeType, TracebackType
from typing import Any, Dict, List, NamedTuple, Optional, Set

PREFIX = "<qflow "
"""How the file name of every definition's code begins."""

MESSAGE_LIMIT = 2_000
TEXT_LIMIT = 20_000
FRAME_LIMIT = 24
CHAIN_LIMIT = 8

_HERE = os.path.dirname((lambda: None).__code__.co_filename)
_AGENT = (_HERE + os.sep, os.path.join(os.path.dirname(_HERE), "qflow") + os.sep)
_CAUSE = "The above exception was the direct cause of the following exception:"
_CONTEXT = "During handling of the above exception, another exception occurred:"

Labels = Dict[str, str]
"""What is shown for a file name."""


class Frame(NamedTuple):
    code: CodeType
    line: int
    instruction: int
    package: str

    @property
    def own(self) -> bool:
        return self.code.co_filename.startswith(PREFIX)


def type_name(error: BaseException) -> str:
    """The class of `error` as a person writes it: without the module for built-in and own classes."""
    cls = type(error)
    name = str.__str__(type.__dict__["__qualname__"].__get__(cls))
    module = type.__dict__["__module__"].__get__(cls)
    if not isinstance(module, str) or module == "builtins" or module.startswith(("qflow_", "__main__")):
        return name
    return "%s.%s" % (str.__str__(module), name)


def message(error: BaseException) -> str:
    """What `error` says, or that it cannot say it."""
    try:
        text = str.__str__(str(error))
    except Exception as failure:
        return "<its __str__ raised %s>" % type_name(failure)
    return text if len(text) <= MESSAGE_LIMIT else text[: MESSAGE_LIMIT - 1] + "…"


def headline(error: BaseException) -> str:
    """``ZeroDivisionError: division by zero``."""
    text = message(error)
    return "%s: %s" % (type_name(error), text) if text else type_name(error)


def format_error(error: BaseException, labels: Labels) -> str:
    """The traceback of `error` and of those that it came from."""
    text = "\n".join(_chain(error, labels, set(), 0))
    if len(text) <= TEXT_LIMIT:
        return text
    return "%s\n[… %d characters …]\n%s" % (
        text[: TEXT_LIMIT // 2],
        len(text) - TEXT_LIMIT,
        text[-TEXT_LIMIT // 2 :],
    )


def frames_of(error: BaseException) -> List[Frame]:
    """From the first frame of the person's code on, without the agent's frames unless there are no others."""
    everything = []
    frames = []
    entry: Optional[TracebackType] = _read(error, "__traceback__")
    while entry is not None:
        code = entry.tb_frame.f_code
        name = entry.tb_frame.f_globals.get("__name__")
        package = name.partition(".")[0] if type(name) is str else "?"
        everything.append(Frame(code, entry.tb_lineno or 0, entry.tb_lasti, package))
        if not code.co_filename.startswith(_AGENT):
            frames.append(everything[-1])
        entry = entry.tb_next
    first = next((index for index, frame in enumerate(frames) if frame.own), 0)
    return frames[first:] or everything


def _read(error: BaseException, name: str) -> Any:
    return BaseException.__dict__[name].__get__(error)


def _chain(error: BaseException, labels: Labels, seen: Set[int], depth: int) -> List[str]:
    seen.add(id(error))
    cause = _read(error, "__cause__")
    context = None if _read(error, "__suppress_context__") else _read(error, "__context__")
    earlier, link = (cause, _CAUSE) if cause is not None else (context, _CONTEXT)
    lines: List[str] = []
    if earlier is not None and id(earlier) not in seen and depth < CHAIN_LIMIT:
        lines += _chain(earlier, labels, seen, depth + 1) + ["", link, ""]
    frames = frames_of(error)
    if frames:
        lines.append("Traceback (most recent call last):")
        lines += _frame_lines(frames, labels)
    lines += _exception_lines(error, labels)
    for number, inner in enumerate(_group(error)[:CHAIN_LIMIT] if depth < CHAIN_LIMIT else (), 1):
        lines.append("  ---- %d ----" % number)
        lines += ["  " + line for line in _chain(inner, labels, seen, depth + 1)]
    return lines


def _group(error: BaseException) -> List[BaseException]:
    """The members of an exception group, built in from Python 3.11 and a backport before."""
    try:
        members = error.exceptions  # type: ignore[attr-defined]
        return (
            [member for member in members if isinstance(member, BaseException)]
            if type(members) is tuple
            else []
        )
    except Exception:
        return []  # most exceptions have none, and a property may raise what it likes


def _exception_lines(error: BaseException, labels: Labels) -> List[str]:
    lines = []
    if isinstance(error, SyntaxError):
        lines += syntax_lines(error, labels)
    lines.append(headline(error))
    try:
        notes = error.__notes__  # type: ignore[attr-defined]
        lines += [str.__str__(note)[:MESSAGE_LIMIT] for note in notes[:20] if isinstance(note, str)]
    except Exception:
        pass  # without notes, or with something else under that name
    return lines


def syntax_lines(error: SyntaxError, labels: Labels) -> List[str]:
    """Where the syntax error is: its file and line, the source, and a caret below the column."""
    try:
        line, text, column = error.lineno or 0, error.text, error.offset or 0
        name = error.filename if isinstance(error.filename, str) else "?"
        lines = ['  File "%s", line %d' % (labels.get(name) or _short(name), line)]
        if isinstance(text, str) and text.strip():
            bare = text.rstrip("\n").lstrip()
            lines.append("    " + bare)
            place = column - 1 - (len(text.rstrip("\n")) - len(bare))
            if 0 <= place <= len(bare):
                lines.append("    " + " " * place + "^")
        return lines
    except Exception:
        return []  # a SyntaxError that the code raised itself may hold anything


def _frame_lines(frames: List[Frame], labels: Labels) -> List[str]:
    lines: List[str] = []
    skip = max(len(frames) - FRAME_LIMIT, 0)
    repeats = 0
    previous = None
    start = 0
    while start < len(frames):
        frame = frames[start]
        end = start + 1
        if not frame.own:
            while end < len(frames) and not frames[end].own:
                end += 1
            shown = end - 1 if end == len(frames) else end if end - start > 1 else start
            if shown > start:
                packages = sorted({frame.package for frame in frames[start:shown]})
                lines.append("  [%d frames in %s]" % (shown - start, ", ".join(packages[:4])))
            lines += [line for frame in frames[shown:end] for line in _lines_of(frame, labels)]
            previous = None
        else:
            key = (frame.code, frame.line)
            repeats = repeats + 1 if key == previous else 0
            previous = key
            follows = end < len(frames) and (frames[end].code, frames[end].line) == key
            if repeats < 2:
                lines += _lines_of(frame, labels)
            elif not follows:
                lines.append("  [Previous line repeated %d more times]" % (repeats - 1))
            if skip and len(lines) > FRAME_LIMIT and not follows:
                # Functions that call each other in turn: the beginning and the end tell the story.
                lines.append("  [%d more frames]" % max(len(frames) - end - FRAME_LIMIT // 2, 0))
                end = max(end, len(frames) - FRAME_LIMIT // 2)
                skip = 0
        start = end
    return lines


def _lines_of(frame: Frame, labels: Labels) -> List[str]:
    name = frame.code.co_filename
    shown = labels.get(name) or _short(name)
    lines = ['  File "%s", line %d, in %s' % (shown, frame.line, frame.code.co_name)]
    source = linecache.getline(name, frame.line).rstrip("\n")
    if source.strip():
        bare = source.lstrip()
        lines.append("    " + bare)
        if frame.own:
            lines += _carets(frame, source, len(source) - len(bare))
    return lines


def _carets(frame: Frame, source: str, indent: int) -> List[str]:
    """Marks the expression that failed, where Python knows it (3.11) and it is not the whole line."""
    if not hasattr(frame.code, "co_positions") or frame.instruction < 0:
        return []
    place = next(itertools.islice(frame.code.co_positions(), frame.instruction // 2, None), None)
    if place is None:
        return []
    line, end_line, start, end = place
    if line != frame.line or end_line != line or start is None or end is None:
        return []
    raw = source.encode()
    first, last = len(raw[:start].decode(errors="replace")), len(raw[:end].decode(errors="replace"))
    if source[indent:].strip() == source[first:last].strip() or last <= first:
        return []
    return ["    " + " " * (first - indent) + "^" * (last - first)]


def _short(path: str) -> str:
    """A library's file from its package on: where it is installed is no one's business outside."""
    for marker in ("/site-packages/", "/dist-packages/", "/python%d.%d/" % sys.version_info[:2]):
        if marker in path:
            return path.rpartition(marker)[2]
    return path if path.startswith("<") else os.path.basename(path)
