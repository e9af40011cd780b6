"""The judge on a real database: the same verdicts as on the whole history, page by page, kept once, out of the way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import asyncpg
import pytest

from deploy.databases import ServiceDatabase
from services.audit.judging import judge_all, judge_next, mark_told, page
from shared.errors import Problem
from shared.events.base import Event, Viewed
from shared.events.words import Basis, Purpose, Role
from shared.service import Site
from tests.audit.histories import SLUG, History
from tests.audit.plants import PLANTS, before_start, beyond_purpose, break_glass_without_review
from tests.audit.support import AUDITOR, MOTHER, Journal, Log, as_owner, log_grant

FOUND = "SELECT idx, code, part, says, shows FROM finding ORDER BY idx, code"


@pytest.fixture
def school() -> str:
    return SLUG


async def logged(log: Log, history: History) -> list[Event]:
    """Logs a history in an order in which it may arrive; returns it."""
    order = [*history.order()]
    for event in order:
        assert (await log.log([event])).missing_from is None, "control: it fits its lane"
    return order


async def judged(log: Log, limit: int = 7) -> list[tuple[int, str]]:
    """Judges all that is logged and takes it as told; returns what is new."""
    found: list[tuple[int, str]] = []
    while True:
        lines, new = await judge_next(log.db, log.school, limit)
        found += new
        await mark_told(log.db, log.school, new)
        if not lines:
            return found


async def test_each_plant_is_found_in_the_log_itself(log: Log) -> None:
    history = History(7)
    for name in PLANTS:
        history.live(2)
        PLANTS[name](history)
    history.live(5)
    order = await logged(log, history)
    whole, planted = history.page(order)
    assert {(one.idx, one.code) for one in whole.judge(whole.lines)} == planted
    assert {*await judged(log)} == planted
    rows = await log.rows(FOUND)
    assert {(row["idx"], row["code"]) for row in rows} == planted
    by_code = {row["code"]: row for row in rows}
    late = by_code["after_withdrawal"]
    assert late["says"]["network_seq"] < late["shows"]["applied"], "both sides are shown"
    assert by_code["other_basis"]["says"]["basis"] == "vital_interest" != by_code["other_basis"]["shows"]["basis"]


async def test_what_was_judged_is_not_judged_again_and_a_finding_is_kept_once(log: Log) -> None:
    history = History(8)
    before_start(history)
    order = await logged(log, history)
    _, planted = history.page(order)
    assert {*await judged(log)} == planted
    assert await judged(log) == []
    async with log.db.school(log.school) as conn:
        await conn.execute("UPDATE judge_position SET idx = 0")  # as in a database that was put back
    assert await judged(log) == [], "what is found again is known"
    assert len(await log.rows(FOUND)) == len(planted)


async def test_whoever_dies_before_its_alarm_leaves_it_to_the_next(log: Log) -> None:
    history = History(8)
    before_start(history)
    planted = history.page(await logged(log, history))[1]
    raised: list[tuple[object, object]] = []

    def dies(*_: object, **__: object) -> None:
        raise SystemError

    def alarm(_code: str, _text: str, *, line: object, finding: object, **__: object) -> None:
        raised.append((line, finding))

    async def judges(rounds: int, alarm: Callable[..., None]) -> None:
        schools = iter([[log.school]] * rounds)

        async def next_() -> list[str]:
            if (found := next(schools, None)) is None:
                raise SystemError
            return found

        db = SimpleNamespace(school=log.db.school, schools=next_)
        with pytest.raises(SystemError):
            await judge_all(cast("Site", SimpleNamespace(db=db, alarm=alarm)))

    await judges(1, dies)
    assert len(await log.rows(FOUND)) == len(planted), "control: it was kept"
    await judges(1, alarm)
    assert {*raised} == planted
    assert (await judge_next(log.db, log.school))[1] == [], "what was told is not told again"


async def test_a_line_ahead_of_networks_lane_waits_for_it(log: Log) -> None:
    history = History(9)
    beyond_purpose(history)
    goals = [event for event in history.log if event.producer == "goals"]
    network = [event for event in history.log if event.producer == "network"]
    for event in goals:
        await log.log([event])
    async with log.db.school(log.school) as conn:
        seen = await page(conn, log.school, 0)
    assert seen.head == 0
    assert seen.lines
    seen.clock = seen.lines[0].at
    assert seen.ready() == []
    for event in network:
        await log.log([event])
    assert [code for _, code in await judged(log)] == ["beyond_purpose"]


async def test_findings_can_neither_be_changed_nor_deleted(log: Log, kept: ServiceDatabase) -> None:
    history = History(8)
    before_start(history)
    await logged(log, history)
    await judged(log)
    for sql in ("UPDATE finding SET code = 'x'", "DELETE FROM finding", "TRUNCATE finding"):
        async with log.db.school(log.school) as conn:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await conn.execute(sql)
        async with as_owner(kept, log.school) as owner:
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
                await owner.execute(sql)
    assert await log.rows(FOUND)


async def test_an_auditor_reads_findings_and_judges_a_period_anew(log: Log) -> None:
    history = History(8)
    before_start(history)
    order = await logged(log, history)
    _, planted = history.page(order)
    period = {"since": "2026-01-01T00:00:00Z", "until": "2026-12-31T00:00:00Z"}
    await log.give(log.subject, log_grant(AUDITOR, Role.AUDITOR, Purpose.OVERSIGHT, Basis.LEGAL_DUTY))
    answer = await log.ask("findings")
    assert (answer["findings"], answer["judged"], answer["size"]) == ([], 0, len(order))
    told, first, judged_now = set(), None, 0
    while True:
        more: dict[str, object] = {} if first is None else {"first": first}
        part = await log.ask("judge", limit=10, **period, **more)
        told |= {(one["idx"], one["code"]) for one in part["findings"]}
        judged_now += part["judged"]
        first = part["next"]
        if first is None:
            break
    assert (told, judged_now) == (planted, len(order))
    assert (await log.ask("judge", since="2026-12-30T00:00:00Z", until="2026-12-31T00:00:00Z"))["findings"] == []
    assert await log.rows(FOUND) == [], "judging anew keeps nothing"
    await judged(log)
    answer = await log.ask("findings")
    assert {(one["idx"], one["code"]) for one in answer["findings"]} == planted
    assert answer["judged"] == len(order)
    assert (await log.ask("findings", before=min(idx for idx, _ in planted)))["findings"] == []
    with pytest.raises(Problem):
        await log.ask("findings", MOTHER)
    looks = {event.fact(Viewed).query for event in await log.journaled() if event.is_a(Viewed)}
    assert looks == {"findings", "judge"}, "a look at what was found is a line too"


async def test_no_finding_falls_between_two_pages(log: Log) -> None:
    """A line may have several findings: a page ends with a whole line."""
    await log.settle()
    await log.log(Journal(log.school).many(3))
    rows = [(log.school, idx, code) for idx in range(3) for code in ("after_end", "beyond_action", "other_role")]
    async with log.db.school(log.school) as conn:
        sql = "INSERT INTO finding (school, idx, code, part, says, shows) VALUES ($1, $2, $3, '', '{}', '{}')"
        await conn.executemany(sql, rows)
    for limit in range(1, 10):
        told, before = [], None
        while True:
            found = await log.ask("findings", limit=limit, **({} if before is None else {"before": before}))
            told += [(one["idx"], one["code"]) for one in found["findings"]]
            before = found["next"]
            if before is None:
                break
        assert sorted(told) == [(idx, code) for _, idx, code in rows], limit


async def test_a_period_judged_anew_leaves_out_what_cannot_be_judged_yet(log: Log) -> None:
    """Where network's lane in the log is behind, a line that names a position beyond it is not wrong: it waits."""
    await log.settle()
    lately = Journal(log.school, at=datetime.now(UTC) - timedelta(minutes=2))
    await log.log([lately.viewed()])
    period = {"since": "2026-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"}
    found = await log.ask("judge", **period)
    assert (found["findings"], found["judged"], found["waiting"], found["next"]) == ([], 0, 1, None)


