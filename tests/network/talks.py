"""A family that talks: who is round Kim, and short words for what they do in dialogues."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from services.network.dialogue import amsterdam_day
from shared.errors import Problem
from shared.events.base import Event
from tests.network.conftest import FAMILY, Network, adult, link, pupil

Json = dict[str, Any]
FOUNDATION_WORDS = "omdat we het samen doen"
STAFF = [
    adult("smw", roles=["school_social_worker"]),
    adult("vak", roles=["teacher"]),
    adult("rooster", roles=["teacher"]),
]
AROUND_KIM = [*FAMILY["networks"][0]["links"], link("smw", "school_social_worker"), link("vak", "teacher")]
TALKING: dict[str, Any] = {
    "organisations": FAMILY["organisations"],
    "persons": [*FAMILY["persons"], *STAFF, adult("opa"), pupil("bo")],
    "networks": [
        {**FAMILY["networks"][0], "links": AROUND_KIM},
        {
            "at": "users.csv:9",
            "child": "bo",
            "links": [link("mum", "guardian"), link("juf", "teacher")],
            "holders": ["mum"],
        },
    ],
}
NAMES = ("kim", "bo", "mum", "dad", "juf", "ib", "smw", "vak", "logo", "opa", "rooster")


class Talks:
    """Everyone by name, and what they say to each other about Kim."""

    def __init__(self, network: Network, ids: dict[str, UUID], today: date) -> None:
        self.network, self.ids, self.today = network, ids, today

    @classmethod
    async def begin(cls, network: Network) -> Talks:
        await network.open()
        reply = await network.operate("import-roster", **TALKING)
        assert reply["refused"] == []
        ids = {name: await network.find(name) for name in NAMES}
        return cls(network, ids, amsterdam_day(datetime.now(UTC)))

    def __getitem__(self, name: str) -> UUID:
        return self.ids[name]

    def day(self, days: int) -> str:
        return str(self.today + timedelta(days=days))

    async def _ask(self, name: str, who: UUID, **body: object) -> Json:
        return dict(await self.network.ask(name, who, **body))

    async def expect(self, who: str, words: str, *to: str, about: str = "kim", **more: object) -> Json:
        """Voices it to members and settings (home, school, care), by name."""
        settings = [one for one in to if one in {"home", "school", "care"}]
        members = [self[one] for one in to if one not in settings]
        body = {"about": self[about], "words": words, "why": FOUNDATION_WORDS, "members": members} | more
        return await self._ask("voice-expectation", self[who], settings=settings, **body)

    async def promise(self, who: str, words: str, *to: str, **more: object) -> Json:
        settings = [one for one in to if one in {"home", "school", "care"}]
        members = [self[one] for one in to if one not in settings]
        body = {"about": self["kim"], "words": words, "by_on": self.day(14), "members": members} | more
        return await self._ask("make-commitment", self[who], settings=settings, **body)

    async def say(self, what: str, who: str, seen: Json, **more: object) -> Json:
        """Does `what` in the dialogue that `seen` (a reply) is of."""
        one = seen["dialogues"][0] if "dialogues" in seen else seen
        body = {"dialogue": one["dialogue"], "version": one["version"]} | more
        return await self._ask(what, self[who], **body)

    async def answer(self, who: str, seen: Json, answer: str, **more: object) -> Json:
        return await self.say("answer-expectation", who, seen, answer=answer, **more)

    async def reads(self, who: str, about: str = "kim", **more: object) -> list[Json]:
        body = {"about": self[about], "purpose": "guidance"} | more
        return list((await self._ask("expectations", self[who], **body))["expectations"])

    async def words(self, who: str, about: str = "kim", **more: object) -> set[str]:
        """All words that someone can read about Kim."""
        found = await self.reads(who, about, **more)
        return {one["words"] for one in found} | {
            turn["words"] for one in found for turn in one["turns"] if turn["words"]
        }

    async def mine(self, who: str, **more: object) -> list[Json]:
        found = await self._ask("my-expectations", self[who], **({"purpose": "guidance"} | more))
        return list(found["expectations"])

    async def told(self, *kinds: type[Any]) -> list[Event]:
        return [event for event in await self.network.events() if any(event.is_a(kind) for kind in kinds)]


async def refused(acting: Awaitable[object]) -> Problem:
    with pytest.raises(Problem) as caught:
        await acting
    return caught.value


async def move_time(owner_dsn: str, shift: timedelta) -> None:
    """Lets domain time be so far ahead."""
    conn = await asyncpg.connect(owner_dsn)
    try:
        await conn.execute("UPDATE time_shift SET shift = $1", shift)
    finally:
        await conn.close()


def concerned(events: Sequence[Event]) -> list[set[UUID]]:
    """Whom each event names to hear of it."""
    return [{UUID(one) for one in event.content["data"]["fact"]["concerns"]} for event in events]
