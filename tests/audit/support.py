"""What the tests of audit log and ask with: chained events as journals make them, and a log on a real database."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import asyncpg
import pydantic_core
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.databases import ServiceDatabase
from services.audit.commands import ENDPOINTS
from services.audit.files import Logs
from services.audit.reactions import lanes
from services.audit.tasks import Signer
from shared.access_projection import by_member
from shared.actor import Actor
from shared.clock import Ids
from shared.db import Database
from shared.events.base import GENESIS, Act, Denied, Event, Fact, NewEvent, Viewed, stamp
from shared.events.network import Grant
from shared.events.words import Action, ActorKind, Basis, Category, Outcome, Purpose, Role, school_subject
from shared.projection import Applied, Applier
from shared.telemetry import Telemetry
from shared.unit import Asked, Endpoint
from shared.unit_run import Unit

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
NOW = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
BY_NAME: Mapping[str, Endpoint[Any]] = {endpoint.name: endpoint for endpoint in ENDPOINTS}


def pseudonym(number: int) -> UUID:
    return UUID(int=number, version=4)


CHILD, OTHER_CHILD, TEACHER, CARER, MOTHER, AUDITOR, STRANGER = (pseudonym(number) for number in range(1, 8))


def act(actor: UUID = TEACHER, **changed: object) -> Act:
    """Returns the act of a teacher who looks at goals as a public task."""
    base: dict[str, object] = {
        "actor": actor,
        "kind": ActorKind.PERSON,
        "door": "portal",
        "role": Role.TEACHER,
        "purpose": Purpose.GUIDANCE,
        "action": Action.VIEW,
        "category": Category.GOALS,
        "basis": Basis.PUBLIC_TASK,
        "grant": pseudonym(90),
        "revision": 3,
    }
    return Act.model_validate(base | changed)


def refusal(actor: UUID = STRANGER) -> Act:
    """Returns the act of someone who asked in vain."""
    return act(actor, role=None, basis=None, grant=None, outcome=Outcome.DENIED, reason="no_grant")


@dataclass
class Journal:
    """Numbers and chains events as a producer's database does."""

    school: str
    producer: str = "goals"
    at: datetime = NOW
    events: list[Event] = field(default_factory=list)

    def add(self, fact: Fact, by: Act, about: UUID = CHILD, thing: UUID | None = None, **more: object) -> Event:
        """Returns the next event, a minute after the last; `more` goes into the envelope."""
        self.at += timedelta(minutes=1)
        new = NewEvent(fact, about, by, thing, producer=self.producer)
        content = json.loads(new.body(self.school, Ids(Random(self.at.isoformat())).time_ordered(self.at), self.at))
        last = self.events[-1] if self.events else None
        content |= {"epoch": 1, "seq": len(self.events) + 1, "prevhash": last.hash if last else GENESIS}
        content |= {"recordedat": stamp(self.at + timedelta(seconds=1)), "networkepoch": 1, "networkseq": 7, **more}
        self.events.append(Event.parse(json.dumps(content, separators=(",", ":")).encode()))
        return self.events[-1]

    def viewed(self, by: UUID = TEACHER, about: UUID = CHILD, **more: object) -> Event:
        """Returns the next event: somebody saw two goals."""
        return self.add(Viewed(query="goals", things=2), act(by, **more), about)

    def denied(self, by: UUID = STRANGER, about: UUID = CHILD) -> Event:
        """Returns the next event: somebody was refused."""
        return self.add(Denied(what="goals"), refusal(by), about)

    def many(self, count: int) -> Sequence[Event]:
        """Returns the next `count` events."""
        return [self.viewed() for _ in range(count)]


def log_grant(member: UUID, role: Role, purpose: Purpose, basis: Basis) -> Grant:
    """Returns a grant to see a log."""
    return Grant(
        id=UUID(int=member.int + 1000, version=4),
        member=member,
        role=role,
        actions=(Action.VIEW, Action.EXPORT) if role is Role.AUDITOR else (Action.VIEW,),
        categories=(Category.LOG,),
        purposes=(purpose,),
        basis=basis,
        valid_from=LONG_AGO,
    )


