"""How long a file is kept: the school's own terms within bounds, whose term has ended, and that it is told in time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from services.network.due_soon import tell_due_soon
from services.network.restored import take_back
from services.network.terms import months_later
from shared.errors import ProblemType
from shared.events.erasure import RetentionDueSoon, RetentionSet
from tests.network.conftest import Network
from tests.network.erasing import confirm, erased, second, site
from tests.network.family import Family, refused, settle


async def months(network: Network) -> int:
    shown = await network.manage("retention", purpose="administration")
    return int(shown["classes"][0]["months"])


async def due(network: Network, **more: object) -> list[dict[str, object]]:
    return list((await network.manage("retention-due", purpose="administration", **more))["due"])


async def left(network: Network) -> Family:
    family = await settle(network)
    await network.manage("end-placement", child=family.kim)
    return family


@pytest.mark.parametrize(
    ("day", "later", "expected"),
    [
        (date(2026, 1, 31), 1, date(2026, 3, 1)),
        (date(2024, 2, 29), 24, date(2026, 3, 1)),
        (date(2024, 2, 29), 48, date(2028, 2, 29)),
        (date(2026, 11, 30), 1, date(2026, 12, 30)),
        (date(2025, 12, 15), 24, date(2027, 12, 15)),
    ],
)
def test_months_are_calendar_months_and_never_end_early(day: date, later: int, expected: date) -> None:
    assert months_later(day, later) == expected


async def test_a_term_is_set_in_versions_within_what_the_law_and_the_foundation_allow(network: Network) -> None:
    family = await settle(network)
    assert await months(network) == 24
    for wrong in (23, 61):
        problem = await refused(network, "set-retention", network.admin, kind="pupil_file", months=wrong)
        assert (problem.more["least"], problem.more["most"]) == (24, 60)
    same = await refused(network, "set-retention", network.admin, kind="pupil_file", months=24)
    assert same.type is ProblemType.CONFLICT
    for who in (family.mum, family.ib, network.auditor):
        problem = await refused(network, "set-retention", who, kind="pupil_file", months=36)
        assert problem.type is ProblemType.FORBIDDEN
    await network.manage("set-retention", kind="pupil_file", months=36)
    later = datetime.now(UTC) + timedelta(days=100)
    await network.manage("set-retention", kind="pupil_file", months=30, starts_on=later.date())
    assert await months(network) == 36
    early = await refused(network, "set-retention", network.admin, kind="pupil_file", months=40)
    assert early.type is ProblemType.CONFLICT
    await network.shift(later + timedelta(days=1))
    assert await months(network) == 30
    assert [one.number for one in await network.facts(RetentionSet)] == [1, 2]
    shown = await network.ask("retention", network.auditor, purpose="oversight")
    assert [one["months"] for one in shown["classes"][0]["versions"]] == [36, 30]


async def test_every_class_that_the_law_names_has_its_term_and_its_place(network: Network) -> None:
    await settle(network)
    await network.manage("set-retention", kind="pupil_file", months=36)
    shown = (await network.manage("retention", purpose="administration"))["classes"]
    assert {one["kind"]: (one["months"], one["since"], one["place"]) for one in shown} == {
        "pupil_file": (36, "leaving", "file"),
        "consent": (36, "leaving", "file"),
        "attendance": (60, "leaving", "administration"),
        "special_education_referral": (36, "leaving", "administration"),
        "audit_log": (60, "writing", "log"),
    }
    for kind in ("consent", "attendance", "special_education_referral", "audit_log"):
        refusal = await refused(network, "set-retention", network.admin, kind=kind, months=60)
        assert (refusal.type, refusal.more["code"]) == (ProblemType.CONFLICT, "not_set_here")


async def test_who_left_is_due_when_the_term_ends_and_a_longer_term_moves_it(network: Network) -> None:
    family = await left(network)
    assert await due(network) == []
    (one,) = await due(network, within_days=3660)
    assert (one["child"], one["due"]) == (str(family.kim), False)
    at = datetime.fromisoformat(str(one["due_at"]))
    await network.shift(at - timedelta(minutes=1))
    assert await due(network) == []
    await network.shift(at)
    (one,) = await due(network)
    assert (one["due"], one["hold"], one["erasure"]) == (True, None, None)
    await network.manage("set-retention", kind="pupil_file", months=36)
    assert await due(network) == []
    early = await refused(network, "erase-child", network.admin, child=family.kim, reason="retention_ended")
    assert early.more["code"] == "term_runs"


async def test_what_is_due_says_what_stands_in_the_way_and_goes_when_it_is_erased(network: Network) -> None:
    family = await left(network)
    (one,) = await due(network, within_days=3660)
    await network.shift(datetime.fromisoformat(str(one["due_at"])))
    held = await network.manage("place-hold", child=family.kim, reason="court")
    (one,) = await due(network)
    assert one["hold"] == held["hold"]
    await network.manage("lift-hold", child=family.kim, hold=held["hold"], version=1)
    asked = await network.manage("erase-child", child=family.kim, reason="retention_ended")
    (one,) = await due(network)
    assert one["erasure"] == {"id": asked["erasure"], "version": 1, "state": "asked"}
    request = {"child": family.kim, "erasure": asked["erasure"], "version": 1}
    await confirm(network, await second(network), request)
    assert await due(network) == []


async def test_a_pupil_is_never_due(network: Network) -> None:
    await settle(network)
    await network.shift(datetime(2090, 1, 1, tzinfo=UTC))
    assert await due(network, within_days=3660) == []


async def test_that_a_file_is_due_soon_is_told_once_and_in_time(network: Network) -> None:
    family = await left(network)
    here = await site(network)
    (one,) = await due(network, within_days=3660)
    at = datetime.fromisoformat(str(one["due_at"]))
    for early in (timedelta(days=200), timedelta(days=92)):
        await network.shift(at - early)
        assert await tell_due_soon(here, network.school) == 0
    await network.shift(at - timedelta(days=90))
    assert [await tell_due_soon(here, network.school) for _ in range(2)] == [1, 0]
    (told,) = [event for event in await network.events() if event.is_a(RetentionDueSoon)]
    assert told.about == family.kim
    assert told.fact(RetentionDueSoon).due_at == at
    await erased(network, family.kim)
    await network.shift(at + timedelta(days=400))
    assert await tell_due_soon(here, network.school) == 0


async def test_a_term_that_a_restore_lost_holds_again(network: Network) -> None:
    await settle(network)
    made = await network.manage("set-retention", kind="pupil_file", months=36)
    tail = [event for event in await network.events() if event.is_a(RetentionSet)]
    async with network.db.school(network.school) as conn:
        await conn.execute("DELETE FROM retention_version WHERE id = $1", UUID(made["setting"]))
        for _ in range(2):
            await take_back(conn, tail)
    assert await months(network) == 36
