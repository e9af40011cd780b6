"""Invitations: what they show, whom they let in, and that everything which can't be used looks alike."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.network import circle
from services.network.taking import MOST_WRONG
from shared.actor import Actor
from shared.errors import Problem, ProblemType
from shared.events.base import Denied, Viewed
from shared.events.words import ActorKind, Category
from shared.unit import Asked
from shared.unit_parts import Key
from tests.network.conftest import BY_NAME, Network
from tests.network.family import Family, forbidden, refused, secret, settle

PIET: dict[str, Any] = {"given_name": "Piet", "family_name": "Praat", "email": "piet@example.org"}


@pytest.fixture(autouse=True)
def _fresh_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong tries are counted in memory: each test begins with none."""
    monkeypatch.setattr(circle.TRIES, "_minute", 0)


@pytest.fixture
async def family(network: Network) -> Family:
    return await settle(network)


async def invite(family: Family, role: str = "psychologist", **more: object) -> dict[str, Any]:
    body: dict[str, Any] = {"subject": family.kim, "role": role, "secret": secret(), **more}
    reply: dict[str, Any] = await family.network.ask("invite-member", family.ib, **body)
    return reply


async def test_an_invitation_is_looked_at_and_then_taken_by_someone_new(network: Network, family: Family) -> None:
    made = await invite(family, "psychologist", mandate={"code": "screening", "ends_on": "2199-07-01"})
    new = uuid4()
    shown = await network.ask("invitation", new, secret=secret(), purpose="own_data")
    assert (shown["school_name"], shown["network"], shown["role"]) == ("School De Brug", "child", "psychologist")
    assert shown["mandate"]["code"] == "screening"
    assert {"view", "decide", "score"} <= {action for one in shown["allows"] for action in one["actions"]}
    assert all(one["nl"] and one["en"] for one in shown["allows"])
    assert not await family.sees(new)
    taken = await network.ask("take-invitation", new, secret=secret(), new_person=PIET)
    assert (taken["person"], await family.sees(new)) == (str(new), True)
    assert taken["revision"] > 1, "the door waits until it is usable"
    member = await family.shown(new)
    assert (member["given_name"], member["status"], member["mandate"]["code"]) == ("Piet", "active", "screening")
    assert [one["invitation"] for one in await family.events("invitation.taken")] == [made["invitation"]]


async def test_what_is_shown_before_it_is_taken_says_nothing_about_the_child(network: Network, family: Family) -> None:
    for number, role in enumerate(("guardian", "therapist", "psychologist", "teacher")):
        await invite(family, role, secret=secret(number))
        shown = json.dumps(await network.ask("invitation", uuid4(), secret=secret(number), purpose="own_data"))
        for canary in ("Kim", "Jansen", str(family.kim), "2015", "Vries", str(family.ib)):
            assert canary not in shown
    looked = [event for event in await network.events() if event.is_a(Viewed)][-1]
    assert (looked.fact(Viewed).query, looked.about) == ("invitation", family.kim)


async def test_a_therapist_reads_that_only_consent_opens_anything(network: Network, family: Family) -> None:
    await invite(family, "therapist")
    shown = await network.ask("invitation", uuid4(), secret=secret(), purpose="own_data")
    assert [one["nl"] for one in shown["allows"]] == [
        (
            "bekijken, antwoorden op verwachtingen, scores geven, meldingen krijgen "
            "(alleen wat er aan toestemming is gegeven, en zolang die geldt)"
        )
    ]
    new = uuid4()
    await network.ask("take-invitation", new, secret=secret(), new_person=PIET)
    assert not [grant for grant in await network.grants(family.kim) if grant.member == new]


async def test_someone_known_takes_it_as_the_person_the_school_knows(network: Network, family: Family) -> None:
    await invite(family, "support_committee")
    named = await refused(network, "take-invitation", family.logo, secret=secret(), new_person=PIET)
    assert named.type is ProblemType.INVALID
    await network.ask("take-invitation", family.logo, secret=secret())
    assert await family.sees(family.logo)
    await invite(family, "psychologist", secret=secret(2))
    assert (await refused(network, "take-invitation", uuid4(), secret=secret(2))).type is ProblemType.INVALID


