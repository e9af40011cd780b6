"""The time limits of "withdrawn means withdrawn": what each bounds, and that together they are what network awaits."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest

from services.network.effective import LOOK_EVERY_S, RUNS_OUT_S
from shared.access import HOLDS_FOR
from shared.access_authority import HEADS
from shared.db import LIMITS
from shared.errors import Problem, ProblemType
from shared.settings import Settings
from shared.unit_run import Unit
from tests.shared.conftest import Notes
from tests.shared.notes import WRITE, WriteNote, asked, give, grant, person
from tests.shared.scene import Scene, connect
from tests.support.fixtures import DatabaseFactory

SECONDS = re.compile(r"interval '(\d+) seconds'")
EFFECTIVE_WITHIN_S = 8.0
"""The promise."""
DONE_IN_S = 0.4
"""What finishing a withdrawal may take once it is due."""


def bound_s(setting: str) -> float:
    """A setting such as 2s."""
    return float(setting.removesuffix("s"))


async def ends_by_itself(scene: Scene, limits: dict[str, str]) -> bool:
    """A process sleeps between what it releases and its COMMIT: past the limit it can't commit any more."""
    sleeper = await connect(scene.made.dsn, limits)
    await scene.lease()
    sleeping = sleeper.transaction()
    await sleeping.start()
    assert await scene.release(sleeper)
    await asyncio.sleep(bound_s(LIMITS["transaction_timeout"]) + 0.3)
    try:
        await sleeping.commit()
    except (asyncpg.PostgresError, asyncpg.InterfaceError):
        pass
    finally:
        sleeper.terminate()
    return not await scene.one.fetchval("SELECT EXISTS (SELECT FROM journal WHERE school = 'olm')")


async def test_what_slept_past_the_longest_transaction_is_not_committed(scene: Scene) -> None:
    assert await ends_by_itself(scene, LIMITS)


async def test_without_the_longest_transaction_it_would_be(scene: Scene) -> None:
    assert not await ends_by_itself(
        scene, LIMITS | dict.fromkeys(("transaction_timeout", "idle_in_transaction_session_timeout"), "0")
    )


async def test_network_waits_for_the_longest_lease_and_the_longest_transaction(scene: Scene) -> None:
    """One number in each place, and all of them the same promise."""
    text = "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = $1"
    (lease,), (alone,) = [SECONDS.findall(await scene.one.fetchval(text, name)) for name in ("leased", "row_leased")]
    (holds,) = SECONDS.findall(await scene.one.fetchval(text, "commit_changes"))
    assert lease == alone
    assert int(lease) + bound_s(LIMITS["transaction_timeout"]) <= RUNS_OUT_S
    assert int(holds) >= bound_s(LIMITS["transaction_timeout"])
    assert timedelta(seconds=int(holds)) == HOLDS_FOR


def test_whoever_sees_a_withdrawal_last_still_finishes_it_in_time() -> None:
    """The replica that committed it may be gone at once: another sees the row at its next look, and waits from then."""
    assert LOOK_EVERY_S + RUNS_OUT_S + DONE_IN_S <= EFFECTIVE_WITHIN_S


@pytest.mark.parametrize("within_s", [0.0, Settings.model_fields["release_within_s"].default])
async def test_an_answer_whose_commit_came_back_too_late_is_not_released(notes: Notes, within_s: float) -> None:
    """Any commit takes longer than nothing; the line is there, and whoever asked is told to ask again."""
    who, child = person(), uuid4()
    await give(notes.db, child, grant(who.id))
    unit = Unit("goals", notes.db, notes.unit.ids, authority=True, release_within_s=within_s)
    run = unit.run(WRITE, asked(who, WriteNote(child=child, words="late")))
    if within_s:
        assert (await run)["version"] == 1
    else:
        with pytest.raises(Problem, match="too late to be released") as refused:
            await run
        assert refused.value.type is ProblemType.UNAVAILABLE
    assert len(await notes.journal("olm")) == 1


@pytest.mark.parametrize(
    "question",
    [
        HEADS,
        HEADS.replace(
            "WITH asked AS (UPDATE lease_question SET asked = asked + 1 RETURNING asked)", "WITH asked AS (SELECT 1)"
        ),
    ],
    ids=["as_it_is", "only_read"],
)
async def test_heads_are_told_only_where_a_write_comes_back(database: DatabaseFactory, question: str) -> None:
    """A primary that was cut off from its standbys reads as ever, and no write returns: a held row stands for it."""
    made = await database("network")
    owner, relay = await asyncpg.connect(made.owner_dsn), await asyncpg.connect(made.relay_dsn)
    async with owner.transaction():
        await owner.execute("SELECT FROM lease_question FOR UPDATE")
        if question == HEADS:
            with pytest.raises((TimeoutError, asyncpg.LockNotAvailableError)):
                await relay.fetch(question, timeout=1)
        else:
            assert await relay.fetch(question, timeout=20) == []
    assert await relay.fetch(question, timeout=20) == []
    await owner.close()
    await relay.close()
