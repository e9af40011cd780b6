"""The servers of a run: one PostgreSQL with fsync on for all sides, the product's NATS, a plain one for baselines."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import nats
import psutil
from nats.js.api import StorageType, StreamConfig

from deploy.embedded.nats import NatsServer, binary
from deploy.embedded.process import free_port, listens, spawn, wait_until
from deploy.environment import base_environment
from tests.bench.event import SCHOOLS, children, teacher
from tests.support.servers import EmbeddedServers

PLAIN = """\
host: 127.0.0.1
port: {port}
http: "127.0.0.1:{monitor}"
jetstream {{ store_dir: "{store}", max_mem: 256MB, max_file: 20GB, sync_interval: {sync_interval} }}
"""
STREAM = "NAIVE"


class PlainNats:
    """A nats-server without accounts, for baselines: nothing between them and JetStream."""

    def __init__(self, home: Path, sync_interval: str = "2m") -> None:
        self.home = home
        self.sync_interval = sync_interval
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address clients connect to."""
        return f"nats://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The server's process id."""
        if self._process is None:
            raise RuntimeError("the plain nats-server does not run")
        return self._process.pid

    def start(self) -> None:
        """Starts it and waits until it answers."""
        self.home.mkdir(parents=True, exist_ok=True)
        monitor = free_port()
        config = self.home / "plain.conf"
        config.write_text(
            PLAIN.format(port=self.port, monitor=monitor, store=self.home / "store", sync_interval=self.sync_interval)
        )
        log = self.home / "plain.log"
        process = self._process = spawn([str(binary()), "-c", str(config)], log)

        def ready() -> bool:
            if not listens(process.pid, self.port):
                return False
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{monitor}/healthz", timeout=2) as answer:
                    return bool(answer.status == 200)
            except OSError:
                return False

        wait_until(ready, process, log, 20)

    def stop(self) -> None:
        """Ends it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(15)
            self._process = None


class BenchServers(EmbeddedServers):
    """The product's servers, as `samen up` runs them, and the baselines' NATS beside them."""

    def __init__(self, root: Path, sync_interval: str = "2m", *, statistics: bool = False) -> None:
        super().__init__(root)
        self.nats = NatsServer(root / "nats", self.keys.operator_conf, sync_interval=sync_interval)
        self.plain = PlainNats(root / "plain", sync_interval)
        self._statistics = statistics

    def start(self) -> None:
        """Brings everything up; commits are time-stamped, which is how latencies are read off."""
        self.postgres.start()
        with (self.postgres.data / "postgresql.conf").open("a") as file:
            file.write("track_commit_timestamp = on\n")
            if self._statistics:
                file.write("shared_preload_libraries = 'pg_stat_statements'\npg_stat_statements.track = 'all'\n")
        self.postgres.stop()
        self.postgres.start()
        self.admin_dsn = self.postgres.admin_dsn
        self.nats.start()
        self.nats_url = self.nats.url
        self.start_provisioner()
        self.plain.start()

    def stop(self) -> None:
        """Ends everything."""
        self.plain.stop()
        super().stop()

    def dsn(self, database: str) -> str:
        """Returns the administrator's address of a database, for looking and for the baselines."""
        return urlunsplit(urlsplit(self.admin_dsn)._replace(path=f"/{database}"))

    def cpu_s(self) -> float:
        """Returns the processor seconds that the servers have used so far, ended backends counted."""
        return sum(self.cpu_by_server_s().values())

    def cpu_by_server_s(self) -> dict[str, float]:
        """Returns the same, a server each."""
        pids = {"postgres": self.postgres.pid, "nats": self.nats.pid, "plain nats": self.plain.pid}
        return {name: tree_cpu_s(pid) for name, pid in pids.items()}

    async def naive_database(self, name: str) -> str:
        """Makes a baseline's database with its children and grants; returns its address."""
        admin = await asyncpg.connect(self.admin_dsn)
        try:
            await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            await admin.execute(f'CREATE DATABASE "{name}"')
        finally:
            await admin.close()
        conn = await asyncpg.connect(self.dsn(name))
        try:
            await conn.execute((Path(__file__).parent / "naive" / "schema.sql").read_text())
            rows = [(school, child, teacher(school)) for school in SCHOOLS for child in children(school)]
            await conn.executemany("INSERT INTO child VALUES ($1, $2, true)", [row[:2] for row in rows])
            await conn.executemany(
                "INSERT INTO access VALUES ($1, $2, $3, gen_random_uuid(), '{view,propose,score}', "
                "'{goals,observations}', '{guidance}', now() - interval '1 year', NULL)",
                rows,
            )
        finally:
            await conn.close()
        return self.dsn(name)

    async def naive_stream(self) -> None:
        """Makes the baselines' stream anew: empty, without consumers."""
        client = await nats.connect(self.plain.url)
        try:
            js = client.jetstream()
            if any(info.config.name == STREAM for info in await js.streams_info()):
                await js.delete_stream(STREAM)
            await js.add_stream(
                StreamConfig(name=STREAM, subjects=["evt.>"], storage=StorageType.FILE, allow_atomic=True)
            )
        finally:
            await client.close()

    def naive_environment(self, dsn: str) -> dict[str, str]:
        """Returns the environment of a baseline's process."""
        return base_environment() | {
            "BENCH_DSN": dsn,
            "BENCH_NATS": self.plain.url,
            "BENCH_TRUSTED": str(self.keys.trusted),
        }


def tree_cpu_s(pid: int) -> float:
    """Returns the processor seconds of a process, its children and its ended children."""
    process = psutil.Process(pid)
    used = process.cpu_times()
    total = used.user + used.system + used.children_user + used.children_system
    for child in process.children(recursive=True):
        try:
            times = child.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


@contextmanager
def running(sync_interval: str = "2m", *, statistics: bool = False) -> Iterator[BenchServers]:
    """Runs servers in a folder of their own and removes it afterwards."""
    # PostgreSQL runs as another user when we are root, and must be able to reach its folder.
    root = Path(tempfile.mkdtemp(prefix="samen-bench-"))
    root.chmod(0o711)
    made = BenchServers(root, sync_interval, statistics=statistics)
    try:
        made.start()
        yield made
    finally:
        made.stop()
        shutil.rmtree(root, ignore_errors=True)
