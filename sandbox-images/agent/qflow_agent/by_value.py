"""Functions and classes of a node's own code, pickled by value: no other session can import them.

Their bytecode is of one version of Python. A class keeps its identity: where a session has the same code, it is its
own class, and however many objects of a class come, they are of one.
"""

import io
import os
import pickle
import sys
from types import FunctionType, ModuleType
from typing import Any, Dict, List, Optional, Tuple

from qflow_agent.definition import MODULE_PREFIX

_LIBRARY = "qflow_agent.cloudpickle"


class _CodeMet(Exception):
    """Something of a node's own code is among the data."""


class DataPickler(pickle.Pickler):
    """Refuses functions and classes of a node's own code, which plain pickle would write as names that nobody has."""

    def reducer_override(self, obj: Any) -> Any:
        if (isinstance(obj, type) or type(obj) is FunctionType) and _is_of_code(obj):
            raise _CodeMet
        return _in_its_own_order(obj) if _is_turned(obj) else NotImplemented


def _is_turned(obj: Any) -> bool:
    """Whether it is a numpy array with holes whose numbers have another machine's byte order."""
    cls = type(obj)
    if cls.__name__ != "ndarray" or cls.__module__ != "numpy":
        return False
    return not obj.flags.forc and not obj.dtype.isnative


def _in_its_own_order(array: Any) -> Any:
    """numpy would write it in this machine's order, and with its type; without holes it does not."""
    return array.copy().__reduce_ex__(5)


def code_pickler(file: io.BytesIO, keep_out: Any) -> Any:
    """A pickler that writes code by value; `by_value` of it says whether it did."""
    cloudpickle = library()
    registered: List[ModuleType] = []

    class CodePickler(cloudpickle.Pickler):
        by_value = False

        def reducer_override(self, obj: Any) -> Any:
            if _is_turned(obj):
                return _in_its_own_order(obj)
            names = None
            if isinstance(obj, type) or type(obj) is FunctionType:
                names = _names_in_code(obj)
            module = None if names is None else sys.modules.get(names[0])
            if module is not None and module not in registered:
                cloudpickle.register_pickle_by_value(module)
                registered.append(module)
            reduced = super().reducer_override(obj)
            if type(reduced) is not tuple or len(reduced) != 6:
                return reduced
            self.by_value = True
            if names is None:
                return reduced
            make, arguments, state, _, _, set_state = reduced
            return _make, (names, make, arguments), (names, set_state, state), None, None, _set

    return CodePickler(file, protocol=5, buffer_callback=keep_out)


_made: Dict[Tuple[str, str], Any] = {}
"""What was loaded by value, so that a class is the same one however many of its objects come."""


def _make(names: Tuple[str, str], make: Any, arguments: Tuple[Any, ...]) -> Any:
    """The class or function of that name: this session's own where it has the same code, so that isinstance holds."""
    found = _lookup(names)
    return make(*arguments) if found is None else found


def _set(made: Any, state: Tuple[Tuple[str, str], Any, Any]) -> None:
    names, set_state, content = state
    if _lookup(names) is None:
        set_state(made, content)
        _made[names] = made


def _lookup(names: Tuple[str, str]) -> Any:
    found: Any = sys.modules.get(names[0])
    if found is None:
        return _made.get(names)
    for part in names[1].split("."):
        found = getattr(found, part, None)
    return _made.get(names) if found is None else found


def _is_of_code(obj: Any) -> bool:
    module = getattr(obj, "__module__", None)
    return isinstance(module, str) and module.startswith(MODULE_PREFIX)


def _names_in_code(obj: Any) -> Optional[Tuple[str, str]]:
    """Module and qualified name, where they lead to `obj` in a node's code."""
    if not _is_of_code(obj) or "<locals>" in obj.__qualname__:
        return None
    names = (obj.__module__, obj.__qualname__)
    found = _lookup(names)
    return names if found is obj else None


def library() -> Any:
    """cloudpickle, from the agent's private directory and under a name of the agent's: user code may have its own."""
    module = sys.modules.get(_LIBRARY)
    if module is None:
        module = sys.modules[_LIBRARY] = _loadedlibrary()
    return module


def _loadedlibrary() -> ModuleType:
    import importlib.util

    from qflow_agent.wire import msgpack

    private = os.path.dirname(os.path.dirname(msgpack.__file__))
    path = os.path.join(private, "cloudpickle", "cloudpickle.py")
    spec = importlib.util.spec_from_file_location(_LIBRARY, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
