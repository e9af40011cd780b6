"""Starts one service in a container: reads its bundle's environment and becomes `python -m services.<name>`.

A module of a service goes the same way: `python -m deploy.serve audit.verify log`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from deploy.topology import NAMES

BUNDLE = Path("/run/samen")


def read_environment(path: Path) -> dict[str, str]:
    """Return the NAME=value lines of a bundle's environment file."""
    lines = path.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line)


def main() -> None:
    """Become the service named on the command line; what the container sets itself wins over the bundle."""
    if sys.argv[1:2] == [] or sys.argv[1].partition(".")[0] not in NAMES:
        sys.exit(f"usage: python -m deploy.serve {'|'.join(NAMES)}")
    env = read_environment(BUNDLE / "environment") | dict(os.environ)
    command = [sys.executable, "-m", f"services.{sys.argv[1]}", *sys.argv[2:]]
    os.execve(sys.executable, command, env)  # noqa: S606 (no shell wanted)


if __name__ == "__main__":
    main()
