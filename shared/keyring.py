"""Keys of tokens that change while a process runs: what is trusted, and what it signs with, are read again from files.

Whoever rotates writes `trusted.json` first, with both keys; only then the new private key. So a token is by a key that
whoever verifies knows, or finds in the file when it knows it not.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from shared.actor import SigningKey, TrustedKey, Verifier, load_trusted
from shared.bus import Bus

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0

T = TypeVar("T")
Stamp = tuple[int, int, int]


@dataclass(slots=True)
class Watched(Generic[T]):
    """A file that is read again when it has changed. One that can't be read, or is half written, is read later."""

    path: Path
    read: Callable[[Path], T]
    _stamp: Stamp | None = field(default=None, init=False)

    def first(self) -> T:
        """Returns what is in it; raises as its reader does."""
        stamp = self._now()
        found = self.read(self.path)
        self._stamp = stamp
        return found

    def changed(self) -> T | None:
        """Returns what is in it if that has changed, None: nothing new."""
        stamp = self._now()
        if stamp is None or stamp == self._stamp:
            return None
        try:
            found = self.read(self.path)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("keys not read", extra={"code": "keys_unreadable", "kind": type(error).__name__})
            return None
        self._stamp = stamp
        return found

    def _now(self) -> Stamp | None:
        try:
            told = self.path.stat()
        except OSError:
            return None
        return told.st_mtime_ns, told.st_size, told.st_ino


def trusted_in(path: Path) -> tuple[Verifier, Watched[dict[str, TrustedKey]]]:
    """Returns what verifies by a `trusted.json`, and the file, which is looked at whenever a token proves nothing."""
    file = Watched(path, load_trusted)
    return Verifier(file.first(), file.changed), file


async def follow(verifier: Verifier, file: Watched[dict[str, TrustedKey]], bus: Bus, own: Path) -> None:
    """Takes the keys in the files into use as they change, until cancelled: what is out of them counts no more."""
    key = Watched(own, SigningKey.load)
    bus.key = await asyncio.to_thread(key.first)
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        if (trusted := await asyncio.to_thread(file.changed)) is not None:
            verifier.trust(trusted)
            log.info("keys taken into use", extra={"code": "keys_renewed", "count": len(trusted)})
        if (mine := await asyncio.to_thread(key.changed)) is not None:
            bus.key = mine
