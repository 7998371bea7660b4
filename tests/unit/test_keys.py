"""The key file: made once whoever asks, changed one after the other, and read again when it changes."""

import threading
from pathlib import Path

import pytest

from qflow_runner import key_file
from qflow_runner.errors import KeyInvalid
from qflow_runner.keys import Keys
from qflow_runner.settings import Settings


def test_processes_that_start_together_have_one_key(tmp_path: Path) -> None:
    """The second one takes the first one's: what either encrypted is read by both."""
    found: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda: found.append(key_file.made(tmp_path / "key"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 1 == len({tuple(keys) for keys in found})
    assert [tmp_path / "key"] == list(tmp_path.iterdir())


def test_a_rotation_keeps_every_key(tmp_path: Path) -> None:
    """Also several at a time, and 0600."""
    settings = Settings(data_dir=tmp_path)
    keys = Keys(settings)
    sealed = keys.seal("text", "here")
    threads = [threading.Thread(target=Keys(settings).rotate) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    again = Keys(settings)

    assert 7 == again.count == len(set(again.names))
    assert "text" == again.opened(sealed, "here")
    assert 0o600 == (tmp_path / "key").stat().st_mode & 0o777


def test_a_text_opens_at_its_place_alone(tmp_path: Path) -> None:
    """Whatever it has in it."""
    keys = Keys(Settings(data_dir=tmp_path))
    for text in ("", "a\nb", "ü\ud800", "x" * 100_000):
        sealed = keys.seal(text, "here 1")
        assert text == keys.opened(sealed, "here 1")
        assert keys.opened(sealed, "here") is None
        assert keys.opened(sealed, "here 2") is None
        assert keys.opened(sealed[:-4] + "AAAA", "here 1") is None
    assert keys.opened("no token, and ü", "here 1") is None


def test_a_broken_key_file_changes_nothing_in_a_runner(tmp_path: Path) -> None:
    """It goes on with the keys that it has; asked to read, it says what is wrong."""
    keys = Keys(Settings(data_dir=tmp_path))
    sealed = keys.seal("text", "here")
    (tmp_path / "key").write_text("broken")

    assert keys.opened("x", "here") is None
    assert "text" == keys.opened(sealed, "here")
    with pytest.raises(KeyInvalid):
        keys.look_again()


def test_signatures_are_bound_to_their_purpose(tmp_path: Path) -> None:
    """And survive a rotation."""
    keys = Keys(Settings(data_dir=tmp_path))
    signature = keys.sign(b"content", "one")
    keys.rotate()

    assert keys.signed(b"content", "one", signature)
    assert not keys.signed(b"content", "two", signature)
    assert not keys.signed(b"Content", "one", signature)
    assert not keys.signed(b"content", "one", "")
