"""A plan's snapshot as the model's types, and the rows of what becomes of it: what 0003_plan.sql holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from services.goals.plan import HOLDS, Answer, PlanText, Rule, Standing, holders, standing, status_of
from shared.access import Permit
from shared.clock import Ids
from shared.db import Connection
from shared.events.network import DisputeNoted, DisputeSettled, Grant, PolicyRule, PolicySet
from shared.events.plans import PlanStatus
from shared.events.words import Action, Basis, Category, school_subject
from shared.unit import Asked, Row, Snapshot

_GRANTS = TypeAdapter(tuple[Grant, ...])

KEEP_POLICY = """
INSERT INTO plan_policy (school, id, about, number, rule, starts_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT ON CONSTRAINT plan_policy_pk DO NOTHING
"""
KEEP_DISPUTE = """
INSERT INTO plan_dispute (school, id, about, starts_at) VALUES ($1, $2, $3, $4)
ON CONFLICT ON CONSTRAINT plan_dispute_pk DO NOTHING
"""
END_DISPUTE = "UPDATE plan_dispute SET ends_at = $3 WHERE school = $1 AND id = $2"


@dataclass(frozen=True, slots=True)
class Deciders:
    """Who must agree about a subject now, and by which rule. `own`: it is the school's own approach; nobody must."""

    grants: tuple[Grant, ...]
    holders: frozenset[UUID]
    rule: Rule
    own: bool

    @classmethod
    def read(cls, raw: Mapping[str, Any], about: UUID, school: str, seen: Snapshot) -> Deciders:
        """Returns what the SQL function `plan_deciders` gave."""
        grants = _GRANTS.validate_python(raw["grants"])
        return cls(grants, holders(grants, seen.clock), _rule(raw, seen.now), about == school_subject(school))


def _rule(raw: Mapping[str, Any], now: datetime) -> Rule:
    """Returns the school's rule at `now`; a dispute among the holders about plans suspends it: then all must agree."""
    begun = [one for one in raw["policies"] if datetime.fromisoformat(one["starts_at"]) <= now]
    last = max(begun, key=lambda one: (datetime.fromisoformat(one["starts_at"]), one["number"]), default=None)
    disputed = any(one["ends_at"] is None for one in raw["disputes"])
    if last is None or disputed:
        return Rule(PolicyRule.ALL_HOLDERS, 0 if last is None else last["number"])
    return Rule(PolicyRule(last["rule"]), last["number"])


@dataclass(frozen=True, slots=True)
class PlanState:
    """What a command has to know of a plan. `version` is the row's, `number` the newest text's."""

    id: UUID
    about: UUID
    version: int
    status: PlanStatus
    force_number: int | None
    text: PlanText
    answers: tuple[Answer, ...]
    deciders: Deciders

    @classmethod
    def read(cls, asked: Asked[Any], seen: Snapshot) -> PlanState:
        """Returns what the reader `read_plan_state` gave."""
        raw, state = seen.state["plan"], seen.state
        about = UUID(raw["about"])
        answers = tuple(
            Answer(UUID(one["holder"]), UUID(one["item"]), one["item_hash"], one["agreed"]) for one in state["answers"]
        )
        return cls(
            UUID(raw["id"]),
            about,
            raw["version"],
            PlanStatus(raw["status"]),
            raw["force_number"],
            PlanText.read(state["text"]),
            answers,
            Deciders.read(state["deciders"], about, asked.school, seen),
        )

    @property
    def number(self) -> int:
        """The newest version of the text."""
        return self.text.number

    @property
    def hash(self) -> str:
        """The SHA-256 of the newest action part."""
        return self.text.hash(self.id)

    @property
    def asks(self) -> bool:
        """Tells whether there is something to agree to that is not in force yet."""
        return self.force_number != self.number

    def standings(self) -> dict[UUID, Standing]:
        """Returns how each item stands; of a school's own approach all are settled."""
        if self.deciders.own:
            return {item.id: Standing.AGREED for item in self.text.items}
        decides, rule = self.deciders.holders, self.deciders.rule.rule
        return {item.id: standing(item, self.answers, decides, rule) for item in self.text.items}

    def settled(self) -> PlanStatus:
        """Returns the status that the answers give; one that is no matter of answers stays."""
        if self.status in {PlanStatus.DRAFT, PlanStatus.IN_FORCE, PlanStatus.EVALUATED, PlanStatus.CLOSED}:
            return self.status
        if self.deciders.own:
            return PlanStatus.IN_CONSULTATION
        return status_of(list(self.standings().values()))

    def waits_for(self) -> frozenset[UUID]:
        """Returns the holders who have not said yes to every item that still asks for it."""
        if self.deciders.own:
            return frozenset()
        marks = {item.id: item.hash for item in self.text.items}
        said = {(one.holder, one.item) for one in self.answers if one.agreed and marks.get(one.item) == one.item_hash}
        asks = {item for item, how in self.standings().items() if how is not Standing.AGREED}
        return frozenset(one for one in self.deciders.holders if any((one, item) not in said for item in asks))

    def row(self, **values: object) -> Row:
        """Returns the write of the plan's row: whoever else saw the same row decides again."""
        return Row("plan", self.id, self.version, values)

    def step(self, asked: Asked[Any], seen: Snapshot, status: PlanStatus, reason: str | None) -> Row:
        """Returns the row that says who took the plan to this status, and why."""
        values = {
            "about": self.about,
            "plan": self.id,
            "number": self.number,
            "status": status,
            "reason": reason,
            "taken_by": asked.actor.id,
            "taken_at": seen.now,
        }
        return Row("plan_step", asked.ids.time_ordered(seen.now), 0, values)


def text_row(plan: UUID, about: UUID, text: PlanText, asked: Asked[Any], seen: Snapshot, why: str | None) -> Row:
    """Returns the row of a new version of a plan's text."""
    values = {
        "about": about,
        "plan": plan,
        "number": text.number,
        "outlook": text.outlook,
        "items": [item.to_json() for item in text.items],
        "salt": text.salt,
        "hash": text.hash(plan),
        "why": why,
        "written_by": asked.actor.id,
        "written_at": seen.now,
    }
    return Row("plan_text", asked.ids.time_ordered(seen.now), 0, values)


def new_salt(ids: Ids) -> str:
    """Returns a random salt of 122 bits, in hex."""
    return ids.pseudonym().hex


def permit_on(
    asked: Asked[Any], seen: Snapshot, action: Action, bases: frozenset[Basis] | None = None, *, without: bool = False
) -> Permit:
    """Returns the permit for `action` on a plan, on a grant with one of these bases (`without`: with another one).

    Somebody may be here in two ways (a teacher whose own child this is). Who must agree is read beside the asker's own
    grants: the permit holds at the revision that both were read at, or the commit refuses it and all is read again.
    """
    subject = next(iter(seen.views), UUID(int=0))
    view = seen.views.get(subject)
    if view is not None and bases is not None:
        fitting = tuple(grant for grant in view.grants if (grant.basis in bases) is not without)
        seen = replace(seen, views={**seen.views, subject: replace(view, grants=fitting)})
    permit = seen.require(asked, action, Category.PLAN)
    revision = seen.state["deciders"]["revision"]
    return permit if revision is None else replace(permit, revision=revision)


def as_school(asked: Asked[Any], seen: Snapshot, action: Action = Action.DECIDE) -> Permit:
    """Returns the permit of somebody who decides by task, not as a holder."""
    return permit_on(asked, seen, action, HOLDS, without=True)


def as_holder(asked: Asked[Any], seen: Snapshot) -> Permit:
    """Returns the permit of somebody who decides by authority, or for oneself."""
    return permit_on(asked, seen, Action.DECIDE, HOLDS)


# What network tells --------------------------------------------------------------------------------------------------


async def keep_policy(conn: Connection, school: str, about: UUID, policy: PolicySet) -> None:
    """Keeps a version of the school's policy on plans."""
    values = (policy.policy, about, policy.number, policy.rule.value, policy.starts_at)
    await conn.execute(KEEP_POLICY, school, *values)


async def keep_dispute(conn: Connection, school: str, about: UUID, dispute: DisputeNoted) -> None:
    """Keeps that holders dispute plans: while they do, the school's policy gives way to everyone's yes."""
    await conn.execute(KEEP_DISPUTE, school, dispute.dispute, about, dispute.starts_at)


async def end_dispute(conn: Connection, school: str, settled: DisputeSettled) -> None:
    """Notes that a dispute is over."""
    await conn.execute(END_DISPUTE, school, settled.dispute, settled.ends_at)
