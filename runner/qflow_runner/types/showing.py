"""Writes a type as Python would, and short."""

from qflow_runner.types import forms
from qflow_runner.types.forms import Type

MAX_MEMBERS = 12


def show(t: Type) -> str:
    match t:
        case forms.Any(text):
            return text or "Any"
        case forms.Never():
            return "Never"
        case forms.Union(members):
            if set(members) == {forms.Name("int"), forms.Name("float")}:
                return "number"
            shown = [show(each) for each in members[:MAX_MEMBERS]]
            return " | ".join(shown + ["…"] * (len(members) > MAX_MEMBERS))
        case forms.Literal(values):
            return f"Literal[{_few(list(values))}]"
        case forms.Fixed(elements):
            return f"tuple[{_few([show(each) for each in elements]) or '()'}]"
        case forms.Call(None, result):
            return f"Callable[..., {show(result)}]"
        case forms.Call(parameters, result):
            return f"Callable[[{_few([show(each) for each in parameters or ()])}], {show(result)}]"
        case forms.Name("tuple", (element,)):
            return f"tuple[{show(element)}, ...]"
        case forms.Name(name, args):
            return f"{name}[{_few([show(each) for each in args])}]" if args else name
        case forms.Own():
            return f"{t.name}[{_few([show(each) for each in t.args])}]" if t.args else t.name


def _few(shown: list[str]) -> str:
    return ", ".join(shown[:MAX_MEMBERS] + ["…"] * (len(shown) > MAX_MEMBERS))


def a(t: Type | str) -> str:
    """With its article: an Order, a dict."""
    shown = t if isinstance(t, str) else show(t)
    return f"{'an' if shown[:1] in 'aeioAEIO' else 'a'} {shown}"
