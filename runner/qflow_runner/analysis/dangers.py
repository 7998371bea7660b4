"""Names whose use is worth a second look in a node, and why. Ruff's security rules say the rest."""

_PROGRAMS = "it starts another program"
_PROCESS = "it ends or forks the process that runs the code"
_TEXT = "it runs text as code"
_UNPICKLES = "what it loads can run code of whoever wrote it"
_MEMORY = "it reaches memory past Python's own rules"
_INSIDE = "it leads to the insides of the interpreter"

_EXACT = {
    "eval": _TEXT,
    "exec": _TEXT,
    "compile": _TEXT,
    "builtins.eval": _TEXT,
    "builtins.exec": _TEXT,
    "code.interact": _TEXT,
    "runpy.run_path": _TEXT,
    "runpy.run_module": _TEXT,
    "os.system": _PROGRAMS,
    "os.popen": _PROGRAMS,
    "os.posix_spawn": _PROGRAMS,
    "os.posix_spawnp": _PROGRAMS,
    "pty.spawn": _PROGRAMS,
    "os.fork": _PROCESS,
    "os.forkpty": _PROCESS,
    "os.kill": _PROCESS,
    "os.killpg": _PROCESS,
    "os._exit": _PROCESS,
    "os.abort": _PROCESS,
    "pickle.load": _UNPICKLES,
    "pickle.loads": _UNPICKLES,
    "pickle.Unpickler": _UNPICKLES,
    "marshal.load": _UNPICKLES,
    "marshal.loads": _UNPICKLES,
    "shelve.open": _UNPICKLES,
    "dill.load": _UNPICKLES,
    "dill.loads": _UNPICKLES,
    "cloudpickle.load": _UNPICKLES,
    "cloudpickle.loads": _UNPICKLES,
    "joblib.load": _UNPICKLES,
    "pandas.read_pickle": _UNPICKLES,
    "yaml.unsafe_load": _UNPICKLES,
    "sys._getframe": _INSIDE,
    "sys._current_frames": _INSIDE,
    "sys.settrace": _INSIDE,
    "sys.setprofile": _INSIDE,
    "sys.addaudithook": _INSIDE,
    "gc.get_objects": _INSIDE,
    "gc.get_referrers": _INSIDE,
    "inspect.currentframe": _INSIDE,
    "inspect.stack": _INSIDE,
    "shutil.rmtree": "it removes whole directories",
    "ssl._create_unverified_context": "certificates are not checked",
}
_PREFIXES = {
    "os.exec": _PROGRAMS,
    "os.spawn": _PROGRAMS,
    "subprocess.": _PROGRAMS,
    "asyncio.create_subprocess_": _PROGRAMS,
    "ctypes.": _MEMORY,
    "_ctypes.": _MEMORY,
    "cffi.": _MEMORY,
    "mmap.": _MEMORY,
    "qflow_agent": "it reaches into the program that runs the node",
}
_ATTRIBUTES = frozenset(
    (
        *("__subclasses__", "__globals__", "__code__", "__closure__", "__builtins__", "__bases__", "__mro__"),
        *("tb_frame", "f_back", "f_globals", "f_builtins", "gi_frame", "cr_frame", "ag_frame"),
    )
)


def danger_of(name: str) -> str:
    """Why the name is worth a look; empty where it is not."""
    if not name:
        return ""
    exact = _EXACT.get(name)
    if exact:
        return exact
    if "." in name and name.rpartition(".")[2] in _ATTRIBUTES:
        return _INSIDE
    return next((why for prefix, why in _PREFIXES.items() if name.startswith(prefix)), "")
