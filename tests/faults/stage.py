"""The whole platform on servers of its own, to be killed, paused, wiped and put back: every service as a process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from aiosmtpd.smtp import SMTP, Envelope, Session
from nats.aio.client import Client

from deploy.databases import ServiceDatabase
from deploy.environment import service_environment
from shared.db import init_connection
from tests.support.clients import connected
from tests.support.processes import ServiceProcess
from tests.support.scratch import scratch
from tests.support.servers import EmbeddedServers, Servers

SERVICES = ("audit", "network", "goals", "notifications", "gate")
"""Audit first: the others wait for it as their witness."""

Record = asyncpg.Record


class Mailbox:
    """A mail server in this loop that keeps what it is sent."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  aiosmtpd's
        """Keep one mail."""
        del server, session
        self.mails.append(envelope.original_content or b"")
        return "250 kept"


@dataclass
class Stage:
    """The servers, the databases and the processes of one platform."""

    servers: Servers
    folder: Path
    label: str = "stage"
    databases: dict[str, ServiceDatabase] = field(default_factory=dict)
    processes: dict[str, ServiceProcess] = field(default_factory=dict)
    mailbox: Mailbox = field(default_factory=Mailbox)
    nats_urls: Mapping[str, str] = field(default_factory=dict)
    """Where a process finds the broker, if not at its own address: through a cable that a test can cut."""
    down: set[str] = field(default_factory=set)
    """Services that a test holds down: everything else that ends by itself is started again."""

    @property
    def embedded(self) -> EmbeddedServers:
        """The servers as ones to kill and wipe: those of `private_servers`."""
        if not isinstance(self.servers, EmbeddedServers):
            raise TypeError("these servers are not ours to kill: raise the stage on private_servers()")
        return self.servers

    async def open(self, smtp_port: int, **env: str) -> None:
        """Makes the databases, and starts every service until it is ready."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for service in SERVICES:
            self.databases[service] = await self.servers.clone(service, f"{self.label}_{service}")
        for service in SERVICES:
            made = service_environment(
                self.databases[service],
                self.nats_urls.get(service, self.servers.nats_url),
                self.servers.keys,
                self.folder / f"{service}.port",
                self.folder / "log",
                smtp=("127.0.0.1", smtp_port),
            )
            self.processes[service] = ServiceProcess(service, made | env, self.folder)
            self.processes[service].start()
        await self.ready()

    async def ready(self, timeout_s: float = 60.0) -> None:
        """Waits until every service is ready."""

        def all_ready() -> bool:
            return all(process.get("/ready")[0] == 200 for process in self.processes.values())

        await until(lambda: asyncio.to_thread(all_ready), timeout_s, f"every service ready; logs in {self.folder}")

    def add_replica(self, service: str) -> None:
        """Starts a second process of a service; waits for nothing."""
        folder = self.folder / "replica"
        folder.mkdir(exist_ok=True)
        name = f"{service} 2"
        env = self.processes[service].env | {"SAMEN_PORT_FILE": str(folder / f"{service}.port")}
        env["SAMEN_NATS_URL"] = self.nats_urls.get(name, env["SAMEN_NATS_URL"])
        self.processes[name] = ServiceProcess(service, env, folder)
        self.processes[name].start()

    async def kill(self, service: str) -> None:
        """Ends a service as kill -9 does; it stays down until `start`."""
        self.down.add(service)
        await asyncio.to_thread(self.processes[service].kill)

    def start(self, service: str) -> None:
        """Starts a killed service again; waits for nothing."""
        self.processes[service].start()
        self.down.discard(service)

    async def supervise(self) -> None:
        """Starts again what ended by itself, as any supervisor does, until cancelled."""
        while True:
            await asyncio.sleep(0.2)
            for service in self.processes.keys() - self.down:
                if self.processes[service].process.poll() is not None:
                    self.processes[service].start()

    def close(self) -> None:
        """Ends the processes, frozen ones too."""
        for process in self.processes.values():
            process.kill()

    def admin_dsn(self, service: str) -> str:
        """Returns the address of a service's database for the server's administrator, who sees past the walls."""
        return urlunsplit(urlsplit(self.servers.admin_dsn)._replace(path=f"/{self.databases[service].name}"))

    @asynccontextmanager
    async def admin(self, service: str) -> AsyncIterator[asyncpg.Connection[Record]]:
        """Yields the administrator's connection to a service's database."""
        conn = await asyncpg.connect(self.admin_dsn(service))
        try:
            await init_connection(conn)
            yield conn
        finally:
            await conn.close()

    @asynccontextmanager
    async def login(self, name: str) -> AsyncIterator[Client]:
        """Yields a NATS client with a login's credentials and inbox."""

        async def heard(error: Exception) -> None:
            del error  # the broker is killed here: a lost request shows as one without an answer

        client = await connected(
            self.servers.nats_url,
            str(self.servers.keys.creds(name)),
            name,
            error_cb=heard,
            reconnect_time_wait=0.1,
            max_reconnect_attempts=-1,
        )
        try:
            yield client
        finally:
            await client.close()

    @asynccontextmanager
    async def bus(self) -> AsyncIterator[Client]:
        """Yields the provisioner's client in BUS, which may look into the stream."""
        client = await self.servers.bus()
        try:
            yield client
        finally:
            await client.close()

    # Copies --------------------------------------------------------------------------------------------------------

    async def copy(self, service: str) -> str:
        """Copies a service's database as it stands, as a backup does; returns the copy's name."""
        name = self.databases[service].name
        copy = f"{name}_copy"
        async with self._alone(name) as admin:
            await admin.execute(f'CREATE DATABASE "{copy}" TEMPLATE "{name}"')
        return copy

    async def put_back(self, service: str, copy: str) -> None:
        """Puts a service's database back to `copy`, under the running processes: their connections end."""
        name = self.databases[service].name
        async with self._alone(name) as admin:
            await admin.execute(f'ALTER DATABASE "{name}" RENAME TO "{name}_lost"')
            # A copy has its template's settings for connections and nobody's grants: as a restore must, give them.
            await admin.execute(f'ALTER DATABASE "{copy}" RENAME TO "{name}"')
            login = f"samen_{service}"
            await admin.execute(f'GRANT CONNECT ON DATABASE "{name}" TO "{login}", "{login}_relay"')
            await admin.execute(f'ALTER DATABASE "{name}" OWNER TO "{login}_owner"')
            await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')

    @asynccontextmanager
    async def _alone(self, name: str) -> AsyncIterator[asyncpg.Connection[Record]]:
        """Ends every session in a database, and lets none in while the body runs."""
        admin = await asyncpg.connect(self.servers.admin_dsn)
        try:
            await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
            while await admin.fetchval(  # noqa: ASYNC110  sessions of other processes
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = $1", name
            ):
                await asyncio.sleep(0.02)
            yield admin
            if await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
                await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        finally:
            await admin.close()


