"""Kinds of classes with fields, built from a dict: dataclass, TypedDict, NamedTuple, attrs, pydantic."""

from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from qflow_agent.annotations import class_hints, wrapper_of
from qflow_agent.kinds import Kind, Mismatch, described
from qflow_agent.problem import listed
from qflow_agent.tracebacks import headline

MakeKind = Callable[[Any, Dict[str, Any]], Kind]
"""Makes the kind of an annotation that stands in a scope."""


class Field(NamedTuple):
    name: str  # in the JSON
    argument: str  # of the constructor
    required: bool
    kind: Kind


def record(cls: type, arguments: Tuple[Any, ...], expected: str, make: MakeKind) -> Optional[Kind]:
    """The kind of `cls[arguments]`, where that is a class with fields, or None. The kinds of the fields are made when the first value comes."""
    if is_typed_dict(cls):
        names, read, build = typed_dict(cls, arguments, make)
        return _kind(expected, names, read, build)
    if issubclass(cls, tuple) and isinstance(getattr(cls, "_fields", None), tuple):
        return _named_tuple(cls, arguments, expected, make)
    for validate in ("model_validate", "parse_obj"):
        if hasattr(cls, validate) and (hasattr(cls, "model_fields") or hasattr(cls, "__fields__")):
            return _model(cls, expected, getattr(cls, validate))
    if hasattr(cls, "__dataclass_fields__"):
        rows = _dataclass_fields(cls)
    elif hasattr(cls, "__attrs_attrs__"):
        rows = _attrs_fields(cls)
    else:
        return None

    def read() -> List[Field]:
        hints = class_hints(cls, arguments)
        return [
            Field(name, argument, need, make(*hints.get(name, (Any, {})))) for name, argument, need in rows
        ]

    def build(value: Dict[str, Any], fields: List[Field]) -> Any:
        return _construct(cls, expected, value, _arguments(value, fields))

    return _kind(expected, [name for name, _, _ in rows], read, build)


def _kind(expected: str, names: Any, read: Callable[[], List[Field]], build: Callable[..., Any]) -> Kind:
    fields: List[Field] = []

    def convert(value: Any) -> Any:
        if type(value) is not dict:
            raise Mismatch(expected, value)
        if not fields:
            fields.extend(read())
        return build(value, fields)

    return Kind(expected, frozenset(), convert, takes_item=True, fields=frozenset(names))


def _arguments(value: Dict[str, Any], fields: List[Field]) -> Dict[str, Any]:
    arguments = {}
    for field in fields:
        if field.name in value:
            try:
                arguments[field.argument] = field.kind.apply(value[field.name])
            except Mismatch as error:
                raise error.at(field.name) from None
        elif field.required:
            has = "has %s" % listed(list(value)) if value else "is empty"
            raise Mismatch(field.kind.expected, value, "the field is missing (the object %s)" % has).at(
                field.name
            )
    return arguments


def _construct(cls: Any, expected: str, value: Any, arguments: Dict[str, Any]) -> Any:
    try:
        return cls(**arguments)
    except (MemoryError, RecursionError):
        raise
    except Exception as error:
        # A check of the class's own, in __post_init__ for instance: the value does not fit.
        raise Mismatch(expected, value, "%s refused it: %s" % (expected, headline(error))) from None


def _dataclass_fields(cls: Any) -> List[Tuple[str, str, bool]]:
    from dataclasses import MISSING

    rows = []
    for name, field in cls.__dataclass_fields__.items():
        kind = getattr(field, "_field_type", None)
        if field.init and getattr(kind, "name", "") != "_FIELD_CLASSVAR":
            rows.append((name, name, field.default is MISSING and field.default_factory is MISSING))
    return rows


def _attrs_fields(cls: Any) -> List[Tuple[str, str, bool]]:
    rows = []
    for field in cls.__attrs_attrs__:
        if field.init:
            argument = getattr(field, "alias", None) or field.name.lstrip("_")
            rows.append((field.name, argument, getattr(field.default, "name", "") == "NOTHING"))
    return rows


def _named_tuple(cls: Any, arguments: Tuple[Any, ...], expected: str, make: MakeKind) -> Kind:
    defaults = getattr(cls, "_field_defaults", {})

    def read() -> List[Field]:
        hints = class_hints(cls, arguments)
        return [
            Field(name, name, name not in defaults, make(*hints.get(name, (Any, {})))) for name in cls._fields
        ]

    def build(value: Dict[str, Any], fields: List[Field]) -> Any:
        return _construct(cls, expected, value, _arguments(value, fields))

    from_dict = _kind(expected, cls._fields, read, build)

    def convert(value: Any) -> Any:
        if type(value) is list and len(value) <= len(cls._fields):
            value = dict(zip(cls._fields, value))
        return from_dict.convert(value)

    return from_dict._replace(convert=convert)


def is_typed_dict(cls: type) -> bool:
    return issubclass(cls, dict) and hasattr(cls, "__total__") and hasattr(cls, "__annotations__")


def typed_dict(
    cls: Any, arguments: Tuple[Any, ...], make: MakeKind
) -> Tuple[Any, Callable[[], List[Field]], Callable[..., Any]]:
    # A TypedDict's bases are not in its __mro__, but its own annotations include theirs.
    hints = class_hints(cls, arguments)

    def read() -> List[Field]:
        required = getattr(cls, "__required_keys__", frozenset(hints) if cls.__total__ else frozenset())
        fields = []
        for name, (annotation, scope) in hints.items():
            wrapper = wrapper_of(annotation, scope)
            need = wrapper == "Required" if wrapper else name in required
            fields.append(Field(name, name, need, make(annotation, scope)))
        return fields

    def build(value: Dict[str, Any], fields: List[Field]) -> Any:
        converted = _arguments(value, fields)
        if all(converted[name] is value[name] for name in converted):
            return value
        return {**value, **converted}

    return hints, read, build


def _model(cls: Any, expected: str, validate: Callable[[Any], Any]) -> Kind:
    """A pydantic model checks for itself, and says what is wrong better than we could."""

    def convert(value: Any) -> Any:
        try:
            return validate(value)
        except (MemoryError, RecursionError):
            raise
        except Exception as error:
            raise _refused(error, expected, value) from None

    fields = getattr(cls, "model_fields", None) or getattr(cls, "__fields__", {})
    return Kind(expected, frozenset(), convert, takes_item=True, fields=frozenset(fields))


def _refused(error: Any, expected: str, value: Any) -> Mismatch:
    """What pydantic says of the first part that does not fit, and how many more there are."""
    try:
        first, *more = error.errors()
        reason, path, part = str(first["msg"]), list(first["loc"]), first.get("input", value)
    except Exception:
        return Mismatch(
            expected, value, headline(error)
        )  # a check of the model's own, which raised something else
    if type(part) not in (dict, list):
        reason += ", got %s" % described(part)
    found = Mismatch(expected, part, reason + (" (and %d more)" % len(more) if more else ""))
    found.path = [step if isinstance(step, int) else str(step) for step in path]
    return found
