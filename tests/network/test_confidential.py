"""What separated guardians must not learn of each other, asked by every query of network."""

from __future__ import annotations

import asyncio
import json
from itertools import product
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.network.commands import ENDPOINTS
from shared.errors import Problem, ProblemType
from shared.events.words import ActorKind, Purpose
from tests.network.conftest import FAMILY, Network
from tests.network.family import Family, forbidden, refused, secret, settle

CANARIES = {
    "email": "canary-mail@example.org",
    "phone": "canary-phone-0612345678",
    "organisation": "canary-shelter",
}
QUERIES = [endpoint for endpoint in ENDPOINTS if endpoint.is_query]


@pytest.fixture
async def family(network: Network) -> Family:
    """Mum's contact data are canaries, and she is reached through a shelter that nobody may know of."""
    found = await settle(network)
    roster: dict[str, Any] = json.loads(json.dumps(FAMILY))
    roster["organisations"].append({"at": "orgs.csv:9", "sourced_id": "shelter", "name": CANARIES["organisation"]})
    mum = next(one for one in roster["persons"] if one["sourced_id"] == "mum")
    mum |= {"email": CANARIES["email"], "phone": CANARIES["phone"], "organisation": "shelter"}
    await network.operate("import-roster", organisations=roster["organisations"], persons=roster["persons"])
    shelter = (await shelter_of(network))[0]
    async with network.db.school(network.school) as conn:
        await conn.execute("UPDATE membership SET organisation = $1 WHERE person = $2", shelter, found.mum)
    return found


async def shelter_of(network: Network) -> list[UUID]:
    async with network.db.school(network.school) as conn:
        rows = await conn.fetch("SELECT id FROM organisation WHERE name = $1", CANARIES["organisation"])
    return [row[0] for row in rows]


async def body(network: Network, family: Family, field: str) -> list[object]:
    """What a query's field is asked with: everything that could bring the other guardian into view."""
    consent = (await network.manage("consents", child=family.kim, purpose="administration"))["consents"]
    known: dict[str, list[object]] = {
        "child": [family.kim],
        "subject": [family.kim, network.subject],
        "about": [family.kim, family.mum],
        "member": [family.mum],
        "person": [family.mum],
        "holder": [family.mum],
        "sourced_id": ["mum"],
        "everyone": [False, True],
        "after": [None],
        "before": [None],
        "state": [None, "asked"],
        "erasure": [None],
        "consent": [consent[0]["consent"]],
        "secret": [secret()],
        "organisations": [()],
        "persons": [()],
        "networks": [()],
        "ends": [()],
        "expected_persons": [("mum",)],
        "expected_organisations": [("shelter",)],
        "who": [family.mum],
        "action": ["view"],
        "category": ["contact", "identity"],
        "for_purpose": ["guidance"],
        "at": [None],
        "within_days": [0, 3660],
    }
    if field not in known:
        pytest.fail(f"say with what the field {field} of a query is asked: it may show the other guardian")
    return known[field]


async def asked(network: Network, family: Family, who: UUID) -> tuple[str, int]:
    """Returns all that every query answers to this person, for every purpose, and how many were answered."""
    told, answered = "", 0
    for endpoint in QUERIES:
        fields = [name for name in endpoint.body.model_fields if name != "purpose"]
        values = [await body(network, family, name) for name in fields]
        for purpose, *combination in product(Purpose, *values):
            try:
                answer = await network.ask(
                    endpoint.name, who, purpose=purpose, **dict(zip(fields, combination, strict=True))
                )
            except Problem as problem:
                answer = problem.to_json()
            else:
                answered += 1
            told += json.dumps(answer, default=str)
    return told, answered


OTHERWISE: dict[str, tuple[str, ...]] = {
    "guardian": (),
    "round the child": ("internal_coordinator", "school_leader", "therapist"),
    "in the school": ("school_administrator", "auditor", "school_leader"),
}


@pytest.mark.parametrize("otherwise", OTHERWISE)
async def test_no_query_of_network_shows_one_guardian_how_to_find_the_other(
    network: Network, family: Family, otherwise: str
) -> None:
    """Nor when the guardian has other roles too, round the child or in the school."""
    await family.both_consent()
    for role in OTHERWISE[otherwise]:
        subject = network.subject if otherwise == "in the school" else family.kim
        await network.manage("add-member", subject=subject, role=role, person=family.dad)
    await network.attend()
    dispute = {"child": family.kim, "decision": "sharing", "between": [family.mum, family.dad]}
    await network.ask("note-dispute", family.ib, **dispute, note="canary-note")
    await network.ask("invite-member", family.mum, subject=family.kim, role="therapist", secret=secret())
    for other in (family.dad, family.juf):
        await network.ask("state-tie", family.mum, child=family.kim, to=other, strength="strained")
    for who in (family.juf, family.ib):
        await network.ask("state-tie", who, child=family.kim, to=family.mum, strength="broken")
    await network.ask("break-glass", family.juf, child=family.kim, reason="canary-reason about mum")
    await network.attend()
    await network.ask("set-confidential", family.mum, person=family.mum, confidential=True)
    shelter = str((await shelter_of(network))[0])
    keeper, many = await asked(network, family, network.admin)
    told, answered = await asked(network, family, family.dad)
    assert answered > 15, "control: most of it is answered"
    assert many > 5
    for canary in (*CANARIES.values(), shelter):
        assert canary in keeper, "control: who keeps the records sees it"
        assert canary not in told
    for canary in ("strained", "broken", "canary-note", "canary-reason"):
        assert canary not in told
    asks = {"child": family.kim, "purpose": "guidance"}
    assert "canary-note" in json.dumps(await network.ask("deciders", family.ib, **asks)), "control: it is kept"
    assert "broken" in json.dumps(await network.ask("ecogram", family.ib, **asks)), "control"


