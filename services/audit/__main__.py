"""Runs the service `audit`: `python -m services.audit`."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    # nats-py loads aiohttp wherever it is there, for WebSockets, which nothing here speaks: ten megabytes a process.
    sys.modules["aiohttp"] = None  # type: ignore[assignment]  # what Python takes for "cannot be imported"

from functools import partial

from services.audit.commands import ENDPOINTS
from services.audit.cosigning import cosign_checkpoints
from services.audit.files import Logs
from services.audit.judging import judge_all
from services.audit.log_keys import LogSettings
from services.audit.model import SERVICE
from services.audit.reactions import lanes
from services.audit.serving import serve_tiles
from services.audit.tasks import give_tails, reload, sign_checkpoints
from shared.service import Service, run

if __name__ == "__main__":
    logs = Logs(LogSettings().log_dir)
    tasks = (
        partial(sign_checkpoints, logs=logs),
        partial(cosign_checkpoints, logs=logs),
        give_tails,
        judge_all,
        serve_tiles,
    )
    run(Service(SERVICE, ENDPOINTS, lanes(logs), tasks=tasks, reload=partial(reload, logs=logs)))
