"""Every alarm the code can raise is explained in the runbook, and the runbook explains no other."""

import ast
import re

from deploy.environment import ROOT
from deploy.samen.status import alarms
from shared.telemetry import Telemetry

PARKING = {"event_parked", "event_blocking"}
"""Codes made of a letter's state; see shared/projection.py."""


def _raised() -> set[str]:
    codes = set()
    for folder in ("shared", "services"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "alarm":
                    codes |= _code(node.args[0], str(path))
    return codes


def _code(argument: ast.expr, where: str) -> set[str]:
    if isinstance(argument, ast.Constant):
        return {str(argument.value)}
    if isinstance(argument, ast.Name):  # handed on
        return set()
    assert ast.unparse(argument) == "f'event_{state}'", f"{where}: an alarm's code must be plain to read"
    return PARKING


def test_the_runbook_explains_every_alarm_and_no_other() -> None:
    text = (ROOT / "deploy" / "RUNBOOK.md").read_text()
    explained = set(re.findall(r"^\| `([a-z_]+)` \|", text, re.MULTILINE))
    assert len(explained) >= 7
    assert explained == _raised()


def test_status_counts_alarms_from_a_services_own_page() -> None:
    from prometheus_client import generate_latest

    telemetry = Telemetry("goals", export=False)
    assert alarms(generate_latest(telemetry.registry).decode()) == {}
    for _ in range(2):
        telemetry.alarm("fork", "a test raises this")
    assert alarms(generate_latest(telemetry.registry).decode()) == {"fork": 2}
    telemetry.close()
