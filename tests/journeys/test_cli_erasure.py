"""`samen child` and `samen retention` as an operator types them, for two administrators of a school."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import asyncpg
import pytest
import pytest_asyncio

from tests.faults.cast import School, goal_for, open_school
from tests.faults.door import Door
from tests.faults.stage import Stage, raised
from tests.journeys.test_cli import Cli, door, own
from tests.support.servers import EmbeddedServers

__all__ = ["door", "own"]

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def samen(own: EmbeddedServers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cli]:
    """A platform of its own, whose domain time may be shifted: terms last for years."""
    root = tmp_path_factory.mktemp("cli-erasure")
    async with raised(own, root / "run", "clie", SAMEN_SHIFTED_TIME="true") as stage:
        yield Cli(stage, root)


async def second(door: Door, school: School) -> str:
    admin = door.person(school.admin, school.slug)
    subject = (await door.query(school.slug, "network.school", admin, purpose="administration")).ok["subject"]
    new = {"given_name": "Bo", "family_name": "Proef"}
    role = "school_administrator"
    body = {"subject": subject, "role": role, "new_person": new}
    return str((await door.must(school.slug, "network.add-member", admin, **body))["person"])


async def test_a_child_is_erased_after_a_dry_run_a_hold_and_a_second_person(samen: Cli, door: Door) -> None:
    school = await open_school(door, "cli-erase", 1)
    kid, other = school.kids[0], await second(door, school)
    await door.must(school.slug, "goals.propose-goal", door.person(kid.teacher, school.slug), **goal_for(kid))
    mine, theirs = (("--school", school.slug, "--as", who) for who in (school.admin, other))
    dry = await samen("child", "erase", kid.child, "--reason", "request_granted", *mine, "--dry-run", "--json")
    rows = json.loads(dry.out)
    assert (rows["goals"]["goal"], rows["network"]["child"], rows["audit"]) == (1, 1, {})
    assert kid.child not in (await samen("child", "erasures", *mine)).out

    held = await samen("child", "hold", kid.child, "--reason", "court", *mine)
    hold = re.search(r"hold ([0-9a-f-]{36}) version 1", held.words)
    assert hold, held.words
    refused = await samen("child", "erase", kid.child, "--reason", "request_granted", *mine)
    assert (refused.code, "a hold keeps this file" in refused.words, hold[1] in refused.words) == (1, True, True)
    assert hold[1] in (await samen("child", "holds", kid.child, *mine)).out
    assert (await samen("child", "lift", kid.child, hold[1], *mine)).code == 0

    asked = await samen("child", "erase", kid.child, "--reason", "request_granted", *mine)
    named = re.search(r"samen child confirm ([0-9a-f-]{36}) ([0-9a-f-]{36})", asked.words)
    assert named, asked.words
    own = await samen("child", "confirm", kid.child, named[2], *mine)
    assert (own.code, "nobody confirms what they asked" in own.words) == (1, True)
    done = await samen("child", "confirm", kid.child, named[2], *theirs)
    assert (done.code, "In force everywhere since" in done.words) == (0, True)
    assert "completed: every service has confirmed" in done.words
    again = await samen("child", "erase", kid.child, "--reason", "request_granted", *mine)
    unknown = await samen("child", "erase", "00000000-0000-4000-8000-000000000000", "--reason", "duplicate", *mine)
    assert (again.code, "this child is erased" in again.words) == (1, True)
    assert (unknown.code, "or it does not exist" in unknown.words) == (1, True)
    assert "completed" in (await samen("child", "erasures", *mine)).words


async def test_files_whose_term_ended_are_asked_and_confirmed_in_one_go(samen: Cli, door: Door) -> None:
    school = await open_school(door, "cli-keep", 2)
    other = await second(door, school)
    mine, theirs = (("--school", school.slug, "--as", who) for who in (school.admin, other))
    for kid in school.kids:
        await door.must(school.slug, "network.end-placement", door.person(school.admin, school.slug), child=kid.child)
    shown = await samen("retention", "show", *mine)
    assert "24 to 60" in shown.words
    wrong = await samen("retention", "set", "12", *mine)
    assert (wrong.code, "least: 24" in wrong.words) == (1, True)
    assert (await samen("retention", "set", "30", *mine)).code == 0
    assert json.loads((await samen("retention", "due", *mine, "--json")).out) == {"due": []}
    (first, later) = json.loads((await samen("retention", "due", *mine, "--within", "3660", "--json")).out)["due"]
    await shift(samen.stage, datetime.fromisoformat(max(first["due_at"], later["due_at"])))
    try:
        dry = await samen("retention", "run", *mine, "--dry-run")
        assert "pupil_file: 2 due, 0 on hold, 0 asked before" in dry.words
        assert "Nothing was changed." in dry.words
        assert "pupil_file: 2 due" in (await samen("retention", "run", *mine)).words
        assert "pupil_file: 0 due, 0 on hold, 2 asked before" in (await samen("retention", "run", *mine)).words
        own = await samen("retention", "confirm", *mine)
        assert (own.code, "0 confirmed" in own.words) == (1, True)
        assert "2 confirmed" in (await samen("retention", "confirm", *theirs)).words
    finally:
        await shift(samen.stage, datetime.now(UTC))


async def shift(stage: Stage, to: datetime) -> None:
    conn = await asyncpg.connect(stage.databases["network"].owner_dsn)
    try:
        await conn.execute("UPDATE time_shift SET shift = $1::timestamptz - clock_timestamp()", to)
    finally:
        await conn.close()
