"""Ends with 0 when what this container runs does its work: the image's health check.

A service says so itself, at /ready. The provisioner touches a file in each good round: `deploy.healthcheck <file>`.
"""

from __future__ import annotations

import http.client
import os
import sys
import time
from pathlib import Path

ROUND_WITHIN_S = 10.0


def is_ready() -> bool:
    """Ask /ready on loopback."""
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ.get("SAMEN_HTTP_PORT", "8080")), timeout=2)
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def is_recent(round_file: Path) -> bool:
    """Tell whether a round went well a moment ago."""
    try:
        return time.time() - round_file.stat().st_mtime < ROUND_WITHIN_S
    except OSError:
        return False


def main(given: list[str]) -> int:
    """Return 0 when all is well."""
    return 0 if (is_recent(Path(given[0])) if given else is_ready()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
