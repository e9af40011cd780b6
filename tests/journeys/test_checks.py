"""Each check of the demo holds on books that are in order, and goes red when one thing in them is not."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from uuid import uuid4

import pytest

from deploy.demo import checks, checks_walls
from deploy.demo.checks import Check, Found, Scene
from deploy.demo.ledger import Ledger, Told, merkle_root, told
from deploy.demo.names import MARK, PHONE_PREFIX
from deploy.demo.witness import OK, UNANSWERED, Deed

SCHOOL = "s-one"
CHILD, CARER, CONSENT = (str(uuid4()) for _ in range(3))


def event(
    seq: int, name: str, *, producer: str = "goals", trace: str | None = None, at: int = 0, **more: object
) -> Told:
    """Returns an event as the ledger has it; `at` is the second that it was recorded in, `more` goes into its act."""
    content = {
        "school": SCHOOL,
        "producer": producer,
        "seq": seq,
        "id": str(uuid4()),
        "type": f"nl.samenkracht.{producer}.{name}.v1",
        "subject": CHILD,
        "thing": CONSENT,
        "networkseq": more.pop("network_seq", 0),
        "recordedat": f"2026-09-01T10:00:{at:02d}.000000Z",
        "data": {"act": {"actor": CARER, **more}, "fact": {}},
    }
    if trace:
        content["traceparent"] = f"00-{trace}-{'1' * 16}-00"
    return told(json.dumps(content))


def deed(trace: str, outcome: str = OK, *, key: str = "k1", is_query: bool = False) -> Deed:
    return Deed(trace, SCHOOL, "goals", "goals-of-child" if is_query else "propose-goal", is_query, key, outcome)


def scene(events: list[Told], deeds: list[Deed] | None = None) -> Scene:
    ledger = Ledger()
    for one in events:
        ledger.events.setdefault((one.producer, SCHOOL), []).append(one)
    for lane, told_ in ledger.events.items():
        ledger.lines[lane] = Counter((one.seq, one.hash) for one in told_)
    people = SimpleNamespace(ids={(SCHOOL, "c"): CHILD, ("s-two", "d"): uuid4()}, children=[])
    stage = SimpleNamespace(witness=SimpleNamespace(deeds=deeds or []), surprises=[])
    return cast(Scene, SimpleNamespace(ledger=ledger, stage=stage, cast=people))


async def run(check: Check, at: Scene) -> Found:
    found = Found()
    await check(at, found)
    return found


async def test_an_answer_with_its_event_holds() -> None:
    at = scene([event(1, "goal.proposed", trace="a" * 32)], [deed("a" * 32)])
    assert (await run(checks.answers, at)).held


async def test_an_answer_without_an_event_is_lost() -> None:
    found = await run(checks.answers, scene([], [deed("a" * 32)]))
    assert (found.lost, found.duplicated, found.held) == (1, 0, False)


async def test_a_retry_that_was_done_again_is_a_duplicate() -> None:
    events = [event(n, "goal.proposed", trace=str(n) * 32) for n in (1, 2)]
    at = scene(events, [deed("1" * 32, UNANSWERED), deed("2" * 32)])
    assert (await run(checks.answers, at)).duplicated == 1
    assert (await run(checks.answers, scene(events[1:], [deed("1" * 32, UNANSWERED), deed("2" * 32)]))).held


async def test_a_look_without_a_line_is_found() -> None:
    asked = [deed("a" * 32, is_query=True, key="")]
    assert not (await run(checks.answers, scene([], asked))).held
    assert (await run(checks.answers, scene([event(1, "access.viewed", trace="a" * 32)], asked))).held


@pytest.mark.parametrize("names", [[], ["goal.proposed"], ["access.denied", "access.denied"]])
async def test_a_denial_has_one_line_and_nothing_else(names: list[str]) -> None:
    events = [event(n, name, trace="a" * 32) for n, name in enumerate(names, 1)]
    assert not (await run(checks.answers, scene(events, [deed("a" * 32, "forbidden")]))).held
    right = [event(1, "access.denied", trace="a" * 32)]
    assert (await run(checks.answers, scene(right, [deed("a" * 32, "forbidden")]))).held


async def test_who_came_to_another_schools_door_has_a_line_at_home() -> None:
    came = [deed("a" * 32, "stray", is_query=True, key="")]
    assert not (await run(checks.answers, scene([], came))).held
    at_home = event(1, "access.denied", reason="other_school")
    assert (await run(checks.answers, scene([at_home], came))).held


async def test_what_was_refused_left_nothing() -> None:
    at = scene([event(1, "goal.accepted", trace="a" * 32)], [deed("a" * 32, "stale_version")])
    assert not (await run(checks.answers, at)).held
    assert (await run(checks.answers, scene([], [deed("a" * 32, "stale_version")]))).held


async def test_a_dropped_a_doubled_and_a_forged_audit_line_are_found() -> None:
    at = scene([event(1, "goal.proposed"), event(2, "goal.accepted")])
    assert (await run(checks.lines, at)).held
    lines = at.ledger.lines["goals", SCHOOL]
    first, second = list(lines)
    del lines[first]
    assert (await run(checks.lines, at)).lost == 1
    lines[first], lines[second] = 1, 2
    assert (await run(checks.lines, at)).duplicated == 1
    lines[second] = 1
    lines[3, "f" * 64] = 1
    assert (await run(checks.lines, at)).duplicated == 1


@pytest.mark.parametrize(
    ("network_seq", "at_second", "outcome", "held"),
    [(2, 1, "permitted", True), (3, 1, "permitted", False), (3, 1, "denied", True), (2, 9, "permitted", False)],
)
async def test_nothing_is_permitted_on_a_withdrawn_consent(
    network_seq: int, at_second: int, outcome: str, *, held: bool
) -> None:
    events = [
        event(1, "consent.given", producer="network"),
        event(2, "consent.withdrawn", producer="network"),
        event(3, "access.changed", producer="network"),
        event(1, "access.viewed", consent=CONSENT, network_seq=network_seq, at=at_second, outcome=outcome),
    ]
    assert (await run(checks_walls.withdrawals, scene(events))).held is held


async def test_a_journey_without_a_withdrawal_has_not_tried_it() -> None:
    assert not (await run(checks_walls.withdrawals, scene([event(1, "goal.proposed")]))).held


async def test_an_id_of_another_school_is_found_unless_a_stranger_named_it() -> None:
    at = scene([event(1, "goal.proposed")])
    assert (await run(checks_walls.walls, at)).held
    theirs = str(at.cast.ids["s-two", "d"])
    lane = at.ledger.events["goals", SCHOOL]
    lane[0] = replace(lane[0], about=theirs)
    assert not (await run(checks_walls.walls, at)).held
    lane[0] = replace(lane[0], name="access.denied")
    assert (await run(checks_walls.walls, at)).held


def test_names_are_found_in_bytes_and_the_bare_mark_is_not() -> None:
    names = {"sijwke", "trijwaard"}
    assert checks_walls.names_in(b"\x00\x01Sijwke\x00", names)
    assert checks_walls.names_in(b"to: sijwke.trijwaard@example", names)
    assert checks_walls.names_in(f"{PHONE_PREFIX}00001".encode(), names)
    assert not checks_walls.names_in(b"\x00" + MARK.encode() + b"\xff" + MARK.encode() + b"Q9", names)


def test_what_is_random_in_a_mails_link_is_no_name_and_a_name_beside_it_is(tmp_path: Path) -> None:
    token = f"nZ_{MARK}7wkWQg-" + "x" * 83
    link = f"http://127.0.0.1:9/afmelden/{token}"
    mail = tmp_path / "one.eml"

    def says(name: str, more: str) -> bool:
        lines = ("To: sijwke@example.org", f"List-Unsubscribe:\r\n <{link[:60]}\r\n {link[60:]}>", "")
        mail.write_text("\r\n".join((*lines, f"Dag {name}, {link}{more}")), newline="")
        return MARK in checks_walls.words_of_mail(mail)

    assert not says("u", "")
    assert says("Sijwke", "")
    assert says("u", "?for=Sijwke")
    assert says("u", " http://127.0.0.1:9/afmelden/Sijwke")


def test_the_root_over_leaves_is_the_one_of_rfc_6962() -> None:
    def node(left: bytes, right: bytes) -> bytes:
        return sha256(b"\x01" + left + right).digest()

    a, b, c, d, e = (sha256(bytes([n])).digest() for n in range(5))
    assert merkle_root([]) == sha256(b"").digest()
    assert merkle_root([a]) == a
    assert merkle_root([a, b, c]) == node(node(a, b), c)
    assert merkle_root([a, b, c, d, e]) == node(node(node(a, b), node(c, d)), e)
