"""The demo as a user starts it: half a year on the real platform; then its books are forged, and the checks see it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import asyncpg
import pytest

from deploy.databases import ServiceDatabase, describe
from deploy.demo import checks, checks_effects, checks_tools, checks_walls
from deploy.demo.books import Books
from deploy.demo.cast import Cast
from deploy.demo.checks import Check, Found, Scene
from deploy.demo.foundation import make_foundation
from deploy.demo.ledger import read_ledger
from deploy.demo.names import PHONE_PREFIX
from deploy.demo.stage import Stage, Who
from deploy.environment import ROOT, base_environment
from deploy.home import Home
from deploy.samen.demo import MARKER
from deploy.supervisor import Supervisor
from deploy.topology import NAMES
from tests.deploy.support import eventually
from tests.support.scratch import scratch

SEED, CHILDREN = 3, 8
SCHOOL = "de-wilg"
START_S = 300

pytestmark = pytest.mark.timeout(START_S + 60)


def samen(*arguments: str, **more: Any) -> subprocess.Popen[str]:  # noqa: ANN401  as Popen takes it
    command = [sys.executable, "-m", "deploy.samen", *arguments]
    return subprocess.Popen(command, cwd=ROOT, env=base_environment(), text=True, stdout=subprocess.PIPE, **more)


@dataclass
class Running:
    """A demo that has played; its platform is up again on what it left."""

    home: Home
    code: int
    figures: dict[str, Any]


def play(home: Home, *arguments: str, errors: Path) -> subprocess.Popen[str]:
    """Starts a small demo that prints its figures as JSON; what it tells beside goes to `errors`."""
    small = ("--json", "--seed", str(SEED), "--children", str(CHILDREN), "--dir", str(home.root))
    with errors.open("w") as stderr:
        return samen("demo", *small, *arguments, stderr=stderr)


def kill_midway(home: Home, errors: Path) -> None:
    """Starts a demo and ends it, and everything that it started, as kill -9 does, when its first mail is out."""
    with play(home, "--headless", errors=errors) as process:
        eventually(lambda: process.poll() is not None or any(home.mail.glob("*.eml")), 60)
        assert process.poll() is None, errors.read_text()
        pids = [process.pid, *(entry["pid"] for entry in home.state()["processes"].values())]
        assert len(pids) == 5 + len(NAMES)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def demo() -> Iterator[Running]:
    with scratch() as root:
        home, errors = Home(root / "demo"), root / "errors"
        kill_midway(home, errors)
        with play(home, "--headless", errors=errors) as process:
            told, _ = process.communicate(timeout=START_S)
        assert told, errors.read_text()
        again = Supervisor(home)
        again.start()
        try:
            yield Running(home, process.returncode, json.loads(told))
        finally:
            again.stop()


def database(demo: Running, service: str) -> ServiceDatabase:
    port = demo.home.running()["postgres_port"]
    return describe(f"postgresql://127.0.0.1:{port}/postgres", service, demo.home.keys)


@pytest.fixture
async def scene(demo: Running) -> AsyncIterator[Scene]:
    """What the checks look at, read anew."""
    databases = {name: database(demo, name) for name in NAMES}
    foundation = make_foundation(Random(SEED), date(2026, 9, 1), CHILDREN)
    keepers = {school.slug: Who(school.slug, UUID(int=0)) for school in foundation.schools}
    async with Books(databases) as books:
        ledger = await read_ledger(books, list(keepers))
        today = datetime.now(UTC).date() + timedelta(days=180)
        stage = cast(Stage, SimpleNamespace(surprises=[], today=today))
        yield Scene(demo.home, books, ledger, stage, Cast(foundation, [], keepers, {}, {}), databases["audit"])


async def held(check: Check, at: Scene) -> bool:
    found = Found()
    await check(at, found)
    return found.held


async def forge(demo: Running, service: str, sql: str) -> str:
    """Changes a service's rows of one school behind its back; returns what the statement says it did."""
    conn = await asyncpg.connect(database(demo, service).dsn)
    try:
        async with conn.transaction():
            await conn.execute("SELECT set_config('app.school', $1, true)", SCHOOL)
            return str(await conn.execute(sql))
    finally:
        await conn.close()


def test_the_half_year_holds_every_promise_also_after_a_run_that_was_killed_with_everything(demo: Running) -> None:
    figures = demo.figures
    assert {name: wrong for name, wrong in figures["checks"].items() if wrong != "ok"} == {}
    assert (demo.code, figures["held"], figures["lost"], figures["duplicated"]) == (0, True, 0, 0)
    assert figures["events"] == figures["audit_lines"] > 1000
    some = ("commands", "queries", "notifications", "mails", "put_out", "denials", "withdrawals")
    assert min(figures[key] for key in some) > 0


def test_a_check_that_goes_red_is_named_and_ends_it_with_one_after_ctrl_c() -> None:
    """A telephone number gets into a log while it plays. It stays up all the same, to look into."""
    with scratch() as root:
        home, errors = Home(root / "demo"), root / "errors"
        with play(home, errors=errors) as process:
            eventually(lambda: process.poll() is not None or any(home.mail.glob("*.eml")), 60)
            (home.logs / "forged.log").write_text(PHONE_PREFIX)
            lines = []
            for line in process.stdout or ():
                lines.append(line)
                if line == "}\n":
                    break
            still_up = process.poll() is None
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 1
        figures = json.loads("".join(lines))
        assert still_up
        assert figures["held"] is False
        assert figures["checks"]["nothing personal left its service"] == ["the file logs/forged.log"]


