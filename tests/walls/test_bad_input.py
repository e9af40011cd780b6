"""Whatever comes to a door: a problem that says what to do, nothing changed, and the service still there."""

from __future__ import annotations

import importlib
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from deploy.home import Home
from deploy.samen.client import Client as SamenClient
from shared.actor import LONGEST, Actor, SigningKey, mint
from shared.errors import Problem, ProblemType
from shared.events.words import ActorKind
from shared.unit import Endpoint
from tests.faults.cast import School
from tests.faults.door import Answer, Door
from tests.faults.stage import SERVICES, Stage

pytestmark = pytest.mark.asyncio(loop_scope="package")

DOORS: list[tuple[str, Endpoint[Any]]] = [
    (service, endpoint)
    for service in SERVICES
    for endpoint in importlib.import_module(f"services.{service}.commands").ENDPOINTS
]
NOT_JSON = [b"", b"{", b"\xff\xfe{}", b"\x00", b"{'a': 1}", b"[" * 100_000, b'{"a": NaN}', b"{}{}", b'"' + b"x" * 5000]
NOT_OBJECTS = [b"null", b"1", b'"x"', b"[]", b"true", b"1e999"]
ABSURD: list[Any] = [
    None,
    True,
    10**30,
    -1,
    0.5,
    [],
    {},
    "",
    "x" * 5000,
    "a\x00b",
    "9999-12-31",
    "0001-01-01",
    "2026-02-30",
    "'; DROP TABLE goal; --",
    [None] * 300,
]


def name_of(one: tuple[str, Endpoint[Any]]) -> str:
    return f"{one[0]}.{one[1].name}"


async def send(door: Door, school: str, one: tuple[str, Endpoint[Any]], data: bytes, **headers: str) -> Answer:
    """Sends bytes as the school's administrator, all headers in order but those given (None-like "" leaves one out)."""
    service, endpoint = one
    kind = "qry" if endpoint.is_query else "cmd"
    made = {
        "Authorization": "Bearer " + door.token(door.person(school_admin(door), school)),
        "Idempotency-Key": uuid4().hex,
    }
    made = {name: value for name, value in (made | headers).items() if value}
    return await door.send(f"{kind}.{school}.{service}.{endpoint.name}", data, made)


ADMIN: dict[int, str] = {}


def school_admin(door: Door) -> str:
    return ADMIN[id(door)]


@pytest.fixture(autouse=True)
def _asker(door: Door, here: School) -> None:
    ADMIN[id(door)] = here.admin


def says_what_to_do(answer: Answer, *kinds: str) -> None:
    assert answer.kind in kinds, answer
    assert answer.problem is not None
    assert set(answer.problem) >= {"type", "title", "detail"}
    assert len(answer.problem["detail"]) >= 15


async def written(stage: Stage) -> dict[str, int]:
    """Returns how many events each service has journaled, denials and looks apart."""
    counts = {}
    for service in SERVICES:
        async with stage.admin(service) as conn:
            counts[service] = await conn.fetchval(
                "SELECT count(*) FROM journal WHERE type !~ 'access.(denied|viewed).v1$'"
            )
    return counts


async def unharmed(stage: Stage, before: tuple[dict[str, int], dict[str, int]]) -> None:
    """Nothing was written, nothing ended, nothing failed in an unforeseen way."""
    assert await state(stage) == before
    for process in stage.processes.values():
        assert process.get("/ready")[0] == 200
        assert '"request_failed"' not in process.log.read_text()


async def state(stage: Stage) -> tuple[dict[str, int], dict[str, int]]:
    return await written(stage), {service: process.pid for service, process in stage.processes.items()}


def fits(model: type[BaseModel], data: bytes) -> bool:
    try:
        model.model_validate_json(data)
    except (ValidationError, ValueError):
        return False
    return True


def bodies(model: type[BaseModel]) -> list[bytes]:
    """Returns bodies that are wrong in one place each; a field's absurd value may fit by chance."""
    made = [*NOT_JSON, *NOT_OBJECTS, b'{"no_such_field": 1}', b'{"purpose": "because"}']
    for name in model.model_fields:
        made += [json.dumps({name: value}).encode() for value in ABSURD]
        made += [json.dumps({name: "\ud800"}).encode(), json.dumps({name: ["\ud800"]}).encode()]
    return made


