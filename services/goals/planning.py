"""A plan is drafted, changed, brought into consultation, put in force and closed. Bodies and pure decisions."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from services.goals.clocks import Clocks
from services.goals.life import Paragraph
from services.goals.model import today
from services.goals.plan import ALLOWED, Kind, PlanText, Standing, differences, not_now, refusal
from services.goals.plan_store import Deciders, PlanState, as_school, permit_on, text_row
from services.goals.voice_rules import missing_voice
from services.goals.writing import Writing, written
from shared.access import Permit
from shared.errors import Problem, ProblemType
from shared.events.base import Fact, NewEvent
from shared.events.plans import PlanClosed, PlanConsulted, PlanDrafted, PlanEnforced, PlanRevised, PlanStatus
from shared.events.words import Action
from shared.unit import Asked, Change, Request, Row, Snapshot, stale

Number = Annotated[int, Field(ge=1, lt=2**31)]


class DraftPlan(Writing):
    """Version 1 of a plan for a child, or of a school's own approach."""

    about: UUID


class OnPlan(Request):
    """What is done to a plan, having seen this version of its text."""

    plan: UUID
    number: Number


class RevisePlan(Writing, OnPlan):
    """The whole text anew; what stays as it is keeps its agreements."""

    why: Paragraph | None = None


class MovePlan(OnPlan):
    """A step in a plan's life."""


class ClosePlan(OnPlan):
    """The end of a plan, with the reason."""

    reason: Paragraph


def as_seen(asked: Asked[Any], seen: Snapshot, command: str) -> PlanState:
    """Returns the plan if the asker saw its newest text and it allows the command; raises Problem."""
    plan = PlanState.read(asked, seen)
    number = asked.body.number
    if plan.number != number:
        saw = seen.state["seen"]
        changed = differences(PlanText.read(saw), plan.text) if saw else ()
        raise stale(
            number, plan.number, status=plan.status.value, changes=[one.to_json(words=False) for one in changed]
        )
    if plan.status not in ALLOWED[command]:
        raise refusal(plan.status, command)
    return plan


def decide_draft(asked: Asked[DraftPlan], seen: Snapshot) -> Change:
    """Writes version 1 of a plan."""
    permit = permit_on(asked, seen, Action.PROPOSE)
    plan, about = asked.ids.time_ordered(seen.now), permit.subject
    deciders = Deciders.read(seen.state["deciders"], about, asked.school, seen)
    text = written(asked, seen, deciders, None)
    values = {
        "about": about,
        "status": PlanStatus.DRAFT,
        "number": 1,
        "force_number": None,
        "drafted_by": asked.actor.id,
        "drafted_at": seen.now,
    }
    fact = PlanDrafted(
        plan=plan, number=1, hash=text.hash(plan), goals=text.ids(Kind.GOAL), actions=text.ids(Kind.ACTION)
    )
    return Change(
        permits=(permit,),
        events=(NewEvent(fact, about=about, act=permit.act, thing=plan),),
        rows=(Row("plan", plan, 0, values), text_row(plan, about, text, asked, seen, None)),
        reply={"plan": str(plan), "number": 1, "hash": text.hash(plan), "status": PlanStatus.DRAFT.value},
    )


def decide_revise(asked: Asked[RevisePlan], seen: Snapshot) -> Change:
    """Writes the next version; only what differs is asked to be agreed to anew."""
    permit = permit_on(asked, seen, Action.PROPOSE)
    plan = as_seen(asked, seen, "revise-plan")
    text = written(asked, seen, plan.deciders, plan.text)
    found = differences(plan.text, text)
    if not found:
        raise Problem(ProblemType.CONFLICT, "this is the text as it stands: change something, or leave it", same=True)
    revised = PlanState(
        plan.id, plan.about, plan.version, plan.status, plan.force_number, text, plan.answers, plan.deciders
    )
    kinds = {kind: tuple(one.item for one in found if one.change == kind and one.item) for kind in CHANGES}
    asks = plan.status is not PlanStatus.DRAFT
    fact = PlanRevised(
        plan=plan.id,
        number=text.number,
        previous=plan.number,
        hash=revised.hash,
        status=revised.settled(),
        concerns=tuple(sorted(revised.waits_for())) if asks else (),
        **kinds,
    )
    status = revised.settled()
    rows = [
        revised.row(number=text.number, status=status),
        text_row(plan.id, plan.about, text, asked, seen, asked.body.why),
    ]
    return moved(permit, revised, (fact,), rows, status)


