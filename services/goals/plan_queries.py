"""What people see of plans: which there are, one with all that was said, what differs, which agreements verify."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from services.goals.parties import is_party
from services.goals.plan import PlanText, allowed_from, differences
from services.goals.plan_store import PlanState
from services.goals.planning import Number
from services.goals.writing import invalid
from shared.access import Denial, Permit
from shared.events.base import NewEvent, Viewed
from shared.events.words import Action, Category
from shared.unit import Asked, Change, Query, Snapshot


class PlansOfChild(Query):
    """A child's (or the school's own) plans, newest first, at most 50."""

    about: UUID


class OnePlan(Query):
    """One plan with a version of its text (`number` None: the newest), its answers and its steps."""

    plan: UUID
    number: Number | None = None


class PlanChanges(Query):
    """What differs between two versions of one plan."""

    plan: UUID
    before: Annotated[int, Field(ge=1, lt=2**31)]
    after: Annotated[int, Field(ge=1, lt=2**31)]


class Agreements(Query):
    """The answers given to a plan (the newest 1000), each held against the exact text that it names."""

    plan: UUID


class Deadlines(Query):
    """What must be done by when about a child's plan, its first, its evaluation and its actions."""

    about: UUID


def decide_deadlines(asked: Asked[Deadlines], seen: Snapshot) -> Change:
    """Answers the deadlines that still stand, those that passed first."""
    permit = seen.require(asked, Action.VIEW, Category.PLAN)
    found = seen.state["deadlines"]
    return answered((permit,), "deadlines", len(found), {"about": str(asked.body.about), "deadlines": found})


def decide_plans(asked: Asked[PlansOfChild], seen: Snapshot) -> Change:
    """Answers which plans there are."""
    permit = seen.require(asked, Action.VIEW, Category.PLAN)
    found = seen.state["plans"]
    return answered((permit,), "plans-of-child", len(found), {"about": str(asked.body.about), "plans": found})


def decide_plan(asked: Asked[OnePlan], seen: Snapshot) -> Change:
    """Answers one plan. A reason for disagreeing is read by its holder and by the school, never by another holder.

    Who may not see conversations (a parent without authority) gets the plan, and not what people said of it.
    """
    permit = seen.require(asked, Action.VIEW, Category.PLAN)
    talks = also(asked, seen, Action.VIEW, Category.CONVERSATIONS)
    plan, state = PlanState.read(asked, seen), seen.state
    text = state["text"] if asked.body.number is None else state["seen"]
    if text is None:
        raise invalid(f"there is no such version: the newest is {plan.number}", "number")
    result: dict[str, Any] = {
        "plan": state["plan"],
        "text": text,
        "standings": {str(item): how.value for item, how in plan.standings().items()},
        "waits_for": [str(one) for one in sorted(plan.waits_for())],
        "rule": {"rule": plan.deciders.rule.rule.value, "policy": plan.deciders.rule.number},
        "allowed": list(allowed_from(plan.status)),
        "said_shown": talks is not None,
    }
    if talks is not None:
        party = is_party(seen, permit.subject)
        result |= {
            "answers": state["answers"],
            "seen_by": state["seen_by"],
            "steps": state["steps"],
            "voices": state["voices"],
            "evaluations": state["evaluations"],
            "ends": state["ends"],
            "disagreements": [_readable(one, asked.actor.id, whole=not party) for one in state["disagreements"]],
        }
    return answered((permit, talks) if talks else (permit,), "plan", 1, result, plan.id)


def _readable(one: dict[str, Any], reader: UUID, *, whole: bool) -> dict[str, Any]:
    if whole or one["holder"] == str(reader):
        return one
    return {**one, "reason": None, "remedies": [{**each, "note": None} for each in one["remedies"]]}


def also(asked: Asked[Any], seen: Snapshot, action: Action, category: Category) -> Permit | None:
    """Returns the permit for what an answer holds beside what was asked, or None."""
    try:
        return seen.require(asked, action, category)
    except Denial:
        return None  # not refused, as nobody asked for it by name: the answer just holds none, and says so


def decide_changes(asked: Asked[PlanChanges], seen: Snapshot) -> Change:
    """Answers what differs between two versions, field by field."""
    permit = seen.require(asked, Action.VIEW, Category.PLAN)
    before, after = seen.state["before"], seen.state["after"]
    if before is None or after is None:
        raise invalid("there is no such version of this plan: see the plan", "before" if before is None else "after")
    found = differences(PlanText.read(before), PlanText.read(after))
    result = {
        "plan": str(asked.body.plan),
        "before": asked.body.before,
        "after": asked.body.after,
        "changes": [one.to_json() for one in found],
    }
    return answered((permit,), "plan-changes", len(found), result, asked.body.plan)


def decide_agreements(asked: Asked[Agreements], seen: Snapshot) -> Change:
    """Answers whether each agreement verifies: hashes are made anew from the text and salts as they lie here now.

    Who may not see conversations gets the counts, and of the answers only their own.
    """
    permit = seen.require(asked, Action.VIEW, Category.PLAN)
    talks = also(asked, seen, Action.VIEW, Category.CONVERSATIONS)
    plan = asked.body.plan
    texts = {text.number: text for text in map(PlanText.read, seen.state["texts"])}
    every = [one | {"verifies": verifies(one, plan, texts.get(one["number"]))} for one in seen.state["answers"]]
    found = every if talks else own(every, asked.actor.id)
    result = {"plan": str(plan), "answers": found, **counts(every), "said_shown": talks is not None}
    return answered((permit, talks) if talks else (permit,), "agreements", len(found), result, plan)


def counts(answers: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Returns how many answers verify and how many do not."""
    broken = sum(not one["verifies"] for one in answers)
    return {"verified": len(answers) - broken, "broken": broken}


def own(answers: Iterable[dict[str, Any]], reader: UUID) -> list[dict[str, Any]]:
    """Returns the answers that the reader gave."""
    return [one for one in answers if one["holder"] == str(reader)]


def verifies(answer: dict[str, Any], plan: UUID, text: PlanText | None) -> bool:
    """Tells whether an answer is bound to this very text: the whole action part, and the item that it is about."""
    if text is None or text.hash(plan) != answer["hash"]:
        return False
    return any(str(item.id) == answer["item"] and item.hash == answer["item_hash"] for item in text.items)


def answered(
    permits: tuple[Permit, ...], query: str, things: int, result: dict[str, Any], thing: UUID | None = None
) -> Change:
    """Returns the Change of a query: one `Viewed` for each category that the answer holds."""
    events = tuple(
        NewEvent(
            Viewed(query=query, things=things), about=permit.subject, act=permit.act, thing=thing, producer="goals"
        )
        for permit in permits
    )
    return Change(permits=permits, events=events, result=result)
