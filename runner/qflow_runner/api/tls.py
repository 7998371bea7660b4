"""The certificate, which is read again when its files change: new connections get the new one, and none is cut."""

import asyncio
import contextlib
import os
import ssl
from pathlib import Path

import structlog
from cryptography import x509

log = structlog.get_logger()

LOOK_S = 10.0


class Certificate:
    """Blocks when it is made. Raises OSError and ValueError where the files cannot be used."""

    def __init__(self, cert: Path, key: Path) -> None:
        self._cert = cert
        self._key = key
        self._stamp = self._now()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_alpn_protocols(["http/1.1"])
        self.context.load_cert_chain(cert, key, _no_passphrase)

    def reload(self) -> bool:
        """Whether the files are used as they are now. What cannot be used leaves the old certificate in its place."""
        self._stamp = self._now()
        try:
            # Tried elsewhere first: half of a renewal must not take the old one away.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self._cert, self._key, _no_passphrase)
            self.context.load_cert_chain(self._cert, self._key, _no_passphrase)
        except (OSError, ValueError) as error:
            log.warning("tls.not_reloaded", reason=str(error), hint="The certificate from before is used on.")
            return False
        log.info("tls.reloaded", cert=str(self._cert))
        return True

    async def watch(self) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            if await asyncio.to_thread(self._now) != self._stamp:
                await asyncio.to_thread(self.reload)

    def _now(self) -> tuple[tuple[int, int], ...]:
        found: list[tuple[int, int]] = []
        for path in (self._cert, self._key):
            with contextlib.suppress(OSError):
                stat = os.stat(path)  # noqa: PTH116 - two numbers of it
                found.append((stat.st_mtime_ns, stat.st_ino))
        return tuple(found)


def expiry_of(cert: Path) -> float | None:
    """Unix time at which the certificate in this file ends; None where there is none to read. Blocks."""
    try:
        return x509.load_pem_x509_certificate(cert.read_bytes()).not_valid_after_utc.timestamp()
    except (OSError, ValueError):
        return None


def _no_passphrase() -> str:
    raise ValueError("the key has a passphrase")
