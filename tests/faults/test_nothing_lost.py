"""Kill -9 at random moments while people work: nothing lost, nothing done twice. And the checker can tell."""

from __future__ import annotations

import asyncio
import copy
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.books import Books, Entry
from tests.faults.checker import check
from tests.faults.nemesis import plan
from tests.faults.run import Outcome, play
from tests.faults.stage import private_servers, raised
from tests.support.servers import Servers

SEED = 20
KILLS = 10
RESTS_S = 2.0
"""Somebody is in the middle of something at most kills; a thousand commands more would bring a backlog of mails."""

log = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def outcome(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
    """One run with ten kills, as `make faults` plays with fifty."""

    async def run(folder: Path) -> Outcome:
        async with raised(own, folder) as stage:
            return await play(stage, SEED, KILLS, log.info, RESTS_S)

    with private_servers(servers) as own:
        yield asyncio.run(run(tmp_path_factory.mktemp("faults")))


@pytest.mark.timeout(300)
def test_ten_kills_and_a_wiped_broker_lose_nothing_and_do_nothing_twice(outcome: Outcome) -> None:
    figures = outcome.figures()
    assert outcome.findings == []
    assert figures["kills"] == KILLS
    assert figures["wipes of its store"] == 1
    assert figures["commands answered ok"] >= 20


def test_a_plan_is_a_function_of_its_seed() -> None:
    assert plan(7, 50) == plan(7, 50)
    assert plan(7, 50) != plan(8, 50)
    assert sum(blow.kills for blow in plan(7, 50)) == 50
    assert {blow.target for blow in plan(7, 50) if blow.deed == "kill"} == {
        "network",
        "goals",
        "notifications",
        "gate",
        "audit",
    }


LANE_OF = "faults-a"


def _last(entries: list[Entry], name: str) -> Entry:
    return next(entry for entry in reversed(entries) if entry.name == name)


def _lost_line(books: Books) -> None:
    books.lines[LANE_OF, "goals"].pop()


def _line_twice(books: Books) -> None:
    books.lines[LANE_OF, "network"].append(books.lines[LANE_OF, "network"][-1])


def _lines_out_of_order(books: Books) -> None:
    lines = books.lines[LANE_OF, "goals"]
    lines[0], lines[1] = lines[1], lines[0]


def _gap_in_the_log(books: Books) -> None:
    books.places[LANE_OF].remove(3)


def _lost_event(books: Books) -> None:
    """The last of a journal is gone with its line and its number: only what was answered still knows of it."""
    for kept in (books.journals, books.lines):
        lane = kept[LANE_OF, "goals"]
        lane.remove(_last(lane, "goal.accepted"))


def _hole_in_a_journal(books: Books) -> None:
    books.journals[LANE_OF, "notifications"].pop(2)


def _forged_event(books: Books) -> None:
    entry = books.journals[LANE_OF, "goals"][1]
    entry.text = entry.text.replace("goals", "goalz")


def _reply_forgotten(books: Books) -> None:
    del books.keys[next(key for key in books.keys if key[1] == "goals")]


def _reply_changed(books: Books) -> None:
    key = next(key for key in books.keys if key[1] == "goals")
    books.keys[key] = {**books.keys[key], "version": 99}


def _notice_lost(books: Books) -> None:
    books.notices.pop()


def _notice_twice(books: Books) -> None:
    books.notices.append(books.notices[-1])


def _notice_for_a_stranger(books: Books) -> None:
    """All of one goal's notices: of children whose network changed it is not known who should have been told."""
    told = {entry.content["id"] for _, entry in books.events("goals", "goal.proposed")}
    stranger = "00000000-0000-4000-8000-000000000000"
    books.notices = [
        (school, id_, stranger if source in told else member, source, state)
        for school, id_, member, source, state in books.notices
    ]


def _notice_state(books: Books) -> None:
    *rest, state = books.notices[0]
    school, id_, member, source = rest
    books.notices[0] = (school, id_, member, source, "unread" if state == "done" else "done")


def _row_without_event(books: Books) -> None:
    books.scores.append((LANE_OF, "00000000-0000-4000-8000-000000000001"))


def _event_without_row(books: Books) -> None:
    del books.goals[next(iter(books.goals))]


def _version_skipped(books: Books) -> None:
    key = next(iter(books.goals))
    version, status = books.goals[key]
    books.goals[key] = (version + 1, status)


def _membership_lost(books: Books) -> None:
    del books.members[next(iter(books.members))]


def _old_grants(books: Books) -> None:
    key = next(iter(books.access["goals"]))
    version, grants = books.access["goals"][key]
    books.access["goals"][key] = (version - 1, grants)


def _cursor_behind(books: Books) -> None:
    key = (LANE_OF, "goals", "notifications")
    epoch, seq, hash_ = books.cursors[key]
    books.cursors[key] = (epoch, seq - 1, hash_)


def _dead_letter(books: Books) -> None:
    books.letters.append("notifications: seq 7")


SABOTAGE: list[Callable[[Books], None]] = [
    _lost_line,
    _line_twice,
    _lines_out_of_order,
    _gap_in_the_log,
    _lost_event,
    _hole_in_a_journal,
    _forged_event,
    _reply_forgotten,
    _reply_changed,
    _notice_lost,
    _notice_twice,
    _notice_for_a_stranger,
    _notice_state,
    _row_without_event,
    _event_without_row,
    _version_skipped,
    _membership_lost,
    _old_grants,
    _cursor_behind,
    _dead_letter,
]


@pytest.mark.parametrize("sabotage", SABOTAGE, ids=lambda one: one.__name__.strip("_"))
def test_the_checker_finds_what_was_tampered_with(outcome: Outcome, sabotage: Callable[[Books], None]) -> None:
    books = copy.deepcopy(outcome.books)
    sabotage(books)
    load = outcome.load
    assert check(books, load.said, outcome.since, load.calm_kids()) != []


def test_the_checker_finds_an_answer_that_is_nowhere_written_down(outcome: Outcome) -> None:
    said = copy.deepcopy(outcome.load.said)
    next(one for one in said if one.kind == "ok").key = "no-such-key"
    found = check(outcome.books, said, outcome.since, outcome.load.calm_kids())
    assert any("no-such-key" in finding for finding in found)


def test_the_checker_finds_a_refusal_that_was_carried_out(outcome: Outcome) -> None:
    said = copy.deepcopy(outcome.load.said)
    next(one for one in said if one.kind == "ok").kind = "forbidden"
    assert any("was refused" in f for f in check(outcome.books, said, outcome.since, outcome.load.calm_kids()))
