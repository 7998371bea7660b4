"""The pool's rules, one by one."""

from typing import Any

import pytest

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
    SandboxFound,
    SandboxLost,
    SandboxReady,
    Tick,
)

FAR = 1e6
A, B, C = Key("a", "3.12"), Key("b", "3.12"), Key("c", "3.12")
OLD = Key("old", "3.8")


class Bench:
    """A pool and its clock. `do` hands in one event; boots become ready only when told so."""

    def __init__(self, **limits: Any) -> None:
        limits.setdefault("floor", 0)
        self.pool = Pool(PoolLimits(**limits))
        self.now = 100.0
        self.lease = 0

    def do(self, event: Event) -> list[Action]:
        return self.pool.handle(event, self.now)

    def want(self, key: Key, deadline: float = FAR) -> list[Action]:
        self.lease += 1
        return self.do(LeaseWanted(self.lease, key, deadline))

    def after(self, seconds: float) -> list[Action]:
        """Let time pass as the keeper does: with a tick whenever the pool asked for one."""
        end = self.now + seconds
        actions: list[Action] = []
        while (at := self.pool.next_tick()) is not None and at <= end:
            self.now = max(self.now, at)
            actions += self.do(Tick())
            following = self.pool.next_tick()
            assert following is None or following > self.now, "a tick must do what it was asked for"
        self.now = end
        return actions

    def own(self, *keys: Key) -> None:
        """Each key gets a sandbox and is done with it: s1 for the first, and so on."""
        for key in keys:
            (boot,) = self.want(key)
            assert isinstance(boot, Boot)
            assert self.do(SandboxReady(boot.sandbox)) == [Grant(self.lease, boot.sandbox)]
            self.do(LeaseReturned(self.lease))

    def states(self) -> dict[str, str]:
        return {row["id"]: row["state"] for row in self.pool.snapshot(self.now)}


# granting


def test_a_workflow_has_its_sandbox_to_itself_and_for_all_its_runs() -> None:
    """Runs of one workflow share its sandbox, at the same time too; another workflow gets another one."""
    bench = Bench()
    bench.own(A)

    assert bench.want(A) == [Grant(2, "s1")]
    assert bench.want(A) == [Grant(3, "s1")]
    assert bench.want(B) == [Boot("s2", "3.12")]


def test_a_workflow_has_one_sandbox_per_python() -> None:
    """The same workflow with another Python gets a second sandbox."""
    bench = Bench()
    bench.own(A)

    assert bench.want(Key("a", "3.8")) == [Boot("s2", "3.8")]


def test_a_new_workflow_takes_a_warm_sandbox_and_the_floor_is_refilled() -> None:
    """The first run of a workflow waits for no boot; what it took is replaced at once."""
    bench = Bench(floor=1)
    assert bench.do(Tick()) == [Boot("s1", "3.12")]
    bench.do(SandboxReady("s1"))

    assert bench.want(A) == [Grant(1, "s1"), Boot("s2", "3.12")]


def test_a_boot_that_nobody_waits_for_is_adopted() -> None:
    """A workflow that comes while the floor boots waits for that boot, and not for one of its own."""
    bench = Bench(floor=1, booting_at_once=1)
    bench.do(Tick())

    assert bench.want(A) == []
    assert bench.do(SandboxReady("s1")) == [Grant(1, "s1"), Boot("s2", "3.12")]


def test_a_warm_sandbox_of_another_python_is_no_use() -> None:
    """A workflow never gets a Python that it did not ask for."""
    bench = Bench(floor=1)
    bench.do(Tick())
    bench.do(SandboxReady("s1"))

    assert bench.want(OLD) == [Boot("s2", "3.8")]


def test_leases_of_one_new_workflow_wait_for_one_boot() -> None:
    """Several runs that come while their sandbox boots are granted together, first come first."""
    bench = Bench()

    assert bench.want(A) == [Boot("s1", "3.12")]
    assert bench.want(A) == []
    assert bench.want(A) == []
    assert bench.do(SandboxReady("s1")) == [Grant(1, "s1"), Grant(2, "s1"), Grant(3, "s1")]


def test_the_first_sandbox_that_is_ready_goes_to_who_came_first() -> None:
    """Boots overtake each other; workflows do not."""
    bench = Bench()
    bench.want(A)
    bench.want(B)

    assert bench.do(SandboxReady("s2")) == [Grant(1, "s2")]
    assert bench.do(SandboxReady("s1")) == [Grant(2, "s1")]


