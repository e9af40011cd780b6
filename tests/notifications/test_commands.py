"""A member's inbox: its own notices only, and only as long as it may be told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pydantic_core
import pytest

from services.notifications.commands import ENDPOINTS
from shared.actor import Actor
from shared.clock import Ids
from shared.db import Database
from shared.errors import Problem, ProblemType
from shared.events.base import Denied, Viewed
from shared.events.words import ActorKind, Basis, Category, Purpose, school_subject
from shared.projection import Applier
from shared.unit import Asked
from shared.unit_run import Unit
from tests.notifications.support import Lane, accepted, act, give_access, grant, journaled, told

CHILD, ACTOR, MEMBER, OTHER = (uuid4() for _ in range(4))
BY_NAME = {endpoint.name: endpoint for endpoint in ENDPOINTS}


async def ask(unit: Unit, school: str, name: str, member: UUID = MEMBER, **body: object) -> dict[str, Any]:
    """Asks as the bus would: the body as JSON."""
    endpoint = BY_NAME[name]
    if endpoint.is_query:
        body = {"purpose": Purpose.GUIDANCE} | body
    actor = Actor(member, ActorKind.PERSON, school, "portal")
    parsed = endpoint.body.model_validate_json(pydantic_core.to_json(body))
    answer: dict[str, Any] = await unit.run(endpoint, Asked(actor, school, parsed, Ids()))
    return answer


async def tell(db: Database, applier: Applier, school: str, times: int = 1) -> Sequence[UUID]:
    """Tells MEMBER and OTHER `times` times that a goal was accepted; returns the goals, oldest first."""
    await give_access(db, school, CHILD, [grant(MEMBER), grant(OTHER)])
    lane, goals = Lane(school), [uuid4() for _ in range(times)]
    for minute, goal in enumerate(goals):
        lane.at = datetime.now(UTC) - timedelta(hours=1) + timedelta(minutes=minute)
        await applier.apply(school, "goals", [lane.add(accepted(), CHILD, act(ACTOR), goal)])
    return goals


async def test_a_member_sees_its_own_notices_newest_first(
    db: Database, applier: Applier, unit: Unit, school: str
) -> None:
    goals = await tell(db, applier, school, times=3)
    inbox = await ask(unit, school, "inbox")
    assert [UUID(notice["thing"]) for notice in inbox["notices"]] == list(reversed(goals))
    assert {(n["kind"], n["state"], n["dutch"]) for n in inbox["notices"]} == {
        ("goal_accepted", "unread", "Een doel is aangenomen. Kijk wat u kunt doen.")
    }


async def test_a_page_goes_on_where_the_last_one_ended(db: Database, applier: Applier, unit: Unit, school: str) -> None:
    goals = await tell(db, applier, school, times=3)
    first = await ask(unit, school, "inbox", limit=2)
    rest = await ask(unit, school, "inbox", limit=2, before=UUID(first["next"]))
    seen = [UUID(notice["thing"]) for page in (first, rest) for notice in page["notices"]]
    assert (seen, rest["next"]) == (list(reversed(goals)), None)


async def test_a_look_is_journaled_for_the_child_with_its_basis(
    db: Database, applier: Applier, unit: Unit, school: str
) -> None:
    await tell(db, applier, school, times=2)
    await ask(unit, school, "inbox")
    async with db.school(school) as conn:
        look = (await journaled(conn))[-1]
    assert (look.about, look.fact(Viewed)) == (CHILD, Viewed(query="inbox", things=2))
    assert (look.act.actor, look.act.basis) == (MEMBER, Basis.PUBLIC_TASK)


async def test_a_look_into_an_empty_inbox_is_journaled_for_the_school(db: Database, unit: Unit, school: str) -> None:
    assert await ask(unit, school, "inbox") == {"notices": [], "next": None}
    async with db.school(school) as conn:
        look = (await journaled(conn))[-1]
    assert (look.about, look.act.basis) == (school_subject(school), Basis.OWN_DATA)


async def test_who_may_no_longer_be_told_sees_the_notice_no_more(
    db: Database, applier: Applier, unit: Unit, school: str
) -> None:
    await tell(db, applier, school)
    notice = (await ask(unit, school, "inbox"))["notices"][0]
    await give_access(db, school, CHILD, [grant(MEMBER, categories=(Category.PLAN,)), grant(OTHER)])
    assert (await ask(unit, school, "inbox"))["notices"] == []
    with pytest.raises(Problem) as refused:
        await ask(unit, school, "read-notice", notice=UUID(notice["notice"]), version=1)
    assert refused.value.type is ProblemType.FORBIDDEN


async def test_read_and_then_done(db: Database, applier: Applier, unit: Unit, school: str) -> None:
    await tell(db, applier, school)
    notice = UUID((await ask(unit, school, "inbox"))["notices"][0]["notice"])
    read = await ask(unit, school, "read-notice", notice=notice, version=1)
    done = await ask(unit, school, "done-notice", notice=notice, version=read["version"])
    assert (read["state"], done) == ("read", {"notice": str(notice), "version": 3, "state": "done"})
    assert (await told(db, school))[-2:] == ["notice.read", "notice.done"]
    assert (await ask(unit, school, "inbox", states=("unread", "read")))["notices"] == []


async def test_an_update_from_an_old_version_is_refused(
    db: Database, applier: Applier, unit: Unit, school: str
) -> None:
    await tell(db, applier, school)
    notice = UUID((await ask(unit, school, "inbox"))["notices"][0]["notice"])
    await ask(unit, school, "read-notice", notice=notice, version=1)
    with pytest.raises(Problem) as refused:
        await ask(unit, school, "done-notice", notice=notice, version=1)
    assert (refused.value.type, refused.value.more["found"]) == (ProblemType.STALE_VERSION, 2)


async def test_a_refusal_names_what_is_allowed_from_here(
    db: Database, applier: Applier, unit: Unit, school: str
) -> None:
    await tell(db, applier, school)
    notice = UUID((await ask(unit, school, "inbox"))["notices"][0]["notice"])
    await ask(unit, school, "read-notice", notice=notice, version=1)
    with pytest.raises(Problem, match="can become done") as refused:
        await ask(unit, school, "read-notice", notice=notice, version=2)
    assert refused.value.more["allowed"] == ["done"]


async def test_anothers_notice_and_no_notice_get_the_same_answer(
    db: Database, applier: Applier, unit: Unit, school: str
) -> None:
    await tell(db, applier, school)
    others = UUID((await ask(unit, school, "inbox", OTHER))["notices"][0]["notice"])
    answers = []
    for notice in (others, uuid4()):
        with pytest.raises(Problem) as refused:
            await ask(unit, school, "read-notice", notice=notice, version=1)
        answers.append(refused.value.to_json())
    assert answers[0] == answers[1]
    async with db.school(school) as conn:
        denials = [event for event in await journaled(conn) if event.is_a(Denied)]
    assert [(denial.about, denial.act.reason) for denial in denials] == [(school_subject(school), "no_grant")] * 2
