from __future__ import annotations

import json
from contextlib import suppress
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from pydantic import ValidationError

from deploy.databases import ServiceDatabase
from services.audit.commands import ByActor, WhoLooked
from services.audit.verify import proof_holds
from shared.actor import Actor
from shared.errors import Problem, ProblemType
from shared.events.base import Viewed
from shared.events.goals import ScoreRecorded
from shared.events.membership import MemberAdded
from shared.events.words import ActorKind, Basis, Category, Role, Setting
from shared.tlog.merkle import leaf_hash, verify_consistency, verify_inclusion
from shared.tlog.note import origin, verifier_key, verify
from shared.tlog.trust import LogKeys
from shared.unit import Asked
from shared.unit_run import Unit
from tests.audit.support import (
    AUDITOR,
    BY_NAME,
    CARER,
    CHILD,
    KEY,
    LONG_AGO,
    MOTHER,
    NOW,
    OTHER_CHILD,
    STRANGER,
    TEACHER,
    Journal,
    Log,
    act,
    pseudonym,
)


async def a_history(log: Log) -> Journal:
    """Logs looks of a teacher and a carer at two children, a score, and a stranger who was refused."""
    await log.settle()
    journal = Journal(log.school)
    journal.viewed()
    consent: dict[str, Any] = {
        "basis": Basis.CONSENT,
        "consent": pseudonym(60),
        "consent_version": 4,
        "role": Role.CARE_PROFESSIONAL,
        "organisation": pseudonym(61),
    }
    journal.viewed(CARER, category=Category.OBSERVATIONS, **consent)
    score = ScoreRecorded(goal=uuid4(), level=1, setting=Setting.SCHOOL, observed_on=NOW.date())
    journal.add(score, act(), thing=pseudonym(70))
    journal.denied()
    journal.viewed(about=OTHER_CHILD)
    journal.viewed()
    await log.log(journal.events)
    return journal


def seqs(answer: dict[str, Any]) -> list[int]:
    return [line["seq"] for line in answer["lines"]]


async def test_a_guardian_sees_who_looked_at_the_own_child_and_on_what_basis(log: Log) -> None:
    await a_history(log)
    answer = await log.ask("who-looked", MOTHER, child=CHILD)
    assert seqs(answer) == [6, 4, 2, 1], "newest first; a score is no look, another child is not in it"
    carer = answer["lines"][2]
    assert carer["actor"] == str(CARER)
    assert (carer["role"], carer["basis"], carer["purpose"]) == ("care_professional", "consent", "guidance")
    assert (carer["consent"], carer["consent_version"]) == (str(pseudonym(60)), 4)
    denied = answer["lines"][1]
    assert (denied["outcome"], denied["reason"], denied["actor"]) == ("denied", "no_grant", str(STRANGER))
    assert answer["next"] is None


async def test_an_auditor_sees_it_through_the_grant_on_the_school(log: Log) -> None:
    await a_history(log)
    assert seqs(await log.ask("who-looked", AUDITOR, child=CHILD)) == [6, 4, 2, 1]
    assert seqs(await log.ask("who-looked", AUDITOR, child=uuid4())) == []


FILTERS: tuple[tuple[dict[str, Any], list[int]], ...] = (
    ({"who": CARER}, [2]),
    ({"role": "care_professional"}, [2]),
    ({"role": "guardian"}, []),
    ({"organisation": pseudonym(61)}, [2]),
    ({"organisation": pseudonym(62)}, []),
    ({"category": "observations"}, [2]),
    ({"outcome": "denied"}, [4]),
    ({"since": "2026-03-10T09:02:00Z"}, [6, 4, 2]),
    ({"until": "2026-03-10T10:02:00+01:00"}, [1]),
    ({"since": "2026-03-10T09:02:00Z", "until": "2026-03-10T09:04:00Z", "outcome": "permitted"}, [2]),
    ({"since": "2027-01-01T00:00:00Z"}, []),
)