async def closed(network: Network, family: Family) -> dict[str, str]:
    """Returns secrets that can't be used, by what became of them."""
    secrets = {name: secret(number) for number, name in enumerate(("used", "revoked", "expired", "left"), 10)}
    made = {name: await invite(family, secret=secrets[name]) for name in ("used", "revoked", "expired")}
    await network.ask("take-invitation", uuid4(), secret=secrets["used"], new_person=PIET)
    revoke = {"subject": family.kim, "invitation": made["revoked"]["invitation"], "version": 1}
    await network.ask("revoke-invitation", family.ib, **revoke)
    async with network.db.school(network.school) as conn:
        past = datetime.now(UTC) - timedelta(seconds=1)
        await conn.execute(
            "UPDATE invitation SET expires_at = $1 WHERE id = $2", past, UUID(made["expired"]["invitation"])
        )
    return secrets | {"never there": secret(99)}


async def test_a_secret_that_cannot_be_used_is_refused_in_one_and_the_same_way(
    network: Network, family: Family
) -> None:
    secrets = await closed(network, family)
    del secrets["left"]
    await invite(family, secret=secret(50))
    assert await network.ask("invitation", uuid4(), secret=secret(50), purpose="own_data"), "control"
    answers, denied = set(), []
    for one in secrets.values():
        for name, body in (("invitation", {"purpose": "own_data"}), ("take-invitation", {"new_person": PIET})):
            who = uuid4()
            problem = await refused(network, name, who, secret=one, **body)
            answers.add(json.dumps(problem.to_json(), sort_keys=True))
            event = (await network.events())[-1]
            denied.append((event.is_a(Denied), event.about, event.act.reason, event.act.actor == who))
    assert len(answers) == 1
    assert "forbidden" in answers.pop()
    assert set(denied) == {(True, network.subject, "no_such_invitation", True)}, "one path: the same line for each"


async def test_a_look_for_any_closed_secret_reads_nothing_of_the_child(network: Network, family: Family) -> None:
    """The reader's own answer is the same too, so that nothing later can differ by it, in content or in time."""
    secrets = await closed(network, family)
    read = set()
    async with network.db.school(network.school) as conn:
        for one in secrets.values():
            args = {"school": network.school, "actor": str(uuid4()), "secret": one}
            read.add(await conn.fetchval("SELECT read_invitation($1::jsonb)::text", args))
    assert len(read) == 1
    assert json.loads(read.pop())["children"] == []


async def test_of_many_who_take_one_invitation_at_once_one_is_in(network: Network, family: Family) -> None:
    await invite(family)
    takers = [uuid4() for _ in range(8)]
    answers = await asyncio.gather(
        *(network.ask("take-invitation", who, secret=secret(), new_person=PIET) for who in takers),
        return_exceptions=True,
    )
    won = [one for one in answers if not isinstance(one, BaseException)]
    lost = [one.type for one in answers if isinstance(one, Problem)]
    assert (len(won), lost) == (1, [ProblemType.FORBIDDEN] * 7)
    assert [str(who) for who in takers if await family.sees(who)] == [won[0]["person"]]


async def test_a_retry_gets_the_same_answer_and_a_second_use_none(network: Network, family: Family) -> None:
    await invite(family)
    who, endpoint = uuid4(), BY_NAME["take-invitation"]
    asked = Asked(
        Actor(who, ActorKind.PERSON, network.school, "test"),
        network.school,
        endpoint.body.model_validate_json(json.dumps({"secret": secret(), "new_person": PIET})),
        network.ids,
    )
    first = await network.unit.run(endpoint, asked, Key("k", "h"))
    assert await network.unit.run(endpoint, asked, Key("k", "h")) == first
    with pytest.raises(Problem) as caught:
        await network.unit.run(endpoint, asked, Key("another", "h"))
    assert caught.value.type is ProblemType.FORBIDDEN


async def test_wrong_tries_of_one_door_are_answered_up_to_a_limit_and_a_right_one_still_is(
    network: Network, family: Family
) -> None:
    def at(door: str) -> Actor:
        return Actor(uuid4(), ActorKind.PERSON, network.school, door)

    await invite(family)
    kinds = [
        (await refused(network, "invitation", at("portal"), secret=secret(n), purpose="own_data")).type
        for n in range(100, 102 + MOST_WRONG)
    ]
    assert set(kinds[:MOST_WRONG]) == {ProblemType.FORBIDDEN}
    assert set(kinds[MOST_WRONG:]) == {ProblemType.RATE_LIMITED}
    assert len(await family.events("access.denied")) == MOST_WRONG
    # Both doors' limits are their own, and whoever has a right secret is not held up by a guesser.
    assert await forbidden(network, "invitation", at("gate"), secret=secret(300), purpose="own_data")
    assert await network.ask("invitation", at("portal"), secret=secret(), purpose="own_data")


