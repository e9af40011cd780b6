"""Withdrawals that are due are finished, each for itself; and when they are looked at again."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from random import Random
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from services.network.effective import LOOK_EVERY_S, Effects, Key, Pending, next_look_s
from shared.clock import Clock, Ids
from shared.errors import Transient
from tests.audit.support import act

BAD: Key = ("olm", UUID(int=1, version=4))
OTHERS: list[Key] = [("olm", UUID(int=2, version=4)), ("wilg", UUID(int=3, version=4))]
NOW = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)


class Rows:
    """Withdrawals in a database that fails with one of them, or is away."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error
        self.act: object = act().model_dump(mode="json")
        self.away = False
        self.finished: list[UUID] = []
        self.appended: list[str] = []

    @asynccontextmanager
    async def school(self, _: str) -> AsyncIterator[Rows]:
        yield self

    async def rows(self, _: str) -> list[dict[str, Any]]:
        return [{"school": school, "id": id_} for school, id_ in (BAD, *OTHERS)]

    async def fetchval(self, sql: str, _school: str, id_: UUID | None = None) -> object:
        self._fail(id_)
        return False if "waits" in sql else 7

    async def fetchrow(self, _sql: str, _school: str, id_: UUID, _how: str, *_: object) -> dict[str, Any]:
        self._fail(id_)
        self.finished.append(id_)
        found = {} if id_ == BAD[1] and self.error is None else self.act
        return {"effective_at": NOW, "act": found, "subject": id_, "thing": id_}

    async def execute(self, _sql: str, school: str, *_: object) -> None:
        self.appended.append(school)

    async def alive(self) -> bool:
        return not self.away

    def _fail(self, id_: UUID | None) -> None:
        if self.error is not None and (self.away or id_ == BAD[1]):
            raise self.error


def site(db: Rows) -> Any:  # noqa: ANN401  as much of a Site as is used
    return SimpleNamespace(
        db=db,
        loop=SimpleNamespace(time=lambda: 10.0),
        guard=SimpleNamespace(stopped=lambda _: None),
        relay=SimpleNamespace(wake=lambda _: None),
        settings=SimpleNamespace(consumers=["goals"]),
        ids=Ids(Random(1)),
        clock=Clock(),
    )


def due() -> Effects:
    effects = Effects()
    effects._pending = {key: Pending(7, 9.0) for key in (BAD, *OTHERS)}
    return effects


@pytest.mark.parametrize(
    "error", [None, TimeoutError(), asyncpg.LockNotAvailableError(), Transient(), KeyError("x")], ids=repr
)
async def test_a_withdrawal_that_fails_leaves_the_others_alone(error: Exception | None) -> None:
    """None: what is stored of it cannot be read. It is tried again, behind them."""
    db, effects = Rows(error), due()
    await effects._finish_due(site(db))
    assert db.appended == ["olm", "wilg"]
    assert list(effects._pending) == [BAD]
    effects._pending[OTHERS[0]] = Pending(8, 9.0)
    await effects._finish_due(site(db))
    assert list(effects._pending) == [BAD]


async def test_a_withdrawal_that_cannot_be_taken_up_leaves_the_others_alone() -> None:
    effects = Effects()
    await effects._look(site(Rows(TimeoutError())))
    assert set(effects._pending) == set(OTHERS)


async def test_while_the_database_is_away_nothing_is_tried_one_by_one() -> None:
    db, effects = Rows(ConnectionRefusedError()), due()
    db.away = True
    with pytest.raises(ConnectionRefusedError):
        await effects._finish_due(site(db))
    assert list(effects._pending) == [BAD, *OTHERS]


def test_the_next_look_is_when_one_falls_due_and_what_failed_waits_for_the_regular_one() -> None:
    assert next_look_s([], 10.0, 10.1) == LOOK_EVERY_S
    assert next_look_s([Pending(1, 10.3), Pending(1, 16.0)], 10.0, 10.1) == pytest.approx(0.2)
    assert next_look_s([Pending(1, 10.05)], 10.0, 10.1) == 0.0  # fell due while others were finished
    assert next_look_s([Pending(1, 9.9)], 10.0, 10.1) == LOOK_EVERY_S


async def test_by_the_clock_it_says_who_had_not_confirmed_and_which_tools_were_not_reached() -> None:
    effects, tool = Effects(), uuid4()
    effects._site = here = site(Rows(None))
    here.settings.consumers = ["goals", "gate"]

    async def announce(consumer: str, seq: int, **more: object) -> None:
        said = {"network": {"olm": [1, seq, ""]}, **more}
        await effects._hear(SimpleNamespace(subject=f"cursor.{consumer}", data=json.dumps(said).encode()))  # type: ignore[arg-type]

    await announce("goals", 7)
    assert effects.unconfirmed(here, "olm", 7) == (("gate",), ()), "a gate that is down names no tool"
    await announce("gate", 6, waits={"olm": [str(tool)]})
    assert effects.unconfirmed(here, "olm", 7) == (("gate",), (tool,))
    await announce("gate", 7)
    assert (effects.unconfirmed(here, "olm", 7), effects.confirmed(here, "olm", 7)) == (((), ()), True)
