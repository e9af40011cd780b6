"""Reminds who was asked and has not answered; after a second time tells who can help. Once each, whatever was down.

A notice that asks for something carries the day of its reminder; reading it does not answer it. Each reminder is one
more delivery of the same notice. Two reminders on, who asks on the school's behalf is told that something waits: not of
whom, and not what.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from pydantic import Field, TypeAdapter

from services.notifications import rules
from services.notifications.model import SERVICE, DeliveryState, delivery_id, helpers_of, may_hear
from services.notifications.preferences import read_preferences
from services.notifications.rule import AS_IT_IS, HOME_ROLES, Adjusted, Rule, read_adjusted
from services.notifications.times import Pace, Release, plan_release, read_days_off, read_usual
from shared import access
from shared.access import View
from shared.actor import service_id
from shared.errors import Problem, ProblemType
from shared.events.base import Act, NewEvent
from shared.events.network import Grant
from shared.events.notifications import Channel, NoticeQueued, NoticeReminded
from shared.events.words import Action, ActorKind, Category, Purpose, school_subject
from shared.reminders import NONE_DUE, Reminders
from shared.unit import Asked, Change, Endpoint, Request, Row, Snapshot
from shared.unit_run import Unit

ROUNDS = 2
"""How often somebody is reminded."""
DUE = """
SELECT EXISTS (SELECT FROM notice WHERE school = $1 AND remind_at <= clock_timestamp() + (SELECT shift FROM time_shift))
"""

_GRANTS = TypeAdapter(tuple[Grant, ...])


class RemindNotices(Request):
    """Reminds of a page of notices that wait for an answer. For this service itself."""

    page: int = Field(default=50, ge=1, le=100)


def decide_remind(asked: Asked[RemindNotices], seen: Snapshot) -> Change:
    """Reminds of each once a round; who may not be told any more is reminded of nothing, and of nothing again."""
    own = _own(asked)
    rows: list[Row] = []
    events: list[NewEvent] = []
    for raw in seen.state["due"]:
        more_rows, more_events = _reminded(raw, seen, own)
        rows += more_rows
        events += more_events
    if not rows:
        raise Problem(ProblemType.CONFLICT, "nothing waits for an answer: nobody is to be reminded", code=NONE_DUE)
    return Change(permits=(), events=tuple(events), rows=tuple(rows), reply={"notices": len(seen.state["due"])})


def _reminded(raw: Mapping[str, Any], seen: Snapshot, own: Act) -> tuple[list[Row], list[NewEvent]]:
    notice, round_ = raw["notice"], raw["notice"]["reminded"] + 1
    rule = rules.BY_KIND.get(notice["kind"], rules.UNANSWERED)
    id_, about = UUID(notice["id"]), UUID(notice["about"])
    act = own.model_copy(update={"category": Category(notice["category"]), "purpose": Purpose(notice["purpose"])})
    grants = _GRANTS.validate_python(raw["grants"])
    if not _may_hear(notice, grants, seen.clock):
        return [Row("notice", id_, notice["version"], {"remind_at": None})], []
    if round_ > ROUNDS:
        rows, events = _escalated(notice, grants, seen, act)
        return [Row("notice", id_, notice["version"], {"remind_at": None, "reminded": round_}), *rows], events
    adjusted = _adjusted(raw["rule"])
    again = seen.now + timedelta(days=adjusted.remind_days or rule.remind_days or 7)
    row = Row("notice", id_, notice["version"], {"remind_at": again, "reminded": round_})
    fact = NoticeReminded(recipient=UUID(notice["member"]), kind=notice["kind"], round=round_)
    return [row, *_ways(raw, seen, round_)], [NewEvent(fact, about, act, thing=id_)]


def _adjusted(row: Mapping[str, Any] | None) -> Adjusted:
    return read_adjusted(row["number"], row["settings"]) if row else AS_IT_IS


def _may_hear(notice: Mapping[str, Any], grants: Sequence[Grant], at: datetime) -> bool:
    category, purpose = Category(notice["category"]), Purpose(notice["purpose"])
    return any(
        str(grant.member) == notice["member"]
        and may_hear(grant, category)
        and purpose in grant.purposes
        and grant.valid_from <= at
        and (grant.valid_until is None or at < grant.valid_until)
        for grant in grants
    )


def _ways(raw: Mapping[str, Any], seen: Snapshot, round_: int) -> list[Row]:
    """Returns one more delivery through each channel that the notice itself went through."""
    notice = raw["notice"]
    wants = read_preferences(raw["preference"])
    times = wants.times(read_usual(seen.state["hours"]), works_here=notice["told"].get("role") not in HOME_ROLES)
    off = read_days_off(seen.state["days_off"])
    rows = []
    for channel in sorted({Channel(one) for one in raw["channels"]}):
        if wants.pace(notice["kind"], channel) is Pace.OFF:
            continue
        until = plan_release(seen.now, Pace.NOW, times, off)
        rows.append(_delivery(notice, channel, round_, seen.clock, until, seen))
    return rows


def _delivery(
    notice: Mapping[str, Any],
    channel: Channel,
    round_: int,
    clock: datetime,
    until: Release,
    seen: Snapshot,
    pace: Pace = Pace.NOW,
) -> Row:
    id_, held = UUID(notice["id"]), until.why is not None
    values = {
        "notice": id_,
        "member": notice["member"],
        "about": notice["about"],
        "channel": channel,
        "urgent": False,
        "round": round_,
        "bundle": None,
        "pace": pace,
        "period": None,
        "state": DeliveryState.HELD if held else DeliveryState.QUEUED,
        "tries": 0,
        "doubts": 0,
        "next_try_at": clock,
        "due_at": None if held else clock,
        "release_at": until.at if held else None,
        "why": until.why,
        "hours": read_usual(seen.state["hours"]).number if held else None,
        "act": None,
        "code": None,
    }
    return Row("delivery", delivery_id(id_, channel, round_), 0, values)


def _escalated(
    notice: Mapping[str, Any], grants: Sequence[Grant], seen: Snapshot, act: Act
) -> tuple[list[Row], list[NewEvent]]:
    """Returns a notice each for those who can help, about the child and about nothing more, as the school wants it."""
    source, rule, adjusted = uuid5(UUID(notice["id"]), "unanswered"), rules.UNANSWERED, _adjusted(seen.state["helping"])
    pace = adjusted.pace or rule.pace  # other than now: the claim puts it into the digest
    rows: list[Row] = []
    events: list[NewEvent] = []
    for grant, purpose in helpers_of(rule, grants, seen.clock, adjusted.left_out) if adjusted.told else ():
        if str(grant.member) == notice["member"]:
            continue
        made = _help(rule, notice, source, grant, purpose, seen, adjusted)
        told = {"id": str(made.id), "member": str(grant.member), "about": notice["about"]}
        channels = () if pace is Pace.OFF else (Channel.MAIL,)
        rows += [made, *(_delivery(told, one, 0, seen.clock, Release(seen.now), seen, pace) for one in channels)]
        fact = NoticeQueued(recipient=grant.member, kind=rule.kind, source=source, channels=channels)
        to = act.model_copy(update={"category": rule.category, "purpose": purpose})
        events.append(NewEvent(fact, UUID(notice["about"]), to, thing=made.id))
    return rows, events


def _help(
    rule: Rule, notice: Mapping[str, Any], source: UUID, grant: Grant, purpose: Purpose, seen: Snapshot, by: Adjusted
) -> Row:
    values = {
        "member": str(grant.member),
        "about": notice["about"],
        "source": source,
        "thing": None,
        "kind": rule.kind,
        "category": rule.category,
        "purpose": purpose,
        "state": "unread",
        "occurred_at": seen.now,
        "queued_at": seen.clock,
        "urgent": False,
        "told": {"rule": by.number, "grant": grant.id, "role": grant.role, "basis": grant.basis},
        "fold": None,
        "folded_into": None,
        "folds": 0,
        "answered": False,
        "remind_at": None,
        "reminded": 0,
    }
    return Row("notice", uuid5(source, str(grant.member)), 0, values)


def _own(asked: Asked[Any]) -> Act:
    """Returns the act of this service itself, or raises Denial for anyone else."""
    actor = asked.actor
    if actor.kind is not ActorKind.SERVICE or actor.id != service_id(SERVICE):
        view = View(school_subject(asked.school), None, (), fresh=True)
        raise access.denial(view, actor, Action.RECEIVE, Category.NETWORK, asked.body.purpose, "no_grant")
    return Act(
        actor=actor.id,
        kind=actor.kind,
        door=actor.door,
        purpose=asked.body.purpose,
        action=Action.RECEIVE,
        category=Category.NETWORK,
    )


REMIND = Endpoint("remind-notices", RemindNotices, "read_reminders", decide_remind)


def _failed(unit: Unit, school: str, kind: str) -> None:
    unit.alarm("reminders_failed", "nobody can be reminded", school=school, kind=kind)


NOTICES = Reminders(DUE, REMIND, "notices", _failed)
