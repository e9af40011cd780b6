"""The door for links: a look changes nothing, a press does it, and however many press, each is told how it went."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import aiohttp
import pytest

from services.notifications import door as doors
from services.notifications.address_requests import LeaveChannel
from services.notifications.door import Door, confirming_link, leaving_link
from services.notifications.keyring import BadSeal, Keyring
from services.notifications.leaving import LEAVE
from services.notifications.model import SERVICE
from shared.actor import Actor
from shared.clock import Ids
from shared.errors import Problem, ProblemType
from shared.events.notifications import Channel
from shared.events.words import ActorKind
from shared.unit import Asked
from tests.notifications.house import CHILD, MEMBER, House

KEYS = Keyring(b"0123456789abcdef0123456789abcdef")
NOTICE = UUID(int=77)
PRESS = {"List-Unsubscribe": "One-Click"}


class Pressed:
    """What the door was asked to do."""

    def __init__(self) -> None:
        self.left: list[tuple[str, UUID]] = []
        self.left_all: list[tuple[str, UUID]] = []
        self.codes: list[str] = []
        self.problem: Problem | None = None
        self.mails: list[bytes] = []

    async def leave(self, school: str, member: UUID, everything: bool) -> None:
        if self.problem:
            raise self.problem
        (self.left_all if everything else self.left).append((school, member))

    async def verify(self, school: str, member: UUID, address: UUID, code: str) -> bool:
        assert (school, member, address) == ("berk", MEMBER, NOTICE)
        self.codes.append(code)
        return code == "12345678"

    async def hand_in(self, raw: bytes) -> str:
        self.mails.append(raw)
        return "stopped"

    def door(self) -> Door:
        return Door(KEYS, self.leave, self.verify, self.hand_in, "secret")


@asynccontextmanager
async def opened(door: Door) -> AsyncIterator[str]:
    port = await door.open("127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await door.close()


async def test_a_look_shows_a_button_and_changes_nothing() -> None:
    pressed = Pressed()
    async with opened(pressed.door()) as url, aiohttp.ClientSession() as web:
        link = leaving_link(KEYS, url, "berk", MEMBER, NOTICE)
        async with web.get(link) as shown:
            page = await shown.text()
        assert (shown.status, pressed.left) == (200, [])
        assert re.search('<form method="post" action="([^"]+)"', page)
        for name in ("berk", str(MEMBER), str(NOTICE)):
            assert name not in page + link
        async with web.head(link) as peek:
            assert (peek.status, pressed.left) == (200, [])


async def test_one_press_leaves_and_again_is_the_same() -> None:
    pressed = Pressed()
    async with opened(pressed.door()) as url, aiohttp.ClientSession() as web:
        link = leaving_link(KEYS, url, "berk", MEMBER, NOTICE)
        for _ in range(2):
            async with web.post(link, data=PRESS) as done:
                assert done.status == 200
                assert "geen gewone mails meer" in await done.text()
    assert pressed.left == [("berk", MEMBER)] * 2


async def test_the_pages_second_button_stops_all_mail_and_no_mail_programs_press_does() -> None:
    pressed = Pressed()
    async with opened(pressed.door()) as url, aiohttp.ClientSession() as web:
        link = leaving_link(KEYS, url, "berk", MEMBER, NOTICE)
        async with web.get(link) as shown:
            page = await shown.text()
        assert (page.count("<form"), page.count('name="alles"')) == (2, 1)
        async with web.post(link, data={"alles": "1"}) as done:
            assert "ook niet als iets dringend is" in await done.text()
        assert (pressed.left, pressed.left_all) == ([], [("berk", MEMBER)])
        as_parts = aiohttp.FormData(default_to_multipart=True)
        as_parts.add_field("List-Unsubscribe", "One-Click")
        broken = {"Content-Type": "multipart/form-data; boundary=x"}
        for body, headers in ((as_parts, {}), (b"List-Unsubscribe=One-Click", broken), (b"", {})):
            async with web.post(link, data=body, headers=headers) as done:
                assert done.status == 200
                assert (await done.text()).count("<form") == 1
    assert (len(pressed.left), len(pressed.left_all)) == (3, 1)


async def test_the_link_of_a_notice_is_always_the_same_and_of_another_it_is_another() -> None:
    one = leaving_link(KEYS, "https://d.example/", "berk", MEMBER, NOTICE)
    assert one == leaving_link(KEYS, "https://d.example", "berk", MEMBER, NOTICE)
    assert one != leaving_link(KEYS, "https://d.example", "berk", MEMBER, uuid4())


@pytest.mark.parametrize("change", ["flip", "other_key", "other_use", "cut", "empty"])
async def test_a_link_that_is_not_ours_opens_nothing(change: str) -> None:
    pressed = Pressed()
    async with opened(pressed.door()) as url, aiohttp.ClientSession() as web:
        link = leaving_link(KEYS, url, "berk", MEMBER, NOTICE)
        link = {
            "flip": link[:-6] + ("A" if link[-6] != "A" else "B") + link[-5:],
            "other_key": leaving_link(Keyring(b"x" * 32), url, "berk", MEMBER, NOTICE),
            "other_use": confirming_link(KEYS, url, "berk", MEMBER, NOTICE, "1").replace("bevestigen", "afmelden"),
            "cut": link[:-9],
            "empty": f"{url}/afmelden/x",
        }[change]
        for answer in (web.get(link), web.post(link)):
            async with answer as told:
                assert told.status == 404
    assert pressed.left == []


async def test_an_address_is_confirmed_by_a_press_and_not_by_a_wrong_code() -> None:
    pressed = Pressed()
    async with opened(pressed.door()) as url, aiohttp.ClientSession() as web:
        for code, status in (("12345678", 200), ("00000000", 410)):
            link = confirming_link(KEYS, url, "berk", MEMBER, NOTICE, code)
            async with web.get(link) as shown:
                assert (shown.status, len(pressed.codes)) == (200, 0 if status == 200 else 1)
            async with web.post(link) as done:
                assert done.status == status


async def test_who_can_not_be_served_now_is_told_when_to_come_again() -> None:
    pressed = Pressed()
    pressed.problem = Problem(ProblemType.UNAVAILABLE, "the records cannot be reached: try again")
    door = pressed.door()
    async with opened(door) as url, aiohttp.ClientSession() as web:
        link = leaving_link(KEYS, url, "berk", MEMBER, NOTICE)
        async with web.post(link) as later:
            assert (later.status, later.headers["Retry-After"]) == (503, str(doors.RETRY_AFTER_S))
        pressed.problem = None
        door.waiting = doors.WAITING
        async with web.post(link) as later:
            assert later.status == 503
        door.waiting = 0
        async with web.post(link) as done:
            assert done.status == 200


async def test_mails_that_came_back_are_taken_from_who_shows_the_token_only() -> None:
    pressed = Pressed()
    async with opened(pressed.door()) as url, aiohttp.ClientSession() as web:
        for token, size, status in (("wrong", 10, 401), ("secret", 600_000, 413), ("secret", 10, 200)):
            headers = {"Authorization": f"Bearer {token}"}
            async with web.post(f"{url}/terug", data=b"x" * size, headers=headers) as told:
                assert told.status == status
        async with web.post(f"{url}/terug", data=b"x") as told:
            assert told.status == 401
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
        writer.write(b"POST /terug HTTP/1.0\r\nAuthorization: Bearer \xff\r\nContent-Length: 0\r\n\r\n")
        assert b" 401 " in await reader.readline()
        writer.close()
        await writer.wait_closed()
    assert pressed.mails == [b"x" * 10]


async def test_five_hundred_who_press_at_once_each_get_an_answer_and_each_is_stopped_once(house: House) -> None:
    members = [uuid4() for _ in range(250)]

    async def leave(school: str, member: UUID, everything: bool) -> None:
        assert not everything
        actor = Actor(member, ActorKind.PERSON, school, SERVICE)
        await house.unit.run(LEAVE, Asked(actor, school, LeaveChannel(channel=Channel.MAIL), Ids()))

    door = Door(KEYS, leave, Pressed().verify)
    async with opened(door) as url, aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as web:

        async def press(member: UUID) -> int:
            async with web.post(leaving_link(KEYS, url, house.school, member, CHILD), data=PRESS) as told:
                return told.status

        statuses = Counter(await asyncio.gather(*(press(member) for member in members * 2)))
    assert statuses == {200: 500}
    async with house.db.school(house.school) as conn:
        assert await conn.fetchval("SELECT count(*) FROM address_stop") == 250
    assert (await house.told()).count("address.stopped") == 250


def test_what_is_sealed_for_one_use_or_one_school_opens_in_no_other() -> None:
    sealed = KEYS.seal("outlet", "x://y", b"seed", "berk")
    assert KEYS.open("outlet", sealed, "berk") == "x://y"
    for use, school in (("outlet", "linde"), ("afmelden", "berk")):
        with pytest.raises(BadSeal):
            KEYS.open(use, sealed, school)
