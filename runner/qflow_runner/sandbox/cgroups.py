"""A container's control groups: below them a group for a session, whose limits the kernel holds.

Docker makes the container's group, which stays the outer wall. A group for a session is made only where a node asks
for less than its sandbox has, and only where the runner may write there: as root, on the machine itself. Everything
that a session starts stays in its group, also what leaves its process group or loses its parent.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import structlog

from qflow_runner.limits import Asked

log = structlog.get_logger()

CONTROLLERS = ("memory", "cpu", "pids")
REST = "agent"
"""Version 2 wants processes in the leaves: who has no group of its own is here."""

SESSION = "session-"
BURST = ("cpu.cfs_burst_us", "cpu.max.burst")
"""By version."""


class Group:
    """A session's group. `places` has its directory by controller; with version 2 that is one and the same."""

    def __init__(self, places: dict[str, Path], *, unified: bool) -> None:
        self.places = places
        self.unified = unified
        self._kills = 0

    def take(self, pids: Iterable[int]) -> None:
        """Move these processes here. Raises OSError for the first that cannot be; those that are gone do not count."""
        for place in dict.fromkeys(self.places.values()):
            for pid in pids:
                with suppress(ProcessLookupError):
                    _write(place / "cgroup.procs", pid)

    def limit(self, asked: Asked, period_us: int, *, burst: bool = False) -> None:
        """Hold it to these limits. Raises OSError where the kernel does not."""
        memory, cpu, pids = (self.places[name] for name in CONTROLLERS)
        size = asked.memory_mb << 20 if asked.memory_mb else -1
        quota = int(period_us * asked.cpus) if asked.cpus else -1
        saved = cpu / BURST[self.unified]
        with suppress(OSError):
            _write(saved, 0)  # it may never be more than the share, which is about to change
        if self.unified:
            _write(memory / "memory.max", size if size > 0 else "max")
            _write_if_there(memory / "memory.swap.max", 0)
            _write(cpu / "cpu.max", f"{quota if quota > 0 else 'max'} {period_us}")
        else:
            # Memory with swap is never under memory alone: one of the two orders fits.
            with suppress(OSError):
                _write_if_there(memory / "memory.memsw.limit_in_bytes", size)
            _write(memory / "memory.limit_in_bytes", size)
            _write_if_there(memory / "memory.memsw.limit_in_bytes", size)
            _write(cpu / "cpu.cfs_period_us", period_us)
            _write(cpu / "cpu.cfs_quota_us", quota)
        if burst and quota > 0:
            with suppress(OSError):
                _write(saved, quota)
        _write(pids / "pids.max", asked.processes or "max")

    def processes(self) -> list[int]:
        with suppress(OSError, ValueError):
            return [int(pid) for pid in (self.places["pids"] / "cgroup.procs").read_text().split()]
        return []

    def kills(self) -> int:
        """How often the kernel ended one of its processes for want of memory."""
        name = "memory.events" if self.unified else "memory.oom_control"
        with suppress(OSError, ValueError):
            for line in (self.places["memory"] / name).read_text().splitlines():
                if line.startswith("oom_kill "):
                    self._kills = int(line.split()[1])
        return self._kills

    def remove(self) -> bool:
        """Whether it is gone; a group with processes stays. What it counted is known still."""
        self.kills()
        for place in dict.fromkeys(self.places.values()):
            try:
                place.rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                return False
        return True


