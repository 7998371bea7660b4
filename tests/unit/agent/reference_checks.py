"""References from node to node, with real packages. Run by test_references.py in several Pythons."""

import json
import tempfile
import threading

import pyarrow as pa

from qflow_agent import wire
from qflow_agent.call import call
from qflow_agent.definition import load
from qflow_agent.exchange import LocalExchange
from qflow_agent.pickling import Unpicklable
from qflow_agent.problem import Problem
from qflow_agent.references import Desk, Objects, told_of

COUNT = [0]


class Workflow:
    """Nodes that run in one session after the other."""

    def __init__(self, keep=True):
        self.exchange = LocalExchange(tempfile.mkdtemp())
        self.objects = Objects()
        self.keep = keep

    def outcome(self, code, items=({},), args=(), on_error="stop", **options):
        COUNT[0] += 1
        define = wire.Define(
            f"r{COUNT[0]}",
            code,
            options.get("function", ""),
            options.get("mode", "auto"),
            options.get("output", "auto"),
            options.get("validation", "strict"),
            sharing=options.get("sharing", "copy"),
            parallel=options.get("parallel", 1),
        )
        body = {"items": [{"json": item} for item in items], "args": list(args)}
        desk = Desk(self.objects, self.exchange, self.keep)
        return call(load(define), bytearray(json.dumps(body).encode()), "My node", on_error, desk=desk)

    def run(self, code, *more, **options):
        """The json of the items."""
        return [item["json"] for item in json.loads(self.outcome(code, *more, **options).payload)]

    def fails(self, code, *more, **options):
        before = self.objects.ids()
        try:
            self.outcome(code, *more, **options)
        except Problem as problem:
            assert self.objects.ids() == before, "a failed run left something"
            return problem
        raise AssertionError("it did not fail")

    def elsewhere(self):
        """Another session of the workflow, which gets what this one left through the exchange."""
        for reference in self.objects.ids():
            self.exchange.give_value(reference, self.objects.export(reference))
        other = Workflow(self.keep)
        other.exchange = self.exchange
        return other


FRAME = "import pandas as pd\ndef f() -> pd.DataFrame: return pd.DataFrame({'a': [1, 2], 'b': ['x', 'y']})\n"
MODEL = (
    "class Model:\n    def __init__(self): self.w = [1, 2]\n    def guess(self, x): return self.w[0] + x\n"
)
LOST = {"$qflow": {"ref": "a" * 24, "type": "pandas.DataFrame", "node": "Load orders"}}


def check_a_frame_stays_and_comes_back_as_it_is():
    flow = Workflow()
    items = flow.run(FRAME)
    told = told_of(items[0])
    assert told["type"] == "pandas.DataFrame"
    assert told["shape"] == [2, 2]
    assert told["node"] == "My node"
    assert told["preview"] == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
    takes = "import pandas as pd\ndef g(df: pd.DataFrame) -> int: return int(df['a'].sum())"
    assert flow.run(takes, items) == [{"value": 3}]
    assert flow.elsewhere().run(takes, items) == [{"value": 3}]
    assert flow.run("def g(df): return len(df)", items) == [{"value": 2}]
    assert flow.run("def g(anything): return len(anything)", items, mode="all") == [{"value": 2}]


def check_branches_do_not_see_each_other():
    flow = Workflow()
    for make, change in [
        ("pd.DataFrame({'a': [1, 2]})", "x.loc[0, 'a'] = 9"),
        ("pd.Series([1, 2])", "x.iloc[0] = 9"),
        ("pl.DataFrame({'a': [1, 2]})", "x[0, 'a'] = 9"),
        ("np.array([1, 2])", "x[0] = 9"),
        ("np.array([[1], None], dtype=object)", "x[0].append(9)"),
        ("[[1], [2]]", "x[0].append(9)"),
        ("{'a': {'b': [1]}}", "x['a']['b'].append(9)"),
        ("Box([1])", "x.v.append(9)"),
    ]:
        head = "import pandas as pd, polars as pl, numpy as np\nclass Box:\n    def __init__(self, v): self.v = v\n"
        items = flow.run(f"{head}def f(): return {make}", output="reference")
        shown = "lambda x: repr(vars(x)) if hasattr(x, 'v') else repr(x)"
        look = f"_s = {shown}\ndef f(x): return _s(x)"
        before = flow.run(look, items)
        changed = flow.run(f"_s = {shown}\ndef f(x):\n    {change}\n    return _s(x)", items)
        assert changed != before, make
        assert flow.run(look, items) == before, make


