"""Services under test as real processes."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from deploy.embedded.process import spawn, tail

POLL_S = 0.05


class ServiceProcess:
    """A running `python -m services.<name>`; kill, pause, resume, stop and start it again."""

    def __init__(self, service: str, env: dict[str, str], folder: Path, module: str = "") -> None:
        """Take the environment of the process; log and port file go to `folder`."""
        self.service = service
        self.env = dict(env)
        self.log = folder / f"{service}.log"
        self.port_file = Path(env["SAMEN_PORT_FILE"])
        self._module = module or f"services.{service}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process; it must have been started."""
        if self._process is None:
            raise RuntimeError(f"{self.service} is not running")
        return self._process

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    @property
    def port(self) -> int:
        """The port of health and metrics, as the process wrote it."""
        return int(self.port_file.read_text())

    def start(self) -> None:
        """Start the process; see `ready`."""
        self.port_file.unlink(missing_ok=True)
        self._process = spawn([sys.executable, "-m", self._module], self.log, env=self.env)

    def get(self, path: str) -> tuple[int, str]:
        """Ask the process over HTTP; 0 when it does not answer."""
        try:
            address = f"http://127.0.0.1:{self.port}{path}"
            with urllib.request.urlopen(address, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except (OSError, ValueError):
            return 0, ""

    def details(self) -> dict[str, Any]:
        """Return what `/ready` says."""
        found: dict[str, Any] = json.loads(self.get("/ready")[1] or "{}")
        return found

    async def ready(self, timeout_s: float = 40.0) -> None:
        """Wait until `/ready` answers 200; fail with the log's end when the process ends or time is up."""
        end = asyncio.get_running_loop().time() + timeout_s
        while (await asyncio.to_thread(self.get, "/ready"))[0] != 200:
            code = self.process.poll()
            if code is not None or asyncio.get_running_loop().time() > end:
                state = f"ended with {code}" if code is not None else f"not ready in {timeout_s:g} s"
                raise AssertionError(f"{self.service} {state}; /ready: {self.get('/ready')}\n{tail(self.log)}")
            await asyncio.sleep(POLL_S)

    def kill(self) -> None:
        """End the process as kill -9 does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self, timeout_s: float = 15.0) -> int:
        """Ask the process to stop and return its exit code; killed when it does not."""
        if self._process is None:
            return 0
        self._process.terminate()
        try:
            code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.service} did not stop in {timeout_s:g} s\n{tail(self.log)}") from None
        self._process = None
        return code

    def pause(self) -> None:
        """Freeze the process (SIGSTOP)."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen process go on."""
        self.process.send_signal(signal.SIGCONT)
