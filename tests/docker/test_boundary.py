"""The boundary of a sandbox, from within: what the kernel refuses, what is hidden, and what must work all the same."""

import asyncio
from pathlib import Path
from typing import Any

import docker
import pytest

from qflow_runner.layers import Confined
from qflow_runner.sandbox import hardening
from qflow_runner.sandbox.containers import container_name
from qflow_runner.sandbox.docker import DockerBackend
from tests.runner import RunnerClient

PROBES = Path(__file__).parent / "probes"
SYSCALLS = (PROBES / "syscalls.py").read_text()
ORDINARY = (PROBES / "ordinary.py").read_text()
NO = {"EPERM", "ENOSYS", "SIGSYS"}


async def one(runner: RunnerClient, code: str, items: list[Any] | None = None, **options: Any) -> Any:
    (value,) = await runner.values(code, items, **options)
    return value


async def test_system_calls_that_no_code_needs(runner: RunnerClient) -> None:
    """Each is refused by number, whatever privileges it would ask for; the list is on, and lets the rest through."""
    told = await one(runner, SYSCALLS, function="probe")

    assert ("2", "done") == (told["mode"], told["allowed"])
    assert {} == {name: said for name, said in told["refused"].items() if said not in NO}
    assert told["refused"]["clone3"] == "ENOSYS"


async def test_the_same_list_holds_where_strangers_code_is_built_and_compiled() -> None:
    """Containers for jobs have it too."""
    backend = DockerBackend("boundary-tests")
    program = SYSCALLS + "\nimport json\nprint(json.dumps(probe()))\n"
    job = Confined(
        python="3.12",
        command=["/usr/local/bin/python3", "-c", program],
        deadline_s=60,
        readable={},
        writable={},
        lines=200,
    )
    try:
        ended = await backend.confine(job)
    finally:
        await backend.close()

    assert ended.status == 0, ended.told
    assert '"mode": "2"' in ended.told
    assert ': "done"' not in ended.told.partition('"allowed"')[0]


async def test_ordinary_code_works(runner: RunnerClient) -> None:
    """Threads, processes, shared memory, programs, sockets, files and locks."""
    told = await one(runner, ORDINARY, function="work", execution="ordinary")

    assert told == {
        "threads": [0, 2, 4, 6],
        "pool": [0, 2, 4, 6],
        "queue": 1,
        "shared": 7,
        "program": "Linux",
        "python": True,
        "mmap": "ok",
        "memfd": 3,
        "sql": 42,
        "lock": True,
        "tcp": "hi",
        "pair": "x",
        "name": "127.0.0.1",
    }


async def test_large_packages_work(runner: RunnerClient) -> None:
    """Those with threads, allocators and vector code of their own."""
    code = """
import numpy as np, pandas as pd, polars as pl, pyarrow as pa
def work() -> dict:
    a = np.random.default_rng(1).random((300, 300))
    frame = pd.DataFrame({"g": [1, 1, 2], "v": [1.0, 2.0, 3.0]})
    frame.to_parquet("some.parquet")
    lazy = pl.scan_parquet("some.parquet").group_by("g").agg(pl.col("v").sum()).sort("g").collect()
    return {"rank": int(np.linalg.matrix_rank(a)), "sums": lazy["v"].to_list(), "rows": pa.Table.from_pandas(frame).num_rows}
"""
    told = await one(runner, code, requirements=["numpy", "pandas", "polars", "pyarrow"], workflow="large")

    assert {"rank": 300, "sums": [3.0, 3.0], "rows": 3} == told


async def test_what_is_hidden_of_the_host(runner: RunnerClient) -> None:
    """A masked file is empty and a masked directory too; nothing of the host's can be written."""
    code = """
import os
def look(item: dict) -> dict:
    told = {}
    for path in item["paths"]:
        try:
            told[path] = len(os.listdir(path)) if os.path.isdir(path) else len(open(path, "rb").read(100))
        except OSError:
            told[path] = 0
    written = []
    for path in ("/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/sys/fs/cgroup/memory.max", "/etc/hosts", "/usr/x"):
        try:
            open(path, "a").close()
            written.append(path)
        except OSError:
            pass
    return {"seen": {path: n for path, n in told.items() if n}, "written": written}
"""
    told = await one(runner, code, [{"paths": [*hardening.MASKED]}])

    assert ({}, []) == (told["seen"], told["written"])