def test_only_so_many_boot_at_once() -> None:
    """Boots beyond the limit wait for an earlier one to end."""
    bench = Bench(booting_at_once=1)

    assert bench.want(A) == [Boot("s1", "3.12")]
    assert bench.want(B) == []
    assert bench.do(SandboxReady("s1")) == [Grant(1, "s1"), Boot("s2", "3.12")]


# the ceiling


def test_at_the_ceiling_the_longest_unused_sandbox_makes_room() -> None:
    """A new workflow takes the place of the one that was quiet longest, at once."""
    bench = Bench(ceiling=2)
    bench.own(A, B)
    bench.want(A)
    bench.do(LeaseReturned(3))

    assert bench.want(C) == [Retire("s2"), Boot("s3", "3.12")]


def test_a_left_over_warm_sandbox_counts_as_unused() -> None:
    """Whether owned or left over warm: the one that was quiet longest makes room."""
    bench = Bench(ceiling=2)
    bench.own(A)
    bench.now += 1
    bench.want(OLD)
    bench.do(LeaseAbandoned(2))
    bench.do(SandboxReady("s2"))
    bench.now += 1

    assert bench.want(B) == [Retire("s1"), Boot("s3", "3.12")]
    bench.do(SandboxReady("s3"))
    bench.do(LeaseReturned(3))
    assert bench.want(C) == [Retire("s2"), Boot("s4", "3.12")]


def test_a_sandbox_in_use_never_makes_room() -> None:
    """A new workflow waits while every sandbox has a run, and takes the first place that is free."""
    bench = Bench(ceiling=1)
    bench.own(A)
    bench.want(A)

    assert bench.want(B) == []
    assert bench.want(C) == []
    assert bench.do(LeaseReturned(2)) == [Retire("s1"), Boot("s2", "3.12")]
    assert bench.do(SandboxReady("s2")) == [Grant(3, "s2")]
    assert bench.do(LeaseReturned(3)) == [Retire("s2"), Boot("s3", "3.12")]
    assert bench.do(SandboxReady("s3")) == [Grant(4, "s3")]


def test_a_warm_sandbox_makes_room_for_another_python() -> None:
    """The floor does not keep out a workflow that cannot use it, where everything else is in use."""
    bench = Bench(floor=1, ceiling=1)
    bench.do(Tick())
    bench.do(SandboxReady("s1"))

    assert bench.want(OLD) == [Retire("s1"), Boot("s2", "3.8")]


def test_waiting_ends_at_the_deadline_with_its_cause() -> None:
    """A lease is refused when its deadline comes, in a sentence that says what it waited for."""
    bench = Bench(ceiling=2, booting_at_once=1)
    bench.want(A, bench.now + 5)
    bench.want(B, bench.now + 6)

    assert bench.after(5) == [Refuse(1, "deadline", "Its sandbox was still booting.")]
    bench.want(A)
    bench.do(SandboxReady("s1"))
    bench.do(SandboxReady("s2"))
    bench.want(C, bench.now + 1)
    assert bench.after(1) == [Refuse(4, "deadline", "All 2 sandboxes were in use.")]


def test_a_deadline_behind_other_boots_says_so() -> None:
    """Where places are free but boots are under way, the sentence does not speak of sandboxes in use."""
    bench = Bench(booting_at_once=1)
    bench.want(A)
    bench.want(B, bench.now + 5)

    assert bench.after(5) == [Refuse(2, "deadline", "Other sandboxes were booting first.")]


def test_one_deadline_does_not_end_the_others() -> None:
    """Leases of one workflow have deadlines of their own."""
    bench = Bench()
    bench.want(A, bench.now + 5)
    bench.want(A)

    assert [action.lease for action in bench.after(5) if isinstance(action, Refuse)] == [1]
    assert bench.do(SandboxReady("s1")) == [Grant(2, "s1")]


def test_failing_at_once_when_every_sandbox_is_in_use() -> None:
    """With on_exhausted=fail nobody waits for another workflow's run to end."""
    bench = Bench(ceiling=1, on_exhausted="fail")
    bench.own(A)
    bench.want(A)

    assert bench.want(B) == [Refuse(3, "full", "All 1 sandboxes are in use.")]
    assert bench.want(A) == [Grant(4, "s1")]


