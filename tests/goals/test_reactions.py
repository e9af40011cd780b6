from __future__ import annotations

from uuid import UUID

import pytest

from services.goals.reactions import LANES
from shared.actor import service_id
from shared.errors import Problem
from shared.events.base import GENESIS, Act, Event, Fact, NewEvent, stamp
from shared.events.network import AccessChanged, Grant
from shared.events.words import Action, ActorKind, Category, Purpose, Role
from shared.projection import Policy
from tests.goals.support import NOW, Desk, grant, proposal

ACT = Act(
    actor=service_id("network"),
    kind=ActorKind.SERVICE,
    door="network",
    purpose=Purpose.ADMINISTRATION,
    action=Action.MANAGE,
    category=Category.NETWORK,
)


def told(desk: Desk, about: UUID, seq: int, *grants: Grant) -> Event:
    """Returns network's event number `seq`, that these are the subject's grants now."""
    return event_of(desk, AccessChanged(revision=seq, grants=grants), about, seq)


def event_of(desk: Desk, fact: Fact, about: UUID, seq: int) -> Event:
    """Returns a fact as network's event number `seq`."""
    body = NewEvent(fact, about=about, act=ACT).body(desk.school, desk.ids.time_ordered(NOW), NOW)
    numbers = f',"epoch":1,"seq":{seq},"prevhash":"{GENESIS}","recordedat":"{stamp(NOW)}"}}'
    return Event.parse((body[:-1] + numbers).encode())


async def apply(desk: Desk, *events: Event) -> None:
    (lane,) = LANES
    async with desk.db.school(desk.school) as conn:
        assert not await lane.react(conn, events)


def test_a_grant_that_cannot_be_applied_holds_the_lane() -> None:
    assert [(lane.producer, lane.policy) for lane in LANES] == [("network", Policy.BLOCK)]


async def test_what_network_grants_counts_here_and_what_it_takes_away_does_not(desk: Desk) -> None:
    child = UUID(int=77, version=4)
    body = proposal(child, desk.stranger.id)
    await apply(desk, told(desk, child, 1, grant(desk.stranger.id, Role.GUARDIAN)))
    assert (await desk.ask("propose-goal", desk.stranger, **body))["version"] == 1
    await apply(desk, told(desk, child, 2))
    with pytest.raises(Problem, match="forbidden"):
        await desk.ask("propose-goal", desk.stranger, **body)


async def test_an_older_set_of_grants_does_not_come_back(desk: Desk) -> None:
    child = UUID(int=78, version=4)
    given = told(desk, child, 1, grant(desk.stranger.id, Role.GUARDIAN))
    await apply(desk, given, told(desk, child, 2))
    await apply(desk, given)
    with pytest.raises(Problem, match="forbidden"):
        await desk.ask("goals-of-child", desk.stranger, about=child)
