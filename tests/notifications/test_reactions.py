"""Events of goals and network become notices: for the right people, once, however often an event comes."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from services.notifications.reactions import on_goals
from shared.actor import service_id
from shared.db import Connection, Database
from shared.errors import Transient
from shared.events.base import Viewed
from shared.events.dialogue import DialogueState, ReviewDue
from shared.events.erasure import ErasureAsked, ErasureReason
from shared.events.goals import DivergenceSeen
from shared.events.network import AccessChanged, ConsentAsked, ConsentState, RecipientKind
from shared.events.notifications import NoticeQueued
from shared.events.words import Action, ActorKind, Category, Purpose, Setting
from shared.projection import Applier
from tests.notifications.support import NOW, Lane, accepted, act, give_access, grant, journaled, told

CHILD, ACTOR, MEMBER, OTHER = (uuid4() for _ in range(4))


async def inboxes(conn: Connection) -> list[tuple[UUID, str]]:
    rows = await conn.fetch("SELECT member, kind FROM notice ORDER BY occurred_at, kind, member")
    return [(row["member"], row["kind"]) for row in rows]


async def test_an_accepted_goal_is_told_to_those_round_the_child(db: Database, applier: Applier, school: str) -> None:
    await give_access(db, school, CHILD, [grant(ACTOR), grant(MEMBER), grant(OTHER)])
    goal = uuid4()
    event = Lane(school).add(accepted(), CHILD, act(ACTOR), goal)
    await applier.apply(school, "goals", [event])
    async with db.school(school) as conn:
        assert await inboxes(conn) == [(member, "goal_accepted") for member in sorted((MEMBER, OTHER))]
        assert await conn.fetchval("SELECT count(*) FROM delivery WHERE state = 'queued'") == 2
        queued = await journaled(conn)
    assert [e.fact(NoticeQueued).recipient for e in queued] == sorted((MEMBER, OTHER))
    assert {e.fact(NoticeQueued).source for e in queued} == {event.id}
    assert {(e.about, e.act.on_behalf_of) for e in queued} == {(CHILD, ACTOR)}


async def test_a_redelivered_event_makes_nothing_again(db: Database, applier: Applier, school: str) -> None:
    await give_access(db, school, CHILD, [grant(MEMBER)])
    lane = Lane(school)
    events = [lane.add(accepted(), CHILD, act(ACTOR)) for _ in range(2)]
    for run in (events[:1], events, events[1:]):
        await applier.apply(school, "goals", run)
    async with db.school(school) as conn:
        assert len(await inboxes(conn)) == 2
    assert await told(db, school) == ["notice.queued"] * 2


async def test_even_past_the_cursor_a_notice_is_made_once(db: Database, school: str) -> None:
    await give_access(db, school, CHILD, [grant(MEMBER)])
    event = Lane(school).add(accepted(), CHILD, act(ACTOR))
    async with db.school(school) as conn:
        first, second = [await on_goals(conn, [event]) for _ in range(2)]
        assert (len(first), len(second)) == (1, 0)
        assert await conn.fetchval("SELECT count(*) FROM delivery") == 1


async def test_looks_and_unknown_children_tell_nobody(db: Database, applier: Applier, school: str) -> None:
    await give_access(db, school, CHILD, [grant(MEMBER)])
    lane = Lane(school)
    look = lane.add(Viewed(query="goal", things=1), CHILD, act(ACTOR))
    unknown = lane.add(accepted(), uuid4(), act(ACTOR))
    await applier.apply(school, "goals", [look, unknown])
    assert await told(db, school) == []


async def test_who_keeps_the_records_is_told_that_a_file_is_to_be_erased(
    db: Database, applier: Applier, school: str
) -> None:
    records = {"categories": (Category.IDENTITY,), "purposes": (Purpose.ADMINISTRATION,)}
    keeps = grant(MEMBER, **records, actions=(Action.MANAGE, Action.RECEIVE))
    await give_access(db, school, CHILD, [keeps, grant(OTHER, categories=(Category.IDENTITY,))])
    fact = ErasureAsked(erasure=uuid4(), reason=ErasureReason.DUPLICATE)
    await applier.apply(school, "network", [Lane(school, "network").add(fact, CHILD, act(ACTOR))])
    async with db.school(school) as conn:
        assert await inboxes(conn) == [(MEMBER, "erasure_asked")]


async def test_a_divergence_is_told_to_those_who_may_know_of_scores(
    db: Database, applier: Applier, school: str
) -> None:
    await give_access(db, school, CHILD, [grant(MEMBER), grant(OTHER, categories=(Category.GOALS,))])
    fact = DivergenceSeen(lower=Setting.HOME, lower_level=-2, higher=Setting.SCHOOL, higher_level=1)
    await applier.apply(school, "goals", [Lane(school).add(fact, CHILD, act(ACTOR))])
    async with db.school(school) as conn:
        assert await inboxes(conn) == [(MEMBER, "divergence_seen")]


def access(*members: UUID) -> AccessChanged:
    able = {"categories": (Category.NETWORK, Category.GOALS), "actions": (Action.RECEIVE, Action.CONSENT)}
    return AccessChanged(revision=1, grants=tuple(grant(member, **able) for member in members))


async def test_a_goals_event_waits_for_the_grants_it_was_judged_by(db: Database, applier: Applier, school: str) -> None:
    network = Lane(school, "network")
    added = network.add(access(MEMBER), CHILD, act(ACTOR))
    goal = Lane(school).add(accepted(), CHILD, act(ACTOR, revision=1))
    with pytest.raises(Transient):
        await applier.apply(school, "goals", [goal])
    await applier.apply(school, "network", [added])
    await applier.apply(school, "goals", [goal])
    assert await told(db, school) == ["notice.queued"]


async def test_holders_are_told_that_they_are_asked(db: Database, applier: Applier, school: str) -> None:
    network = Lane(school, "network")
    asked = ConsentAsked(
        consent=uuid4(),
        consent_version=1,
        for_purpose=Purpose.CARE_COORDINATION,
        recipient_kind=RecipientKind.MEMBER,
        recipient=OTHER,
        categories=(Category.GOALS,),
        notice_version=1,
        starts_at=NOW,
        ends_at=NOW + timedelta(days=365),
        state=ConsentState.ASKED,
    )
    events = [network.add(access(MEMBER), CHILD, act(ACTOR)), network.add(asked, CHILD, act(ACTOR))]
    await applier.apply(school, "network", events)
    async with db.school(school) as conn:
        assert await inboxes(conn) == [(MEMBER, "consent_asked")]


async def test_one_schools_event_tells_nobody_of_another(db: Database, applier: Applier, school: str) -> None:
    await give_access(db, f"{school}-b", CHILD, [grant(MEMBER)])
    await applier.apply(school, "goals", [Lane(school).add(accepted(), CHILD, act(ACTOR))])
    assert await told(db, school) == await told(db, f"{school}-b") == []


async def test_a_review_that_falls_due_is_told_to_both_sides_and_to_nobody_else(
    db: Database, applier: Applier, school: str
) -> None:
    hears = {"categories": (Category.EXPECTATIONS,)}
    await give_access(db, school, CHILD, [grant(member, **hears) for member in (ACTOR, MEMBER, OTHER)])
    fact = ReviewDue(
        expectation=uuid4(),
        dialogue=uuid4(),
        dialogue_version=3,
        state=DialogueState.AGREED,
        turn_of=None,
        concerns=(ACTOR, MEMBER),
        commitment=uuid4(),
        review_on=NOW.date(),
    )
    by = act(service_id("network"), kind=ActorKind.SERVICE, category=Category.EXPECTATIONS)
    await applier.apply(school, "network", [Lane(school, "network").add(fact, CHILD, by)])
    async with db.school(school) as conn:
        assert await inboxes(conn) == [(member, "review_due") for member in sorted((ACTOR, MEMBER))]
