"""Web Push against a push service: encrypted, neutral, known by our key, never to a place inside, stopped when gone."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from uuid import uuid4

import jwt
import pytest
from aiohttp.abc import ResolveResult
from py_vapid import Vapid02

from services.notifications.channel import Letter, NotSent, Target
from services.notifications.public import is_public
from services.notifications.push import PublicOnly, PushChannel, PushSettings
from services.notifications.push_keys import public_half
from services.notifications.sender import Sender
from services.notifications.subscription import read_subscription
from shared.access_projection import by_member
from shared.errors import Problem
from shared.events.base import Event
from shared.events.notifications import Channel, NoticeClaimed, NoticeSent
from tests.notifications.house import ACTOR, CHILD, MEMBER, House
from tests.notifications.pushservice import HOST, Browser, Here, PushService, pushing
from tests.notifications.support import ACCESS, LEASE, grant, journaled, make_due

LINK = "https://school.example/berichten"
ADD = """
INSERT INTO address (school, id, version, member, channel, target, state, code_misses, codes_sent, added_at)
VALUES ($1, $2, 1, $3, 'push', $4, 'verified', 0, 1, clock_timestamp())
"""


@dataclass
class Pushed:
    """A house whose member has a browser."""

    house: House
    service: PushService
    settings: PushSettings

    async def subscribe(self, path: str = "/push/abc") -> Browser:
        browser = self.service.browser(path)
        text = read_subscription(browser.subscription(), lambda _: True).text()
        async with self.house.db.school(self.house.school) as conn:
            await conn.execute(ADD, self.house.school, uuid4(), MEMBER, text)
        return browser

    def sender(self) -> Sender:
        return replace(self.house.sender(), channel=lambda: PushChannel(self.settings), kind=Channel.PUSH)

    async def states(self) -> list[tuple[str, str | None]]:
        async with self.house.db.school(self.house.school) as conn:
            rows = await conn.fetch("SELECT state, code FROM delivery WHERE channel = 'push' ORDER BY id")
        return [(row["state"], row["code"]) for row in rows]


@pytest.fixture
async def pushed(house: House, tmp_path: Path) -> AsyncIterator[Pushed]:
    vapid = Vapid02()
    vapid.generate_keys()
    async with pushing(tmp_path) as (service, trust):
        settings = PushSettings(
            vapid, "mailto:beheer@school.example", LINK, lambda host: host == HOST, 5.0, Here(), trust
        )
        yield Pushed(house, service, settings)


async def test_what_is_pushed_is_for_one_browser_and_says_nothing(pushed: Pushed) -> None:
    browser = await pushed.subscribe()
    await pushed.house.tell(MEMBER)
    assert await pushed.sender().send_due(pushed.house.school) == 1
    assert await pushed.states() == [("sent", None)]
    ((headers, body),) = pushed.service.accepted
    told = browser.read(body)
    assert (told["link"], set(told)) == (LINK, {"text", "link", "tag"})
    for word in (pushed.house.school, str(CHILD), str(MEMBER), str(ACTOR), "doel"):
        assert word not in json.dumps(told).lower()
        assert word not in str(headers).lower()
    assert (headers["Topic"], headers["Content-Encoding"], headers["Urgency"]) == (told["tag"], "aes128gcm", "normal")
    assert int(headers["TTL"]) > 0
    with pytest.raises(Exception, match=r".*"):
        pushed.service.browser().read(body)  # another's keys read nothing


async def test_a_push_service_knows_us_by_our_key(pushed: Pushed) -> None:
    await pushed.subscribe()
    await pushed.house.tell(MEMBER)
    await pushed.sender().send_due(pushed.house.school)
    ((headers, _),) = pushed.service.accepted
    scheme, _, rest = headers["Authorization"].partition(" ")
    parts = dict(part.strip().split("=", 1) for part in rest.split(","))
    assert (scheme, parts["k"]) == ("vapid", public_half(pushed.settings.vapid))
    claims = jwt.decode(
        parts["t"], pushed.settings.vapid.public_key, ["ES256"], audience=f"https://{HOST}:{pushed.service.port}"
    )
    assert claims["sub"] == "mailto:beheer@school.example"
    assert claims["exp"] - datetime.now(UTC).timestamp() < 24 * 3600


@pytest.mark.parametrize("status", [404, 410])
async def test_a_subscription_that_is_gone_is_taken_away(pushed: Pushed, status: int) -> None:
    await pushed.subscribe()
    await pushed.house.tell(MEMBER)
    pushed.service.status = status
    await pushed.sender().send_due(pushed.house.school)
    assert await pushed.states() == [("failed", "gone")]
    async with pushed.house.db.school(pushed.house.school) as conn:
        assert await conn.fetchval("SELECT count(*) FROM address") == 0
    assert "address.stopped" in await pushed.house.told()


@pytest.mark.parametrize("status", [401, 403])
async def test_a_push_service_that_refuses_our_key_ends_no_subscription(pushed: Pushed, status: int) -> None:
    await pushed.subscribe()
    await pushed.house.tell(MEMBER)
    pushed.service.status = status
    await pushed.sender().send_due(pushed.house.school)
    assert await pushed.states() == [("deferred", f"push_{status}")]
    assert pushed.house.alarms == ["channel_refuses_us"]
    async with pushed.house.db.school(pushed.house.school) as conn:
        assert await conn.fetchval("SELECT count(*) FROM address") == 1
    pushed.service.status = 201
    await make_due(pushed.house.db, pushed.house.school)
    await pushed.sender().send_due(pushed.house.school)
    assert await pushed.states() == [("sent", None)]


async def test_of_two_browsers_one_that_is_gone_keeps_the_other_from_nothing(pushed: Pushed) -> None:
    await pushed.subscribe()
    await pushed.subscribe("/push/two")
    await pushed.house.tell(MEMBER)
    await pushed.sender().send_due(pushed.house.school)
    assert (len(pushed.service.accepted), await pushed.states()) == (2, [("sent", None)])


async def test_of_two_browsers_a_slow_one_does_not_make_the_other_wait(pushed: Pushed) -> None:
    await pushed.subscribe("/push/two")
    await pushed.subscribe("/push/slow")  # the newest comes first
    await pushed.house.tell(MEMBER)
    await pushed.sender().send_due(pushed.house.school)
    assert (len(pushed.service.accepted), await pushed.states()) == (2, [("sent", None)])


async def test_a_busy_push_service_is_left_alone_for_as_long_as_it_asks(pushed: Pushed) -> None:
    await pushed.subscribe()
    await pushed.house.tell(MEMBER)
    pushed.service.status, pushed.service.headers = 429, {"Retry-After": "3600"}
    await pushed.sender().send_due(pushed.house.school)
    assert await pushed.states() == [("deferred", "push_429")]
    async with pushed.house.db.school(pushed.house.school) as conn:
        assert await conn.fetchval(
            "SELECT next_try_at > clock_timestamp() + interval '50 minutes' FROM delivery WHERE channel = 'push'"
        )
    pushed.service.status, pushed.service.headers = 201, {}
    await make_due(pushed.house.db, pushed.house.school)
    await pushed.sender().send_due(pushed.house.school)
    assert await pushed.states() == [("sent", None)]


async def test_nothing_is_pushed_on_a_claim_that_is_too_old(pushed: Pushed) -> None:
    browser = await pushed.subscribe()
    channel = PushChannel(pushed.settings)
    letter = Letter(uuid4(), uuid4())
    with pytest.raises(NotSent, match="claim_too_old"):
        await channel.send(letter, Target(browser.subscription()), datetime.now(UTC), asyncio.get_running_loop().time())
    await channel.close()
    assert pushed.service.accepted == []


class Slow(Here):
    """Takes longer to find the push service than a claim may."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        await asyncio.sleep(0.3)
        return await super().resolve(host, port, family)