def test_failing_at_once_is_not_for_who_waits_for_boots_alone() -> None:
    """With on_exhausted=fail a workflow waits for a boot that has a place, and not one workflow more."""
    bench = Bench(ceiling=2, booting_at_once=1, on_exhausted="fail")

    assert bench.want(A) == [Boot("s1", "3.12")]
    assert bench.want(B) == []
    assert bench.want(C) == [Refuse(3, "full", "All 2 sandboxes are in use.")]
    assert bench.do(SandboxReady("s1")) == [Grant(1, "s1"), Boot("s2", "3.12")]


def test_failing_at_once_counts_on_what_is_unused() -> None:
    """With on_exhausted=fail a workflow waits for its turn to boot where an unused sandbox will make room."""
    bench = Bench(ceiling=2, booting_at_once=1, on_exhausted="fail")
    bench.own(A)
    bench.want(B)

    assert bench.want(C) == []
    assert bench.do(SandboxReady("s2")) == [Grant(2, "s2"), Retire("s1"), Boot("s3", "3.12")]


def test_failing_at_once_still_recycles() -> None:
    """With on_exhausted=fail an unused sandbox makes room as ever."""
    bench = Bench(ceiling=1, on_exhausted="fail")
    bench.own(A)

    assert bench.want(B) == [Retire("s1"), Boot("s2", "3.12")]


# giving up


def test_a_boot_outlives_the_caller_that_gave_up() -> None:
    """What boots for nobody is kept warm for who comes next, and is no waste for a caller that tries again."""
    bench = Bench()
    bench.want(A)
    assert bench.do(LeaseAbandoned(1)) == []
    assert bench.do(SandboxReady("s1")) == []

    assert bench.want(B) == [Grant(2, "s1")]


def test_a_boot_that_was_given_up_goes_to_who_waits() -> None:
    """A workflow that waits for a free boot takes over the boot of one that left."""
    bench = Bench(booting_at_once=1)
    bench.want(A)
    bench.want(B)
    bench.do(LeaseAbandoned(1))

    assert bench.do(SandboxReady("s1")) == [Grant(2, "s1")]


def test_a_boot_that_was_given_up_is_adopted_like_any_other() -> None:
    """A workflow that comes after one that left boots nothing of its own."""
    bench = Bench()
    bench.want(A)
    bench.do(LeaseAbandoned(1))

    assert bench.want(B) == []
    assert bench.do(SandboxLost("s1", "no image")) == [Boot("s2", "3.12")]
    assert bench.do(LeaseAbandoned(2)) == []
    assert bench.do(SandboxLost("s2", "no image")) == []


def test_an_abandoned_lease_that_was_granted_is_returned() -> None:
    """A caller that left in the moment of the grant keeps nothing."""
    bench = Bench(ceiling=1)
    bench.own(A)
    bench.want(A)
    bench.do(LeaseAbandoned(2))

    assert bench.want(B) == [Retire("s1"), Boot("s2", "3.12")]


# time


def test_an_unused_sandbox_is_retired() -> None:
    """An owned sandbox goes when it had no leases for idle_s, and not while it has one."""
    bench = Bench(idle_s=10)
    bench.own(A, B)
    bench.want(A)

    assert bench.after(1000) == [Retire("s2")]
    bench.do(LeaseReturned(3))
    assert bench.after(9) == []
    assert bench.after(1) == [Retire("s1")]


@pytest.mark.parametrize("key", [A, OLD])
def test_a_warm_sandbox_beyond_the_floor_is_retired(key: Key) -> None:
    """What is left over warm, of any Python, goes after idle_s; the floor stays for ever."""
    bench = Bench(floor=1, idle_s=10)
    bench.do(Tick())
    bench.want(A)
    bench.want(key)
    bench.want(Key("z", key.python))
    for lease in (1, 2, 3):
        bench.do(LeaseAbandoned(lease))
    while booting := [name for name, state in bench.states().items() if state == "booting"]:
        for name in booting:
            bench.do(SandboxReady(name))
    before = len(bench.states())
    assert before > 1

    retired = bench.after(1000)

    assert len(retired) == before - 1
    assert [row["python"] for row in bench.pool.snapshot(bench.now)] == ["3.12"]


def test_an_old_sandbox_is_retired_when_its_last_lease_is_returned() -> None:
    """Age alone ends no run: the sandbox goes when it is free, and the workflow gets a fresh one."""
    bench = Bench(max_age_s=10)
    bench.own(A)
    bench.want(A)
    assert bench.after(20) == []
    assert bench.want(A) == [Grant(3, "s1")]

    assert bench.do(LeaseReturned(2)) == []
    assert bench.do(LeaseReturned(3)) == [Retire("s1")]
    assert bench.want(A) == [Boot("s2", "3.12")]


