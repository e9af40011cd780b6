"""What schools set up themselves: sealed, filled in for one person, sent by a process that reaches nothing inside."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiohttp import web
from apprise.manager_plugins import NotificationManager

from services.notifications import channel_settings as settings
from services.notifications import outlets
from services.notifications.channel import Letter, NotSent, Target
from services.notifications.deliveries import ClaimDelivery
from services.notifications.keyring import Keyring
from services.notifications.other import OtherChannel
from services.notifications.outlets import OUTLET, RemoveOutlet, SetOutlet
from services.notifications.reaching import Reach
from services.notifications.schemes import FIXED, HOSTED, KNOWN, filled, scheme_of
from shared.access_projection import by_member
from shared.actor import Actor
from shared.clock import Ids
from shared.errors import Problem
from shared.events.notifications import Channel, NoticeClaimed
from shared.events.words import Action, ActorKind, Category, Purpose, Role, school_subject
from shared.unit import Asked, Change, Request
from tests.notifications.house import CHILD, MEMBER, OTHER, House
from tests.notifications.pushservice import certificate
from tests.notifications.support import ACCESS, LEASE, give_access, grant, journaled

LINK = "https://school.example/berichten"
SECRET = "0123456789abcdef"
URL = f"threema://*SCHOOL1@{SECRET}/{{target}}"
KEYS = Keyring(b"0123456789abcdef0123456789abcdef")


class Service:
    """Keeps what was posted to it."""

    def __init__(self) -> None:
        self.port = 0
        self.status = 200
        self.seen: list[dict[str, Any]] = []
        self.hold = asyncio.Event()
        self.hold.set()

    async def take(self, request: web.Request) -> web.Response:
        self.seen.append(await request.json())
        await self.hold.wait()
        return web.json_response({}, status=self.status)


@asynccontextmanager
async def posted(tls: ssl.SSLContext | None = None) -> AsyncIterator[Service]:
    service, app = Service(), web.Application()
    app.router.add_post("/{path:.*}", service.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    service.port = runner.addresses[0][1]
    try:
        yield service
    finally:
        service.hold.set()
        await runner.cleanup()


def soon() -> float:
    return asyncio.get_running_loop().time() + 4


async def test_one_process_sends_neutral_words_where_it_may_and_nowhere_inside() -> None:
    async with posted() as service:
        inside = OtherChannel(("json",), LINK, 10.0)
        here = OtherChannel(("json",), LINK, 10.0, ("127.0.0.1",))
        url, now = f"json://127.0.0.1:{service.port}/x", datetime.now(UTC)
        try:
            await asyncio.gather(inside.ready(), here.ready())
            with pytest.raises(NotSent, match="address_inside"):
                await inside.send(Letter(uuid4(), uuid4()), Target(url), now, soon())
            assert service.seen == []
            await here.send(Letter(uuid4(), uuid4(), language="nl"), Target(url), now, soon())
            ((told),) = service.seen
            assert (
                told["message"] == f"Samenkracht: Er staat iets nieuws voor u klaar. Log in om het te bekijken: {LINK}"
            )
            for _ in range(2):  # a second one through the same process
                service.status = 500
                with pytest.raises(NotSent, match="outlet_refused") as refusal:
                    await here.send(Letter(uuid4(), uuid4()), Target(url), now, soon())
                assert refusal.value.doubtful
            for bad, code in (("json://", "bad_url"), ("tgram://1:a/b", "scheme_not_allowed")):
                with pytest.raises(NotSent, match=code):
                    await here.send(Letter(uuid4(), uuid4()), Target(bad), now, soon())
        finally:
            await asyncio.gather(inside.close(), here.close())


async def test_a_school_can_not_have_its_secret_sent_to_whoever_answers(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    async with posted(context) as service:
        channel = OtherChannel(("jsons",), LINK, 10.0, ("127.0.0.1",))
        try:
            await channel.ready()
            url = Target(f"jsons://127.0.0.1:{service.port}/x?verify=no")
            with pytest.raises(NotSent, match="outlet_refused"):
                await channel.send(Letter(uuid4(), uuid4()), url, datetime.now(UTC), soon())
        finally:
            await channel.close()
    assert service.seen == []


async def test_nothing_leaves_late_and_a_process_that_hangs_is_ended() -> None:
    async with posted() as service:
        channel = OtherChannel(("json",), LINK, 60.0, ("127.0.0.1",))
        target, letter = Target(f"json://127.0.0.1:{service.port}/x"), Letter(uuid4(), uuid4())
        try:
            await channel.ready()
            with pytest.raises(NotSent, match="claim_too_old"):
                await channel.send(letter, target, datetime.fromtimestamp(0, UTC), soon())
            assert service.seen == []
            service.hold.clear()
            channel._patience_s = 1.0
            with pytest.raises(NotSent, match="outlet_hung") as hung:
                await channel.send(letter, target, datetime.now(UTC), soon())
            assert hung.value.doubtful
            service.hold.set()
            channel._patience_s = 60.0
            await channel.ready()  # a new one
            await channel.send(letter, target, datetime.now(UTC), soon())
        finally:
            await channel.close()


@pytest.mark.filterwarnings("ignore:.imghdr. is deprecated:DeprecationWarning")
def test_services_that_are_allowed_by_default_send_to_their_makers_hosts_only() -> None:
    manager: Any = NotificationManager()  # type: ignore[no-untyped-call]
    schemas = {scheme: manager[scheme] for scheme in KNOWN}

    for scheme in FIXED:
        assert not any("{host}" in template for template in schemas[scheme].templates), scheme
    for scheme in HOSTED:
        assert any("{host}" in template for template in schemas[scheme].templates), scheme
        assert scheme.endswith("s")  # TLS


@pytest.mark.parametrize(
    "url",
    ["threema://x@y", "threema://x@y/{target}/{target}", "threema://x@y/{target}{other}", "{target}", "a://{target}\n",
     "file:///etc/{target}\x00", "ntfys://u:secret@{target}/x", "ntfys://{target}?a=/", "matrixs://{target}:pw@h/#r"],
)  # fmt: skip
def test_a_url_without_one_place_for_the_person_is_none(url: str) -> None:
    assert scheme_of(url) is None


def test_a_persons_part_stays_one_part_of_the_url() -> None:
    assert filled("x://a/{target}", "+31/6?x=1&y#") == "x://a/%2B31%2F6%3Fx%3D1%26y%23"


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> Keyring:
    monkeypatch.setattr(outlets, "keyring", lambda: KEYS)
    return KEYS


async def order(house: House, name: str, body: Request, who: UUID = OTHER) -> dict[str, Any]:
    endpoint = next(one for one in outlets.ENDPOINTS if one.name == name)
    asked = Asked(Actor(who, ActorKind.PERSON, house.school, "portal"), house.school, body, Ids())
    found: dict[str, Any] = await house.unit.run(endpoint, asked)
    return found


async def administered(house: House) -> UUID:
    may = grant(
        OTHER,
        role=Role.SCHOOL_ADMINISTRATOR,
        actions=(Action.VIEW, Action.MANAGE),
        categories=(Category.CONTACT,),
        purposes=(Purpose.ADMINISTRATION, Purpose.GUIDANCE),
    )
    about = school_subject(house.school)
    await give_access(house.db, house.school, about, [may])
    return about


async def test_an_outlets_secret_is_sealed_shown_to_nobody_and_opens_to_send(house: House, keys: Keyring) -> None:
    about = await administered(house)
    await order(house, "set-outlet", SetOutlet(about=about, name="threema", version=0, url=URL))
    async with house.db.school(house.school) as conn:
        sealed = await conn.fetchval("SELECT sealed FROM outlet")
        everything = str([tuple(row) for row in await conn.fetch("SELECT * FROM outlet")])
        everything += str([row[0] for row in await conn.fetch("SELECT event FROM journal")])
    body = outlets.Outlets.model_validate({"about": about, "purpose": "administration"}, strict=False)
    everything += str(await order(house, "outlets", body))
    assert SECRET not in everything
    reach = Reach(house.contact, keys=keys)
    one = {"target": "ABCD1234", "sealed": sealed}
    assert reach.text(house.school, Channel.OTHER, one) == URL.replace("{target}", "ABCD1234")
    with pytest.raises(NotSent, match="outlet_unreadable"):
        reach.text("another-school", Channel.OTHER, one)


async def test_only_who_keeps_the_schools_records_sets_an_outlet(house: House, keys: Keyring) -> None:
    del keys
    about = await administered(house)
    with pytest.raises(Problem, match="may not"):
        await order(house, "set-outlet", SetOutlet(about=about, name="x", version=0, url=URL), MEMBER)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("json://10.0.0.1/{target}", "not allowed"),
        ("ntfys://ntfy.example/{target}", "not allowed"),
        ("dbus://{target}", "not allowed"),
        ("threema://*SCHOOL1@secret/", "one {target}"),
    ],
)
async def test_what_is_not_allowed_is_not_set(house: House, keys: Keyring, url: str, says: str) -> None:
    del keys
    about = await administered(house)
    with pytest.raises(Problem, match=says):
        await order(house, "set-outlet", SetOutlet(about=about, name="x", version=0, url=url))


async def test_an_outlet_changes_its_secret_but_not_its_service(house: House, keys: Keyring) -> None:
    del keys
    about = await administered(house)
    await order(house, "set-outlet", SetOutlet(about=about, name="x", version=0, url=URL))
    with pytest.raises(Problem, match="set a new one"):
        await order(house, "set-outlet", SetOutlet(about=about, name="x", version=1, url="tgram://1:a/{target}"))
    await order(house, "set-outlet", SetOutlet(about=about, name="x", version=1, url=URL.replace("SCHOOL1", "SCHOOL2")))
    with pytest.raises(Problem, match="you saw version 1"):
        await order(house, "remove-outlet", RemoveOutlet(about=about, name="x", version=1))
    await order(house, "remove-outlet", RemoveOutlet(about=about, name="x", version=2))
    async with house.db.school(house.school) as conn:
        assert await conn.fetchval("SELECT count(*) FROM outlet") == 0


ADD = """
INSERT INTO address (school, id, version, member, channel, outlet, target, state, code_misses, codes_sent, added_at)
VALUES ($1, $2, 1, $3, 'other', $4, 'abcd1234', 'verified', 0, 1, clock_timestamp())
"""


@pytest.mark.parametrize("seed", [1])
async def test_whatever_flips_between_queue_and_outlet_every_text_stands_on_a_grant(
    house: House, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Through the real worker process; the outlet's service is a stand-in on this machine."""
    randomness, outlet = Random(seed), uuid4()
    async with posted() as service:
        sealed = KEYS.seal(OUTLET, f"json://127.0.0.1:{service.port}/{{target}}", outlet.bytes, house.school)
        async with house.db.school(house.school) as conn:
            await conn.execute("INSERT INTO outlet VALUES ($1, $2, 1, 'x', 'json', $3)", house.school, outlet, sealed)
            await conn.execute(ADD, house.school, uuid4(), MEMBER, outlet)
        for _ in range(8):
            await house.tell(MEMBER)
        async with house.db.school(house.school) as conn:
            latest = [await conn.fetchval("SELECT version FROM access WHERE id = $1", CHILD)]
        allowed = set(latest)

        async def flip() -> None:
            may = randomness.random() < 0.5
            async with house.db.school(house.school) as conn:
                await conn.execute("SELECT pg_advisory_xact_lock(access_key($1, $2))", house.school, CHILD)
                await conn.execute(ACCESS, house.school, CHILD, by_member([grant(MEMBER)] if may else []))
                await conn.execute(LEASE, house.school)
                latest.append(await conn.fetchval("SELECT version FROM access WHERE id = $1", CHILD))
                if may:
                    allowed.add(latest[-1])

        class Flipping(OtherChannel):
            """Before each claim the grant flips."""

            async def ready(self) -> None:
                await super().ready()
                await flip()

        commit = house.unit._commit

        async def late(asked: Asked[Any], change: Change, *more: Any) -> str:  # noqa: ANN401  passed on as they are
            """Between look and commit the grant flips again, once a delivery; what it is at the commit counts."""
            body = asked.body
            if isinstance(body, ClaimDelivery) and body.delivery not in met:
                met.add(body.delivery)
                await flip()
            status = await commit(asked, change, *more)
            if status == "done" and any(isinstance(one.fact, NoticeClaimed) for one in change.events):
                stood.append(latest[-1] in allowed)
            return status

        met: set[UUID] = set()
        stood: list[bool] = []
        monkeypatch.setattr(house.unit, "_commit", late)
        channel = Flipping(("json",), LINK, 60.0, ("127.0.0.1",))
        more: dict[str, Any] = {
            "kind": Channel.OTHER,
            "channel": lambda: channel,
            "workers": 1,
            "release_within_s": 60.0,
        }
        sender = replace(house.sender(), reach=replace(house.sender().reach, keys=KEYS), **more)
        await sender.send_due(house.school)
    async with house.db.school(house.school) as conn:
        claims = [event for event in await journaled(conn) if event.is_a(NoticeClaimed)]
        states = {row[0] for row in await conn.fetch("SELECT state FROM delivery WHERE channel = 'other'")}
    assert {claim.act.revision for claim in claims} <= allowed
    assert stood == [True] * len(claims)
    assert len(met) == 8
    assert 0 < len(service.seen) == len(claims) < 8, stood
    assert states <= {"sent", "cancelled"}


def test_no_setting_allows_what_is_not_known() -> None:
    with pytest.raises(ValueError, match="json"):
        settings.ChannelSettings(other_schemes=("json",))
