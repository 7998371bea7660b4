"""Code that is the body of a function, as n8n's Python nodes took it: native, Pyodide, and the community node."""

from typing import Any

from tests.unit.agent.cases import Case

PEOPLE: list[dict[str, Any]] = [{"name": "Ada", "age": 36}, {"name": "Alan", "age": 41}]


def script(name: str, code: str, *values: Any, items: list[Any] | None = None, **more: Any) -> Case:
    """A case for what a script gives."""
    given = PEOPLE if items is None else items
    return Case(name, code, given, None if "problem" in more else list(values), **more)


def fails(name: str, source: str, **problem: Any) -> Case:
    """A case for what a script is told."""
    options = problem.pop("options", {})
    return Case(name, source, PEOPLE, problem=problem, options=options)


NATIVE = [
    script("native: all items", "return _items", *PEOPLE, paired=[0, 1]),
    script(
        "native: one item",
        'return {"json": {"size": len(_item["json"]["name"])}}',
        {"size": 3},
        {"size": 4},
        paired=[0, 1],
    ),
    script(
        "native: changed in place",
        'for item in _items:\n    item["json"]["age"] += 1\nreturn _items',
        {"name": "Ada", "age": 37},
        {"name": "Alan", "age": 42},
        paired=[0, 1],
    ),
    script(
        "native: None drops an item",
        'if _item["json"]["age"] > 40:\n    return None\nreturn _item',
        PEOPLE[0],
        paired=[0],
    ),
    script(
        "native: sorted items keep what they were made from",
        'return sorted(_items, key=lambda i: -i["json"]["age"])',
        PEOPLE[1],
        PEOPLE[0],
        paired=[1, 0],
    ),
    script(
        "native: new items around old json",
        'return [{"json": i["json"]} for i in _items[1:]]',
        PEOPLE[1],
        paired=[1],
    ),
    script("native: bare dicts", 'return [{"n": i["json"]["age"]} for i in _items]', {"n": 36}, {"n": 41}),
    script("native: one dict for all", 'return {"count": len(_items)}', {"count": 2}, paired=[None]),
    script("native: one item for all", 'return {"json": {"count": len(_items)}}', {"count": 2}),
    script(
        "native: a pairedItem of its own",
        'return [{"json": {"a": 1}, "pairedItem": {"item": 1}}]',
        {"a": 1},
        paired=[{"item": 1}],
    ),
    script("native: no items", "return []"),
    script("native: a body without variables", 'return [{"json": {"a": 1}}]', {"a": 1}),
    script("native: a bare value", "return len(_items)", 2),
    script(
        "native: yield", 'for i in _items:\n    yield {"age": i["json"]["age"]}', {"age": 36}, {"age": 41}
    ),
    script(
        "native: helpers in the body see its names",
        'rate = 2\ndef double(i):\n    return {"n": i["json"]["age"] * rate}\nreturn [double(i) for i in _items]',
        {"n": 72},
        {"n": 82},
    ),
    script(
        "native: a helper reads the items",
        "def count():\n    return len(_items)\nreturn {'n': count()}",
        {"n": 2},
    ),
    script(
        "native: a function main that the body calls",
        "def main():\n    return _items\nreturn main()",
        *PEOPLE,
    ),
    script("native: classes", "class A:\n    n = 1\nreturn {'n': A().n}", {"n": 1}),
    script(
        "native: names are fresh for every item",
        "global seen\ntry:\n    seen += 1\nexcept NameError:\n    seen = 1\nreturn {'seen': seen, 'age': _item['json']['age']}",
        {"seen": 1, "age": 36},
        {"seen": 1, "age": 41},
    ),
    script(
        "native: a global the body sets",
        "global counter\ncounter = 0\ndef add():\n    global counter\n    counter += 1\n"
        "for i in _items:\n    add()\nreturn {'counter': counter}",
        {"counter": 2},
    ),
    script(
        "native: strings keep their lines",
        'text = """one\n  two\n\tthree"""\nreturn {"text": text}',
        {"text": "one\n  two\n\tthree"},
    ),
    script(
        "native: imports from __future__ and of everything",
        "from __future__ import annotations\nfrom math import *\nreturn {'n': floor(pi)}",
        {"n": 3},
    ),
    script(
        "native: await",
        "import asyncio\nawait asyncio.sleep(0)\nreturn {'n': len(_items)}",
        {"n": 2},
    ),
    script(
        "native: await for each item",
        "import asyncio\nawait asyncio.sleep(0)\nreturn {'age': _item['json']['age']}",
        {"age": 36},
        {"age": 41},
        paired=[0, 1],
    ),
    script(
        "native: an async comprehension",
        "async def numbers():\n    yield 1\n    yield 2\nreturn [{'n': n} async for n in numbers()]",
        {"n": 1},
        {"n": 2},
    ),
    script(
        "native: dates and other objects in the result",
        "import datetime\nreturn [{'json': {'at': datetime.date(2026, 2, 3)}}]",
        {"at": "2026-02-03"},
    ),
    script(
        "native: binary data comes and goes with its item",
        "return [{'json': {'keys': sorted(i)}, 'binary': i['binary']} for i in _items]",
        {"keys": ["binary", "json"]},
        items=[{"json": {"a": 1}, "binary": {"data": {"mimeType": "text/plain"}}, "pairedItem": {"item": 4}}],
        options={"whole": True},
    ),
    script(
        "native: print is no result",
        "print('seen')\nreturn _items",
        *PEOPLE,
    ),
    script(
        "mode item makes it one by one",
        "return {'n': len(_items)}",
        {"n": 2},
        {"n": 2},
        options={"mode": "item"},
    ),
    script(
        "mode all makes it one call",
        "return {'age': _item['json']['age']}",
        {"age": 36},
        options={"mode": "all"},
    ),
    script(
        "mode script for what is no function", "x = 1\nreturn {'x': x}", {"x": 1}, options={"mode": "script"}
    ),
    script(
        "a function that is named is no matter to a script",
        "return _items",
        *PEOPLE,
        options={"function": "f"},
    ),
    script(
        "mapped values are not used, and that is said",
        "return _items",
        *PEOPLE,
        args=[{"a": 1}],
        hint="a script has no parameters",
    ),
    script(
        "the others go on in a script",
        "return {'n': 1 / (_item['json']['age'] - 36)}",
        {"name": "Ada", "age": 36},
        {"n": 0.2},
        options={"on_error": "continue"},
        paired=[0, 1],
    ),
]