def test_an_old_sandbox_is_retired_while_it_is_unused() -> None:
    """A free sandbox goes on its birthday, without a lease that asks for it."""
    bench = Bench(max_age_s=10)
    bench.own(A)

    assert bench.after(10) == [Retire("s1")]


def test_an_old_sandbox_is_not_leased_again() -> None:
    """A lease that comes before the tick does not get a sandbox over age."""
    bench = Bench(max_age_s=10)
    bench.own(A)
    bench.now += 10

    assert bench.want(A) == [Retire("s1"), Boot("s2", "3.12")]


def test_waiting_in_the_pool_does_not_age() -> None:
    """A sandbox's age counts from its first lease: nobody's code ran in it before."""
    bench = Bench(floor=1, max_age_s=10, idle_s=5)
    bench.do(Tick())
    bench.do(SandboxReady("s1"))
    assert bench.after(1000) == []
    bench.want(A)

    assert bench.do(LeaseReturned(1)) == []
    assert bench.want(A) == [Grant(2, "s1")]


# the floor


def test_the_floor_is_kept_at_the_ceiling_ahead_of_need() -> None:
    """At the ceiling the longest unused workflow makes room for a warm sandbox, once it was quiet for a moment."""
    bench = Bench(floor=1, ceiling=2, recycle_after_s=1)
    bench.do(Tick())
    bench.do(SandboxReady("s1"))
    bench.want(A)
    bench.do(SandboxReady("s2"))
    assert bench.want(B) == [Grant(2, "s2")]
    bench.do(LeaseReturned(2))
    bench.now += 0.5
    bench.do(LeaseReturned(1))

    assert bench.after(0.25) == []
    assert bench.after(0.25) == [Retire("s2"), Boot("s3", "3.12")]
    bench.do(SandboxReady("s3"))
    assert Grant(3, "s3") in bench.want(C)


def test_the_floor_takes_no_sandbox_in_use() -> None:
    """Where every workflow is busy, the floor waits."""
    bench = Bench(floor=1, ceiling=1)
    bench.want(A)
    bench.do(SandboxReady("s1"))

    assert bench.after(1000) == []


def test_the_floor_is_made_of_the_default_python() -> None:
    """A boot of another Python that nobody waits for fills no gap in it."""
    bench = Bench(floor=1, pause_s=1)
    bench.do(Tick())
    bench.want(OLD)
    bench.do(LeaseAbandoned(1))
    bench.do(SandboxLost("s1", "no Docker"))

    assert bench.after(1) == [Boot("s3", "3.12")]


def test_failed_floor_boots_pause_longer_and_longer() -> None:
    """A boot that cannot succeed is tried again at doubling pauses up to the cap, and quickly after a success."""
    bench = Bench(floor=1, pause_s=1, pause_cap_s=4)
    bench.do(Tick())
    pauses: list[float] = []
    for number in range(1, 6):
        assert bench.do(SandboxLost(f"s{number}", "no image")) == []
        began = bench.now
        while not bench.after(0.5):
            pass
        pauses.append(bench.now - began)
    assert pauses == [1, 2, 4, 4, 4]

    assert bench.want(A) == [Boot("s7", "3.12")]
    assert bench.do(SandboxReady("s6")) == [Grant(1, "s6")]
    bench.do(SandboxLost("s7", "no image"))
    assert bench.after(0.9) == []
    assert bench.after(0.1) == [Boot("s8", "3.12")]


def test_boots_that_fail_together_pause_once() -> None:
    """Two boots under way when Docker goes away are one failure."""
    bench = Bench(floor=2, pause_s=1)
    bench.do(Tick())
    bench.do(SandboxLost("s1", "no Docker"))
    bench.do(SandboxLost("s2", "no Docker"))

    assert bench.after(1) == [Boot("s3", "3.12"), Boot("s4", "3.12")]


def test_another_python_that_fails_does_not_pause_the_floor() -> None:
    """A missing image of one Python is no reason to keep others from booting."""
    bench = Bench(floor=1, booting_at_once=1)
    bench.want(OLD)
    bench.do(SandboxLost("s1", "no image"))

    assert bench.do(SandboxLost("s2", "no image")) == [
        Refuse(1, "boot_failed", "no image"),
        Boot("s3", "3.12"),
    ]