class Groups:
    """The groups of one container."""

    def __init__(self, places: dict[str, Path], *, unified: bool) -> None:
        self._places = places
        self._unified = unified
        self._made = 0

    @classmethod
    def of(cls, pid: int, proc: Path = Path("/proc")) -> "Groups | None":
        """Those that this process of a container is in; None where the runner sees none, or is in them itself."""
        try:
            mounts = _mounts((proc / "self" / "mountinfo").read_text())
            theirs = _paths((proc / str(pid) / "cgroup").read_text())
            ours = _paths((proc / "self" / "cgroup").read_text())
        except OSError:
            return None
        unified = "memory" not in theirs
        places: dict[str, Path] = {}
        for name in CONTROLLERS:
            controller = "" if unified else name
            path, mount = theirs.get(controller), mounts.get(controller)
            if path is None or mount is None or path in {"/", ours.get(controller)}:
                return None
            place = Path(mount + path.removesuffix(f"/{REST}"))
            if not place.is_dir():
                return None
            places[name] = place
        return cls(places, unified=unified)

    def group(self, name: str = "") -> Group:
        """A new group below. Raises OSError where the runner may not make one."""
        if self._unified:
            self._make_room()
        self._made += 1
        name = name or f"{SESSION}{self._made}"
        places = {controller: place / name for controller, place in self._places.items()}
        group = Group(places, unified=self._unified)
        try:
            for place in dict.fromkeys(places.values()):
                place.mkdir(exist_ok=True)
        except OSError:
            group.remove()
            raise
        return group

    def burst(self, quota_us: int) -> bool:
        """Let it use up CPU time that it saved, at most one more share at once. Whether the kernel does that."""
        place = self._places["cpu"]
        try:
            _write(place / BURST[self._unified], quota_us)
        except OSError:
            return False
        return True

    def usage(self) -> tuple[int, float, int] | None:
        """Bytes of memory without what the kernel gives back, seconds of CPU, and processes, of the whole container."""
        memory, cpu, pids = (self._places[name] for name in CONTROLLERS)
        try:
            stat = _table(memory / "memory.stat")
            if self._unified:
                used = int((memory / "memory.current").read_text()) - stat.get("inactive_file", 0)
                seconds = _table(cpu / "cpu.stat").get("usage_usec", 0) / 1e6
            else:
                used = int((memory / "memory.usage_in_bytes").read_text()) - stat.get(
                    "total_inactive_file", 0
                )
                seconds = self._account()
            return max(used, 0), seconds, int((pids / "pids.current").read_text())
        except (OSError, ValueError):
            return None

    def _account(self) -> float:
        """Version 1 counts CPU time in a hierarchy of its own, which is mounted beside or with that of its limits."""
        cpu = self._places["cpu"]
        beside = Path(str(cpu).replace("/cpu/", "/cpuacct/", 1)) / "cpuacct.usage"
        for place in (cpu / "cpuacct.usage", beside):
            with suppress(OSError, ValueError):
                return int(place.read_text()) / 1e9
        return 0.0

    def _make_room(self) -> None:
        """Version 2: move the processes to a leaf, and let the controllers work below."""
        place = self._places["memory"]
        wanted = [name for name in CONTROLLERS if name not in _words(place / "cgroup.subtree_control")]
        if not wanted:
            return
        rest = place / REST
        rest.mkdir(exist_ok=True)
        for _ in range(10):  # they may fork meanwhile
            pids = _words(place / "cgroup.procs")
            if not pids:
                break
            for pid in pids:
                with suppress(ProcessLookupError):
                    _write(rest / "cgroup.procs", pid)
        _write(place / "cgroup.subtree_control", " ".join(f"+{name}" for name in wanted))


def _mounts(mountinfo: str) -> dict[str, str]:
    """Where each controller's hierarchy is mounted, without the part of it that the mount leaves out; "" is version 2."""
    found: dict[str, str] = {}
    for line in mountinfo.splitlines():
        fields, _, rest = line.partition(" - ")
        kind, _, options = rest.partition(" ")
        _, _, _, root, point = fields.split(" ")[:5]
        if root != "/":
            continue  # a part of the hierarchy: paths in /proc do not begin there
        if kind == "cgroup2":
            found.setdefault("", point)
        elif kind == "cgroup":
            for option in options.rsplit(" ", 1)[-1].split(","):
                found.setdefault(option, point)
    return found


def _paths(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in text.splitlines():
        _, names, path = line.split(":", 2)
        found |= dict.fromkeys(names.split(","), path)
    return found


def _table(path: Path) -> dict[str, int]:
    rows = (line.split() for line in path.read_text().splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) == 2}


def _words(path: Path) -> list[str]:
    return path.read_text().split()


def _write(path: Path, value: object) -> None:
    # One write, and no new file where the kernel has none.
    number = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(number, str(value).encode())
    finally:
        os.close(number)


def _write_if_there(path: Path, value: object) -> None:
    with suppress(FileNotFoundError):
        _write(path, value)
