"""Code that is made, or happens, to be hard on parsers: each gets a clear answer in time."""

import asyncio
import time

import pytest

from qflow_runner.analysis import Analyzer, to_json

LIMIT_S = 2.0
SOUND = "def main(order: dict) -> int:\n    return 1\n"


def _elif(depth: int) -> str:
    return "if x == 0:\n    pass\n" + "".join(f"elif x == {n}:\n    pass\n" for n in range(depth))


def _nested_blocks(depth: int) -> str:
    return "".join(" " * n + "if x:\n" for n in range(depth)) + " " * depth + "pass\n"


DEPTH = 5_000
HOSTILE = {
    "parentheses": f"x = {'(' * DEPTH}1{')' * DEPTH}\n",
    "lists": f"x = {'[' * DEPTH}{']' * DEPTH}\n",
    "dictionaries": f"x = {'{1:' * DEPTH}1{'}' * DEPTH}\n",
    "calls": f"x = {'f(' * DEPTH}{')' * DEPTH}\n",
    "unary minus": f"x = {'-' * DEPTH}1\n",
    "not": f"x = {'not ' * DEPTH}1\n",
    "lambdas": f"x = {'lambda: ' * DEPTH}1\n",
    "attributes": f"x = a{'.b' * DEPTH}\n",
    "attribute in an annotation": f"def f(x: a{'.b' * DEPTH}): pass\n",
    "subscripts": f"x = a{'[0]' * DEPTH}\n",
    "additions": f"x = 1{' + 1' * DEPTH}\n",
    "unions": f"def f(x: int{' | int' * DEPTH}): pass\n",
    "conditions": f"x = {'1 if y else ' * DEPTH}1\n",
    "elif": _elif(DEPTH),
    "blocks": _nested_blocks(99),
    "blocks too deep": _nested_blocks(1_000),
    "decorators": "@d\n" * DEPTH + "def f(): pass\n",
    "one decorator called often": f"@d{'()' * DEPTH}\ndef f(): pass\n",
    "nested functions": "".join(" " * n + "def f():\n" for n in range(95)) + " " * 95 + "pass\n",
    "nested formatted strings": "x = " + "f'{" * 300 + "1" + "}'" * 300 + "\n",
    "await": f"async def f():\n    {'await ' * DEPTH}x\n",
    "strings side by side": "x = " + 'f"{a}" ' * DEPTH + "\n",
    "one million characters of code": "x = 1\n" * 166_000,
    "one million characters in a line": f"x = '{'a' * 999_000}'\n",
    "one million characters of a list": f"x = [{'1,' * 499_000}]\n",
    "one million open brackets": "(" * 999_000,
    "one million quotes": "'" * 999_000,
    "more than one million": "#" * 1_000_001,
    "many arguments": f"def f({', '.join(f'a{n}: int = {n}' for n in range(20_000))}): pass\n",
    "many functions": "".join(f"def f{n}(a: int, b=2):\n    return a\n" for n in range(20_000)),
    "many undefined names": "".join(f"x{n} = y{n}\n" for n in range(20_000)),
    "many classes that inherit": "class A0: pass\n"
    + "".join(f"class A{n}(A{n - 1}): x: int\n" for n in range(1, 3_000)),
    "null character": "x = 1\ny = '\0'\n",
    "null character alone": "\0",
    "lone surrogate": "x = '\ud800'\n",
    "lone surrogate in a name": "def f\udfff(): pass\n",
    "escaped surrogate in a docstring": 'def f(a="\\ud800"):\n    """Text \\ud800."""\n',
    "control characters": "x = '\x1b[31m\x07'\n",
    "form feed": "\x0cdef f(): pass\n",
    "only spaces": "   \n\t\n",
    "nothing": "",
    "unfinished string": 'x = """\n',
    "unfinished bracket": "def f(\n",
    "wrong indentation": "def f():\n\tx = 1\n        y = 2\n",
    "bytes of an image": "\x89PNG\r\n\x1a\n\xff\xd8",
    "a class that is its own base": "class A(A): pass\nclass B(C): pass\nclass C(B): pass\n",
    "aliases in a circle": "A = B\nB = A\nf = g\ng = f\ndef h(x: A) -> B: ...\n",
    "a type of itself": "type A = list[A]\ntype B = B\ndef f(x: A) -> B: ...\n",
    "shadowed builtins": "int = str\nlist = dict\nprint = None\ndef type(x: int) -> list[int]: ...\n",
    "recursion without end": "def f(x):\n    return [f(x)]\n",
    "recursion between two": "def f(x):\n    return g([x])\ndef g(x):\n    return f({1: x})\n",
    "header without end": "# /// script\n" * 10_000,
    "header that nests": f"# /// script\n# dependencies = {'[' * DEPTH}{']' * DEPTH}\n# ///\n",
}


@pytest.mark.parametrize("code", HOSTILE.values(), ids=HOSTILE)
async def test_clear_answer_in_time(analyzer: Analyzer, code: str) -> None:
    """Whatever the code, the answer comes within two seconds, is JSON in UTF-8, and the next code is analysed."""
    begin = time.perf_counter()
    analysis = await analyzer.analyze(code)
    seconds = time.perf_counter() - begin
    after = await analyzer.analyze(SOUND, infer=False)

    assert seconds <= LIMIT_S
    assert analysis.functions or analysis.findings or analysis.script
    assert str(to_json(analysis)).encode()
    assert ["main"] == [function.name for function in after.functions]


@pytest.mark.parametrize("name", ["many functions", "many undefined names", "many arguments"])
async def test_loop_is_not_blocked(analyzer: Analyzer, name: str) -> None:
    """While large code is analysed, the runner's other work goes on."""
    task = asyncio.create_task(analyzer.analyze(HOSTILE[name] + "\n", "3.13"))
    longest = 0.0
    while not task.done():
        begin = time.thread_time()  # not the clock's: others use this machine too
        await asyncio.sleep(0)
        longest = max(longest, time.thread_time() - begin)

    assert longest < 0.1


async def test_hostile_code_delays_nobody_else(analyzer: Analyzer) -> None:
    """Code that takes all of its time leaves other code its turn."""
    slow = asyncio.create_task(analyzer.analyze(HOSTILE["many arguments"] + "# \n"))
    answers = await asyncio.gather(*(analyzer.analyze(SOUND + f"# {n}\n", infer=False) for n in range(10)))
    await slow

    assert [["main"]] * 10 == [[function.name for function in answer.functions] for answer in answers]
