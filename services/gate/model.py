"""What a tool is, and how its pseudonyms are made. Pure: no I/O, no clock, no random."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from shared.events.gate import ToolChannel
from shared.events.words import Category, Purpose

SERVICE = "gate"
UUIDS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


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
    made = bytearray(hmac.digest(bytes.fromhex(secret), ours.bytes, "sha256")[:16])
    made[6] = 0x80 | made[6] & 0x0F
    made[8] = 0x80 | made[8] & 0x3F
    return UUID(bytes=bytes(made))


def ids_in(text: str) -> set[UUID]:
    """Returns every id that stands in an event's JSON."""
    return {UUID(one) for one in UUIDS.findall(text)}


def translated(text: str, theirs: Callable[[UUID], UUID]) -> str:
    """Returns an event's JSON with every id in it as the tool knows it."""
    return UUIDS.sub(lambda found: str(theirs(UUID(found[0]))), text)
