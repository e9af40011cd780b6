"""The real command path of network over this test's own database, without the bus."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any, TypeVar
from uuid import UUID, uuid4

import asyncpg
import pytest

from services.network.commands import ENDPOINTS
from services.network.reactions import catch_up_school
from services.network.store import is_waiting
from shared.actor import Actor, service_id
from shared.clock import Ids
from shared.db import Database
from shared.errors import Problem
from shared.events.base import Event, Fact
from shared.events.network import AccessChanged, Grant
from shared.events.words import ActorKind, school_subject
from shared.unit import Asked
from shared.unit_run import Unit
from tests.support.fixtures import DatabaseFactory

F = TypeVar("F", bound=Fact)

OPERATOR = uuid4()
BY_NAME = {endpoint.name: endpoint for endpoint in ENDPOINTS}


@dataclass
class Network:
    """Asks network's endpoints as different actors, and reads what was journaled."""

    unit: Unit
    db: Database
    school: str
    ids: Ids
    owner: str = ""
    """The migration login's address."""
    admin: UUID = field(default_factory=uuid4)
    auditor: UUID = field(default_factory=uuid4)

    @property
    def subject(self) -> UUID:
        return school_subject(self.school)

    async def ask(self, name: str, who: UUID | Actor, /, **body: object) -> Any:  # noqa: ANN401  JSON
        actor = who if isinstance(who, Actor) else Actor(who, ActorKind.PERSON, self.school, "test")
        endpoint = BY_NAME[name]
        read = endpoint.body.model_validate_json(json.dumps(body, default=str))
        return await self.unit.run(endpoint, Asked(actor, self.school, read, self.ids))

    async def operate(self, name: str, /, **body: object) -> Any:  # noqa: ANN401  JSON
        return await self.ask(name, Actor(OPERATOR, ActorKind.OPERATOR, self.school, "samen", "op"), **body)

    def service(self, name: str) -> Actor:
        return Actor(service_id(name), ActorKind.SERVICE, self.school, name)

    async def open(self) -> None:
        reply = await self.operate(
            "open-school",
            name="School De Brug",
            administrators=[{"given_name": "Ada", "family_name": "Beheer", "email": "ada@example.org"}],
            auditors=[{"given_name": "Toos", "family_name": "Toezicht"}],
        )
        self.admin, self.auditor = UUID(reply["administrators"][0]), UUID(reply["auditors"][0])

    async def manage(self, name: str, /, **body: object) -> Any:  # noqa: ANN401  JSON
        return await self.ask(name, self.admin, **body)

    async def find(self, sourced_id: str) -> UUID:
        found = await self.manage("find-person", sourced_id=sourced_id, purpose="administration")
        return UUID(found["persons"][0]["person"])

    async def events(self) -> list[Event]:
        async with self.db.school(self.school) as conn:
            rows = await conn.fetch("SELECT event FROM journal WHERE school = $1 ORDER BY seq", self.school)
        return [Event.parse(row[0].encode()) for row in rows]

    async def facts(self, fact: type[F]) -> list[F]:
        """Everything of that type that was told."""
        return [event.fact(fact) for event in await self.events() if event.is_a(fact)]

    async def shift(self, to: datetime) -> None:
        """Moves domain time, as only the migration login may."""
        owner = await asyncpg.connect(self.owner)
        try:
            await owner.execute("UPDATE time_shift SET shift = $1::timestamptz - clock_timestamp()", to)
        finally:
            await owner.close()

    async def attend(self) -> int:
        """What the background task does until nobody waits; returns how many turns that took."""
        turns = 0
        while True:
            async with self.db.school(self.school) as conn:
                if not await is_waiting(conn, self.school):
                    return turns
            try:
                await self.ask("regrant", self.service("network"), purpose="administration")
            except Problem as problem:
                assert problem.more.get("code") == "none_waiting"  # noqa: PT017  another was first
            turns += 1
            assert turns < 20, "a child waits for ever"

    async def grants(self, subject: UUID) -> tuple[Grant, ...]:
        """The grants last published on a subject."""
        told = [event for event in await self.events() if event.about == subject and event.is_a(AccessChanged)]
        return told[-1].fact(AccessChanged).grants if told else ()


async def catch_up(network: Network) -> None:
    """Runs the background task once for the school."""

    class Site:
        db, unit, ids = network.db, network.unit, network.ids

    await catch_up_school(Site, network.school)  # type: ignore[arg-type]  # the three that it uses


@pytest.fixture
async def network(database: DatabaseFactory, school: str) -> AsyncIterator[Network]:
    """An empty network service's command path."""
    made = await database("network")
    db = await Database.connect(made.dsn, 4)
    ids = Ids(Random(7))
    yield Network(Unit("network", db, ids, authority=True), db, school, ids, made.owner_dsn)
    await db.close()


def pupil(name: str, **more: object) -> dict[str, Any]:
    """A roster's row for a pupil."""
    return {
        "at": "users.csv:2",
        "sourced_id": name,
        "given_name": name.title(),
        "family_name": "Jansen",
        "pupil": True,
        "born_on": "2015-05-05",
        **more,
    }


def adult(name: str, **more: object) -> dict[str, Any]:
    """A roster's row for someone else."""
    return {"at": "users.csv:3", "sourced_id": name, "given_name": name.title(), "family_name": "de Vries", **more}


def link(person: str, role: str, **more: object) -> dict[str, Any]:
    """A roster's row for someone round a child."""
    return {"at": "users.csv:4", "person": person, "role": role, **more}


FAMILY: dict[str, Any] = {
    "organisations": [{"at": "orgs.csv:3", "sourced_id": "care", "name": "Zorg Samen"}],
    "persons": [
        adult("mum", email="mum@example.org"),
        adult("dad"),
        adult("juf", roles=["teacher"]),
        adult("ib", roles=["internal_coordinator"]),
        adult("logo", organisation="care", email="logo@example.org"),
        pupil("kim"),
    ],
    "networks": [
        {
            "at": "users.csv:2",
            "child": "kim",
            "links": [
                link("mum", "guardian"),
                link("dad", "guardian"),
                link("juf", "teacher"),
                link("ib", "internal_coordinator"),
                link("logo", "therapist"),
            ],
            "holders": ["mum", "dad"],
        }
    ],
}