async def test_what_docker_was_told(runner: RunnerClient) -> None:
    """The whole of it, as Docker has it."""
    await one(runner, "def f() -> dict:\n    return {}\n", workflow="inspected")
    (row,) = [row for row in await runner.sandboxes() if row["workflow"] == "inspected"]
    about = docker.from_env().api.inspect_container(container_name(row["id"]))
    config = about["HostConfig"]

    assert (True, "none", "private", []) == (
        config["ReadonlyRootfs"],
        config["NetworkMode"],
        config["IpcMode"],
        config["Devices"] or [],
    )
    assert (["ALL"], None, False) == (config["CapDrop"], config["CapAdd"], config["Privileged"])
    assert "no-new-privileges:true" in config["SecurityOpt"]
    assert all("noexec" in options and "nosuid" in options for options in config["Tmpfs"].values())
    assert hardening.ULIMITS == {each["Name"]: each["Hard"] for each in config["Ulimits"]}
    assert set(config["MaskedPaths"]) >= {"/proc/keys", "/proc/kcore", "/sys/firmware"}
    assert [mount["RW"] for mount in about["Mounts"] if mount["Type"] == "bind"] == [False] * 4


HOLD = """
import os, socket, subprocess, sys
kept = []
def hold(secret: str) -> dict:
    paths = []
    for place in (os.getcwd(), os.environ["HOME"], os.environ["TMPDIR"], "/tmp"):
        path = os.path.join(place, "secret.txt")
        with open(path, "w") as file:
            file.write(secret)
        paths.append(os.path.realpath(path))
    abstract = socket.socket(socket.AF_UNIX)
    abstract.bind("\\0held-%d" % os.getpid())
    abstract.listen()
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], env={**os.environ, "SECRET": secret})
    kept.extend((abstract, child))
    return {"paths": paths, "abstract": "held-%d" % os.getpid(), "pids": [os.getpid(), child.pid]}
"""

REACH = """
import ctypes, os, signal, socket
def reach(item: dict) -> list:
    got = []
    def attempt(name, work):
        try:
            work()
        except OSError:
            return
        got.append(name)
    for path in item["paths"]:
        for name, mode in (("read", "r"), ("write", "w"), ("append", "a")):
            attempt("%s %s" % (name, path), lambda: open(path, mode).close())
        attempt("list " + path, lambda: os.listdir(os.path.dirname(path)))
        attempt("remove " + path, lambda: os.unlink(path))
        attempt("rename " + path, lambda: os.rename(path, "mine"))
        attempt("link " + path, lambda: os.link(path, "mine"))
    for pid in (*item["pids"], 1):
        for number in (0, signal.SIGCONT, signal.SIGTERM):
            attempt("signal %d to %d" % (number, pid), lambda: os.kill(pid, number))
        attempt("pidfd of %d" % pid, lambda: signal.pidfd_send_signal(os.pidfd_open(pid), 0))
        for name in ("environ", "mem", "maps", "auxv", "io"):
            attempt("%s of %d" % (name, pid), lambda: open("/proc/%d/%s" % (pid, name), "rb").read(16))
        for name in ("cwd", "exe", "root"):
            attempt("%s of %d" % (name, pid), lambda: os.readlink("/proc/%d/%s" % (pid, name)))
        for number in range(20):
            # Which numbers are in use can be seen of a program that was started, and no more.
            attempt("descriptor of %d" % pid, lambda: os.readlink("/proc/%d/fd/%d" % (pid, number)))
            attempt("content of %d" % pid, lambda: os.open("/proc/%d/fd/%d" % (pid, number), os.O_RDONLY))
        attempt("priority of %d" % pid, lambda: os.setpriority(os.PRIO_PROCESS, pid, 19))
    attempt("abstract", lambda: socket.socket(socket.AF_UNIX).connect("\\0" + item["abstract"]))
    attempt("homes", lambda: os.listdir(os.path.dirname(os.environ["HOME"])))
    libc = ctypes.CDLL(None)
    if libc.inotify_add_watch(libc.inotify_init1(0), b"/dev/shm", 0x100) >= 0:
        got.append("names of shared memory")
    return [{"got": got}]
"""


