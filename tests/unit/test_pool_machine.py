"""All of the pool's rules at once, under random events."""

from collections.abc import Iterable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from qflow_runner.sandbox.pool import (
    Action,
    Boot,
    Draining,
    Event,
    Grant,
    Key,
    LeaseAbandoned,
    LeaseReturned,
    LeaseWanted,
    Pool,
    PoolLimits,
    Refuse,
    Retire,
    RetireWanted,
    SandboxLost,
    SandboxReady,
    Tick,
)

KEYS = [Key(workflow, python) for workflow in "abcd" for python in ("3.12", "3.8")]
TIMES = st.sampled_from([0.0, 0.1, 0.5, 1.0, 3.0, 7.0, 20.0, 100.0])


class PoolMachine(RuleBasedStateMachine):
    """Random events; beside the pool stands the plainest model of what its actions mean."""

    @initialize(
        ceiling=st.integers(1, 4),
        floor=st.integers(0, 3),
        at_once=st.integers(1, 3),
        on_exhausted=st.sampled_from(["wait", "fail"]),
        recycle_after_s=st.sampled_from([0.0, 1.0]),
        turn_s=st.sampled_from([0.0, 5.0]),
    )
    def begin(
        self,
        *,
        ceiling: int,
        floor: int,
        at_once: int,
        on_exhausted: Any,
        recycle_after_s: float,
        turn_s: float,
    ) -> None:
        self.limits = PoolLimits(
            floor=min(floor, ceiling),
            ceiling=ceiling,
            idle_s=10.0,
            max_age_s=30.0,
            recycle_after_s=recycle_after_s,
            turn_s=turn_s,
            on_exhausted=on_exhausted,
            booting_at_once=at_once,
        )
        self.pool = Pool(self.limits)
        self.now = 0.1
        self.drained = False
        self.pythons: dict[str, str] = {}  # of every sandbox that is there
        self.booting: set[str] = set()
        self.owner: dict[str, Key] = {}
        self.waiting: dict[Key, dict[int, float]] = {}  # keys and leases in order of arrival; deadlines
        self.held: dict[int, str] = {}
        self.leases = 0
        self.handle(Tick())

    # the caller's side

    def handle(self, event: Event, may_end: str | None = None) -> list[Action]:
        """`may_end` is the only sandbox that may be retired with leases."""
        actions = self.pool.handle(event, self.now)
        for action in actions:
            match action:
                case Boot(sandbox, python):
                    assert not self.drained
                    assert sandbox not in self.pythons
                    self.pythons[sandbox] = python
                    self.booting.add(sandbox)
                    assert len(self.booting) <= self.limits.booting_at_once
                case Grant(lease, sandbox):
                    self.granted(lease, sandbox)
                case Refuse(lease, reason):
                    self.refused(lease, reason, event)
                case Retire(sandbox):
                    assert sandbox == may_end or sandbox not in self.held.values()
                    self.gone(sandbox)
            assert len(self.pythons) <= self.limits.ceiling
        return actions

    def granted(self, lease: int, sandbox: str) -> None:
        (key,) = [key for key, leases in self.waiting.items() if lease in leases]
        assert not self.drained
        assert sandbox in self.pythons
        assert sandbox not in self.booting
        assert self.pythons[sandbox] == key.python
        assert lease == next(iter(self.waiting[key])), "leases of a key are served in order"
        if sandbox not in self.owner:
            assert key not in self.owner.values(), "a key has one sandbox"
            assert key == next(other for other in self.waiting if other.python == key.python), (
                "keys are served in order"
            )
            self.owner[sandbox] = key
        assert self.owner[sandbox] == key
        self.answered(lease)
        self.held[lease] = sandbox

    def refused(self, lease: int, reason: str, event: Event) -> None:
        (deadline,) = [leases[lease] for leases in self.waiting.values() if lease in leases]
        assert reason != "deadline" or deadline <= self.now
        assert (reason == "draining") == self.drained
        assert reason != "full" or self.limits.on_exhausted == "fail"
        assert reason != "boot_failed" or isinstance(event, SandboxLost)
        self.answered(lease)

    def answered(self, lease: int) -> None:
        (key,) = [key for key, leases in self.waiting.items() if lease in leases]
        del self.waiting[key][lease]
        if not self.waiting[key]:
            del self.waiting[key]

    def gone(self, sandbox: str) -> None:
        del self.pythons[sandbox]
        self.booting.discard(sandbox)
        self.owner.pop(sandbox, None)
        self.held = {lease: where for lease, where in self.held.items() if where != sandbox}

    def pass_time(self, seconds: float) -> None:
        end = self.now + seconds
        while (at := self.pool.next_tick()) is not None and at <= end:
            self.now = max(self.now, at)
            self.handle(Tick())
            following = self.pool.next_tick()
            assert following is None or following > self.now, "a tick must do what it was asked for"
        self.now = end

    def finish_runs_and_boots(self) -> None:
        while self.booting or self.held:
            for sandbox in sorted(self.booting):
                self.ready_now(sandbox)
            for lease in sorted(self.held):
                self.held.pop(lease)
                self.handle(LeaseReturned(lease))

    def ready_now(self, sandbox: str) -> None:
        self.booting.discard(sandbox)
        self.handle(SandboxReady(sandbox))

    def one(self, data: st.DataObject, choices: Iterable[Any]) -> Any:
        return data.draw(st.sampled_from(sorted(choices)))

    # what may happen

    @rule(key=st.sampled_from(KEYS), patience=TIMES)
    def want(self, key: Key, patience: float) -> None:
        self.leases += 1
        live = key in self.owner.values()
        self.waiting.setdefault(key, {})[self.leases] = self.now + patience
        actions = self.handle(LeaseWanted(self.leases, key, self.now + patience))
        if live and not self.drained and actions and isinstance(actions[0], Grant):
            assert actions == [Grant(self.leases, self.held[self.leases])], (
                "nothing else on the path of a run"
            )

    @precondition(lambda self: self.held)
    @rule(data=st.data(), event=st.sampled_from([LeaseReturned, LeaseAbandoned]))
    def give_back(self, data: st.DataObject, event: type[LeaseReturned | LeaseAbandoned]) -> None:
        lease = self.one(data, self.held)
        del self.held[lease]
        self.handle(event(lease))

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        lease = self.one(data, [lease for leases in self.waiting.values() for lease in leases])
        self.answered(lease)
        self.handle(LeaseAbandoned(lease))

    @precondition(lambda self: self.booting)
    @rule(data=st.data())
    def ready(self, data: st.DataObject) -> None:
        self.ready_now(self.one(data, self.booting))

    @precondition(lambda self: self.booting)
    @rule(data=st.data())
    def boot_fails(self, data: st.DataObject) -> None:
        sandbox = self.one(data, self.booting)
        self.gone(sandbox)
        self.handle(SandboxLost(sandbox, "it did not start"))

    @precondition(lambda self: self.pythons)
    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        sandbox = self.one(data, self.pythons)
        self.gone(sandbox)
        self.handle(SandboxLost(sandbox, "killed"))

    @precondition(lambda self: self.pythons)
    @rule(data=st.data())
    def retire(self, data: st.DataObject) -> None:
        sandbox = self.one(data, self.pythons)
        assert Retire(sandbox) in self.handle(RetireWanted(sandbox), may_end=sandbox)

    @rule(seconds=TIMES)
    def wait(self, seconds: float) -> None:
        self.pass_time(seconds)

    @rule(seconds=TIMES)
    def be_late(self, seconds: float) -> None:
        """A busy loop ticks late, so another event may meet what is overdue first."""
        self.now += seconds

    @rule(number=st.integers(0, 40))
    def say_something_late(self, number: int) -> None:
        before = self.pool.snapshot(0.0)
        sandbox, lease = f"s{number}", number
        if sandbox not in self.pythons:
            for event in (SandboxReady(sandbox), SandboxLost(sandbox, "late"), RetireWanted(sandbox)):
                assert self.handle(event) == []
        elif sandbox not in self.booting:
            assert self.handle(SandboxReady(sandbox)) == []
        if lease not in self.held and not any(lease in leases for leases in self.waiting.values()):
            assert self.handle(LeaseReturned(lease)) == []
        assert self.pool.snapshot(0.0) == before

    @rule()
    def quiet(self) -> None:
        """When boots succeed and runs end, nobody is left waiting: no lease needs its deadline for that."""
        self.handle(Tick())
        self.finish_runs_and_boots()
        assert not self.waiting

    @precondition(lambda self: not self.drained)
    @rule(sure=st.integers(0, 9))
    def drain(self, sure: int) -> None:
        if sure != 9:
            return
        self.drained = True
        self.handle(Draining())
        assert not self.waiting
        assert set(self.held.values()) == set(self.pythons)
        assert self.pool.next_tick() is None

    # what always holds

    @invariant()
    def the_snapshot_is_what_the_actions_said(self) -> None:
        rows = {row["id"]: row for row in self.pool.snapshot(self.now)}
        assert set(self.pythons) == set(rows)
        for sandbox, row in rows.items():
            key = self.owner.get(sandbox)
            state = "booting" if sandbox in self.booting else "owned" if key else "warm"
            assert row["state"] == ("retiring" if self.drained else state)
            assert row["workflow"] == (key.workflow if key else None)
            assert row["leases"] == list(self.held.values()).count(sandbox)

    @invariant()
    def waiting_is_watched(self) -> None:
        deadlines = [deadline for leases in self.waiting.values() for deadline in leases.values()]
        at = self.pool.next_tick()
        assert not deadlines or (at is not None and at <= min(deadlines))

    def teardown(self) -> None:
        if not hasattr(self, "pool"):
            return
        self.pass_time(self.limits.pause_cap_s + 100.0)
        assert not self.waiting, "every deadline is kept"
        for _ in range(self.limits.ceiling + 1):
            self.finish_runs_and_boots()
            self.pass_time(self.limits.recycle_after_s)
        self.finish_runs_and_boots()
        warm = [
            row for row in self.pool.snapshot(self.now) if row["state"] == "warm" and row["python"] == "3.12"
        ]
        assert self.drained or len(warm) >= self.limits.floor, "a quiet pool has its floor"
        assert not self.drained or not self.pythons
        self.pass_time(1000.0)
        assert len(self.pythons) == (0 if self.drained else self.limits.floor), (
            "a quiet pool has nothing else"
        )


TestPoolMachine = PoolMachine.TestCase
TestPoolMachine.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
