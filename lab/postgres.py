"""A real PostgreSQL: a server of its own with its data in a folder, on a free port of loopback."""

import asyncio
import os
import pwd
import secrets
import shutil
import signal
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from lab.errors import LabError
from lab.processes import POLL_S, Process, free_ports

USER = "qflow"
READY_S = 30.0


def postgres_bin() -> Path | None:
    """Where the server's programs are; None where scripts/postgres.sh has to install them."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    # Debian: a directory for each version, the newest last.
    each = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    return each[-1].parent if each else None


class Postgres:
    """A server that can be stopped and started again, as one that goes away and comes back."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._password = secrets.token_urlsafe(16)
        self._port = free_ports(1)[0]
        self._process: Process | None = None

    def url(self, database: str) -> str:
        return f"postgresql://{USER}:{self._password}@127.0.0.1:{self._port}/{database}"

    async def make(self) -> None:
        """Make an empty cluster; quick, because what it holds may be lost."""
        if os.getuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self._folder, user.pw_uid, user.pw_gid)
        secret = self._folder / "password"
        secret.write_text(self._password)
        secret.chmod(0o644)
        await self._run(
            "initdb",
            *("--pgdata", str(self._folder / "data"), "--username", USER, "--pwfile", str(secret)),
            *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"),
        )

    async def start(self) -> None:
        """LabError with the end of its log when it does not answer in time."""
        # The one who drops root loses the kernel's promise to end it with us, so it is asked for again.
        argv = [*_as_user(), "setpriv", "--pdeathsig", "INT", "--", self._programs / "postgres"]
        options = ["-D", self._folder / "data", "-p", str(self._port), "-c", "listen_addresses=127.0.0.1"]
        options += ["-c", "unix_socket_directories=", "-c", "fsync=off"]
        self._process = await Process.start("postgres", [*argv, *options], log=self._folder / "postgres.log")
        try:
            async with asyncio.timeout(READY_S):
                while not await self._answers():
                    if not self._process.running:
                        raise LabError(f"postgres ended before it was ready:\n{self._process.tail()}")
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise LabError(f"postgres did not answer in time:\n{self._process.tail()}") from None

    async def stop(self) -> None:
        """At once, with the connections of others: it waits for them when it is asked as other programs are."""
        if self._process is not None and self._process.running:
            os.kill(self._process.pid, signal.SIGINT)
            await self._process.ended()
        self._process = None

    async def create(self, database: str) -> str:
        """A new, empty database. Its URL."""
        await self._client("createdb", database)
        return self.url(database)

    async def drop(self, database: str) -> None:
        """Also one that is in use."""
        await self._client("dropdb", "--force", "--if-exists", database)

    async def _answers(self) -> bool:
        asked = await asyncio.create_subprocess_exec(
            *(self._programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self._port))
        )
        return await asked.wait() == 0

    async def _client(self, program: str, *arguments: str) -> None:
        where = ("-h", "127.0.0.1", "-p", str(self._port), "-U", USER)
        await self._run(program, *where, *arguments)

    async def _run(self, program: str, *arguments: str) -> None:
        started = await asyncio.create_subprocess_exec(
            *(*_as_user(), self._programs / program, *arguments),
            cwd="/",
            env={**os.environ, "PGPASSWORD": self._password},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        told, _ = await started.communicate()
        if started.returncode:
            raise LabError(f"{program} ended with {started.returncode}: {told.decode(errors='replace')}")


@asynccontextmanager
async def running_postgres() -> AsyncGenerator[Postgres]:
    """A server for a block of code, and nothing of it left after. LabError where PostgreSQL is not installed."""
    programs = postgres_bin()
    if programs is None:
        raise LabError("PostgreSQL is not installed: run scripts/postgres.sh")
    folder = Path(tempfile.mkdtemp(prefix="qflow-postgres-"))
    server = Postgres(programs, folder)
    try:
        await server.make()
        await server.start()
        yield server
    finally:
        await server.stop()
        await asyncio.to_thread(shutil.rmtree, folder)


def _as_user() -> tuple[str, ...]:
    """PostgreSQL does not run as root."""
    if os.getuid() != 0:
        return ()
    return ("setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups", "--")
