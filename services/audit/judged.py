"""What the judge weighs: what a line says, and what the log itself shows beside it. Pure.

Nothing here comes from the services' own check of access (`shared.access`): a fault there must not blind its judge.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.events.base import Event
from shared.events.network import AccessChanged, Grant
from shared.events.words import Basis, school_subject

SAYS = (
    "producer",
    "seq",
    "type",
    "about",
    "actor",
    "role",
    "organisation",
    "action",
    "category",
    "purpose",
    "basis",
    "grant",
    "consent",
    "consent_version",
    "emergency",
    "revision",
    "network_epoch",
    "network_seq",
    "recorded_at",
)
"""What a finding repeats of its line."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A line that was not allowed, or not on the basis that it claims. `code` is stable; both sides are JSON."""

    idx: int
    code: str
    says: Mapping[str, Any]
    shows: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Said:
    """A line as far as it is judged: its entry, where it stands, and whose set of grants it may rest on."""

    idx: int
    entry: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The event's entity and verb (`access.viewed`)."""
        return name_of(self.entry["type"])

    @property
    def about(self) -> UUID:
        return UUID(self.entry["about"])

    @property
    def school(self) -> UUID:
        """The subject id of the school itself."""
        return school_subject(self.entry["school"])

    @property
    def at(self) -> datetime:
        """When it was committed, by the database's clock."""
        return datetime.fromisoformat(self.entry["recorded_at"])

    @property
    def seq(self) -> int:
        """Its number in its producer's lane."""
        return int(self.entry["seq"])

    @property
    def position(self) -> int:
        """Network's number that it was judged by."""
        return int(self.entry["network_seq"])

    @property
    def grant(self) -> UUID | None:
        found = self.entry.get("grant")
        return UUID(found) if found else None

    @property
    def by_authority(self) -> bool:
        """Tells whether it rests on authority and no grant."""
        return self.grant is None and self.entry.get("basis") == Basis.AUTHORITY

    def says(self) -> dict[str, Any]:
        """Returns the line's side of a finding."""
        return {name: self.entry[name] for name in SAYS if name in self.entry}

    def finding(self, code: str, **shows: Any) -> Finding:  # noqa: ANN401  JSON
        """Returns a finding on this line."""
        return Finding(self.idx, code, self.says(), shows)


@dataclass(frozen=True, slots=True)
class Published:
    """A set of grants as network published it: where, when (database's clock and domain time), and the grants by id."""

    idx: int
    epoch: int
    seq: int
    about: UUID
    revision: int
    at: datetime
    happened_at: datetime
    grants: Mapping[UUID, Grant]

    @classmethod
    def of(cls, idx: int, event: Event) -> Published:
        """Reads an `access.changed`."""
        fact = event.fact(AccessChanged)
        by_id = {grant.id: grant for grant in fact.grants}
        return cls(idx, event.epoch, event.seq, event.about, fact.revision, event.recorded_at, event.occurred_at, by_id)

    def shows(self) -> dict[str, Any]:
        """Returns where it stands, for a finding."""
        return {"network_epoch": self.epoch, "network_seq": self.seq, "revision": self.revision}


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Something taken away holds everywhere from `at` on: network's event number `applied` is in force by then."""

    seq: int
    about: UUID
    applied: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the log shows beside one line.

    `epoch_there`: the epoch of network's event at the line's position (None: the log holds no such event).
    `of_subject`, `of_school`: the newest set published of the line's subject, and of the school, at that position;
    `later`: the school's next one. `withdrawal`: of those that were effective when the line was committed the one that
    reaches furthest, if its position does not; `then`: both sets as they stood there. `claim`: the entry of the claim
    that a sent notice rests on. `decides`: the actor had authority on sharing then, which is looked up of an act that
    rests on authority and no grant.
    """

    epoch_there: int | None = None
    of_subject: Published | None = None
    of_school: Published | None = None
    later: Published | None = None
    withdrawal: Withdrawal | None = None
    then: Mapping[UUID, Published] = field(default_factory=dict)
    claim: Mapping[str, Any] | None = None
    decides: bool = False


def name_of(type_: str) -> str:
    """Returns entity and verb of a CloudEvents type."""
    return ".".join(type_.split(".")[3:-1])


def words(values: Iterable[object]) -> list[str]:
    """Returns codes as JSON, in order."""
    return sorted(str(value) for value in values)
