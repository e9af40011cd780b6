"""What a tool is, and how its pseudonyms are made. Pure: no I/O, no clock, no random."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

import pydantic_core
from pydantic import BaseModel, ConfigDict

from shared.events.gate import ToolChannel
from shared.events.words import Category, Purpose

SERVICE = "gate"
SAID = ("specversion", "id", "source", "type", "time", "subject", "datacontenttype", "school", "thing")
UUIDS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
MARKS = re.compile(r'(?<=")[0-9a-f]{32}(?:[0-9a-f]{32})?(?=")')
"""Salts, and hashes with a salt, in JSON: the same for all who see them, so two tools could line up what they have."""
OWN = re.compile(f"{UUIDS.pattern}|{MARKS.pattern}")
PARTS_OF_SECONDS = re.compile(r'(?<="\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.\d+(?=(?:Z|[+-]\d\d:\d\d)")')


class ToolState(StrEnum):
    """Whether a tool is put out to."""

    ACTIVE = "active"
    PAUSED = "paused"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Tool:
    """A school's tool: what it may be put out, through what, and by which secret its pseudonyms are made."""

    id: UUID
    version: int
    account: str | None
    purpose: Purpose
    categories: frozenset[Category]
    types: frozenset[str]
    channel: ToolChannel
    state: ToolState
    secret: str

    def wants(self, type_: str, category: Category) -> bool:
        """Tells whether it registered for such an event; whether it may receive it is the grants' to say."""
        return category in self.categories and (not self.types or type_ in self.types)


def pseudonym(secret: str, ours: UUID) -> UUID:
    """Returns what a tool with this secret knows an id as: always the same, and another with each tool.

    HMAC-SHA256 shaped as a UUID of version 8 (RFC 9562): without the secret nobody can lead one tool's to another's.
    """
    return UUID(pseudonym_of(bytes.fromhex(secret), str(ours)))


def pseudonym_of(key: bytes, ours: str) -> str:
    """Returns the same of an id in text, for who makes many: `key` is the secret's bytes."""
    made = bytearray(hmac.digest(key, bytes.fromhex(ours.replace("-", "")), "sha256")[:16])
    made[6] = 0x80 | made[6] & 0x0F
    made[8] = 0x80 | made[8] & 0x3F
    text = made.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def mark_of(key: bytes, ours: str) -> str:
    """Returns what a tool knows a salt or a hash as: as long, equal for equal, and another with each tool."""
    return hmac.digest(key, bytes.fromhex(ours), "sha256").hex()[: len(ours)]


def coarse(text: str) -> str:
    """Returns JSON with its moments to the second: to the microsecond, two tools would tell an event by them."""
    return PARTS_OF_SECONDS.sub("", text)


def ids_in(text: str) -> set[UUID]:
    """Returns every id that stands in an event's JSON."""
    return {UUID(one) for one in UUIDS.findall(text)}


def translated(text: str, theirs: Callable[[UUID], UUID]) -> str:
    """Returns an event's JSON with every id in it as the tool knows it."""
    return UUIDS.sub(lambda found: str(theirs(UUID(found[0]))), text)


