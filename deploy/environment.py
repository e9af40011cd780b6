"""The environment of a service's process, as shared/settings.py reads it."""

from __future__ import annotations

import os
from pathlib import Path

from deploy.databases import ServiceDatabase
from deploy.gate_account import DOOR as GATE_DOOR
from deploy.keys import LOG_KEY, WITNESS_KEY, Keys
from deploy.topology import GATE, WITNESS

ROOT = Path(__file__).resolve().parent.parent

INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "VIRTUAL_ENV", "TMPDIR", "SSL_CERT_FILE", "SAMEN_FOUNDATION")
NOTICES = (
    "SAMEN_NOTICES_QUIET",
    "SAMEN_NOTICES_DIGEST_AT",
    "SAMEN_NOTICES_DIGEST_ON",
    "SAMEN_NOTICES_QUIET_MOST",
    "SAMEN_NOTICES_QUIET_LEAST",
)
"""What a process takes from its parent; settings of the caller's other tools don't leak in."""


SERVED = ("SAMEN_TILES_PORT", "SAMEN_TILES_HOST")
"""Where audit serves its logs as files: nowhere, unless whoever starts it says so."""


def base_environment() -> dict[str, str]:
    """Return what every process of ours gets: the inherited few, OpenTelemetry's own, and UTC."""
    kept = {name: os.environ[name] for name in (*INHERITED, *NOTICES) if name in os.environ}
    kept |= {name: value for name, value in os.environ.items() if name.startswith("OTEL_")}
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "TZ": "UTC"}


def service_environment(
    database: ServiceDatabase,
    nats_url: str,
    keys: Keys,
    port_file: Path,
    log_dir: Path,
    *,
    http_port: int = 0,
    smtp: tuple[str, int] | None = None,
    door_port: int | None = None,
    log_level: str = "INFO",
) -> dict[str, str]:
    """Return the environment of `database.service`: where it writes its port, where audit keeps its logs on disk, and
    the mail server that notifications uses, and the port of its door for links.
    """
    service = database.service
    env = base_environment() | {
        "SAMEN_SERVICE": service,
        "SAMEN_DATABASE_URL": database.dsn,
        "SAMEN_RELAY_DATABASE_URL": database.relay_dsn,
        "SAMEN_NATS_URL": nats_url,
        "SAMEN_NATS_CREDS": str(keys.creds(service)),
        "SAMEN_TRUSTED_KEYS": str(keys.trusted),
        "SAMEN_SIGNING_KEY": str(keys.token_key(service)),
        "SAMEN_HTTP_PORT": str(http_port),
        "SAMEN_PORT_FILE": str(port_file),
        "SAMEN_LOG_LEVEL": log_level,
    }
    if service == "notifications" and smtp is not None:
        env |= {"SAMEN_SMTP_HOST": smtp[0], "SAMEN_SMTP_PORT": str(smtp[1])}
        env |= {"SAMEN_CHANNEL_SECRET": str(keys.channel_secret), "SAMEN_VAPID_KEY": str(keys.vapid_key)}
        if door_port is not None:
            env |= {"SAMEN_DOOR_PORT": str(door_port)}
    if service == "audit":
        env |= {"SAMEN_LOG_KEY": str(keys.token_key(LOG_KEY)), "SAMEN_LOG_DIR": str(log_dir)}
        env |= {"SAMEN_WITNESS_POLICY": str(keys.witness_policy), "SAMEN_TILES_READERS": str(keys.tile_readers)}
        env |= {name: os.environ[name] for name in SERVED if name in os.environ}
    if service in {"audit", WITNESS}:
        env |= {"SAMEN_LOG_PUBLIC_KEY": str(keys.log_public)}
    if service == WITNESS:
        env |= {"SAMEN_WITNESS_KEY": str(keys.token_key(WITNESS_KEY))}
    if service == GATE:
        env |= {"SAMEN_GATE_CREDS": str(keys.creds(GATE_DOOR)), "SAMEN_SLOTS": str(keys.slots.signing)}
    return env
