"""The process itself, on real servers, with network played by the test: kill -9 between acceptance and our "sent"."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import aiohttp
import pydantic_core
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from nats.aio.client import Client
from nats.aio.msg import Msg

from deploy.keys import private_pem
from services.notifications.door import leaving_link
from services.notifications.keyring import Keyring
from shared.db import Database
from shared.events.base import Act, Event, Fact
from shared.events.membership import MembershipEnded
from shared.events.network import AccessChanged, AuthorityEnded
from shared.events.notifications import NoticeSent
from shared.events.words import Category, Role
from tests.notifications.mailserver import Server, serving
from tests.notifications.support import Lane, act, grant, journaled, make_due, states, told
from tests.support.fixtures import LoginFactory, ServiceFactory
from tests.support.processes import ServiceProcess

CHILD, ACTOR, MEMBER = (uuid4() for _ in range(3))
CANARY = "kanarie-in-het-adres"


class Network:
    """Plays network on the bus: publishes its events, vouches for its access, tells addresses."""

    def __init__(self, client: Client, school: str) -> None:
        self.client = client
        self.school = school
        self.asked: list[bytes] = []
        self.lane = Lane(school, "network", datetime.now(UTC))
        self._head = 0

    async def serve(self) -> None:
        await self.client.subscribe("ask.access", "network", cb=self._access)
        await self.client.subscribe("qry.*.network.>", "network", cb=self._query)
        await self.client.flush()

    async def publish(self, fact: Fact, by: Act) -> Event:
        event = self.lane.add(fact, CHILD, by)
        if isinstance(fact, AccessChanged):
            self._head = event.seq
        await self.client.request(fact.subject(self.school), event.raw)
        return event

    async def _access(self, message: Msg) -> None:
        await message.respond(pydantic_core.to_json({self.school: [1, self._head]}))

    async def _query(self, message: Msg) -> None:
        self.asked.append(message.data)
        await message.respond(pydantic_core.to_json({"ok": {"email": f"{CANARY}@thuis.example"}}))


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving(Server()) as serve:
        yield serve


@pytest.fixture
async def network(nats_login: LoginFactory, school: str) -> Network:
    played = Network(await nats_login("network"), school)
    await played.serve()
    return played


async def running(run_service: ServiceFactory, server: Server, **more: str) -> ServiceProcess:
    return await run_service(
        "notifications", SAMEN_WITNESSES="[]", SAMEN_SMTP_HOST="127.0.0.1", SAMEN_SMTP_PORT=str(server.port), **more
    )


async def tell(network: Network) -> None:
    """Lets a membership end, and MEMBER be one who may be told so."""
    may = grant(MEMBER, categories=(Category.NETWORK,))
    await network.publish(AccessChanged(revision=1, grants=(may,)), act(ACTOR))
    ended = MembershipEnded(membership=uuid4(), member=ACTOR, role=Role.TEACHER, ends_at=network.lane.at, reason="left")
    await network.publish(ended, act(ACTOR))


async def settled(db: Database, school: str, *wanted: str) -> list[str]:
    """Waits until the school's deliveries stand like this."""
    async with asyncio.timeout(20):
        while (found := sorted(state for state, _, _ in await states(db, school))) != sorted(wanted):  # noqa: ASYNC110  another process writes
            await asyncio.sleep(0.05)
    return found


async def test_an_event_on_the_bus_becomes_a_mail_and_its_lines(
    run_service: ServiceFactory, network: Network, server: Server, db: Database, school: str
) -> None:
    process = await running(run_service, server)
    await tell(network)
    await settled(db, school, "sent")
    assert [to for to, _ in server.accepted] == [f"{CANARY}@thuis.example"]
    assert await told(db, school) == ["notice.queued", "notice.claimed", "notice.sent"]
    asked = pydantic_core.from_json(network.asked[0])
    assert asked == {"member": str(MEMBER), "about": str(CHILD), "purpose": "administration"}
    process.stop()
    assert CANARY not in process.log.read_text()


async def test_killed_after_acceptance_it_sends_the_same_mail_again(
    run_service: ServiceFactory, network: Network, server: Server, db: Database, school: str
) -> None:
    process = await running(run_service, server)
    server.hold.clear()
    await tell(network)
    await asyncio.wait_for(server.arrived.wait(), 20)
    process.kill()
    server.hold.set()
    assert [state for state, _, _ in await states(db, school)] == ["claimed"]
    await make_due(db, school)
    process.start()
    await process.ready()
    await settled(db, school, "sent")
    assert len(server.ids) == 2
    assert len(set(server.ids)) == 1
    assert await told(db, school) == ["notice.queued", "notice.claimed", "notice.claimed", "notice.sent"]
    async with db.school(school) as conn:
        sent = (await journaled(conn))[-1]
    assert sent.fact(NoticeSent).doubts == 1


async def test_one_press_on_the_link_in_a_mail_ends_mails_at_once_and_names_nobody(
    run_service: ServiceFactory, network: Network, server: Server, db: Database, school: str, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("s" * 48)
    (tmp_path / "vapid.pem").write_bytes(private_pem(generate_private_key(SECP256R1())))
    port_file = tmp_path / "port"
    process = await running(
        run_service,
        server,
        SAMEN_CHANNEL_SECRET=str(tmp_path / "secret"),
        SAMEN_VAPID_KEY=str(tmp_path / "vapid.pem"),
        SAMEN_DOOR_PORT="0",
        SAMEN_DOOR_PORT_FILE=str(port_file),
        SAMEN_DOOR_URL="https://deur.school.example",
        SAMEN_MAIL_BOUNCES="bounce@school.example",
        SAMEN_BOUNCE_TOKEN="token",
    )
    await tell(network)
    await settled(db, school, "sent")
    link = server.accepted[0][1]["List-Unsubscribe"].strip("<>")
    assert link.startswith("https://deur.school.example/afmelden/")
    for name in (school, str(MEMBER), str(CHILD), CANARY):
        assert name not in link
    here = link.replace("https://deur.school.example", f"http://127.0.0.1:{port_file.read_text()}")
    async with aiohttp.ClientSession() as web:
        async with web.get(here) as shown:
            assert shown.status == 200
        async with web.post(here, data={"List-Unsubscribe": "One-Click"}) as pressed:
            assert pressed.status == 200
        old = leaving_link(Keyring(b"s" * 48), here.partition("/afmelden")[0], school, uuid4(), CHILD)
        async with web.post(old) as pressed:  # of somebody who was erased since
            assert pressed.status == 200
    async with db.school(school) as conn:
        assert [row[0] for row in await conn.fetch("SELECT member FROM address_stop")] == [MEMBER]
    await tell(network)
    await settled(db, school, "sent", "cancelled")
    assert len(server.accepted) == 1
    process.stop()
    assert CANARY not in process.log.read_text()


async def test_events_that_concern_nobody_cause_no_mail(
    run_service: ServiceFactory, network: Network, server: Server, db: Database, school: str
) -> None:
    await running(run_service, server)
    await network.publish(AuthorityEnded(authority=uuid4(), holder=MEMBER, ends_at=network.lane.at), act(ACTOR))
    await tell(network)
    await settled(db, school, "sent")
    assert len(server.accepted) == 1
