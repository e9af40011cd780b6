"""Canaries in every name, text and contact: heard nowhere but in their owner's tables and in answers to who may see."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from email import message_from_bytes
from pathlib import Path
from uuid import uuid4

import pytest

from shared.actor import Actor
from tests.faults.books import read_settled
from tests.faults.cast import School, goal_for, open_school, roster
from tests.faults.door import Door, Json
from tests.faults.stage import SERVICES, Stage, raised, until
from tests.faults.traces import Traces, receiving
from tests.support.servers import EmbeddedServers

CANARY = "kanarie"
SLUG = "singing"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACED = {
    "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01",
    "tracestate": f"door={CANARY}-state",
    "baggage": f"child={CANARY}-baggage",
}

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
async def traces() -> AsyncIterator[Traces]:
    async with receiving() as made:
        yield made


@pytest.fixture
async def traced(own: EmbeddedServers, traces: Traces, tmp_path: Path) -> AsyncIterator[Stage]:
    async with raised(own, tmp_path / "stage", f"c{uuid4().hex[:6]}", **traces.env, SAMEN_LOG_LEVEL="DEBUG") as stage:
        yield stage


def sung(name: str, value: Json) -> Json:
    """Returns a roster with a canary in every place that a person fills in."""
    if isinstance(value, dict):
        return {key: sung(key, one) for key, one in value.items()}
    if isinstance(value, list):
        return [sung(name, one) for one in value]
    if name in {"given_name", "family_name", "name"}:
        return f"{value} {CANARY}-{name}"
    return f"{CANARY}-{value}" if name == "email" else value


async def live(door: Door, school: School) -> None:
    """A bit of everything that people write, right and wrong, all of it traced."""
    kid = school.kids[0]
    teacher, mum = door.person(kid.teacher, SLUG), door.person(kid.mum, SLUG)

    async def give(who: Actor, path: str, **body: Json) -> Json:
        answer = await door.ask(f"cmd.{SLUG}.{path}", who, body, uuid4().hex, **TRACED)
        assert answer.done, (path, answer)
        return answer.ok

    texts = {"statement": f"{CANARY}-statement", "wording": f"{CANARY}-wording"}
    ladder = [f"{CANARY}-level {n}" for n in range(5)]
    at = await give(teacher, "goals.propose-goal", **goal_for(kid, **texts, ladder=ladder))
    at = await give(mum, "goals.accept-goal", goal=at["goal"], version=at["version"])
    at = await give(teacher, "goals.activate-goal", goal=at["goal"], version=at["version"])
    score = {"goal": at["goal"], "level": 1, "observed_on": "2026-11-01", "setting": "home", "note": f"{CANARY}-note"}
    await give(mum, "goals.score-goal", **score)
    hold = {"goal": at["goal"], "version": at["version"], "reason": f"{CANARY}-reason"}
    await give(teacher, "goals.hold-goal", **hold)
    new = {"given_name": f"{CANARY}-given", "family_name": "Proef", "phone": f"{CANARY}-phone"}
    admin = door.person(school.admin, SLUG)
    await give(admin, "network.add-member", subject=kid.child, role="psychologist", new_person=new)
    await _go_wrong(door, school)
    asked = {"goal": at["goal"], "purpose": "guidance"}
    seen = await door.ask(f"qry.{SLUG}.goals.goal", teacher, asked, **TRACED)
    assert f"{CANARY}-note" in json.dumps(seen.ok)  # who may see it, does


async def _go_wrong(door: Door, school: School) -> None:
    """Refused in every way: what a person wrote may not come back in a log either."""
    kid = school.kids[0]
    teacher = door.person(kid.teacher, SLUG)
    stranger = door.person(uuid4(), SLUG)
    wrong = goal_for(kid, f"{CANARY}-refused", baseline=9, **{f"{CANARY}-field": f"{CANARY}-value"})
    kinds = [
        (await door.ask(f"cmd.{SLUG}.goals.propose-goal", teacher, wrong, uuid4().hex, **TRACED)).kind,
        (await door.ask(f"cmd.{SLUG}.goals.propose-goal", teacher, f"{CANARY}-body", uuid4().hex, **TRACED)).kind,
        (await door.ask(f"cmd.{SLUG}.goals.propose-goal", stranger, goal_for(kid, f"{CANARY}-no"), "k", **TRACED)).kind,
        (await door.ask(f"cmd.{SLUG}.goals.propose-goal", teacher, {}, f"{CANARY} key", **TRACED)).kind,
        (await door.send(f"cmd.{SLUG}.goals.propose-goal", b"{}", {"Authorization": f"Bearer {CANARY}"})).kind,
    ]
    assert kinds == ["invalid", "invalid", "forbidden", "invalid", "forbidden"]


async def on_the_bus(stage: Stage) -> list[str]:
    """Returns every message that the stream holds: subject, headers and bytes."""
    found = []
    async with stage.bus() as bus:
        told = json.loads((await bus.request("$JS.API.STREAM.INFO.EVENTS", b"")).data)
        for seq in range(told["state"]["first_seq"], told["state"]["last_seq"] + 1):
            asked = json.dumps({"seq": seq}).encode()
            message = json.loads((await bus.request("$JS.API.STREAM.MSG.GET.EVENTS", asked)).data)["message"]
            parts = [base64.b64decode(message.get(part, "")).decode() for part in ("hdrs", "data")]
            found.append(" ".join([message["subject"], *parts]))
    return found


async def tables(stage: Stage, service: str) -> dict[str, list[str]]:
    """Returns every row of every table of a service as text."""
    async with stage.admin(service) as conn:
        names = [r[0] for r in await conn.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        return {name: [r[0] for r in await conn.fetch(f"SELECT t::text FROM {name} t")] for name in names}


def singing(texts: list[str]) -> list[str]:
    """Returns what a canary can be heard in, shortened round it."""
    places = [(text, text.lower().find(CANARY)) for text in texts]
    return [text[max(0, at - 200) : at + 60] for text, at in places if at >= 0]


OWNERS = {
    "network": {"person", "organisation"},
    "goals": {"goal", "goal_step", "score"},
    "notifications": set[str](),
    "gate": set[str](),
    "audit": set[str](),
}
"""The tables that people's words may be in: nowhere else."""