async def test_a_guardian_is_not_told_when_another_looks_nor_of_that_ones_conversations(log: Log) -> None:
    """That another parent looks is that parent's own matter, and what the school looked at may be so too."""
    await log.settle()
    father, young, talk = pseudonym(51), pseudonym(52), pseudonym(80)
    network, journal = Journal(log.school, "network"), Journal(log.school)
    fact = MemberAdded(membership=pseudonym(53), member=father, role=Role.GUARDIAN, starts_at=LONG_AGO)
    network.add(fact, act(category=Category.NETWORK), CHILD)
    await log.log(network.events)
    for who, role in ((father, Role.GUARDIAN), (young, Role.CHILD), (MOTHER, Role.GUARDIAN), (TEACHER, Role.TEACHER)):
        by = act(who, role=role, category=Category.CONVERSATIONS)
        journal.add(Viewed(query="conversation", things=1), by, CHILD, talk)
    journal.denied(father)
    journal.viewed(TEACHER, category=Category.GOALS)
    await log.log(journal.events)
    await log.sign()
    lines = (await log.ask("who-looked", MOTHER, child=CHILD))["lines"]
    assert [(one["actor"], one.get("thing"), one.get("what")) for one in lines] == [
        (str(TEACHER), None, "goals"),
        (str(TEACHER), None, None),
        (str(MOTHER), str(talk), "conversation"),
    ]
    told = (await log.ask("story", MOTHER, child=CHILD, language="en"))["sentences"]
    assert [one["idx"] for one in told] == [one["idx"] for one in lines]
    every = (await log.ask("who-looked", AUDITOR, child=CHILD))["lines"]
    assert {one.get("thing") for one in every if one.get("what") == "conversation"} == {str(talk)}
    assert len(every) == 6
    proven = set()
    for one in every:
        for question in ("proof", "tlog-proof"):
            with suppress(Problem):
                proven.add((await log.ask(question, MOTHER, idx=one["idx"]))["idx"])
    assert proven == {lines[0]["idx"], lines[2]["idx"]}, "what is not shown whole is not proven either"


async def test_filters_hold_together(log: Log) -> None:
    await a_history(log)
    for filters, found in FILTERS:
        assert seqs(await log.ask("who-looked", AUDITOR, child=CHILD, **filters)) == found, filters


async def test_pages_follow_each_other_while_the_log_grows(log: Log) -> None:
    await log.settle()
    journal = Journal(log.school)
    # Two events of one moment: the idx keeps their order.
    for _ in range(3):
        journal.viewed()
        journal.at = journal.events[-1].occurred_at.replace(second=0)
    await log.log(journal.many(4) and journal.events)
    found: list[int] = []
    before = None
    for _ in range(4):
        page = await log.ask("who-looked", AUDITOR, child=CHILD, limit=2, before=before)
        found += seqs(page)
        before = page["next"]
        await log.log([journal.viewed()])
        if before is None:
            break
    assert found == [7, 6, 5, 4, 3, 2, 1]
    assert seqs(await log.ask("who-looked", AUDITOR, child=CHILD, before=10**6)) == []


async def test_by_actor_denials_and_tail(log: Log) -> None:
    await a_history(log)
    assert seqs(await log.ask("by-actor", who=TEACHER)) == [6, 5, 3, 1]
    assert seqs(await log.ask("by-actor", who=TEACHER, category="goals", limit=1)) == [6]
    assert seqs(await log.ask("by-actor", who=STRANGER, outcome="permitted")) == []
    assert seqs(await log.ask("denials")) == [4]
    assert seqs(await log.ask("denials", who=TEACHER)) == []
    assert [(line["idx"], line["seq"]) for line in (await log.ask("tail", last=2))["lines"]] == [(5, 6), (4, 5)]


async def test_every_look_at_the_log_is_journaled_and_becomes_a_line(log: Log) -> None:
    await a_history(log)
    await log.ask("who-looked", MOTHER, child=CHILD)
    await log.ask("by-actor", who=TEACHER)
    looks = await log.journaled()
    assert [look.type for look in looks] == ["nl.samenkracht.audit.access.viewed.v1"] * 2
    assert (looks[0].about, looks[0].act.actor, looks[0].act.category) == (CHILD, MOTHER, Category.LOG)
    assert looks[0].content["data"]["fact"] == {"query": "who-looked", "things": 4}
    assert (looks[1].about, looks[1].thing) == (log.subject, TEACHER)
    await log.log(looks)
    assert len(await log.journaled()) == 2, "a line about a look caused another look"
    newest = (await log.ask("who-looked", MOTHER, child=CHILD))["lines"]
    assert str(MOTHER) in {line["actor"] for line in newest}
    assert "who-looked" in {line["what"] for line in newest}


