"""Dicts and lists as code for n8n's former Python met them: ``item.json.name`` is ``item["json"]["name"]``.

What is nested is wrapped when it is first read, in its place, so that a change is seen wherever the value is reached.
"""

from typing import Any, Dict, Iterable


class Record(Dict[str, Any]):
    """A dict whose fields are attributes too. A dict's own methods keep their names."""

    def __getitem__(self, name: Any) -> Any:
        value = dict.__getitem__(self, name)
        if type(value) is dict or type(value) is list:
            value = self[name] = wrap(value)
        return value

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            fields = ", ".join(map(str, self))
            raise AttributeError("the object has no field '%s'; it has %s" % (name, fields)) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __delattr__(self, name: str) -> None:
        if name not in self:
            raise AttributeError(name)
        del self[name]

    def get(self, name: Any, default: Any = None) -> Any:
        return self[name] if name in self else default  # noqa: SIM401 - it is the rule itself

    def setdefault(self, name: Any, default: Any = None) -> Any:
        dict.setdefault(self, name, default)
        return self[name]

    def pop(self, name: Any, *default: Any) -> Any:
        return wrap(dict.pop(self, name, *default))

    def values(self) -> Any:
        return self._wrapped().values()

    def items(self) -> Any:
        return self._wrapped().items()

    def copy(self) -> "Record":
        return Record(self)

    def to_py(self, **_options: Any) -> Any:
        """A copy made of nothing but dicts and lists."""
        return plain(self)

    def _wrapped(self) -> Any:
        for name in self:
            self[name]  # wraps in place
        return super()


class Array(list):  # type: ignore[type-arg] - list is generic from Python 3.9 on
    """A list whose dicts are records."""

    def __init__(self, values: Iterable[Any] = ()) -> None:
        super().__init__(map(wrap, values))

    @property
    def length(self) -> int:
        return len(self)

    def to_py(self, **_options: Any) -> Any:
        """A copy made of nothing but dicts and lists."""
        return plain(self)


def wrap(value: Any) -> Any:
    if type(value) is dict:
        return Record(value)
    return Array(value) if type(value) is list else value


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: plain(part) for name, part in dict.items(value)}
    return [plain(part) for part in value] if isinstance(value, list) else value