def check_several_references_in_one_item():
    flow = Workflow()
    (item,) = flow.run(
        MODEL + "def f(): return {'model': Model(), 'score': 0.9, 'more': [Model(), {'m': Model()}]}"
    )
    assert item["score"] == 0.9
    assert told_of(item["model"])["type"] == "Model"
    use = "def f(model, score, more): return [model.guess(score), more[0].guess(1), more[1]['m'].guess(2)]"
    assert flow.run(use, [item]) == [{"value": 1.9}, {"value": 2}, {"value": 3}]
    assert flow.elsewhere().run(use, [item]) == [{"value": 1.9}, {"value": 2}, {"value": 3}]
    assert flow.run("def f(m, n): return m.guess(n)", [{"n": 1}], [{"m": item["model"]}]) == [{"value": 2}]


def check_the_same_object_is_kept_once():
    flow = Workflow()
    outcome = flow.outcome(
        "m = object()\nclass A: pass\na = A()\ndef f(n): return {'a': a, 'b': [a]}", [{"n": 1}, {"n": 2}]
    )
    assert len(outcome.kept) == 1 == len(flow.objects.ids())


def check_many_references_are_a_list_or_one_table():
    flow = Workflow()
    items = flow.run(MODEL + "def f(n): return Model()", [{"n": 1}, {"n": 2}])
    assert flow.run("def f(models): return len(models)", items, mode="all") == [{"value": 2}]
    assert flow.run("from typing import List\ndef f(models: List[object]): return len(models)", items) == [
        {"value": 2}
    ]
    assert flow.run(
        "from typing import List\ndef f(models: List[object]): return len(models)", items[:1]
    ) == [{"value": 1}]
    assert flow.run("def f(model): return model.w[0]", items) == [{"value": 1}, {"value": 1}]
    frames = flow.run(FRAME) + flow.run(FRAME)
    takes = "import pandas as pd\ndef g(df: pd.DataFrame) -> int: return len(df)"
    assert flow.run(takes, frames) == [{"value": 4}]


def check_a_table_becomes_rows_and_objects_their_fields():
    flow = Workflow()
    items = flow.run(FRAME)
    rows = "from typing import Iterable, List\ndef g(rows: {}): return [r['a'] for r in rows]"
    assert flow.run(rows.format("List[dict]"), items) == [{"value": 1}, {"value": 2}]
    assert flow.run(rows.format("Iterable[dict]"), items) == [{"value": 1}, {"value": 2}]
    point = "from dataclasses import dataclass\n@dataclass\nclass Point:\n    x: int\n"
    kept = flow.run(point + "def f() -> Point: return Point(3)", output="reference")
    assert flow.run(point + "def g(p: Point): return p.x", kept) == [{"value": 3}]


def check_what_does_not_fit_is_refused():
    flow = Workflow()
    items = flow.run(FRAME)
    problem = flow.fails("def g(n: int): return n", items)
    assert problem.code == "argument_type", problem.code
    assert "DataFrame" in problem.detail, problem.detail
    problem = flow.fails(MODEL + "def g(m: Model): return 1", items)
    assert problem.code == "argument_type"
    assert flow.run("def g(n: int): return len(n)", items, validation="off") == [{"value": 2}]
    assert flow.run("def g(n='World'): return n", items) == [{"value": "World"}]


