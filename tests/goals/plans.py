"""What the tests of plans ask with: divorced parents and a school's people at one table, on a real database."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from shared.actor import Actor
from shared.errors import Problem
from shared.events.network import Grant
from shared.events.words import Action, Basis, Category, Purpose, Role, school_subject
from tests.goals.support import Desk, person

Json = dict[str, Any]

TAKES_PART = (Action.VIEW, Action.PROPOSE, Action.ANSWER, Action.SCORE, Action.DECIDE, Action.RECEIVE)
CONTENT = (Category.GOALS, Category.OBSERVATIONS, Category.PLAN, Category.CONVERSATIONS)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def grant(
    member: UUID,
    role: Role,
    basis: Basis,
    actions: tuple[Action, ...] = TAKES_PART,
    categories: tuple[Category, ...] = CONTENT,
    valid_from: datetime = LONG_AGO,
) -> Grant:
    """Returns an open grant for guidance, as network's policy makes them."""
    return Grant(
        id=UUID(int=(member.int ^ hash((role.value, basis.value))) % 2**128),
        member=member,
        role=role,
        actions=actions,
        categories=categories,
        purposes=(Purpose.GUIDANCE,),
        basis=basis,
        valid_from=valid_from,
    )


class Table:
    """The people round one child: two parents with authority, one without, a teacher, a coordinator, a carer."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.child, self.school = desk, desk.child, school_subject(desk.school)
        self.teacher, self.mum = desk.teacher, desk.mother
        self.dad, self.stepdad, self.coordinator, self.carer, self.young, self.lead = (
            person(number, desk.school) for number in range(21, 27)
        )

    @property
    def usual(self) -> tuple[Grant, ...]:
        """The grants that both parents with authority and the school's team give."""
        return (
            *(grant(one.id, Role.GUARDIAN, Basis.AUTHORITY) for one in (self.mum, self.dad)),
            grant(self.stepdad.id, Role.GUARDIAN, Basis.LEGAL_DUTY, (Action.VIEW,), (Category.GOALS, Category.PLAN)),
            grant(self.teacher.id, Role.TEACHER, Basis.PUBLIC_TASK),
            grant(self.coordinator.id, Role.COORDINATOR, Basis.PUBLIC_TASK),
            grant(self.carer.id, Role.CARE_PROFESSIONAL, Basis.CONSENT, (Action.VIEW, Action.ANSWER, Action.SCORE)),
        )

    async def sit(self) -> Table:
        """Gives everyone their grants, and the school's own lead."""
        await self.desk.give(self.child, *self.usual)
        await self.desk.give(self.school, grant(self.lead.id, Role.EXPERT_TEAM, Basis.PUBLIC_TASK))
        return self

    async def ask(self, who: Actor, name: str, key: str | None = None, /, **body: object) -> Json:
        """Returns the answer."""
        return await self.desk.ask(name, who, key, **body)

    async def refused(self, who: Actor, name: str, /, **body: object) -> Problem:
        """Returns what was said against it."""
        try:
            found = await self.desk.ask(name, who, **body)
        except Problem as problem:
            return problem
        msg = f"{name} went through: {found}"
        raise AssertionError(msg)

    def action(self, what: str = "reads aloud each evening", **more: object) -> Json:
        """Returns an action as it is written."""
        return {"what": what, "who": [self.mum.id], "where": ["home"], "until": self.day(60), **more}

    def day(self, days: int) -> str:
        """Returns the day so many days from now, as the Netherlands count."""
        return (datetime.now(UTC) + timedelta(days=days, hours=1)).date().isoformat()

    async def goal(self) -> UUID:
        """Returns a goal that work goes on with."""
        return await self.desk.goal(about=self.child)

    async def draft(self, *actions: Mapping[str, Any], goals: tuple[UUID, ...] = (), **more: object) -> Json:
        """Returns a draft with these actions (none given: one)."""
        body = {"about": self.child, "outlook": "on to secondary school", "goals": goals, **more}
        return await self.ask(self.teacher, "draft-plan", actions=list(actions) or [self.action()], **body)

    async def consulted(self, *actions: Mapping[str, Any], goals: tuple[UUID, ...] = ()) -> Json:
        """Returns a plan that is talked over."""
        made = await self.draft(*actions, goals=goals)
        await self.heard(made, "drafting")
        return await self.ask(self.coordinator, "consult-plan", plan=made["plan"], number=1)

    async def heard(self, plan: Json, moment: str, **more: object) -> Json:
        """Records what the child said; `more` replaces that."""
        said = {"channel": "drawing", "words": "I want to read to the cat", "influence": "the cat listens", **more}
        body = {name: value for name, value in said.items() if value is not None}
        return await self.ask(
            self.teacher, "record-voice", plan=plan["plan"], number=plan["number"], moment=moment, **body
        )

    async def in_force(self, *actions: Mapping[str, Any]) -> Json:
        """Returns a plan that both parents agreed to and that is in force."""
        plan = await self.consulted(*actions)
        for who in (self.mum, self.dad):
            await self.agree(who, plan)
        return await self.ask(self.coordinator, "put-plan-in-force", plan=plan["plan"], number=1)

    async def evaluated(self, plan: Json, **more: object) -> Json:
        """Returns the plan once it was evaluated with the child and its mother."""
        await self.heard(plan, "evaluating", channel=None, words=None, influence=None, not_heard_because="was ill")
        return await self.evaluate(plan, **more)

    async def evaluate(self, plan: Json, **more: object) -> Json:
        """Returns the reply to the end of an evaluation."""
        body = {"held_on": self.day(0), "findings": "it went well", "attended": [self.mum.id], **more}
        return await self.ask(self.coordinator, "evaluate-plan", plan=plan["plan"], number=plan["number"], **body)

    async def agree(self, who: Actor, plan: Json, *items: str) -> Json:
        """Returns the reply to a yes of `who`."""
        known = {name: plan[name] for name in ("plan", "number", "hash")}
        return await self.ask(who, "agree-plan", **known, items=items)

    async def disagree(self, who: Actor, plan: Json, *items: str, reason: str = "it is too much") -> Json:
        """Returns the reply to a no of `who`."""
        known = {name: plan[name] for name in ("plan", "number", "hash")}
        return await self.ask(who, "disagree-plan", **known, items=items, reason=reason)

    async def shown(self, plan: Json, who: Actor | None = None, number: int | None = None) -> Json:
        """Returns the plan as somebody sees it."""
        return await self.ask(who or self.teacher, "plan", plan=plan["plan"], number=number)

    async def items(self, plan: Json) -> list[Json]:
        """Returns the items of the newest text."""
        found: list[Json] = (await self.shown(plan))["text"]["items"]
        return found

    async def written(self, plan: Json) -> Json:
        """Returns the newest text as a revision would write it unchanged."""
        text = (await self.shown(plan))["text"]
        actions = [{"action": one["item"], **one["text"]} for one in text["items"] if one["kind"] == "action"]
        goals = [one["item"] for one in text["items"] if one["kind"] == "goal"]
        return {
            "plan": plan["plan"],
            "number": text["number"],
            "outlook": text["outlook"],
            "goals": goals,
            "actions": actions,
        }

    async def policy(self, rule: str, number: int = 1) -> None:
        """Sets how the school decides on plans, as network's events would."""
        async with self.desk.db.school(self.desk.school) as conn:
            await conn.execute(
                "INSERT INTO plan_policy VALUES ($1, $2, $3, $4, $5, $6)",
                self.desk.school,
                self.desk.ids.time_ordered(LONG_AGO),
                self.school,
                number,
                rule,
                LONG_AGO,
            )


async def as_owner(dsn: str, school: str, sql: str, *args: object) -> None:
    """Runs SQL past the service, as somebody with the database in hand could."""
    owner = await asyncpg.connect(dsn)
    try:
        await owner.execute(f"SET app.school = '{school}'")
        await owner.execute(sql, *args)
    finally:
        await owner.close()