@pytest.mark.parametrize("one", DOORS, ids=name_of)
async def test_a_body_that_is_not_in_order_is_invalid_and_changes_nothing(
    one: tuple[str, Endpoint[Any]], stage: Stage, door: Door, here: School
) -> None:
    before = await state(stage)
    for data in bodies(one[1].body):
        if not fits(one[1].body, data):
            says_what_to_do(await send(door, here.slug, one, data), "invalid")
    await unharmed(stage, before)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=30)
    | st.uuids().map(str)
    | st.dates().map(str),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(drawn=st.data())
async def test_no_body_of_any_kind_brings_a_service_down(
    drawn: st.DataObject, stage: Stage, door: Door, here: School
) -> None:
    """Right field names with anything in them: answered ok only if it fits, and never with silence or `unavailable`."""
    one = drawn.draw(st.sampled_from(DOORS))
    fields = dict.fromkeys(one[1].body.model_fields, VALUES)
    body = drawn.draw(st.fixed_dictionaries({}, optional=fields))
    answer = await send(door, here.slug, one, json.dumps(body).encode())
    if fits(one[1].body, json.dumps(body).encode()):
        assert answer.kind in {"ok", "forbidden", "invalid", "conflict", "stale_version"}, answer
    else:
        says_what_to_do(answer, "invalid")
    assert stage.processes[one[0]].process.poll() is None


@pytest_asyncio.fixture(loop_scope="package")
async def samen(stage: Stage) -> AsyncIterator[SamenClient]:
    """The command line's own client."""
    home = Home(stage.folder)
    home.keys = stage.servers.keys
    async with SamenClient(home, url=stage.servers.nats_url) as client:
        yield client


@pytest.mark.parametrize("service", SERVICES)
async def test_bodies_of_half_a_megabyte_and_of_two_are_too_large(
    service: str, stage: Stage, door: Door, here: School, samen: SamenClient
) -> None:
    before = await state(stage)
    one = next(one for one in DOORS if one[0] == service)
    padded = b'{"purpose": "' + b"x" * 600_000 + b'"}'
    says_what_to_do(await send(door, here.slug, one, padded), "too_large")
    actor = samen.actor(UUID(here.admin), here.slug)
    for size in (600_000, 2_000_000):
        with pytest.raises(Problem, match="in parts") as refused:
            await (samen.query if one[1].is_query else samen.command)(
                here.slug, service, one[1].name, {"purpose": "x" * size}, actor
            )
        assert refused.value.type is ProblemType.TOO_LARGE
    async with stage.login("samen") as rude:
        rude._max_payload = 10_000_000  # a client that does not ask itself: the server ends its line
        answer = await Door(rude, door.key).send(f"cmd.{here.slug}.{service}.x", b"x" * 2_000_000, {}, 1.0)
        assert not answer.answered
    says_what_to_do(await send(door, here.slug, one, b"{"), "invalid")
    await unharmed(stage, before)


def tokens(door: Door, stage: Stage, here: School) -> dict[str, str]:
    """Returns tokens that prove nothing."""
    now, actor = door.clock.now(), door.person(here.admin, here.slug)
    good = jwt.decode(door.token(actor), options={"verify_signature": False})
    stranger, header = Ed25519PrivateKey.generate(), {"kid": "samen"}
    goals = SigningKey.load(stage.servers.keys.token_key("goals"))
    own = door.key.private

    def signed(**claims: object) -> str:
        return jwt.encode(good | claims, own, algorithm="EdDSA", headers=header)

    return {
        "none at all": "",
        "noise": "Bearer x.y.z",
        "not ASCII": "Bearer \u00e9\u00e9",
        "expired": mint(door.key, actor, now - LONGEST - timedelta(seconds=10)),
        "not yet": mint(door.key, actor, now + timedelta(minutes=2)),
        "forged": jwt.encode(good, stranger, algorithm="EdDSA", headers=header),
        "alg none": jwt.encode(good, "", algorithm="none", headers=header),
        "alg HS256 with the public key": jwt.encode(
            good, stage.servers.keys.trusted.read_bytes()[:64], algorithm="HS256", headers=header
        ),
        "unknown kid": jwt.encode(good, own, algorithm="EdDSA", headers={"kid": "nobody"}),
        "kid of another": jwt.encode(good, own, algorithm="EdDSA", headers={"kid": "goals"}),
        "no kid": jwt.encode(good, own, algorithm="EdDSA"),
        "kid is a path": jwt.encode(good, own, algorithm="EdDSA", headers={"kid": "../../samen"}),
        "a service as a person": mint(goals, actor, now),
        "a service as another": mint(goals, Actor(actor.id, ActorKind.SERVICE, here.slug, "goals"), now),
        "other audience": signed(aud="elsewhere"),
        "other issuer": signed(iss="goals"),
        "for a day": signed(exp=good["exp"] + 86_400),
        "no expiry": signed(exp=None),
        "expiry is text": signed(exp="soon"),
        "nobody": signed(sub="me"),
        "unknown kind": signed(kind="root"),
    }


