"""Who may erase a child, what stands in the way, and what everyone is answered from then on."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from uuid import UUID, uuid4

from shared.actor import Actor
from shared.errors import Problem, ProblemType
from shared.events.erasure import (
    ChildErased,
    ErasureAsked,
    ErasureConfirmed,
)
from shared.events.membership import MembershipEnded
from shared.events.network import AccessChanged
from shared.events.words import Action, ActorKind, Category, Purpose
from tests.network.conftest import Network, pupil
from tests.network.erasing import (
    ask,
    confirm,
    counts,
    dump,
    hire,
    live,
    second,
    work,
)
from tests.network.family import refused, settle


async def test_it_takes_two_and_the_second_is_another_administrator_or_the_leader(network: Network) -> None:
    family = await settle(network)
    request = await ask(network, family.kim)
    own = await refused(network, "decide-erasure", network.admin, **request, answer="confirmed")
    assert own.type is ProblemType.FORBIDDEN
    assert "another administrator" in own.detail
    expert = await hire(network, "expert_team_member")
    for who in (family.mum, family.kim, family.juf, family.ib, network.auditor, expert, uuid4()):
        answer = await refused(network, "decide-erasure", who, **request, answer="confirmed", purpose="guidance")
        assert answer.type is ProblemType.FORBIDDEN, who
        assert (await refused(network, "erase-child", who, child=family.kim, reason="duplicate")).type is (
            ProblemType.FORBIDDEN
        )
    assert await network.grants(family.kim)
    leader = await hire(network, "school_leader")
    reply = await confirm(network, leader, request, purpose="guidance")
    assert (reply["state"], reply["effective"]) == ("erasing", "pending")
    (confirmed,) = await network.facts(ErasureConfirmed)
    assert confirmed.asked_by == network.admin


async def test_one_operator_does_not_take_both_steps_for_two_persons(network: Network) -> None:
    family = await settle(network)
    leader, other = await hire(network, "school_leader"), await second(network)

    def at(operator: str | None, who: UUID) -> Actor:
        return Actor(who, ActorKind.PERSON, network.school, "samen", operator)

    body = {"child": family.kim, "reason": "request_granted"}
    told = {Action.RECEIVE, Category.IDENTITY, Purpose.ADMINISTRATION}
    kept = [one for one in await network.grants(family.kim) if told <= {*one.actions, *one.categories, *one.purposes}]
    assert {one.member for one in kept} == {network.admin, other}
    reply = await network.ask("erase-child", at("anna", network.admin), **body)
    request = {"child": family.kim, "erasure": reply["erasure"], "version": 1}
    for who, purpose in ((other, "administration"), (leader, "guidance")):
        body_ = {**request, "answer": "confirmed", "purpose": purpose}
        answer = await refused(network, "decide-erasure", at("anna", who), **body_)
        assert (answer.type, answer.more["code"]) == (ProblemType.FORBIDDEN, "same_operator")
    shown = await network.manage("erasures", purpose="administration")
    assert "anna" not in json.dumps(shown)
    await network.ask("decide-erasure", at("anna", other), **request, answer="declined")
    request["erasure"] = (await network.ask("erase-child", at("anna", network.admin), **body))["erasure"]
    assert (await confirm(network, at("bert", other), request))["state"] == "erasing"


async def test_what_was_asked_can_be_read_whole_however_much_it_is(network: Network) -> None:
    await network.open()
    many = """
        INSERT INTO erasure (school, id, version, child, reason, state, asked_by, asked_at, gone)
        SELECT $1, uuidv7(), 1, gen_random_uuid(), 'duplicate', CASE WHEN n % 3 = 0 THEN 'declined' ELSE 'asked' END,
               $2, clock_timestamp(), '{}' FROM generate_series(1, 603) n"""
    async with network.db.school(network.school) as conn:
        await conn.execute(many, network.school, network.admin)
    pages, before = [], None
    while True:
        told = await network.manage("erasures", purpose="administration", state="asked", before=before)
        pages.append([one["id"] for one in told["erasures"]])
        if (before := told["next"]) is None:
            break
    assert [len(page) for page in pages] == [200, 200, 2]
    found = [one for page in pages for one in page]
    assert found == sorted(set(found), reverse=True)
    (oldest,) = (await network.manage("erasures", purpose="administration", erasure=found[-1]))["erasures"]
    assert (oldest["id"], oldest["state"]) == (found[-1], "asked")


async def test_a_request_can_be_declined_or_taken_back_and_asked_again(network: Network) -> None:
    family = await settle(network)
    other = await second(network)
    for who in (other, network.admin):
        request = await ask(network, family.kim)
        again = await refused(network, "erase-child", other, child=family.kim, reason="duplicate")
        assert again.more["erasure"] == request["erasure"]
        await network.ask("decide-erasure", who, **request, answer="declined")
        stale = await refused(network, "decide-erasure", other, **request, answer="confirmed")
        assert stale.type is ProblemType.INVALID
    assert len(await network.facts(ErasureAsked)) == 2
    assert await family.sees(family.mum)


async def test_all_access_ends_in_the_transaction_that_confirms_it_and_stays_ended(network: Network) -> None:
    family = await settle(network)
    asked = {"child": family.kim, "purpose": "administration"}
    await network.manage("child-network", **asked)
    request = await ask(network, family.kim)
    await confirm(network, await second(network), request)
    assert (await network.facts(AccessChanged))[-1].grants == ()
    assert {one.reason for one in await network.facts(MembershipEnded)} == {"placement_ended"}
    nobody = [await refused(network, "child-network", who, **asked) for who in (network.admin, family.mum)]
    nobody.append(await refused(network, "child-network", network.admin, **asked | {"child": uuid4()}))
    assert {json.dumps(one.to_json(), sort_keys=True) for one in nobody} == {
        json.dumps(nobody[0].to_json(), sort_keys=True)
    }
    shown = await network.manage("children", everyone=True, purpose="administration")
    assert str(family.kim) not in json.dumps(shown)
    assert (await network.manage("find-person", sourced_id="kim", purpose="administration"))["persons"] == []
    # Whoever reaches every child changes: no grant on this one comes back, before or after its rows went.
    await second(network)
    assert await network.attend() == 0
    await work(network)
    await second(network)
    await network.attend()
    assert await network.grants(family.kim) == ()


async def test_a_second_run_says_that_it_is_done_already(network: Network) -> None:
    family = await settle(network)
    other = await second(network)
    request = await ask(network, family.kim)
    await confirm(network, other, request)
    for confirmed in (False, True, True):
        again = await refused(network, "erase-child", network.admin, child=family.kim, reason="duplicate")
        assert again.more["code"] == "erased"
        assert again.more["erasure"] == request["erasure"]
        await work(network, confirmed)
    assert len(await network.facts(ChildErased)) == 1


async def test_an_unknown_child_is_answered_as_a_forbidden_one(network: Network) -> None:
    await settle(network)
    unknown = await refused(network, "erase-child", network.admin, child=uuid4(), reason="duplicate")
    stranger = await refused(network, "erase-child", uuid4(), child=uuid4(), reason="duplicate")
    assert unknown.to_json() == stranger.to_json()
    itself = await refused(network, "erase-child", network.admin, child=network.subject, reason="duplicate")
    assert itself.type is ProblemType.INVALID


async def test_a_dry_run_says_what_would_go_and_changes_nothing(network: Network) -> None:
    family = await live(network)
    before = await dump(network)
    shown = await network.manage("erasure-preview", child=family.kim, purpose="administration")
    assert shown["rows"] == await counts(network, family.kim)
    assert (await refused(network, "erasure-preview", family.mum, child=family.kim, purpose="administration")).type is (
        ProblemType.FORBIDDEN
    )
    after = await dump(network)
    for name in before.keys() - {"journal", "journal_head"}:
        assert after[name] == before[name], name


async def test_a_hold_keeps_the_file_whatever_was_asked_until_it_is_lifted_or_runs_out(network: Network) -> None:
    family = await settle(network)
    other, request = await second(network), await ask(network, family.kim)
    assert (await refused(network, "place-hold", family.ib, child=family.kim, reason="court")).type is (
        ProblemType.FORBIDDEN
    )
    held = await network.manage("place-hold", child=family.kim, reason="court", until="2099-01-01")
    late = await refused(network, "decide-erasure", other, **request, answer="confirmed")
    assert (late.more["code"], late.more["hold"], late.more["reason"]) == ("on_hold", held["hold"], "court")
    shown = await network.manage("holds", child=family.kim, purpose="administration")
    assert [(one["reason"], one["holds"]) for one in shown["holds"]] == [("court", True)]
    await network.shift(datetime(2099, 1, 2, tzinfo=UTC))
    assert (await network.manage("holds", child=family.kim, purpose="administration"))["holds"][0]["holds"] is False
    more = await network.manage("place-hold", child=family.kim, reason="complaint")
    assert (await refused(network, "decide-erasure", other, **request, answer="confirmed")).more["code"] == "on_hold"
    await network.manage("lift-hold", child=family.kim, hold=more["hold"], version=1)
    again = await refused(network, "lift-hold", network.admin, child=family.kim, hold=more["hold"], version=2)
    assert again.type is ProblemType.CONFLICT
    await confirm(network, other, request)


async def test_a_file_whose_term_runs_is_not_erased_for_its_term(network: Network) -> None:
    family = await settle(network)
    body = {"child": family.kim, "reason": "retention_ended"}
    assert (await refused(network, "erase-child", network.admin, **body)).more["code"] == "not_left"
    await network.manage("end-placement", child=family.kim)
    early = await refused(network, "erase-child", network.admin, **body)
    assert early.more["code"] == "term_runs"
    await network.shift(datetime.fromisoformat(early.more["due_at"]))
    assert (await network.manage("erase-child", **body))["state"] == "asked"


async def test_of_a_hold_and_a_confirmation_at_one_moment_only_one_comes_off(network: Network) -> None:
    await settle(network)
    names = [f"kid{n}" for n in range(6)]
    await network.operate("import-roster", persons=[pupil(name) for name in names])
    other = await second(network)
    won: set[object] = set()
    for name in names:
        child = await network.find(name)
        request = await ask(network, child)
        both = [
            network.ask("decide-erasure", other, **request, answer="confirmed"),
            network.manage("place-hold", child=child, reason="court"),
        ]
        done = await asyncio.gather(*(both if len(won) % 2 else reversed(both)), return_exceptions=True)
        problems = [one for one in done if isinstance(one, Problem)]
        assert len(problems) == 1, done
        won.add(problems[0].more.get("code"))
    assert won <= {"on_hold", None}
