"""Agreement of each holder to each goal and action, disagreement and what is tried then, and having seen. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, TypeVar
from uuid import UUID, uuid5

from pydantic import Field

from services.goals.life import Paragraph
from services.goals.plan import Answer, not_now
from services.goals.plan_store import PlanState, as_holder, permit_on
from services.goals.planning import OnPlan, as_seen, moved
from services.goals.writing import MOST, invalid
from shared.access import Permit
from shared.errors import Problem, ProblemType
from shared.events.base import Fact
from shared.events.plans import AgreementGiven, AgreementRefused, PlanAcknowledged, PlanAgreed, Remedy, RemedyTaken
from shared.events.words import Action, Basis
from shared.unit import Asked, Change, Row, Snapshot

Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class AnswerPlan(OnPlan):
    """An answer to these goals and actions (none named: all) of the version with this hash."""

    hash: Hash
    items: Annotated[tuple[UUID, ...], Field(max_length=2 * MOST)] = ()


A = TypeVar("A", bound=AnswerPlan)


class AgreePlan(AnswerPlan):
    """A holder agrees."""


class DisagreePlan(AnswerPlan):
    """A holder does not agree, and says why: the school and that holder read it, others see only that it is so."""

    reason: Paragraph


class TakeRemedy(OnPlan):
    """What was tried to come out of a disagreement, and what came of it."""

    disagreement: UUID
    remedy: Remedy
    note: Paragraph


class AcknowledgePlan(OnPlan):
    """The member has seen this version."""

    hash: Hash


def decide_agree(asked: Asked[AgreePlan], seen: Snapshot) -> Change:
    """Records a holder's yes, bound to the hashes of the text; the plan's status follows from all answers."""
    permit = as_holder(asked, seen)
    plan, items = _answered(asked, seen, "agree-plan")
    fact = AgreementGiven(
        plan=plan.id,
        number=plan.number,
        hash=plan.hash,
        holder=asked.actor.id,
        capacity=permit.act.basis or Basis.AUTHORITY,
        items=items,
    )
    return _answer(asked, seen, permit, plan, items, fact, None)


def decide_disagree(asked: Asked[DisagreePlan], seen: Snapshot) -> Change:
    """Records a holder's no with its reason. A conversation is the first step; a change or a yes ends it."""
    permit = as_holder(asked, seen)
    plan, items = _answered(asked, seen, "disagree-plan")
    made = asked.ids.time_ordered(seen.now)
    values = {
        "about": plan.about,
        "plan": plan.id,
        "number": plan.number,
        "holder": asked.actor.id,
        "reason": asked.body.reason,
        "noted_at": seen.now,
    }
    fact = AgreementRefused(
        plan=plan.id,
        number=plan.number,
        hash=plan.hash,
        holder=asked.actor.id,
        capacity=permit.act.basis or Basis.AUTHORITY,
        items=items,
        disagreement=made,
    )
    change = _answer(asked, seen, permit, plan, items, fact, made)
    return replace(
        change,
        rows=(*change.rows, Row("disagreement", made, 0, values)),
        reply={**change.reply, "disagreement": str(made), "next": [one.value for one in Remedy]},
    )


def _answered(asked: Asked[A], seen: Snapshot, command: str) -> tuple[PlanState, tuple[UUID, ...]]:
    plan = as_seen(asked, seen, command)
    _check_hash(asked.body.hash, plan)
    if not plan.asks:
        raise not_now(plan.status, "this version is in force: nothing in it asks for an answer")
    known = tuple(item.id for item in plan.text.items)
    if set(asked.body.items) - set(known):
        raise invalid("not a goal or action of this plan: see which there are", "items")
    return plan, tuple(one for one in known if one in asked.body.items) or known


def _check_hash(given: str, plan: PlanState) -> None:
    if given != plan.hash:
        detail = "the hash is not of this version's text: read the plan again, and answer what it says"
        raise Problem(ProblemType.CONFLICT, detail, field="hash", hash=plan.hash)


