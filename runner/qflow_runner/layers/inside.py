"""What runs in the container that builds a source distribution. Never imported: its text is the program there.

For every Python from 3.8, standard library alone. All that it needs, and all that it makes, goes through one
socket: the index (as a proxy for http), the job, and the wheel. Until `uv build` no code of the package runs.
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

NO_SOURCE = 90
WRONG_HASH = 91
NO_WHEEL = 92
WORK = "/tmp/work"  # noqa: S108 - the container's own


class Runner(http.client.HTTPConnection):
    """A connection to the runner."""

    def __init__(self, path):
        super().__init__("runner", timeout=600)
        self.path = path

    def connect(self):
        self.sock = dial(self.path)


def dial(path):
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.connect(path)
    return made


def call(path, method, target, body=None):
    runner = Runner(path)
    runner.request(method, target, body=body)
    answer = runner.getresponse()
    content = answer.read()
    if answer.status != 200:
        sys.exit("The runner answered %d: %s" % (answer.status, content.decode("utf-8", "replace")))
    return content


def relay(path):
    """Listen on a port of loopback, and copy what comes to the socket; the port."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)

    def copy(source, target):
        try:
            while True:
                part = source.recv(65536)
                if not part:
                    break
                target.sendall(part)
        except OSError:
            pass
        try:
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def both(near):
        try:
            far = dial(path)
        except OSError:
            near.close()
            return
        back = threading.Thread(target=copy, args=(far, near), daemon=True)
        back.start()
        copy(near, far)
        back.join()
        near.close()
        far.close()

    def accept():
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=both, args=(near,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def choose(path, job):
    for name, text in job["files"].items():
        with open(os.path.join(WORK, name), "w", encoding="utf-8") as file:
            file.write(text)
    done = subprocess.run(job["uv"], cwd=WORK, stdout=subprocess.PIPE, check=False)
    if done.returncode == 0:
        call(path, "PUT", "/answer", done.stdout)
    return done.returncode


def build(path, job):
    with open(os.path.join(WORK, "one.in"), "w", encoding="utf-8") as file:
        file.write(job["exactly"] + "\n")
    found = subprocess.run(job["lookup"], cwd=WORK, stdout=subprocess.PIPE, check=False)
    if found.returncode:
        return found.returncode
    source = fetch(found.stdout.decode("utf-8"))
    if source is None:
        print("The index names no source distribution for " + job["exactly"])
        return NO_SOURCE
    file, named = source
    with open(file, "rb") as content:
        digest = hashlib.sha256(content.read()).hexdigest()
    if (named and named != digest) or (job["hashes"] and digest not in job["hashes"]):
        print("The source distribution has the hash sha256:" + digest)
        return WRONG_HASH
    call(path, "PUT", "/source", json.dumps({"sha256": digest}))
    made = os.path.join(WORK, "made")
    done = subprocess.run(job["uv"] + ["--out-dir", made, file], cwd=WORK, check=False)
    if done.returncode:
        return done.returncode
    wheels = [name for name in os.listdir(made) if name.endswith(".whl")]
    if len(wheels) != 1:
        print("The build made %d wheels" % len(wheels))
        return NO_WHEEL
    with open(os.path.join(made, wheels[0]), "rb") as wheel:
        call(path, "PUT", "/wheel/" + wheels[0], wheel)
    return 0


def fetch(lock):
    """The downloaded file, and the hash that the index names, or ""; None when there is none."""
    entry = re.search(r"^sdist = \{(.*)\}$", lock, re.MULTILINE)
    url = entry and re.search(r'\burl = "([^"]+)"', entry.group(1))
    if not url:
        return None
    named = re.search(r'\bsha256 = "([0-9a-f]{64})"', entry.group(1))
    name = re.sub(r"[?#].*", "", url.group(1)).rsplit("/", 1)[1]
    file = os.path.join(WORK, os.path.basename(urllib.request.url2pathname(name)))
    try:
        with urllib.request.urlopen(url.group(1), timeout=60) as answer, open(file, "wb") as target:
            shutil.copyfileobj(answer, target)
    except urllib.error.URLError as error:
        print("Failed to fetch: `%s`: %s" % (url.group(1), error))
        return None
    return file, named.group(1) if named else ""


def main(path):
    os.makedirs(WORK)
    job = json.loads(call(path, "GET", "/job"))
    proxy = "http://127.0.0.1:%d" % relay(path)
    os.environ.update({"HTTP_PROXY": proxy, "http_proxy": proxy, "HTTPS_PROXY": proxy, "https_proxy": proxy})
    # What the runner says of a URL matters, not whether it is on this container's loopback.
    os.environ.pop("NO_PROXY", None)
    return {"choose": choose, "build": build}[job["do"]](path, job)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
