"""What `audit` tells: who looked at the log or was refused it (`Viewed`, `Denied` of the envelope), and restrictions.

Lines, checkpoints and proofs are no events: what is logged must not cause anything to log.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from shared.events.base import Fact, by_type
from shared.events.words import Category


class Ground(StrEnum):
    """On what ground the law lets lines be held back from parents and young people (UAVG article 41, 1)."""

    CHILD_PROTECTION = "child_protection"
    """Letter i: the child itself must be protected."""
    OTHERS_PROTECTION = "others_protection"
    """Letter i: somebody else's rights and freedoms must be."""
    CRIMINAL_INVESTIGATION = "criminal_investigation"
    """Letter d: crime is being prevented, investigated or prosecuted."""
    SUPERVISION = "supervision"
    """Letter h: an inspection or supervisor is at work."""


class _Restriction(Fact):
    PRODUCER: ClassVar[str] = "audit"
    restriction: UUID


class _Held(_Restriction):
    ground: Ground
    told: bool
    """Parents and young people are told that lines are held back."""
    lines_from: datetime
    lines_until: datetime | None = None
    categories: tuple[Category, ...] = ()
    """None named: all."""
    who: UUID | None = None
    ends_at: datetime


class RestrictionAsked(_Held):
    """Somebody asks that lines about a child be held back from parents and young people: someone else must confirm."""

    NAME: ClassVar[str] = "restriction.asked"


class RestrictionConfirmed(_Held):
    """Somebody else confirmed it: those lines are held back until `ends_at`. Auditors see every line."""

    NAME: ClassVar[str] = "restriction.confirmed"
    asked_by: UUID


class RestrictionDeclined(_Restriction):
    """Somebody declined it, or who asked took it back: nothing is held back."""

    NAME: ClassVar[str] = "restriction.declined"


class RestrictionLifted(_Restriction):
    """It ends before its time: the lines are shown again."""

    NAME: ClassVar[str] = "restriction.lifted"


class LogKeyTaken(Fact):
    """From here on another key signs the school's log; `key_hash` is the SHA-256 of its public half."""

    PRODUCER: ClassVar[str] = "audit"
    NAME: ClassVar[str] = "log-key.taken"
    key_hash: str


FACTS = by_type((LogKeyTaken, RestrictionAsked, RestrictionConfirmed, RestrictionDeclined, RestrictionLifted))
"""Every fact of this producer alone, by CloudEvents type."""
