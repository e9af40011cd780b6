"""Where one embedded deployment keeps its things: `.samen/` and what lies below."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from deploy.embedded.process import ProcessMark
from deploy.files import write_private
from deploy.keys import Keys


class NotRunning(RuntimeError):
    """No platform runs in this folder; the message says how to start one."""


class Home:
    """The folder of one embedded deployment."""

    def __init__(self, root: Path | None = None) -> None:
        """Take `root`, else SAMEN_DIR, else `.samen` here. In a container SAMEN_KEYS names the keys' folder."""
        self.root = (root or Path(os.environ.get("SAMEN_DIR", ".samen"))).absolute()
        self.keys = Keys(Path(os.environ.get("SAMEN_KEYS", self.root / "keys")))
        self.run = self.root / "run"
        self.logs = self.root / "logs"
        self.mail = self.root / "mail"
        self.log = self.root / "log"
        self.postgres = self.root / "postgres"
        self.nats = self.root / "nats"
        self.state_file = self.run / "state.json"
        self.ports_file = self.run / "ports.json"

    def ensure(self) -> None:
        """Make the folders; only their owner may look into what holds keys, mails or logs."""
        # Others may pass (not list) the root, for PostgreSQL runs as another user when we are root.
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o711)
        for path in (self.run, self.logs, self.mail, self.log):
            path.mkdir(exist_ok=True)
            path.chmod(0o700)
        self.keys.root.mkdir(exist_ok=True)
        self.keys.root.chmod(0o700)

    def state(self) -> dict[str, Any]:
        """Return what the last `samen up` recorded: {} when it recorded nothing."""
        try:
            found: dict[str, Any] = json.loads(self.state_file.read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return found

    def running(self) -> dict[str, Any]:
        """Return the state of the running platform, or raise NotRunning.

        SAMEN_NATS_URL names a platform that something else runs (containers): then there is only that to tell.
        """
        if "SAMEN_NATS_URL" in os.environ:
            return {"nats_url": os.environ["SAMEN_NATS_URL"]}
        state = self.state()
        mark = state.get("supervisor")
        if not mark or ProcessMark(mark["pid"], mark["started_at"]).find() is None:
            raise NotRunning(f"no platform runs in {self.root}: start one with `samen up`")
        return state

    def write_state(self, state: dict[str, Any]) -> None:
        """Record ports and processes."""
        write_private(self.state_file, json.dumps(state, indent=1))

    def ports(self) -> dict[str, int]:
        """Return the ports of earlier runs, which a new run takes again where it can."""
        try:
            found: dict[str, int] = json.loads(self.ports_file.read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return found

    def service_port(self, service: str) -> int | None:
        """Return the HTTP port a service wrote, or None."""
        try:
            return int((self.run / f"{service}.port").read_text())
        except (FileNotFoundError, ValueError):
            return None
