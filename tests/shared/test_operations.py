"""What operators see and do leaves its line first: asked of a real process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pydantic_core
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from shared.actor import EVERY_SCHOOL, Actor, SigningKey, mint
from shared.bus import answer_of
from shared.errors import Problem, ProblemType
from shared.events.base import Event, Viewed
from shared.events.words import ActorKind, school_subject
from shared.operations import Operated
from tests.deploy.support import patient_request
from tests.support.fixtures import DatabaseFactory, LoginFactory, ServiceFactory
from tests.support.servers import Servers

NO_WITNESS = {"SAMEN_WITNESSES": "[]"}
OPERATOR = uuid4()


@dataclass
class Desk:
    """An operator, and a database of goals in which two events of one child and one of another were set aside."""

    school: str
    door: Client
    key: SigningKey
    owner: asyncpg.Connection[asyncpg.Record]
    children: tuple[UUID, UUID]

    async def operate(self, what: str, **body: object) -> Any:  # noqa: ANN401  JSON
        actor = Actor(OPERATOR, ActorKind.OPERATOR, EVERY_SCHOOL, "samen", operator=str(OPERATOR))
        headers = {"Authorization": "Bearer " + mint(self.key, actor, datetime.now(UTC))}
        reply = await patient_request(self.door, f"ops.goals.{what}", pydantic_core.to_json(body), headers=headers)
        return answer_of(reply.data)

    async def lines(self) -> list[tuple[str, str, UUID]]:
        """What the journal tells: type, what was asked, about whom."""
        rows = await self.owner.fetch("SELECT event FROM journal ORDER BY seq")
        events = [Event.parse(row[0].encode()) for row in rows]
        assert {event.act.actor for event in events} <= {OPERATOR}
        return [
            ("looked", event.fact(Viewed).query, event.about)
            if event.is_a(Viewed)
            else ("did", event.fact(Operated).what, event.about)
            for event in events
        ]


@pytest.fixture
async def desk(database: DatabaseFactory, nats_login: LoginFactory, infra: Servers, school: str) -> AsyncIterator[Desk]:
    owner = await asyncpg.connect((await database("goals")).owner_dsn)
    await owner.execute("SELECT set_config('app.school', $1, false)", school)
    await owner.execute("INSERT INTO projection_cursor VALUES ($1, 'network', 1, 3, repeat('0', 64))", school)
    children = (uuid4(), uuid4())
    for seq, child, state in ((1, 0, "parked"), (2, 0, "waiting"), (3, 1, "parked")):
        await owner.execute(
            "INSERT INTO dead_letter VALUES ($1, 'network', $2, $3, '{}', $4, 'poison', 1)",
            school,
            seq,
            children[child],
            state,
        )
    await owner.execute("INSERT INTO under_review VALUES ($1, $2)", school, children[1])
    yield Desk(school, await nats_login("samen"), SigningKey.load(infra.keys.token_key("samen")), owner, children)
    await owner.close()


async def test_status_tells_counts_and_codes_of_nobody_and_writes_nothing(
    desk: Desk, run_service: ServiceFactory
) -> None:
    await run_service("goals", **NO_WITNESS)
    told = await desk.operate("status")
    counts = [(one["producer"], one["state"], one["code"], one["count"]) for one in told["dead_letters"]]
    assert counts == [("network", "parked", "poison", 2), ("network", "waiting", "poison", 1)]
    assert (told["under_review"], told["rebuilding"]) == ({desk.school: 1}, False)
    assert not [child for child in desk.children if str(child) in str(told)]
    assert await desk.operate("schools") == {"schools": [desk.school]}
    assert await desk.lines() == []


async def test_whoever_lists_or_shows_dead_letters_has_a_line_with_every_child(
    desk: Desk, run_service: ServiceFactory
) -> None:
    await run_service("goals", **NO_WITNESS)
    ill, other = desk.children
    listed = await desk.operate("dead-letters")
    assert [(one["seq"], one["about"]) for one in listed["found"]] == [(1, str(ill)), (2, str(ill)), (3, str(other))]
    lines = [("looked", "dead-letters", child) for child in sorted(desk.children)]
    assert await desk.lines() == lines
    shown = await desk.operate("dead-letter", school=desk.school, producer="network", seq=3)
    assert shown == {"event": "{}"}
    lines.append(("looked", "dead-letter", other))
    closed = await desk.operate("under-review")
    assert [one["about"] for one in closed["found"]] == [str(other)]
    lines.append(("looked", "under-review", other))
    assert await desk.lines() == lines
    with pytest.raises(Problem, match="no such dead letter"):
        await desk.operate("dead-letter", school=desk.school, producer="network", seq=9)
    for absurd in ({"seq": 10**24}, {"seq": 2**63}, {"seq": 3, "producer": 7}):
        with pytest.raises(Problem, match="check the names, ids and numbers") as refused:
            await desk.operate("dead-letter", **{"school": desk.school, "producer": "network"} | absurd)
        assert refused.value.type is ProblemType.INVALID
    assert await desk.lines() == lines


async def test_what_cannot_be_journaled_is_not_shown(desk: Desk, run_service: ServiceFactory) -> None:
    await run_service("goals", **NO_WITNESS)
    await desk.owner.execute("REVOKE INSERT ON journal FROM samen_goals")
    for what in ("dead-letters", "under-review"):
        with pytest.raises(Problem) as refused:
            await desk.operate(what)
        assert refused.value.type is ProblemType.UNAVAILABLE
    await desk.owner.execute("GRANT INSERT ON journal TO samen_goals")
    assert (await desk.operate("dead-letters"))["found"]  # the control


async def test_a_stopped_schools_details_are_refused(desk: Desk, run_service: ServiceFactory) -> None:
    """Audit is away, so nobody knows whether this journal is whole: a line in it might reuse a number."""
    await run_service("goals", wait=False)
    assert await desk.operate("dead-letters") == {"found": [], "refused": [desk.school]}
    assert await desk.operate("under-review") == {"found": [], "refused": [desk.school]}
    for what in ("dead-letter", "retry", "replay"):
        with pytest.raises(Problem) as refused:
            await desk.operate(what, school=desk.school, producer="network", seq=3)
        assert refused.value.type is ProblemType.UNAVAILABLE
    assert await desk.lines() == []


async def test_what_an_operator_has_done_leaves_a_line_and_a_rebuild_that_failed_goes_on_by_itself(
    desk: Desk, run_service: ServiceFactory, nats_login: LoginFactory
) -> None:
    await run_service("goals", **NO_WITNESS)
    assert await desk.operate("retry", school=desk.school, producer="network") == {"applied": 0}
    with pytest.raises(Problem, match="no such lane"):
        await desk.operate("retry", school="unknown", producer="network")
    with pytest.raises(Problem, match="goes on by itself"):
        await desk.operate("replay")  # network is away
    about = school_subject(desk.school)
    assert await desk.lines() == [("did", "retry", about), ("did", "replay", about)]
    assert (await desk.operate("status"))["rebuilding"]

    async def replay(message: Msg) -> None:
        asked = pydantic_core.from_json(message.data)
        event = '{"school":"%s","producer":"network","epoch":1,"seq":3,"prevhash":"","type":"x","subject":"%s"}'
        told = [event % (desk.school, about)] if asked["after"] == 0 else []
        await message.respond(pydantic_core.to_json(told))

    await (await nats_login("network")).subscribe("replay.network", queue="network", cb=replay)
    async with asyncio.timeout(20):
        while (await desk.operate("status"))["rebuilding"]:
            pass
