"""Where things stand in a log's folder, and how: C2SP tlog-tiles (c2sp.org/tlog-tiles). Pure.

`checkpoint`, `tile/<level>/<n>` (hashes), `tile/entries/<n>` (entries): up to 256 things a file, the last one of a kind
as `<n>.p/<width>`. Beside that standard, `events/<n>` holds the events that the entries tell of, byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

WIDTH = 256
HEIGHT = 8
HASH_SIZE = 32
ENTRIES = "tile/entries"
EVENTS = "events"
LENGTH_BYTES = {ENTRIES: 2, EVENTS: 4}
"""How many bytes, the highest first, say how long the thing is that follows; hashes need none."""


class Unreadable(Exception):
    """A log's files are not what its checkpoint says; the text says which."""


def hashes(level: int) -> str:
    """Returns the kind of the hashes at tile level `level`: of subtrees of 256^level leaves."""
    return f"tile/{level}"


def path(kind: str, number: int, width: int = WIDTH) -> str:
    """Returns the path of file `number` of a kind when it holds `width` things."""
    groups = [f"{number % 1000:03}"]
    while number := number // 1000:
        groups.insert(0, f"x{number % 1000:03}")
    return "/".join([kind, *groups]) + ("" if width == WIDTH else f".p/{width}")


def place(kind: str, index: int, size: int) -> str:
    """Returns the path of the file that holds thing `index` of a kind of which there are `size`."""
    number = index // WIDTH
    return path(kind, number, min(size - number * WIDTH, WIDTH))


class Wanted(NamedTuple):
    """A tile or bundle that is asked for by its path: file `number` of a kind, with `width` things."""

    kind: str
    level: int
    number: int
    width: int


NAMED = re.compile(r"tile/(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/){0,5}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", re.ASCII)


def named(place: str) -> Wanted | None:
    """Returns what a path below a log names; None: no tile and no bundle has that path."""
    found = NAMED.fullmatch(place)
    if found is None:
        return None
    level, number, width = found[1], int(found[2].replace("x", "").replace("/", "")), int(found[3] or WIDTH)
    kind = ENTRIES if level == "entries" else hashes(int(level))
    wanted = Wanted(kind, 0 if level == "entries" else int(level), number, width)
    is_one = width <= WIDTH and wanted.level < 8 and path(kind, number, width) == place
    return wanted if is_one else None


def packed(kind: str, thing: bytes) -> bytes:
    """Returns a thing as it stands in its file; OverflowError when it is too long for its kind."""
    width = LENGTH_BYTES.get(kind)
    return thing if width is None else len(thing).to_bytes(width, "big") + thing


def joined(kind: str, things: Sequence[bytes]) -> bytes:
    """Returns things as they stand in a file; OverflowError when one is too long for its kind."""
    width = LENGTH_BYTES.get(kind)
    if width is None:
        return b"".join(things)
    sizes = [len(thing) for thing in things]
    heads = {size: size.to_bytes(width, "big") for size in set(sizes)}
    parts = [b""] * (2 * len(things))
    parts[::2], parts[1::2] = [heads[size] for size in sizes], things
    return b"".join(parts)


def unpacked(kind: str, content: bytes) -> Sequence[bytes]:
    """Returns the things that stand in a file; raises Unreadable when it ends within one."""
    width = LENGTH_BYTES.get(kind)
    things: list[bytes] = []
    at = 0
    if width is None:
        at = -(-len(content) // HASH_SIZE) * HASH_SIZE
        things = [content[start : start + HASH_SIZE] for start in range(0, at, HASH_SIZE)]
    while width is not None and at < len(content):
        start = at + width
        at = start + int.from_bytes(content[at:start], "big")
        things.append(content[start:at])
    if at != len(content):
        msg = f"a file of {kind} ends within a thing"
        raise Unreadable(msg)
    return things
