"""Starts the whole platform on this machine, keeps it running, stops it in order.

Order: PostgreSQL, databases, NATS, provisioner, mail catcher, services. Each is a process of its own with a log of its
own; what ends is started again with a growing pause. A run that was killed leaves orphans: the next one recognises them
by process id and start time, stops them and uses their data.
"""

from __future__ import annotations

import asyncio
import fcntl
import http.client
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import IO, Any

from deploy import databases
from deploy.embedded import NatsServer, PostgresServer
from deploy.embedded.process import ProcessMark, StartFailed, free_port, is_port_free, listens, tail
from deploy.environment import base_environment, service_environment
from deploy.files import write_private
from deploy.home import Home
from deploy.supervised import Program, Server, Supervised
from deploy.topology import NAMES

LOG = logging.getLogger("samen.supervisor")

LOOK_EVERY_S = 0.2
READY_S = 60.0
STOP_S = 20.0


class AlreadyRunning(RuntimeError):
    """Another supervisor holds this folder."""


def _kept_or_free(port: int) -> int:
    """Return the port that was had before, if nobody took it meanwhile."""
    return port if port and is_port_free(port) else free_port()


class Supervisor:
    """The platform in one folder. `start`, then `watch` until asked to stop, then `stop`."""

    def __init__(self, home: Home, services: tuple[str, ...] = NAMES) -> None:
        """Take the folder, and which services to run; nothing is started yet."""
        self.home = home
        self._services = services
        self.postgres = PostgresServer(home.postgres, log=home.logs / "postgres.log")
        self.nats = NatsServer(home.nats, home.keys.operator_conf, log=home.logs / "nats.log")
        self._children: dict[str, Supervised] = {}
        self._lock: IO[str] | None = None

    def start(self, tell: Callable[[str], None] = lambda _: None) -> None:
        """Start everything and wait until all services are ready; `tell` hears each step."""
        self.home.ensure()
        self._take_lock()
        self._stop_orphans()
        self.home.keys.ensure()
        self.home.keys.first_slots()
        self._rotate_logs()
        ports = self.home.ports()
        tell("PostgreSQL")
        self._add("postgres", Server(self.postgres, ports.get("postgres")))
        tell("databases")
        made = asyncio.run(databases.provision_all(self.postgres.admin_dsn, self._services, self.home.keys))
        tell("NATS")
        self._add("nats", Server(self.nats, ports.get("nats")))
        smtp_port, door_port = (_kept_or_free(ports.get(name, 0)) for name in ("smtp", "door"))
        tell("provisioner, mail catcher")
        self._start_helpers(smtp_port)
        for database in made:
            tell(database.service)
            self._start_service(database, smtp_port, door_port)
        ports = {"postgres": self.postgres.port, "nats": self.nats.port, "smtp": smtp_port, "door": door_port}
        write_private(self.home.ports_file, json.dumps(ports))
        tell("waiting until all are ready")
        self.wait_ready()

    def _take_lock(self) -> None:
        self._lock = (self.home.run / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            self._lock = None
            raise AlreadyRunning(f"a platform runs in {self.home.root} already: `samen down` stops it") from None

    def _stop_orphans(self) -> None:
        for name, entry in self.home.state().get("processes", {}).items():
            if name not in ("postgres", "nats") and ProcessMark(entry["pid"], entry["started_at"]).stop():
                LOG.warning("orphan_stopped name=%s", name)
        # The servers stop their own orphans when they start: their data directories say who they are.

    def _rotate_logs(self, keep_bytes: int = 20_000_000) -> None:
        for log in self.home.logs.glob("*.log"):
            if log.stat().st_size > keep_bytes:
                log.replace(log.with_suffix(".log.1"))

    def _add(self, name: str, child: Supervised) -> None:
        self._children[name] = child
        child.start()
        self._record()

    def _start_helpers(self, smtp_port: int) -> None:
        env = base_environment()
        provisioner = env | {"SAMEN_NATS_URL": self.nats.url, "SAMEN_KEYS": str(self.home.keys.root)}
        self._add("provisioner", self._program("provisioner", "deploy.topology", provisioner))
        catcher = env | {"SAMEN_MAIL_DIR": str(self.home.mail), "SAMEN_SMTP_PORT": str(smtp_port)}
        program = self._program("catcher", "deploy.catcher", catcher)
        self._add("catcher", program)
        end = time.monotonic() + READY_S
        while not listens(program.pid, smtp_port):
            if time.monotonic() > end or program.code() is not None:
                raise StartFailed(f"the mail catcher did not start:\n{tail(self.home.logs / 'catcher.log')}")
            time.sleep(0.05)

    def _start_service(self, database: databases.ServiceDatabase, smtp_port: int, door_port: int) -> None:
        service = database.service
        port_file = self.home.run / f"{service}.port"
        port_file.unlink(missing_ok=True)
        smtp = ("127.0.0.1", smtp_port)
        env = service_environment(
            database, self.nats.url, self.home.keys, port_file, self.home.log, smtp=smtp, door_port=door_port
        )
        if "SAMEN_DOOR_PORT" in env:
            env["SAMEN_DOOR_URL"] = f"http://127.0.0.1:{door_port}"
        env["SAMEN_SHIFTED_TIME"] = "true"
        env["SAMEN_GATE_WEBHOOK_LOOPBACK"] = "true"
        self._add(service, self._program(service, f"services.{service}", env))

    def _program(self, name: str, module: str, env: dict[str, str]) -> Program:
        return Program([sys.executable, "-m", module], self.home.logs / f"{name}.log", env)

    def _record(self) -> None:
        marks = {name: ProcessMark.of(child.pid) for name, child in self._children.items() if child.code() is None}
        me = ProcessMark.of(os.getpid())
        self.home.write_state(
            {
                "supervisor": asdict(me) if me else None,
                "nats_url": self.nats.url,
                "postgres_port": self.postgres.port,
                "processes": {name: asdict(mark) for name, mark in marks.items() if mark},
                "restarts": {name: child.restarts for name, child in self._children.items()},
            }
        )

    def wait_ready(self, timeout_s: float = READY_S) -> None:
        """Wait until every service says it is ready; raise StartFailed with the slow one's log."""
        end = time.monotonic() + timeout_s
        waiting = set(self._services)
        while waiting:
            self._look()
            waiting = {name for name in waiting if not self.is_ready(name)}
            if waiting and time.monotonic() > end:
                logs = "\n".join(f"--- {n}\n{tail(self.home.logs / f'{n}.log', 1500)}" for n in sorted(waiting))
                raise StartFailed(f"not ready after {timeout_s:g} s: {', '.join(sorted(waiting))}\n{logs}")
            time.sleep(0.05)

    def is_ready(self, service: str) -> bool:
        """Ask a service whether it is ready."""
        port = self.home.service_port(service)
        return port is not None and ask(port, "/ready")[0] == 200

    def watch(self, stop: threading.Event) -> None:
        """Restart what ends, until `stop` is set."""
        while not stop.wait(LOOK_EVERY_S):
            self._look()

    def _look(self) -> None:
        changed = False
        for name, child in self._children.items():
            code = child.code()
            if code is None or not child.is_due(time.monotonic()):
                continue
            LOG.warning("restarting name=%s code=%s pause_s=%.1f", name, code, child.pause_s)
            try:
                child.restart()
            except (StartFailed, OSError) as error:
                LOG.error("restart_failed name=%s error=%s", name, error)
            changed = True
        if changed:
            self._record()

    def children(self) -> dict[str, Supervised]:
        """Return what runs, by name."""
        return dict(self._children)

    def stop(self) -> None:
        """Stop services, then helpers, then NATS, then PostgreSQL; let go of the folder."""
        names = [*self._services, "catcher", "provisioner"]
        for name in names:
            if name in self._children:
                self._children[name].ask_to_stop()
        for name in [*names, "nats", "postgres"]:
            if name in self._children:
                self._children.pop(name).stop(STOP_S)
        self.home.state_file.unlink(missing_ok=True)
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def ask(port: int, path: str) -> tuple[int, dict[str, Any]]:
    """Ask a service on loopback over HTTP; (0, {}) when it does not answer."""
    status, body = _get(port, path)
    try:
        return status, json.loads(body) if body.startswith("{") else {}
    except ValueError:
        return 0, {}


def read(port: int, path: str) -> str:
    """Return a page of a service on loopback, "" when it does not answer."""
    return _get(port, path)[1]


def _get(port: int, path: str, timeout_s: float = 2.0) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except (OSError, http.client.HTTPException, ValueError):
        return 0, ""
    finally:
        connection.close()
