"""Items shared out to forked processes. Run by test_parallel.py in several Pythons."""

import contextlib
import json
import os
import signal
import tempfile
import time
from pathlib import Path

from qflow_agent import forks, kernel, wire
from qflow_agent.call import call
from qflow_agent.definition import load
from qflow_agent.exchange import LocalExchange
from qflow_agent.problem import Problem, TimeLimit
from qflow_agent.references import Desk, Objects, told_of

COUNT = [0]


class Flow:
    """A session that shares items out. After each run nothing of it may be left: no process, no descriptor."""

    def __init__(self, parallel=4, keep=True):
        self.exchange = LocalExchange(tempfile.mkdtemp())
        self.objects = Objects()
        self.parallel = parallel
        self.keep = keep

    def outcome(self, code, items, on_error="stop", whole=False, args=(), **options):
        COUNT[0] += 1
        names = {"mode": "auto", "output": "auto", "validation": "strict", **options}
        define = wire.Define(f"p{COUNT[0]}", code, "", parallel=self.parallel, **names)
        body = {"items": items if whole else [{"json": item} for item in items], "args": list(args)}
        desk = Desk(self.objects, self.exchange, self.keep)
        loaded = load(define)
        processes, descriptors = kernel.children(), descriptors_open()
        try:
            return call(loaded, bytearray(json.dumps(body).encode()), "My node", on_error, desk=desk)
        finally:
            assert kernel.children() == processes, "a process is left"
            assert descriptors_open() == descriptors, "a descriptor is left"

    def items(self, code, items, *more, **options):
        return json.loads(self.outcome(code, items, *more, **options).payload)

    def values(self, code, items, *more, **options):
        found = [item["json"] for item in self.items(code, items, *more, **options)]
        return [each["value"] if set(each) == {"value"} else each for each in found]

    def fails(self, code, items, **options):
        before = self.objects.ids()
        try:
            self.outcome(code, items, **options)
        except Problem as problem:
            assert self.objects.ids() == before, "a failed run left something"
            return problem
        raise AssertionError("it did not fail")


def descriptors_open():
    return sorted(each.name for each in Path("/proc/self/fd").iterdir())


def numbers(count):
    return [{"n": n} for n in range(count)]


@contextlib.contextmanager
def limit(seconds):
    def ring(_number, _frame):
        raise TimeLimit

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def within(seconds):
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds


SAME = [
    "def f(n: int) -> int:\n    return n * 2\n",
    "def f(item: dict) -> dict:\n    return {'m': item['n'], 'deep': {'x': [item]}}\n",
    "def f(n: int):\n    return [] if n % 3 else [n, n + 1]\n",
    "def f(n: int):\n    for i in range(n % 4):\n        yield {'i': i, 'n': n}\n",
    "def f(n: int):\n    return {'big': 2 ** 60 + n, 'none': float('nan'), 'set': {n}}\n",
    "def f(n: int):\n    if n % 5 == 3:\n        raise ValueError('no %d' % n)\n    return n\n",
    "import sys\ndef f(n: int):\n    if n == 4:\n        sys.exit(3)\n    return object if n == 5 else n\n",
    "def f(n: str):\n    return n\n",
    "def f(item: dict, scale: float = 2.0):\n    item['n'] *= scale\n    return item\n",
    "async def _g(n):\n    return n\ndef f(n: int):\n    return _g(n)\n",
    "def f(n: int):\n    return {'json': {'n': n}, 'pairedItem': 0}\n",
    "def f(n: int):\n    return {'text': '\\ud800' if n == 2 else 'x' * 100_000}\n",
]


def check_results_are_those_of_one_process():
    for code in SAME:
        for count in (2, 3, 50):
            serial = Flow(1, keep=False).outcome(code, numbers(count), "continue", output="items")
            shared = Flow(4, keep=False).outcome(code, numbers(count), "continue", output="items")
            old, new = json.loads(serial.payload), json.loads(shared.payload)
            assert new == old, code
            assert (shared.items, shared.errors) == (serial.items, serial.errors), code
            assert sorted(shared.hints) == sorted(serial.hints), code


def check_many_small_items_and_few_large_ones():
    assert Flow(3).values("def f(n: int) -> int: return n", numbers(20_000)) == list(range(20_000))
    made = Flow(3).values("def f(n: int) -> str: return chr(97 + n) * 3_000_000", numbers(7))
    assert [(text[0], len(text)) for text in made] == [(chr(97 + n), 3_000_000) for n in range(7)]


