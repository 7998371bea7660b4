"""Rewrites syntax that is newer than the runner's own Python into syntax that it reads.

Text is only ever replaced by text of the same shape: every other character keeps its line and column. Type
parameters become blanks, a ``type`` statement an assignment, a formatted string the tuple of its expressions,
and ``except A, B`` loses what only says which exceptions are meant.
"""

from dataclasses import dataclass
from typing import cast

import libcst as cst
from libcst.metadata import CodeRange, MetadataWrapper, PositionProvider

from qflow_runner.analysis.syntax import Place, TypeParameter

_String = cst.FormattedString | cst.TemplatedString
_Part = cst.FormattedStringExpression | cst.TemplatedStringExpression


@dataclass(frozen=True)
class Lowered:
    text: str
    parameters: dict[Place, tuple[TypeParameter, ...]]
    aliases: frozenset[Place]


def lower(text: str) -> Lowered | None:
    """None where this is no Python of any version. Raises RecursionError for what is nested too deeply."""
    try:
        wrapper = MetadataWrapper(cst.parse_module(text), unsafe_skip_copy=True)
    except cst.ParserSyntaxError:
        return None
    edits = _Edits(text)
    wrapper.visit(edits)
    return Lowered("".join(edits.characters), edits.parameters, frozenset(edits.aliases))


class _Edits(cst.CSTVisitor):
    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, text: str) -> None:
        super().__init__()
        self.characters = list(text)
        self.parameters: dict[Place, tuple[TypeParameter, ...]] = {}
        self.aliases: set[Place] = set()
        self._starts = [0]
        for line in text.split("\n"):
            self._starts.append(self._starts[-1] + len(line) + 1)

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:  # noqa: N802 - the name is libcst's
        self._definition(node, node.type_parameters)

    def visit_ClassDef(self, node: cst.ClassDef) -> None:  # noqa: N802
        self._definition(node, node.type_parameters)

    def visit_TypeAlias(self, node: cst.TypeAlias) -> None:  # noqa: N802
        place = self._place(node)
        self.aliases.add(place)
        if node.type_parameters is not None:
            self.parameters[place] = _parameters(node.type_parameters)
            self._erase(*self._span(node.type_parameters), continued=True)
        start, end = self._span(node.name)
        first = self._span(node)[0]
        self._erase(first, end, continued=True)
        self.characters[first : first + end - start] = node.name.value

    def visit_ExceptHandler(self, node: cst.ExceptHandler) -> None:  # noqa: N802
        self._except(node)

    def visit_ExceptStarHandler(self, node: cst.ExceptStarHandler) -> None:  # noqa: N802
        self._except(node)

    def visit_FormattedString(self, node: cst.FormattedString) -> None:  # noqa: N802
        self._string(node)

    def visit_TemplatedString(self, node: cst.TemplatedString) -> None:  # noqa: N802
        self._string(node)

    def visit_ConcatenatedString(self, node: cst.ConcatenatedString) -> None:  # noqa: N802
        pieces = list(_pieces(node))
        if any(not isinstance(piece, cst.SimpleString) for piece in pieces):
            for piece in pieces:
                if isinstance(piece, cst.SimpleString):
                    self._brackets(*self._span(piece))

    def _definition(
        self, node: cst.FunctionDef | cst.ClassDef, parameters: cst.TypeParameters | None
    ) -> None:
        if parameters is not None:
            self.parameters[self._place(node)] = _parameters(parameters)
            self._erase(*self._span(parameters), continued=True)

    def _except(self, node: cst.ExceptHandler | cst.ExceptStarHandler) -> None:
        if isinstance(node.type, cst.Tuple) and not node.type.lpar:
            elements = node.type.elements
            self._erase(self._span(elements[0].value)[1], self._span(node.type)[1], continued=True)

    def _string(self, node: _String) -> None:
        start, end = self._span(node)
        spans = [slice(*self._whole(part.expression)) for part in _expressions(node.parts)]
        kept = [self.characters[span] for span in spans]
        self._brackets(start, end)
        for span, characters in zip(spans, kept, strict=True):
            self.characters[span] = characters
            self.characters[span.stop] = ","  # where }, !, : or = was

    def _whole(self, node: cst.BaseExpression) -> tuple[int, int]:
        """The span with the brackets around it, which libcst counts apart."""
        start, end = self._span(node)
        code = cst.Module(()).code_for_node
        return start - sum(len(code(p)) for p in node.lpar), end + sum(len(code(p)) for p in node.rpar)

    def _brackets(self, start: int, end: int) -> None:
        self._erase(start, end, continued=False)
        self.characters[start], self.characters[end - 1] = "(", ")"

    def _erase(self, start: int, end: int, *, continued: bool) -> None:
        """Blank a span. Outside brackets a line that goes on must say so."""
        for index in range(start, end):
            if self.characters[index] != "\n":
                self.characters[index] = " "
            elif continued:
                self.characters[index] = "\\\n"

    def _span(self, node: cst.CSTNode) -> tuple[int, int]:
        found = self._range(node)
        return (
            self._starts[found.start.line - 1] + found.start.column,
            self._starts[found.end.line - 1] + found.end.column,
        )

    def _place(self, node: cst.CSTNode) -> Place:
        found = self._range(node).start
        start = self._starts[found.line - 1]
        prefix = "".join(self.characters[start : start + found.column])
        return found.line, len(prefix.encode())

    def _range(self, node: cst.CSTNode) -> CodeRange:
        return cast("CodeRange", self.get_metadata(PositionProvider, node))


def _expressions(parts: object) -> list[_Part]:
    """The replacement fields, each followed by those in its format specification."""
    found: list[_Part] = []
    for part in cast("tuple[cst.CSTNode, ...]", parts):
        if isinstance(part, _Part):
            found.append(part)
            found += _expressions(part.format_spec or ())
    return found


def _pieces(node: cst.ConcatenatedString) -> list[cst.BaseExpression]:
    found: list[cst.BaseExpression] = [node.left]
    right: cst.BaseExpression = node.right
    while isinstance(right, cst.ConcatenatedString):
        found.append(right.left)
        right = right.right
    return [*found, right]


def _parameters(node: cst.TypeParameters) -> tuple[TypeParameter, ...]:
    found: list[TypeParameter] = []
    for parameter in node.params:
        bound = getattr(parameter.param, "bound", None)
        text = cst.Module(()).code_for_node(bound) if bound is not None else ""
        found.append(TypeParameter(parameter.param.name.value, text))
    return tuple(found)