@contextmanager
def private_servers(like: Servers | None = None) -> Iterator[EmbeddedServers]:
    """Yields servers of one's own, with the programs of others that run already; they end with the body."""
    binaries = like.postgres.binaries if isinstance(like, EmbeddedServers) else None
    with scratch() as root:
        servers = EmbeddedServers(root, binaries=binaries)
        try:
            servers.start()
            yield servers
        finally:
            servers.stop()


@asynccontextmanager
async def raised(
    servers: Servers, folder: Path, label: str = "stage", nats_urls: Mapping[str, str] | None = None, /, **env: str
) -> AsyncIterator[Stage]:
    """Yields the platform on `servers`, with a mail server; ends it afterwards. `label` begins its databases' names."""
    stage = Stage(servers, folder, label, nats_urls=nats_urls or {})
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(stage.mailbox, hostname="mail.invalid", loop=loop), "127.0.0.1", 0)
    async with AsyncExitStack() as stack:
        stack.callback(server.close)
        stack.callback(stage.close)
        await stage.open(server.sockets[0].getsockname()[1], **env)
        watching = asyncio.create_task(stage.supervise())
        try:
            yield stage
        finally:
            watching.cancel()


async def until(holds: Callable[[], Any], within_s: float, what: str) -> float:
    """Waits until something holds (a plain or an async question); returns how long that took, in seconds."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    while True:
        found = holds()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return loop.time() - started
        assert loop.time() - started < within_s, f"not within {within_s:g} s: {what}"
        await asyncio.sleep(0.05)
