"""A process that forks sessions on the runner's word, ends them, and reports how they ended.

The sandbox's first process runs no code of the user and imports no package: what needs a layer is forked from an
environment, which is a fork of the first process and works as it does. As process 1 of the container, or as a
subreaper, each inherits the orphans below it, so whatever a session leaves behind is found and ended with it.
"""

import gc
import os
import select
import signal
import sys
import traceback
from typing import Dict, List, NamedTuple, Optional, Sequence, Union

from qflow_agent import __version__, environment, kernel, own_tmp, session, wire
from qflow_agent.channel import Channel
from qflow_agent.confinement import FULL, Confinement, version
from qflow_agent.processes import (
    MANY_TASKS,
    end_group,
    end_strays,
    end_whole_group,
    exit_status,
    null_stdin,
    remove,
    tasks_below,
)

LOWEST = 19


class Child(NamedTuple):
    """A session with its home, or an environment with the pipe on which it names what started a thread."""

    token: str
    home: str = ""
    environment: Optional[wire.Environment] = None
    late: Sequence[str] = ()
    pipe: int = -1


def serve(path: str, token: str) -> None:
    """Dial in and obey until the runner closes the connection."""
    score = kernel.VictimScore()
    kernel.guard_process()
    confinement = Confinement() if os.environ.get("QFLOW_CONFINE") else None
    if confinement is not None:
        own_tmp.keep_in_children()
    zygote = _Zygote(path, token, score, confinement)
    null_stdin()
    session.warm()
    gc.collect()
    gc.freeze()
    zygote.serve()


