"""The service as a process, asked over NATS by `samen goals`: tokens, grants from network, journal, answers."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest
from rich.console import Console
from rich.table import Table
from typer.testing import CliRunner, Result

from deploy.databases import ServiceDatabase
from deploy.samen.__main__ import app
from deploy.samen.ladder import chart
from shared.access_projection import by_member
from shared.actor import service_id
from shared.clock import Ids
from shared.db import Database
from shared.events.base import Act, NewEvent
from shared.events.network import AccessChanged
from shared.events.words import Action, ActorKind, Category, Purpose, Role
from shared.journal import append
from tests.goals.support import LADDER, NOW, grant
from tests.support.fixtures import DatabaseFactory, ServiceFactory
from tests.support.servers import Servers

CHILD, MOTHER, TEACHER, STRANGER = (UUID(int=number, version=4) for number in (901, 902, 903, 904))
Samen = Callable[..., Awaitable[Result]]


async def tell_access(made: ServiceDatabase, school: str) -> None:
    """Lets network grant a guardian and a teacher, in its tables and its journal."""
    grants = (grant(MOTHER, Role.GUARDIAN), grant(TEACHER, Role.TEACHER))
    act = Act(
        actor=service_id("network"),
        kind=ActorKind.SERVICE,
        door="network",
        purpose=Purpose.ADMINISTRATION,
        action=Action.MANAGE,
        category=Category.NETWORK,
    )
    told = NewEvent(AccessChanged(revision=1, grants=grants), about=CHILD, act=act)
    network = await Database.connect(made.dsn, 2)
    async with network.school(school) as conn:
        await conn.execute("INSERT INTO access VALUES ($1, $2, 1, $3, 1, 1)", school, CHILD, by_member(grants))
        await append(conn, school, [told], Ids(), NOW)
    await network.close()


@pytest.fixture
async def samen(
    infra: Servers, database: DatabaseFactory, run_service: ServiceFactory, school: str, monkeypatch: pytest.MonkeyPatch
) -> Samen:
    """`samen goals ... --school --as` against running services; network has granted two people the child's goals."""
    await tell_access(await database("network"), school)
    await asyncio.gather(*(run_service(name, SAMEN_WITNESSES="[]") for name in ("network", "goals")))
    monkeypatch.setenv("SAMEN_NATS_URL", infra.nats_url)
    monkeypatch.setenv("SAMEN_KEYS", str(infra.keys.root))
    monkeypatch.setenv("COLUMNS", "200")

    async def run(who: UUID, *words: object) -> Result:
        line = ["goals", *map(str, words), "--school", school, "--as", str(who)]
        return await asyncio.to_thread(CliRunner().invoke, app, line)

    return run


def found(what: str, result: Result) -> str:
    assert result.exit_code == 0, (result.output, result.exception)
    value = re.search(rf"^{what}: (\S+)$", result.output, re.MULTILINE)
    assert value is not None, result.output
    return value[1]


async def test_a_goal_is_proposed_stepped_scored_and_shown_from_the_command_line(samen: Samen) -> None:
    words = ["--domain", "motor", "--setting", "home", "--statement", "I want to [b]swim[/b]", "--wording", "25 m"]
    ladder = [word for description in LADDER for word in ("--ladder", description)]
    more = ["--target", "2199-07-01", "--responsible", MOTHER, "--key", "the-same"]
    goal = found("goal", await samen(MOTHER, "propose", CHILD, *words, *ladder, *more))
    assert found("goal", await samen(MOTHER, "propose", CHILD, *words, *ladder, *more)) == goal
    assert found("status", await samen(TEACHER, "step", "accept", goal, "--version", 1)) == "accepted"
    assert found("status", await samen(TEACHER, "step", "activate", goal, "--version", 2)) == "active"
    found("scores", await samen(MOTHER, "score", goal, "--level", -2, "--setting", "home", "--on", "2026-03-01"))
    wrong = found(
        "scores", await samen(TEACHER, "score", goal, "--level", 2, "--setting", "school", "--on", "2026-02-01")
    )
    found("scores", await samen(TEACHER, "correct", wrong, "--version", 1, "--reason", "typing", "--level", 1))
    listed = (await samen(TEACHER, "list", CHILD)).output
    for part in (goal, "I want to [b]swim[/b]", "home below school", "-2", "+1", "T-score", "together"):
        assert part in listed
    shown = (await samen(TEACHER, "show", goal)).output
    for part in ("daily, unasked", "H home", "H", "S", "accepted"):
        assert part in shown


async def test_a_refusal_reaches_the_person_and_tells_nothing(samen: Samen) -> None:
    told = set()
    for who, words in ((STRANGER, ("list", CHILD)), (STRANGER, ("list", STRANGER)), (MOTHER, ("show", STRANGER))):
        refused = await samen(who, *words)
        assert refused.exit_code == 1
        told.add(" ".join(refused.output.split()))
    assert told == {"you may not do this here, or it does not exist: ask the school if it should"}


def test_the_chart_puts_each_setting_on_its_level_and_day() -> None:
    def score(setting: str, level: int, day: str, *, wrong: bool = False) -> dict[str, object]:
        return {"setting": setting, "level": level, "observed_on": day, "in_error_at": "2026" if wrong else None}

    scores = [
        score("home", -2, "2026-01-01"),
        score("school", 1, "2026-01-11"),
        score("care", 1, "2026-01-11"),
        score("child", 0, "2026-01-06"),
        score("school", 2, "2026-01-03", wrong=True),
    ]
    lines = [line.split("│")[3][1:12] for line in drawn(chart(scores, LADDER, -1, 11)) if line.startswith("│")]
    assert lines == [" " * 11, "          *", "     K     ", "···········", "H          "]


def test_the_chart_of_a_goal_without_scores_says_so() -> None:
    assert "no scores yet" in "".join(drawn(chart([], LADDER, baseline=-1)))


def drawn(table: Table) -> list[str]:
    console = Console(width=120, file=io.StringIO(), record=True)
    console.print(table)
    return console.export_text().splitlines()