class Log:
    """The service on a real database, fed and asked in process."""

    def __init__(self, db: Database, school: str, folder: Path) -> None:
        self.db, self.school = db, school
        self.logs, self.folder = Logs(folder), folder / school
        self.lanes = lanes(self.logs)
        self.alarms: list[str] = []
        self.operator: str | None = None
        self.subject = school_subject(school)
        self.ids = Ids(Random(school))
        self.applier = Applier(db, self.lanes, self.ids, Telemetry("audit", export=False))
        self.unit = Unit("audit", db, self.ids)

    async def log(self, events: Sequence[Event]) -> Applied:
        """Applies events of one lane, as the consumer does."""
        return await self.applier.apply(self.school, events[0].producer, events)

    async def sign(self) -> int:
        """Signs what is not signed yet, as the service does; returns for how many schools."""
        return await self.signer().sign_all()

    def signer(self, logs: Logs | None = None) -> Signer:
        """Returns what signs; with other `logs`, another process."""
        return Signer(self.db, logs or self.logs, KEY, "wijzer", lambda code, *_, **__: self.alarms.append(code))

    async def give(self, about: UUID, *grants: Grant) -> None:
        """Makes these the subject's grants."""
        async with self.db.school(self.school) as conn:
            await conn.execute(
                "INSERT INTO access (school, id, version, grants, epoch, seq) VALUES ($1, $2, 1, $3, 1, 1) "
                "ON CONFLICT (school, id) DO UPDATE SET version = access.version + 1, grants = excluded.grants",
                self.school,
                about,
                by_member(grants),
            )

    async def settle(self) -> None:
        """Lets the mother see her child's log and the auditor the school's."""
        await self.give(CHILD, log_grant(MOTHER, Role.GUARDIAN, Purpose.OWN_DATA, Basis.AUTHORITY))
        await self.give(OTHER_CHILD)
        await self.give(self.subject, log_grant(AUDITOR, Role.AUDITOR, Purpose.OVERSIGHT, Basis.LEGAL_DUTY))

    async def ask(self, name: str, who: UUID = AUDITOR, /, **body: object) -> dict[str, Any]:
        """Returns the answer to a question, for the purpose that fits who asks."""
        async with self.db.school(self.school) as conn:
            await conn.execute(
                "INSERT INTO access_lease SELECT $1, clock_timestamp(), generation_now(), 0, 0 ON CONFLICT DO NOTHING",
                self.school,
            )
        purpose = Purpose.OWN_DATA if who == MOTHER else Purpose.OVERSIGHT
        endpoint = BY_NAME[name]
        read = endpoint.body.model_validate_json(pydantic_core.to_json({"purpose": purpose, **body}))
        actor = Actor(who, ActorKind.PERSON, self.school, "portal", self.operator)
        answer: dict[str, Any] = await self.unit.run(endpoint, Asked(actor, self.school, read, self.ids))
        return answer

    async def journaled(self) -> list[Event]:
        """Returns audit's own journal."""
        return [Event.parse(row["event"].encode()) for row in await self.rows("SELECT event FROM journal ORDER BY seq")]

    async def rows(self, sql: str, *args: object) -> list[dict[str, Any]]:
        """Returns rows of this school."""
        async with self.db.school(self.school) as conn:
            return [dict(row) for row in await conn.fetch(sql, *args)]


@asynccontextmanager
async def as_owner(database: ServiceDatabase, school: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """Yields a connection of the owner with the walls down and the school set: what an intruder could have."""
    conn = await asyncpg.connect(database.owner_dsn)
    try:
        await conn.execute("SELECT set_config('app.school', $1, false)", school)
        yield conn
    finally:
        await conn.close()
