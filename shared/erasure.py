"""Erasing a child from a service's tables, as network tells it. What must go stands in table `erasable`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from shared.actor import service_id
from shared.db import Connection
from shared.events.base import Act, Event, NewEvent, Viewed
from shared.events.erasure import ChildErased, PersonErased
from shared.events.words import Action, ActorKind, Basis, Category, Purpose
from shared.unit import Asked, Change, Endpoint, Query, Reply, Snapshot

ALL = 2**31 - 1
MARK = "INSERT INTO erased (school, id, version, at) VALUES ($1, $2, 1, clock_timestamp()) ON CONFLICT DO NOTHING"
ERASE = "SELECT erase_rows($1, $2, $3, $4)"


class ErasurePreview(Query):
    """Asks how many rows of each table would go if this child were erased."""

    child: UUID


class ErasurePreviewReply(Reply):
    """How many rows would go, by table."""

    child: UUID
    rows: dict[str, int]


async def mark_erased(conn: Connection, school: str, child: UUID) -> None:
    """Closes a child for good in this service."""
    await conn.execute(MARK, school, child)


async def erase_rows(conn: Connection, kind: str, school: str, id_: UUID, most: int = ALL) -> dict[str, int]:
    """Deletes rows of a child or person, about `most`; returns how many of each table, nothing when none is left."""
    gone: dict[str, int] = await conn.fetchval(ERASE, kind, school, id_, most)
    return gone


async def erase(conn: Connection, events: Sequence[Event], producer: str) -> list[NewEvent]:
    """Does what network's events of an erasure ask of this service; returns what it tells of that.

    The same events again find nothing left, and confirm it once more. A child's rows go in the transaction that moves
    the lane's cursor: a cursor behind which the event lies confirms it.
    """
    told = []
    for event in events:
        if event.is_a(ChildErased):
            await mark_erased(conn, event.school, event.about)
            rows = await erase_rows(conn, "child", event.school, event.about)
            told.append(erased_event(event.fact(ChildErased).erasure, rows, event.about, event.act, producer))
        elif event.is_a(PersonErased):
            await erase_rows(conn, "person", event.school, event.fact(PersonErased).person)
    return told


def erased_event(erasure: UUID, rows: dict[str, int], child: UUID, cause: Act, producer: str) -> NewEvent:
    """Returns the event that this service holds no rows of the child any more."""
    fact = ChildErased(erasure=erasure, rows=rows, things=sum(rows.values()))
    act = act_of_service(producer, cause.on_behalf_of or cause.actor)
    return NewEvent(fact, about=child, act=act, thing=erasure, producer=producer)


def act_of_service(producer: str, on_behalf_of: UUID | None) -> Act:
    """Returns the act of a service that erases, on behalf of who confirmed it."""
    return Act(
        actor=service_id(producer),
        kind=ActorKind.SERVICE,
        door=producer,
        on_behalf_of=on_behalf_of,
        purpose=Purpose.ADMINISTRATION,
        action=Action.MANAGE,
        category=Category.NETWORK,
        basis=Basis.LEGAL_DUTY,
    )


def preview(producer: str) -> Endpoint[Any]:
    """Returns the query that tells what would go here, for those who may ask that a child be erased."""

    def decide(asked: Asked[ErasurePreview], seen: Snapshot) -> Change:
        child = asked.body.child
        permit = seen.require(asked, Action.MANAGE, Category.NETWORK, about=child)
        rows = seen.state["rows"]
        fact = Viewed(query="erasure-preview", things=sum(rows.values()))
        event = NewEvent(fact, about=child, act=permit.act, producer=producer)
        return Change(permits=(permit,), events=(event,), result={"child": str(child), "rows": rows})

    return Endpoint("erasure-preview", ErasurePreview, "read_erasure_preview", decide, ErasurePreviewReply)
