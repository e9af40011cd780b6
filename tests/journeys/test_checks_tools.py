"""The demo's checks of tools hold on a half-year that went well, and go red when one thing in it is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import pytest

from deploy.demo import checks_tools
from deploy.demo.cast import Child, ToolPlayed
from deploy.demo.checks import Check, Found, Scene
from deploy.demo.ledger import Ledger, Told, told
from deploy.demo.names import MARK
from deploy.demo.stage import Who

SCHOOL = "s-one"
TOOL, CHILD, OTHER, THEIRS, THEIR_OTHER = (str(uuid4()) for _ in range(5))
SCORED = [str(uuid4()) for _ in range(3)]
TELLS = "nl.samenkracht.gate.withdrawal.told.v1"


def event(producer: str, seq: int, name: str, about: str, fact: dict[str, Any], id_: str = "") -> Told:
    content = {
        "school": SCHOOL,
        "producer": producer,
        "seq": seq,
        "id": id_ or str(uuid4()),
        "type": f"nl.samenkracht.{producer}.{name}.v1",
        "subject": about,
        "networkseq": 1,
        "recordedat": "2026-09-01T10:00:00.000000Z",
        "data": {"act": {"actor": TOOL}, "fact": fact},
    }
    return told(json.dumps(content))


def grants(about: str, seq: int, *, actions: tuple[str, ...] = ("receive",)) -> Told:
    one = {
        "member": TOOL,
        "role": "local_tool",
        "actions": actions,
        "categories": ["goals", "observations"],
        "valid_from": "2026-08-01T00:00:00Z",
    }
    return event("network", seq, "access.changed", about, {"grants": [one]})


def numbered(seq: int, name: str, sequence: int, about: str = CHILD, **more: object) -> Told:
    return event("gate", seq, name, about, {"tool": TOOL, "tool_epoch": 1, "sequence": sequence, **more})


def put_out(seq: int, sequence: int, source: str, about: str = CHILD) -> Told:
    return numbered(seq, "put-out.made", sequence, about, source=source)


def got(sequence: int, type_: str = "nl.samenkracht.goals.score.recorded.v1", **data: object) -> dict[str, Any]:
    who = THEIR_OTHER if sequence == 3 else THEIRS
    return {"epoch": 1, "sequence": sequence, "type": type_, "subject": who, "data": data}


@pytest.fixture
def at() -> Scene:
    """A tool got two scores of one child, one of another; the first child's consent was withdrawn: 2 was taken out."""
    ledger = Ledger()
    ledger.events["network", SCHOOL] = [grants(OTHER, 1), grants(CHILD, 2, actions=())]
    abouts = (CHILD, CHILD, OTHER)
    ledger.events["goals", SCHOOL] = [
        event("goals", n, "score.recorded", about, {}, SCORED[n - 1]) for n, about in enumerate(abouts, 1)
    ]
    ledger.events["gate", SCHOOL] = [
        *(put_out(n, n, SCORED[n - 1], about) for n, about in enumerate(abouts, 1)),
        numbered(4, "withdrawal.told", 4, of="observations", taken_out=1),
        event("gate", 5, "deletion.confirmed", CHILD, {"tool": TOOL, "of": "observations"}),
    ]
    tool = ToolPlayed(
        Who(SCHOOL, cast(Any, TOOL)), "", cast("list[Child]", [SimpleNamespace(id=CHILD), SimpleNamespace(id=OTHER)])
    )
    tool.received = [got(1), got(3), got(4, TELLS, taken_out=[2])]
    people = SimpleNamespace(keepers={SCHOOL: None}, tools=[tool], ids={(SCHOOL, "c"): CHILD}, children=[])
    return cast(Scene, SimpleNamespace(ledger=ledger, cast=people))


async def held(check: Check, at: Scene) -> bool:
    found = Found()
    await check(at, found)
    return found.held


def gate(at: Scene) -> list[Told]:
    return at.ledger.events["gate", SCHOOL]


def received(at: Scene) -> list[dict[str, Any]]:
    return at.cast.tools[0].received


async def test_what_went_well_holds(at: Scene) -> None:
    for check in (checks_tools.tools, checks_tools.forgotten, checks_tools.pseudonyms):
        assert await held(check, at), check.__name__


WRONG: dict[str, tuple[Check, Callable[[Scene], object]]] = {
    "an event did not go out": (checks_tools.tools, lambda at: gate(at).__setitem__(2, put_out(3, 3, str(uuid4())))),
    "an event went out twice": (checks_tools.tools, lambda at: gate(at).append(put_out(6, 5, SCORED[2], OTHER))),
    "a number is missing": (checks_tools.tools, lambda at: gate(at).append(put_out(6, 6, str(uuid4())))),
    "it was not fetched": (checks_tools.tools, lambda at: received(at).pop(0)),
    "it came twice": (checks_tools.tools, lambda at: received(at).append(got(1))),
    "it came without a line": (checks_tools.tools, lambda at: received(at).append(got(5))),
    "it was taken out and came": (checks_tools.tools, lambda at: received(at).append(got(2))),
    "nothing went out": (checks_tools.tools, lambda at: gate(at).__delitem__(slice(None))),
    "it was not told to delete": (checks_tools.forgotten, lambda at: gate(at).pop(3)),
    "it did not confirm": (checks_tools.forgotten, lambda at: gate(at).pop(4)),
    "it got more after that": (checks_tools.forgotten, lambda at: gate(at).append(put_out(6, 5, str(uuid4())))),
    "it holds an id of the school": (checks_tools.pseudonyms, lambda at: received(at)[0]["data"].update(by=CHILD)),
    "it holds a name": (checks_tools.pseudonyms, lambda at: received(at)[0]["data"].update(by=f"S{MARK}ke")),
    "it knows one more child": (checks_tools.pseudonyms, lambda at: received(at)[0].update(subject=str(uuid4()))),
}


@pytest.mark.parametrize("what", WRONG)
async def test_one_thing_that_is_wrong_is_found(at: Scene, what: str) -> None:
    check, spoil = WRONG[what]
    spoil(at)
    assert not await held(check, at)


async def test_tools_of_two_schools_that_share_an_id_are_found(at: Scene) -> None:
    other = ToolPlayed(Who("s-two", cast(Any, str(uuid4()))), "", at.cast.tools[0].children)
    other.received = [{**one, "subject": str(uuid4())} for one in received(at)[:2]]
    at.cast.tools.append(other)
    assert await held(checks_tools.pseudonyms, at)
    other.received[0]["subject"] = THEIRS
    assert not await held(checks_tools.pseudonyms, at)