@pytest.mark.parametrize("requirements", [[], ["six"]], ids=["first process", "environment"])
async def test_executions_are_apart(runner: RunnerClient, requirements: list[str]) -> None:
    """Files, processes and sockets of one execution are not there for another of the workflow, whoever forked both."""
    hold, reach = HOLD, REACH
    if requirements:
        hold, reach = f"import six\n{HOLD}", f"import six\n{REACH}"
    options: dict[str, Any] = {"workflow": f"apart-{len(requirements)}", "requirements": requirements}
    secret = "what nobody else may see"
    held = await one(runner, hold, [{"secret": secret}], execution="holds", function="hold", **options)

    told = await one(runner, reach, [held], execution="reaches", function="reach", **options)

    assert told["got"] == []
    again = "def again() -> dict:\n    return {'text': open('/tmp/secret.txt').read()}\n"
    if requirements:
        again = f"import six\n{again}"
    assert {"text": secret} == await one(runner, again, execution="holds", function="again", **options)


async def test_a_home_is_empty_at_first_and_gone_at_last(runner: RunnerClient) -> None:
    """Whatever is in it: what nobody may read, and what is too deep for a path."""
    code = """
import os, tempfile
def fill() -> dict:
    before = os.listdir(".")
    home = os.getcwd()
    places = [os.path.realpath(each) for each in (os.environ["HOME"], tempfile.gettempdir(), os.path.expanduser("~"), "/tmp")]
    os.mkdir("closed"); open("closed/x", "w").close(); os.chmod("closed", 0)
    for _ in range(1500):
        os.mkdir("deep"); os.chdir("deep")
    open("big", "wb").write(bytes(20 << 20))
    os.chdir(home)
    return {"before": before, "places": places == [home] * 4, "home": home}
"""
    for n in range(5):  # 20 MB each, of 64
        told = await one(runner, code, workflow="homes", execution=f"e{n}")
        assert ([], True) == (told["before"], told["places"]), told
        status, _ = await runner.call("DELETE", f"/v1/executions/e{n}/session", params={"workflow": "homes"})
        assert status < 300
        await asyncio.sleep(0.3)  # nothing tells when it is gone


async def test_the_session_is_the_victim_of_a_memory_bomb(runner: RunnerClient) -> None:
    """The kernel ends what took the memory; the zygote and other executions live on."""
    keep = "kept = []\ndef keep() -> dict:\n    kept.append(1)\n    return {'n': len(kept)}\n"
    score = "def score() -> dict:\n    return {p: int(open(f'/proc/{p}/oom_score_adj').read()) for p in ('self', '1')}\n"
    bomb = (
        "import os\ndef bomb() -> dict:\n    return {'n': len([os.urandom(1 << 20) for _ in range(4000)])}\n"
    )
    scores = await one(runner, score, workflow="bomb", execution="other")
    await one(runner, keep, workflow="bomb", execution="other")
    (before,) = [row["id"] for row in await runner.sandboxes() if row["workflow"] == "bomb"]

    status, reply = await runner.run(bomb, workflow="bomb", execution="bomb")

    assert scores["self"] > scores["1"]
    assert (507, "out_of_memory") == (status, reply["code"]), reply
    assert {"n": 2} == await one(runner, keep, workflow="bomb", execution="other")
    assert [before] == [row["id"] for row in await runner.sandboxes() if row["workflow"] == "bomb"]
