"""The kernel as a way out: each call that could change, see or become something outside the session."""

from qflow_runner.attack.probe import cases

SUITE = "hostile: kernel"

CASES = cases(
    SUITE,
    [
        (
            "ptrace of process 1 and of itself",
            """
def attack(hints: dict) -> dict:
    refused("attach to 1", lambda: kernel(101, 117, 16, 1, 0, 0))
    refused("seize 1", lambda: kernel(101, 117, 0x4206, 1, 0, 0))
    return end()
""",
        ),
        (
            "memory and secrets of other processes in /proc",
            """
def attack(hints: dict) -> dict:
    own = {str(os.getpid()), "self", "thread-self"}
    for number in os.listdir("/proc"):
        if number.isdigit() and number not in own:
            for name in ("mem", "environ", "maps", "auxv", "stack", "syscall", "personality", "io"):
                refused(number + "/" + name, lambda: open("/proc/%s/%s" % (number, name), "rb").read(1))
            for name in ("fd", "fdinfo", "map_files"):
                refused(number + "/" + name, lambda: os.listdir("/proc/%s/%s" % (number, name)))
            for name in ("root", "cwd", "exe"):
                refused(number + "/" + name, lambda: os.readlink("/proc/%s/%s" % (number, name)))
    return end()
""",
        ),
        (
            "process_vm_readv and process_vm_writev",
            """
def attack(hints: dict) -> dict:
    class Vector(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
    buffer = ctypes.create_string_buffer(64)
    mine = Vector(ctypes.cast(buffer, ctypes.c_void_p), 64)
    for name, x86, arm in (("read", 310, 270), ("write", 311, 271)):
        refused(name, lambda: kernel(x86, arm, 1, ctypes.byref(mine), 1, ctypes.byref(mine), 1, 0))
    return end()
""",
        ),
        (
            "mounts",
            """
def attack(hints: dict) -> dict:
    home = os.environ["TMPDIR"].encode()
    for kind in (b"tmpfs", b"proc", b"overlay", b"cgroup2", b"debugfs"):
        refused("mount " + kind.decode(), lambda: checked(libc.mount(b"none", home, kind, 0, None)))
    refused("bind", lambda: checked(libc.mount(b"/", home, None, 4096, None)))
    refused("remount /", lambda: checked(libc.mount(None, b"/", None, 32, None)))
    refused("umount", lambda: checked(libc.umount2(b"/proc", 2)))
    refused("fsopen", lambda: kernel(430, 430, b"tmpfs", 0))
    refused("open_tree", lambda: kernel(428, 428, -100, b"/", 1))
    refused("pivot_root", lambda: kernel(155, 41, home, home))
    refused("chroot", lambda: os.chroot(os.environ["TMPDIR"]))
    return end()
""",
        ),
        (
            "device files",
            """
def attack(hints: dict) -> dict:
    import stat
    home = os.environ["TMPDIR"]
    refused("disk", lambda: os.mknod(home + "/disk", stat.S_IFBLK | 0o666, os.makedev(8, 0)))
    refused("memory", lambda: os.mknod(home + "/mem", stat.S_IFCHR | 0o666, os.makedev(1, 1)))
    for name in ("mem", "kmem", "port", "kmsg", "sda", "vda", "fuse", "kvm", "net/tun", "loop-control", "mapper/control", "vhost-net"):
        refused("/dev/" + name, lambda: os.open("/dev/" + name, os.O_RDWR))
    return end()
""",
        ),
        (
            "raw, packet, netlink and other sockets",
            """
def attack(hints: dict) -> dict:
    import socket
    for name, family, kind in (
        ("raw", socket.AF_INET, socket.SOCK_RAW), ("raw 6", socket.AF_INET6, socket.SOCK_RAW),
        ("packet", socket.AF_PACKET, socket.SOCK_RAW), ("netlink", socket.AF_NETLINK, socket.SOCK_RAW),
        ("alg", 38, socket.SOCK_SEQPACKET), ("vsock", 40, socket.SOCK_STREAM), ("bluetooth", 31, socket.SOCK_RAW),
        ("can", 29, socket.SOCK_RAW), ("key", 15, socket.SOCK_RAW), ("xdp", 44, socket.SOCK_RAW), ("tipc", 30, socket.SOCK_RAW),
    ):
        refused(name, lambda: socket.socket(family, kind, 1 if "raw" in name else 0))
    return end()
""",
        ),
        (
            "kernel keyrings",
            """
def attack(hints: dict) -> dict:
    refused("add_key", lambda: kernel(248, 217, b"user", b"k", b"v", 1, -3))
    refused("request_key", lambda: kernel(249, 218, b"user", b"k", None, -3))
    refused("keyctl", lambda: kernel(250, 219, 0, -3, 1))
    return end()
""",
        ),
        (
            "bpf, performance counters, userfaultfd and io_uring",
            """
def attack(hints: dict) -> dict:
    buffer = ctypes.create_string_buffer(256)
    refused("bpf", lambda: kernel(321, 280, 0, buffer, 64))
    attributes = ctypes.create_string_buffer(128)
    attributes[4] = 128
    refused("perf", lambda: kernel(298, 241, attributes, 0, -1, -1, 0))
    refused("userfaultfd", lambda: kernel(323, 282, 0))
    refused("io_uring", lambda: kernel(425, 425, 4, buffer))
    return end()
""",
        ),
        (
            "user and other namespaces",
            """
def attack(hints: dict) -> dict:
    for name, flag in (("user", 0x10000000), ("mount", 0x20000), ("net", 0x40000000), ("pid", 0x20000000),
                       ("uts", 0x4000000), ("ipc", 0x8000000), ("cgroup", 0x2000000), ("time", 0x80)):
        refused("unshare " + name, lambda: checked(libc.unshare(flag)))
    def cloned():
        number = kernel(56, 220, 0x10000000 | 17, 0, 0, 0, 0)
        if number == 0:
            os._exit(0)
        return number
    refused("clone", cloned)
    for name in ("user", "mnt", "net", "pid", "ipc", "uts", "cgroup"):
        def entered():
            with open("/proc/1/ns/" + name) as file:
                checked(libc.setns(file.fileno(), 0))
        refused("setns " + name, entered)
    return end()
""",
        ),
        (
            "kernel modules, another kernel, reboot",
            """
def attack(hints: dict) -> dict:
    refused("init_module", lambda: kernel(175, 105, b"x", 1, b""))
    refused("finit_module", lambda: kernel(313, 273, 0, b"", 0))
    refused("delete_module", lambda: kernel(176, 106, b"loop", 0))
    refused("kexec_load", lambda: kernel(246, 104, 0, 0, None, 0))
    refused("reboot, with a wrong magic number on purpose", lambda: kernel(169, 142, 1, 1, 0, None))
    refused("swapon", lambda: kernel(167, 224, b"/nothing", 0))
    refused("acct", lambda: kernel(163, 89, None))
    return end()
""",
        ),
        (
            "the clock, the name of the host, its log",
            """
def attack(hints: dict) -> dict:
    import socket
    refused("clock", lambda: time.clock_settime(time.CLOCK_REALTIME, time.time()))
    class Time(ctypes.Structure):
        _fields_ = [("seconds", ctypes.c_long), ("micro", ctypes.c_long)]
    refused("settimeofday", lambda: kernel(164, 170, ctypes.byref(Time(int(time.time()), 0)), None))
    refused("adjtimex", lambda: checked(libc.adjtimex(ctypes.byref((ctypes.c_uint * 64)(1)))))
    refused("hostname", lambda: socket.sethostname("owned"))
    refused("domain", lambda: checked(libc.setdomainname(b"owned", 5)))
    refused("kernel log", lambda: checked(libc.klogctl(3, ctypes.create_string_buffer(64), 64)))
    return end()
""",
        ),
        (
            "another user and more rights",
            """
def attack(hints: dict) -> dict:
    other = 0 if os.getuid() else 1
    refused("setuid", lambda: os.setuid(other))
    refused("setgid", lambda: os.setgid(other))
    refused("setresuid", lambda: os.setresuid(other, other, other))
    refused("setgroups", lambda: os.setgroups([0]))
    with open("/proc/self/status") as file:
        status = dict(line.split(":", 1) for line in file.read().splitlines() if ":" in line)
    for name in ("CapEff", "CapPrm", "CapInh", "CapAmb", "CapBnd"):
        if int(status[name], 16):
            harm.append(name + status[name])
    if status["NoNewPrivs"].strip() != "1":
        harm.append("privileges can be gained")
    if os.getuid() == 0:
        harm.append("root")
    return end()
""",
        ),
        (
            "programs with set-uid bits",
            """
def attack(hints: dict) -> dict:
    import stat
    for top, places, names in os.walk("/"):
        places[:] = [each for each in places if os.path.join(top, each) not in {"/proc", "/sys"}]
        for name in names:
            try:
                found = os.lstat(os.path.join(top, name))
            except OSError:
                continue
            if stat.S_ISREG(found.st_mode) and found.st_mode & (stat.S_ISUID | stat.S_ISGID):
                harm.append(os.path.join(top, name))
    return end()
""",
        ),
        (
            "switches of the kernel in /proc and /sys",
            """
def attack(hints: dict) -> dict:
    def write(path):
        with open(path, "r+b", 0) as file:
            return file.write(b"0")
    for path in ("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/randomize_va_space", "/proc/sys/vm/overcommit_memory",
                 "/proc/sys/kernel/modprobe", "/proc/sys/net/ipv4/ip_forward", "/proc/sysrq-trigger", "/proc/irq/0/smp_affinity",
                 "/sys/kernel/uevent_helper", "/sys/power/state", "/sys/kernel/mm/transparent_hugepage/enabled",
                 "/proc/sys/fs/binfmt_misc/register", "/proc/1/oom_score_adj"):
        refused("write " + path, lambda: write(path))
    for path in ("/proc/kcore", "/proc/kallsyms", "/proc/keys", "/proc/timer_list", "/sys/firmware", "/proc/vmallocinfo"):
        def read():
            if os.path.isdir(path):
                names = os.listdir(path)
            else:
                with open(path, "rb") as file:
                    names = [line for line in file.read(4096).splitlines() if not line.startswith(b"0" * 16)]
            if not names:
                raise OSError("empty")
            return names[:3]
        refused("read " + path, read)
    return end()
""",
        ),
        (
            "files of the host by their handle",
            """
def attack(hints: dict) -> dict:
    handle = ctypes.create_string_buffer(b"\\x08\\0\\0\\0\\x01\\0\\0\\0\\x02" + bytes(64), 128)
    for place in ("/", "/etc/hosts", "/etc/hostname", "/run/qflow"):
        def opened():
            number = os.open(place, os.O_RDONLY)
            try:
                return kernel(304, 265, number, handle, 0)
            finally:
                os.close(number)
        refused(place, opened)
    return end()
""",
        ),
        (
            "control groups",
            """
def attack(hints: dict) -> dict:
    def write(path, text):
        with open(path, "w") as file:
            file.write(text)
    import glob
    for path in glob.glob("/sys/fs/cgroup/**/cgroup.procs", recursive=True)[:50] + glob.glob("/sys/fs/cgroup/**/release_agent", recursive=True):
        refused("write " + path, lambda: write(path, str(os.getpid())))
    for path in glob.glob("/sys/fs/cgroup/**/*max*", recursive=True)[:50] + glob.glob("/sys/fs/cgroup/**/*limit*", recursive=True)[:50]:
        refused("write " + path, lambda: write(path, "9223372036854771712"))
    for place in ["/sys/fs/cgroup", *glob.glob("/sys/fs/cgroup/*/")]:
        refused("mkdir in " + place, lambda: os.mkdir(os.path.join(place, "owned")))
    return end()
""",
        ),
        (
            "executable memory tricks and personalities",
            """
def attack(hints: dict) -> dict:
    refused("uname of an old kernel, then set back", lambda: checked(libc.personality(ctypes.c_ulong(0x0020000))))
    refused("modify_ldt", lambda: kernel(154, -1, 0, None, 0))
    refused("iopl", lambda: kernel(172, -1, 3))
    refused("ioperm", lambda: kernel(173, -1, 0x80, 1, 1))
    refused("kcmp", lambda: kernel(312, 272, 1, os.getpid(), 0, 0, 0))
    refused("pidfd_getfd", lambda: kernel(438, 438, os.pidfd_open(1), 0, 0))
    return end()
""",
        ),
    ],
)
