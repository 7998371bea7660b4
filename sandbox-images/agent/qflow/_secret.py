"""Secrets: values that do not show themselves."""

from typing import Any, Dict, Iterator, Mapping


class Secret:
    """A value of the node's credential. `reveal()` gives it; nothing else shows, writes or copies it."""

    __slots__ = ("__name", "__value")

    def __init__(self, value: str, name: str = "") -> None:
        self.__value = value
        self.__name = name

    @property
    def name(self) -> str:
        return self.__name

    def reveal(self) -> str:
        return self.__value

    def __repr__(self) -> str:
        return "Secret(%r, ***)" % self.__name if self.__name else "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self.__value)

    def __eq__(self, other: object) -> bool:
        import hmac

        return isinstance(other, Secret) and hmac.compare_digest(
            self.__value.encode("utf-8", "surrogatepass"), other.reveal().encode("utf-8", "surrogatepass")
        )

    def __hash__(self) -> int:
        return hash(("qflow.Secret", self.__value))

    def __reduce_ex__(self, _protocol: Any) -> Any:
        raise TypeError(
            "A Secret stays in its run: it is neither pickled nor copied. Return what you made with it."
        )


class Secrets(Mapping[str, Secret]):
    """The node's secrets by name."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values: Dict[str, Secret] = {name: Secret(value, name) for name, value in values.items()}

    def __getitem__(self, name: str) -> Secret:
        try:
            return self._values[name]
        except KeyError:
            raise KeyError(missing(name, list(self._values))) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return "Secrets(%s)" % ", ".join(self._values)


def missing(name: str, names: "list[str]") -> str:
    has = "it has " + ", ".join(names) if names else "it has none"
    return "The node has no secret '%s'; %s." % (name, has)


Secret.__module__ = Secrets.__module__ = "qflow"