class _Zygote:
    def __init__(
        self,
        path: str,
        token: str,
        score: kernel.VictimScore,
        confinement: Optional[Confinement],
        *,
        role: str = "zygote",
        late: Sequence[str] = (),
    ) -> None:
        self._path = path
        self._score = score
        self._confinement = confinement
        self._children: Dict[int, Child] = {}
        self._wanted: List[Union[wire.Fork, wire.Environment, wire.Egress]] = []
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
        self._heard = False
        python = "%d.%d.%d" % sys.version_info[:3]
        self._hello = wire.Hello(
            role, token, wire.PROTOCOL, python, __version__, os.getpid(), list(late), self._isolation()
        )
        self._control.send(self._hello)

    def _isolation(self) -> str:
        kernel_has = version() if self._confinement is not None else 0
        return "full" if kernel_has >= FULL else "files" if kernel_has else ""

    def serve(self) -> None:
        while True:
            readable, _, _ = select.select([self._control, self._wake_read], [], [])
            if self._wake_read in readable:
                self._reap()
            if self._control in readable:
                received = self._control.receive()
                if received is None:
                    if not self._dialled_again():
                        break
                    continue
                self._heard = True
                message = received[0]
                if isinstance(message, (wire.Fork, wire.Environment, wire.Egress)):
                    self._wanted.append(message)
                elif isinstance(message, wire.Kill):
                    self._kill(message.token)
            self._fork_wanted()
        for pid in self._children:
            end_whole_group(pid)
        self._children.clear()
        self._end_orphans()

    def _dialled_again(self) -> bool:
        """Whether a runner came back after one was lost. One that never said a word had no use for us."""
        self._wanted.clear()  # the tokens of a runner that is gone
        return self._heard and self._control.dial_again(self._hello, self._reap_for)

    def _reap_for(self, seconds: float) -> None:
        if select.select([self._wake_read], [], [], seconds)[0]:
            self._reap()

    def _fork_wanted(self) -> None:
        while self._wanted:
            wanted = self._wanted[0]
            try:
                if isinstance(wanted, wire.Fork):
                    self._fork(wanted)
                elif isinstance(wanted, wire.Egress):
                    self._fork_forwarder(wanted)
                else:
                    self._fork_environment(wanted)
            except OSError:
                # The sandbox has as many processes as it may: who has most of them makes room, as with memory. Tried
                # again when one has ended, and the runner's patience is the deadline.
                self._make_room()
                return
            del self._wanted[0]

    def _make_room(self) -> None:
        counts = tasks_below(self._children)
        pid = max(counts, key=lambda each: counts[each], default=0)
        if pid and counts[pid] >= MANY_TASKS:
            end_whole_group(pid)
            self._end_orphans()

    def _fork(self, wanted: wire.Fork) -> None:
        home = self._new_home()
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
            self._leave()
            self._score.close()
            # Within its sandbox alone: whatever runs wild there, the zygote gets the time to end it.
            os.nice(LOWEST)
            self._shut_off(home)
            session.serve(self._path, wanted.token, home, spare=wanted.spare)
            status = 0
        except BaseException:
            traceback.print_exc()  # to the container's log: a session that cannot start has no other voice
        finally:
            os._exit(status)

    def _new_home(self) -> str:
        self._forks += 1
        home = os.path.join(self._homes, "%d-%d" % (os.getpid(), self._forks))
        os.mkdir(home, 0o700)
        return home

    def _fork_environment(self, wanted: wire.Environment, late: Sequence[str] = ()) -> None:
        read, write = os.pipe()
        os.set_blocking(read, False)  # what a package started may hold the other end open
        homes = self._new_home()
        try:
            pid = os.fork()
        except OSError:
            os.close(read)
            os.close(write)
            os.rmdir(homes)
            raise
        if pid:
            os.close(write)
            self._children[pid] = Child(wanted.token, homes, environment=wanted, late=late, pipe=read)
            return
        status = 1
        try:
            os.close(read)
            self._leave()
            kernel.guard_process()  # to adopt orphans is not inherited
            os.environ["TMPDIR"] = homes
            if self._confinement is not None:
                # What its packages do when they are imported is shut off from other sessions too.
                own_tmp.give(homes)
                self._confinement.enter(homes)
            imports = [name for name in wanted.imports if name not in late]
            starter = environment.enter(wanted.layer, imports)
            if starter is None:
                os.close(write)
                _Zygote(
                    self._path, wanted.token, self._score, self._confinement, role="environment", late=late
                ).serve()
                status = 0
            else:
                os.write(write, starter.encode())
                status = environment.AGAIN
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)

    def _fork_forwarder(self, wanted: wire.Egress) -> None:
        """What lets code out to the hosts that its nodes list. No code of the user ever runs in it."""
        pid = os.fork()
        if pid:
            self._children[pid] = Child(wanted.token)
            return
        status = 1
        try:
            self._leave()
            self._score.close()
            from qflow_agent import egress  # a sandbox whose nodes list nothing never loads it

            egress.serve(self._path, wanted.token)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)

    def _shut_off(self, own: str) -> None:
        if self._confinement is not None:
            own_tmp.give(own)
            self._confinement.enter(own)
            self._confinement.close()

    def _leave(self) -> None:
        """In a fork: let go of all that is its parent's."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.close(self._wake_read)
        os.close(self._wake_write)
        self._control.close()
        for child in self._children.values():
            if child.pipe >= 0:
                os.close(child.pipe)
        self._children.clear()
        os.setsid()

    def _kill(self, token: str) -> None:
        for pid, child in self._children.items():
            if child.token == token:
                end_group(pid)

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
                end_whole_group(pid)
                if not self._made_again(child, exit_status(status)):
                    self._report(child, exit_status(status))
        if ended:
            self._end_orphans()

    def _made_again(self, child: Child, status: int) -> bool:
        """Whether it was an environment that met a module which starts threads, and another is under way."""
        wanted = child.environment
        if wanted is None:
            return False
        try:
            starter = os.read(child.pipe, 4096).decode("utf-8", "replace")
        except BlockingIOError:
            starter = ""
        os.close(child.pipe)
        if status != environment.AGAIN or starter not in wanted.imports or starter in child.late:
            return False
        try:
            self._fork_environment(wanted, [*child.late, starter])
        except OSError:
            return False
        remove(child.home)
        return True

    def _report(self, child: Child, status: int) -> None:
        kills = kernel.oom_kills()
        out_of_memory = status == -signal.SIGKILL and kills is not None and kills != self._oom_kills
        self._oom_kills = kills
        try:
            self._control.send(wire.Exited(child.token, status, out_of_memory))
        except OSError:
            pass  # the runner is gone, which is met where its messages are read
        if child.home:
            remove(child.home)

    def _end_orphans(self) -> None:
        """A session's own processes are in its group; one that left it becomes ours when its parent dies."""
        if any(pid not in self._children for pid in kernel.children()) and not end_strays(self._children):
            os._exit(70)  # they fork faster than they can be ended