def test_a_warm_sandbox_that_dies_is_replaced_after_a_pause() -> None:
    """Warm sandboxes that die by themselves are not booted in a circle."""
    bench = Bench(floor=1, pause_s=1)
    bench.do(Tick())
    bench.do(SandboxReady("s1"))

    assert bench.do(SandboxLost("s1", "out of memory")) == []
    assert bench.after(1) == [Boot("s2", "3.12")]


# failure


def test_a_failed_boot_is_tried_once_more_and_then_told() -> None:
    """Nothing has run, so a second sandbox is tried at once; when it fails too, every lease hears the reason."""
    bench = Bench()
    bench.want(A)
    bench.want(A)

    assert bench.do(SandboxLost("s1", "no image")) == [Boot("s2", "3.12")]
    assert bench.do(SandboxLost("s2", "no image")) == [
        Refuse(1, "boot_failed", "no image"),
        Refuse(2, "boot_failed", "no image"),
    ]
    assert bench.want(A) == [Boot("s3", "3.12")]


def test_a_lease_does_not_wait_for_the_pause() -> None:
    """The pause holds back the floor; a workflow that needs a sandbox gets its try."""
    bench = Bench(floor=1)
    bench.do(Tick())
    bench.do(SandboxLost("s1", "no image"))

    assert Boot("s2", "3.12") in bench.want(A)


def test_a_lost_sandbox_is_replaced_at_the_next_lease() -> None:
    """A dead sandbox is never granted; leases that it had are over, and late returns are ignored."""
    bench = Bench()
    bench.own(A)
    bench.want(A)

    assert bench.do(SandboxLost("s1", "killed")) == []
    assert bench.do(LeaseReturned(2)) == []
    assert bench.want(A) == [Boot("s2", "3.12")]


def test_a_lost_sandbox_gives_its_place_to_who_waits() -> None:
    """A place is free the moment that its sandbox is gone, however that happened."""
    bench = Bench(ceiling=1)
    bench.own(A)
    bench.want(A)
    bench.want(B)

    assert bench.do(SandboxLost("s1", "killed")) == [Boot("s2", "3.12")]


def test_a_sandbox_goes_when_someone_wants_it_gone() -> None:
    """RetireWanted does not wait for leases, because such a sandbox cannot be trusted to end."""
    bench = Bench()
    bench.own(A)
    bench.want(A)

    assert bench.do(RetireWanted("s1")) == [Retire("s1")]
    assert bench.want(A) == [Boot("s2", "3.12")]


def test_retiring_a_boot_is_no_failed_boot() -> None:
    """Who waits for it gets another one."""
    bench = Bench()
    bench.want(A)

    assert bench.do(RetireWanted("s1")) == [Retire("s1"), Boot("s2", "3.12")]
    assert bench.do(SandboxLost("s2", "no image")) == [Boot("s3", "3.12")]


@pytest.mark.parametrize(
    "late",
    [
        LeaseReturned(1),
        LeaseAbandoned(1),
        SandboxReady("s1"),
        SandboxLost("s1", "late"),
        RetireWanted("s1"),
        SandboxReady("never"),
        LeaseReturned(99),
    ],
    ids=repr,
)
def test_late_messages_are_ignored(late: Event) -> None:
    """A message about what is gone changes nothing."""
    bench = Bench(floor=1)
    bench.want(A)
    bench.do(RetireWanted("s1"))
    bench.do(LeaseAbandoned(1))
    before = bench.states()

    assert bench.do(late) == []
    assert bench.states() == before


def test_a_second_ready_is_ignored() -> None:
    """A sandbox is ready once."""
    bench = Bench()
    bench.own(A)

    assert bench.do(SandboxReady("s1")) == []
    assert bench.states() == {"s1": "owned"}


# the end


def test_draining_ends_everything_that_is_free() -> None:
    """Waiting leases are refused, runs under way may finish, and nothing is booted or granted any more."""
    bench = Bench(floor=1, booting_at_once=1)
    bench.want(A)
    bench.do(SandboxReady("s1"))
    bench.do(SandboxReady("s2"))
    bench.want(OLD)

    assert bench.do(Draining()) == [
        Refuse(2, "draining", "The runner is stopping."),
        Retire("s2"),
        Retire("s3"),
    ]
    assert bench.states() == {"s1": "retiring"}
    assert bench.want(A) == [Refuse(3, "draining", "The runner is stopping.")]
    assert bench.pool.next_tick() is None
    assert bench.do(LeaseReturned(1)) == [Retire("s1")]
    assert bench.states() == {}


