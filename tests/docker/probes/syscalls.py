"""Runs in a sandbox: calls what the profile leaves out by its number, with arguments that do no harm if it is let through."""

import ctypes
import errno
import os
import platform
import signal
import socket
from pathlib import Path

# Numbers on x86-64 and on aarch64; None where there is no such call.
REFUSED = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "adjtimex": (159, 171),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "clock_adjtime": (305, 266),
    "clock_settime": (227, 112),
    "clone3": (435, 435),
    "delete_module": (176, 106),
    "fanotify_init": (300, 262),
    "fanotify_mark": (301, 263),
    "finit_module": (313, 273),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "get_mempolicy": (239, 236),
    "init_module": (175, 105),
    "io_setup": (206, 0),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "ioperm": (173, None),
    "iopl": (172, None),
    "kcmp": (312, 272),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "lookup_dcookie": (212, 18),
    "mbind": (237, 235),
    "memfd_secret": (447, 447),
    "migrate_pages": (256, 238),
    "modify_ldt": (154, None),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "move_pages": (279, 239),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    "msgget": (68, 186),
    "name_to_handle_at": (303, 264),
    "nfsservctl": (180, 42),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "pidfd_getfd": (438, 438),
    "pivot_root": (155, 41),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "reboot": (169, 142),
    "remap_file_pages": (216, 234),
    "request_key": (249, 218),
    "semget": (64, 190),
    "set_mempolicy": (238, 237),
    "setdomainname": (171, 162),
    "sethostname": (170, 161),
    "setns": (308, 268),
    "settimeofday": (164, 170),
    "shmget": (29, 194),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "sync": (162, 81),
    "sysfs": (139, None),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
    "vhangup": (153, 58),
    "vmsplice": (278, 75),
}
ARGUMENTS = {
    "ptrace": (0, 0, 0, 0),
    "unshare": (0x10000000,),
    "shmget": (0, 4096, 0o1600),
    "msgget": (0, 0o1600),
}
FAMILIES = {
    "netlink": (16, 3, 0),
    "packet": (17, 3, 0),
    "alg": (38, 5, 0),
    "vsock": (40, 1, 0),
    "bluetooth": (31, 1, 0),
}
KINDS = {"raw": (2, 3, 1), "mptcp": (2, 1, 262), "sctp": (2, 1, 132), "dccp": (2, 6, 33), "icmp": (2, 2, 1)}
NEW_NAMESPACES = (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000)
CLONE, PERSONALITY, PRLIMIT = (56, 220), (135, 92), (302, 261)

libc = ctypes.CDLL(None, use_errno=True)


def probe() -> dict:
    """What each was answered with: the name of the error, or "done"."""
    column = 0 if platform.machine() == "x86_64" else 1

    def call(number: int, *arguments: int) -> str:
        ctypes.set_errno(0)
        result = libc.syscall(ctypes.c_long(number), *(ctypes.c_long(each) for each in arguments))
        if result == 0 and number == CLONE[column]:
            os._exit(0)  # in the process that should not be
        if result >= 0:
            return "done"
        return errno.errorcode[ctypes.get_errno()]

    told = {
        name: call(numbers[column], *ARGUMENTS.get(name, (0, 0, 0, 0, 0)))
        for name, numbers in REFUSED.items()
        if numbers[column] is not None
    }
    for flag in NEW_NAMESPACES:
        told[f"clone {flag:x}"] = call(CLONE[column], flag | signal.SIGCHLD, 0, 0, 0, 0)
    told["personality"] = call(PERSONALITY[column], 0x0040000)
    told["limits of another process"] = call(PRLIMIT[column], 1, 7, 0, 0)
    for name, arguments in {**FAMILIES, **KINDS}.items():
        try:
            socket.socket(*arguments).close()
            told["socket " + name] = "done"
        except OSError as error:
            told["socket " + name] = errno.errorcode[error.errno]
    told["other architecture"] = in_child()
    return {"refused": told, "allowed": call((39, 172)[column]), "mode": seccomp_mode()}


def in_child() -> str:
    """getpid of the x32 interface: it ends the process."""
    if platform.machine() != "x86_64":
        return "EPERM"
    pid = os.fork()
    if not pid:
        done = libc.syscall(ctypes.c_long(0x40000000 | 39))
        os._exit(0 if done >= 0 else 1)
    status = os.waitpid(pid, 0)[1]
    if os.WIFSIGNALED(status):
        return "SIGSYS" if os.WTERMSIG(status) == signal.SIGSYS else "signal"
    return "done" if not os.WEXITSTATUS(status) else "EPERM"


def seccomp_mode() -> str:
    status = Path("/proc/self/status").read_text()
    return next(line.split()[1] for line in status.splitlines() if line.startswith("Seccomp:"))
