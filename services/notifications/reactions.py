"""What other services' events cause here: notices in inboxes, each queued for its channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.notifications import rules, store
from services.notifications.model import SERVICE, Notice, Rule, plan_notices, queued_by
from shared.access_projection import project_access
from shared.db import Connection
from shared.erasure import erase
from shared.errors import Transient
from shared.events.base import Act, Event, Fact, NewEvent
from shared.events.notifications import Channel, NoticeQueued
from shared.projection import Lane, Policy


async def on_network(conn: Connection, events: Sequence[Event]) -> Sequence[NewEvent]:
    """Keeps the projection of access, tells those round the child what changed in its network, and erases children."""
    await project_access(conn, events)
    told = await _tell(conn, events, {**rules.NETWORK, **rules.FILES, **rules.DIALOGUES})
    return [*told, *await erase(conn, events, SERVICE)]


async def on_goals(conn: Connection, events: Sequence[Event]) -> Sequence[NewEvent]:
    """Tells those round the child what happened to its goals and plans, and in its conversations."""
    return await _tell(conn, events, {**rules.GOALS, **rules.PLANS, **rules.CONVERSATIONS})


async def on_gate(conn: Connection, events: Sequence[Event]) -> Sequence[NewEvent]:
    """Tells who keeps the school's records what a tool did not do."""
    return await _tell(conn, events, rules.TOOLS)


async def _tell(conn: Connection, events: Sequence[Event], wanted: Mapping[type[Fact], Rule]) -> list[NewEvent]:
    by_type = {fact.type(): rule for fact, rule in wanted.items()}
    told = [(by_type[event.type], event) for event in events if event.type in by_type]
    if not told:
        return []
    school = told[0][1].school
    access = await store.get_access(conn, school, {event.about for _, event in told})
    erased = await store.list_erased(conn, school, {event.about for _, event in told})
    planned: list[tuple[Notice, Act]] = []
    for rule, event in told:
        if event.about in erased:
            continue  # an old event, come late or again: nobody is told of who is gone
        known = access.get(event.about, store.NO_ACCESS)
        # The lanes run side by side: a member who was added just before the event would else miss it.
        if known.revision < (event.act.revision or 0):
            raise Transient("the grants that this event was judged by are not known here yet")
        act = queued_by(event, rule.category)
        planned += [(notice, act) for notice in plan_notices(rule, event, known.grants)]
    channels = await store.list_channels(conn, school, {notice.member for notice, _ in planned})
    added = await store.add_notices(conn, school, [notice for notice, _ in planned], channels)
    return [_queued(notice, channels[notice.member], act) for notice, act in planned if notice.id in added]


def _queued(notice: Notice, channels: tuple[Channel, ...], act: Act) -> NewEvent:
    fact = NoticeQueued(recipient=notice.member, kind=notice.kind, source=notice.source, channels=channels)
    return NewEvent(fact, notice.about, act, thing=notice.id)


LANES = (
    Lane("network", on_network, Policy.BLOCK),
    Lane("goals", on_goals, Policy.PARK),
    Lane("gate", on_gate, Policy.PARK),
)
