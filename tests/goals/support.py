"""What the tests of goals ask with: made-up people, a desk on a real database, and a goal kept in memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import pydantic_core

from services.goals.commands import ENDPOINTS
from shared.access import View
from shared.access_projection import by_member
from shared.actor import Actor
from shared.clock import Ids
from shared.db import Database
from shared.events.network import Grant
from shared.events.words import Action, ActorKind, Basis, Category, Purpose, Role
from shared.unit import Asked, Change, Endpoint, Request, Snapshot
from shared.unit_parts import Key
from shared.unit_run import Unit

NOW = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
WORKS = (Action.VIEW, Action.PROPOSE, Action.DECIDE, Action.SCORE)
SEES = (Category.GOALS, Category.OBSERVATIONS)
BY_NAME: Mapping[str, Endpoint[Any]] = {endpoint.name: endpoint for endpoint in ENDPOINTS}
LADDER = ["never", "sometimes, with help", "daily, with help", "daily, when told", "daily, unasked"]


def grant(
    member: UUID,
    role: Role,
    actions: tuple[Action, ...] = WORKS,
    categories: tuple[Category, ...] = SEES,
    *,
    valid_from: datetime = NOW - timedelta(days=5000),
    valid_until: datetime | None = None,
) -> Grant:
    """Returns an open grant for guidance, with an id made from what it says."""
    made = UUID(int=(member.int + list(Role).index(role) + 1) % 2**128)
    return Grant(
        id=made,
        member=member,
        role=role,
        actions=actions,
        categories=categories,
        purposes=(Purpose.GUIDANCE,),
        basis=Basis.PUBLIC_TASK,
        valid_from=valid_from,
        valid_until=valid_until,
    )


def person(number: int, school: str = "the-oak") -> Actor:
    """Returns a made-up person of that school."""
    return Actor(UUID(int=number, version=4), ActorKind.PERSON, school, "door")


def body_of(name: str, body: Mapping[str, object]) -> Request:
    """Returns a body as the wire would give it: strict, from JSON."""
    endpoint = BY_NAME[name]
    reason = {"purpose": "guidance"} if endpoint.is_query else {}
    read: Request = endpoint.body.model_validate_json(pydantic_core.to_json({**reason, **body}))
    return read


def proposal(about: UUID, member: UUID, **more: object) -> dict[str, Any]:
    """Returns the body of a goal that is in order."""
    return {
        "about": about,
        "domain": "self_reliance",
        "settings": ["home", "school"],
        "statement": "I want to put on my coat myself",
        "wording": "Puts on the coat without help before each break",
        "ladder": LADDER,
        "baseline": -1,
        "target_on": "2199-07-01",
        "responsible": [member],
        "weight": 2,
        **more,
    }


@dataclass
class OneGoalKept:
    """A goal and its progress in memory: gives snapshots, takes Changes, as the database would."""

    school: str
    about: UUID
    grants: tuple[Grant, ...]
    goal: dict[str, Any] = field(default_factory=dict)
    progress: int = 0
    latest: dict[str, Any] = field(default_factory=dict)
    suggestion: dict[str, Any] | None = None
    steps: list[dict[str, Any]] = field(default_factory=list)
    ids: Ids = field(default_factory=lambda: Ids(Random(1)))
    now: datetime = NOW
    last: Change | None = None
    settled: str | None = None

    def seen(self, version: int = 0) -> Snapshot:
        """Returns what a reader would give of this goal now, to an asker who saw `version`."""
        since = [step for step in self.steps if step["version"] > version]
        kept = {"progress": self.progress, "latest": self.latest, "suggestion": self.suggestion}
        state = {**self.goal, **kept} if self.goal else None
        view = View(self.about, 1, self.grants, fresh=True)
        return Snapshot({"goal": state, "strangers": [], "since": since}, {self.about: view}, self.now, self.now)

    def ask(self, name: str, actor: Actor, body: Mapping[str, Any]) -> Change:
        """Returns the decision, after keeping what it writes."""
        endpoint = BY_NAME[name]
        change = endpoint.decide(
            Asked(actor, self.school, body_of(name, body), self.ids), self.seen(body.get("version", 0))
        )
        for row in json.loads(pydantic_core.to_json(change.rows)):
            if row["table"] == "goal":
                known = self.goal or {"id": row["id"], "achievement": None, "version": 0}
                self.goal = {**known, **row["values"], "version": known["version"] + 1}
            elif row["table"] == "goal_step":
                step = row["values"]
                self.steps.append({"version": step["goal_version"], "status": step["status"], "fields": []})
            elif row["table"] == "progress":
                self.latest, self.progress = row["values"]["latest"], self.progress + 1
            elif row["table"] == "talk_suggestion":
                known = self.suggestion or {"version": 0}
                assert row["seen"] == known["version"]
                settled = row["values"]["settled"]
                opened = row["values"].get("opened_at", known.get("opened_at"))
                self.suggestion = {"version": row["seen"] + 1, "opened_at": opened, "open": settled is None}
                self.settled = settled
        self.now += timedelta(minutes=1)
        self.last = change
        return change


class Desk:
    """Asks goals on a real database, as the RPC border would; grants are put where the projection puts them."""

    def __init__(self, db: Database, school: str) -> None:
        self.db, self.school = db, school
        self.ids = Ids(Random(school))
        self.unit = Unit("goals", db, self.ids)
        self.child, self.other_child = self.ids.pseudonym(), self.ids.pseudonym()
        self.teacher, self.mother, self.carer, self.viewer, self.stranger = (
            person(number, school) for number in range(11, 16)
        )

    async def settle(self) -> None:
        """Gives both children their people; the viewer sees goals and no observations, the stranger nothing."""
        for child in (self.child, self.other_child):
            await self.give(
                child,
                grant(self.teacher.id, Role.TEACHER),
                grant(self.mother.id, Role.GUARDIAN),
                grant(self.carer.id, Role.CARE_PROFESSIONAL, (Action.SCORE, Action.VIEW)),
                grant(self.viewer.id, Role.SUPPORT_COMMITTEE, (Action.VIEW,), (Category.GOALS,)),
            )

    async def goal(self, status: str = "active", about: UUID | None = None, **more: object) -> UUID:
        """Returns a new goal that has got as far as `status`."""
        body = proposal(about or self.child, self.mother.id, **more)
        made = await self.ask("propose-goal", self.mother, **body)
        for version, step in enumerate({"proposed": (), "accepted": ("accept",)}.get(status, ("accept", "activate"))):
            await self.ask(f"{step}-goal", self.teacher, goal=made["goal"], version=version + 1)
        return UUID(made["goal"])

    async def score(
        self, goal: UUID, who: Actor, level: int, day: str = "2026-03-01", key: str | None = None, **more: object
    ) -> UUID:
        """Returns the score that `who` gave from the own setting."""
        setting = {self.teacher: "school", self.mother: "home", self.carer: "care"}[who]
        body = {"goal": goal, "level": level, "setting": setting, "observed_on": day, **more}
        return UUID((await self.ask("score-goal", who, key, **body))["scores"][0])

    async def give(self, about: UUID, *grants: Grant, school: str | None = None) -> None:
        """Makes these the subject's grants, one revision further."""
        async with self.db.school(school or self.school) as conn:
            await conn.execute(
                "INSERT INTO access (school, id, version, grants, epoch, seq) VALUES ($1, $2, 1, $3, 1, 1) "
                "ON CONFLICT (school, id) DO UPDATE SET version = access.version + 1, grants = excluded.grants",
                school or self.school,
                about,
                by_member(grants),
            )

    async def ask(self, name: str, actor: Actor, key: str | None = None, /, **body: object) -> dict[str, Any]:
        """Returns the answer; with `key`, asked as a command that may be a retry."""
        async with self.db.school(actor.school) as conn:
            await conn.execute(
                "INSERT INTO access_lease SELECT $1, clock_timestamp(), generation_now(), 0, 0 ON CONFLICT DO NOTHING",
                actor.school,
            )
        read = body_of(name, body)
        stands_for = Key(key, read.model_dump_json()) if key else None
        answer: dict[str, Any] = await self.unit.run(
            BY_NAME[name], Asked(actor, actor.school, read, self.ids), stands_for
        )
        return answer

    async def told(self, school: str | None = None) -> list[dict[str, Any]]:
        """Returns the school's journal as events, oldest first."""
        async with self.db.school(school or self.school) as conn:
            rows = await conn.fetch("SELECT event FROM journal ORDER BY seq")
        return [json.loads(row[0]) for row in rows]

    async def names(self) -> list[str]:
        """Returns the names of the school's events, oldest first."""
        return [event["type"].removeprefix("nl.samenkracht.goals.").removesuffix(".v1") for event in await self.told()]

    async def rows(self, sql: str, *args: object) -> list[dict[str, Any]]:
        """Returns rows of this school."""
        async with self.db.school(self.school) as conn:
            return [dict(row) for row in await conn.fetch(sql, *args)]
