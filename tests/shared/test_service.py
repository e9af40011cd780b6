"""A service process, as it starts, answers and stops."""

from __future__ import annotations

import asyncio
import json
import os
import time
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
import pydantic_core
import pytest
from nats.aio.client import Client

from services.goals.commands import ENDPOINTS
from shared.actor import Actor, SigningKey, mint
from shared.bus import answer_of
from shared.clock import Ids
from shared.db import Database
from shared.errors import Problem, ProblemType
from shared.events.base import Act, NewEvent, Viewed
from shared.events.words import Action, ActorKind, Category, Purpose
from shared.journal import append
from tests.deploy.support import patient_request
from tests.faults.stage import until
from tests.support.fixtures import DatabaseFactory, LoginFactory, ServiceFactory
from tests.support.servers import EmbeddedServers, Servers

NO_WITNESS = {"SAMEN_WITNESSES": "[]"}
NOBODY = "nobody listens any more"


async def test_a_service_becomes_ready(run_service: ServiceFactory) -> None:
    process = await run_service("goals", **NO_WITNESS)
    details = process.details()
    assert (details["checked"], details["consumer"], details["nats"], details["database"]) == (True,) * 4


@pytest.mark.parametrize("running", [False, True], ids=["at start", "later"])
async def test_a_service_ends_where_the_domains_time_was_shifted(
    run_service: ServiceFactory, database: DatabaseFactory, *, running: bool
) -> None:
    made = await database("goals")
    owner = await asyncpg.connect(made.owner_dsn)
    process = await run_service("goals", **NO_WITNESS) if running else None
    await owner.execute("UPDATE time_shift SET shift = '1 day'")
    process = process or await run_service("goals", wait=False, **NO_WITNESS)
    await until(lambda: asyncio.to_thread(lambda: process.process.poll() is not None), 30, "the end of the process")
    assert process.process.returncode == os.EX_CONFIG
    assert "time_shifted" in process.log.read_text()
    await owner.close()


async def test_without_its_witness_a_service_answers_nothing(
    run_service: ServiceFactory, nats_login: LoginFactory, infra: Servers, school: str
) -> None:
    """Audit is away: a restored database could not be noticed, so nothing is told."""
    process = await run_service("goals", wait=False)
    door = await nats_login("samen")
    while process.get("/live")[0] != 200:  # noqa: ASYNC110  another process
        await asyncio.sleep(0.05)
    body = pydantic_core.to_json({"about": uuid4(), "purpose": "guidance"})
    subject = f"qry.{school}.goals.goals-of-child"
    reply = await patient_request(door, subject, body, headers=_headers(infra, school))
    with pytest.raises(Problem, match="are being checked") as refused:
        answer_of(reply.data)
    assert refused.value.type is ProblemType.UNAVAILABLE
    assert not process.details()["ready"]


async def test_a_service_whose_consumer_is_dead_is_not_ready_until_it_lives_again(
    own_servers: EmbeddedServers, run_service: ServiceFactory, bus: Client
) -> None:
    """Its durable is gone and nobody makes it again: the process runs, and would never hear of an event."""
    process = await run_service("goals", **NO_WITNESS)

    async def told(ready: int) -> bool:
        return (await asyncio.to_thread(process.get, "/ready"))[0] == ready

    await asyncio.to_thread(own_servers.stop_provisioner)
    gone = json.loads((await bus.request("$JS.API.CONSUMER.DELETE.EVENTS.goals--events", b"")).data)
    assert gone["success"]
    await until(lambda: told(503), 20, "it says that it is not ready")
    details = process.details()
    assert (details["consumer"], details["nats"], details["database"], details["checked"]) == (False, True, True, True)
    await asyncio.to_thread(own_servers.start_provisioner)
    await until(lambda: told(200), 20, "it is ready again")


async def test_every_request_under_way_is_answered_when_the_service_is_asked_to_stop(
    run_service: ServiceFactory, nats_login: LoginFactory, infra: Servers, school: str
) -> None:
    """People ask on and on: when it is told to stop, some requests are under way, and the service answers them."""
    process = await run_service("goals", **NO_WITNESS)
    door = await nats_login("samen")
    loop = asyncio.get_running_loop()
    answers: list[tuple[float, float]] = []

    async def go_on_asking() -> None:
        while True:
            sent_at = loop.time()
            with pytest.raises(Problem) as refused:  # anything else, no answer above all, fails
                await _ask(door, infra, school)
            if refused.value.detail == NOBODY:
                return
            answers.append((sent_at, loop.time()))

    asking = [asyncio.create_task(go_on_asking()) for _ in range(60)]
    await until(lambda: len(answers) > 60, 20, "everyone is at it")
    told_at = loop.time()
    process.process.terminate()
    await asyncio.gather(*asking)
    assert await asyncio.to_thread(process.stop) == 0
    assert any(sent_at < told_at < answered_at for sent_at, answered_at in answers)