def check_a_lost_reference_is_told():
    flow = Workflow()
    problem = flow.fails("def g(df): return 1", [{}, LOST])
    assert problem.code == "reference_gone"
    assert problem.item == 1
    assert "pandas.DataFrame" in problem.detail
    assert "'Load orders'" in problem.detail
    assert "gone" in problem.detail
    assert flow.fails("def g(df): return 1", [{}, LOST], mode="all").item == 1
    assert flow.fails("def g(df): return 1", [{}, {}], [{"df": LOST}]).code == "reference_gone"
    assert flow.fails("return _items", [LOST], mode="script").code == "reference_gone"
    answer = flow.run("def g(item): return 1", [{"n": 1}, LOST, {"n": 2}], on_error="continue")
    assert answer == [{"value": 1}, LOST, {"value": 1}]


def check_what_only_looks_like_a_reference_is_left_alone():
    flow = Workflow()
    for fake in [
        {"$qflow": 1},
        {"$qflow": {"ref": "short", "type": "x"}},
        {"$qflow": {"ref": "a" * 24}},
        {"$qflow": {"ref": "a" * 23 + "/", "type": "x"}},
        {"$qflow": {"ref": "a" * 24 + "\n", "type": "x"}},
        {"$qflow": {"ref": "short", "type": "x"}, "more": 1},
        {"$qflow": 1, "more": 1},
        {"$qflow": [{"ref": "a" * 24, "type": "x"}], "more": 1},
        {"deeper": {"$qflow": {"ref": "a" * 24, "type": "x"}, "more": 1}},
        {"deeper": [{"$qflow": {"ref": "a" * 24, "type": "x"}, "more": 1}]},
        {"text": '"$qflow"'},
    ]:
        assert flow.run("def g(item: dict): return item", [fake]) == [fake]


def check_fields_beside_a_reference_are_for_other_parameters():
    flow = Workflow()
    (item,) = flow.run(FRAME)
    beside = {**item, "region": "EU", "n": 2}
    head = "import pandas as pd\nfrom typing import *\n"
    for code in [
        "def f(df: pd.DataFrame, region: str): return [len(df), region]",
        "def f(region: str, df: pd.DataFrame): return [len(df), region]",
        "def f(df, region): return [len(df), region]",
        "def f(region, df): return [len(df), region]",
        "def f(region, n, df): return [len(df) * n // 2, region]",
        "def f(n: int, *, region: str, df: pd.DataFrame): return [len(df) * n // 2, region]",
        "def f(value, region): return [len(value), region]",
        "def f(region, value): return [len(value), region]",
        "def f(rows: List[dict], region: str): return [len(rows), region]",
        "def f(df: pd.DataFrame, nothing: int = 2, region: str = ''): return [nothing, region]",
    ]:
        assert flow.run(head + code, [beside]) == [{"value": 2}, {"value": "EU"}], code
    for code in [
        "def f(df: pd.DataFrame, region: str): return [len(df), region]",
        "def f(region: str, df: pd.DataFrame): return [len(df), region]",
        "def f(df, region): return [len(df), region]",
    ]:
        assert flow.run(head + code, [beside], mode="all") == [{"value": 2}, {"value": "EU"}], code
    # The object goes before a field of the parameter's name, where the parameter is annotated with what it is.
    named = {**item, "df": "EU"}
    assert flow.run(head + "def f(df: pd.DataFrame): return len(df)", [named]) == [{"value": 2}]
    assert flow.run(head + "def f(df: str, x: pd.DataFrame): return [df, len(x)]", [named]) == [
        {"value": "EU"},
        {"value": 2},
    ]
    # A field called value is that field.
    named = {**item, "value": 7}
    assert flow.run(head + "def f(df: pd.DataFrame, value: int): return value + len(df)", [named]) == [
        {"value": 9}
    ]
    assert flow.run(head + "def f(x, df): return [x, len(df)]", [beside], [{"x": 1}]) == [
        {"value": 1},
        {"value": 2},
    ]
    problem = flow.fails(head + "def f(df: pd.DataFrame, regoin: str): return 1", [beside])
    assert problem.code == "argument_missing"
    assert "'region'" in problem.hint, problem.hint
    problem = flow.fails(head + "def f(size: int, region: str): return 1", [beside])
    assert problem.code == "argument_type"
    assert "DataFrame" in problem.detail