async def test_nothing_is_pushed_late_because_the_connection_took_its_time(pushed: Pushed) -> None:
    browser = await pushed.subscribe()
    pushed.settings.resolver = Slow()
    channel, before = PushChannel(pushed.settings), asyncio.get_running_loop().time() + 0.2
    with pytest.raises(NotSent, match="claim_too_old"):
        await channel.send(Letter(uuid4(), uuid4()), Target(browser.subscription()), datetime.now(UTC), before)
    await channel.close()
    assert pushed.service.accepted == []


async def test_a_certificate_that_is_not_trusted_gets_nothing(pushed: Pushed) -> None:
    pushed.settings.tls = ssl.create_default_context()
    await pushed.subscribe()
    await pushed.house.tell(MEMBER)
    await pushed.sender().send_due(pushed.house.school)
    assert (pushed.service.accepted, await pushed.states()) == ([], [("deferred", "push_unreachable")])


async def test_a_name_that_leads_inside_is_not_followed(pushed: Pushed) -> None:
    pushed.settings.resolver = PublicOnly()
    channel = PushChannel(pushed.settings)
    browser = Browser(f"https://localhost:{pushed.service.port}/x")
    pushed.settings.allowed = lambda _: True
    with pytest.raises(NotSent, match="push_unreachable"):
        await channel.send(
            Letter(uuid4(), uuid4()),
            Target(browser.subscription()),
            datetime.now(UTC),
            asyncio.get_running_loop().time() + 4,
        )
    await channel.close()