PYODIDE = [
    script(
        "pyodide: attributes",
        "for item in _input.all():\n    item.json.age = item.json.age + 1\nreturn _input.all()",
        {"name": "Ada", "age": 37},
        {"name": "Alan", "age": 42},
        paired=[0, 1],
    ),
    script(
        "pyodide: subscripts",
        'return [{"json": {"n": item["json"]["name"]}} for item in _input.all()]',
        {"n": "Ada"},
        {"n": "Alan"},
    ),
    script(
        "pyodide: first and last",
        "return {'a': _input.first().json.name, 'b': _input.last().json.name}",
        {"a": "Ada", "b": "Alan"},
    ),
    script(
        "pyodide: _input.item",
        "return {'n': _input.item.json.name}",
        {"n": "Ada"},
        {"n": "Alan"},
        paired=[0, 1],
    ),
    script("pyodide: _json", "return {'n': _json.name}", {"n": "Ada"}, {"n": "Alan"}, paired=[0, 1]),
    script(
        "pyodide: _json as a dict",
        "return {**_json, 'n': _json['age']}",
        *({**p, "n": p["age"]} for p in PEOPLE),
    ),
    script(
        "pyodide: _json beside all items is the first's",
        "return {'n': len(_input.all()), 'of': _json.name}",
        {"n": 2, "of": "Ada"},
    ),
    script("pyodide: _itemIndex", "return {'i': _itemIndex}", {"i": 0}, {"i": 1}),
    script(
        "pyodide: _item with attributes",
        "_item.json.age = 1\nreturn _item",
        {"name": "Ada", "age": 1},
        {"name": "Alan", "age": 1},
    ),
    script("pyodide: _items with attributes", "return [i.json for i in _items]", *PEOPLE, paired=[0, 1]),
    script(
        "pyodide: nested objects and lists",
        "first = _input.first().json\nfirst.address.city = first.address.city.upper()\n"
        "first.lines[0].price += 1\nreturn {'city': first.address.city, 'sum': sum(l.price for l in first.lines),"
        " 'n': first.lines.length, 'rest': first}",
        {
            "city": "PARIS",
            "sum": 6,
            "n": 2,
            "rest": {"address": {"city": "PARIS"}, "lines": [{"price": 3}, {"price": 3}]},
        },
        items=[{"address": {"city": "Paris"}, "lines": [{"price": 2}, {"price": 3}]}],
    ),
    script(
        "pyodide: to_py",
        "rows = _input.all().to_py()\nitem = _input.first().json.to_py()\n"
        "return {'types': [type(rows).__name__, type(rows[0]).__name__, type(item).__name__]}",
        {"types": ["list", "dict", "dict"]},
    ),
    script(
        "pyodide: methods of a dict",
        "j = _input.first().json\nj.update(extra=1)\nreturn {'keys': list(j.keys()), 'get': j.get('name'),"
        " 'none': j.get('nothing'), 'in': 'age' in j, 'values': [v for v in j.values()], 'n': len(j)}",
        {
            "keys": ["name", "age", "extra"],
            "get": "Ada",
            "none": None,
            "in": True,
            "values": ["Ada", 36, 1],
            "n": 3,
        },
    ),
    script(
        "pyodide: a field that is deleted",
        "j = _input.first().json\ndel j.age\nreturn [j]",
        {"name": "Ada"},
        paired=[0],
    ),
    script(
        "pyodide: hasattr",
        "j = _input.first().json\nreturn {'a': hasattr(j, 'age'), 'b': hasattr(j, 'x')}",
        {"a": True, "b": False},
    ),
    script(
        "pyodide: copies and JSON of a record",
        "import copy, json\nj = _input.first().json\nreturn {'deep': copy.deepcopy(j), 'text': json.dumps(j)}",
        {"deep": PEOPLE[0], "text": '{"name": "Ada", "age": 36}'},
    ),
    script(
        "pyodide: items first set from _input", "items = _input.all()\nreturn items", *PEOPLE, paired=[0, 1]
    ),
    script(
        "pyodide: ids of the run",
        "return {'w': _workflow.id, 'e': _execution.id, 'n': _node.name}",
        {"w": "workflow-7", "e": "execution-9", "n": "My node"},
    ),
    script("pyodide: ids by subscript", "return {'w': _workflow['id']}", {"w": "workflow-7"}),
    script(
        "pyodide: _now is a datetime",
        "import datetime\nreturn {'ok': isinstance(_now, datetime.datetime), 'aware': _now.tzinfo is not None}",
        {"ok": True, "aware": True},
    ),
    script(
        "pyodide: _today is midnight",
        "return {'t': _today.toFormat('HH:mm:ss.SSS'), 'same': _today.toISODate() == _now.toISODate()}",
        {"t": "00:00:00.000", "same": True},
    ),
    script(
        "pyodide: Luxon's arithmetic",
        "m = _now.replace(year=2026, month=1, day=31, hour=10, minute=5, second=7, microsecond=89000)\n"
        "return {'a': m.plus({'months': 1}).toISODate(), 'b': m.minus(days=31).toISODate(),"
        " 'c': m.startOf('month').toISODate(), 'd': m.endOf('year').toFormat('yyyy-LL-dd HH:mm:ss'),"
        " 'e': m.startOf('week').toISODate(), 'f': m.plus({'years': 1, 'hours': 20}).toISODate(),"
        " 'g': m.startOf('quarter').toISODate(), 'h': m.millisecond, 'i': m.minus(months=13).toISODate()}",
        {
            "a": "2026-02-28",
            "b": "2025-12-31",
            "c": "2026-01-01",
            "d": "2026-12-31 23:59:59",
            "e": "2026-01-26",
            "f": "2027-02-01",
            "g": "2026-01-01",
            "h": 89,
            "i": "2024-12-31",
        },
    ),
    script(
        "pyodide: Luxon's formats",
        "import datetime\nm = _now.setZone('utc').replace(year=2026, month=3, day=4, hour=15, minute=6, second=7,"
        " microsecond=8000)\n"
        "return {'a': m.toISO(), 'b': m.toFormat(\"d MMMM yyyy 'at' h:mm a\"), 'c': m.toFormat('ccc dd.MM.yy ZZ'),"
        " 'd': m.toMillis(), 'e': m.toUnixInteger(), 'f': m.isoformat(), 'g': str(m.toJSDate()),"
        " 'h': (m - datetime.timedelta(days=1)).toISODate(), 'i': m}",
        {
            "a": "2026-03-04T15:06:07.008+00:00",
            "b": "4 March 2026 at 3:06 PM",
            "c": "Wed 04.03.26 +00:00",
            "d": 1772636767008,
            "e": 1772636767,
            "f": "2026-03-04T15:06:07.008000+00:00",
            "g": "2026-03-04 15:06:07.008000+00:00",
            "h": "2026-03-03",
            "i": "2026-03-04T15:06:07.008000+00:00",
        },
    ),
    script(
        "pyodide: a response's json() is no attribute",
        "class R:\n    def json(self):\n        return {'a': 1}\nreturn R().json()",
        {"a": 1},
    ),
    script(
        "pyodide: _binary",
        "return {'b': _binary.data.mimeType}",
        {"b": "text/plain"},
        items=[{"json": {}, "binary": {"data": {"mimeType": "text/plain"}}}],
        options={"whole": True},
    ),
    script(
        "pyodide: None drops an item", "return _input.item if _json.age < 40 else None", PEOPLE[0], paired=[0]
    ),
    script("pyodide: mode all", "return _input.item", PEOPLE[0], options={"mode": "all"}, paired=[0]),
    script(
        "pyodide: items for each item",
        "return {'n': len(_input.all())}",
        {"n": 2},
        {"n": 2},
        options={"mode": "item"},
    ),
]