def _answer(  # the parts of one answer
    asked: Asked[A],
    seen: Snapshot,
    permit: Permit,
    plan: PlanState,
    items: tuple[UUID, ...],
    fact: AgreementGiven | AgreementRefused,
    disagreement: UUID | None,
) -> Change:
    marks = {item.id: item.hash for item in plan.text.items}
    agreed = disagreement is None
    rows = [_row(asked, seen, plan, fact, item, disagreement) for item in items]
    mine = {(fact.holder, item) for item in items}
    kept = tuple(one for one in plan.answers if (one.holder, one.item) not in mine)
    said = tuple(Answer(fact.holder, item, marks[item], agreed) for item in items)
    status = replace(plan, answers=(*kept, *said)).settled()
    facts: tuple[Fact, ...] = (fact,)
    if status is not plan.status:
        facts = (
            fact,
            PlanAgreed(plan=plan.id, number=plan.number, previous=plan.status, status=status, hash=plan.hash),
        )
        rows.append(plan.step(asked, seen, status, None))
    return moved(permit, plan, facts, [plan.row(status=status), *rows], status)


def _row(  # what one answer to one item is bound to
    asked: Asked[A],
    seen: Snapshot,
    plan: PlanState,
    fact: AgreementGiven | AgreementRefused,
    item: UUID,
    disagreement: UUID | None,
) -> Row:
    values = {
        "about": plan.about,
        "plan": plan.id,
        "number": plan.number,
        "hash": plan.hash,
        "item": item,
        "item_hash": next(one.hash for one in plan.text.items if one.id == item),
        "holder": fact.holder,
        "capacity": fact.capacity,
        "agreed": disagreement is None,
        "disagreement": disagreement,
        "answered_at": seen.now,
    }
    return Row("plan_answer", asked.ids.time_ordered(seen.now), 0, values)


def decide_remedy(asked: Asked[TakeRemedy], seen: Snapshot) -> Change:
    """Records what was tried; any of the three, as often as it helps."""
    permit = permit_on(asked, seen, Action.DECIDE)
    plan = as_seen(asked, seen, "take-remedy")
    body = asked.body
    if seen.state["disagreement"] is None:
        raise invalid("not a disagreement about this plan: see the plan for those there are", "disagreement")
    values = {
        "about": plan.about,
        "disagreement": body.disagreement,
        "remedy": body.remedy,
        "note": body.note,
        "taken_by": asked.actor.id,
        "taken_at": seen.now,
    }
    rows = [Row("disagreement_remedy", asked.ids.time_ordered(seen.now), 0, values)]
    fact = RemedyTaken(plan=plan.id, number=plan.number, disagreement=body.disagreement, remedy=body.remedy)
    return moved(permit, plan, (fact,), rows, plan.status, disagreement=str(body.disagreement))


def decide_acknowledge(asked: Asked[AcknowledgePlan], seen: Snapshot) -> Change:
    """Records that a member has seen this version: it says nothing about agreement."""
    permit = permit_on(asked, seen, Action.VIEW)
    plan = as_seen(asked, seen, "acknowledge-plan")
    _check_hash(asked.body.hash, plan)
    if seen.state["acknowledged"]:
        raise Problem(ProblemType.CONFLICT, "you have said already that you saw this version: nothing is left to say")
    values = {
        "about": plan.about,
        "plan": plan.id,
        "number": plan.number,
        "hash": plan.hash,
        "member": asked.actor.id,
        "seen_at": seen.now,
    }
    made = uuid5(plan.id, f"seen:{plan.number}:{asked.actor.id}")
    fact = PlanAcknowledged(plan=plan.id, number=plan.number, hash=plan.hash)
    return moved(permit, plan, (fact,), [Row("plan_seen", made, 0, values)], plan.status)
