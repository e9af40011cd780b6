"""The inbox live, on the real servers: a door hears at once that an inbox changed, and another login never."""

from __future__ import annotations

import asyncio

import pydantic_core
from nats.aio.msg import Msg

from shared.db import Database
from tests.notifications.mailserver import Server
from tests.notifications.test_service import MEMBER, Network, network, running, server, tell
from tests.support.fixtures import LoginFactory, ServiceFactory

__all__ = ["network", "server"]


async def test_a_door_hears_that_an_inbox_changed_and_no_service_does(
    run_service: ServiceFactory, network: Network, server: Server, nats_login: LoginFactory, db: Database, school: str
) -> None:
    del db
    refused: list[Exception] = []
    door, goals = await nats_login("samen"), await nats_login("goals", refused)
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def hear(message: Msg) -> None:
        await heard.put(message.data)

    await door.subscribe(f"note.{school}.{MEMBER}", cb=hear)
    await goals.subscribe("note.>", cb=hear)
    await asyncio.gather(door.flush(), goals.flush())
    await running(run_service, server)
    await tell(network)
    told = pydantic_core.from_json(await asyncio.wait_for(heard.get(), 20))
    assert (told["service"], len(told["notices"])) == ("notifications", 1)
    assert heard.empty()
    assert any("permissions violation" in str(error).lower() for error in refused)
