"""Two people at once, each having read before the other wrote: the meeting point makes the race certain."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

from shared.clock import Ids
from shared.db import Database
from shared.errors import Problem, ProblemType
from shared.unit import Asked, Endpoint
from shared.unit_parts import Key
from shared.unit_run import Unit
from tests.goals.support import Desk


class MeetingUnit(Unit):
    """A process whose first read waits until every other one of the race has read too."""

    def __init__(self, db: Database, ids: Ids, meeting: asyncio.Barrier) -> None:
        super().__init__("goals", db, ids)
        self._meeting: asyncio.Barrier | None = meeting

    async def _read(self, endpoint: Endpoint[Any], asked: Asked[Any], key: Key | None, by: float) -> dict[str, Any]:
        raw = await super()._read(endpoint, asked, key, by)
        if self._meeting is not None:
            meeting, self._meeting = self._meeting, None
            await meeting.wait()
        return raw


def two_desks(desk: Desk) -> tuple[Desk, Desk]:
    """Returns two processes of goals on the same database that read before either writes."""
    meeting = asyncio.Barrier(2)
    made = []
    for _ in range(2):
        other = Desk(desk.db, desk.school)
        other.ids = Ids()
        other.child, other.other_child = desk.child, desk.other_child
        other.unit = MeetingUnit(desk.db, other.ids, meeting)
        made.append(other)
    return made[0], made[1]


async def test_two_first_scores_at_once_cannot_both_miss_that_they_diverge(desk: Desk) -> None:
    goal = await desk.goal()
    home, school = two_desks(desk)
    await asyncio.gather(home.score(goal, desk.mother, -1), school.score(goal, desk.teacher, 2))
    names = await desk.names()
    assert (names.count("score.recorded"), names.count("divergence.seen")) == (2, 1)


async def test_two_later_scores_at_once_cannot_both_miss_that_they_diverge(desk: Desk) -> None:
    goal = await desk.goal()
    await desk.score(goal, desk.mother, 0)
    home, school = two_desks(desk)
    await asyncio.gather(
        home.score(goal, desk.mother, -1, day="2026-03-02"), school.score(goal, desk.teacher, 1, day="2026-03-02")
    )
    names = await desk.names()
    assert (names.count("score.recorded"), names.count("divergence.seen")) == (3, 1)


async def test_of_two_steps_at_once_one_is_stale_and_learns_where_the_goal_stands(desk: Desk) -> None:
    goal = await desk.goal("proposed")
    one, other = two_desks(desk)
    outcomes = await asyncio.gather(
        one.ask("accept-goal", desk.teacher, goal=goal, version=1),
        other.ask("reject-goal", desk.mother, goal=goal, version=1, reason="not so"),
        return_exceptions=True,
    )
    (lost,) = [outcome for outcome in outcomes if isinstance(outcome, Problem)]
    (won,) = [outcome for outcome in outcomes if isinstance(outcome, dict)]
    assert lost.type is ProblemType.STALE_VERSION
    assert (lost.more["found"], lost.more["status"]) == (2, won["status"])
    assert len(await desk.names()) == 2


async def test_no_score_lands_on_a_goal_that_was_cancelled_meanwhile(desk: Desk) -> None:
    for first in (False, True):
        goal = await desk.goal()
        if first:
            await desk.score(goal, desk.mother, 0)
        scorer, ender = two_desks(desk)
        scored, ended = await asyncio.gather(
            scorer.score(goal, desk.teacher, 0),
            ender.ask("cancel-goal", desk.teacher, goal=goal, version=3, reason="moved away"),
            return_exceptions=True,
        )
        assert isinstance(ended, dict)
        names = [name for name in await desk.names() if name in {"score.recorded", "goal.cancelled"}]
        assert names[-1] == "goal.cancelled"
        assert isinstance(scored, UUID) or (isinstance(scored, Problem) and scored.type is ProblemType.CONFLICT)
