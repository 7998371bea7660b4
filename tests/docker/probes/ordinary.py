"""Runs in a sandbox: what ordinary code and packages do, which the boundary must not stand in the way of."""

import concurrent.futures
import mmap
import multiprocessing
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
from multiprocessing import shared_memory


def double(n: int) -> int:
    return n * 2


def work() -> dict:
    told = {}
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        told["threads"] = list(threads.map(double, range(4)))
    context = multiprocessing.get_context("fork")
    with context.Pool(2) as pool:
        told["pool"] = pool.map(double, range(4))
    lock, queue = context.Lock(), context.Queue()
    with lock:
        queue.put(1)
    told["queue"] = queue.get(timeout=5)
    shared = shared_memory.SharedMemory(create=True, size=4096)
    shared.buf[0] = 7
    again = shared_memory.SharedMemory(name=shared.name)
    told["shared"] = again.buf[0]
    shared.unlink()
    told["program"] = subprocess.run(
        ["uname", "-s"], capture_output=True, text=True, check=True
    ).stdout.strip()
    child = [
        sys.executable,
        "-c",
        "import os, tempfile; open('/tmp/x', 'w').close(); print(os.listdir(tempfile.gettempdir()))",
    ]
    told["python"] = "x" in subprocess.run(child, capture_output=True, text=True, check=True).stdout
    with mmap.mmap(-1, 4096) as memory:
        memory[:2] = b"ok"
        told["mmap"] = bytes(memory[:2]).decode()
    told["memfd"] = os.write(os.memfd_create("some"), b"abc")
    os.sched_setaffinity(0, os.sched_getaffinity(0))
    os.nice(1)
    os.mkfifo("pipe")
    with tempfile.NamedTemporaryFile() as file, sqlite3.connect("some.db") as database:
        told["sql"] = database.execute("select 40 + 2").fetchone()[0]
        told["lock"] = os.lockf(file.fileno(), os.F_LOCK, 0) is None
    listener = socket.create_server(("127.0.0.1", 0))
    served = threading.Thread(target=lambda: listener.accept()[0].sendall(b"hi"))
    served.start()
    told["tcp"] = socket.create_connection(listener.getsockname()).recv(2).decode()
    served.join()
    left, right = socket.socketpair()
    left.sendall(b"x")
    told["pair"] = right.recv(1).decode()
    told["name"] = socket.gethostbyname("localhost")
    return told