def check_fields_beside_references_of_several_items():
    flow = Workflow()
    (one,), (other,) = flow.run(FRAME), flow.run(FRAME)
    items = [{**one, "region": "EU"}, {**other, "region": "US"}]
    outcome = flow.outcome("def f(df, region): return [len(df), region]", items)
    made = json.loads(outcome.payload)
    assert [each["json"]["value"] for each in made] == [2, "EU", 2, "US"]
    assert [each["pairedItem"] for each in made] == [0, 0, 1, 1]
    takes = "import pandas as pd\ndef g(df: pd.DataFrame, region: str): return [len(df), region]"
    assert flow.run(takes, items) == [{"value": 4}, {"value": "EU"}]
    (kept,) = flow.run("def f(): return object()")
    assert flow.run("def g(a, b): return a is not b", [{**kept, "b": kept}]) == [{"value": False}]
    assert flow.elsewhere().run("def g(df, region): return len(df)", items) == [{"value": 2}, {"value": 2}]
    problem = flow.fails("def g(df, region): return 1", [{**LOST, "region": "EU"}])
    assert problem.code == "reference_gone"
    lost = {**LOST, "region": "EU"}
    answer = flow.run("def g(df, region): return region", [items[0], lost], on_error="continue")
    assert answer == [{"value": "EU"}, lost]


def check_an_item_with_fields_beside_its_reference_is_mapped():
    flow = Workflow()
    (item,) = flow.run(FRAME)
    beside = {**item, "region": "EU"}
    code = "def f(df, region): return [len(df), region]"
    assert flow.run(code, [beside], [{"df": beside}]) == [{"value": 2}, {"value": "EU"}]
    code = "def f(df, region='none'): return [len(df), region]"
    assert flow.run(code, [{}], [{"df": beside}]) == [{"value": 2}, {"value": "none"}]


def check_scripts_find_fields_beside_an_object():
    flow = Workflow()
    (item,) = flow.run(FRAME)
    beside = {**item, "region": "EU"}
    code = "j = _item['json']\nreturn {'n': len(j['$qflow']), 'region': j['region']}"
    assert flow.run(code, [beside]) == [{"n": 2, "region": "EU"}]
    code = "j = _items[0]['json']\nreturn [{'json': {'n': len(j['$qflow']), 'region': j['region']}}]"
    assert flow.run(code, [beside], mode="script") == [{"n": 2, "region": "EU"}]


def check_a_picture_beside_fields():
    flow = Workflow()
    (item,) = flow.run("import PIL.Image\ndef f(): return PIL.Image.new('L', (3, 2))", output="reference")
    beside = {**item, "width": 5}
    for code in [
        "def f(photo: PIL.Image.Image, width: int): return [photo.size[0], width]",
        "def f(width: int, photo: PIL.Image.Image): return [photo.size[0], width]",
    ]:
        assert flow.run("import PIL.Image\n" + code, [beside]) == [{"value": 3}, {"value": 5}], code


CHANGE = "def g(xs):\n    xs.append(9)\n    return len(xs)"
COUNT_THEM = "def g(xs): return len(xs)"


