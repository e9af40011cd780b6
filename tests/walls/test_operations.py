"""What is no command and no query: operators' requests, and what services ask one another. Torn, forged, out of place:
refused or not answered, nothing changed, and the next one is answered as before."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.actor import LONGEST, Actor, SigningKey, mint
from shared.events.words import ActorKind
from tests.faults.cast import School
from tests.faults.door import OPERATOR, Door
from tests.faults.stage import SERVICES, Stage
from tests.walls.test_bad_input import ABSURD, NOT_JSON, NOT_OBJECTS, state

pytestmark = pytest.mark.asyncio(loop_scope="package")

Body = dict[str, Any]

NEEDS: dict[str, Body] = {
    "dead-letter": {"school": "walls-here", "producer": "network", "seq": 1},
    "retry": {"school": "walls-here", "producer": "network"},
    "recover": {"school": "walls-here"},
    "review": {"school": "walls-here", "subject": str(uuid4())},
}
"""Operations that take something, with a body that is in order."""
TAKE_NOTHING = ("status", "schools", "dead-letters")
DEEP = b'{"school": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"
TORN = [*NOT_JSON[1:], *NOT_OBJECTS, DEEP]


async def unharmed(stage: Stage, before: tuple[dict[str, int], dict[str, int]]) -> None:
    assert await state(stage) == before
    for process in stage.processes.values():
        assert process.get("/ready")[0] == 200


def wrong(body: Body) -> list[bytes]:
    """Returns bodies that lack a field, or have something absurd in one."""
    made = [json.dumps({k: v for k, v in body.items() if k != left_out}).encode() for left_out in body]
    return made + [json.dumps(body | {name: value}).encode() for name in body for value in ABSURD]


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("what", [*NEEDS, *TAKE_NOTHING])
async def test_an_operation_with_a_body_that_is_not_in_order_is_refused_and_does_nothing(
    service: str, what: str, stage: Stage, door: Door, here: School
) -> None:
    del here
    before = await state(stage)
    lanes = stage.processes[service].details()["lanes"]
    headers = {"Authorization": "Bearer " + door.token(door.operator("-"))}
    kinds = [(await door.send(f"ops.{service}.{what}", data, headers)).kind for data in TORN]
    assert set(kinds) <= {"invalid"} | ({"ok"} if what in TAKE_NOTHING else set())
    if what in NEEDS:
        for data in wrong(NEEDS[what]):
            assert (await door.send(f"ops.{service}.{what}", data, headers)).problem is not None, data[:80]
    assert len(stage.processes[service].details()["lanes"]) == len(lanes)
    assert (await door.operate(service, "status")).done
    await unharmed(stage, before)


async def test_an_operation_needs_an_operators_own_token(stage: Stage, door: Door, here: School) -> None:
    before, now = await state(stage), door.clock.now()
    operator = door.operator("-")
    good = jwt.decode(door.token(operator), options={"verify_signature": False})
    goals = SigningKey.load(stage.servers.keys.token_key("goals"))
    stranger, header = Ed25519PrivateKey.generate(), {"kid": "samen"}
    tokens = {
        "none at all": "",
        "noise": "x.y.z",
        "expired": mint(door.key, operator, now - LONGEST - timedelta(seconds=10)),
        "not yet": mint(door.key, operator, now + timedelta(minutes=2)),
        "forged": jwt.encode(good, stranger, algorithm="EdDSA", headers=header),
        "alg none": jwt.encode(good, "", algorithm="none", headers=header),
        "a service as an operator": mint(goals, operator, now),
        "a service": mint(goals, Actor(OPERATOR, ActorKind.SERVICE, "-", "goals"), now),
        "a person": door.token(Actor(OPERATOR, ActorKind.PERSON, "-", "samen", operator="op")),
        "an administrator": door.token(door.person(here.admin, here.slug)),
        "an operator of one school": door.token(door.operator(here.slug)),
    }
    for what in [*NEEDS, *TAKE_NOTHING, "replay", "no-such-thing"]:
        body = json.dumps(NEEDS.get(what, {})).encode()
        for name, token in tokens.items():
            answer = await door.send(f"ops.goals.{what}", body, {"Authorization": f"Bearer {token}"})
            assert answer.kind == "forbidden", (what, name, answer)
    assert (await door.operate("goals", "status")).done
    await unharmed(stage, before)


ASKED: dict[tuple[str, str], Body] = {
    ("audit", "replay.network"): {"school": "walls-here", "after": 0, "limit": 5},
    ("audit", "replay.goals"): {"school": "walls-here", "after": 0, "limit": 5},
    ("goals", "ask.access"): {"what": "subject", "school": "walls-here", "subject": str(uuid4())},
    ("goals", "ask.tail"): {"producer": "goals", "school": "walls-here", "after_seq": 0},
    ("audit", "ask.cosign.notifications"): {"school": "walls-here", "request": "old 0\n\nno note", "held": None},
    ("samen", "ask.cosigned"): {"school": "walls-here", "size": 2**40, "lines": "none"},
    ("samen", "ask.checkpoint"): {"school": "walls-nowhere", "witness": "council", "old": None},
    ("network", "ask.stream.network"): {"what": "tail", "school": "walls-here", "after": 0, "since": None},
}
"""By login and subject, a question that is in order."""
ANSWERED_BY = {
    "replay.network": ("network", "replay_unanswered"),
    "replay.goals": ("goals", "replay_unanswered"),
    "ask.access": ("network", "access_unanswered"),
    "ask.tail": ("audit", "tail_unanswered"),
    "ask.cosign.notifications": ("notifications", "cosign_unanswered"),
    "ask.cosigned": ("audit", "witness_unanswered"),
    "ask.checkpoint": ("audit", "witness_unanswered"),
    "ask.stream.network": ("provisioner", "stream_unanswered"),
}
"""By whom, and the code of its line about a question that it could not make out."""


@pytest.mark.parametrize(("login", "subject"), ASKED)
async def test_a_torn_question_of_a_service_is_left_unanswered_and_the_next_one_is_not(
    login: str, subject: str, stage: Stage, here: School
) -> None:
    del here
    before, asked = await state(stage), ASKED[login, subject]
    async with stage.login(login) as client:
        first = (await client.request(subject, json.dumps(asked).encode())).data
        heard = await client.subscribe(client.new_inbox())
        for data in TORN:
            await client.publish(subject, data, reply=heard.subject)
        for data in wrong(asked):
            await client.publish(subject, data)
        # Questions are answered one after the other: this one comes behind all of those.
        again = (await client.request(subject, json.dumps(asked).encode())).data
        assert heard.pending_msgs == 0
    assert json.loads(again) == json.loads(first)
    service, code = ANSWERED_BY[subject]
    log = stage.processes[service].log if service in SERVICES else stage.servers.root / "provisioner.log"
    said = [json.loads(line)["code"] for line in (await asyncio.to_thread(log.read_text)).splitlines()]
    assert said.count(code) >= len(TORN)
    await unharmed(stage, before)