async def test_a_token_that_proves_nothing_is_refused_in_one_and_the_same_way(
    stage: Stage, door: Door, here: School
) -> None:
    async def events() -> int:
        async with stage.admin("goals") as conn:
            return int(await conn.fetchval("SELECT count(*) FROM journal"))

    before, answers = await events(), {}
    one = next(one for one in DOORS if name_of(one) == "goals.goals-of-child")
    body = json.dumps({"about": here.kids[0].child, "purpose": "guidance"}).encode()
    for name, token in tokens(door, stage, here).items():
        bearer = token if not token or token.startswith("Bearer") else f"Bearer {token}"
        answers[name] = await send(door, here.slug, one, body, Authorization=bearer)
        says_what_to_do(answers[name], "forbidden")
    assert len({json.dumps(answer.problem, sort_keys=True) for answer in answers.values()}) == 1
    # Whom they name is not known, so no journal may say that somebody was denied.
    assert await events() == before


COMMAND = next(one for one in DOORS if name_of(one) == "network.add-organisation")


async def test_a_command_without_a_sound_key_is_not_done(stage: Stage, door: Door, here: School) -> None:
    before = await state(stage)
    for key in ("", "x" * 101, "a b", "\u00e9", "a/b", "*"):
        answer = await send(door, here.slug, COMMAND, b'{"name": "Zorg"}', **{"Idempotency-Key": key})
        says_what_to_do(answer, "invalid")
        assert "Idempotency-Key" in str((answer.problem or {})["detail"])
    await unharmed(stage, before)


async def test_one_key_for_two_requests_is_a_conflict_and_for_one_the_same_reply(door: Door, here: School) -> None:
    key = {"Idempotency-Key": uuid4().hex}
    first = await send(door, here.slug, COMMAND, b'{"name": "Zorg"}', **key)
    again = await send(door, here.slug, COMMAND, b'{"name": "Zorg"}', **key)
    other = await send(door, here.slug, COMMAND, b'{"name": "Zorg Anders"}', **key)
    assert first.done
    assert again == first
    says_what_to_do(other, "conflict")


async def test_past_its_deadline_nothing_is_done(stage: Stage, door: Door, here: School) -> None:
    before = await state(stage)
    for deadline in ("0", "1000", str(int(door.clock.now().timestamp() * 1000) - 1)):
        answer = await send(door, here.slug, COMMAND, b'{"name": "Zorg"}', Deadline=deadline)
        says_what_to_do(answer, "unavailable")
    await unharmed(stage, before)
    for unreadable in ("soon", "-1", "9" * 400, "\u0661"):
        assert (await send(door, here.slug, COMMAND, b'{"name": "Zorg"}', Deadline=unreadable)).kind == "ok"


async def test_headers_as_large_as_the_bus_takes_are_survived(stage: Stage, door: Door, here: School) -> None:
    before = await state(stage)
    huge = "x" * 400_000
    says_what_to_do(await send(door, here.slug, COMMAND, b"{}", Authorization=f"Bearer {huge}"), "forbidden")
    says_what_to_do(await send(door, here.slug, COMMAND, b'{"name": "Z"}', **{"Idempotency-Key": huge}), "invalid")
    says_what_to_do(await send(door, here.slug, COMMAND, b"{", traceparent=huge, tracestate=huge), "invalid")
    await unharmed(stage, before)


async def test_an_old_version_is_named_beside_the_present_one(door: Door, here: School) -> None:
    kid = here.kids[0]
    body: dict[str, Any] = {
        "subject": kid.child,
        "role": "psychologist",
        "new_person": {"given_name": "Pim", "family_name": "Proef"},
    }
    admin = door.person(here.admin, here.slug)
    made = await door.must(here.slug, "network.add-member", admin, **body)
    for version in (0, 2, -1, 2**31):
        end = {"subject": kid.child, "membership": made["membership"], "version": version}
        answer = await door.command(here.slug, "network.end-membership", admin, **end)
        says_what_to_do(answer, "stale_version", "invalid")