# what is told


def test_the_snapshot_tells_whose_a_sandbox_is_and_since_when() -> None:
    """GET /v1/sandboxes shows state, owner, leases, age and how long it was unused."""
    bench = Bench()
    bench.own(A)
    bench.want(B)
    bench.now += 3

    assert bench.pool.snapshot(bench.now) == [
        {
            "id": "s1",
            "state": "owned",
            "workflow": "a",
            "python": "3.12",
            "leases": 0,
            "age_s": 3.0,
            "idle_s": 3.0,
        },
        {
            "id": "s2",
            "state": "booting",
            "workflow": None,
            "python": "3.12",
            "leases": 0,
            "age_s": 3.0,
            "idle_s": None,
        },
    ]


def test_names_carry_the_prefix() -> None:
    """Two runners on one machine name their sandboxes apart."""
    pool = Pool(PoolLimits(floor=1), prefix="abc-")

    assert pool.handle(Tick(), 0.0) == [Boot("abc-1", "3.12")]


@pytest.mark.parametrize(
    "limits",
    [{"floor": 3, "ceiling": 2}, {"ceiling": 0}, {"floor": -1}, {"booting_at_once": 0}, {"idle_s": 0}],
    ids=repr,
)
def test_limits_that_contradict_are_refused(limits: dict[str, Any]) -> None:
    """A pool that could never work is not made."""
    with pytest.raises(ValueError, match=r"floor|boot|positive"):
        PoolLimits(**limits)


def test_a_busy_workflow_lets_another_in_after_its_turn() -> None:
    """Its runs never end all at once, and yet the one that waits gets the place."""
    bench = Bench(ceiling=1, turn_s=5.0)
    bench.own(A)
    first = bench.want(A)
    assert [Grant(bench.lease, first[0].sandbox)] == first
    running = bench.lease
    assert [] == bench.want(B)
    waiting = bench.lease
    bench.now += 4
    (granted,) = bench.want(A)
    assert isinstance(granted, Grant), "its turn is not over"
    second = bench.lease

    bench.now += 2
    assert [] == bench.want(A)
    assert [] == bench.do(LeaseReturned(running))
    retired, booted = bench.do(LeaseReturned(second))
    assert isinstance(retired, Retire)
    assert isinstance(booted, Boot)
    assert [Grant(waiting, booted.sandbox)] == bench.do(SandboxReady(booted.sandbox))


def test_a_turn_goes_on_when_nobody_waits_for_the_place_any_more() -> None:
    """Who stood back for another is let in again when that one has gone, in the order of arrival."""
    bench = Bench(ceiling=1, turn_s=0.0)
    bench.own(A)
    (granted,) = bench.want(A)
    bench.want(B)
    other = bench.lease
    assert [] == bench.want(A)
    assert [] == bench.want(A)
    stood_back = [bench.lease - 1, bench.lease]

    assert [Grant(lease, granted.sandbox) for lease in stood_back] == bench.do(LeaseAbandoned(other))


def test_a_found_sandbox_is_its_workflows_again() -> None:
    """It counts as used just now, and its age from when it was given to the workflow."""
    bench = Bench(ceiling=3, max_age_s=1000.0, idle_s=10_000.0)
    assert [] == bench.do(SandboxFound("old-1", "3.12", bench.now - 900, A, bench.now - 800))
    assert [] == bench.do(SandboxFound("old-2", "3.12", bench.now - 50))

    assert [Grant(1, "old-1")] == bench.want(A)
    assert [Grant(2, "old-2")] == bench.want(B)
    bench.do(LeaseReturned(1))
    assert [Retire("old-1")] == bench.after(250)


def test_a_found_sandbox_that_has_no_place_is_removed() -> None:
    """The ceiling was lowered meanwhile, or its workflow has another one."""
    bench = Bench(ceiling=1)
    assert [] == bench.do(SandboxFound("old-1", "3.12", 0.0, A, 0.0))
    assert [Retire("old-2")] == bench.do(SandboxFound("old-2", "3.12", 0.0, B, 0.0))
    wide = Bench(ceiling=5)
    wide.do(SandboxFound("old-1", "3.12", 0.0, A, 0.0))
    assert [Retire("old-2")] == wide.do(SandboxFound("old-2", "3.12", 0.0, A, 0.0))
