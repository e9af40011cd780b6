"""Serves the logs as files over HTTP, read-only, as c2sp.org/tlog-tiles lays them out: `<school>/checkpoint`,
`<school>/tile/<level>/<n>`, `<school>/tile/entries/<n>`, each also as `<n>.p/<width>`. Off unless it is given a port.

Nobody reads without a token (decision 0012): a log's size alone tells of a school. Hash tiles and checkpoints hold no
personal data. Entry bundles do, so they go the way of every look at the log: the token stands for a person, that
person's grant is checked and the look is journaled before a byte leaves.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import concurrent.futures
import hmac
import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass as checked
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.audit.exporting import may_export
from services.audit.files import CHECKPOINT, COSIGNED
from services.audit.log_keys import LogSettings
from services.audit.pages import shown
from services.audit.tile_server import NotServed, TileServer
from shared.actor import Actor
from shared.errors import Problem, ProblemType
from shared.events.words import ActorKind, Purpose, school_subject
from shared.keyring import Watched
from shared.service import Site
from shared.tlog import tiles
from shared.tlog.note import BadNote, Checkpoint
from shared.tlog.tiles import ENTRIES, Unreadable, Wanted
from shared.unit import Asked, Change, Endpoint, Query, Snapshot

DOOR = "tiles"
PLACE = re.compile(r"/([a-z0-9-]{1,32})/(.{1,200})")
A_SECOND, AT_MOST = 100.0, 400.0
"""How many files a reader gets in the long run, and at once; all who have no token share one such allowance."""
ANSWER_S = 5.0
KEEP = "private, max-age=31536000, immutable"


class ServingSettings(BaseSettings):
    """Where the logs are served, and to whom."""

    model_config = SettingsConfigDict(env_prefix="SAMEN_", frozen=True, extra="ignore")

    tiles_port: int | None = None
    """Without a port nothing is served; 0 picks a free one."""
    tiles_host: str = "127.0.0.1"
    """TLS is ended before it: by the proxy through which others come."""
    tiles_readers: Path = Path("tile-readers.json")
    """Who may read what; read again when it changes. `samen audit readers` writes it."""
    tiles_port_file: Path | None = None


@checked(frozen=True, slots=True)
class Reader:
    """Who has a token: of which schools, and for whom entries are read (None: hashes and checkpoints only)."""

    name: str
    token_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    schools: tuple[str, ...]
    person: UUID | None = None


READERS = TypeAdapter(tuple[Reader, ...])


def read_readers(path: Path) -> tuple[Reader, ...]:
    """Reads who may read; a file that is not there says nobody."""
    return READERS.validate_json(path.read_bytes()) if path.exists() else ()


class ReadBundle(Query):
    """A bundle of entries as a file: so many from `first` on."""

    first: Annotated[int, Field(ge=0, le=2**53 - 1)]
    width: Annotated[int, Field(ge=1, le=tiles.WIDTH)]


def decide_bundle(asked: Asked[ReadBundle], seen: Snapshot) -> Change:
    """Lets a bundle leave; it is read from disk once this is committed."""
    permit = may_export(asked, seen)
    return shown(permit, "tile-entries", school_subject(asked.school), {}, things=asked.body.width)


BUNDLE = Endpoint("tile-entries", ReadBundle, "read_export_begins", decide_bundle)


@dataclass(slots=True)
class Allowance:
    """So many a second in the long run, so many at once; `now` is a monotonic reading."""

    left: float = AT_MOST
    at: float = 0.0

    def take(self, now: float) -> bool:
        """Tells whether one more is allowed, and counts it."""
        self.left = min(AT_MOST, self.left + (now - self.at) * A_SECOND) if self.at else AT_MOST
        self.at = now
        if self.left < 1:
            return False
        self.left -= 1
        return True


@dataclass(slots=True)
class Shelf:
    """Finds what a request asks for. `look` has a bundle's reading judged and journaled; it blocks."""

    root: Path
    readers: Callable[[], tuple[Reader, ...]]
    look: Callable[[Reader, str, int, int], None]
    now: Callable[[], float] = time.monotonic
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _allowed: dict[str, Allowance] = field(default_factory=dict)

    def answer(self, path: str, authorization: str) -> tuple[bytes, str, str]:
        """Returns a file's bytes, its type and how it may be kept; raises NotServed."""
        reader = self._reader(authorization)
        with self._lock:
            if not self._allowed.setdefault(reader.name if reader else "", Allowance()).take(self.now()):
                raise NotServed(429)
        if reader is None:
            raise NotServed(401)
        found = PLACE.fullmatch(path)
        if found is None or found[1] not in reader.schools:
            raise NotServed(404)  # a school that is not there, and one of others, look the same
        school, place = found.groups()
        folder = self.root / school
        if place in {CHECKPOINT, COSIGNED}:
            return self._read(folder / place), "text/plain; charset=utf-8", "no-cache"
        wanted = tiles.named(place)
        if wanted is None or not self._is_signed(folder, wanted):
            raise NotServed(404)
        if wanted.kind != ENTRIES:
            return self._part(folder, wanted), "application/octet-stream", KEEP
        if reader.person is None:
            raise NotServed(404)
        self.look(reader, school, wanted.number * tiles.WIDTH, wanted.width)
        return self._part(folder, wanted), "application/octet-stream", "no-store"

    def _reader(self, authorization: str) -> Reader | None:
        kind, _, given = authorization.partition(" ")
        if kind == "Basic":  # for tools that take an address with a user and a password in it
            try:
                given = base64.b64decode(given, validate=True).decode().partition(":")[2]
            except (binascii.Error, UnicodeDecodeError):
                return None
        digest = sha256(given.encode("utf-8", "surrogatepass")).hexdigest()
        known = [one for one in self.readers() if hmac.compare_digest(one.token_sha256, digest)]
        return known[0] if known and kind in {"Basic", "Bearer"} else None

    def _is_signed(self, folder: Path, wanted: Wanted) -> bool:
        """Tells whether all of it lies under the checkpoint: what is written beyond it may be written otherwise yet."""
        try:
            size = Checkpoint.parse(self._read(folder / CHECKPOINT).decode()).size
        except (BadNote, ValueError):
            raise NotServed(503) from None
        count = size >> (tiles.HEIGHT * wanted.level)
        return wanted.number * tiles.WIDTH + wanted.width <= count

    def _part(self, folder: Path, wanted: Wanted) -> bytes:
        """Returns the first `width` things of a tile, from whichever of its files holds them now."""
        full = folder / tiles.path(wanted.kind, wanted.number)
        if full.exists():
            return self._first(full, wanted)
        partial = (folder / tiles.path(wanted.kind, wanted.number, 1)).parent
        widths = sorted(int(one.name) for one in partial.glob("*") if one.name.isdecimal())
        for width in widths:
            if width >= wanted.width:
                return self._first(partial / str(width), wanted)
        return self._first(full, wanted)  # it became full meanwhile

    def _first(self, file: Path, wanted: Wanted) -> bytes:
        try:
            things = tiles.unpacked(wanted.kind, self._read(file))
        except Unreadable:
            raise NotServed(503) from None
        if len(things) < wanted.width:
            raise NotServed(503)
        return b"".join(tiles.packed(wanted.kind, thing) for thing in things[: wanted.width])

    @staticmethod
    def _read(file: Path) -> bytes:
        try:
            return file.read_bytes()
        except OSError:
            raise NotServed(404) from None


