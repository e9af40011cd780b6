"""What other services' events cause here: notices in inboxes, each queued or held for its channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

from services.notifications import rules, store, telling_store, wants_store
from services.notifications.model import (
    SERVICE,
    Audience,
    Notice,
    bundle_id,
    deadline_fold,
    may_hear,
    plan_audience,
    queued_by,
)
from services.notifications.preferences import NOTHING_SET
from services.notifications.rule import AS_IT_IS, Adjusted, Rule
from services.notifications.times import Pace, Release, Times, plan_release
from shared.access_projection import project_access
from shared.db import Connection
from shared.erasure import erase
from shared.errors import Transient
from shared.events.base import Act, Event, NewEvent
from shared.events.network import AccessChanged
from shared.events.notifications import Channel, NoticeCancelled, NoticeQueued
from shared.events.plans import SchoolYearSet
from shared.events.words import school_subject
from shared.projection import Lane, Policy

UNKNOWN = Release(datetime.min.replace(tzinfo=UTC))
ByType = Mapping[str, Sequence[Rule]]


def by_type(tables: Sequence[rules.Table]) -> ByType:
    """Returns the rules of each event, in the tables' order."""
    found: dict[str, list[Rule]] = {}
    for table in tables:
        for fact, rule in table.items():
            found.setdefault(fact.type(), []).append(rule)
    return found


OF_NETWORK, OF_GOALS, OF_GATE = by_type(rules.OF_NETWORK), by_type(rules.OF_GOALS), by_type((rules.TOOLS,))
EVERY = {**OF_NETWORK, **OF_GOALS, **OF_GATE}
ANSWERS = {fact.type(): answers for fact, answers in rules.ANSWERS.items()}


async def on_network(conn: Connection, events: Sequence[Event]) -> Sequence[NewEvent]:
    """Keeps the projection of access, tells those round the child what changed in its network, and erases children.

    What waits for somebody who may not be told of it any more is cancelled here and now.
    """
    await project_access(conn, events)
    told = await _tell(conn, events, OF_NETWORK)
    stopped = await _withdraw(conn, events)
    return [*told, *stopped, *await erase(conn, events, SERVICE)]


async def on_goals(conn: Connection, events: Sequence[Event]) -> Sequence[NewEvent]:
    """Tells those round the child what happened to its goals and plans, and in its conversations."""
    for event in events:
        if event.is_a(SchoolYearSet) and (days := event.fact(SchoolYearSet).days_off) is not None:
            year = event.fact(SchoolYearSet).ends_on.year
            spans = [(one.first_on, one.last_on) for one in days]
            await wants_store.set_days_off(conn, event.school, school_subject(event.school), year, spans)
    return await _tell(conn, events, OF_GOALS)


async def on_gate(conn: Connection, events: Sequence[Event]) -> Sequence[NewEvent]:
    """Tells who keeps the school's records what a tool did not do."""
    return await _tell(conn, events, OF_GATE)


async def _tell(conn: Connection, events: Sequence[Event], wanted: ByType) -> list[NewEvent]:
    told = [event for event in events if event.type in wanted]
    await _answer(conn, events)
    if not told:
        return []
    school, subjects = told[0].school, {event.about for event in told}
    access = await store.get_access(conn, school, subjects)
    erased = await store.list_erased(conn, school, subjects)
    adjusted = await wants_store.get_rules(conn, school)
    planned: list[tuple[Notice, Act]] = []
    causes: list[dict[str, object]] = []
    for event in told:
        if event.about in erased:
            continue  # an old event, come late or again: nobody is told of who is gone
        known = access.get(event.about, store.NO_ACCESS)
        # The lanes run side by side: a member who was added just before the event would else miss it.
        if known.revision < (event.act.revision or 0):
            raise Transient("the grants that this event was judged by are not known here yet")
        kind, audience = _audience(event, wanted[event.type], known, adjusted)
        if known.last is not None:
            await telling_store.tell_on(conn, event, known.last)
        planned += _with_acts(event, audience.notices)
        causes.append(_cause(event, kind, audience))
    await store.add_causes(conn, school, causes)
    return await _queue(conn, school, planned, adjusted)