def check_a_shared_object_is_the_object_itself():
    for annotation in [
        "",
        ": list",
        ": List[int]",
        ": Sequence[int]",
        ": Any",
        ": object",
        ": Optional[List[int]]",
    ]:
        for items, args in [("item", ()), ("field", ()), ("arg", ({"xs": None},)), ("beside", ())]:
            flow = Workflow()
            (item,) = flow.run("def f(): return [1, 2]", output="reference")
            code = "from typing import *\n" + CHANGE.replace("(xs)", f"(xs{annotation})", 1)
            given = {"item": item, "field": {"xs": item, "n": 1}, "arg": {}, "beside": {**item, "n": 1}}[
                items
            ]
            mapped = [{"xs": item}] if args else []
            options = {"mode": "item"}
            where = (annotation, items)
            if items == "field" and annotation in (": Any", ": object"):
                continue  # the item itself is what such a parameter takes
            assert flow.run(code, [given], mapped, **options) == [{"value": 3}], where
            assert flow.run(COUNT_THEM, [item], **options) == [{"value": 2}], where
            assert flow.run(code, [given], mapped, sharing="shared", **options) == [{"value": 3}], where
            assert flow.run(COUNT_THEM, [item], **options) == [{"value": 3}], where
            assert flow.run(code, [given], mapped, sharing="shared", **options) == [{"value": 4}], where


def check_shared_by_all_calls_of_a_run():
    flow = Workflow()
    (item,) = flow.run("def f(): return [1, 2]", output="reference")
    code = "def g(n, xs):\n    xs.append(n)\n    return len(xs)"
    numbers = [{"n": 1}, {"n": 2}]
    assert flow.run(code, numbers, [{"xs": item}]) == [{"value": 3}, {"value": 3}]
    assert flow.run(code, numbers, [{"xs": item}], sharing="shared") == [{"value": 3}, {"value": 4}]
    assert sorted(flow.objects.lent()) == [told_of(item)["ref"]]
    assert flow.objects.lent() == []
    assert flow.run(COUNT_THEM, [item], mode="item") == [{"value": 4}]
    code = "def g(item: dict):\n    item['a'][0]['b'].append(1)\n    return len(item['a'][0]['b'])"
    nested = {"a": [{"b": item}]}
    assert flow.run(code, [nested], sharing="shared") == [{"value": 5}]
    assert flow.run(COUNT_THEM, [item], mode="item") == [{"value": 5}]
    outcome = flow.outcome(code, [nested], sharing="shared", output="reference")
    assert outcome.hints == []


def check_frames_models_and_scripts_share():
    for make, change, look in [
        ("pd.DataFrame({'a': [1, 2]})", "x.loc[0, 'a'] = 9", "int(x['a'][0])"),
        ("np.array([1, 2])", "x[0] = 9", "int(x[0])"),
        ("Box(1)", "x.v = 9", "x.v"),
        ("{'a': 1}", "x['a'] = 9", "x['a']"),
    ]:
        head = "import pandas as pd, numpy as np\nclass Box:\n    def __init__(self, v): self.v = v\n"
        flow = Workflow()
        items = flow.run(head + "def f(): return " + make, output="reference")
        flow.run(f"def g(x):\n    {change}\n    return 1", items, sharing="shared")
        assert flow.run("def g(x): return " + look, items) == [{"value": 9}], make
        script = f"x = _item['json']\n{change.replace('9', '8')}\nreturn {{'v': 1}}"
        flow.run(script, items, sharing="shared")
        assert flow.run("def g(x): return " + look, items) == [{"value": 8}], make


def check_a_shared_iterator_is_read_on():
    flow = Workflow()
    items = flow.run("def f():\n    yield from range(5)", output="reference")
    take = "def g(it): return [next(it)]"
    assert flow.run(take, items, sharing="shared") == [{"value": 0}]
    assert flow.run(take, items, sharing="shared") == [{"value": 1}]
    assert flow.fails(take, items).code == "reference_gone"


