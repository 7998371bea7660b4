"""Others as a way out: another execution of the workflow, and another workflow. Both hold a secret meanwhile."""

from qflow_runner.attack.probe import case, cases

SUITE = "hostile: neighbours"

CASES = [
    *cases(
        SUITE,
        [
            (
                "what another execution wrote to its home and /tmp",
                """
def attack(hints: dict) -> dict:
    for top, places, names in os.walk("/"):
        places[:] = [each for each in places if os.path.join(top, each) not in {"/proc", "/sys", "/usr", "/opt"}]
        for name in names:
            path = os.path.join(top, name)
            try:
                number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
            except OSError:
                continue
            try:
                seen(os.read(number, 4096).decode("utf-8", "replace"))
            except OSError:
                pass
            finally:
                os.close(number)
    told["seen"] = [each for each in told.get("seen", []) if "canary" in each]
    return end()
""",
            ),
            (
                "another execution's files by their known path",
                """
def attack(hints: dict) -> dict:
    for path in hints["sibling_files"]:
        refused("read " + path, lambda: seen(open(path).read()))
        refused("write " + path, lambda: open(path, "w"))
        refused("list", lambda: os.listdir(os.path.dirname(path)))
        refused("remove", lambda: os.unlink(path))
    return end()
""",
            ),
            (
                "another execution's process",
                """
def attack(hints: dict) -> dict:
    number = hints["sibling_pid"]
    for name in ("mem", "environ", "maps", "io", "auxv"):
        refused(name, lambda: seen(open("/proc/%d/%s" % (number, name), "rb").read(4096)))
    refused("descriptors", lambda: os.listdir("/proc/%d/fd" % number))
    refused("attach", lambda: kernel(101, 117, 16, number, 0, 0))
    for signal in (0, 19, 18, 15, 9):
        refused("signal %d" % signal, lambda: os.kill(number, signal))
    refused("pidfd", lambda: kernel(424, 424, os.pidfd_open(number), 9, None, 0))
    refused("priority", lambda: os.setpriority(os.PRIO_PROCESS, number, 19))
    refused("limits", lambda: __import__("resource").prlimit(number, 7, (1, 1)))
    return end()
""",
            ),
            (
                "shared memory, queues and abstract sockets of another execution",
                """
def attack(hints: dict) -> dict:
    import socket
    refused("list /dev/shm", lambda: seen(os.listdir("/dev/shm")))
    with open("/proc/net/unix") as file:
        for line in file.read().splitlines()[1:]:
            name = line.split()[-1]
            if name.startswith("@"):
                refused("socket " + name, lambda: socket.socket(socket.AF_UNIX).connect("\\0" + name[1:]))
    refused("abstract", lambda: socket.socket(socket.AF_UNIX).connect("\\0" + hints["sibling_socket"]))
    for number in range(8):
        refused("SysV %d" % number, lambda: checked(libc.shmat(number, None, 0)))
    return end()
""",
            ),
        ],
    ),
    case(
        SUITE,
        "shared memory of another execution by its known name",
        """
def attack(hints: dict) -> dict:
    refused("read", lambda: seen(open(hints["sibling_shared"]).read()))
    refused("write", lambda: open(hints["sibling_shared"], "w"))
    return end()
""",
        known="Landlock cannot tell the files of /dev/shm apart, and multiprocessing needs the place. It cannot be listed.",
    ),
    case(
        SUITE,
        "another workflow's object by its real reference",
        """
def attack(hints: dict) -> dict:
    seen(hints)
    return end()
""",
        options={"steal": "victim"},
        expect=["type", "user_code", "policy", "unavailable"],
    ),
    case(
        SUITE,
        "a reference with a forged id",
        """
def attack(hints: dict) -> dict:
    seen(hints)
    return end()
""",
        options={"steal": "forged"},
        expect=["ok", "type", "user_code", "policy", "unavailable"],
    ),
    case(
        SUITE,
        "files and processes that are left for the next execution",
        """
def attack(hints: dict) -> dict:
    for place in ("/tmp", "/var/tmp", os.environ["HOME"], os.path.dirname(os.environ["HOME"])):
        for name in ("json.py", "sitecustomize.py", "left"):
            try:
                with open(os.path.join(place, name), "w") as file:
                    file.write("raise SystemExit('owned')")
            except OSError as error:
                told[place] = str(error)
    os.environ["PYTHONPATH"] = os.environ["LD_PRELOAD"] = "/tmp"
    return end()
""",
        options={"after": "left"},
    ),
]