async def tell_more(conn: Connection, school: str) -> list[NewEvent] | None:
    """Tells an event that concerns very many to the next of them, by the grants as they are now.

    None: there is no such event.
    """
    telling = await telling_store.get_telling(conn, school)
    if telling is None:
        return None
    event = telling.event
    access = await store.get_access(conn, school, {event.about}, telling.told_to)
    known = access.get(event.about, store.NO_ACCESS)
    adjusted = await wants_store.get_rules(conn, school)
    kind, audience = _audience(event, EVERY[event.type], known, adjusted)
    await telling_store.tell_on(conn, event, known.last)
    await store.add_causes(conn, school, [_cause(event, kind, audience)])
    return await _queue(conn, school, _with_acts(event, audience.notices), adjusted)


def _with_acts(event: Event, notices: Sequence[Notice]) -> list[tuple[Notice, Act]]:
    """Returns each notice with the act of queueing it."""
    acts = {category: queued_by(event, category) for category in {notice.category for notice in notices}}
    return [(notice, acts[notice.category]) for notice in notices]


def _audience(
    event: Event, applying: Sequence[Rule], known: store.Access, adjusted: Mapping[str, Adjusted]
) -> tuple[str, Audience]:
    """Returns whom an event is told to: who hears it by an earlier rule does not hear it by a later one too."""
    notices: dict[UUID, Notice] = {}
    untold: dict[UUID, str] = {}
    for rule in applying:
        found = plan_audience(rule, event, known.grants, adjusted.get(rule.kind, AS_IT_IS))
        for notice in found.notices:
            notices.setdefault(notice.member, notice)
        untold |= found.untold
    untold = {member: why for member, why in untold.items() if member not in notices}
    return applying[-1].kind, Audience(list(notices.values()), untold)


def _cause(event: Event, kind: str, audience: Audience) -> dict[str, object]:
    return {
        "id": event.id,
        "about": event.about,
        "thing": event.thing,
        "kind": kind,
        "occurred_at": event.occurred_at,
        "untold": {str(member): why for member, why in audience.untold.items()},
    }


async def _queue(
    conn: Connection, school: str, planned: Sequence[tuple[Notice, Act]], adjusted: Mapping[str, Adjusted]
) -> list[NewEvent]:
    """Puts notices into inboxes, and their deliveries in line or aside until their moment."""
    notices = [notice for notice, _ in planned]
    members = {notice.member for notice in notices}
    if not members:
        return []
    channels = await store.list_channels(conn, school, members)
    ways = await plan_ways(conn, school, notices, channels, adjusted)
    added = await store.add_notices(conn, school, notices, [way for of_one in ways.values() for way in of_one])
    acts = {notice.id: act for notice, act in planned}
    newest = {(one.member, one.fold): one for one in notices if one.fold is not None and one.id in added}
    stopped = await store.fold_notices(conn, school, list(newest.values()))
    queued = [
        _queued(notice, tuple(way.channel for way in ways[notice.id]), act)
        for notice, act in planned
        if notice.id in added
    ]
    by = {(one.member, one.about): acts[one.id] for one in newest.values()}
    return [*queued, *(_cancelled(one, "folded", by[one.member, one.about]) for one in stopped)]