REFUSED: tuple[tuple[UUID, str, dict[str, Any]], ...] = (
    (STRANGER, "who-looked", {"child": CHILD}),
    (MOTHER, "who-looked", {"child": OTHER_CHILD}),
    (MOTHER, "who-looked", {"child": pseudonym(999)}),
    (MOTHER, "by-actor", {"who": TEACHER}),
    (MOTHER, "denials", {}),
    (MOTHER, "tail", {}),
    (MOTHER, "checkpoint", {}),
    (MOTHER, "proof", {"idx": 4}),
    (MOTHER, "proof", {"idx": 4000}),
)


async def test_what_is_not_granted_is_refused_alike_and_journaled(log: Log) -> None:
    await a_history(log)
    await log.sign()
    told = set()
    for who, name, body in REFUSED:
        with pytest.raises(Problem) as refused:
            await log.ask(name, who, **body)
        told.add(json.dumps(refused.value.to_json()))
    assert len(told) == 1, "what is not there is told apart from what is forbidden"
    assert '"type": "forbidden"' in told.pop()
    denials = await log.journaled()
    assert {one.type for one in denials} == {"nl.samenkracht.audit.access.denied.v1"}
    assert [one.act.actor for one in denials] == [who for who, _, _ in REFUSED]


async def test_the_wrong_purpose_opens_nothing(log: Log) -> None:
    await a_history(log)
    with pytest.raises(Problem) as refused:
        await log.ask("who-looked", AUDITOR, child=CHILD, purpose="guidance")
    assert refused.value.type is ProblemType.FORBIDDEN


async def test_a_school_whose_log_is_not_opened_answers_like_any_refusal(log: Log) -> None:
    with pytest.raises(Problem) as refused:
        await log.ask("tail")
    assert refused.value.type is ProblemType.FORBIDDEN


async def test_a_guardian_gets_a_proof_that_anyone_can_check(log: Log) -> None:
    journal = await a_history(log)
    await log.log(journal.many(600))
    await log.sign()
    for idx in (0, 1, 255, 256, 511, 605):
        proof = await log.ask("proof", MOTHER, idx=idx)
        signed = verify(proof["note"], verifier_key(origin("wijzer", log.school), KEY.public_key()))
        path = [bytes.fromhex(step) for step in proof["path"]]
        assert verify_inclusion(idx, signed.size, leaf_hash(proof["entry"].encode()), path, signed.root)
        assert json.loads(proof["entry"])["seq"] == idx + 1
        given = {**proof, "school": log.school}
        assert proof_holds(given, "wijzer", LogKeys(KEY.public_key()), 0) == ""
        assert proof_holds(
            {**given, "entry": proof["entry"].replace("view", "edit")}, "wijzer", LogKeys(KEY.public_key()), 0
        )
        assert proof_holds({**given, "school": "other"}, "wijzer", LogKeys(KEY.public_key()), 0)


async def test_a_checkpoint_shows_that_the_log_only_grew(log: Log) -> None:
    journal = await a_history(log)
    await log.sign()
    public = verifier_key(origin("wijzer", log.school), KEY.public_key())
    old = verify((await log.ask("checkpoint"))["note"], public)
    await log.log(journal.many(700))
    await log.sign()
    answer = await log.ask("checkpoint", since=old.size)
    new = verify(answer["note"], public)
    proof = [bytes.fromhex(step) for step in answer["consistency"]]
    assert (old.size, new.size) == (6, 706)
    assert verify_consistency(old.size, new.size, old.root, new.root, proof)
    assert (await log.ask("checkpoint", since=706))["consistency"] == []
    with pytest.raises(Problem, match="signed log is smaller") as beyond:
        await log.ask("checkpoint", since=707)
    assert beyond.value.more == {"size": 706}


async def test_what_is_not_signed_yet_has_no_proof(log: Log) -> None:
    journal = await a_history(log)
    with pytest.raises(Problem, match="nothing of this log is signed yet"):
        await log.ask("proof", idx=0)
    with pytest.raises(Problem, match="nothing of this log is signed yet"):
        await log.ask("checkpoint")
    await log.sign()
    await log.log([journal.viewed()])
    for idx in (6, 7):
        with pytest.raises(Problem, match="the signed log has 6 lines"):
            await log.ask("proof", idx=idx)


