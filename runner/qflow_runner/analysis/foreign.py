"""Which class the checker means by a name, where packages have classes whose names are alike.

The checker shows a class by its name alone, and with its module where another class in the same type has that name.
So decoys stand in each type that it shows: classes with the names that may come.
"""

import builtins
import keyword
import re
from collections.abc import Iterable

from qflow_runner.analysis.stdlib import is_standard
from qflow_runner.types import Scope
from qflow_runner.types.items import ARRAYS
from qflow_runner.types.known import KNOWN_OF_PACKAGES
from qflow_runner.types.names import BARE, BARE_ALIASES, CANONICAL

KNOWN = frozenset(name for name in (*KNOWN_OF_PACKAGES, *ARRAYS) if "." in name)
"""Classes of packages that the type system has an opinion on."""
CODE = "qflow_code"
DECOYS = "qflow_names"
END = "QflowEndOfType"
"""The first decoy, by which the end of what was asked for is found."""

_FREQUENT = (
    *("Axes", "Expr", "Figure", "Image", "ImageFile", "Index", "LazyFrame", "Response", "Session"),
    *("Table", "Tensor", "Timestamp"),
)
"""Classes that code seldom names, because functions of packages make them."""
_GROUP = 50
"""Of a longer tuple the checker forgets the elements."""
_MOST = 600
_WORD = re.compile(r"\b[A-Z]\w*")
_PLACE = re.compile(r"@\d.*$")
_MEANT = frozenset({*BARE, *BARE_ALIASES})
_BUILTINS = frozenset(name for name, value in vars(builtins).items() if isinstance(value, type))
_FORMS = frozenset(
    {"Annotated", "Any", "Callable", "Concatenate", "Literal", "Never", "NoReturn", "None", "Unpack"}
)
"""What is no class for the checker, and so has no module, as some builtins in dicts have none."""
_STUBS = frozenset({"_typeshed", "builtins", "typing_extensions"})


def decoys_for(text: str, scope: Scope, more: Iterable[str] = ()) -> frozenset[str]:
    """The names that may come: those that are known, and those that the code has itself."""
    known = (name.rpartition(".")[2] for name in KNOWN)
    own = (*scope.classes, *scope.aliases, *scope.variables)
    names = dict.fromkeys((*more, *_BUILTINS, *_MEANT, *known, *_FREQUENT, *own, *_WORD.findall(text)))
    fit = [name for name in names if name.isidentifier() and not keyword.iskeyword(name) and name != END]
    return frozenset(fit[:_MOST])


def decoys_module(names: Iterable[str]) -> str:
    """A module whose `every` holds an object of each."""
    names = sorted(names)
    groups = [names[at : at + _GROUP] for at in range(0, len(names), _GROUP)]
    objects = (f"({', '.join(f'{name}()' for name in group)},)" for group in groups)
    classes = (f"class {name}: ..." for name in (END, *names))
    return "\n".join((*classes, f"every = ({END}(), {', '.join(objects)})"))


def without_decoys(description: str, prefix: str) -> str:
    """What was asked for, out of the tuple in which the decoys follow it."""
    text = description.removeprefix(prefix).strip()
    return text.removeprefix("tuple[").rpartition(f", tuple[{END},")[0]


class Names:
    """Writes the classes that the checker shows so that the scope says what they are; remembers what it lacks.

    `origins` are names to add to the scope. `unsure` are names whose module the checker did not show.
    """

    def __init__(self, scope: Scope, public: dict[str, str], *, sure: bool) -> None:
        """`public` has what a class is called by those who use it. `sure`: a name without module is no package's."""
        self.origins: dict[str, str] = {}
        self.unsure: dict[str, None] = {}
        self._scope = scope
        self._written: set[str] = {*_FORMS, *_BUILTINS, *scope.aliases, *scope.variables}
        self._public = public
        self._sure = sure

    def qualified(self, shown: str) -> str:
        """The text for a class that is shown with its module; empty where none would be read as that class."""
        text = self._text(shown)
        self._written.add(text)
        return text

    def bare(self, name: str) -> str:
        """The text for a name without a module; empty where it may be a class, or an alias, of a package."""
        if self._sure or name in self._written:
            return name
        self.unsure[name] = None
        return ""

    def is_foreign(self, shown: str) -> bool:
        """Whether it is a package's class. What arguments mean there is its own affair."""
        head = shown.partition(".")[0]
        return not (head == CODE or head in self._scope.classes or head in _STUBS or is_standard(head))

    def _text(self, shown: str) -> str:
        name = _PLACE.sub("", shown)
        head, _, rest = name.partition(".")
        if head == CODE:
            return self._own(rest)
        if head in self._scope.classes and not is_standard(head):
            return self._own(name)
        if head in _STUBS or is_standard(head):
            return self._standard(name)
        return self._foreign(self._public.get(name) or CANONICAL.get(name, name))

    def _own(self, name: str) -> str:
        scope = self._scope
        if name.partition(".")[0] in {*scope.classes, *scope.aliases, *scope.variables}:
            return name
        # A class or a variable inside a function is not in the scope, where its name may mean another.
        last = name.rpartition(".")[2]
        return "" if last in _MEANT or last in scope.imports else last

    def _standard(self, name: str) -> str:
        short = CANONICAL.get(name)
        if short is None:
            short = name.rpartition(".")[2]
            return "" if short in _MEANT or short in self._bound() else short
        imported = self._scope.imports.get(short, "")
        if short not in self._bound() or CANONICAL.get(imported) == short:
            return short
        return name if self._readable(name) else ""

    def _foreign(self, name: str) -> str:
        short = name.rpartition(".")[2]
        bound = self._scope.imports.get(short) or self.origins.get(short)
        if bound is not None and CANONICAL.get(bound, bound) == name:
            return short
        meant = BARE_ALIASES.get(short, "") if short in _MEANT else name
        if bound is None and short not in self._bound() and meant == name:
            self.origins[short] = name
            return short
        return name if self._readable(name) else ""

    def _bound(self) -> set[str]:
        scope = self._scope
        return {*scope.classes, *scope.aliases, *scope.variables, *scope.imports}

    def _readable(self, name: str) -> bool:
        """Whether the scope reads the whole name as it is meant."""
        head = name.partition(".")[0]
        return self._scope.imports.get(head, head) == head and "." in name