COMMUNITY = [
    script("community: items", "return items", *PEOPLE, paired=[0, 1]),
    script(
        "community: bare fields",
        'new = []\nfor item in items:\n    item["adult"] = item["age"] >= 18\n    new.append(item)\nreturn new',
        *({**person, "adult": True} for person in PEOPLE),
        paired=[0, 1],
    ),
    script(
        "community: fields under json",
        'for item in items:\n    item["json"]["age"] = 1\nreturn items',
        {"name": "Ada", "age": 1},
        {"name": "Alan", "age": 1},
        paired=[0, 1],
    ),
    script(
        "community: items made anew",
        "items = [i for i in items if i['age'] > 40]\nreturn items",
        PEOPLE[1],
        paired=[1],
    ),
    script(
        "community: items in the form of n8n's",
        "return [{'json': {'n': i['age']}} for i in items]",
        {"n": 36},
        {"n": 41},
    ),
    script(
        "community: item",
        "item['age'] += 1\nreturn item",
        *({**p, "age": p["age"] + 1} for p in PEOPLE),
        paired=[0, 1],
    ),
    script(
        "community: item under json", "return {'n': item['json']['age']}", {"n": 36}, {"n": 41}, paired=[0, 1]
    ),
    script("community: a list that shrinks", "del items[0]\nreturn items", PEOPLE[1], paired=[1]),
    script(
        "community: a list that grows",
        "items.append({'name': 'Eve'})\nreturn items",
        *PEOPLE,
        {"name": "Eve"},
        paired=[0, 1, None],
    ),
    script("community: nothing comes in", "return items", items=[]),
]

