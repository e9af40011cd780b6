"""The rules as a school reads and adjusts them, within the foundation's bounds. Bodies and pure decisions.

Every adjustment is a version of its own, kept for ever; the newest holds. The foundation says what may be adjusted
(`Bound`): what the law wants told, who is asked to decide, withdrawals, emergencies and erasures are not a school's to
switch off.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID, uuid5

from pydantic import Field

from services.notifications import words
from services.notifications.replies import QueueReply, RuleSetReply, RulesReply
from services.notifications.rule import AS_IT_IS, HOME_ROLES, Adjusted, Bound, Rule, read_adjusted
from services.notifications.rules import ADDRESS_STOPPED, BY_KIND
from services.notifications.times import Pace
from shared.access import Permit
from shared.errors import Problem, ProblemType
from shared.events.base import NewEvent, Viewed
from shared.events.notifications import RuleSet
from shared.events.words import Action, Category, Role, school_subject
from shared.text import Code
from shared.unit import Asked, Change, Endpoint, Query, Request, Row, Snapshot, stale


class Rules(Query):
    """Who is told of what, and what of it this school may adjust. `about` is the school's own subject."""

    about: UUID


class Queue(Query):
    """What waits to be sent: numbers, no names. `about` is the school's own subject."""

    about: UUID


class SetRule(Request):
    """Adjusts the rule of one kind of notice, whole. `number` is the version as seen, 0: not adjusted yet."""

    about: UUID
    kind: Code
    number: Annotated[int, Field(ge=0, lt=2**31)]
    told: bool = True
    left_out: Annotated[tuple[Role, ...], Field(max_length=len(Role))] = ()
    """Who is not told in these roles; in another they may be."""
    pace: Pace | None = None
    """How soon, for who has said nothing of it themselves; None: as the foundation has it."""
    remind_days: Annotated[int, Field(ge=1, le=90)] | None = None


def decide_rules(asked: Asked[Rules], seen: Snapshot) -> Change:
    """Answers every rule with its words, its bound and how the school has adjusted it."""
    permit = of_records(asked, seen, asked.body.about)
    adjusted = adjusted_of(seen)
    shown = [_shown(rule, adjusted.get(rule.kind, AS_IT_IS)) for rule in BY_KIND.values()]
    return answered(permit, "notice-rules", len(shown), {"rules": shown})


def decide_queue(asked: Asked[Queue], seen: Snapshot) -> Change:
    """Answers how much waits, by state, channel and reason."""
    permit = of_records(asked, seen, asked.body.about)
    return answered(permit, "notice-queue", len(seen.state["waiting"]), {"waiting": seen.state["waiting"]})


def decide_set_rule(asked: Asked[SetRule], seen: Snapshot) -> Change:
    """Adjusts a rule, as a new version."""
    permit, body = of_records(asked, seen, asked.body.about), asked.body
    rule = BY_KIND.get(body.kind)
    if rule is None:
        raise _invalid("kind", "there is no such kind of notice: `samen notifications rules` names them")
    now = adjusted_of(seen).get(body.kind, AS_IT_IS)
    if now.number != body.number:
        raise stale(body.number, now.number)
    if (why := out_of_bounds(rule, body)) is not None:
        raise _invalid(*why)
    number = now.number + 1
    chosen = {"told", "left_out", "pace", "remind_days"}
    values = {
        "kind": rule.kind,
        "number": number,
        "settings": body.model_dump(mode="json", include=chosen),
        "set_by": asked.actor.id,
        "set_at": seen.now,
    }
    # Two at once make the same row: one of them reads and decides anew.
    row = Row("notice_rule", uuid5(permit.subject, f"rule:{rule.kind}:{number}"), 0, values)
    fact = RuleSet(
        kind=rule.kind, number=number, **body.model_dump(include={"told", "left_out", "pace", "remind_days"})
    )
    event = NewEvent(fact, permit.subject, permit.act)
    return Change(permits=(permit,), events=(event,), rows=(row,), reply={"kind": rule.kind, "number": number})


def out_of_bounds(rule: Rule, body: SetRule) -> tuple[str, str] | None:
    """Returns what of an adjustment is not the school's to adjust: the field, and why; None: all of it is."""
    if rule.bound is Bound.FIXED:
        if not body.told or body.left_out:
            return "told", "this is always told to everyone whom it concerns: the law or safety wants it"
        if (rule.urgent or rule is ADDRESS_STOPPED) and body.pace not in {None, Pace.NOW}:
            return "pace", "this can't wait: it goes at once"
    if rule.bound is Bound.PARENTS and HOME_ROLES & set(body.left_out):
        return "left_out", "parents and the child are always told of this: leave out other roles only"
    if rule.bound is not Bound.FREE and body.pace is Pace.OFF:
        return "pace", "this can't be off for all: choose now, daily or weekly; a person may choose off"
    if body.remind_days is not None and rule.remind_days is None:
        return "remind_days", "this asks for no answer, so nobody is reminded of it"
    return None


def adjusted_of(seen: Snapshot) -> Mapping[str, Adjusted]:
    """Returns how the school has adjusted its rules, by kind."""
    return {row["kind"]: read_adjusted(row["number"], row["settings"]) for row in seen.state["rules"]}


def _shown(rule: Rule, adjusted: Adjusted) -> dict[str, Any]:
    return {
        "kind": rule.kind,
        "dutch": words.inbox("nl", rule.kind),
        "english": words.inbox("en", rule.kind),
        "category": rule.category,
        "to": audience_of(rule),
        "bound": rule.bound,
        "urgent": rule.urgent,
        "pace": adjusted.pace or rule.pace,
        "remind_days": adjusted.remind_days or rule.remind_days,
        "number": adjusted.number,
        "told": adjusted.told,
        "left_out": sorted(adjusted.left_out),
    }


def audience_of(rule: Rule) -> str:
    """Returns in words whom a rule tells, of those who may receive its category."""
    said = "everyone who may hear of it"
    if rule.concerned:
        said = "whom it concerns, by name"
    elif rule.askers:
        said = "who asks on the school's behalf"
    elif rule.needs is not None:
        said = f"who may {rule.needs.value}"
    return said + (", who did it too" if rule.actor_too else ", but who did it")


def of_records(asked: Asked[Any], seen: Snapshot, about: UUID) -> Permit:
    """Returns the permit of who keeps the school's records, or raises Denial."""
    permit = seen.require(asked, Action.MANAGE, Category.NETWORK, about)
    if permit.subject != school_subject(asked.school):
        raise _invalid("about", "rules are a school's: name the school's own subject")
    return permit


def answered(permit: Permit, query: str, things: int, result: Any) -> Change:  # noqa: ANN401  JSON
    event = NewEvent(Viewed(query=query, things=things), permit.subject, permit.act, producer="notifications")
    return Change(permits=(permit,), events=(event,), result=result)


def _invalid(at: str, what: str) -> Problem:
    return Problem(ProblemType.INVALID, f"{at}: {what}", field=at)


ENDPOINTS: tuple[Endpoint[Any], ...] = (
    Endpoint("notice-rules", Rules, "read_rules", decide_rules, RulesReply),
    Endpoint("notice-queue", Queue, "read_queue", decide_queue, QueueReply),
    Endpoint("set-rule", SetRule, "read_rules", decide_set_rule, RuleSetReply),
)
