"""The data channel as a way out: forged frames, and objects aimed at whoever unpickles them."""

from qflow_runner.attack.model import Answer, Field
from qflow_runner.attack.probe import case, cases

SUITE = "hostile: channel"

WIRE = '''
import socket, struct
from qflow_agent import wire

msgpack = wire.msgpack


def dial():
    way = socket.socket(socket.AF_UNIX)
    way.settimeout(2)
    way.connect("/run/qflow/agent.sock")
    return way


def packed(fields, payload=b""):
    message = msgpack.packb(fields)
    return struct.pack(">I", len(message)) + message + payload


def answered(way):
    """Bytes that came back; nothing within two seconds, or the end of the connection, is no answer."""
    try:
        return way.recv(4096)
    except socket.timeout:
        return b""


def own_channel():
    """The descriptor of this session's own connection to the runner."""
    for name in sorted(map(int, os.listdir("/proc/self/fd"))):
        try:
            way = socket.socket(fileno=os.dup(name))
            if way.family == socket.AF_UNIX and way.getpeername():
                return way
        except OSError:
            continue
    raise OSError("no channel")
'''

OWN = ["ok", "sandbox", "internal", "type", "user_code", "timeout"]
"""Who breaks its own channel loses its own run, and nothing else."""


async def _no_file(field: Field, answer: Answer) -> str:
    del answer
    return "The attack's code ran on the host." if field.host_file("owned") else ""


CASES = [
    *cases(
        SUITE,
        [
            (name, WIRE + code)
            for name, code in [
                (
                    "a stranger says hello",
                    """
def attack(hints: dict) -> dict:
    tokens = [""]
    for number in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % number) as file:
                words = file.read().split("\\0")
        except OSError:
            continue
        if "--token" in words:
            tokens.append(words[words.index("--token") + 1])
    for token in tokens:
        for role in ("session", "zygote", "environment", "egress", "forwarder", "admin"):
            with dial() as way:
                way.sendall(wire.encode(wire.Hello(role, token, wire.PROTOCOL)))
                if answered(way):
                    harm.append("answered as " + role)
    return end()
""",
                ),
                (
                    "garbage on new connections",
                    """
def attack(hints: dict) -> dict:
    for each in (os.urandom(1 << 16), b"GET / HTTP/1.1\\r\\n\\r\\n", b"\\xff" * 4096, bytes(4096), struct.pack(">I", 0xFFFFFFFF),
                 struct.pack(">I", 1 << 22) + b"\\x81" * (1 << 20), struct.pack(">I", 5) + b"\\xdf\\xff\\xff\\xff\\xff",
                 struct.pack(">I", 1 << 20) + b"\\x91" * (1 << 20)):
        with dial() as way:
            try:
                way.sendall(each)
                if answered(way):
                    harm.append("answered")
            except OSError as error:
                told.setdefault("closed", []).append(str(error))
    return end()
""",
                ),
                (
                    "1,000 connections that say nothing",
                    """
def attack(hints: dict) -> dict:
    kept = []
    try:
        while len(kept) < 1000:
            kept.append(dial())
    except OSError as error:
        told["stopped"] = "%d: %s" % (len(kept), error)
    return end()
""",
                ),
                (
                    "a frame that never ends",
                    """
def attack(hints: dict) -> dict:
    kept = []
    for _ in range(50):
        way = dial()
        way.sendall(struct.pack(">I", 4_000_000) + b"\\x81")
        kept.append(way)
    return end()
""",
                ),
            ]
        ],
        within_s=60,
        options={"timeout_s": 50},
    ),
    *cases(
        SUITE,
        [
            (name, WIRE + code)
            for name, code in [
                (
                    "garbage in its own channel",
                    """
def attack(hints: dict) -> dict:
    own_channel().sendall(os.urandom(1 << 20))
    return end()
""",
                ),
                (
                    "a frame of 4 GB in its own channel",
                    """
def attack(hints: dict) -> dict:
    own_channel().sendall(struct.pack(">I", 0xFFFFFFFF) + b"x" * 1000)
    return end()
""",
                ),
                (
                    "two answers to one run",
                    """
def attack(hints: dict) -> dict:
    way = own_channel()
    items = b'[{"json":{"forged":true}}]'
    for run in range(1, 200):
        way.sendall(wire.encode(wire.Done(run, 1, 0, {}, [["stdout", "forged"]]), len(items)) + items)
    return end()
""",
                ),
                (
                    "half of the answer, then silence",
                    """
def attack(hints: dict) -> dict:
    way = own_channel()
    way.sendall(struct.pack(">I", 100) + b"x" * 50)
    time.sleep(60)
    return end()
""",
                ),
                (
                    "the channel is closed under the run",
                    """
def attack(hints: dict) -> dict:
    own_channel().shutdown(socket.SHUT_RDWR)
    return end()
""",
                ),
                (
                    "every message there is, with wild fields",
                    """
def attack(hints: dict) -> dict:
    way = own_channel()
    import dataclasses
    wild = [None, -1, 2 ** 63 - 1, 1.5, float("nan"), "../../owned", "x" * 100_000, b"\\0" * 100, ["a"] * 1000, {"a": {"b": []}}, True]
    for tag, kind in wire._TAGS.items():
        for value in wild:
            message = {each.name: value for each in dataclasses.fields(kind)}
            message.update(t=tag, n=0)
            try:
                way.sendall(packed(message))
            except (OSError, ValueError) as error:
                told["closed"] = str(error)
                return end()
    return end()
""",
                ),
            ]
        ],
        expect=OWN,
        options={"timeout_s": 6},
        within_s=20,
    ),
    case(
        SUITE,
        "an object whose unpickling runs code on the host",
        """
class Bomb:
    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return os.system, ("touch '%s/owned' /tmp/qflow-owned" % self.place,)


def attack(hints: dict):
    return Bomb(hints["data_dir"])
""",
        options={"output": "reference", "keep": True, "after": "spill"},
        expect=["ok", "user_code", "type"],
        check=_no_file,
    ),
    case(
        SUITE,
        "an object whose pickle is 100 MB of nested marks",
        """
class Deep:
    def __reduce__(self):
        return list, ((self.build(),),)

    @staticmethod
    def build():
        value = ()
        for _ in range(200):
            value = (value, value)
        return b"(" * 100_000_000


def attack(hints: dict):
    return Deep()
""",
        options={"output": "reference", "keep": True, "after": "spill"},
        expect=["ok", "user_code", "type", "memory"],
        within_s=20,
        check=_no_file,
    ),
    case(
        SUITE,
        "an object that hangs whoever packs it",
        """
class Slow:
    def __reduce__(self):
        while True:
            pass


def attack(hints: dict):
    return Slow()
""",
        options={"output": "reference", "keep": True, "after": "spill"},
        within_s=15,
        check=_no_file,
    ),
    case(
        SUITE,
        "logs and errors with control characters, markup and secrets of other lines",
        """
def attack(hints: dict) -> dict:
    print("\\x1b[2J\\x1b]0;owned\\x07\\r\\n{\\"event\\": \\"forged\\"}\\n<script>alert(1)</script>\\0")
    raise RuntimeError("\\x1b[31m<img src=x onerror=alert(1)>\\0\\ud800" + "y" * 1_000_000)
""",
        expect=["user_code"],
    ),
]
