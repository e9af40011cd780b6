"""Starts, recognises and stops operating-system processes."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

POLL_S = 0.02
"""How often a start or a stop that offers nothing to wait on is looked at."""


class StartFailed(RuntimeError):
    """A server or service did not become ready; the message holds the end of its log."""


@dataclass(frozen=True)
class ProcessMark:
    """A process id together with its start time, so that a reused id is not mistaken for it."""

    pid: int
    started_at: float

    @classmethod
    def of(cls, pid: int) -> ProcessMark | None:
        """Mark the running process `pid`; None when there is none."""
        try:
            return cls(pid, psutil.Process(pid).create_time())
        except psutil.NoSuchProcess:
            return None

    def find(self) -> psutil.Process | None:
        """Return the process if it is still the one that was marked and is not a zombie."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started_at) < 0.05
            if same and process.status() != psutil.STATUS_ZOMBIE:
                return process
        except psutil.NoSuchProcess:
            pass
        return None

    def stop(self, how: signal.Signals = signal.SIGTERM, grace_s: float = 10.0) -> bool:
        """Stop the marked process, by force after `grace_s`; False when it was gone already."""
        process = self.find()
        if process is None:
            return False
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(how)
            if not self._gone_within(grace_s):
                process.kill()
                self._gone_within(grace_s)
        return True

    def _gone_within(self, time_s: float) -> bool:
        # Not psutil's wait: an orphan's new parent may take seconds to notice that it ended.
        end = time.monotonic() + time_s
        while self.find() is not None:
            if time.monotonic() > end:
                return False
            time.sleep(POLL_S)
        return True


def free_port() -> int:
    """Return a loopback port that is free now; the caller verifies who listens on it afterwards."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_port_free(port: int) -> bool:
    """Tell whether `port` can be bound on loopback now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def listens(pid: int, port: int) -> bool:
    """Tell whether process `pid` itself listens on `port`: a wrong server is worse than none."""
    try:
        found = psutil.Process(pid).net_connections(kind="inet")
    except psutil.NoSuchProcess:
        return False
    return any(c.status == psutil.CONN_LISTEN and c.laddr.port == port for c in found)


def wait_until(check: Callable[[], bool], process: subprocess.Popen[bytes], log: Path, timeout_s: float) -> None:
    """Wait until `check` holds; raise StartFailed with the log's end if the process ends first."""
    end = time.monotonic() + timeout_s
    while not check():
        code = process.poll()
        if code is not None or time.monotonic() > end:
            why = f"ended with code {code}" if code is not None else f"not ready in {timeout_s:g} s"
            raise StartFailed(f"{Path(str(process.args[0])).name} {why}:\n{tail(log)}")  # type: ignore[index]
        time.sleep(POLL_S)


def tail(log: Path, size_bytes: int = 3000) -> str:
    """Return the end of a log file."""
    return log.read_text("utf-8", "replace")[-size_bytes:] if log.exists() else "(no log)"


def spawn(
    command: Sequence[str],
    log: Path,
    *,
    env: Mapping[str, str] | None = None,
    user: tuple[int, int] | None = None,
    cwd: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start `command` in a session of its own (a terminal's Ctrl-C does not reach it), output to `log`."""
    options: dict[str, Any] = {}
    if user is not None:
        options = {"user": user[0], "group": user[1], "extra_groups": []}
    with log.open("ab") as output:
        return subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if env is None else dict(env),
            cwd=cwd,
            start_new_session=True,
            **options,
        )