async def test_divorced_parents_came_to_terms_over_a_plan_and_it_was_evaluated_with_the_child(scene: Scene) -> None:
    refused = {event.about for event in scene.ledger.all("agreement.refused")}
    assert refused
    for name in ("plan.revised", "remedy.taken", "plan.enforced", "plan.evaluated", "plan.continued"):
        assert refused <= {event.about for event in scene.ledger.all(name)}, name
    for name in ("deadline.due-soon", "deadline.overdue", "action.finished", "voice.recorded"):
        assert scene.ledger.all(name), name


async def test_its_books_hold_when_they_are_read_again(scene: Scene) -> None:
    for check in (
        checks.chains,
        checks.lines,
        checks.lanes,
        checks.verified,
        checks_walls.personal,
        checks_tools.tools,
    ):
        assert await held(check, scene), check.__name__


FIRST = "id = (SELECT min(id::text)::uuid FROM {})"
COPIED = "id::text LIKE '________-____-4%'"  # what gen_random_uuid makes; the services' own are versions 5 and 7
SCORE = "goal, setting, level, observed_on, note, scored_by, role, recorded_at"
NOTICE = "about, source, thing, kind, category, purpose, state, occurred_at, queued_at"
FORGERIES = {
    "a grant": (
        checks_effects.access,
        "goals",
        f"UPDATE access SET version = version + 1 WHERE {FIRST.format('access')}",
        f"UPDATE access SET version = version - 1 WHERE {FIRST.format('access')}",
    ),
    "a goal's step": (
        checks_effects.goals,
        "goals",
        f"UPDATE goal SET version = version + 1 WHERE {FIRST.format('goal')}",
        f"UPDATE goal SET version = version - 1 WHERE {FIRST.format('goal')}",
    ),
    "a score that was not told": (
        checks_effects.goals,
        "goals",
        f"INSERT INTO score SELECT school, gen_random_uuid(), version, {SCORE} FROM score ORDER BY id LIMIT 1",
        f"DELETE FROM score WHERE {COPIED}",
    ),
    "a notice to somebody else": (
        checks_effects.notices,
        "notifications",
        (
            "INSERT INTO notice SELECT school, gen_random_uuid(), version, gen_random_uuid(), "
            f"{NOTICE} FROM notice ORDER BY id LIMIT 1"
        ),
        f"DELETE FROM notice WHERE {COPIED}",
    ),
    "a review that was not told to be overdue": (
        checks_effects.reviews,
        "network",
        "UPDATE commitment SET state = 'standing' WHERE id = (SELECT id FROM commitment WHERE asked > '' LIMIT 1)",
        "UPDATE commitment SET state = 'closed' WHERE asked > ''",
    ),
    "a deadline that was not told": (
        checks_effects.deadlines,
        "goals",
        f"UPDATE plan_clock SET due_on = due_on - 900 WHERE {FIRST.format('plan_clock WHERE next_on IS NOT NULL')}",
        f"UPDATE plan_clock SET due_on = due_on + 900 WHERE {FIRST.format('plan_clock WHERE next_on IS NOT NULL')}",
    ),
    "a delivery that failed": (
        checks_effects.mails,
        "notifications",
        "UPDATE delivery SET state = 'failed' WHERE id = (SELECT id FROM delivery WHERE state = 'sent' LIMIT 1)",
        "UPDATE delivery SET state = 'sent' WHERE state = 'failed'",
    ),
    "a lane that is behind": (
        checks.lanes,
        "audit",
        "UPDATE projection_cursor SET seq = seq - 1 WHERE producer = 'goals'",
        "UPDATE projection_cursor SET seq = seq + 1 WHERE producer = 'goals'",
    ),
}


@pytest.mark.parametrize("what", FORGERIES)
async def test_a_forged_effect_is_found(demo: Running, scene: Scene, what: str) -> None:
    check, service, there, back = FORGERIES[what]
    assert await held(check, scene)
    did = await forge(demo, service, there)
    try:
        assert not did.endswith(" 0")
        assert not await held(check, scene)
    finally:
        await forge(demo, service, back)
    assert await held(check, scene)


async def test_a_mail_that_came_twice_and_a_name_in_a_log_are_found(demo: Running, scene: Scene) -> None:
    mail = next(iter(sorted(demo.home.mail.glob("*.eml"))))
    again = mail.with_name("0-again.eml")
    again.write_bytes(mail.read_bytes())
    name = next(iter(scene.cast.foundation.persons.values())).given
    log = demo.home.logs / "goals-forged.log"
    log.write_text(f"hello {name}\n")
    try:
        assert not await held(checks_effects.mails, scene)
        assert not await held(checks_walls.personal, scene)
    finally:
        again.unlink()
        log.unlink()
    assert await held(checks_effects.mails, scene)
    assert await held(checks_walls.personal, scene)


async def test_a_second_demo_in_the_same_folder_is_told_so_and_harms_nothing(demo: Running) -> None:
    with samen("demo", "--headless", "--dir", str(demo.home.root), stderr=subprocess.PIPE) as second:
        _, errors = await asyncio.to_thread(second.communicate, timeout=60)
    assert second.returncode == 1
    assert "already" in errors
    assert (demo.home.root / MARKER).exists()
    assert demo.home.running()


def test_a_folder_that_no_demo_made_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with samen("demo", "--headless", "--dir", str(tmp_path)) as process:
        told, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "something else" in " ".join(told.split())
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
