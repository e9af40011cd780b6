"""The envelope of every event: CloudEvents 1.0 in structured JSON, chained by the journal.

An event's bytes are made once, in the producer's database, and are the same everywhere: its hash is the SHA-256 of
those bytes, and each event carries the hash of the one before it in its lane (school, producer). Thin bus: no names,
free text or contact data; ids, codes, dates, versions and hashes only.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, ClassVar, Self, TypeVar
from uuid import UUID

import pydantic_core
from pydantic import BaseModel, ConfigDict

from shared.events.words import Action, ActorKind, Basis, Category, Outcome, Purpose, Role

F = TypeVar("F", bound="Fact")

GENESIS = "0" * 64
"""`prevhash` of the first event of a lane."""


class Fact(BaseModel):
    """What happened, as one type of event. Fields are only ever added; a change of meaning is a new type.

    `PRODUCER` and `NAME` (`<entity>.<past-verb>`) give the subject and the CloudEvents type.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    PRODUCER: ClassVar[str]
    NAME: ClassVar[str]
    VERSION: ClassVar[int] = 1

    @classmethod
    def type(cls, producer: str | None = None) -> str:
        """Returns the CloudEvents type."""
        return f"nl.samenkracht.{producer or cls.PRODUCER}.{cls.NAME}.v{cls.VERSION}"

    @classmethod
    def subject(cls, school: str, producer: str | None = None) -> str:
        """Returns the NATS subject."""
        return f"evt.{school}.{producer or cls.PRODUCER}.{cls.NAME}"


class Act(BaseModel):
    """Who did or saw it, why, and on what basis: what NEN 7513 and ISO 27789 ask of an audit line."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    actor: UUID
    kind: ActorKind
    door: str
    operator: str | None = None
    on_behalf_of: UUID | None = None
    role: Role | None = None
    organisation: UUID | None = None
    purpose: Purpose
    action: Action
    category: Category
    outcome: Outcome = Outcome.PERMITTED
    reason: str | None = None
    basis: Basis | None = None
    grant: UUID | None = None
    consent: UUID | None = None
    consent_version: int | None = None
    revision: int | None = None
    emergency: bool = False


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event before its journal has numbered it.

    `about` is the subject whose data it concerns (a child or the school itself), `thing` the object, `act` who and why.
    """

    fact: Fact
    about: UUID
    act: Act
    thing: UUID | None = None
    producer: str | None = None
    """Only for facts that every service produces (`Viewed`, `Denied`)."""

    def body(self, school: str, event_id: UUID, at: datetime, traceparent: str | None = None) -> str:
        """Returns the JSON text of the event, without the fields that the journal appends when it numbers it."""
        producer = self.producer or self.fact.PRODUCER
        # Written out, as it is made for every event: slugs, ids, codes and moments need no escaping.
        thing = f'"thing":"{self.thing}",' if self.thing is not None else ""
        trace = f'"traceparent":"{traceparent}",' if traceparent is not None else ""
        return (
            f'{{"specversion":"1.0","id":"{event_id}","source":"/{school}/{producer}",'
            f'"type":"{self.fact.type(producer)}","time":"{stamp(at)}","subject":"{self.about}",'
            f'"datacontenttype":"application/json","school":"{school}","producer":"{producer}",{thing}{trace}'
            f'"data":{{"act":{self.act.model_dump_json(exclude_none=True)},"fact":{self.fact.model_dump_json()}}}}}'
        )


@dataclass(frozen=True, slots=True)
class Event:
    """A numbered event as every consumer gets it. `raw` are its exact bytes."""

    raw: bytes
    content: Mapping[str, Any]
    school: str
    producer: str
    epoch: int
    seq: int
    prev_hash: str

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Reads an event's bytes; raises ValueError when they are not one."""
        content = pydantic_core.from_json(raw)
        try:
            return cls(
                raw,
                content,
                content["school"],
                content["producer"],
                content["epoch"],
                content["seq"],
                content["prevhash"],
            )
        except (KeyError, TypeError) as error:
            msg = f"not an event: {error!r}"
            raise ValueError(msg) from None

    @property
    def hash(self) -> str:
        """The SHA-256 of the event's bytes, in hex: what the next event of the lane carries."""
        return sha256(self.raw).hexdigest()

    @property
    def id(self) -> UUID:
        return UUID(self.content["id"])

    @property
    def type(self) -> str:
        return str(self.content["type"])

    @property
    def about(self) -> UUID:
        """The child or school whose data it concerns; what a parked lane parks by."""
        return UUID(self.content["subject"])

    @property
    def thing(self) -> UUID | None:
        thing = self.content.get("thing")
        return UUID(thing) if thing else None

    @property
    def occurred_at(self) -> datetime:
        return datetime.fromisoformat(self.content["time"])

    @property
    def recorded_at(self) -> datetime:
        """When the producer's database committed it, by that database's clock."""
        return datetime.fromisoformat(self.content["recordedat"])

    @property
    def act(self) -> Act:
        return Act.model_validate(self.content["data"]["act"])

    def is_a(self, fact: builtins.type[Fact]) -> bool:
        """Tells whether this event is of that type (any producer, for the shared types)."""
        return self.type == fact.type(self.producer)

    def fact(self, fact: builtins.type[F]) -> F:
        """Returns the fact as `fact`; raises pydantic's ValidationError (permanent) when it does not fit."""
        return fact.model_validate(self.content["data"]["fact"])


class Viewed(Fact):
    """Someone looked: journaled before the answer leaves. Never goes out of the platform, never notifies."""

    NAME: ClassVar[str] = "access.viewed"
    query: str
    things: int
    """How many objects the answer held."""


class Denied(Fact):
    """Someone asked and was refused. `what` is the command or query."""

    NAME: ClassVar[str] = "access.denied"
    what: str


def stamp(at: datetime) -> str:
    """Returns RFC 3339 text in UTC, to the microsecond."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def by_type(facts: Iterable[type[Fact]]) -> dict[str, type[Fact]]:
    """Returns the facts by CloudEvents type."""
    return {fact.type(): fact for fact in facts}