NO_SCRIPT = [
    script("a function with a parameter items", "def f(items: list): return len(items)", 2),
    script("a function with a parameter _item", "def f(_item: dict): return len(_item)", 2, 2),
    script("a module variable called items", "items = [1, 2]\ndef f(age): return age in items", False, False),
    script(
        "a function behind an import as _json",
        "import json as _json\ndef f(age): return _json.dumps(age)",
        "36",
        "41",
    ),
    script("a lone underscore", "def f(age):\n    return [_ for _ in range(1)]", 0, 0),
    script("a lambda with a parameter items", "_f = lambda items: items\ndef f(age): return _f(age)", 36, 41),
]

PROBLEMS = [
    fails(
        "no return at all",
        "for item in _items:\n    item['json']['a'] = 1",
        code="result_missing",
        category="user_code",
        hint="return _items",
        detail="returned nothing",
    ),
    fails("no return for an item", "x = _item['json']", code="result_missing", item=0, hint="return _item"),
    fails("pyodide: no return", "rows = _input.all()", code="result_missing", hint="return _input.all()"),
    fails(
        "community: no return",
        "for item in items:\n    print(item)",
        code="result_missing",
        hint="return items",
    ),
    fails(
        "a return that is not reached",
        "if not _items:\n    return []",
        code="result_missing",
        hint="came to an end",
    ),
    fails("a bare return for all", "x = len(_items)\nreturn", code="result_missing"),
    fails("an empty script", "", code="result_missing", options={"mode": "script"}),
    fails(
        "functions alone in mode script",
        "def f(): return 1",
        code="result_missing",
        options={"mode": "script"},
    ),
    fails(
        "a script that raises",
        "total = 0\nfor item in _items:\n    total += item['json']['agee']\nreturn total",
        code="code_raised",
        detail="KeyError: 'agee'",
        traceback='File "My node", line 3, in <script>',
    ),
    fails(
        "an item whose script raises",
        "return {'n': _item['json']['x']}",
        code="code_raised",
        item=0,
        hint="the fields name, age",
    ),
    fails(
        "an attribute that is not there",
        "return {'n': _json.nme}",
        code="code_raised",
        detail="no field 'nme'; it has name, age",
    ),
    fails(
        "a helper that raises",
        "def inner(i):\n    return 1 / 0\nreturn [inner(i) for i in _items]",
        code="code_raised",
        traceback="line 2, in inner",
    ),
    fails(
        "after a string of many lines",
        'text = """\n\n"""\nreturn 1 / 0',
        code="code_raised",
        traceback="line 4, in <script>",
    ),
    fails(
        "an async script that raises",
        "import asyncio\nawait asyncio.sleep(0)\nreturn 1 / 0",
        code="code_raised",
        traceback="line 3, in <script>",
    ),
    fails(
        "a script that is no Python",
        "for item in _items\n    pass\nreturn _items",
        code="code_syntax",
        line=1,
    ),
    fails(
        "what no function may hold", "return _items\nbreak", code="code_syntax", line=2, traceback="    break"
    ),
    fails("nonlocal in a script", "nonlocal x\nreturn _items", code="code_syntax", line=1),
    fails(
        "tabs and spaces",
        "if True:\n\tx = 1\n        y = 2\nreturn _items",
        code="code_syntax",
        detail="TabError",
    ),
    fails("sys.exit in a script", "import sys\nsys.exit(3)\nreturn _items", code="code_exited"),
    fails("a result that is no item", "return [object()]", code="result_type", path="[0]"),
    fails(
        "another node's items",
        "return _('Webhook').first()",
        code="script_variable",
        category="user_code",
        detail="_,",
        hint="Only the items that come in",
        traceback="line 1, in <script>",
    ),
    fails(
        "another node's items by _node",
        "return _node['Webhook'].json",
        code="script_variable",
        detail="_node.Webhook",
    ),
    fails(
        "the environment",
        "return {'a': _env.HOME}",
        code="script_variable",
        detail="_env",
        hint="{{ $env.NAME }}",
    ),
    fails(
        "n8n's variables",
        "x = 1\nreturn {'a': _vars['b']}",
        code="script_variable",
        hint="$vars",
        traceback="line 2",
    ),
    fails(
        "more of the workflow",
        "return {'a': _workflow.name}",
        code="script_variable",
        detail="_workflow.name",
    ),
    fails(
        "more of the input",
        "return _input.params",
        code="script_variable",
        detail="_input.params",
        hint="_input.all()",
    ),
    fails(
        "static data",
        "d = _getWorkflowStaticData('global')\nreturn d",
        code="script_variable",
        detail="_getWorkflowStaticData",
    ),
    fails("the run's index", "return {'a': _runIndex + 1}", code="script_variable", detail="_runIndex"),
    fails(
        "the environment of the community node",
        "return [{'k': env_vars.get('KEY')}]",
        code="script_variable",
        detail="env_vars",
    ),
    fails(
        "jmespath is a package",
        "import sys\nsys.modules['jmespath'] = None\nreturn _jmespath(_json, 'name')",
        code="script_variable",
        hint="requirements",
        item=0,
    ),
]

SCRIPTS = [*NATIVE, *PYODIDE, *COMMUNITY, *NO_SCRIPT, *PROBLEMS]