def check_shared_elsewhere_is_a_copy_and_says_so():
    flow = Workflow()
    items = flow.run("def f(): return [1, 2]", output="reference")
    other = flow.elsewhere()
    for length in (3, 4):
        outcome = other.outcome(CHANGE, items, mode="item", sharing="shared")
        assert json.loads(outcome.payload)[0]["json"] == {"value": length}
        (hint,) = outcome.hints
        assert "copies" in hint, hint
        assert "'My node'" in hint, hint
    assert flow.run(COUNT_THEM, items, mode="item") == [{"value": 2}]
    assert other.outcome(COUNT_THEM, items, mode="item").hints == []
    # What was moved to the store for want of memory, and comes back, is its own session's.
    (reference,) = flow.objects.ids()
    flow.exchange.give_value(reference, flow.objects.export(reference))
    flow.objects.drop(reference)
    assert flow.outcome(CHANGE, items, mode="item", sharing="shared").hints == []
    assert flow.run(COUNT_THEM, items, mode="item") == [{"value": 3}]


def check_parallel_processes_have_copies_of_shared_objects():
    flow = Workflow()
    (item,) = flow.run("def f(): return [1, 2]", output="reference")
    code = "def g(n, xs):\n    xs.append(n)\n    return len(xs)"
    outcome = flow.outcome(
        code, [{"n": 1}, {"n": 2}, {"n": 3}], [{"xs": item}], sharing="shared", parallel=2, mode="item"
    )
    assert any("copies of the shared objects" in hint for hint in outcome.hints), outcome.hints
    assert flow.run(COUNT_THEM, [item], mode="item") == [{"value": 2}]


def check_nobody_elses_objects():
    items = Workflow().run(FRAME)
    assert Workflow().fails("def g(df): return 1", items).code == "reference_gone"


def check_an_open_generator():
    flow = Workflow()
    code = "def f():\n    yield from range(5)\n"
    items = flow.run(code, output="reference")
    assert told_of(items[0])["type"] == "generator"
    take = "from typing import Iterator\ndef g(it: Iterator[int]): return {'first': next(it)}"
    assert flow.run(take, items) == [{"first": 0}]
    problem = flow.fails(take, items)
    assert problem.code == "reference_gone"
    assert "only once" in problem.detail
    fresh = Workflow()
    items = fresh.run(code, output="reference")
    try:
        fresh.objects.export(told_of(items[0])["ref"])
    except Unpicklable as error:
        told = str(error)
    else:
        told = ""
    assert "generator" in told


def check_output_items_and_without_a_desk():
    flow = Workflow()
    assert flow.run(FRAME, output="items") == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
    assert flow.fails(MODEL + "def f(): return Model()", output="items").code == "result_type"
    assert flow.objects.ids() == []


def check_output_reference():
    flow = Workflow()
    outcome = flow.outcome("def f(n): return [n]", [{"n": 1}, {"n": 2}], output="reference")
    items = json.loads(outcome.payload)
    assert [item["pairedItem"] for item in items] == [0, 1]
    assert [told_of(item["json"])["ref"] for item in items] == outcome.kept
    assert flow.run("def g(n): return n[0]", [item["json"] for item in items]) == [{"value": 1}, {"value": 2}]
    (one,) = flow.run("def f(rows: list): return rows", [{"n": 1}, {"n": 2}], output="reference")
    assert told_of(one)["shape"] == [2]


def check_auto_without_keep():
    flow = Workflow(keep=False)
    assert flow.run(FRAME) == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
    assert flow.run("import numpy as np\ndef f(): return np.array([1, 2])") == [{"value": 1}, {"value": 2}]
    outcome = flow.outcome("import numpy as np\ndef f(): return np.zeros((2, 3))")
    assert told_of(json.loads(outcome.payload)[0]["json"])["shape"] == [2, 3]
    outcome = flow.outcome(MODEL + "def f(): return {'m': Model(), 'nan': float('nan'), 'big': 2 ** 60}")
    item = json.loads(outcome.payload)[0]["json"]
    assert told_of(item["m"])
    assert item["nan"] is None
    assert len(outcome.kept) == 2 - 1
    assert "Model" in "".join(outcome.hints)


