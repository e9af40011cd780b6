"""What a supervisor keeps running: a server or a program, restarted with a growing pause."""

from __future__ import annotations

import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.embedded import NatsServer, PostgresServer
from deploy.embedded.process import StartFailed, spawn

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 10.0
STEADY_S = 30.0
"""A process that ran this long starts over with the first pause."""


class Supervised(ABC):
    """One thing that runs, ends and is started again."""

    def __init__(self) -> None:
        self.restarts = 0
        self.pause_s = FIRST_PAUSE_S
        self._started_at = 0.0
        self._ended_at: float | None = None

    @property
    @abstractmethod
    def pid(self) -> int:
        """The process id."""

    @abstractmethod
    def code(self) -> int | None:
        """Return the exit code, None while it runs."""

    @abstractmethod
    def start(self) -> None:
        """Start it."""

    @abstractmethod
    def ask_to_stop(self) -> None:
        """Send the signal to stop, without waiting."""

    @abstractmethod
    def stop(self, grace_s: float) -> None:
        """Stop it, by force after `grace_s`."""

    def is_due(self, now: float) -> bool:
        """Tell whether the pause after its end has passed; `now` is a monotonic reading."""
        if self._ended_at is None:
            self._ended_at = now
            if now - self._started_at > STEADY_S:
                self.pause_s = FIRST_PAUSE_S
        return now - self._ended_at >= self.pause_s

    def restart(self) -> None:
        """Start it again; the next pause is twice as long."""
        self.restarts += 1
        self.pause_s = min(self.pause_s * 2, LONGEST_PAUSE_S)
        self._ended_at = None
        self._started_at = time.monotonic()
        self.start()


class Program(Supervised):
    """A program of ours, such as a service."""

    def __init__(self, command: Sequence[str], log: Path, env: Mapping[str, str]) -> None:
        """Take the command line, where its output goes, and its whole environment."""
        super().__init__()
        self._command, self._log, self._env = list(command), log, dict(env)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id."""
        if self._process is None:
            raise StartFailed(f"{self._command} was not started")
        return self._process.pid

    def code(self) -> int | None:
        """Return the exit code, None while it runs."""
        return self._process.poll() if self._process else 0

    def start(self) -> None:
        """Start the program."""
        self._process = spawn(self._command, self._log, env=self._env)

    def ask_to_stop(self) -> None:
        """Send SIGTERM."""
        if self.code() is None and self._process:
            self._process.send_signal(signal.SIGTERM)

    def stop(self, grace_s: float) -> None:
        """Stop the program, by force after `grace_s`."""
        self.ask_to_stop()
        if self._process is None:
            return
        try:
            self._process.wait(grace_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Server(Supervised):
    """PostgreSQL or NATS; a restart keeps its port, so that clients find it again."""

    def __init__(self, server: PostgresServer | NatsServer, port: int | None) -> None:
        """Take the server and the port it had in an earlier run."""
        super().__init__()
        self._server, self._port = server, port

    @property
    def pid(self) -> int:
        """The process id."""
        return self._server.pid

    def code(self) -> int | None:
        """Return the exit code, None while it runs."""
        return self._server.code()

    def start(self) -> None:
        """Start the server and wait until it listens."""
        self._server.start(self._port)
        self._port = self._server.port

    def ask_to_stop(self) -> None:
        """Do nothing: servers stop after everything that uses them."""

    def stop(self, grace_s: float) -> None:
        """Stop the server in order."""
        self._server.stop(grace_s)
