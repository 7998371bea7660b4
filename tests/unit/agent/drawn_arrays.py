"""numpy arrays and scalars of every kind, drawn as source: dtype × shape × values × how they lie in memory."""

import datetime as dt
import struct
from typing import Any, NamedTuple

from hypothesis import strategies as st

from tests.unit.agent.drawn import SAFE, Drawn, Moment, Seconds, clean_text, float_source, real, whole

_EPOCH = dt.datetime.fromisoformat("1970-01-01")
_STEPS = {"W": 604800, "D": 86400, "h": 3600, "m": 60, "s": 1, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


class Cells(NamedTuple):
    """What the cells of one dtype are: source and what stands in an item."""

    dtype: str
    cell: st.SearchStrategy[Drawn]
    refused: bool = False
    """Whether no item can be made of it."""


def integer(bits: int, *, signed: bool) -> st.SearchStrategy[int]:
    return st.integers(-(1 << bits - 1), (1 << bits - 1) - 1) if signed else st.integers(0, (1 << bits) - 1)


def _whole(bits: int, *, signed: bool) -> Cells:
    name = f"{'i' if signed else 'u'}{bits // 8}"
    return Cells(name, integer(bits, signed=signed).map(lambda n: Drawn(repr(n), whole(n))))


def _float(width: int) -> Cells:
    form = {16: "e", 32: "f", 64: "d"}[width]
    cell = st.floats(width=width).map(  # type: ignore[arg-type]
        lambda x: Drawn(float_source(x), real(struct.unpack(form, struct.pack(form, x))[0]))
    )
    return Cells(f"f{width // 8}", cell)


def moment_cell(unit: str) -> st.SearchStrategy[Drawn]:
    """Counts of that unit since 1970, as an integer; NaT too."""
    step = _STEPS[unit]
    reach = int(60 * 365 * 86400 / step)

    def drawn(count: int | None) -> Drawn:
        if count is None:
            return Drawn("'NaT'", None)
        nanos = round(count * step * 1e9) if step >= 1 else count * round(step * 1e9)
        whole_seconds, rest = divmod(nanos, 10**9)
        text = (_EPOCH + dt.timedelta(seconds=whole_seconds)).isoformat()
        return Drawn(f"np.datetime64({count}, '{unit}')", Moment(f"{text}.{rest:09}"))

    return (st.none() | st.integers(-reach, reach)).map(drawn)


def span_cell(unit: str) -> st.SearchStrategy[Drawn]:
    step = _STEPS[unit]

    def drawn(count: int | None) -> Drawn:
        if count is None:
            return Drawn("'NaT'", None)
        return Drawn(
            f"np.timedelta64({count}, '{unit}')",
            Seconds(count * step if step >= 1 else count / round(1 / step)),
        )

    return (st.none() | st.integers(-(10**6), 10**6)).map(drawn)


_WORD = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5)
KINDS = [
    Cells("?", st.booleans().map(lambda b: Drawn(repr(b), b))),
    *(_whole(bits, signed=signed) for bits in (8, 16, 32, 64) for signed in (True, False)),
    *map(_float, (16, 32, 64)),
    Cells("g", st.floats().map(lambda x: Drawn(float_source(x), real(x)))),
    Cells(">i4", integer(32, signed=True).map(lambda n: Drawn(repr(n), n))),
    Cells(">f8", st.floats().map(lambda x: Drawn(float_source(x), real(x)))),
    Cells("U5", _WORD.map(lambda text: Drawn(ascii(text), text))),
    *(Cells(f"M8[{unit}]", moment_cell(unit)) for unit in ("W", "D", "h", "m", "s", "ms", "us", "ns")),
    *(Cells(f"m8[{unit}]", span_cell(unit)) for unit in ("D", "h", "s", "ms", "us", "ns")),
    Cells(
        "c16",
        st.complex_numbers().map(
            lambda z: Drawn(f"complex({float_source(z.real)}, {float_source(z.imag)})", None)
        ),
        refused=True,
    ),
    Cells(
        "O",
        st.one_of(
            st.none().map(lambda _: Drawn("None", None)),
            st.integers(-SAFE, SAFE).map(lambda n: Drawn(repr(n), n)),
            clean_text(5).map(lambda text: Drawn(ascii(text), text)),
        ),
    ),
]


class Array(NamedTuple):
    source: str
    rows: list[Any] | None
    """The values of its items; None where none can be made of it."""
    fields: bool = False
    """Whether its rows are items with fields."""


def _shaped(flat: list[Any], shape: tuple[int, ...]) -> Any:
    if not shape:
        return flat[0]
    step = len(flat) // shape[0] if shape[0] else 0
    return [_shaped(flat[at * step : (at + 1) * step], shape[1:]) for at in range(shape[0])]


@st.composite
def arrays(draw: st.DrawFn, dimensions: int = 0) -> Array:
    """0 to 3 dimensions, in C or Fortran order, every other element of a larger one, or read-only."""
    kind = draw(st.sampled_from(KINDS))
    shape = tuple(draw(st.lists(st.integers(0, 3), min_size=dimensions, max_size=3)))
    size = 1
    for side in shape:
        size *= side
    cells = draw(st.lists(kind.cell, min_size=size, max_size=size))
    source = f"np.array([{', '.join(cell.source for cell in cells)}], dtype='{kind.dtype}').reshape({shape})"
    how = draw(st.sampled_from(["", "order", "slice", "read-only", "masked"]))
    if how == "order":
        source = f"np.asfortranarray({source}).reshape({shape})"
    elif how == "slice" and shape:
        source = f"np.repeat({source}, 2, axis=0)[::2]"
    elif how == "read-only":
        source = (
            f"np.frombuffer({source}.tobytes(), dtype='{kind.dtype}').reshape({shape})"
            if kind.dtype != "O" and size
            else source
        )
    json = _shaped([cell.json for cell in cells], shape)
    refused = kind.refused and size > 0
    return Array(source, None if refused else json if shape else [json])


@st.composite
def structured(draw: st.DrawFn) -> Array:
    """Rows with named fields of several kinds."""
    kinds = draw(
        st.lists(st.sampled_from([each for each in KINDS if not each.refused]), min_size=1, max_size=4)
    )
    count = draw(st.integers(0, 4))
    columns = [draw(st.lists(kind.cell, min_size=count, max_size=count)) for kind in kinds]
    names = [f"f{at}" for at in range(len(kinds))]
    rows = list(zip(*columns, strict=True))
    dtype = [(name, kind.dtype) for name, kind in zip(names, kinds, strict=True)]
    data = ", ".join("({},)".format(", ".join(cell.source for cell in row)) for row in rows)
    json = [dict(zip(names, (cell.json for cell in row), strict=True)) for row in rows]
    return Array(f"np.array([{data}], dtype={dtype!r})", json, fields=True)


def scalars() -> st.SearchStrategy[Drawn]:
    """One element of an array."""
    kinds = [each for each in KINDS if not each.refused and each.dtype != "O"]
    return st.sampled_from(kinds).flatmap(
        lambda kind: kind.cell.map(
            lambda cell: Drawn(f"np.array([{cell.source}], dtype='{kind.dtype}')[0]", cell.json)
        )
    )
