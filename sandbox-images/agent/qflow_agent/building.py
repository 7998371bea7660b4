"""The program of a container that builds a source distribution. It imports nothing of the agent.

All that it needs, and all that it makes, goes through the runner's socket: the job, the index (as a proxy for http),
and the wheel. No code of the package runs before `uv build` in the job "build"; in the job "choose" it may run.
"""

import hashlib
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from typing import Any, Dict, List, Optional, Tuple

NO_SOURCE = 90
WRONG_HASH = 91
NO_WHEEL = 92
"""Exit statuses; others are uv's."""

DEADLINE_S = 600
WORK = os.path.join(os.environ.get("TMPDIR", "/tmp"), "work")


TMP = 250
"""The image links /tmp, by way of `own` in the directory that can be written, to this descriptor of whoever follows it."""


def run(command: List[str], **options: Any) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(command, pass_fds=(TMP,), check=False, **options)


class Runner(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("runner", timeout=DEADLINE_S)
        self.path = path

    def connect(self) -> None:
        self.sock = dial(self.path)


def main(path: str) -> int:
    os.makedirs(WORK)
    place = os.open(os.path.dirname(WORK), os.O_PATH | os.O_DIRECTORY)
    os.dup2(place, TMP, inheritable=True)
    os.symlink("/proc/self/fd/%d" % TMP, "own", dir_fd=place)
    job = json.loads(call(path, "GET", "/job"))
    proxy = "http://127.0.0.1:{}".format(Relay(path).port)
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        os.environ[name] = os.environ[name.lower()] = proxy
    return {"choose": choose, "build": build}[job["do"]](path, job)


def choose(path: str, job: Dict[str, Any]) -> int:
    """Let uv choose versions, and hand its lock over."""
    for name, text in job["files"].items():
        with open(os.path.join(WORK, name), "w", encoding="utf-8") as file:
            file.write(text)
    done = run(job["uv"], cwd=WORK, stdout=subprocess.PIPE)
    if done.returncode == 0:
        call(path, "PUT", "/answer", done.stdout)
    return done.returncode


def build(path: str, job: Dict[str, Any]) -> int:
    """Download one version, compare it, build it, and hand the wheel over."""
    with open(os.path.join(WORK, "one.in"), "w", encoding="utf-8") as asked:
        asked.write(job["exactly"] + "\n")
    found = run(job["lookup"], cwd=WORK, stdout=subprocess.PIPE)
    if found.returncode:
        return found.returncode
    source = fetch(found.stdout.decode("utf-8"))
    if source is None:
        say("There is no source distribution of {}.".format(job["exactly"]))
        return NO_SOURCE
    file, named = source
    digest = digest_of(file)
    if (named and named != digest) or (job["hashes"] and digest not in job["hashes"]):
        say("The source distribution has the hash sha256:{}.".format(digest))
        return WRONG_HASH
    # Before its code runs, so that its code cannot say otherwise: the runner takes the first.
    call(path, "PUT", "/source", json.dumps({"sha256": digest}).encode())
    made = os.path.join(WORK, "made")
    done = run([*job["uv"], "--out-dir", made, file], cwd=WORK)
    if done.returncode:
        return done.returncode
    wheels = [name for name in os.listdir(made) if name.endswith(".whl")]
    if len(wheels) != 1:
        say("The build made {} wheels.".format(len(wheels)))
        return NO_WHEEL
    with open(os.path.join(made, wheels[0]), "rb") as wheel:
        call(path, "PUT", "/wheel/" + wheels[0], wheel)
    return 0


def fetch(lock: str) -> Optional[Tuple[str, str]]:
    """The downloaded file, and the hash that the index names, or ""; None when there is none."""
    entry = re.search(r"^sdist = \{(.*)\}$", lock, re.MULTILINE)
    url = entry and re.search(r'\burl = "([^"]+)"', entry[1])
    if not entry or not url:
        return None
    named = re.search(r'\bsha256 = "([0-9a-f]{64})"', entry[1])
    name = urllib.request.url2pathname(re.sub(r"[?#].*", "", url[1]).rsplit("/", 1)[1])
    file = os.path.join(WORK, os.path.basename(name))
    try:
        with urllib.request.urlopen(url[1], timeout=DEADLINE_S) as answer, open(file, "wb") as target:
            shutil.copyfileobj(answer, target)
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        say("Failed to fetch: `{}`: {}".format(url[1], error))
        return None
    return file, named[1] if named else ""


def digest_of(file: str) -> str:
    digest = hashlib.sha256()
    with open(file, "rb") as content:
        for part in iter(lambda: content.read(1 << 20), b""):
            digest.update(part)
    return digest.hexdigest()


class Relay:
    """Listens on a port of loopback, and copies what comes to the runner's socket."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(64)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            near, _ = self._listener.accept()
            threading.Thread(target=self._both, args=(near,), daemon=True).start()

    def _both(self, near: socket.socket) -> None:
        with near:
            try:
                far = dial(self._path)
            except OSError:
                return
            with far:
                back = threading.Thread(target=_copy, args=(far, near), daemon=True)
                back.start()
                _copy(near, far)
                back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        for part in iter(lambda: source.recv(1 << 16), b""):
            target.sendall(part)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        # One that broke ends both directions.
        for each in (source, target):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def call(path: str, method: str, target: str, body: Any = None) -> bytes:
    runner = Runner(path)
    runner.request(method, target, body=body)
    answer = runner.getresponse()
    content = answer.read()
    runner.close()
    if answer.status != 200:
        sys.exit("The runner answered {}: {}".format(answer.status, content.decode("utf-8", "replace")))
    return content


def dial(path: str) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.connect(path)
    return made


def say(text: str) -> None:
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
