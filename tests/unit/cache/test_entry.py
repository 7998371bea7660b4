"""Keys, ages and the sealed form: every byte counts, and nothing of the payload shows."""

import time
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from hypothesis import example, given, settings
from hypothesis import strategies as st

from qflow_runner.cache.entry import MAX_TTL_S, SKEW_S, Cached, result_key
from qflow_runner.cache.sealing import seal, sealed_max, unseal
from qflow_runner.files import Keys
from qflow_runner.files.spill_writer import CHUNK
from qflow_runner.settings import Settings
from tests.unit.cache.conftest import Clock, opened

MAX = 16 << 20


def keys(path: Path, *given: str) -> Keys:
    return Keys(Settings(data_dir=path, encryption_keys=",".join(given)))


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return keys(tmp_path_factory.mktemp("keys"))


@pytest.mark.parametrize(
    ("age", "hint"),
    [
        (-3, "from cache, 0 s old"),
        (0.9, "from cache, 0 s old"),
        (59.9, "from cache, 59 s old"),
        (60, "from cache, 1 min old"),
        (200, "from cache, 3 min old"),
        (3599, "from cache, 59 min old"),
        (7300, "from cache, 2 h old"),
        (86_400, "from cache, 1 day old"),
        (200_000, "from cache, 2 days old"),
    ],
)
def test_the_hint_says_the_age(age: float, hint: str) -> None:
    """In the largest unit that it fills."""
    assert hint == Cached(b"[]", 0, made=1000.0, expires=2000.0).age_hint(1000.0 + age)
    assert "from cache, 3 min old" == Cached(b"[]", 0, made=time.time() - 190).age_hint()


def test_an_entry_expires_exactly_and_is_never_immortal() -> None:
    """Its last moment is before `expires`; one that is made in the future, or would live too long, is no good."""
    entry = Cached(b"[]", 0, made=1000.0, expires=1060.0)

    assert (True, True, False) == tuple(entry.fresh(now) for now in (1000.0, 1059.999, 1060.0))
    assert entry.fresh(1000.0 - SKEW_S)
    assert not entry.fresh(1000.0 - SKEW_S - 0.001)
    assert not Cached(b"[]", 0, made=0.0, expires=MAX_TTL_S + 1).fresh(1.0)
    assert not Cached(b"[]", 0, made=float("nan"), expires=2000.0).fresh(1000.0)
    assert not Cached(b"[]", 0, made=1000.0, expires=float("nan")).fresh(1000.0)


def test_a_key_is_of_all_its_parts() -> None:
    """Each part changes it, also where they would be the same in a row; any text is a part."""
    parts = [
        ("d", "w", b"x"),
        ("d", "wx", b""),
        ("dw", "", b"x"),
        ("", "dw", b"x"),
        ("d", "w", b"y"),
        ("d\ud800", "w", b"x"),
    ]
    made = [result_key(*each) for each in parts]

    assert len(parts) == len(set(made))
    assert made[0] == result_key("d", "w", bytearray(b"x"))
    assert all(len(each) == 64 and int(each, 16) for each in made)


async def test_a_large_payload_has_the_key_that_it_has_in_one_go(tmp_path: Path, clock: Clock) -> None:
    """Whether it is hashed at once, in a thread, or when the cache is closed, makes no difference."""
    payloads = [bytearray(b"x" * size) for size in (0, 64 * 1024, 64 * 1024 + 1, 5 << 20)]
    expected = [result_key("d", "w", each) for each in payloads]
    async with opened(tmp_path, clock) as cache:
        assert expected == [await cache.key("d", "w", each) for each in payloads]
    assert expected == [await cache.key("d", "w", each) for each in payloads]


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 5])
def test_what_is_sealed_comes_back(own: Keys, size: int) -> None:
    """Content, times and count; nothing larger than was said; only with its key, and only where the size may be."""
    cached = Cached(b"s" * size, 3, made=12.5, expires=99.25)
    sealed = seal(own, "k", cached)

    assert cached == unseal(own, "k", sealed, MAX)
    assert cached == unseal(own, "k", bytes(sealed), MAX)
    assert len(sealed) <= sealed_max(size)
    assert b"ssss" not in sealed
    assert unseal(own, "another", sealed, MAX) is None
    assert size == 0 or unseal(own, "k", sealed, size - 1) is None


@given(turned=st.integers(0, 8 * 372 - 1))
@example(turned=167 * 8 + 1)  # of the token's last character: base64 has bits there that decode to nothing
@settings(max_examples=300, deadline=None)
def test_altered_bytes_never_come_back(own: Keys, turned: int) -> None:
    """A bit that is turned, an end that is cut off, something behind it: all are no entry."""
    sealed = seal(own, "k", Cached(b"[1, 2, 3]" * 20, 0, made=1.0, expires=2.0))
    at, bit = divmod(turned, 8)
    at %= len(sealed)
    flipped = bytearray(sealed)
    flipped[at] ^= 1 << bit

    assert unseal(own, "k", flipped, MAX) is None
    assert unseal(own, "k", sealed[:at], MAX) is None
    assert unseal(own, "k", sealed + sealed[at:], MAX) is None


@given(noise=st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_noise_is_no_entry(own: Keys, noise: bytes) -> None:
    """Whatever lies in a shared Redis under our name."""
    assert unseal(own, "k", noise, MAX) is None
    assert unseal(own, "k", b"QFR1\x00\x64" + noise, MAX) is None


def test_chunks_cannot_be_moved(own: Keys) -> None:
    """Two that changed places, or one of another entry with the same key, do not open."""
    cached = Cached(b"a" * CHUNK + b"b" * CHUNK, 0, made=1.0, expires=2.0)
    sealed = seal(own, "k", cached)
    part = CHUNK + 16
    head = len(sealed) - 2 * part
    swapped = sealed[:head] + sealed[head + part :] + sealed[head : head + part]
    other = seal(own, "k", cached)

    assert unseal(own, "k", swapped, MAX) is None
    assert unseal(own, "k", sealed[:head] + other[head:], MAX) is None


def test_a_rotated_key_still_opens_and_a_foreign_one_never(tmp_path: Path) -> None:
    """A new key in front reads what the old one wrote."""
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    sealed = seal(keys(tmp_path, old), "k", Cached(b"[]", 0, made=1.0, expires=2.0))

    assert unseal(keys(tmp_path, new, old), "k", sealed, MAX) is not None
    assert unseal(keys(tmp_path, new), "k", sealed, MAX) is None