@pytest.mark.parametrize(
    "body",
    [
        {"child": "x"},
        {"since": "2026-03-10T09:00:00"},
        {"since": "0001-01-01T00:00:00Z"},
        {"limit": 0},
        {"limit": 201},
        {"before": -1},
        {"before": 2**53},
        {"outcome": "maybe"},
        {"unknown": 1},
        {"limit": "5"},
    ],
)
def test_bad_questions_do_not_get_in(body: dict[str, object]) -> None:
    whole = {"purpose": "oversight", "child": str(CHILD), **body}
    with pytest.raises(ValidationError):
        WhoLooked.model_validate_json(json.dumps(whole))
    WhoLooked.model_validate_json(json.dumps({"purpose": "oversight", "child": str(CHILD)}))
    with pytest.raises(ValidationError):
        ByActor.model_validate_json(json.dumps({"purpose": "oversight"}))


HOT: dict[str, tuple[dict[str, Any], str]] = {
    "read_who_looked": ({"child": CHILD}, "line_looks"),
    "read_by_actor": ({"who": TEACHER}, "line_actor"),
    "read_denials": ({}, "line_denied"),
    "read_tail": ({"last": 20}, "line_pk"),
}


async def test_hot_questions_use_their_index(log: Log, kept: ServiceDatabase, servers_admin: str) -> None:
    journal = Journal(log.school)
    await log.log([journal.viewed(), journal.denied()])
    for n in range(1500):
        journal.viewed(pseudonym(1000 + n % 50), pseudonym(2000 + n % 50))
    journal.viewed()
    journal.denied()
    told: list[str] = []
    admin = await asyncpg.connect(servers_admin.rsplit("/", 1)[0] + "/" + kept.name)

    async def plans(reader: str) -> list[str]:
        args = json.dumps({"limit": 50, "school": log.school, **HOT[reader][0]}, default=str)
        told.clear()
        for _ in range(7):  # from the sixth on a plan may be kept: the one for a small table
            await admin.execute(f"SELECT {reader}($1::jsonb)", args)
        return [plan for plan in told if "ORDER BY" in plan and " line" in plan]

    try:
        await admin.execute("LOAD 'auto_explain'")
        await admin.execute("SET auto_explain.log_min_duration = 0; SET auto_explain.log_nested_statements = on")
        await admin.execute("SET client_min_messages = log; SET ROLE samen_audit")
        admin.add_log_listener(lambda _, message: told.append(str(message.message)))
        await admin.execute("SELECT set_config('app.school', $1, false)", log.school)
        await admin.execute("ANALYZE line")
        for reader in HOT:
            await plans(reader)
        for start in range(2, len(journal.events), 1000):
            await log.log(journal.events[start : start + 1000])
        pages = {reader: await plans(reader) for reader in HOT}
    finally:
        await admin.close()
    for reader, (_, index) in HOT.items():
        assert len(pages[reader]) == 7, reader
        for plan in pages[reader]:
            assert f"using {index} " in plan, reader
            assert "Seq Scan on line" not in plan, reader
            assert "Sort" not in plan, f"{reader}: the index gives the order"


async def test_of_a_school_that_nobody_opened_no_log_begins_and_it_is_answered_as_what_is_forbidden(log: Log) -> None:
    await log.settle()
    strays: list[tuple[str, str]] = []
    unit = Unit("audit", log.db, log.ids, stray=lambda *told: strays.append(told))
    endpoint = BY_NAME["tail"]
    body = endpoint.body.model_validate_json('{"purpose": "oversight"}')

    async def asked(school: str) -> Problem:
        actor = Actor(STRANGER, ActorKind.PERSON, school, "samen")
        with pytest.raises(Problem) as refused:
            await unit.run(endpoint, Asked(actor, school, body, log.ids))
        return refused.value

    here, nowhere = await asked(log.school), await asked("de-nergens")
    assert (here.type, here.detail) == (nowhere.type, nowhere.detail)
    await unit.deny(endpoint, Actor(STRANGER, ActorKind.PERSON, "de-nergens", "samen"))
    assert strays == [("tail", "unknown_school")] * 2
    assert [one.content["data"]["act"]["outcome"] for one in await log.journaled()] == ["denied"], "control: here it is"
    assert "de-nergens" not in await log.db.schools()