def check_who_does_the_work():
    code = "import os, time\ndef f(n: int) -> int:\n    time.sleep(0.02)\n    return os.getpid()\n"
    pids = Flow(4).values(code, numbers(40))
    assert 1 < len(set(pids)) <= 4
    assert os.getpid() not in pids
    assert len(set(Flow(4).values(code.replace("0.02", "0.5"), numbers(2)))) == 2
    assert set(Flow(4).values(code, numbers(1))) == {os.getpid()}
    assert set(Flow(1).values(code, numbers(3))) == {os.getpid()}
    assert Flow(4).values(code, []) == []


def check_uneven_items_end_together():
    code = "import time\ndef f(n: int):\n    time.sleep(1.5 if n == 0 else 0.04)\n    return n\n"
    with within(2.8):  # one after the other takes 3.06 s
        assert Flow(2).values(code, numbers(40)) == list(range(40))


def check_the_first_error_stops_the_others():
    code = "import time\ndef f(n: int):\n    if n < 2:\n        time.sleep(60)\n    raise KeyError('m')\n"
    with within(10):
        problem = Flow(4).fails(code, numbers(8))
    assert problem.code == "code_raised"
    assert problem.item in (2, 3)  # the lowest that is known by then
    assert "raise KeyError('m')" in problem.traceback
    assert "The item has" in problem.hint


def check_a_process_that_ends_is_one_items_problem():
    for end, code, category in [
        ("os._exit(0)", "process_exited", "user_code"),
        ("os._exit(7)", "process_exited", "user_code"),
        ("os.kill(os.getpid(), 11)", "process_killed", "sandbox"),
        ("os.kill(os.getpid(), 9)", "process_killed", "sandbox"),
    ]:
        source = f"import os\ndef f(n: int):\n    if n in (3, 4, 17):\n        {end}\n    return n\n"
        problem = Flow(3).fails(source, numbers(20))
        assert (problem.code, problem.category) == (code, category), end
        assert problem.item in (3, 4, 17), end
        made = Flow(3).items(source, numbers(20), "continue")
        assert [item["json"] for item in made if "error" in item] == [{"n": 3}, {"n": 4}, {"n": 17}], end
        assert [item["pairedItem"] for item in made] == list(range(20)), end
        assert {item["error"]["code"] for item in made if "error" in item} == {code}, end


def check_code_that_closes_every_descriptor():
    code = "import os\ndef f(n: int):\n    if n % 3 == 1:\n        os.closerange(3, 4096)\n    return n\n"
    with within(10):
        made = Flow(3).items(code, numbers(20), "continue")
    # Which item its process is at when the session misses it is a matter of chance.
    assert len(made) == 20
    for number, item in enumerate(made):
        failed = item.get("error", {}).get("code") in ("process_killed", "process_exited")
        assert failed or item["json"] == {"value": number}
    assert made[0]["json"] == {"value": 0}


def check_a_death_that_its_children_hide():
    code = """
import os, time
def f(n: int):
    if n == 1:
        if os.fork() == 0:
            time.sleep(60)
        os._exit(3)
    return n
"""
    with within(10):
        problem = Flow(2).fails(code, numbers(4))
    assert (problem.code, problem.item) == ("process_exited", 1)


def check_what_the_code_starts_ends_with_the_run():
    code = "import subprocess\ndef f(n: int):\n    return subprocess.Popen(['sleep', '60']).pid\n"
    with within(10):
        pids = Flow(2).values(code, numbers(4))
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    late = "import subprocess\ndef f(n: int):\n    subprocess.run(['sleep', '60'])\n"
    with within(10), limit(0.5):
        problem = Flow(2).fails(late, numbers(4))
    assert problem.code == "time_limit", problem.document()


def check_a_forked_process_that_comes_back_has_no_say():
    code = "import os\ndef f(n: int):\n    child = os.fork()\n    if child:\n        os.waitpid(child, 0)\n    return n\n"
    assert Flow(2).values(code, numbers(10)) == list(range(10))
    failing = "import os\ndef f(n: int):\n    if os.fork() == 0:\n        raise ValueError(n)\n    return n\n"
    assert Flow(2).values(failing, numbers(4)) == list(range(4))


