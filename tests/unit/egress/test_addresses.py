"""Which addresses a listed name may have: every form of a private one is known as such."""

import pytest

from qflow_runner.egress import Policy
from qflow_runner.egress.addresses import judge
from qflow_runner.settings import Settings

PUBLIC = [
    "93.184.215.14",
    "1.1.1.1",
    "2606:2800:21f:cb07:6820:80da:af6b:8b2c",
    "::ffff:93.184.215.14",
    "64:ff9b::5db8:d70e",
]
PRIVATE = [
    "127.0.0.1", "127.7.0.1", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1",
    "169.254.1.1", "192.0.0.1", "192.0.2.1", "192.88.99.1", "198.18.0.1", "203.0.113.9",
    "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "fec0::1", "2001:db8::1", "100::1", "3fff::1", "5f00::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:7f00:1", "::127.0.0.1", "::a00:1",
    "64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b:1::8.8.8.8",
    "2002:7f00:1::1", "2002:a00:1::1", "2002:c0a8:101::",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:0:7f00:1::", "2a00::5efe:10.0.0.1", "2a00::200:5efe:127.0.0.1",
]  # fmt: skip
METADATA = ["169.254.169.254", "169.254.170.2", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::"]  # fmt: skip
NEVER = ["0.0.0.0", "0.1.2.3", "::", "::ffff:0.0.0.0", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "ff02::1", "ff0e::1", "not an address", ""]  # fmt: skip


def policy(**settings: object) -> Policy:
    return Policy(Settings(**settings))  # type: ignore[arg-type]


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_be_reached(address: str) -> None:
    assert "" == policy().refusal("x.example", 443, address)


@pytest.mark.parametrize("address", [*PRIVATE, *METADATA, *NEVER])
def test_no_other_may_by_default(address: str) -> None:
    """Written plainly, mapped, or carried in NAT64, 6to4, Teredo or ISATAP."""
    assert policy().refusal("x.example", 443, address)


@pytest.mark.parametrize("address", NEVER)
def test_what_is_no_address_of_a_host_is_never_reached(address: str) -> None:
    assert policy(egress_private=["0.0.0.0/0", "::/0", "*:*", "0.0.0.0"]).refusal("x.example", 443, address)
    assert judge(address).never


@pytest.mark.parametrize("address", METADATA)
def test_no_network_and_no_name_grants_a_metadata_service(address: str) -> None:
    """It hands out the machine's credentials: it must stand there by itself."""
    wide = ["0.0.0.0/0", "::/0", "169.254.0.0/16", "169.254.169.0/24", "*:*", "x.example:80"]

    assert policy(egress_private=wide).refusal("x.example", 80, address)


def test_a_metadata_service_listed_by_itself_is_granted() -> None:
    assert not policy(egress_private=["169.254.169.254"]).refusal("x.example", 80, "169.254.169.254")
    assert not policy(egress_private=["169.254.169.254:80"]).refusal(
        "x.example", 80, "::ffff:169.254.169.254"
    )
    assert policy(egress_private=["169.254.169.254:80"]).refusal("x.example", 81, "169.254.169.254")
    assert policy(egress_private=["169.254.169.254"]).refusal("x.example", 80, "169.254.170.2")


@pytest.mark.parametrize(
    ("entry", "host", "port", "address", "granted"),
    [
        ("10.1.0.0/16", "db.internal", 5432, "10.1.2.3", True),
        ("10.1.0.0/16", "db.internal", 5432, "::ffff:10.1.2.3", True),
        ("10.1.0.0/16", "db.internal", 5432, "10.2.0.1", False),
        ("10.1.0.0/16", "db.internal", 5432, "64:ff9b::10.1.2.3", False),
        ("127.0.0.1:5432", "db.internal", 5432, "127.0.0.1", True),
        ("127.0.0.1:5432", "db.internal", 8717, "127.0.0.1", False),
        ("[::1]:5432", "db.internal", 5432, "::1", True),
        ("[::1]:5432", "db.internal", 5433, "::1", False),
        ("::1", "db.internal", 5433, "::1", True),
        ("fd12::/16", "db.internal", 5433, "fd12::7", True),
        ("db.internal:5432", "db.internal", 5432, "10.9.9.9", True),
        ("db.internal:5432", "db.internal", 5432, "127.0.0.1", True),
        ("db.internal:5432", "db.internal", 22, "10.9.9.9", False),
        ("db.internal:5432", "other.internal", 5432, "10.9.9.9", False),
        ("*.internal:*", "other.internal", 5432, "10.9.9.9", True),
    ],
)
def test_what_the_administrator_lists_is_granted(
    entry: str, host: str, port: int, address: str, granted: bool
) -> None:
    assert granted == (not policy(egress_private=[entry]).refusal(host, port, address))
