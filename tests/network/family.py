"""A family in a network, with tools to ask and to look at what follows."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from random import Random
from typing import Any
from uuid import UUID

import pytest

from shared.actor import Actor
from shared.errors import Problem, ProblemType
from shared.events.words import Action, Category, Purpose
from tests.network.conftest import FAMILY, Network
from tests.network.facts import allowed

NAMES = ("kim", "mum", "dad", "juf", "ib", "logo")


class Family:
    """Kim, the guardians mum and dad (separated, both with authority), juf, ib and the therapist logo."""

    def __init__(self, network: Network, ids: dict[str, UUID]) -> None:
        self.network = network
        self.kim, self.mum, self.dad = ids["kim"], ids["mum"], ids["dad"]
        self.juf, self.ib, self.logo = ids["juf"], ids["ib"], ids["logo"]

    async def shown(self, person: UUID) -> dict[str, Any]:
        """The person's membership as the administrator sees it."""
        found = await self.network.manage("child-network", child=self.kim, purpose="administration")
        return next(one for one in found["members"] if one["person"] == str(person))

    async def membership(self, person: UUID) -> dict[str, Any]:
        """The body that names the person's membership."""
        one = await self.shown(person)
        return {"subject": self.kim, "membership": one["membership"], "version": one["version"]}

    async def sees(self, who: UUID, category: Category = Category.GOALS) -> bool:
        grants = await self.network.grants(self.kim)
        purposes = (Purpose.GUIDANCE, Purpose.CARE_COORDINATION, Purpose.ADMINISTRATION)
        return any(allowed(grants, who, Action.VIEW, category, one, at=datetime.now(UTC)) for one in purposes)

    def consent(self, **more: object) -> dict[str, Any]:
        return {
            "child": self.kim,
            "for_purpose": "care_coordination",
            "recipient": self.logo,
            "categories": ["goals"],
            "notice_version": 1,
            **more,
        }

    async def both_consent(self) -> str:
        for who in (self.mum, self.dad):
            reply = await self.network.ask("give-consent", who, **self.consent())
        return str(reply["consent"])

    async def events(self, name: str) -> list[dict[str, Any]]:
        """The facts of that name, in order."""
        found = [event for event in await self.network.events() if event.type.endswith(f".{name}.v1")]
        return [dict(event.content["data"]["fact"]) for event in found]


async def settle(network: Network) -> Family:
    """Opens the school and brings the family in."""
    await network.open()
    reply = await network.operate("import-roster", **FAMILY)
    assert reply["refused"] == []
    return Family(network, {name: await network.find(name) for name in NAMES})


async def refused(network: Network, name: str, who: UUID | Actor, /, **body: object) -> Problem:
    with pytest.raises(Problem) as caught:
        await network.ask(name, who, **body)
    return caught.value


async def forbidden(network: Network, name: str, who: UUID | Actor, /, **body: object) -> bool:
    return (await refused(network, name, who, **body)).type is ProblemType.FORBIDDEN


def secret(seed: int = 1) -> str:
    """A secret as a door makes it: 32 random bytes."""
    return urlsafe_b64encode(Random(seed).randbytes(32)).rstrip(b"=").decode()
