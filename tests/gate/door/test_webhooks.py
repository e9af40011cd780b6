"""Where a webhook leads and what signs it: who may say so, what is refused, and that a secret is told to nobody."""

from __future__ import annotations

import base64
from typing import Any
from uuid import uuid4

import pytest
from pydantic import ValidationError

from services.gate.delivering import all_here
from services.gate.minding import END, mind_tool
from shared.errors import Problem, ProblemType
from shared.events.gate import ParcelsRedriven, WebhookKeyTaken
from shared.settings import Settings
from shared.unit import Asked
from tests.gate.door.support import Office

FIRST, SECOND, THIRD = ("whsec_" + base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2, 3))
PAIR = "whsk_" + base64.b64encode(b"k" * 32).decode()
URL = "https://tool.example.org/hook?token=abc"


async def refused(office: Office, name: str, **body: object) -> Problem:
    with pytest.raises(Problem) as found:
        await office.ask(name, office.keeper, **body)
    return found.value


@pytest.fixture
async def hooked(office: Office) -> Office:
    await office.register(channel="webhook")
    await office.ask("set-webhook", office.keeper, url=URL, secret=FIRST, version=0)
    return office


async def test_a_keeper_sets_a_webhook_and_neither_log_nor_answer_tells_the_secret_or_where(hooked: Office) -> None:
    assert await hooked.names() == ["tool.registered", "webhook.set", "webhook.key-taken"]
    shown = await hooked.ask("webhook", hooked.keeper)
    assert (shown["url"], shown["version"], shown["waiting"], shown["aside"]) == (URL, 1, 0, [])
    assert [(key["scheme"], key["public"], key["until"]) for key in shown["keys"]] == [("hmac", None, None)]
    told = b"".join(event.raw for event in await hooked.told())
    for secret in (FIRST, "token=abc", "tool.example.org"):
        assert secret.encode() not in told
    assert FIRST not in str(shown)
    assert FIRST not in str(await hooked.rows("SELECT * FROM idempotency"))


async def test_a_new_key_signs_beside_the_old_until_it_ends_and_a_leaked_one_ends_at_once(hooked: Office) -> None:
    await hooked.ask("take-webhook-key", hooked.keeper, "k", secret=PAIR, version=1, overlap_hours=24)
    shown = await hooked.ask("webhook", hooked.keeper)
    assert [(key["scheme"], key["until"] is None) for key in shown["keys"]] == [("hmac", False), ("ed25519", True)]
    assert shown["keys"][1]["public"].startswith("whpk_")
    assert PAIR.removeprefix("whsk_") not in str(shown)
    await hooked.ask("take-webhook-key", hooked.keeper, secret=SECOND, version=2, overlap_hours=0)
    (row,) = await hooked.rows("SELECT keys FROM webhook")
    assert [one["secret"] for one in row["keys"]] == [SECOND]
    facts = [event.fact(WebhookKeyTaken) for event in await hooked.told() if event.is_a(WebhookKeyTaken)]
    assert [fact.scheme for fact in facts] == ["hmac", "ed25519", "hmac"]
    assert {fact.tool for fact in facts} == {hooked.tool}


async def test_an_overlap_is_never_made_longer_by_a_later_one(hooked: Office) -> None:
    await hooked.ask("take-webhook-key", hooked.keeper, secret=SECOND, version=1, overlap_hours=1)
    (before,) = await hooked.rows("SELECT keys FROM webhook")
    await hooked.ask("take-webhook-key", hooked.keeper, secret=THIRD, version=2, overlap_hours=700)
    (after,) = await hooked.rows("SELECT keys FROM webhook")
    assert after["keys"][0]["until"] == before["keys"][0]["until"]
    assert (await refused(hooked, "take-webhook-key", secret=SECOND, version=3)).type is ProblemType.CONFLICT
    assert (await refused(hooked, "take-webhook-key", secret=PAIR, version=1)).type is ProblemType.STALE_VERSION


@pytest.mark.parametrize(
    "url",
    [
        *("http://tool.example.org/", "https://user:x@tool.example.org/", "https://tool.example.org/#x", "ftp://a.nl/"),
        "https://10.0.0.1/hook",
    ],
)
async def test_a_webhook_leads_by_https_to_a_plain_address(office: Office, url: str) -> None:
    await office.register(channel="webhook")
    problem = await refused(office, "set-webhook", url=url, secret=FIRST, version=0)
    assert (problem.type, problem.more["field"]) == (ProblemType.INVALID, "url")


@pytest.mark.parametrize(
    "secret",
    ["", "geheim", "whsec_", "whsec_c2hvcnQ=", "whsec_!!!", PAIR + "AAAA", "whpk_" + PAIR[5:], "whsec_" + "A" * 150],
)
async def test_a_secret_that_is_short_or_no_secret_is_refused(office: Office, secret: str) -> None:
    with pytest.raises(ValidationError):
        await office.ask("set-webhook", office.keeper, url=URL, secret=secret, version=0)