async def test_a_period_judged_anew_ends_where_it_ends_in_every_lane(log: Log) -> None:
    """Not at the log's end, each page of which is a look of its own; and not before a lane that came late."""
    await log.settle()
    goals, gate = Journal(log.school), Journal(log.school, "gate")
    await log.log(goals.many(20))
    late = gate.many(40)
    await log.log(late[:5])
    await log.log(goals.many(60))
    await log.log(late[5:])
    period = {"since": "2026-01-01T00:00:00Z", "until": late[9].recorded_at.isoformat()}
    pages: list[dict[str, Any]] = []
    while not pages or pages[-1]["next"] is not None:
        more = {"first": pages[-1]["next"]} if pages else {}
        pages.append(await log.ask("judge", limit=10, **period, **more))
    assert sum(one["judged"] for one in pages) == 18
    assert len(pages) == 9, "90 lines up to gate's tenth, of 120"
    before = await log.ask("judge", limit=10, since="2025-01-01T00:00:00Z", until="2025-01-02T00:00:00Z")
    assert (before["judged"], before["next"]) == (0, None)


async def test_an_emergency_is_found_once_and_in_its_own_period(log: Log) -> None:
    history = History(8)
    break_glass_without_review(history)
    history.live(40)
    order = await logged(log, history)
    (idx,) = (idx for idx, code in history.page(order)[1] if code == "emergency_not_reviewed_in_time")
    await log.give(log.subject, log_grant(AUDITOR, Role.AUDITOR, Purpose.OVERSIGHT, Basis.LEGAL_DUTY))
    at = order[idx].recorded_at

    async def found(since: datetime, until: datetime) -> list[int]:
        told: list[int] = []
        first = None
        while True:
            more: dict[str, object] = {} if first is None else {"first": first}
            part = await log.ask("judge", since=since.isoformat(), until=until.isoformat(), limit=7, **more)
            told += [one["idx"] for one in part["findings"] if one["code"] == "emergency_not_reviewed_in_time"]
            first = part["next"]
            if first is None:
                return told

    assert await found(at, at + timedelta(seconds=1)) == [idx]
    assert await found(at - timedelta(days=1), at + timedelta(days=300)) == [idx]
    assert await found(at + timedelta(seconds=1), at + timedelta(days=300)) == []
