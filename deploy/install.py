"""The jobs that prepare a deployment of containers: keys first, then databases and each service's bundle.

A bundle is what one process may know: its own environment, credentials and keys, and no other's.
`python -m deploy.install keys` runs before NATS starts, `python -m deploy.install databases` after PostgreSQL answers.
Both may run again at any time: what is there stays.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from deploy import databases, gate_account
from deploy.environment import service_environment
from deploy.files import write_private
from deploy.keys import LOG_KEY, WITNESS_KEY, Keys
from deploy.samen.keys import job
from deploy.topology import DOOR, GATE, NAMES, WITNESS

KEYS = Path("/srv/samen/keys")
PROVISIONERS = ("provisioner-sys", "provisioner-bus", gate_account.PROVISIONER)
BUNDLES = Path("/srv/bundles")
NATS_CONFIG = Path("/srv/nats-config")
LOG_DIR = Path("/srv/samen/log")
DOOR_PORT = 8081
INSIDE = Path("/run/samen")
"""Where a process finds its bundle."""

NATS_CONF = """\
port: 4222
http: "127.0.0.1:8222"
server_name: samenkracht
max_payload: 1MB
jetstream {
  store_dir: "/data/jetstream"
  # An acknowledged event is on disk; the journal would repair a lost one, at the price of a replay.
  sync_interval: always
}
include "operator.conf"
resolver { type: full, dir: "/data/accounts", allow_delete: false, interval: "2m" }
"""


def install_keys(keys: Keys, nats_config: Path) -> None:
    """Make all keys and the configuration of NATS (public parts only, readable by its container)."""
    keys.ensure()
    keys.first_slots()
    for name, text in (("operator.conf", keys.operator_conf.read_text()), ("nats.conf", NATS_CONF)):
        path = nats_config / name
        path.write_text(text)
        path.chmod(0o644)


def install_bundles(
    keys: Keys, bundles: Path, made: list[databases.ServiceDatabase], nats_url: str, smtp: tuple[str, int]
) -> None:
    """Write one bundle a process: services, provisioner, command line."""
    inside = Keys(INSIDE)
    for name in (*(database.service for database in made), DOOR):  # first: a new key must not be met unknown
        _copy(keys, bundles / name, [keys.trusted])
    for database in made:
        name = database.service
        files = [keys.creds(name), keys.trusted, keys.token_key(name)]
        if name == "audit":
            files += [
                keys.token_key(LOG_KEY),
                keys.old(LOG_KEY),
                keys.log_public,
                keys.witness_policy,
                keys.tile_readers,
            ]
        if name == WITNESS:
            files += [keys.token_key(WITNESS_KEY), keys.old(WITNESS_KEY), keys.log_public]
        if name == "notifications":
            files += [keys.channel_secret, keys.vapid_key]
        if name == GATE:
            files += [keys.creds(gate_account.DOOR), *sorted(keys.slots.signing.glob("*.nk"))]
        _copy(keys, bundles / name, files)
        port_file = Path("/tmp/port")  # noqa: S108 (its own container)
        env = service_environment(
            database, nats_url, inside, port_file, LOG_DIR, http_port=8080, smtp=smtp, door_port=DOOR_PORT
        )
        own = {key: value for key, value in env.items() if key.startswith("SAMEN_")}
        own |= dict.fromkeys(("SAMEN_HTTP_HOST", "SAMEN_DOOR_HOST"), "0.0.0.0")  # noqa: S104 (its own container)
        write_private(bundles / name / "environment", "".join(f"{k}={v}\n" for k, v in sorted(own.items())))
    accounts = sorted((keys.root / "accounts").glob("*.jwt"))
    logins = [keys.creds(login) for login in PROVISIONERS]
    _copy(keys, bundles / "provisioner", [*accounts, *logins, *keys.slots.files()])
    public = [keys.trusted, keys.log_public, keys.witness_policy]
    _copy(keys, bundles / DOOR, [keys.creds(DOOR), keys.token_key(DOOR), *public])


def _copy(keys: Keys, bundle: Path, files: list[Path]) -> None:
    for source in files:
        target = bundle / source.relative_to(keys.root)
        if not source.exists():  # a key whose time is over
            target.unlink(missing_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        write_private(target, source.read_bytes())  # whole or not at all: a running service reads it again


def _admin_dsn() -> str:
    password = Path(os.environ["SAMEN_ADMIN_PASSWORD_FILE"]).read_text().strip()
    host = os.environ.get("SAMEN_POSTGRES", "postgres:5432")
    return databases.with_login(f"postgresql://{host}/postgres", "postgres", password, "postgres")


def main() -> None:
    """Run one job: `keys` or `databases`."""
    keys = Keys(KEYS)
    if sys.argv[1:] == ["keys"]:
        install_keys(keys, NATS_CONFIG)
    elif sys.argv[1:2] in (["rotate"], ["slots"]):
        os.environ["SAMEN_KEYS"] = str(KEYS)
        job(sys.argv[1:])
    elif sys.argv[1:] == ["databases"]:
        made = asyncio.run(databases.provision_all(_admin_dsn(), NAMES, keys))
        smtp = (os.environ["SAMEN_SMTP_HOST"], int(os.environ.get("SAMEN_SMTP_PORT", "25")))
        install_bundles(keys, BUNDLES, made, os.environ["SAMEN_NATS_URL"], smtp)
    else:
        sys.exit(
            "usage: python -m deploy.install keys|databases|rotate log|rotate witness|rotate tokens|slots <number>"
        )


if __name__ == "__main__":
    main()
