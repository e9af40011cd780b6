"""Commands and queries through the real path: snapshot, decision, commit."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared.actor import Actor
from shared.errors import Problem, ProblemType
from shared.events.base import Denied, Viewed
from shared.events.membership import MembershipEnded
from shared.events.network import AccessChanged, ConsentGiven, ConsentSettled, ConsentState, ConsentWithdrawn
from shared.events.words import Action, ActorKind, Category, Purpose, Role
from tests.network.conftest import FAMILY, Network
from tests.network.facts import allowed

A, C, P = Action, Category, Purpose


class Family:
    """The family of the roster, by person."""

    def __init__(self, ids: dict[str, UUID]) -> None:
        self.kim, self.mum, self.dad = ids["kim"], ids["mum"], ids["dad"]
        self.juf, self.ib, self.logo = ids["juf"], ids["ib"], ids["logo"]

    def consent(self, **more: object) -> dict[str, Any]:
        return {
            "child": self.kim,
            "for_purpose": "care_coordination",
            "recipient": self.logo,
            "categories": ["goals"],
            "notice_version": 1,
            **more,
        }


@pytest.fixture
async def family(network: Network) -> Family:
    await network.open()
    reply = await network.operate("import-roster", **FAMILY)
    assert reply["refused"] == []
    return Family({name: await network.find(name) for name in ("kim", "mum", "dad", "juf", "ib", "logo")})


async def sees(network: Network, family: Family, who: UUID) -> bool:
    grants = await network.grants(family.kim)
    return allowed(grants, who, A.VIEW, C.GOALS, P.CARE_COORDINATION, at=datetime.now(UTC))


async def refused(network: Network, name: str, who: UUID | Actor, /, **body: object) -> Problem:
    with pytest.raises(Problem) as caught:
        await network.ask(name, who, **body)
    return caught.value


async def test_only_an_operator_opens_a_school_and_only_once(network: Network) -> None:
    problem = await refused(network, "open-school", uuid4(), name="Elders")
    assert problem.type is ProblemType.FORBIDDEN
    await network.open()
    with pytest.raises(Problem) as caught:
        await network.open()
    assert caught.value.more["code"] == "already_open"


async def test_consent_of_both_holders_lets_the_therapist_in_and_a_withdrawal_puts_it_out(
    network: Network, family: Family
) -> None:
    asked = await network.ask("ask-consent", family.ib, **family.consent())
    assert asked["state"] == "asked"
    first = await network.ask("give-consent", family.mum, **family.consent())
    assert (first["state"], await sees(network, family, family.logo)) == ("asked", False)
    second = await network.ask("give-consent", family.dad, **family.consent())
    assert (second["state"], await sees(network, family, family.logo)) == ("given", True)
    taken = await network.ask("withdraw-consent", family.dad, **family.consent())
    assert (taken["state"], await sees(network, family, family.logo)) == ("withdrawn", False)
    told = [event for event in await network.events() if event.is_a(ConsentWithdrawn)]
    assert told[0].fact(ConsentWithdrawn).consent_version == 4
    assert told[0].thing == UUID(asked["consent"])


async def test_a_no_against_a_yes_conflicts_and_shares_nothing(network: Network, family: Family) -> None:
    await network.ask("give-consent", family.mum, **family.consent())
    reply = await network.ask("refuse-consent", family.dad, **family.consent())
    assert (reply["state"], await sees(network, family, family.logo)) == ("conflicting", False)
    mums = await network.ask("consents", family.mum, child=family.kim, purpose="guidance")
    assert mums["consents"][0]["state"] == "conflicting"
    assert [one["holder"] for one in mums["consents"][0]["answers"]] == [str(family.mum)]


async def test_an_answer_to_another_version_of_the_notice_is_refused(network: Network, family: Family) -> None:
    await network.ask("ask-consent", family.ib, **family.consent(notice_version=2))
    problem = await refused(network, "give-consent", family.mum, **family.consent())
    assert (problem.type, problem.more["notice_version"]) == (ProblemType.CONFLICT, 2)


async def test_an_answer_made_from_an_old_version_is_a_lost_update(network: Network, family: Family) -> None:
    await network.ask("give-consent", family.mum, **family.consent())
    await network.ask("give-consent", family.dad, **family.consent())
    problem = await refused(network, "withdraw-consent", family.mum, **family.consent(version=1))
    assert problem.type is ProblemType.STALE_VERSION


async def test_nobody_else_gives_consent(network: Network, family: Family) -> None:
    for who in (family.juf, family.logo, family.ib, network.admin, uuid4()):
        problem = await refused(network, "give-consent", who, **family.consent())
        assert problem.type is ProblemType.FORBIDDEN


async def test_consent_names_only_recipients_from_outside_who_take_part(network: Network, family: Family) -> None:
    for recipient in (uuid4(), family.juf, family.mum):
        problem = await refused(network, "give-consent", family.mum, **family.consent(recipient=recipient))
        assert problem.type is ProblemType.INVALID


async def test_the_end_of_authority_settles_consents_that_waited_for_it(network: Network, family: Family) -> None:
    await network.ask("give-consent", family.mum, **family.consent())
    shown = await network.manage("child-network", child=family.kim, purpose="administration")
    dads = next(one for one in shown["authorities"] if one["holder"] == str(family.dad))
    await network.manage("end-authority", child=family.kim, authority=dads["authority"], version=dads["version"])
    settled = [event.fact(ConsentSettled) for event in await network.events() if event.is_a(ConsentSettled)]
    assert [one.state for one in settled] == [ConsentState.GIVEN]
    assert await sees(network, family, family.logo)
    problem = await refused(network, "give-consent", family.dad, **family.consent())
    assert problem.type is ProblemType.FORBIDDEN


async def test_a_new_holder_of_authority_must_agree_too(network: Network, family: Family) -> None:
    for who in (family.mum, family.dad):
        await network.ask("give-consent", who, **family.consent())
    added = await network.manage(
        "add-member",
        subject=family.kim,
        role="guardian",
        new_person={"given_name": "Voogd", "family_name": "Nieuw"},
    )
    problem = await refused(
        network, "record-authority", network.admin, child=family.kim, holder=family.logo, source="court"
    )
    assert problem.type is ProblemType.INVALID
    await network.manage("record-authority", child=family.kim, holder=added["person"], source="court")
    assert not await sees(network, family, family.logo)
    reply = await network.ask("give-consent", UUID(added["person"]), **family.consent())
    assert (reply["state"], await sees(network, family, family.logo)) == ("given", True)


async def test_the_end_of_a_membership_ends_every_grant_that_hung_on_it(network: Network, family: Family) -> None:
    for who in (family.mum, family.dad):
        await network.ask("give-consent", who, **family.consent())
    shown = await network.manage("child-network", child=family.kim, purpose="administration")
    one = next(one for one in shown["members"] if one["person"] == str(family.logo))
    body = {"subject": family.kim, "membership": one["membership"], "version": one["version"]}
    assert (await refused(network, "end-membership", family.juf, **body)).type is ProblemType.FORBIDDEN
    await network.manage("end-membership", **body, reason="placement_ended")
    assert not [grant for grant in await network.grants(family.kim) if grant.member == family.logo]
    assert (await refused(network, "end-membership", network.admin, **body)).type is ProblemType.STALE_VERSION
    ended = [event.fact(MembershipEnded) for event in await network.events() if event.is_a(MembershipEnded)]
    assert [(fact.member, fact.reason) for fact in ended] == [(family.logo, "placement_ended")]


async def test_an_auditor_who_leaves_loses_every_child_in_the_same_transaction(
    network: Network, family: Family
) -> None:
    school = await network.manage("school", purpose="administration")
    one = next(one for one in school["members"] if one["role"] == "auditor")
    before = await network.grants(family.kim)
    assert allowed(before, network.auditor, A.VIEW, C.LOG, P.OVERSIGHT, at=datetime.now(UTC))
    await network.manage(
        "end-membership", subject=network.subject, membership=one["membership"], version=one["version"]
    )
    for subject in (family.kim, network.subject):
        assert not [grant for grant in await network.grants(subject) if grant.member == network.auditor]


async def test_roles_that_do_not_fit_the_subject_name_those_that_do(network: Network, family: Family) -> None:
    problem = await refused(network, "add-member", network.admin, subject=family.kim, role="auditor", person=family.juf)
    assert Role.AUDITOR not in problem.more["allowed"]
    assert Role.THERAPIST in problem.more["allowed"]
    twice = await refused(network, "add-member", network.admin, subject=family.kim, role="teacher", person=family.juf)
    assert twice.type is ProblemType.CONFLICT
    unknown = await refused(network, "add-member", network.admin, subject=family.kim, role="teacher", person=uuid4())
    assert unknown.type is ProblemType.INVALID


async def test_contact_data_is_for_those_who_may_and_never_for_the_other_parent(
    network: Network, family: Family
) -> None:
    for who, purpose, may in (
        (family.dad, "guidance", False),
        (family.juf, "guidance", False),
        (family.ib, "guidance", True),
    ):
        shown = await network.ask("child-network", who, child=family.kim, purpose=purpose)
        assert ("mum@example.org" in json.dumps(shown)) is may
    assert (await refused(network, "child-network", family.logo, child=family.kim, purpose="guidance")).type is (
        ProblemType.FORBIDDEN
    )


async def test_everyone_lists_the_children_they_may_see(network: Network, family: Family) -> None:
    for who in (family.mum, family.juf):
        shown = await network.ask("children", who, purpose="guidance")
        assert [one["id"] for one in shown["children"]] == [str(family.kim)]
    for who in (family.logo, network.auditor, uuid4()):
        assert (await refused(network, "children", who, purpose="guidance")).type is ProblemType.FORBIDDEN
    everyone = await network.manage("children", everyone=True, purpose="administration")
    assert len(everyone["children"]) == 1
    assert (await refused(network, "children", family.juf, everyone=True, purpose="guidance")).type is (
        ProblemType.FORBIDDEN
    )


async def test_an_unknown_child_answers_as_a_forbidden_one_and_both_are_journaled(
    network: Network, family: Family
) -> None:
    unknown = await refused(network, "child-network", family.mum, child=uuid4(), purpose="guidance")
    forbidden = await refused(network, "child-network", uuid4(), child=family.kim, purpose="guidance")
    assert unknown.to_json() == forbidden.to_json()
    assert len([event for event in await network.events() if event.is_a(Denied)]) == 2


async def test_a_contact_point_is_told_only_to_notifications_and_only_of_receivers(
    network: Network, family: Family
) -> None:
    body: dict[str, object] = {"member": family.mum, "about": family.kim, "purpose": "administration"}
    service = network.service("notifications")
    assert await network.ask("contact-point", service, **body) == {"email": "mum@example.org"}
    viewed = [event for event in await network.events() if event.is_a(Viewed)][-1]
    assert (viewed.about, viewed.thing, viewed.act.category) == (family.kim, family.mum, C.CONTACT)
    # A person who happens to have the service's id is no service; other services are not notifications.
    for who in (Actor(service.id, ActorKind.PERSON, network.school, "x"), network.service("goals"), network.admin):
        assert (await refused(network, "contact-point", who, **body)).type is ProblemType.FORBIDDEN
    for member in (family.logo, uuid4()):
        problem = await refused(network, "contact-point", service, **{**body, "member": member})
        assert problem.type is ProblemType.FORBIDDEN


async def test_a_contact_point_is_not_told_when_the_member_leaves_between_look_and_commit(
    network: Network, family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    body: dict[str, object] = {"member": family.mum, "about": family.kim, "purpose": "administration"}
    commit, looked = network.unit._commit, asyncio.Event()

    async def late(*args: Any) -> str:  # noqa: ANN401  passed on as they are
        if not looked.is_set():
            looked.set()
            async with network.db.school(network.school) as conn:
                await conn.execute(
                    "UPDATE access SET version = version + 1, grants = grants - $2 WHERE id = $1",
                    family.kim,
                    str(family.mum),
                )
        return await commit(*args)

    monkeypatch.setattr(network.unit, "_commit", late)
    problem = await refused(network, "contact-point", network.service("notifications"), **body)
    assert (looked.is_set(), problem.type) == (True, ProblemType.FORBIDDEN)
    viewed = [event.fact(Viewed).query for event in await network.events() if event.is_a(Viewed)]
    assert "contact-point" not in viewed


async def test_a_contact_point_of_a_child_under_review_is_not_told(network: Network, family: Family) -> None:
    body: dict[str, object] = {"member": family.mum, "about": family.kim, "purpose": "administration"}
    service = network.service("notifications")
    async with network.db.school(network.school) as conn:
        await conn.execute("INSERT INTO under_review VALUES ($1, $2)", network.school, family.kim)
    assert (await refused(network, "contact-point", service, **body)).type is ProblemType.FORBIDDEN
    async with network.db.school(network.school) as conn:
        await conn.execute("DELETE FROM under_review")
    assert await network.ask("contact-point", service, **body) == {"email": "mum@example.org"}


async def test_every_query_leaves_a_line_and_no_line_or_event_names_anyone(network: Network, family: Family) -> None:
    await network.ask("children", family.mum, purpose="own_data")
    await network.ask("consents", family.mum, child=family.kim, purpose="own_data")
    events = await network.events()
    queries = [event.fact(Viewed).query for event in events if event.is_a(Viewed)]
    assert queries[-2:] == ["children", "consents"]
    raw = b"".join(event.raw for event in events)
    for canary in (
        b"Jansen",
        b"de Vries",
        b"mum@example.org",
        b"Zorg Samen",
        b"Beheer",
        b"2015-05-05",
        b"2031-05-0",
        b"De Brug",
    ):
        assert canary not in raw


async def test_two_changes_of_one_child_at_once_both_count(network: Network, family: Family) -> None:
    await asyncio.gather(
        network.ask("give-consent", family.mum, **family.consent()),
        network.ask("give-consent", family.dad, **family.consent()),
        network.manage(
            "add-member", subject=family.kim, role="psychologist", new_person={"given_name": "P", "family_name": "S"}
        ),
    )
    assert await sees(network, family, family.logo)
    revisions = [
        event.fact(AccessChanged).revision
        for event in await network.events()
        if event.is_a(AccessChanged) and event.about == family.kim
    ]
    assert revisions == list(range(1, len(revisions) + 1))
    assert len([event for event in await network.events() if event.is_a(ConsentGiven)]) == 2


async def test_an_operator_finds_ids_by_roster_id_but_no_names(network: Network, family: Family) -> None:
    found = await network.operate("find-person", sourced_id="mum", purpose="administration")
    assert [one["person"] for one in found["persons"]] == [str(family.mum)]
    assert "given_name" not in found["persons"][0]
    assert (await refused(network, "find-person", family.juf, sourced_id="mum", purpose="administration")).type is (
        ProblemType.FORBIDDEN
    )


async def test_what_collides_with_a_known_sourced_id_is_told_to_change_it(network: Network) -> None:
    await network.open()
    await network.manage("add-organisation", name="Zorg", sourced_id="care")
    told = await asyncio.gather(
        network.manage("add-organisation", name="Zorg Samen", sourced_id="care"),
        network.manage("add-organisation", name="Zorg Verder", sourced_id="more"),
        return_exceptions=True,
    )
    assert isinstance(told[0], Problem)
    assert told[0].type is ProblemType.CONFLICT
    assert "care" not in told[0].detail
    assert isinstance(told[1], dict)