async def test_a_guardian_who_works_at_the_school_sees_no_others_answer_and_settles_no_own_dispute(
    network: Network, family: Family
) -> None:
    await network.manage("add-member", subject=family.kim, role="internal_coordinator", person=family.dad)
    await network.manage("add-member", subject=network.subject, role="school_administrator", person=family.dad)
    await network.attend()
    consent = await family.both_consent()
    await network.ask("withdraw-consent", family.mum, **family.consent())
    shown = await network.ask("consents", family.dad, child=family.kim, purpose="guidance")
    answers = [(one["holder"], one["answer"]) for one in shown["consents"][0]["answers"]]
    assert answers == [(str(family.dad), "given")]
    receipt = await network.ask("consent-receipt", family.dad, consent=consent, purpose="administration")
    assert str(family.mum) not in json.dumps(receipt)
    dispute = {"child": family.kim, "decision": "sharing", "between": [family.mum, family.dad]}
    noted = await network.ask("note-dispute", family.ib, **dispute)
    settle = {"child": family.kim, "dispute": noted["dispute"], "version": 1}
    assert await forbidden(network, "settle-dispute", family.dad, **settle)
    flag = {"person": family.mum, "confidential": False, "purpose": "administration"}
    assert await forbidden(network, "set-confidential", family.dad, **flag)
    assert await network.ask("set-confidential", family.dad, **{**flag, "person": family.dad}), "one's own"
    reasons = await network.ask(
        "policy-explanation",
        family.dad,
        child=family.kim,
        who=family.dad,
        action="view",
        category="contact",
        for_purpose="administration",
        purpose="administration",
    )
    assert reasons["allowed"] is False
    assert "closed to guardians" in json.dumps(reasons)


async def test_a_confidential_place_is_shown_only_to_those_with_the_category_contact(
    network: Network, family: Family
) -> None:
    async def see(who: UUID) -> set[bool]:
        found = set()
        for query in ("child-network", "ecogram"):
            shown = await network.ask(query, who, child=family.kim, purpose="guidance")
            found.add(CANARIES["organisation"] in json.dumps(shown))
        return found

    assert [await see(who) for who in (family.dad, family.juf, family.ib)] == [{True}] * 3
    reply = await network.ask("set-confidential", family.mum, person=family.mum, confidential=True)
    assert [await see(who) for who in (family.dad, family.juf, family.ib)] == [{False}, {False}, {True}]
    shown = await network.ask("child-network", family.ib, child=family.kim, purpose="guidance")
    flags = {one["given_name"]: one["confidential"] for one in shown["members"]}
    assert flags["Mum"] is True, "who may see it is told not to pass it on"
    assert flags["Dad"] is False
    await network.manage("set-confidential", person=family.mum, confidential=False, version=reply["version"])
    assert await see(family.dad) == {True}


async def test_only_the_person_and_the_keeper_of_records_say_what_is_confidential(
    network: Network, family: Family
) -> None:
    for who in (family.dad, family.ib, family.juf, uuid4()):
        assert await forbidden(network, "set-confidential", who, person=family.mum, confidential=False)
    unknown = await refused(network, "set-confidential", network.admin, person=uuid4(), confidential=True)
    assert unknown.type is ProblemType.INVALID
    stranger = uuid4()
    assert await forbidden(network, "set-confidential", stranger, person=stranger, confidential=True)
    stale = await refused(network, "set-confidential", family.mum, person=family.mum, confidential=True, version=99)
    assert stale.type is ProblemType.STALE_VERSION
    await network.ask("set-confidential", family.mum, person=family.mum, confidential=True)
    told = await network.events()
    changed = [event for event in told if event.type.endswith("person.changed.v1")][-1]
    assert changed.content["data"]["fact"] == {"person": str(family.mum), "fields": ["confidential"]}
    assert changed.act.kind is ActorKind.PERSON


async def test_a_look_that_was_under_way_when_it_became_confidential_is_decided_again(
    network: Network, family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, looked = network.unit._commit, asyncio.Event()

    async def late(*args: Any) -> str:  # noqa: ANN401  passed on as they are
        if not looked.is_set():
            looked.set()
            await network.ask("set-confidential", family.mum, person=family.mum, confidential=True)
        return await commit(*args)

    monkeypatch.setattr(network.unit, "_commit", late)
    shown = await network.ask("child-network", family.dad, child=family.kim, purpose="guidance")
    assert looked.is_set()
    assert CANARIES["organisation"] not in json.dumps(shown)