def looking(at: Site) -> Callable[[Reader, str, int, int], None]:
    """Returns what has the reading of a bundle judged and journaled, for a thread that is not the loop's."""

    def look(reader: Reader, school: str, first: int, width: int) -> None:
        if reader.person is None:
            raise NotServed(404)
        actor = Actor(reader.person, ActorKind.PERSON, school, DOOR)
        asked = Asked(actor, school, ReadBundle(purpose=Purpose.OVERSIGHT, first=first, width=width), at.ids)
        running = asyncio.run_coroutine_threadsafe(at.unit.run(BUNDLE, asked), at.loop)
        try:
            running.result(ANSWER_S)
        except Problem as no:
            raise NotServed(404 if no.type is ProblemType.FORBIDDEN else 503) from None
        except (concurrent.futures.TimeoutError, concurrent.futures.CancelledError):
            running.cancel()
            raise NotServed(503) from None

    return look


async def serve_tiles(at: Site) -> None:
    """Serves the logs until cancelled, if a port is set."""
    settings = ServingSettings()
    if settings.tiles_port is None:
        return
    file = Watched(settings.tiles_readers, read_readers)
    known = await asyncio.to_thread(file.first)
    shelf = Shelf(LogSettings().log_dir, lambda: known, looking(at))
    server = TileServer(settings.tiles_host, settings.tiles_port, shelf.answer)
    if settings.tiles_port_file is not None:
        await asyncio.to_thread(settings.tiles_port_file.write_text, json.dumps(server.port))
    try:
        while True:
            await asyncio.sleep(1)
            changed: Any = await asyncio.to_thread(file.changed)
            known = known if changed is None else changed
    finally:
        server.close()