async def test_nobody_else_sets_reads_or_redrives(hooked: Office) -> None:
    calls: dict[str, dict[str, Any]] = {
        "set-webhook": {"url": URL, "secret": SECOND, "version": 1},
        "take-webhook-key": {"secret": SECOND, "version": 1},
        "redrive-parcels": {},
        "webhook": {},
    }
    for name, body in calls.items():
        for actor in (hooked.teacher, hooked.stranger, hooked.as_tool(), hooked.gate):
            with pytest.raises(Problem) as found:
                await hooked.ask(name, actor, **body)
            assert found.value.type is ProblemType.FORBIDDEN
    (row,) = await hooked.rows("SELECT version, keys FROM webhook")
    assert (row["version"], row["keys"][0]["secret"]) == (1, FIRST)


async def test_what_does_not_fit_is_said(office: Office) -> None:
    await office.register()
    for name, body in (("set-webhook", {"url": URL, "secret": FIRST, "version": 0}), ("webhook", {})):
        assert "not told by webhook" in (await refused(office, name, **body)).detail
    await office.register(tool=office.other_tool, channel="webhook")
    problem = await refused(office, "take-webhook-key", tool=office.other_tool, secret=FIRST, version=1)
    assert problem.more["code"] == "no_webhook"


async def test_what_was_set_aside_goes_again_when_it_is_asked(hooked: Office) -> None:
    add = "INSERT INTO parcel VALUES ($1, $2, 1, $3, $4, 20, now(), now(), now(), 'status_500')"
    for seq in (3, 7, 9):
        await hooked.rows(add, hooked.school, uuid4(), hooked.tool, seq)
    shown = await hooked.ask("webhook", hooked.keeper, from_sequence=4)
    assert [(one["seq"], one["code"]) for one in shown["aside"]] == [(7, "status_500"), (9, "status_500")]
    reply = await hooked.ask("redrive-parcels", hooked.keeper, from_sequence=7)
    assert reply == {"tool": str(hooked.tool), "parcels": 2}
    waiting = await hooked.rows("SELECT seq, tries FROM parcel WHERE aside_at IS NULL ORDER BY seq")
    assert waiting == [{"seq": 7, "tries": 0}, {"seq": 9, "tries": 0}]
    (fact,) = (event.fact(ParcelsRedriven) for event in await hooked.told() if event.is_a(ParcelsRedriven))
    assert (fact.from_sequence, fact.parcels) == (7, 2)
    assert (await hooked.ask("redrive-parcels", hooked.keeper, from_sequence=7))["parcels"] == 0


def test_this_machine_is_led_to_only_where_that_is_set_and_all_of_the_platform_is_on_it() -> None:
    here = {
        "service": "gate",
        "database_url": "postgresql://gate@127.0.0.1:5/gate",
        "relay_database_url": "",
        "nats_url": "nats://localhost:4222",
        "nats_creds": "x",
        "trusted_keys": "x",
        "signing_key": "x",
    }
    assert all_here(Settings(**here))  # type: ignore[arg-type]  # pydantic makes paths of them
    for name, value in (
        ("database_url", "postgresql://gate@postgres/gate"),
        ("nats_url", "nats://10.0.0.5:4222"),
        ("http_host", "0.0.0.0"),  # noqa: S104  that is what is refused
    ):
        assert not all_here(Settings(**(here | {name: value})))  # type: ignore[arg-type]


@pytest.mark.parametrize("how", ["asked", "ended"])
async def test_with_a_tool_go_where_its_webhook_led_and_what_signed_and_the_log_keeps_that_it_was_set(
    hooked: Office, how: str
) -> None:
    async with hooked.db.school(hooked.school) as conn:
        fares = "INSERT INTO receiver VALUES ($1, $2, 3, 0, NULL, now(), 'status_500')"
        await conn.execute(fares, hooked.school, hooked.tool)
    if how == "asked":
        await hooked.ask("remove-tool", hooked.keeper, version=1)
    else:
        await hooked.rows("UPDATE tool SET ends_at = clock_timestamp()")
        actor, body = mind_tool(hooked.school, hooked.tool)
        await hooked.unit.run(END, Asked(actor, hooked.school, body, hooked.ids))
    for table in ("webhook", "receiver"):
        assert await hooked.rows(f"SELECT * FROM {table}") == []
    assert await hooked.names() == ["tool.registered", "webhook.set", "webhook.key-taken", "tool.removed"]


async def test_what_a_tool_that_was_removed_earlier_left_of_its_webhook_goes_with_the_round(hooked: Office) -> None:
    await hooked.register(tool=hooked.other_tool, channel="webhook")
    await hooked.ask("set-webhook", hooked.keeper, tool=hooked.other_tool, url=URL, secret=SECOND, version=0)
    (row,) = await hooked.rows("SELECT * FROM webhook WHERE id = $1", hooked.tool)
    await hooked.ask("remove-tool", hooked.keeper, version=1)
    async with hooked.db.school(hooked.school) as conn:
        await conn.execute("INSERT INTO webhook SELECT * FROM jsonb_populate_record(NULL::webhook, $1)", row)
    await hooked.db.function("forget_told", hooked.school, 10)
    assert [row["id"] for row in await hooked.rows("SELECT id FROM webhook")] == [hooked.other_tool], (
        "control: its stays"
    )
