"""The one event that every side carries, and the schools it belongs to. Everything is made up from a seed."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from random import Random
from uuid import UUID

from shared.clock import Ids
from shared.events.base import Act, NewEvent
from shared.events.goals import GoalActivated, Status
from shared.events.words import Action, ActorKind, Category, Purpose

SCHOOLS = tuple(f"bench-{n:02d}" for n in range(16))
CHILDREN = 100

_STARTED_AT = datetime(2026, 9, 1, 8, tzinfo=UTC)


@cache
def children(school: str) -> tuple[UUID, ...]:
    """Returns the made-up children of a school, the same in every process."""
    ids = Ids(Random(f"{school}/children"))
    return tuple(ids.pseudonym() for _ in range(CHILDREN))


@cache
def teacher(school: str) -> UUID:
    """Returns the made-up teacher who asks everything in a school."""
    return Ids(Random(f"{school}/teacher")).pseudonym()


def event(school: str, about: UUID, thing: UUID) -> NewEvent:
    """Returns an event whose body is about 600 bytes, as the products' own are."""
    act = Act(
        actor=teacher(school),
        kind=ActorKind.PERSON,
        door="samen",
        purpose=Purpose.GUIDANCE,
        action=Action.DECIDE,
        category=Category.GOALS,
    )
    return NewEvent(GoalActivated(version=2, previous=Status.ACCEPTED, status=Status.ACTIVE), about, act, thing)


def body(school: str, thing: UUID, at: datetime = _STARTED_AT) -> str:
    """Returns the event's JSON text as a producer without a journal of ours would send it."""
    return event(school, children(school)[thing.int % CHILDREN], thing).body(school, thing, at)
