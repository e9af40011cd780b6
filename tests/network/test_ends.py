"""What is ended holds no longer than it did, and nothing that was done by then becomes wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.network.members import end_of
from services.network.spans import day_start
from shared.errors import Problem, ProblemType
from tests.network.conftest import FAMILY, Network
from tests.network.family import settle

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TODAY = NOW.date()


def test_an_end_lies_between_now_and_the_end_that_was_known() -> None:
    later = TODAY + timedelta(days=30)
    assert end_of(None, None, NOW) == end_of(None, day_start(later), NOW) == NOW
    assert end_of(later, None, NOW) == end_of(later, day_start(later), NOW) == day_start(later)


@pytest.mark.parametrize(
    ("days", "known_days", "type_"),
    [(-1, None, ProblemType.INVALID), (0, None, ProblemType.INVALID), (31, 30, ProblemType.CONFLICT)],
)
def test_an_end_that_would_prolong_or_reach_back_is_refused(
    days: int, known_days: int | None, type_: ProblemType
) -> None:
    known = None if known_days is None else day_start(TODAY + timedelta(days=known_days))
    with pytest.raises(Problem) as refused:
        end_of(TODAY + timedelta(days=days), known, NOW)
    assert refused.value.type is type_


@pytest.mark.parametrize("what", ["membership", "authority"])
async def test_neither_membership_nor_authority_is_prolonged_by_ending_it(network: Network, what: str) -> None:
    await network.open()
    await network.operate("import-roster", **FAMILY)
    kim = await network.find("kim")
    subject: dict[str, Any] = {"subject": kim} if what == "membership" else {"child": kim}
    today = datetime.now(UTC).date()

    async def end(days: int) -> None:
        shown = await network.manage("child-network", child=kim, purpose="administration")
        one = shown["members" if what == "membership" else "authorities"][0]
        body = {what: one[what], "version": one["version"], "ends_on": today + timedelta(days=days)}
        await network.manage(f"end-{what}", **subject, **body)

    await end(40)
    with pytest.raises(Problem, match="ends earlier already"):
        await end(41)
    with pytest.raises(Problem, match="stays lawful"):
        await end(-1)
    await end(39)


async def test_what_a_roster_ends_is_told_as_withdrawn_once_a_subject(network: Network) -> None:
    family = await settle(network)
    found = (await network.manage("roster-links", purpose="administration"))["links"]
    ends = [one["id"] for one in found if (one["child"], one["person"]) in {("kim", "mum"), ("kim", "juf")}]
    ends += [one["id"] for one in found if (one["child"], one["person"]) == (None, "juf")]
    assert len(ends) == 4  # two memberships and an authority round Kim, and the teacher's place in the school
    reply = await network.operate("import-roster", ends=ends)
    assert reply["ended"] == 4
    async with network.db.school(network.school) as conn:
        rows = await conn.fetch("SELECT id, subject, how FROM withdrawal")
    assert {str(row["id"]) for row in rows} == set(reply["withdrawals"])
    assert {row["subject"] for row in rows} == {family.kim, network.subject}
    assert {row["how"] for row in rows} == {None}
    again = await network.operate("import-roster", ends=ends)
    assert "withdrawals" not in again


async def test_a_roster_that_puts_a_start_off_withdraws_and_one_that_ends_nothing_does_not(network: Network) -> None:
    await settle(network)
    later = (datetime.now(UTC) + timedelta(days=30)).date()
    network_of = {"at": "users.csv:2", "child": "kim", "holders": ["mum", "dad"]}
    prolonged = [{"at": "users.csv:4", "person": "juf", "role": "teacher", "ends_on": str(later)}]
    reply = await network.operate("import-roster", networks=[{**network_of, "links": prolonged}])
    assert (reply["changed"], "withdrawals" in reply) == (1, False)
    put_off = [{"at": "users.csv:4", "person": "juf", "role": "teacher", "starts_on": str(later)}]
    reply = await network.operate("import-roster", networks=[{**network_of, "links": put_off}])
    assert (reply["changed"], len(reply["withdrawals"])) == (1, 1)