async def test_only_who_may_propose_members_invites_and_only_to_roles_that_fit(
    network: Network, family: Family
) -> None:
    body: dict[str, Any] = {"subject": family.kim, "role": "psychologist", "secret": secret()}
    for who in (family.juf, family.mum, family.logo, network.auditor, uuid4()):
        assert await forbidden(network, "invite-member", who, **body)
    for role in ("child", "local_tool", "auditor", "expert_team_member"):
        problem = await refused(network, "invite-member", family.ib, **{**body, "role": role})
        # The auditor reaches every child: only the records' keeper invites one, and to the school.
        assert problem.type is (ProblemType.FORBIDDEN if role == "auditor" else ProblemType.INVALID)
    for wrong in ({"expires_on": "2020-01-01"}, {"expires_on": "2199-01-01"}, {"organisation": uuid4()}):
        assert (await refused(network, "invite-member", family.ib, **body, **wrong)).type is ProblemType.INVALID
    made = await network.ask("invite-member", family.ib, **body)
    late = datetime.fromisoformat(made["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=13, hours=23) < late <= timedelta(days=14)


async def test_a_guardian_brings_in_someone_from_outside_and_nobody_else(network: Network, family: Family) -> None:
    body: dict[str, Any] = {"subject": family.kim, "secret": secret()}
    for role in ("psychologist", "teacher", "guardian", "school_leader"):
        assert await forbidden(network, "invite-member", family.mum, role=role, **body)
    made = await network.ask("invite-member", family.mum, role="therapist", **body)
    await invite(family, secret=secret(2))
    for who, count in ((family.mum, 1), (family.dad, 0), (family.ib, 2)):
        shown = await network.ask("invitations", who, subject=family.kim, purpose="guidance")
        assert len(shown["invitations"]) == count
    revoke = {"subject": family.kim, "invitation": made["invitation"], "version": 1}
    assert (await refused(network, "revoke-invitation", family.dad, **revoke)).type is ProblemType.INVALID
    await network.ask("revoke-invitation", family.mum, **revoke)
    assert await forbidden(network, "invitation", uuid4(), secret=secret(), purpose="own_data")


async def test_a_member_of_the_school_cannot_be_invited_past_the_keeper_of_its_records(
    network: Network, family: Family
) -> None:
    await network.manage("add-member", subject=network.subject, role="expert_team_member", person=family.mum)
    body: dict[str, Any] = {"subject": network.subject, "secret": secret()}
    assert await forbidden(network, "invite-member", family.mum, role="school_administrator", **body)
    await network.manage("invite-member", role="auditor", **body)
    new = uuid4()
    await network.ask("take-invitation", new, secret=secret(), new_person=PIET)
    assert await family.sees(new, Category.LOG) is False, "an auditor's purpose is oversight"
    assert [grant.role for grant in await network.grants(family.kim) if grant.member == new] == ["auditor"]


async def test_only_the_hash_of_the_secret_is_kept_anywhere(network: Network, family: Family) -> None:
    await invite(family)
    async with network.db.school(network.school) as conn:
        kept = await conn.fetchval("SELECT secret_hash FROM invitation")
        tables = await conn.fetch(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
            " AND has_table_privilege(oid, 'SELECT')"
        )
        dump = "".join([str(await conn.fetch(f"TABLE {table['relname']}")) for table in tables])
    assert kept == sha256(secret().encode()).hexdigest()
    assert kept in dump, "control: the dump holds the table"
    assert secret() not in dump


async def test_who_made_invitations_sees_what_became_of_them_without_the_secret(
    network: Network, family: Family
) -> None:
    secrets = await closed(network, family)
    shown = await network.ask("invitations", family.ib, subject=family.kim, purpose="guidance")
    assert {one["state"] for one in shown["invitations"]} == {"taken", "revoked", "expired"}
    assert not any(
        one in json.dumps(shown) or sha256(one.encode()).hexdigest() in json.dumps(shown) for one in secrets.values()
    )
    for who in (family.juf, family.logo, uuid4()):
        assert await forbidden(network, "invitations", who, subject=family.kim, purpose="guidance")
    gone = {"subject": family.kim, "invitation": shown["invitations"][0]["invitation"], "version": 2}
    assert (await refused(network, "revoke-invitation", family.ib, **gone)).type is ProblemType.CONFLICT


async def test_a_child_that_left_by_the_roster_takes_its_invitations_along(network: Network, family: Family) -> None:
    await invite(family)
    own = (await family.membership(family.kim))["membership"]
    await network.operate("import-roster", ends=[own])
    assert await forbidden(network, "invitation", uuid4(), secret=secret(), purpose="own_data")
    assert await forbidden(network, "take-invitation", uuid4(), secret=secret(), new_person=PIET)
    problem = await refused(
        network, "invite-member", network.admin, subject=family.kim, role="teacher", secret=secret(2)
    )
    assert problem.more["code"] == "has_left"


async def test_the_child_itself_and_tools_take_no_invitation(network: Network, family: Family) -> None:
    await invite(family)
    tool = Actor(uuid4(), ActorKind.TOOL, network.school, "gate")
    for who in (family.kim, tool, network.service("goals")):
        assert await forbidden(network, "take-invitation", who, secret=secret(), new_person=PIET)


async def test_a_network_under_review_shows_no_invitation(network: Network, family: Family) -> None:
    await invite(family)
    async with network.db.school(network.school) as conn:
        await conn.execute("INSERT INTO under_review VALUES ($1, $2)", network.school, family.kim)
    assert await forbidden(network, "take-invitation", uuid4(), secret=secret(), new_person=PIET)
    async with network.db.school(network.school) as conn:
        await conn.execute("DELETE FROM under_review")
    assert await network.ask("take-invitation", uuid4(), secret=secret(), new_person=PIET)


@pytest.mark.parametrize("how", ["end-membership", "suspend-membership", "the school's", "no authority"])
async def test_an_invitation_is_void_when_its_maker_may_invite_no_more(
    network: Network, family: Family, how: str
) -> None:
    maker, role = family.ib, "psychologist"
    if how == "the school's":
        new = {"given_name": "Bea", "family_name": "Beheer"}
        made = await network.manage("add-member", subject=network.subject, role="school_administrator", new_person=new)
        await network.attend()
        maker = UUID(made["person"])
    elif how == "no authority":
        maker, role = family.mum, "therapist"
    await network.ask("invite-member", maker, subject=family.kim, role=role, secret=secret())
    assert await network.ask("invitation", uuid4(), secret=secret(), purpose="own_data"), "control"
    if how == "the school's":
        shown = await network.manage("school", purpose="administration")
        one = next(one for one in shown["members"] if one["person"] == str(maker))
        gone = {"subject": network.subject, "membership": one["membership"], "version": one["version"]}
        await network.manage("end-membership", **gone)
    elif how == "no authority":
        found = await network.manage("child-network", child=family.kim, purpose="administration")
        held = next(one for one in found["authorities"] if one["holder"] == str(maker))
        body = {"child": family.kim, "authority": held["authority"], "version": held["version"]}
        await network.manage("end-authority", **body)
    else:
        await network.manage(how, **(await family.membership(maker)))
    unknown = await refused(network, "invitation", uuid4(), secret=secret(99), purpose="own_data")
    for name, body in (("invitation", {"purpose": "own_data"}), ("take-invitation", {"new_person": PIET})):
        problem = await refused(network, name, uuid4(), secret=secret(), **body)
        assert problem.to_json() == unknown.to_json()
        event = (await network.events())[-1]
        assert (event.is_a(Denied), event.about) == (True, network.subject)
        assert str(family.kim) not in json.dumps(event.content, default=str)
    shown = await network.manage("invitations", subject=family.kim, purpose="administration")
    assert [one["state"] for one in shown["invitations"]] == ["void"]


async def test_nobody_takes_an_invitation_that_they_made_themselves(network: Network, family: Family) -> None:
    await invite(family)
    posing = Actor(uuid4(), ActorKind.PERSON, network.school, "test", on_behalf_of=family.ib)
    for who in (family.ib, posing):
        assert await forbidden(network, "invitation", who, secret=secret(), purpose="own_data")
        assert await forbidden(network, "take-invitation", who, secret=secret())
    assert await network.ask("take-invitation", family.logo, secret=secret()), "control: another may"
