"""What tells a script from a module of functions, and one dialect from another."""

import ast
import time

import pytest

from qflow_agent.dialects import dialect_of, read


@pytest.mark.parametrize(
    ("code", "dialect"),
    [
        ("def f(item): return item", ""),
        ("items = []\ndef f(): return items", ""),
        ("def f():\n    return items", ""),
        ("def f():\n    return _items", ""),
        ("x = 1", ""),
        ("", ""),
        ("import json as _json\ndef f(a): return _json.dumps(a)", ""),
        ("for _ in range(3): pass\ndef f(): return 1", ""),
        ("from gettext import gettext as _\ndef f(): return _('a')", ""),
        ("def f(item): return item\nif __name__ == '__main__':\n    print(f(item))", ""),
        ("class A:\n    items = 1\n    def f(self): return self.items", ""),
        ("_f = lambda items: len(items)\ndef g(a): return _f(a)", ""),
        ("rows = [_item for _item in range(3)]\ndef f(): return rows", ""),
        ("with open('x') as item:\n    text = item.read()", ""),
        ("try:\n    pass\nexcept ValueError as item:\n    print(item)", ""),
        ("n = [y := 1 for x in (1,)]\ndef f(): return y", ""),
        ("async def f(): return await g()", ""),
        ("return 1", "native"),
        ("if True:\n    return 1", "native"),
        ("yield 1", "native"),
        ("import asyncio\nawait asyncio.sleep(0)", "native"),
        ("async with x() as y:\n    pass", "native"),
        ("print([x async for x in y()])", "native"),
        ("return _items", "native"),
        ("for item in _items:\n    item['json']['a'] = 1", "native"),
        ("def f():\n    return _items\nreturn f()", "native"),
        ("return [i['json'] for i in _items]", "native"),
        ("_item['json']['n'] += 1\nreturn _item", "native"),
        ("response = get(_item['json']['url'])\nreturn {'json': response.json()}", "native"),
        ("return _input.all()", "pyodide"),
        ("items = _input.all()\nfor item in items:\n    pass\nreturn items", "pyodide"),
        ("rows = _input.all()", "pyodide"),
        ("return {'n': _json['n']}", "pyodide"),
        ("return {'at': _now.isoformat()}", "pyodide"),
        ("return _('Webhook').all()", "pyodide"),
        ("_item.json.n = 1\nreturn _item", "pyodide"),
        ("return [i.json for i in _items]", "pyodide"),
        ("return _items.to_py()", "pyodide"),
        ("return items", "community"),
        ("items = [i for i in items if i]\nreturn items", "community"),
        ("items += [1]\nreturn items", "community"),
        ("for item in items:\n    item['a'] = 1\nreturn items", "community"),
        ("item['a'] = 1\nreturn item", "community"),
        ("for item in items:\n    print(item)", "community"),
        ("def f(i): return i\nreturn [f(i) for i in items]", "community"),
        ("return [{'key': env_vars['A']}]", "community"),
    ],
)
def test_dialect(code: str, dialect: str) -> None:
    """Names count that are read before anything sets them; ordinary words count only in a body."""
    assert dialect == dialect_of(ast.parse(code))


@pytest.mark.parametrize(
    ("code", "per_item"),
    [
        ("return _item", True),
        ("return _items", False),
        ("return [_item for _item in _items]", False),
        ("return _input.item", True),
        ("return _input.first()", False),
        ("return {'n': _json.n, 'all': len(_input.all())}", False),
        ("return {'i': _itemIndex}", True),
        ("return item", True),
        ("item = items[0]\nreturn item", False),
        ("return 1", False),
    ],
)
def test_once_per_item(code: str, per_item: bool) -> None:
    """A script that names a single item, and never all of them, is for each item."""
    assert per_item == read(ast.parse(code)).per_item


def test_deep_code_takes_no_recursion() -> None:
    """A sum of many terms is a tree as deep as it is long."""
    deep: ast.expr = ast.Name("items", ast.Load())
    for _ in range(50_000):
        deep = ast.BinOp(deep, ast.Add(), ast.Constant(1))
    tree = ast.Module([ast.Return(deep)], [])

    assert "community" == dialect_of(tree)


def test_long_code_takes_little_time() -> None:
    """500 functions: the runner's analysis asks too, and answers within milliseconds."""
    code = "\n".join(f"def f{n}(a, b=1):\n    return [x + a for x in range(b)]" for n in range(500))
    tree = ast.parse(code)
    started = time.perf_counter()

    assert "" == dialect_of(tree)
    assert time.perf_counter() - started < 1
