"""Work for one school goes together while other work is under way."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from shared.groups import SCHOOLS_AT_ONCE, Groups, Overdue


class Bad(Exception):
    """What one item raises."""


class Recorder:
    """Takes groups, one at a time a school, when it is let."""

    def __init__(self) -> None:
        self.groups: list[tuple[str, list[int]]] = []
        self.go = asyncio.Event()
        self.bad: set[int] = set()
        self.failure: type[Exception] = Bad

    async def run(self, school: str, items: Sequence[int]) -> list[int]:
        self.groups.append((school, list(items)))
        await self.go.wait()
        if self.bad.intersection(items):
            raise self.failure
        return [item * 10 for item in items]


async def test_what_arrives_meanwhile_goes_together_next() -> None:
    recorder = Recorder()
    groups = Groups(recorder.run, 4, (Bad,))
    asked = [asyncio.create_task(groups.submit("olm", n)) for n in range(1)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asked += [asyncio.create_task(groups.submit("olm", n)) for n in range(1, 7)]
    await asyncio.sleep(0)
    recorder.go.set()
    assert await asyncio.gather(*asked) == [0, 10, 20, 30, 40, 50, 60]
    assert [len(items) for _, items in recorder.groups] == [1, 4, 2]


async def test_six_schools_do_not_wait_for_each_other() -> None:
    """A seventh does: see the next."""
    assert SCHOOLS_AT_ONCE == 6
    recorder = Recorder()
    groups = Groups(recorder.run, 4, (Bad,))
    schools = [f"s-{n}" for n in range(SCHOOLS_AT_ONCE)]
    asked = [asyncio.create_task(groups.submit(school, 1)) for school in schools]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [school for school, _ in recorder.groups] == schools
    recorder.go.set()
    await asyncio.gather(*asked)


async def test_a_school_beyond_those_under_way_waits_and_takes_along_what_came_meanwhile() -> None:
    recorder = Recorder()
    groups = Groups(recorder.run, 4, (Bad,))
    under_way = [f"s-{n}" for n in range(SCHOOLS_AT_ONCE)]
    asked = [asyncio.create_task(groups.submit(school, 1)) for school in (*under_way, "last")]
    for _ in range(3):
        await asyncio.sleep(0)
    assert [school for school, _ in recorder.groups] == under_way
    asked += [asyncio.create_task(groups.submit("last", n)) for n in (2, 3)]
    await asyncio.sleep(0)
    recorder.go.set()
    await asyncio.gather(*asked)
    assert recorder.groups[-1] == ("last", [1, 2, 3])


async def test_what_clashes_goes_in_another_group_and_keeps_its_turn() -> None:
    recorder = Recorder()
    recorder.go.set()
    groups = Groups(recorder.run, 10, (Bad,))
    row = frozenset({"row"})
    asked = [
        groups.submit("olm", 1, row),
        groups.submit("olm", 2),
        groups.submit("olm", 3, row),
        groups.submit("olm", 4),
    ]
    await asyncio.gather(*asked)
    assert [items for _, items in recorder.groups] == [[1, 2, 4], [3]]


async def test_one_bad_item_does_not_fail_its_neighbours() -> None:
    recorder = Recorder()
    recorder.go.set()
    recorder.bad = {2}
    groups = Groups(recorder.run, 10, (Bad,))
    ended = await asyncio.gather(*(groups.submit("olm", n) for n in (1, 2, 3)), return_exceptions=True)
    assert (ended[0], type(ended[1]), ended[2]) == (10, Bad, 30)


async def test_between_the_items_of_a_bad_group_other_schools_have_their_turn() -> None:
    """Each may take as long as a statement may: all of them in one turn would keep a seventh school waiting for 64."""
    recorder = Recorder()
    recorder.bad = {2}
    groups = Groups(recorder.run, 10, (Bad,))
    ill = [f"s-{n}" for n in range(SCHOOLS_AT_ONCE)]
    asked = [asyncio.create_task(groups.submit(school, n)) for school in ill for n in (1, 2, 3)]
    asked.append(asyncio.create_task(groups.submit("last", 5)))
    for _ in range(3):
        await asyncio.sleep(0)
    assert recorder.groups == [(school, [1, 2, 3]) for school in ill]
    recorder.go.set()
    await asyncio.gather(*asked, return_exceptions=True)
    assert recorder.groups[SCHOOLS_AT_ONCE] == ("last", [5])
    assert len(recorder.groups) == SCHOOLS_AT_ONCE * (1 + 3) + 1


async def test_what_waits_past_the_time_of_its_answer_is_not_begun() -> None:
    now = asyncio.get_running_loop().time()
    recorder = Recorder()
    groups = Groups(recorder.run, 10, (Bad,))
    late = asyncio.create_task(groups.submit("olm", 1, by=now))
    timely = asyncio.create_task(groups.submit("olm", 3, by=now + 60))
    recorder.go.set()
    assert await timely == 30
    with pytest.raises(Overdue):
        await late
    assert recorder.groups == [("olm", [3])]


async def test_what_ails_the_whole_group_is_told_to_all_of_it() -> None:
    recorder = Recorder()
    recorder.go.set()
    recorder.bad, recorder.failure = {2}, ConnectionError
    groups = Groups(recorder.run, 10, (Bad,))
    ended = await asyncio.gather(*(groups.submit("olm", n) for n in (1, 2, 3)), return_exceptions=True)
    assert [type(one) for one in ended] == [ConnectionError] * 3
    with pytest.raises(ConnectionError):
        await groups.submit("olm", 2)
    assert await groups.submit("olm", 5) == 50
