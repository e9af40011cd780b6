"""What the tests of registration and of the tools' door ask with: a school with a keeper, a teacher and two tools."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import pydantic_core

from services.gate.commands import endpoints
from services.gate.logins import Desk, RenewLogin
from shared.access_projection import by_member
from shared.actor import Actor, service_id
from shared.clock import Ids
from shared.db import Database
from shared.events.base import Event
from shared.events.network import Grant
from shared.events.words import Action, ActorKind, Basis, Category, Purpose, Role, school_subject
from shared.unit import Asked, Endpoint
from shared.unit_parts import Key
from shared.unit_run import Unit

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
ACCESS = """
INSERT INTO access (school, id, version, grants, epoch, seq) VALUES ($1, $2, 1, $3, 1, 1)
ON CONFLICT (school, id) DO UPDATE SET grants = excluded.grants, version = access.version + 1
"""
LEASE = "INSERT INTO access_lease SELECT $1, clock_timestamp(), generation_now(), 0, 0 ON CONFLICT DO NOTHING"


def account(number: int) -> str:
    """Returns the name of a made-up account."""
    return "A" + f"{number:055d}".translate(str.maketrans("0189", "ABCD"))


def user(number: int) -> str:
    """Returns the name of a made-up login."""
    return "U" + account(number)[1:]


@dataclass
class PaperSlots:
    """Slots that sign with nothing but their names."""

    accounts: list[str]
    signed: list[tuple[str, str, int, int]] = field(default_factory=list)
    known: bool = True
    by: list[int] = field(default_factory=list)
    """The keys that signed."""
    has: int = 3

    def free(self, taken: Collection[str]) -> str | None:
        return next((one for one in self.accounts if one not in taken), None)

    def keys(self, account: str) -> int:
        return self.has if account in self.accounts else 0

    def mint(self, account: str, key: int, user: str, issued_at: int, expires_at: int) -> str:
        if account not in self.accounts:
            raise KeyError(account)
        self.by.append(key)
        self.signed.append((account, user, issued_at, expires_at))
        return f"jwt:{account}:{user}:{issued_at}:{expires_at}"


def grant(member: UUID, role: Role, actions: tuple[Action, ...], categories: tuple[Category, ...]) -> Grant:
    """Returns a grant that has held for long."""
    return Grant(
        id=uuid4(),
        member=member,
        role=role,
        actions=actions,
        categories=categories,
        purposes=(Purpose.ADMINISTRATION, Purpose.GUIDANCE),
        basis=Basis.PUBLIC_TASK,
        valid_from=LONG_AGO,
    )


class Office:
    """Asks the gate on a real database, as the RPC border would; network has taken in `tool`, and `slots` are paper."""

    def __init__(self, db: Database, school: str, slots: PaperSlots | None = None) -> None:
        self.db, self.school, self.subject = db, school, school_subject(school)
        self.slots = slots or PaperSlots([account(n) for n in range(4)])
        self.desk = Desk(self.slots, timedelta(hours=1))
        self.ids = Ids()
        self.unit = Unit("gate", db, self.ids)
        self.by_name = {one.name: one for one in endpoints(self.slots, self.desk)}
        self.by_name["renew"] = Endpoint("renew", RenewLogin, "read_tool", self.desk.decide_renew)
        self.keeper, self.teacher, self.stranger = (self.person(uuid4()) for _ in range(3))
        self.tool, self.other_tool = uuid4(), uuid4()

    def person(self, id_: UUID) -> Actor:
        return Actor(id_, ActorKind.PERSON, self.school, "samen")

    def as_tool(self, id_: UUID | None = None) -> Actor:
        return Actor(id_ or self.tool, ActorKind.TOOL, self.school, "gate")

    async def settle(self) -> None:
        """Gives the school a keeper of its records and a teacher; network has told of two tools."""
        records = (Action.VIEW, Action.PROPOSE, Action.MANAGE)
        await self.give(
            self.subject,
            grant(self.keeper.id, Role.SCHOOL_ADMINISTRATOR, records, (Category.NETWORK, Category.IDENTITY)),
            grant(self.teacher.id, Role.TEACHER, (Action.VIEW,), (Category.NETWORK,)),
        )
        async with self.db.school(self.school) as conn:
            ids = [self.tool, self.other_tool]
            await conn.execute("INSERT INTO tool_member SELECT $1, unnest($2::uuid[])", self.school, ids)

    async def change_login(self, how: str) -> None:
        """Changes the rows of logins by hand."""
        async with self.db.school(self.school) as conn:
            await conn.execute(f"UPDATE tool_login SET {how}")

    async def give(self, about: UUID, *grants: Grant) -> None:
        async with self.db.school(self.school) as conn:
            await conn.execute(ACCESS, self.school, about, by_member(grants))

    async def ask(self, name: str, actor: Actor, key: str | None = None, /, **body: object) -> dict[str, Any]:
        """Returns the answer; the body is about the school, and a tool's if it names none."""
        endpoint = self.by_name[name]
        fields = endpoint.body.model_fields
        filled = {"about": self.subject} | ({"tool": self.tool} if "tool" in fields else {}) | body
        if endpoint.is_query:
            filled = {"purpose": "administration"} | filled
        read = endpoint.body.model_validate_json(pydantic_core.to_json(filled))
        stands_for = Key(key, sha256(pydantic_core.to_json(filled)).hexdigest()) if key else None
        async with self.db.school(self.school) as conn:
            await conn.execute(LEASE, self.school)
        answer: dict[str, Any] = await self.unit.run(endpoint, Asked(actor, self.school, read, self.ids), stands_for)
        return answer

    async def register(self, actor: Actor | None = None, key: str | None = None, /, **more: object) -> dict[str, Any]:
        body = {
            "label": "Leesapp",
            "for_purpose": "local_tool",
            "categories": ["goals", "observations"],
            "agreement": "VO-2026-14",
            **more,
        }
        return await self.ask("register-tool", actor or self.keeper, key, **body)

    async def told(self) -> list[Event]:
        """Returns the school's journal, oldest first."""
        async with self.db.school(self.school) as conn:
            rows = await conn.fetch("SELECT event FROM journal ORDER BY seq")
        return [Event.parse(row[0].encode()) for row in rows]

    async def names(self) -> list[str]:
        return [one.type.removeprefix("nl.samenkracht.gate.").removesuffix(".v1") for one in await self.told()]

    async def rows(self, sql: str, *args: object) -> list[dict[str, Any]]:
        async with self.db.school(self.school) as conn:
            return [dict(row) for row in await conn.fetch(sql, *args)]

    @property
    def gate(self) -> Actor:
        return Actor(service_id("gate"), ActorKind.SERVICE, self.school, "gate")
