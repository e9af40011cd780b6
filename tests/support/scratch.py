"""Where the servers of tests keep their data."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

MEMORY = Path("/dev/shm")  # noqa: S108  the folder itself is made by mkdtemp
ROOM_BYTES = 2 * 2**30
"""Four times what a worker of the suite takes at most: mostly PostgreSQL's write-ahead logs."""


@contextmanager
def scratch() -> Iterator[Path]:
    """Yield a new folder and remove it afterwards: in memory where there is room, or under SAMEN_TEST_SCRATCH.

    Each test has databases of its own, and one is four hundred files: a disk may take ten times as long to make them.
    No test cuts the power, and what kill -9 leaves behind is the same in memory.
    """
    # Not pytest's tmp_path: PostgreSQL runs as another user when we are root, and that one may not pass it.
    root = Path(tempfile.mkdtemp(prefix="samen-test-", dir=os.environ.get("SAMEN_TEST_SCRATCH") or _memory()))
    root.chmod(0o711)
    try:
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _memory() -> Path | None:
    try:
        found = os.statvfs(MEMORY)
    except OSError:
        return None
    roomy = min(found.f_bavail * found.f_frsize, psutil.virtual_memory().available) >= ROOM_BYTES
    # PostgreSQL's programs are copied there too.
    return MEMORY if roomy and os.access(MEMORY, os.W_OK) and not found.f_flag & os.ST_NOEXEC else None
