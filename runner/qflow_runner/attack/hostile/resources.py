"""More than its share: processes, threads, memory, files, output, time."""

from qflow_runner.attack.probe import case

SUITE = "hostile: resources"
SHORT = {"timeout_s": 3}
STOPPED = ["ok", "user_code", "timeout", "memory", "sandbox", "policy"]

CASES = [
    case(
        SUITE,
        "fork bomb",
        """
def attack(hints: dict) -> dict:
    while True:
        try:
            os.fork()
        except OSError:
            time.sleep(0.001)
""",
        expect=["timeout", "memory", "sandbox"],
        options=SHORT,
    ),
    case(
        SUITE,
        "fork bomb of processes that leave the group",
        """
def attack(hints: dict) -> dict:
    while True:
        try:
            if os.fork() == 0:
                os.setsid()
        except OSError:
            time.sleep(0.001)
""",
        expect=["timeout", "memory", "sandbox"],
        options=SHORT,
    ),
    case(
        SUITE,
        "thread bomb",
        """
def attack(hints: dict) -> dict:
    import threading
    threads = []
    try:
        for _ in range(100_000):
            threads.append(threading.Thread(target=time.sleep, args=(30,), daemon=True))
            threads[-1].start()
    except RuntimeError as error:
        told["stopped"] = "%d threads: %s" % (len(threads), error)
        return end()
    harm.append("100,000 threads")
    return end()
""",
        harms_itself=True,
        expect=STOPPED,
    ),
    case(
        SUITE,
        "memory bomb",
        """
def attack(hints: dict) -> dict:
    kept = []
    while True:
        kept.append(bytearray(os.urandom(1 << 20)))
""",
        expect=["memory"],
        within_s=30,
    ),
    case(
        SUITE,
        "memory bomb in a child process",
        """
def attack(hints: dict) -> dict:
    for _ in range(4):
        if os.fork() == 0:
            kept = []
            while True:
                kept.append(bytearray(os.urandom(1 << 20)))
    time.sleep(8)
    return end()
""",
        expect=STOPPED,
        within_s=30,
    ),
    case(
        SUITE,
        "memory as files in /dev/shm and memfd",
        """
def attack(hints: dict) -> dict:
    block = os.urandom(1 << 20)
    written = 0
    try:
        with open("/dev/shm/fill", "wb") as file:
            while written < 1 << 32:
                written += file.write(block)
        harm.append("4 GiB in /dev/shm")
    except OSError as error:
        told["shm"] = "%d MB: %s" % (written >> 20, error)
    number = os.memfd_create("fill")
    while True:
        os.write(number, block)
""",
        expect=STOPPED,
        within_s=30,
        options={"timeout_s": 10},
    ),
    case(
        SUITE,
        "disk fill in every directory that can be written",
        """
def attack(hints: dict) -> dict:
    block = b"x" * (1 << 20)
    for place in {os.environ.get("HOME", "/"), os.environ.get("TMPDIR", "/tmp"), "/tmp", "/var/tmp", "/dev/shm", "/run", "/dev", "/opt", "/"}:
        written = 0
        try:
            with open(os.path.join(place, "fill"), "wb", 0) as file:
                while written < 2 << 30:
                    written += file.write(block)
            harm.append("2 GiB in " + place)
        except OSError as error:
            told[place] = "%d MB: %s" % (written >> 20, error)
    return end()
""",
        expect=STOPPED,
        within_s=30,
    ),
    case(
        SUITE,
        "inodes run out",
        """
def attack(hints: dict) -> dict:
    home = os.environ.get("TMPDIR", "/tmp")
    made = 0
    try:
        for made in range(2_000_000):
            os.close(os.open(os.path.join(home, str(made)), os.O_CREAT | os.O_WRONLY))
        harm.append("2,000,000 files")
    except OSError as error:
        told["stopped"] = "%d files: %s" % (made, error)
    return end()
""",
        expect=STOPPED,
        within_s=40,
        options={"timeout_s": 20},
    ),
    case(
        SUITE,
        "file descriptors run out",
        """
def attack(hints: dict) -> dict:
    kept = []
    try:
        while len(kept) < 1_000_000:
            kept.append(os.open("/dev/null", os.O_RDONLY))
        harm.append("1,000,000 descriptors")
    except OSError as error:
        told["stopped"] = "%d: %s" % (len(kept), error)
    return end()
""",
        expect=[*STOPPED, "internal"],
    ),
    case(
        SUITE,
        "output flood",
        """
def attack(hints: dict) -> dict:
    line = "x" * 1000
    for _ in range(1_000_000):
        print(line)
        sys.stderr.write(line)
    return end()
""",
        expect=STOPPED,
        within_s=30,
        options={"timeout_s": 15},
    ),
    case(
        SUITE,
        "one line of 200 MB, written past Python",
        """
def attack(hints: dict) -> dict:
    block = b"y" * (1 << 20)
    for _ in range(200):
        try:
            os.write(1, block)
            os.write(2, block)
        except OSError as error:
            told["stopped"] = str(error)
            break
    return end()
""",
        expect=STOPPED,
        within_s=30,
    ),
    case(
        SUITE,
        "result flood",
        """
def attack(hints: dict):
    block = "z" * 1_000_000
    def flood():
        for _ in range(100_000):
            yield {"block": block}
    return flood()
""",
        expect=["type", "memory", "timeout", "user_code", "policy"],
        within_s=60,
        options={"timeout_s": 30},
    ),
    case(
        SUITE,
        "endless loop that ignores signals",
        """
def attack(hints: dict) -> dict:
    import signal
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.Signals)
    signal.setitimer(signal.ITIMER_REAL, 0)
    while True:
        pass
""",
        expect=["timeout"],
        options=SHORT,
    ),
    case(
        SUITE,
        "endless loop that catches everything",
        """
def attack(hints: dict) -> dict:
    while True:
        try:
            while True:
                pass
        except BaseException:
            continue
""",
        expect=["timeout"],
        options=SHORT,
    ),
    case(
        SUITE,
        "endless call in C that holds the interpreter",
        """
def attack(hints: dict) -> dict:
    return {"n": len(str(9 ** (9 ** 8) % (10 ** 9 ** 7)))}
""",
        expect=["timeout", "user_code", "memory"],
        options=SHORT,
    ),
    case(
        SUITE,
        "a session that stops itself",
        """
def attack(hints: dict) -> dict:
    import signal
    os.kill(os.getpid(), signal.SIGSTOP)
    return end()
""",
        expect=["timeout", "sandbox", "user_code"],
        options=SHORT,
    ),
    case(
        SUITE,
        "kill everything that can be killed",
        """
def attack(hints: dict) -> dict:
    import signal
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(-1, number)
        except OSError as error:
            told[str(number)] = str(error)
    return end()
""",
        expect=STOPPED,
    ),
    case(
        SUITE,
        "kill and stop process 1",
        """
def attack(hints: dict) -> dict:
    import signal
    for number in (signal.SIGSTOP, signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV, signal.SIGALRM):
        try:
            os.kill(1, number)
        except OSError as error:
            told[str(number)] = str(error)
    time.sleep(0.2)
    return end()
""",
        expect=STOPPED,
    ),
    case(
        SUITE,
        "daemons that outlive the run",
        """
def attack(hints: dict) -> dict:
    for _ in range(20):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                for number in range(256):
                    try:
                        os.close(number)
                    except OSError:
                        pass
                time.sleep(120)
            os._exit(0)
    return end()
""",
        expect=STOPPED,
    ),
    case(
        SUITE,
        "zombies are never waited for",
        """
def attack(hints: dict) -> dict:
    made = 0
    try:
        for made in range(10_000):
            if os.fork() == 0:
                os._exit(0)
        harm.append("10,000 zombies")
    except OSError as error:
        told["stopped"] = "%d: %s" % (made, error)
    return end()
""",
        harms_itself=True,
        expect=STOPPED,
        options={"timeout_s": 8},
        within_s=15,
    ),
    case(
        SUITE,
        "the stack runs out",
        """
def attack(hints: dict) -> dict:
    sys.setrecursionlimit(10 ** 9)
    def deeper(n):
        return deeper(n + 1) + 1
    return {"n": deeper(0)}
""",
        expect=["user_code", "memory", "sandbox"],
        within_s=30,
    ),
    case(
        SUITE,
        "a value that nests without end",
        """
def attack(hints: dict) -> dict:
    value = {}
    for _ in range(200_000):
        value = {"a": value}
    return value
""",
        expect=["user_code", "type"],
    ),
    case(
        SUITE,
        "priorities and limits are raised",
        """
def attack(hints: dict) -> dict:
    import resource
    refused("nice", lambda: os.setpriority(os.PRIO_PROCESS, 0, -10))
    refused("real time", lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50)))
    def raise_files():
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard * 64, hard * 64))
    refused("files", raise_files)
    refused("memory lock", lambda: resource.setrlimit(resource.RLIMIT_MEMLOCK, (1 << 40, 1 << 40)))
    def score():
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("-1000")
    refused("oom score", score)
    return end()
""",
    ),
]