INSIDE = (
    "127.0.0.1 10.1.2.3 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 ::1 fe80::1%eth0 fc00::1 ::ffff:10.0.0.1 "
    "64:ff9b::a00:1 2002:a00:1:: 224.0.0.1 240.0.0.1 x"
)


@pytest.mark.parametrize("address", INSIDE.split())
def test_an_address_inside_is_no_public_one(address: str) -> None:
    assert not is_public(address)


async def test_a_name_is_resolved_to_public_addresses_only() -> None:
    with pytest.raises(OSError, match="no public address"):
        await PublicOnly().resolve("localhost", 443)
    assert await PublicOnly(lambda _: True).resolve("localhost", 443)


@pytest.mark.parametrize("address", ["8.8.8.8", "2a00:1450:4013:c00::5e"])
def test_an_address_outside_is(address: str) -> None:
    assert is_public(address)


GOOD = Browser("https://fcm.googleapis.com/x").subscription()


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "[]",
        "{}",
        "[" * 3000,
        GOOD.replace("https", "http"),
        GOOD.replace("fcm.googleapis.com", "10.0.0.1"),
        GOOD.replace("fcm.googleapis.com", "[::1]"),
        GOOD.replace("fcm.googleapis.com", "me@fcm.googleapis.com"),
        GOOD.replace("fcm.googleapis.com", "evil.example"),
        GOOD.replace("/x", "/" + "x" * 2000),
        GOOD.replace('"auth": "', '"auth": "AAAA'),
        GOOD.replace('"p256dh": "', '"p256dh": "AAAA'),
    ],
)
def test_what_is_no_subscription_at_a_known_push_service_is_refused(text: str) -> None:
    with pytest.raises(Problem):
        read_subscription(text, lambda host: host == "fcm.googleapis.com")


@pytest.mark.parametrize("seed", [3])
async def test_whatever_flips_between_queue_and_push_every_push_stands_on_a_grant(pushed: Pushed, seed: int) -> None:
    house, randomness = pushed.house, Random(seed)
    await pushed.subscribe()
    for _ in range(8):
        await house.tell(MEMBER)
    async with house.db.school(house.school) as conn:
        allowed = {await conn.fetchval("SELECT version FROM access WHERE id = $1", CHILD)}

    async def flip() -> None:
        for _ in range(10):
            may = randomness.random() < 0.5
            async with house.db.school(house.school) as conn:
                await conn.execute("SELECT pg_advisory_xact_lock(access_key($1, $2))", house.school, CHILD)
                await conn.execute(ACCESS, house.school, CHILD, by_member([grant(MEMBER)] if may else []))
                await conn.execute(LEASE, house.school)
                if may:
                    allowed.add(await conn.fetchval("SELECT version FROM access WHERE id = $1", CHILD))

    await asyncio.gather(flip(), *(pushed.sender().send_due(house.school) for _ in range(2)))
    async with house.db.school(house.school) as conn:
        events: list[Event] = list(await journaled(conn))
    claims = [event for event in events if event.is_a(NoticeClaimed)]
    assert {claim.act.revision for claim in claims} <= allowed
    assert len(pushed.service.accepted) == len(claims) == sum(event.is_a(NoticeSent) for event in events)
