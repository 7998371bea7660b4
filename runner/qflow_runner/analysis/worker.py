"""``python -m qflow_runner.analysis.worker``: reads code, one after the other, apart from the runner's process.

Code that brings a parser to its knees, by its depth or its size, then costs this process and not the runner.
The code is never executed. Requests and replies are JSON, each after its length in four bytes.
"""

import json
import os
import resource
import struct
import sys
from dataclasses import asdict
from typing import BinaryIO

MEMORY = 768 << 20
"""Bytes of data that the process may allocate."""


def main() -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Replies have a channel of their own: what a library prints must not get between them.
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    from qflow_runner.analysis.reading import read  # noqa: PLC0415 - within the limits

    _write(replies, b"{}")
    while (request := _read(sys.stdin.buffer)) is not None:
        given = json.loads(request)
        reply = json.dumps(asdict(read(given["code"], given["python"])), ensure_ascii=False)
        _write(replies, reply.encode(errors="replace"))


def _read(stream: BinaryIO) -> bytes | None:
    head = stream.read(4)
    if len(head) < 4:
        return None
    (size,) = struct.unpack(">I", head)
    return stream.read(size)


def _write(stream: BinaryIO, payload: bytes) -> None:
    stream.write(struct.pack(">I", len(payload)) + payload)
    stream.flush()


if __name__ == "__main__":
    main()