def check_the_time_limit_says_where_it_was():
    code = "def f(n: int):\n    while n == 2:\n        pass\n    return n\n"
    with within(10), limit(0.5):
        problem = Flow(2).fails(code, numbers(4))
    assert (problem.code, problem.item) == ("time_limit", 2)
    assert "while n == 2" in problem.traceback or "pass" in problem.traceback
    with within(10), limit(0.5):
        assert Flow(2).fails(code, numbers(4), on_error="continue").code == "time_limit"


def check_the_time_limit_ends_what_does_not_listen():
    for code in [
        "def f(n: int):\n  while True:\n    try:\n      while True: pass\n    except BaseException:\n      pass\n",
        "import signal as s, time\ndef f(n: int):\n    s.pthread_sigmask(s.SIG_BLOCK, [s.SIGALRM])\n    time.sleep(60)\n",
        "import os, signal\ndef f(n: int):\n    os.kill(os.getpid(), signal.SIGSTOP)\n",
    ]:
        with within(10), limit(0.5):
            problem = Flow(2).fails(code, numbers(4))
        assert (problem.code, problem.item) in [("time_limit", 0), ("time_limit", 1)], code


def check_a_value_that_never_loads_ends_with_the_time_limit():
    code = """
import time
class Slow:
    def __setstate__(self, state):
        time.sleep(60)
    def __getstate__(self):
        return 1
def f(n: int):
    return Slow()
"""
    with within(10), limit(0.7):
        assert Flow(2).fails(code, numbers(4)).code == "time_limit"


MODEL = "class Model:\n    def __init__(self, w): self.w = w\n"


def check_objects_come_to_the_session():
    flow = Flow(3)
    outcome = flow.outcome(MODEL + "def f(n: int): return {'model': Model(n), 'n': n}", numbers(9))
    items = [item["json"] for item in json.loads(outcome.payload)]
    assert [told_of(item["model"])["ref"] for item in items] == outcome.kept
    assert sorted(flow.objects.ids()) == sorted(outcome.kept)
    assert flow.values("def g(model): return model.w", items) == list(range(9))
    assert len({type(flow.objects.take(reference)) for reference in outcome.kept}) == 1
    again = flow.values(
        "def g(model, n: int):\n    assert model.w == n\n    return {'m': model, 'k': [model]}", items
    )
    assert [item["m"] == item["k"][0] for item in again] == [True] * 9


def check_objects_of_failed_items_are_dropped():
    flow = Flow(2)
    code = (
        MODEL
        + "import threading\ndef f(n: int):\n    return {'a': Model(n), 'b': threading.Lock() if n == 2 else n}"
    )
    problem = flow.fails(code, numbers(4))
    assert (problem.code, problem.item) == ("reference_unpicklable", 2)
    assert "lock" in problem.detail
    outcome = flow.outcome(code, numbers(4), "continue")
    assert outcome.errors == 1
    assert len(outcome.kept) == 3
    assert sorted(outcome.kept) == sorted(flow.objects.ids())
    raising = MODEL + "def f(n: int):\n    if n % 2: raise ValueError(n)\n    return Model(n)"
    for parallel in (1, 2):
        flow = Flow(parallel)
        outcome = flow.outcome(raising, numbers(6), "continue")
        assert (len(outcome.kept), outcome.errors) == (3, 3)
        assert sorted(outcome.kept) == sorted(flow.objects.ids())


def check_an_object_that_does_not_load_again():
    code = """
class Once:
    def __reduce__(self):
        return _broken, ()
def _broken():
    raise ValueError('not here')
def f(n: int):
    return Once() if n == 1 else n
"""
    problem = Flow(2).fails(code, numbers(4), validation="off")
    assert (problem.code, problem.item) == ("reference_unpicklable", 1)
    assert "not here" in problem.detail


def check_tables_and_arrays_come_whole():
    code = "import numpy as np, pandas as pd\ndef f(n: int):\n    return %s\n"
    flow = Flow(2)
    items = flow.values(code % "pd.DataFrame({'a': np.arange(200_000) + n})", numbers(3))
    assert flow.values("def g(df): return int(df['a'].iloc[0])", items) == [0, 1, 2]
    items = flow.values(code % "np.full((300, 300), n)", numbers(3))
    assert flow.values("def g(x): return bool(x.flags.aligned and x.flags.writeable)", items) == [True] * 3
    rows = Flow(2, keep=False).values(code % "pd.DataFrame({'a': [n, n]})", numbers(2))
    assert rows == [{"a": 0}, {"a": 0}, {"a": 1}, {"a": 1}]


