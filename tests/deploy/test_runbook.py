"""The runbook explains every alarm and every other failure that the code can log, and no other."""

import re
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from deploy.environment import ROOT
from deploy.samen.status import alarms
from shared.telemetry import LOG_FIELDS, Telemetry
from tests.support.loglines import lines_in, log_lines

ERRORS = {"alarm", "error", "exception", "critical"}


def _explained(chapter: str) -> set[str]:
    """Returns the codes in the table under a heading of the runbook."""
    _, _, text = (ROOT / "deploy" / "RUNBOOK.md").read_text().partition(f"\n## {chapter}\n")
    return set(re.findall(r"^\| `([a-z_]+)` \|", text.partition("\n## ")[0], re.MULTILINE))


def test_the_runbook_explains_every_alarm_and_no_other() -> None:
    raised = {code for line in log_lines() if line.level == "alarm" for code in line.codes}
    assert len(raised) >= 20
    assert _explained("Alarms, and what to do") == raised


def test_the_runbook_explains_every_failure_that_is_no_alarm() -> None:
    lines = list(log_lines())
    raised = {code for line in lines if line.level == "alarm" for code in line.codes}
    failed = {code for line in lines for code in line.codes if line.level in ERRORS or code.endswith("_failed")}
    assert failed - raised <= _explained("Lines without an alarm")
    assert _explained("Lines without an alarm") <= {code for line in lines for code in line.codes} - raised


def test_no_log_line_carries_a_field_that_the_log_drops() -> None:
    lines = list(log_lines())
    assert len(lines) > 50
    assert {(line.where, *dropped) for line in lines if (dropped := line.fields - LOG_FIELDS)} == set()


def test_a_line_whose_code_or_fields_are_not_plain_to_read_is_refused() -> None:
    for call in ("log.error('x')", "self.alarm(f'a_{b}', 'x')", "self.alarm('a', 'x', **made())"):
        with pytest.raises((AssertionError, KeyError)):
            list(lines_in(f"def f(self, b):\n    {call}\n", Path("here.py")))


def test_status_counts_alarms_from_a_services_own_page() -> None:
    telemetry = Telemetry("goals", export=False)
    assert alarms(generate_latest(telemetry.registry).decode()) == {}
    for _ in range(2):
        telemetry.alarm("fork", "a test raises this")
    assert alarms(generate_latest(telemetry.registry).decode()) == {"fork": 2}
    telemetry.close()