class At(BaseModel):
    """Where a tool's stream stands, as its putter knows it, on the outlet's row of this version (0: there is none)."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    version: int
    out_seq: int
    acked: int
    stream_made: str
    stream_last: int
    stream_since: int
    aside: bool = False

    def moved(self, version: int, *, aside: bool) -> At:
        """Returns the same on a row of this version."""
        return self.model_copy(update={"version": version, "aside": aside})

    def grown(self, seq: int, last: int) -> At:
        """Returns it with the stream's messages up to `last`, the newest of which has the number `seq`."""
        if self.aside:  # what went first does not follow: what came before it still has to go
            return self.model_copy(update={"stream_last": last, "stream_since": last + 1})
        return self.model_copy(update={"out_seq": seq, "stream_last": last})

    def acknowledged(self, floor: int) -> At:
        """Returns it with what the tool has acknowledged up to the stream's message `floor`."""
        if floor < self.stream_since:
            return self
        acked = min(self.out_seq, floor - (self.stream_last - self.out_seq))
        return self.model_copy(update={"acked": max(self.acked, acked)})

    def met(self, made: str, last: int, seq: int, *, new_epoch: bool) -> At:
        """Returns it as it must be, now that the stream was found to be made at `made` and to end at `last`.

        What may not lie in the stream goes again: all that the tool did not acknowledge of a stream that was lost,
        or whose end was; only what did not arrive of one that is whole, for nobody else writes to it.
        """
        if made != self.stream_made or last < self.stream_last:
            known, since = min(self.acked, seq), last + 1
        elif self.aside or new_epoch:
            known, since = min(self.out_seq, seq), last + 1
        else:
            known, since = min(self.out_seq + last - self.stream_last, seq), self.stream_since
        new = {"out_seq": known, "stream_made": made, "stream_last": last, "stream_since": since, "aside": False}
        return self.model_copy(update=new)


NOWHERE = At(version=0, out_seq=0, acked=0, stream_made="", stream_last=0, stream_since=1)


@dataclass(frozen=True, slots=True)
class Outlet:
    """A tool's row of numbers: the epoch, the last number, and where its stream stands."""

    epoch: int
    seq: int
    at: At

    def values(self) -> dict[str, Any]:
        """Returns the columns."""
        return {"epoch": self.epoch, "seq": self.seq, **self.at.model_dump(exclude={"version"})}


class Kind(StrEnum):
    """What lies under a tool's number."""

    PUT_OUT = "put_out"
    VOID = "void"
    WITHDRAWAL = "withdrawal"


@dataclass(frozen=True, slots=True)
class Said:
    """An event of another service: what it is, and what every tool is told of it, in pieces; ids and hashes between."""

    what: str
    thing: UUID | None
    parts: list[str]
    ids: list[str]

    @classmethod
    def of(cls, raw: bytes | str) -> Self:
        """Returns it of the event's own bytes."""
        content = pydantic_core.from_json(raw)
        said = {name: content[name] for name in SAID if name in content}
        said |= {"role": role} if (role := content["data"]["act"].get("role")) else {}
        text = coarse(pydantic_core.to_json({**said, "data": content["data"]["fact"]}).decode())[:-1] + ","
        thing = content.get("thing")
        return cls(content["type"], UUID(thing) if thing else None, OWN.split(text), OWN.findall(text))


@dataclass(frozen=True, slots=True)
class Message:
    """What goes to a tool under one number."""

    kind: Kind
    epoch: int
    seq: int
    about: UUID | None = None
    category: Category | None = None
    said: Said | None = None
    withdrawal: UUID | None = None
    taken_out: tuple[int, ...] = ()
    erased: bool = False
    """The child was erased: `about` is what the tool knew it as."""

    @classmethod
    def put_out(cls, epoch: int, seq: int, said: Said, about: UUID, category: Category) -> Self:
        """Returns an event that goes out."""
        return cls(Kind.PUT_OUT, epoch, seq, about, category, said)

    @classmethod
    def void(cls, epoch: int, seq: int) -> Self:
        """Returns a tombstone: the number is there, and holds nothing."""
        return cls(Kind.VOID, epoch, seq)

    @classmethod
    def withdrawal_of(cls, item: Mapping[str, Any]) -> Self:
        """Returns the word that a child's data in a category may not be had any more, of the row that says so."""
        return cls(
            Kind.WITHDRAWAL,
            item["epoch"],
            item["seq"],
            UUID(item["about"]),
            Category(item["category"]),
            withdrawal=UUID(item["withdrawal"]),
            taken_out=tuple(item["taken_out"] or ()),
            erased=bool(item.get("erased")),
        )
