"""What an alarm leaves behind: a count, and one JSON line that says what, where and of which error."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Iterator
from random import Random

import asyncpg
import pytest

from shared.clock import Ids
from shared.db import TooLong
from shared.errors import ProblemType
from shared.telemetry import JsonFormatter, Telemetry
from shared.unit_run import Unit
from shared.upkeep import forever


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    made = Telemetry("toy", export=False)
    yield made
    made.close()


def test_an_alarms_line_says_what_the_runbook_tells_to_read(
    telemetry: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    facts = {"school": "olm", "line": 7, "finding": "no_grant", "witness": "w+01", "status": 409, "waits_s": 12.5}
    telemetry.alarm("judge_finding", "text", **facts, words="Mia")
    line = json.loads(JsonFormatter("toy").format(caplog.records[0]))
    assert facts.items() <= line.items()
    assert line.keys() == {"at", "level", "service", "logger", "text", "code", *facts}
    assert (line["level"], line["code"]) == ("ERROR", "judge_finding")


def test_an_alarm_raised_over_an_error_says_its_kind_and_place_and_not_its_words(
    telemetry: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    try:
        raise ValueError("Mia")
    except ValueError:
        telemetry.alarm("request_failed", "text", endpoint="goal")
    told = JsonFormatter("toy").format(caplog.records[0])
    assert "Mia" not in told
    assert json.loads(told)["error"] == "ValueError"
    assert json.loads(told)["frames"][0].startswith("test_telemetry.py:")


@pytest.mark.parametrize(
    ("error", "told", "alarm"),
    [
        (TooLong(), ProblemType.UNAVAILABLE, "statement_slow"),
        (ConnectionResetError(), ProblemType.UNAVAILABLE, "database_lost"),
        (asyncpg.InsufficientPrivilegeError("no"), ProblemType.UNAVAILABLE, "commit_failed"),
        (KeyError("no"), ProblemType.UNAVAILABLE, "commit_failed"),
        (asyncpg.CheckViolationError("no"), ProblemType.INVALID, None),
    ],
)
def test_what_fails_for_good_is_told_to_the_caller_and_raises_the_alarm_that_it_needs(
    telemetry: Telemetry,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    told: ProblemType,
    alarm: str | None,
) -> None:
    unit = Unit("toy", None, Ids(Random(1)), alarm=telemetry.alarm)  # type: ignore[arg-type]  # nothing is read
    assert unit._refusal(error).type is told
    assert [record.code for record in caplog.records if record.levelno == logging.ERROR] == ([alarm] if alarm else [])  # type: ignore[attr-defined]  # an extra field
    for code in {alarm, "commit_refused"} - {None}:
        assert telemetry.alarms.labels(code)._value.get() == (code == alarm)


def test_a_background_task_that_breaks_is_an_alarm_and_ends_the_process(
    telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)

    async def job() -> None:
        raise KeyError("no")

    asyncio.run(forever(job(), telemetry.alarm))
    assert ended == [70]
    assert telemetry.alarms.labels("task_failed")._value.get() == 1
