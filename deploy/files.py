"""Writes files whole, and private ones for their owner only."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO


def new_private(path: Path) -> IO[bytes]:
    """Open a file to write that only its owner reads; raises FileExistsError when it is there already."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def write_private(path: Path, content: str | bytes) -> None:
    """Replace `path` atomically by a file that only its owner reads."""
    data = content.encode() if isinstance(content, str) else content
    part = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    part.replace(path)