def check_auto_with_keep():
    flow = Workflow()
    simple = "import numpy as np, decimal, pandas as pd\nfrom typing import NamedTuple\nclass P(NamedTuple):\n    x: int\n"
    assert flow.run(
        simple + "def f(): return {'a': np.int64(3), 'b': decimal.Decimal('1.5'), 'c': pd.NaT}"
    ) == [{"a": 3, "b": "1.5", "c": None}]
    assert flow.run(simple + "def f(): return [P(1), P(2)]") == [{"x": 1}, {"x": 2}]
    assert flow.run(simple + "def f(): return (n for n in range(2))") == [{"value": 0}, {"value": 1}]
    assert flow.objects.ids() == []
    for made in [
        "pa.table({'a': [1]})",
        "pl.DataFrame({'a': [1]})",
        "np.array([1])",
        "pd.Series([1])",
        "pa.array([1])",
    ]:
        (item,) = flow.run(
            f"import pyarrow as pa, polars as pl, numpy as np, pandas as pd\ndef f(): return {made}"
        )
        assert told_of(item), made
    items = flow.run(FRAME + "def _g(): pass\ndef main(): return [f(), f()]", function="main")
    assert len(items) == 2
    assert all(told_of(item) for item in items)


def check_what_contains_itself():
    flow = Workflow()
    code = "def f():\n    a = {}\n    a['a'] = a\n    return a"
    assert flow.fails(code).code == "result_type"
    items = flow.run(code, output="reference")
    assert flow.run("def g(x): return x['a'] is x", items, [], mode="item") == [{"value": True}]
    assert flow.elsewhere().run("def g(x): return x['a'] is x", items) == [{"value": True}]


def check_a_failed_item_leaves_nothing():
    flow = Workflow()
    code = (
        MODEL
        + "def f(n):\n    def g():\n        yield Model()\n        if n == 2: raise ValueError\n    return g()"
    )
    outcome = flow.outcome(code, [{"n": 1}, {"n": 2}, {"n": 3}], on_error="continue")
    assert outcome.errors == 1
    assert len(outcome.kept) == 2
    assert sorted(outcome.kept) == sorted(flow.objects.ids())
    flow.fails(MODEL + "def f(n):\n    yield Model()\n    raise ValueError")


def check_scripts_get_objects():
    flow = Workflow()
    items = flow.run(FRAME)
    assert flow.run("return [{'json': {'n': len(_items[0]['json'])}}]", items, mode="script") == [{"n": 2}]
    assert flow.run("return {'n': len(_item['json'])}", items) == [{"n": 2}]
    assert flow.run("return {'n': len(_item['json']['df'])}", [{"df": items[0], "x": 1}]) == [{"n": 2}]
    assert flow.run("return [{'n': len(_input.all()[0].json.df)}]", [{"df": items[0]}]) == [{"n": 2}]


def check_passed_on_it_is_paired():
    flow = Workflow()
    items = flow.run(FRAME)
    outcome = flow.outcome(
        "import pandas as pd\ndef g(df: pd.DataFrame) -> pd.DataFrame: return df", items, output="reference"
    )
    assert json.loads(outcome.payload)[0]["pairedItem"] == 0


def check_what_cannot_be_copied_is_handed_over_itself():
    objects = Objects()
    lock = threading.Lock()
    told = told_of(objects.keep({"lock": lock}))
    assert objects.take(told["ref"])["lock"] is lock
    table = pa.table({"a": [1]})
    assert objects.take(told_of(objects.keep(table))["ref"]) is table
    text = ("a", 1)
    assert objects.take(told_of(objects.keep(text))["ref"]) is text


def check_mapped_lists_are_new_for_each_call():
    flow = Workflow()
    items = flow.run(MODEL + "def f(): return Model()")
    code = "def g(n, xs):\n    xs.append(n)\n    return len(xs)"
    assert flow.run(code, [{"n": 1}, {"n": 2}], [{"xs": [items[0]]}]) == [{"value": 2}, {"value": 2}]