async def test_an_answer_goes_to_inboxes_only(
    run_service: ServiceFactory, nats_login: LoginFactory, bus: Client, infra: Servers, school: str
) -> None:
    """A reply subject of the caller's choice would carry the service's own rights."""
    await run_service("goals", **NO_WITNESS)
    door = await nats_login("samen")
    heard: list[str] = []

    async def hear(message: object) -> None:
        heard.append(type(message).__name__)

    await bus.subscribe("evt.>", cb=hear)
    await bus.flush()
    forged = f"evt.{school}.goals.goal.proposed"
    await door.publish(f"qry.{school}.goals.goals-of-child", b"{}", reply=forged, headers=_headers(infra, school))
    with pytest.raises(Problem) as refused:  # the control: the same with an inbox is answered, behind the other
        await _ask(door, infra, school)
    assert refused.value.detail != NOBODY
    await bus.flush()
    assert heard == []


async def test_an_answer_carries_nothing_of_the_requests_headers(
    run_service: ServiceFactory, nats_login: LoginFactory, infra: Servers, school: str
) -> None:
    """The token among them would go over the bus a second time."""
    await run_service("goals", **NO_WITNESS)
    subject, body = f"qry.{school}.goals.goals-of-child", b"{}"
    reply = await patient_request(await nats_login("samen"), subject, body, headers=_headers(infra, school))
    assert reply.data
    assert reply.headers is None


async def test_no_work_is_done_past_a_requests_deadline(
    run_service: ServiceFactory, nats_login: LoginFactory, database: DatabaseFactory, infra: Servers, school: str
) -> None:
    """The journal is locked, so that it is tried again and again; longer than the request lasts."""
    await run_service("goals", **NO_WITNESS)
    door = await nats_login("samen")
    body = pydantic_core.to_json({"about": uuid4(), "purpose": "guidance"})
    owner = await asyncpg.connect((await database("goals")).owner_dsn)
    await owner.execute("SELECT set_config('app.school', $1, false)", school)
    known = "INSERT INTO access (school, id, version, grants, epoch, seq) VALUES ($1, $2, 1, '{}', 1, 1)"
    await owner.execute(known, school, uuid4())  # of a school that is not known no denial is committed
    async with owner.transaction():
        await owner.execute("LOCK TABLE journal_head IN EXCLUSIVE MODE")
        headers = _headers(infra, school) | {"Deadline": str(int((time.time() + 0.7) * 1000))}
        reply = await patient_request(door, f"qry.{school}.goals.goals-of-child", body, headers=headers)
    await owner.close()
    with pytest.raises(Problem, match="the deadline had passed: nothing was done"):
        answer_of(reply.data)


async def test_what_is_in_the_journal_is_published_before_a_service_ends(
    run_service: ServiceFactory, database: DatabaseFactory, bus: Client, school: str
) -> None:
    """What another replica committed just before, and this one would have found by its next slow poll."""
    process = await run_service("goals", **NO_WITNESS)
    while not process.details()["relay"]["active"]:  # noqa: ASYNC110  another process
        await asyncio.sleep(0.05)
    db = await Database.connect((await database("goals")).dsn, 1)
    act = Act(
        actor=uuid4(),
        kind=ActorKind.SERVICE,
        door="goals",
        purpose=Purpose.GUIDANCE,
        action=Action.VIEW,
        category=Category.GOALS,
    )
    event = NewEvent(Viewed(query="goal", things=1), uuid4(), act, producer="goals")
    async with db.school(school) as conn:
        await append(conn, school, [event], Ids(), datetime.now(UTC))
    assert await asyncio.to_thread(process.stop) == 0
    await db.close()
    found = await bus.request(
        "$JS.API.DIRECT.GET.EVENTS", pydantic_core.to_json({"last_by_subj": f"evt.{school}.goals.>"})
    )
    assert pydantic_core.from_json(found.data)["seq"] == 1


def _headers(infra: Servers, school: str) -> dict[str, str]:
    key = SigningKey.load(infra.keys.token_key("samen"))
    actor = Actor(uuid4(), ActorKind.PERSON, school, "samen")
    return {"Authorization": "Bearer " + mint(key, actor, datetime.now(UTC))}


async def _ask(door: Client, infra: Servers, school: str) -> object:
    body = {"about": str(uuid4()), "purpose": "guidance"}
    assert "goals-of-child" in {endpoint.name for endpoint in ENDPOINTS}
    try:
        reply = await door.request(
            f"qry.{school}.goals.goals-of-child",
            pydantic_core.to_json(body),
            timeout=20,
            headers=_headers(infra, school),
        )
    except Exception as error:  # nobody listens any more: nothing was done
        if type(error).__name__ == "NoRespondersError":
            raise Problem(ProblemType.UNAVAILABLE, NOBODY) from None
        raise
    return answer_of(reply.data)
