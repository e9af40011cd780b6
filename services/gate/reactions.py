"""What other services' events cause here: put-outs in tools' queues, and what is taken from tools again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from services.gate import store
from services.gate.fence import forget_erased, receivable, take_withdrawn
from services.gate.model import SERVICE, Tool, ids_in, pseudonym
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


def lanes(wake: Wake = lambda _: None) -> tuple[Lane, ...]:
    """Returns how each producer's events are applied; `wake` is called with a school that has something to put out."""
    return (
        Lane("network", on_network, Policy.BLOCK, applied=wake),
        Lane("goals", on_goals, Policy.PARK, applied=wake),
    )


async def on_network(conn: Connection, events: Sequence[Event]) -> Sequence[NewEvent]:
    """Keeps access and which members are tools; takes from tools what is withdrawn; queues; erases children."""
    tools = await store.list_tools(conn, events[0].school)
    await project_access(conn, events)
    added = [event.fact(MemberAdded) for event in events if event.is_a(MemberAdded)]
    if members := {fact.member for fact in added if fact.role is Role.LOCAL_TOOL}:
        await store.note_tools(conn, events[0].school, members)
    await take_withdrawn(conn, events, tools)
    await _queue(conn, events, tools)
    await forget_erased(conn, events, tools)
    return await erase(conn, events, SERVICE)


async def on_goals(conn: Connection, events: Sequence[Event]) -> Sequence[NewEvent]:
    """Queues what tools may receive of goals, plans and conversations."""
    await _queue(conn, events, await store.list_tools(conn, events[0].school))
    return ()


async def _queue(conn: Connection, events: Sequence[Event], tools: Sequence[Tool]) -> None:
    going = [event for event in events if event.type in OUTGOING]
    if not going or not tools:
        return
    school, subjects = going[0].school, {event.about for event in going}
    access = await store.get_grants(conn, school, subjects, [tool.id for tool in tools])
    erased = await store.list_erased(conn, school, subjects)
    sources: dict[UUID, Event] = {}
    put_outs: list[tuple[UUID, UUID, UUID, Category]] = []
    names: list[tuple[UUID, UUID, UUID, UUID]] = []
    for event in going:
        revision, grants = access.get(event.about, (0, {}))
        # The lanes run side by side: a tool that was let in just before the event would else miss it.
        if event.producer != "network" and revision < (event.content["data"]["act"].get("revision") or 0):
            raise Transient("the grants that this event was judged by are not known here yet")
        if event.about in erased or not grants:
            continue
        for tool in tools:
            category = _category(event, tool, grants.get(str(tool.id), ()))
            if category is not None:
                sources[event.id] = event
                put_outs.append((tool.id, event.id, event.about, category))
                names += _names(event, tool)
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


def _names(event: Event, tool: Tool) -> list[tuple[UUID, UUID, UUID, UUID]]:
    """Returns what the tool will know the event's ids as: the child, things and members, that it may ask about."""
    told = str(event.content["data"]["fact"]) + f" {event.about} {event.thing}"
    return [(tool.id, pseudonym(tool.secret, ours), event.about, ours) for ours in ids_in(told)]