async def test_nothing_that_people_wrote_leaves_the_tables_of_its_owner(traced: Stage, traces: Traces) -> None:
    async with traced.login("samen") as client:
        door = Door.of(traced, client)
        school = await open_school(door, SLUG, 1, sung("", roster(1)))
        await live(door, school)
    await until(lambda: read_settled(traced), 60, "every event applied everywhere")
    await until(lambda: len(traced.mailbox.mails) >= 4, 60, "mails")
    await until(lambda: any(span.name == "project" for span in traces.spans), 20, "spans of projections")

    for service in SERVICES:
        kept = await tables(traced, service)
        assert {name for name, rows in kept.items() if singing(rows)} == OWNERS[service], service
    messages = await on_the_bus(traced)
    assert len(messages) > 30
    assert any(TRACE in message for message in messages)
    assert singing(messages) == []
    assert len(traces.spans) > 10
    assert singing([str(span) for span in traces.spans]) == []
    logs = {path.name: path.read_text(errors="replace") for path in _logs(traced)}
    assert logs["goals.log"]
    assert {name: singing(text.splitlines()) for name, text in logs.items() if CANARY in text.lower()} == {}
    assert singing([_without_address(mail) for mail in traced.mailbox.mails]) == []


def _logs(stage: Stage) -> list[Path]:
    return [*stage.folder.glob("*.log"), *stage.servers.root.rglob("*.log"), *stage.servers.root.rglob("log/*")]


def _without_address(mail: bytes) -> str:
    """Returns a mail as it is read, but for the one line that must name whom it goes to."""
    message = message_from_bytes(mail)
    assert CANARY in message["To"]
    del message["To"]
    parts = [part.get_payload(decode=True) or b"" for part in message.walk()]
    return message.as_string() + " ".join(part.decode() for part in parts if isinstance(part, bytes))