async def plan_ways(
    conn: Connection,
    school: str,
    notices: Sequence[Notice],
    channels: Mapping[UUID, Sequence[Channel]],
    adjusted: Mapping[str, Adjusted],
) -> dict[UUID, list[store.Planned]]:
    """Returns each notice's deliveries: through which channels, when, and in which digest."""
    wants = await wants_store.get_wants(conn, school, channels.keys())
    off, now = await wants_store.get_days_off(conn, school), await wants_store.domain_now(conn)
    usual_hours = await wants_store.get_usual(conn, school)
    ways: dict[UUID, list[store.Planned]] = {}
    moments: dict[tuple[Pace, Times], Release] = {}  # most have the same hours
    hours: dict[tuple[UUID | None, bool], Times] = {}
    for notice in notices:
        own, ways[notice.id] = wants.get(notice.member, NOTHING_SET), []
        usual = adjusted.get(notice.kind, AS_IT_IS).pace or rules.BY_KIND[notice.kind].pace
        whose = notice.member if notice.member in wants else None, notice.works_here
        times = hours.get(whose) or hours.setdefault(whose, own.times(usual_hours, works_here=notice.works_here))
        for channel in channels[notice.member]:
            pace = Pace.NOW if notice.urgent else own.pace(notice.kind, channel) or usual
            if pace is Pace.OFF:
                continue
            if notice.urgent:
                until = Release(now)
            elif (until := moments.get((pace, times), UNKNOWN)) is UNKNOWN:
                until = moments[pace, times] = plan_release(now, pace, times, off)
            bundle = bundle_id(notice.member, channel, pace, until.period) if until.period else None
            when = pace, until, bundle, usual_hours.number
            ways[notice.id].append(store.Planned(notice.id, channel, notice.urgent, notice.queued_at, *when))
    return ways


async def _answer(conn: Connection, events: Sequence[Event]) -> None:
    """Notes what these events deal with, so that nobody is reminded of it."""
    answered: list[tuple[UUID, UUID | None, UUID | None, str]] = [
        (event.about, event.thing, None if answers.everyone else event.act.actor, kind)
        for event in events
        if (answers := ANSWERS.get(event.type)) is not None and event.thing is not None
        for kind in answers.kinds
    ]
    for event in events:
        answers = ANSWERS.get(event.type)
        if answers is not None and answers.deadline is not None:
            of = event.about if answers.deadline == "about" else event.content["data"]["fact"]["action"]
            answered.append((event.about, None, None, deadline_fold(of)))
    if answered:
        await store.answer_notices(conn, events[0].school, answered)


async def _withdraw(conn: Connection, events: Sequence[Event]) -> list[NewEvent]:
    """Cancels what waits for those who may not be told of it any more, and says so."""
    newest = {event.about: event for event in events if event.is_a(AccessChanged)}
    if not newest:
        return []
    school = events[0].school
    waiting = await store.list_waiting(conn, school, newest.keys())
    if not waiting:
        return []
    access = await store.get_access_of(
        conn, school, {one.stopped.about for one in waiting}, {one.stopped.member for one in waiting}
    )
    gone = [one for one in waiting if not _may_be_told(one, access[one.stopped.about], newest[one.stopped.about])]
    await store.cancel(conn, school, [one.id for one in gone], "no_grant")
    return [
        _cancelled(one.stopped, "no_grant", queued_by(newest[one.stopped.about], one.category), one.stopped.tries)
        for one in gone
    ]


def _may_be_told(one: store.Waiting, known: store.Access, changed: Event) -> bool:
    at = changed.recorded_at
    return any(
        grant.member == one.stopped.member
        and may_hear(grant, one.category)
        and one.purpose in grant.purposes
        and (grant.valid_until is None or at < grant.valid_until)
        for grant in known.grants
    )


def _queued(notice: Notice, channels: tuple[Channel, ...], act: Act) -> NewEvent:
    fact = NoticeQueued(recipient=notice.member, kind=notice.kind, source=notice.source, channels=channels)
    return NewEvent(fact, notice.about, act, thing=notice.id)


def _cancelled(one: store.Stopped, code: str, act: Act, tries: int = 0) -> NewEvent:
    fact = NoticeCancelled(recipient=one.member, kind=one.kind, channel=one.channel, tries=tries, code=code)
    return NewEvent(fact, one.about, act, thing=one.notice)


LANES = (
    Lane("network", on_network, Policy.BLOCK),
    Lane("goals", on_goals, Policy.PARK),
    Lane("gate", on_gate, Policy.PARK),
)