def check_numpy_gives_each_process_its_own_numbers():
    code = "import numpy as np, time\ndef f(n: int):\n    time.sleep(0.01)\n    return float(np.random.random())\n"
    assert len(set(Flow(4).values(code, numbers(40)))) == 40


def check_files_go_out_through_the_session():
    flow = Flow(3)
    items = flow.items("def f(n: int) -> bytes: return bytes([n]) * 100_000", numbers(6))
    for number, item in enumerate(items):
        content = Path(flow.exchange.path(item["binary"]["data"]["file"])).read_bytes()
        assert content == bytes([number]) * 100_000
    reused = """
from pathlib import Path
import os, tempfile
def f(n: int):
    path = Path(tempfile.gettempdir()) / ('qflow-reused-%d' % os.getpid())
    path.write_bytes(bytes([n]) * 100_000)
    return path
"""
    for number, item in enumerate(flow.items(reused, numbers(6))):
        content = Path(flow.exchange.path(item["binary"]["data"]["file"])).read_bytes()
        assert content == bytes([number]) * 100_000


def check_files_come_in_through_the_session():
    flow = Flow(2)
    ids = [flow.exchange.give_file(b"%d" % n * 9, "a.txt", "text/plain") for n in range(5)]
    items = [{"json": {}, "binary": {"data": {"file": each, "fileName": "a.txt"}}} for each in ids]
    code = "from qflow import File\ndef f(data: File) -> str: return data.read_text()"
    assert flow.values(code, items, whole=True) == [str(n) * 9 for n in range(5)]
    items[3]["binary"]["data"]["file"] = "gone"
    problem = flow.fails(code, items, whole=True)
    assert (problem.code, problem.item) == ("file_gone", 3)


def check_the_context_in_a_process():
    flow = Flow(2)
    code = """
from qflow import Context
import threading
def f(n: int, context: Context):
    thread = threading.Thread(target=context.progress, args=(n / 10, 'item %d' % n))
    thread.start()
    thread.join()
    context.files.add('note.txt', 'x' * 70_000)
    context.cache[n] = 1
    return context.item
"""
    items = flow.items(code, numbers(6))
    assert [item["json"]["value"] for item in items] == list(range(6))
    assert all(item["binary"]["note"]["fileSize"] == 70_000 for item in items)
    assert flow.exchange.told
    assert all(text == f"item {round(fraction * 10)}" for fraction, text in flow.exchange.told)


def check_hints_count_all_items():
    outcome = Flow(3).outcome("def f(n: int): return 2 ** 60", numbers(30))
    assert [hint for hint in outcome.hints if "became strings: 30" in hint], outcome.hints


def check_where_it_has_no_effect_a_hint_says_so():
    for code, items, options, why in [
        ("def f(items: list): return len(items)", numbers(3), {}, "all items in one call"),
        ("def f(n): return n", numbers(3), {"mode": "all"}, "all items in one call"),
        ("async def f(n: int): return n", numbers(3), {}, "async"),
        ("return [{'json': {}}]", numbers(3), {"mode": "script"}, "script"),
    ]:
        outcome = Flow(4).outcome(code, items, **options)
        assert [hint for hint in outcome.hints if "no effect" in hint and why in hint], outcome.hints
    assert Flow(1).outcome("async def f(n: int): return n", numbers(3)).hints == []


def check_a_full_sandbox_has_fewer():
    code = "import os\ndef f(n: int) -> int: return os.getpid()\n"
    real = forks.fork
    left = [0]

    def scarce():
        if not left[0]:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        left[0] -= 1
        return real()

    forks.fork = scarce
    try:
        outcome = Flow(4).outcome(code, numbers(6))
        assert {item["json"]["value"] for item in json.loads(outcome.payload)} == {os.getpid()}
        assert "there were 1" in outcome.hints[0]
        left[0] = 2
        outcome = Flow(4).outcome(code, numbers(6))
        assert os.getpid() not in {item["json"]["value"] for item in json.loads(outcome.payload)}
        assert "there were 2" in outcome.hints[0]
    finally:
        forks.fork = real


def check_mapped_values_stay_with_their_items():
    code = "def f(a: int, b: list):\n    b.append(a)\n    return {'a': a, 'b': b}\n"
    args = [{"b": [n]} for n in range(10)]
    items = [{"a": n} for n in range(10)]
    made = Flow(3).values(code, items, args=args)
    assert made == [{"a": n, "b": [n, n]} for n in range(10)]
