"""Every type that may cross a link, through a real agent: by reference exactly, as items by the rules of docs/data.md.

Values are drawn by rule as Python source, which the guest evaluates; see `drawn`, `drawn_arrays` and `drawn_tables`.
On the oldest, the runner's own and the newest Python many of each; on the others of this machine a few.
"""

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from qflow_runner.errors import GuestProblem
from tests.unit.agent import drawn, drawn_arrays, drawn_tables, guest
from tests.unit.agent.warm import Warm

MANY, FEW = 80, 4
HEAD = "from round_trip_guest import *\n"
MAKE = HEAD + "def main(source):\n    return made(source)\n"
SAME = HEAD + "def main(source, value):\n    return difference(value, made(source))\n"
SAME_AS = HEAD + "def main(source, value: {}):\n    return difference(value, made(source))\n"
FIELD = HEAD + "def main(source):\n    return {'v': made(source)}\n"


@pytest.fixture(scope="module", params=guest.PYTHONS)
def warm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    agent = Warm(
        request.param, tmp_path_factory.mktemp("warm"), Path(__file__).parent / "round_trip_guest.py"
    )
    yield agent
    agent.close()


def each(
    warm: Warm, strategy: st.SearchStrategy[Any], check: Callable[[Any], None], share: float = 1
) -> None:
    """Hold the check against what the strategy draws."""
    examples = MANY if warm.python in guest.WIDE else FEW

    @settings(
        max_examples=max(int(examples * share), FEW),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    @given(strategy)
    def hold(value: Any) -> None:
        check(value)

    hold()


def keeps(warm: Warm, source: str) -> None:
    """By reference the value is the same to the last bit, in its session and in another."""
    (kept,) = warm.items(MAKE, [{"json": {}}], {"source": source}, output="reference")
    for elsewhere in (False, True):
        if elsewhere:
            assert warm.hand_over(kept["json"]["$qflow"]["ref"]) == {}
        (told,) = warm.items(
            SAME, [{"json": {}}], {"source": source, "value": kept["json"]}, elsewhere=elsewhere
        )
        assert told["json"]["value"] == "", source


def gives(warm: Warm, source: str, expected: list[Any]) -> None:
    """As items it is what the rules say."""
    made = [item["json"] for item in warm.items(MAKE, [{"json": {}}], {"source": source})]
    assert made == expected, source


def comes_back(warm: Warm, source: str, annotation: str) -> None:
    """What the item holds becomes the value again where a parameter is annotated with its type."""
    (item,) = warm.items(FIELD, [{"json": {}}], {"source": source})
    args = {"source": source, "value": item["json"]["v"]}
    (told,) = warm.items(SAME_AS.format(annotation), [{"json": {}}], args)
    assert told["json"]["value"] == "", source


def test_simple_values(warm: Warm) -> None:
    """Numbers, text, dates, Decimal, UUID, Enum and the rest, alone."""

    def check(value: drawn.Drawn) -> None:
        keeps(warm, value.source)
        gives(warm, value.source, [{"value": value.json}])
        if value.type:
            comes_back(warm, value.source, value.type)

    each(warm, drawn.simple(zones=warm.python != "3.8"), check, share=2)


def test_nested_containers(warm: Warm) -> None:
    """Lists, tuples, dicts, deques and sets, in each other."""

    def check(value: drawn.Drawn) -> None:
        keeps(warm, value.source)
        (item,) = warm.items(FIELD, [{"json": {}}], {"source": value.source})
        assert item["json"] == {"v": value.json}, value.source

    each(warm, drawn.nested(zones=warm.python != "3.8"), check)


def test_records(warm: Warm) -> None:
    """A dataclass, NamedTuple, TypedDict or pydantic model is an item of its fields, and is made of one again."""

    def check(value: drawn.Drawn) -> None:
        keeps(warm, value.source)
        gives(warm, value.source, [value.json])
        comes_back(warm, value.source, value.type)

    each(warm, drawn.records(), check)


def test_arrays(warm: Warm) -> None:
    """numpy arrays: every kind of dtype, 0 to 3 dimensions."""

    def check(array: drawn_arrays.Array) -> None:
        keeps(warm, array.source)
        if array.rows is None:
            with pytest.raises(GuestProblem, match="complex"):
                warm.items(MAKE, [{"json": {}}], {"source": array.source})
        else:
            gives(warm, array.source, array.rows if array.fields else [{"value": row} for row in array.rows])

    each(warm, drawn_arrays.arrays() | drawn_arrays.structured(), check, share=2)


def test_data_in_fields(warm: Warm) -> None:
    """Inside of a field a table is a list of rows, and an array a list."""
    tables = drawn_tables.pandas_frames() | drawn_tables.polars_frames() | drawn_tables.arrow_tables()

    def check(data: drawn_tables.Table | drawn_arrays.Array) -> None:
        (item,) = warm.items(FIELD, [{"json": {}}], {"source": f"[{data.source}]"})
        assert item["json"] == {"v": [data.rows]}, data.source

    arrays = drawn_arrays.arrays(dimensions=1) | drawn_arrays.structured()
    each(warm, tables | arrays.filter(lambda array: array.rows is not None), check, share=0.5)


def test_scalars_of_numpy(warm: Warm) -> None:
    """Elements of arrays, as numpy gives them."""

    def check(value: drawn.Drawn) -> None:
        keeps(warm, value.source)
        gives(warm, value.source, [{"value": value.json}])

    each(warm, drawn_arrays.scalars(), check)


AGAIN = HEAD + "def main(rows: {}) -> {}:\n    return rows\n"


@pytest.mark.parametrize("package", ["pandas", "polars", "arrow"])
def test_tables(warm: Warm, package: str) -> None:
    """Every kind of column; the items make a table of pandas whose items are the same again."""
    tables = {
        "pandas": drawn_tables.pandas_frames(),
        "polars": drawn_tables.polars_frames(),
        "arrow": drawn_tables.arrow_tables(),
    }[package]

    def check(table: drawn_tables.Table) -> None:
        keeps(warm, table.source)
        items = warm.items(MAKE, [{"json": {}}], {"source": table.source})
        made = [item["json"] for item in items]
        assert made == table.rows, table.source
        again = warm.items(AGAIN.format(*["pd.DataFrame"] * 2), [{"json": json} for json in made])
        assert [item["json"] for item in again] == table.rows, table.source

    each(warm, tables, check)


def test_columns_alone(warm: Warm) -> None:
    """A Series of pandas or polars, an array of Arrow."""

    def check(column: drawn_tables.Table) -> None:
        source = column.source.replace("NAME", "''")
        keeps(warm, source)
        gives(warm, source, column.rows)

    each(warm, drawn_tables.series(), check)


@st.composite
def pictures(draw: st.DrawFn) -> str:
    mode, samples = draw(st.sampled_from([("L", 1), ("RGB", 3), ("RGBA", 4), ("LA", 2), ("I;16", 2)]))
    width, height = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    content = draw(st.binary(min_size=width * height * samples, max_size=width * height * samples))
    return f"PIL.Image.frombytes('{mode}', ({width}, {height}), {content!r})"


def test_pictures(warm: Warm) -> None:
    """By reference, and as a file of the item, from which the same picture is read."""
    take = HEAD + (
        "def main(source, photo: PIL.Image.Image):\n"
        "    kept = made(source)\n"
        "    return difference([photo.mode, photo.size, photo.tobytes()], [kept.mode, kept.size, kept.tobytes()])\n"
    )

    def check(source: str) -> None:
        keeps(warm, source)
        (item,) = warm.items(MAKE, [{"json": {}}], {"source": source})
        assert item["binary"]["data"]["mimeType"] == "image/png"
        (told,) = warm.items(take, [item], {"source": source})
        assert told["json"]["value"] == ""

    each(warm, pictures(), check, share=0.5)


def test_files(warm: Warm) -> None:
    """Bytes and files: their content, name and type."""
    take = HEAD + "def main(source, data: File):\n    return difference(data.read_bytes(), made(source))\n"
    name = st.from_regex(r"[a-z]{1,8}\.(csv|txt|bin)", fullmatch=True)

    def check(pair: tuple[bytes, str]) -> None:
        content, name = pair
        for source in (repr(content), f"File.from_bytes({content!r}, {name!r})"):
            keeps(warm, source)
            (item,) = warm.items(MAKE, [{"json": {}}], {"source": source})
            assert base64.b64decode(item["binary"]["data"]["data"]) == content
            (told,) = warm.items(take, [item], {"source": repr(content)})
            assert told["json"]["value"] == ""
        assert item["binary"]["data"]["fileName"] == name

    each(warm, st.tuples(st.binary(max_size=2_000), name), check, share=0.5)