CHANGES = ("added", "changed", "removed")


def decide_consult(asked: Asked[MovePlan], seen: Snapshot) -> Change:
    """Asks all who must agree: the plan is talked over with them."""
    permit = as_school(asked, seen)
    plan = as_seen(asked, seen, "consult-plan")
    if not plan.text.items:
        raise not_now(plan.status, "there is nothing in it to agree to: add a goal or an action")
    status = PlanStatus.IN_CONSULTATION
    fact = PlanConsulted(
        plan=plan.id,
        number=plan.number,
        previous=plan.status,
        status=status,
        hash=plan.hash,
        concerns=tuple(sorted(plan.deciders.holders)) if not plan.deciders.own else (),
    )
    rows = [plan.row(status=status), plan.step(asked, seen, status, None)]
    return moved(permit, plan, (fact,), rows, status)


def decide_enforce(asked: Asked[MovePlan], seen: Snapshot) -> Change:
    """Puts the newest version in force, if all who must have agreed by the school's policy, to every item."""
    permit = as_school(asked, seen)
    plan = as_seen(asked, seen, "put-plan-in-force")
    may_enforce(plan)
    if missing := missing_voice(plan, seen.state["voices"]):
        raise not_now(plan.status, missing)
    if (other := seen.state["other"]) is not None:
        raise not_now(plan.status, "another plan is in force: evaluate and close that one first", other=other)
    rule, clocks = plan.deciders.rule, Clocks.read(plan.about, plan.id, seen.state)
    ended = frozenset(map(UUID, seen.state["ended"]))
    fact = PlanEnforced(
        plan=plan.id,
        number=plan.number,
        previous=plan.status,
        status=PlanStatus.IN_FORCE,
        hash=plan.hash,
        rule=rule.rule.value,
        policy=rule.number,
    )
    rows = [
        plan.row(status=PlanStatus.IN_FORCE, force_number=plan.number),
        plan.step(asked, seen, PlanStatus.IN_FORCE, None),
        *clocks.at_force(plan.text, ended, today(seen.now), first=plan.force_number is None),
    ]
    return moved(permit, plan, (fact,), rows, PlanStatus.IN_FORCE)


def may_enforce(plan: PlanState) -> None:
    """Raises Problem when the newest version can't come into force."""
    if not plan.asks:
        raise not_now(plan.status, "this version is in force already")
    if not plan.text.items:
        raise not_now(plan.status, "there is nothing in it: add a goal or an action")
    if not plan.deciders.own and not plan.deciders.holders:
        raise not_now(plan.status, "nobody is on record who may agree to it: have authority recorded first")
    waits = [str(item) for item, how in plan.standings().items() if how is not Standing.AGREED]
    if waits:
        raise not_now(
            plan.status,
            f"{len(waits)} of its goals and actions are not agreed to by all who must",
            items=waits,
            members=[str(one) for one in sorted(plan.waits_for())],
        )


def decide_close(asked: Asked[ClosePlan], seen: Snapshot) -> Change:
    """Ends a plan: one that never came into force, or one that was evaluated."""
    permit = as_school(asked, seen)
    plan = as_seen(asked, seen, "close-plan")
    fact = PlanClosed(plan=plan.id, number=plan.number, previous=plan.status, status=PlanStatus.CLOSED)
    rows = [
        plan.row(status=PlanStatus.CLOSED),
        plan.step(asked, seen, PlanStatus.CLOSED, asked.body.reason),
        *Clocks.read(plan.about, plan.id, seen.state).at_close(),
    ]
    return moved(permit, plan, (fact,), rows, PlanStatus.CLOSED)


def moved(
    permit: Permit, plan: PlanState, facts: tuple[Fact, ...], rows: list[Row], status: PlanStatus, **more: str
) -> Change:
    """Returns the Change of a command on a plan."""
    return Change(
        permits=(permit,),
        events=tuple(NewEvent(fact, about=plan.about, act=permit.act, thing=plan.id) for fact in facts),
        rows=tuple(rows),
        reply={"plan": str(plan.id), "number": plan.number, "hash": plan.hash, "status": status.value, **more},
    )
