"""The sandbox's first process: forks sessions on the runner's word, ends them, and reports how they ended.

It runs no code of the user. As process 1 of the container (or a subreaper outside one) it inherits every
orphan, so whatever a session leaves behind is found and ended with it.
"""

import gc
import os
import select
import signal
import sys
import time
import traceback
from typing import Callable, Dict, List, NamedTuple

from qflow_agent import __version__, kernel, session, wire
from qflow_agent.channel import Channel

ORPHAN_SECONDS = 1.0
"""How long orphans may keep forking away from their end before the whole sandbox is given up."""


class Child(NamedTuple):
    token: str
    home: str


def serve(path: str, token: str) -> None:
    """Dial in and obey until the runner closes the connection."""
    score = kernel.VictimScore()
    kernel.guard_process()
    _Zygote(path, token, score).serve()


class _Zygote:
    def __init__(self, path: str, token: str, score: kernel.VictimScore) -> None:
        self._path = path
        self._score = score
        self._children: Dict[int, Child] = {}
        self._wanted: List[wire.Fork] = []
        self._homes = os.environ.get("TMPDIR", "/tmp")
        self._forks = 0
        self._oom_kills = kernel.oom_kills()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.signal(signal.SIGTERM, lambda _number, _frame: os._exit(0))
        self._control = Channel(path)
        python = "%d.%d.%d" % sys.version_info[:3]
        self._control.send(wire.Hello("zygote", token, wire.PROTOCOL, python, __version__, os.getpid()))

    def serve(self) -> None:
        _null_stdin()
        session.warm()
        gc.collect()
        gc.freeze()
        while True:
            readable, _, _ = select.select([self._control, self._wake_read], [], [])
            if self._wake_read in readable:
                self._reap()
            if self._control in readable:
                received = self._control.receive()
                if received is None:
                    break
                message = received[0]
                if isinstance(message, wire.Fork):
                    self._wanted.append(message)
                elif isinstance(message, wire.Kill):
                    self._kill(message.token)
            self._fork_wanted()
        for pid in self._children:
            _end_group(pid)

    def _fork_wanted(self) -> None:
        while self._wanted:
            try:
                self._fork(self._wanted[0])
            except OSError:
                # The sandbox has as many processes as it may: tried again when one has ended. The runner's
                # patience is the deadline.
                return
            del self._wanted[0]

    def _fork(self, wanted: wire.Fork) -> None:
        self._forks += 1
        home = os.path.join(self._homes, "session-%d" % self._forks)
        os.mkdir(home, 0o700)
        self._score.session()
        try:
            pid = os.fork()
        except OSError:
            self._score.own()
            os.rmdir(home)
            raise
        if pid:
            self._score.own()
            self._children[pid] = Child(wanted.token, home)
            return
        status = 1
        try:
            self._score.close()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.close(self._wake_read)
            os.close(self._wake_write)
            self._control.close()
            self._children.clear()
            os.setsid()
            session.serve(self._path, wanted.token, home, spare=wanted.spare)
            status = 0
        except BaseException:
            traceback.print_exc()  # to the container's log: a session that cannot start has no other voice
        finally:
            os._exit(status)

    def _kill(self, token: str) -> None:
        for pid, child in self._children.items():
            if child.token == token:
                _end_group(pid)

    def _reap(self) -> None:
        while True:
            try:
                if not os.read(self._wake_read, 4096):
                    break
            except BlockingIOError:
                break
        ended = False
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if not pid:
                break
            child = self._children.pop(pid, None)
            if child is not None:
                ended = True
                _end_whole_group(pid)
                self._report(child, _exit_status(status))
        if ended:
            self._end_orphans()

    def _report(self, child: Child, status: int) -> None:
        kills = kernel.oom_kills()
        out_of_memory = status == -signal.SIGKILL and kills is not None and kills != self._oom_kills
        self._oom_kills = kills
        self._control.send(wire.Exited(child.token, status, out_of_memory))
        _remove(child.home)

    def _end_orphans(self) -> None:
        """A session's own processes are in its group; one that left it becomes ours when its parent dies."""
        deadline = time.monotonic() + ORPHAN_SECONDS
        while True:
            orphans = [pid for pid in kernel.children() if pid not in self._children]
            if not orphans:
                return
            if time.monotonic() > deadline:
                os._exit(70)
            for pid in orphans:
                _signal(os.kill, pid)
                try:
                    os.waitpid(pid, 0)
                except ChildProcessError:
                    continue


def _null_stdin() -> None:
    """Sessions inherit an input that is at its end."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    sys.stdin = open(0, closefd=False)


def _remove(home: str) -> None:
    try:
        os.rmdir(home)  # most are empty, and this is ten times quicker than to look
    except OSError:
        import shutil  # with its compression libraries it would make every fork dearer

        shutil.rmtree(home, ignore_errors=True)


def _end_group(leader: int) -> None:
    _signal(os.killpg, leader)


def _end_whole_group(leader: int) -> None:
    """Until none of it is left: what is still dying holds places of the process limit that the next run may need."""
    deadline = time.monotonic() + ORPHAN_SECONDS
    while time.monotonic() < deadline:
        try:
            os.killpg(leader, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return
        try:
            os.waitpid(-leader, 0)
        except ChildProcessError:
            time.sleep(0.001)  # its parent is dying too, and has not handed it over yet: nothing tells when


def _signal(send: Callable[[int, int], None], target: int) -> None:
    try:
        send(target, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def _exit_status(status: int) -> int:
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
