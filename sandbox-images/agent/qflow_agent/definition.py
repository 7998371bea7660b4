"""Makes a definition's code callable: compiles it, runs it as a module, and picks the function; or finds a script."""

import ast
import linecache
import sys
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Set, Tuple

from qflow_agent import wire
from qflow_agent.dialects import VARIABLES, dialect_of, read
from qflow_agent.failures import problem_of
from qflow_agent.problem import Problem, listed, nearest
from qflow_agent.tracebacks import PREFIX, headline, syntax_lines

if TYPE_CHECKING:
    from qflow_agent.script import Script


MODULE_PREFIX = "qflow_code_"
"""How the name of every definition's module begins."""


class Loaded:
    """A definition whose code has run. `cache` holds what binding and calling derive from it once."""

    def __init__(
        self,
        define: wire.Define,
        filename: str,
        module: ModuleType,
        name: str,
        function: Any,
        *,
        script: "Optional[Script]" = None,
    ) -> None:
        self.mode = define.mode
        self.validation = define.validation
        self.output = define.output
        self.parallel = define.parallel
        self.shares = define.sharing == "shared"
        """Whether it takes referenced objects themselves, and not copies."""
        self.filename = filename
        self.module = module
        self.name = name
        self.function: Callable[..., Any] = function
        self.script = script
        """What runs in place of a function."""
        self.cache: Dict[Any, Any] = {}


def load(define: wire.Define, node_name: str = "") -> Loaded:
    """Run the module body and find the function, or compile the script.

    Raises Problem: code_syntax, code_raised, code_exited, function_none, function_missing, function_ambiguous,
    out_of_memory, time_limit.
    """
    identity = "".join(c for c in define.definition if c.isalnum())[:16] or "code"
    filename = "%s%s>" % (PREFIX, identity)
    labels = {filename: node_name or "code"}
    compiled, script = _compile(define, filename, labels)
    # An entry without a modification time is one that linecache never looks for on disk.
    linecache.cache[filename] = (len(define.code), None, define.code.splitlines(keepends=True), filename)

    # The name depends on the definition alone: what one session pickled, the next can load.
    module = ModuleType(_module_name(filename))
    module.__file__ = filename
    sys.modules[module.__name__] = module
    if script is not None:
        return Loaded(define, filename, module, "script", script.call, script=script)
    try:
        exec(compiled, module.__dict__)
    except BaseException as error:  # whatever the code raises is the code's own failure
        sys.modules.pop(module.__name__, None)
        raise problem_of(error, labels) from None
    name = _choose(define.function, module, filename)
    return Loaded(define, filename, module, name, module.__dict__[name])


def _module_name(filename: str) -> str:
    return MODULE_PREFIX + filename[len(PREFIX) : -1]


def _compile(define: wire.Define, filename: str, labels: Dict[str, str]) -> Tuple[Any, "Optional[Script]"]:
    """The module's code object, or None and the script that the code is."""
    try:
        if define.mode == "script":
            return None, _script(ast.parse(define.code, filename), filename)
        return _module_or_script(define.code, filename)
    except SyntaxError as error:
        from qflow_agent.mistaken import meant_as

        if error.text is None and error.lineno:
            # Found after parsing, where Python has no text any more.
            error.text = "".join(define.code.splitlines(keepends=True)[error.lineno - 1 : error.lineno])
        place = ""
        extra = {}
        if error.lineno:
            place = " (line %d, column %d)" % (error.lineno, error.offset or 1)
            extra = {"line": error.lineno, "column": error.offset or 1}
        raise Problem(
            "code_syntax",
            "%s: %s%s" % (type(error).__name__, error.msg, place),
            hint=meant_as(error.text or "")
            or "Python %d.%d cannot read the code from there on." % sys.version_info[:2],
            traceback="\n".join([*syntax_lines(error, labels), "%s: %s" % (type(error).__name__, error.msg)]),
            extra=extra,
        ) from None
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        # A null byte, half a surrogate pair, or an expression that is nested too deeply for the parser.
        raise Problem(
            "code_syntax",
            "The code cannot be compiled: %s" % headline(error),
            hint="Remove the character that is named, or split what is nested too deeply.",
        ) from None


def _module_or_script(code: str, filename: str) -> Tuple[Any, "Optional[Script]"]:
    try:
        compiled = compile(code, filename, "exec", dont_inherit=True)
    except SyntaxError:
        tree = ast.parse(code, filename)  # raises the same again, unless it is only no module
        if not dialect_of(tree):
            raise
        return None, _script(tree, filename)
    # To read names off a code object costs next to nothing; most modules need no second look.
    if not _names_of(compiled).isdisjoint(VARIABLES):
        tree = ast.parse(code, filename)
        if dialect_of(tree):
            return None, _script(tree, filename)
    return compiled, None


def _script(tree: ast.Module, filename: str) -> "Script":
    from qflow_agent.script import Script

    return Script(tree, read(tree), filename, _module_name(filename))


def _names_of(code: CodeType) -> Set[str]:
    """The names that a module's body uses, in comprehensions and lambdas too."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType) and constant.co_name.startswith("<"):
            names |= _names_of(constant)
    return names


def _choose(wanted: str, module: ModuleType, filename: str) -> str:
    functions = _functions(module, filename)
    public = [name for name in functions if not name.startswith("_")]
    if wanted:
        if callable(module.__dict__.get(wanted)):
            return wanted
        raise Problem(
            "function_missing",
            "The code has no function '%s'." % wanted,
            hint=nearest(wanted, functions) + _there_are(functions),
        )
    if len(public) == 1:
        return public[0]
    if "main" in public:
        return "main"
    if public:
        raise Problem(
            "function_ambiguous",
            "The code has %d functions, and the node does not say which to call: %s."
            % (len(public), listed(public)),
            hint="Choose the function in the node, call it main, or begin the names of the others with _.",
        )
    raise Problem(
        "function_none",
        "The code defines no function%s." % (" whose name does not begin with _" if functions else ""),
        hint="Write one, for example: def main(item: dict) -> dict: return item",
    )


def _there_are(functions: List[str]) -> str:
    return "There are: %s." % listed(functions) if functions else "The code defines no function."


def _functions(module: ModuleType, filename: str) -> List[str]:
    """Names of the functions that this code defines, in its order; an alias counts once."""
    found: Dict[int, str] = {}
    for name, value in list(module.__dict__.items()):
        if type(name) is str and _is_own_function(value, module, filename):
            found.setdefault(id(value), name)
    return list(found.values())


def _is_own_function(value: Any, module: ModuleType, filename: str) -> bool:
    if isinstance(value, type):
        return False
    code: Optional[Any] = getattr(value, "__code__", None) if type(value).__name__ == "function" else None
    if code is not None and code.co_filename == filename:
        return True
    try:
        # A decorator that follows functools.wraps gives its wrapper the module and the name of the function.
        return callable(value) and hasattr(value, "__wrapped__") and value.__module__ == module.__name__
    except Exception:
        return False  # an object of the code's own that raises when asked is no function
