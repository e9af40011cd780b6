"""Reads a pack from a folder or a zip alike."""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import IO, Self

LONGEST = 1 << 20
"""No line of a pack is longer, or hardly."""
PART, CHUNK = 1 << 16, 1 << 21
"""How much is read at once to be looked at, and to be hashed: for the latter Python's lock is let go."""
OURS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
LOCAL_HEADER = 30
"""How many bytes of a zip stand before each file's name."""


class BadPack(Exception):
    """Cannot be read as a pack at all; the text says why."""


class Source:
    """A pack's files by their paths."""

    def __init__(self, path: Path) -> None:
        """Open it; raises BadPack."""
        self._path = path
        self._zip: zipfile.ZipFile | None = None
        if not path.is_dir():
            try:
                self._zip = zipfile.ZipFile(path)
            except FileNotFoundError:
                raise BadPack(f"{path} is not there") from None
            except Exception as error:  # noqa: BLE001  a harmed zip breaks its reader in many ways
                raise BadPack(f"{path} is neither a folder nor a zip: {error}") from None
            if why := unfit(self._zip):
                self._zip.close()
                raise BadPack(f"{path} is no pack: {why}")

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        if self._zip is not None:
            self._zip.close()

    def names(self) -> list[str]:
        """Return the paths of all files, each as often as it is there."""
        if self._zip is not None:
            return sorted(one.filename for one in self._zip.infolist() if not one.is_dir() or one.file_size)
        found = (one for one in self._path.rglob("*") if not one.is_dir() or one.is_symlink())
        return sorted(one.relative_to(self._path).as_posix() for one in found)

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """Yield a file; raises BadPack."""
        try:
            with self._zip.open(name) if self._zip is not None else _plain(self._path / name) as file:
                yield file
        except (OSError, KeyError, zipfile.BadZipFile, EOFError, ValueError, RuntimeError) as error:  # of a locked zip
            raise BadPack(f"{name}: {error}") from None
        except Exception as error:
            if type(error).__module__ == "zlib":
                raise BadPack(f"{name}: {error}") from None
            raise

    def read(self, name: str, most: int = 1 << 24) -> bytes:
        """Return a small file; raises BadPack."""
        with self.open(name) as file:
            content = file.read(most + 1)
        if len(content) > most:
            raise BadPack(f"{name}: is too large")
        return content

    def lines(self, name: str) -> Generator[bytes, None, None]:
        """Yield a file's lines without their newline; raises BadPack if one is too long or has none."""
        with self.open(name) as file:
            rest = b""
            while len(rest) < LONGEST and (part := file.read(PART)):
                *whole, rest = (rest + part).split(b"\n")
                yield from whole
            if rest:
                raise BadPack(f"{name}: its last line is cut off, or too long")

    def facts(self, name: str) -> dict[str, object]:
        """Return a file's size and hash, as a manifest has them."""
        digest, size = sha256(), 0
        with self.open(name) as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
                size += len(chunk)
        return {"bytes": size, "sha256": digest.hexdigest()}


def _plain(path: Path) -> IO[bytes]:
    """Opens a file of a folder: what is read must be the pack's own, and must end."""
    found = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if path.is_symlink() or not stat.S_ISREG(os.fstat(found).st_mode):
        os.close(found)
        raise OSError("is a link or a pipe, no file")
    return os.fdopen(found, "rb")


def unfit(packed: zipfile.ZipFile) -> str:
    """Returns why a zip is none that a pack is written as; "": it is one.

    Files that share bytes unpack to thousands of times what a zip can hold.
    """
    ends_at = 0
    for one in sorted(packed.infolist(), key=lambda one: one.header_offset):
        if one.compress_type not in OURS:
            return f"{one.filename} is packed in another way than a pack's files are"
        if one.header_offset < ends_at:
            return f"{one.filename} and another file share bytes"
        ends_at = one.header_offset + LOCAL_HEADER + len(one.orig_filename.encode()) + one.compress_size
    return "its files reach into its table" if ends_at > packed.start_dir else ""
