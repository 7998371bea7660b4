"""Files as a way out: whatever the host reads or shares must lead nowhere."""

from qflow_runner.attack.model import Answer, Field
from qflow_runner.attack.probe import case, cases

SUITE = "hostile: files"

RETURN_FILE = """
from qflow import File

def attack(hints: dict):
    place = os.path.join(os.environ["TMPDIR"], "made")
    {make}
    return File(place, name={name}, mime="text/plain")
"""


async def _no_file(field: Field, answer: Answer) -> str:
    del answer
    return "A file of the attack is on the host." if field.host_file("owned") else ""


def _returned(name: str, make: str, file_name: str = '"made"') -> tuple[str, str]:
    return name, RETURN_FILE.format(make=make, name=file_name)


CASES = [
    *cases(
        SUITE,
        [
            (
                "the layer store cannot be written",
                """
def attack(hints: dict) -> dict:
    import glob
    place = os.environ.get("QFLOW_LAYERS", "/opt/qflow/layers")
    refused("file", lambda: open(os.path.join(place, "owned"), "w"))
    refused("directory", lambda: os.mkdir(os.path.join(place, "owned.d")))
    refused("rights", lambda: os.chmod(place, 0o777))
    for path in glob.glob(place + "/*/*")[:20] + glob.glob("/opt/qflow/**/*.py", recursive=True)[:20]:
        refused("write " + path, lambda: open(path, "ab"))
        refused("remove " + path, lambda: os.rename(path, path + "~"))
    return end()
""",
            ),
            (
                "the socket's directory cannot be changed",
                """
def attack(hints: dict) -> dict:
    place = "/run/qflow"
    refused("file", lambda: open(place + "/owned", "w"))
    refused("link", lambda: os.symlink(hints["host_files"][0], place + "/owned"))
    refused("remove", lambda: os.unlink(place + "/agent.sock"))
    refused("rename", lambda: os.rename(place + "/agent.sock", place + "/owned"))
    refused("rights", lambda: os.chmod(place + "/agent.sock", 0))
    import socket
    refused("bind", lambda: socket.socket(socket.AF_UNIX).bind(place + "/owned"))
    return end()
""",
            ),
            (
                "the directory of received files cannot be listed or changed",
                """
def attack(hints: dict) -> dict:
    place = os.environ.get("QFLOW_FILES", "/run/qflow-files")
    refused("list", lambda: os.listdir(place))
    refused("file", lambda: open(os.path.join(place, "owned"), "w"))
    refused("link", lambda: os.symlink(hints["host_files"][0], os.path.join(place, "owned")))
    refused("up", lambda: os.listdir(os.path.join(place, "..", "..", "root")))
    return end()
""",
            ),
            (
                "the root is read-only, the agent cannot be replaced",
                """
def attack(hints: dict) -> dict:
    import qflow_agent, qflow_agent.wire
    for path in (qflow_agent.__file__, qflow_agent.wire.msgpack.__file__, sys.executable, "/etc/passwd", "/etc/hosts", "/etc/ld.so.preload",
                 "/usr/local/lib/sitecustomize.py", "/bin/sh"):
        refused("write " + path, lambda: open(path, "r+b" if os.path.exists(path) else "wb"))
    for place in {os.path.dirname(qflow_agent.__file__), "/", "/usr", "/etc", "/root", "/var", "/opt", "/home", "/mnt"}:
        refused("make in " + place, lambda: open(os.path.join(place, "owned"), "w"))
    return end()
""",
            ),
            (
                "files of the host by their path",
                """
def attack(hints: dict) -> dict:
    for path in [*hints["host_files"], hints["data_dir"], "/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock"]:
        refused(path, lambda: os.stat(path))
    for up in range(1, 12):
        refused("up %d" % up, lambda: seen(open("../" * up + hints["host_files"][0].lstrip("/")).read()))
    return end()
""",
            ),
        ],
    ),
    *cases(
        SUITE,
        [
            _returned(
                "a returned file that is a symbolic link to the host",
                'os.symlink(hints["host_files"][0], place)',
            ),
            _returned("a returned file that is a link to process 1", 'os.symlink("/proc/1/environ", place)'),
            _returned("a returned file that is a pipe", "os.mkfifo(place)"),
            _returned("a returned file that is a directory", "os.mkdir(place)"),
            _returned("a returned file that is a device", 'os.symlink("/dev/zero", place)'),
            _returned(
                "a returned file that is a socket", "import socket; socket.socket(socket.AF_UNIX).bind(place)"
            ),
        ],
        expect=["ok", "user_code", "type", "timeout", "policy"],
        options={"timeout_s": 8},
        within_s=20,
        check=_no_file,
    ),
    *cases(
        SUITE,
        [
            _returned(
                f"a file name {what}",
                'open(place, "w").write("content")',
                name,
            )
            for what, name in (
                ("that climbs", 'hints["data_dir"].count("/") * "../" + hints["data_dir"][1:] + "/owned"'),
                ("that is a path", 'hints["data_dir"] + "/owned"'),
                ("with a null byte", '"owned\\0.txt"'),
                ("with line ends and quotes", '"owned\\r\\nX-Owned: 1\\r\\n\\r\\n\\".html"'),
                ("of 100,000 characters", '"o" * 100_000'),
                ("with other scripts and marks", '"\\u202egpj.exe\\u0000"'),
            )
        ],
        expect=["ok", "user_code", "type"],
        check=_no_file,
    ),
    case(
        SUITE,
        "hard links to what can be read",
        """
def attack(hints: dict) -> dict:
    home = os.environ["TMPDIR"]
    for path in ("/etc/hosts", "/etc/shadow", "/run/qflow/agent.sock", "/usr/bin/env"):
        refused(path, lambda: os.link(path, os.path.join(home, "linked")))
    return end()
""",
    ),
    case(
        SUITE,
        "the session's home becomes a link before it is removed",
        """
def attack(hints: dict) -> dict:
    import shutil
    home = os.environ["HOME"]
    try:
        os.rename(home, home + ".old")
        os.symlink("/", home)
    except OSError as error:
        told["rename"] = str(error)
    os.makedirs(os.path.join(home + ".old", "a" * 200), exist_ok=True) if os.path.isdir(home + ".old") else None
    return end()
""",
        expect=["ok", "user_code", "sandbox", "internal"],
    ),
    case(
        SUITE,
        "directories nested 5,000 deep, with rights taken away",
        """
def attack(hints: dict) -> dict:
    os.chdir(os.environ["TMPDIR"])
    made = 0
    try:
        for made in range(5_000):
            os.mkdir("d")
            os.chdir("d")
        os.chmod(".", 0)
    except OSError as error:
        told["stopped"] = "%d: %s" % (made, error)
    os.chdir("/")
    return end()
""",
        expect=["ok", "user_code"],
    ),
]
