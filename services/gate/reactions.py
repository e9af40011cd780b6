"""What other services' events cause here: put-outs in tools' queues, and what is taken from tools again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from services.gate import store
from services.gate.fence import forget_erased, receivable, take_withdrawn
from services.gate.heard import Heard
from services.gate.model import SERVICE, UUIDS, Tool, pseudonym_of
from services.gate.outgoing import OUTGOING, goes_to
from shared.access_projection import project_access
from shared.db import Connection
from shared.erasure import erase
from shared.errors import Transient
from shared.events.base import Event, NewEvent
from shared.events.membership import MemberAdded
from shared.events.words import Category, Role
from shared.projection import Lane, Policy

Wake = Callable[[str], object]


def lanes(heard: Heard, wake: Wake = lambda _: None) -> tuple[Lane, ...]:
    """Returns how each producer's events are applied; `wake` is called with a school that has something to put out.

    What waits to go out is kept in `heard` as it comes, so that the putter needs not read it.
    """
    return (
        Lane("network", partial(on_network, heard), Policy.BLOCK, applied=wake),
        Lane("goals", partial(on_goals, heard), Policy.PARK, applied=wake),
    )


async def on_network(heard: Heard, conn: Connection, events: Sequence[Event]) -> Sequence[NewEvent]:
    """Keeps access and which members are tools; takes from tools what is withdrawn; queues; erases children."""
    tools = await store.list_tools(conn, events[0].school)
    await project_access(conn, events)
    added = [event.fact(MemberAdded) for event in events if event.is_a(MemberAdded)]
    if members := {fact.member for fact in added if fact.role is Role.LOCAL_TOOL}:
        await store.note_tools(conn, events[0].school, members)
    await take_withdrawn(conn, events, tools)
    await _queue(heard, conn, events, tools)
    await forget_erased(conn, events, tools)
    return await erase(conn, events, SERVICE)


async def on_goals(heard: Heard, conn: Connection, events: Sequence[Event]) -> Sequence[NewEvent]:
    """Queues what tools may receive of goals, plans and conversations."""
    await _queue(heard, conn, events, await store.list_tools(conn, events[0].school))
    return ()


async def _queue(heard: Heard, conn: Connection, events: Sequence[Event], tools: Sequence[Tool]) -> None:
    going = [event for event in events if event.type in OUTGOING]
    if not going or not tools:
        return
    school, subjects = going[0].school, {event.about for event in going}
    access = await store.get_grants(conn, school, subjects, [tool.id for tool in tools])
    erased = await store.list_erased(conn, school, subjects)
    sources: dict[UUID, Event] = {}
    put_outs: list[tuple[UUID, UUID, UUID, Category]] = []
    names = set[store.Name]()
    for event in going:
        revision, grants = access.get(event.about, (0, {}))
        # The lanes run side by side: a tool that was let in just before the event would else miss it.
        if event.producer != "network" and revision < (event.content["data"]["act"].get("revision") or 0):
            raise Transient("the grants that this event was judged by are not known here yet")
        if event.about in erased or not grants:
            continue
        ids = _ids(event)
        for tool in tools:
            category = _category(event, tool, grants.get(str(tool.id), ()))
            if category is not None:
                sources[event.id] = event
                put_outs.append((tool.id, event.id, event.about, category))
                key = bytes.fromhex(tool.secret)
                names.update((tool.id, pseudonym_of(key, ours), event.about, ours) for ours in ids)
        if event.id in sources:
            heard.keep(school, str(event.id), event.raw)
    if put_outs:
        await store.queue(conn, school, list(sources.values()), put_outs)
        await store.add_pseudonyms(conn, school, names)


def _category(event: Event, tool: Tool, grants: Sequence[Any]) -> Category | None:
    """Returns the category under which an event is queued for a tool, or None: it does not want it, or may not."""
    goes = goes_to(event, tool.id)
    if goes is None or not grants:
        return None
    may = receivable(grants, tool.purpose, event.recorded_at)
    for category in sorted(may) if goes.category is None else (goes.category,):
        if category in may and tool.wants(event.type, category):
            return category
    return None


def _ids(event: Event) -> set[str]:
    """Returns the event's ids that a tool may ask about by its own: the child, things and members."""
    return set(UUIDS.findall(f"{event.content['data']['fact']} {event.about} {event.thing}"))
