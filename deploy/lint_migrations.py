"""Lints every migration as it will run: role names filled in, then squawk over the lot."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from deploy.databases import ROOT, Roles, migrations
from deploy.topology import NAMES

# The first migrations make tables nobody uses yet, so rules about locking a busy table say nothing about them.
ALWAYS_OFF = ("prefer-robust-stmts", "require-timeout-settings", "prefer-bigint-over-int")
OFF_FOR_FIRST = ("require-concurrent-index-creation", "adding-foreign-key-constraint", "constraint-missing-not-valid")


def main() -> int:
    """Return squawk's exit code over all migrations."""
    squawk = str(Path(sysconfig.get_path("scripts")) / "squawk")
    code = 0
    with tempfile.TemporaryDirectory() as scratch:
        for service in NAMES:
            for migration in migrations(service, ROOT):
                path = Path(scratch) / migration.name
                path.parent.mkdir(exist_ok=True)
                path.write_text(migration.sql(Roles.of(service)))
        for path in sorted(Path(scratch).rglob("*.sql")):
            off = ALWAYS_OFF + (OFF_FOR_FIRST if path.name.startswith("0001") else ())
            found = subprocess.run(
                [squawk, "--pg-version=18", "--assume-in-transaction", f"--exclude={','.join(off)}", str(path)],
                check=False,
            )
            code = code or found.returncode
    return code


if __name__ == "__main__":
    sys.exit(main())
