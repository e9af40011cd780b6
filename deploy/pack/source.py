"""Reads a pack from a folder or a zip alike."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import IO, Self

LONGEST = 1 << 20
"""No line of a pack is longer."""
CHUNK = 1 << 20


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
            except (OSError, zipfile.BadZipFile) as error:
                raise BadPack(f"{path} is neither a folder nor a zip: {error}") from None

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
            return sorted(one.filename for one in self._zip.infolist() if not one.is_dir())
        found = (one for one in self._path.rglob("*") if not one.is_dir() or one.is_symlink())
        return sorted(one.relative_to(self._path).as_posix() for one in found)

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """Yield a file; raises BadPack."""
        try:
            with self._zip.open(name) if self._zip is not None else (self._path / name).open("rb") as file:
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
            raise BadPack(f"{name} is too large")
        return content

    @property
    def folder(self) -> Path | None:
        """The folder that it is; None: a zip."""
        return self._path if self._zip is None else None

    def lines(self, name: str, offset: int = 0) -> Iterator[bytes]:
        """Yield a file's lines from a byte on without their newline; raises BadPack if one is too long or has none."""
        with self.open(name) as file:
            if offset:
                file.seek(offset)
            while line := file.readline(LONGEST):
                if not line.endswith(b"\n"):
                    raise BadPack(f"{name}: its last line is cut off, or too long")
                yield line[:-1]

    def facts(self, name: str) -> dict[str, object]:
        """Return a file's size and hash, as a manifest has them."""
        digest, size = sha256(), 0
        with self.open(name) as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
                size += len(chunk)
        return {"bytes": size, "sha256": digest.hexdigest()}
