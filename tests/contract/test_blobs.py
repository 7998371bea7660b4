"""Every place for contents does the same: a directory, and a bucket of a server that speaks the protocol of S3."""

import os
import threading
import time
from pathlib import Path

import pytest

from lab.bucket import BucketServer
from qflow_runner.blobs import Blobs, BucketBlobs, BucketFailed, DirectoryBlobs, problem
from qflow_runner.errors import DiskFailed

LARGE = 9 << 20
"""More than is kept in memory before it is sent."""


@pytest.fixture(params=["directory", "bucket"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Blobs:
    made: Blobs = DirectoryBlobs(tmp_path / "place")
    if request.param == "bucket":
        server: BucketServer = request.getfixturevalue("bucket")
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        made = BucketBlobs(server.url(os.urandom(8).hex()), tmp_path / "spool")
    made.prepare()
    return made


def put(blobs: Blobs, name: str, content: bytes) -> None:
    writing = blobs.writer(name)
    writing.write(content)
    writing.close()


def whole(blobs: Blobs, name: str, piece: int = 1 << 20) -> bytes:
    reading = blobs.reader(name)
    found = b"".join(iter(lambda: reading.read(piece), b""))
    reading.close()
    return found


def test_what_is_written_is_read(blobs: Blobs) -> None:
    """And written again in its place; what is not there is None."""
    blobs.write("a/b", b"first")
    first = blobs.read("a/b")
    blobs.write("a/b", b"the second")
    second = blobs.read("a/b")

    assert first is not None
    assert second is not None
    assert (b"first", b"the second") == (first.content, second.content)
    assert first.stamp != second.stamp == blobs.stamp("a/b")
    assert (None, None, None) == (blobs.read("a/c"), blobs.stamp("a/c"), blobs.about("a/c"))
    about = blobs.about("a/b")
    assert about is not None
    assert ("a/b", 10) == (about.name, about.size)
    assert abs(about.changed - time.time()) < 60


@pytest.mark.parametrize("size", [0, 1, 5_000_000, LARGE])
def test_large_contents_are_written_and_read_in_pieces(blobs: Blobs, size: int) -> None:
    """Whatever the pieces are; also none at all."""
    content = os.urandom(size)
    writing = blobs.writer("large")
    for start in range(0, size, 700_001):
        writing.write(memoryview(content)[start : start + 700_001])
    writing.close()
    writing.close()
    writing.discard()

    assert content == whole(blobs, "large") == whole(blobs, "large", 333_333)
    about = blobs.about("large")
    assert about is not None
    assert size == about.size


def test_what_was_given_up_is_removed_by_its_name(blobs: Blobs) -> None:
    """Whatever of it is there."""
    writing = blobs.writer("a/half")
    writing.write(b"x" * LARGE)
    writing.discard()
    blobs.remove(["a/half"])

    with pytest.raises(FileNotFoundError):
        blobs.reader("a/half")
    assert [] == blobs.list(deep=True)


def test_a_listing_has_what_is_in_a_folder(blobs: Blobs) -> None:
    """With its folders where that is asked for; and a place within is a folder of it."""
    for name in ("one", "a/two", "a/b/three"):
        put(blobs, name, name.encode())

    assert [("one", 3)] == [(each.name, each.size) for each in blobs.list()]
    assert ["a/two"] == [each.name for each in blobs.list("a")]
    assert ["a/b/three", "a/two", "one"] == sorted(each.name for each in blobs.list(deep=True))
    assert ["two"] == [each.name for each in blobs.within("a").list()]
    assert b"a/b/three" == whole(blobs.within("a").within("b"), "three")
    assert [] == blobs.list("nowhere") == blobs.list("nowhere", deep=True)

    blobs.remove(["one", "a/b/three", "never"])
    assert ["a/two"] == [each.name for each in blobs.list(deep=True)]


def test_a_replacement_wants_to_know_what_is_there(blobs: Blobs) -> None:
    """Nothing, or just what was read."""
    first = blobs.replace("lock", b"1", None)
    assert first is not None
    assert blobs.replace("lock", b"other", None) is None
    second = blobs.replace("lock", b"2", first)
    assert second is not None
    assert blobs.replace("lock", b"late", first) is None
    held = blobs.read("lock")

    assert held is not None
    assert (b"2", second) == (held.content, held.stamp)
    blobs.remove(["lock"])
    assert blobs.replace("lock", b"3", second) is None
    assert blobs.replace("lock", b"3", None) is not None


def test_of_many_replacements_at_once_one_wins(blobs: Blobs) -> None:
    """In threads, as in other processes."""
    won: list[str] = []

    def run(name: str) -> None:
        if blobs.replace("lock", name.encode(), None) is not None:
            won.append(name)

    threads = [threading.Thread(target=run, args=(f"runner-{number}",)) for number in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    held = blobs.read("lock")
    assert held is not None
    assert [held.content.decode()] == won


def test_a_touch_is_no_change(blobs: Blobs) -> None:
    """Of what is there."""
    put(blobs, "a", b"text")
    blobs.touch("a")
    assert b"text" == whole(blobs, "a")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [("bucket", "no such bucket"), ("address", "error sending request")],
)
def test_a_bucket_that_cannot_be_used_is_named(
    bucket: BucketServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str, told: str
) -> None:
    """With what to do."""
    environment = bucket.environment
    if wrong == "address":
        environment["AWS_ENDPOINT_URL"] = "http://127.0.0.1:1"
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    blobs = BucketBlobs("s3://nowhere/x" if wrong == "bucket" else bucket.url("x"), tmp_path / "spool")

    with pytest.raises(BucketFailed) as caught:
        blobs.write("a", b"text")

    failure = problem(caught.value)
    assert isinstance(failure, DiskFailed)
    assert told in failure.detail
    assert blobs._url in failure.detail
    assert "QFLOW_SHARED_BUCKET" in (failure.hint or "")
