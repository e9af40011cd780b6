"""Members leave, are suspended, resumed and replaced; a placement ends with everything that hung on it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given

from services.network.grants import child_grants
from services.network.model import Child, Mandate, School, Status
from services.network.spans import FOREVER
from shared import access
from shared.access import View
from shared.actor import Actor
from shared.errors import ProblemType
from shared.events.words import Action, ActorKind, Category, Purpose, Role
from tests.network.conftest import FAMILY, Network, link
from tests.network.facts import AFTER, BEFORE, CHILDREN, ENDS, KIM, MOMENTS, MUM, NOW, SCHOOLS, authority, child, member
from tests.network.facts import school as made_school
from tests.network.family import Family, forbidden, refused, secret, settle


@pytest.fixture
async def family(network: Network) -> Family:
    return await settle(network)


# Rules --------------------------------------------------------------------------------------------------------------


@given(CHILDREN.filter(lambda one: one.memberships), SCHOOLS, MOMENTS, ENDS, ENDS)
def test_a_member_who_is_suspended_or_outside_a_mandate_has_no_grant_and_the_others_keep_theirs(
    found: Child, school: School, at: datetime, since: datetime | None, until: datetime | None
) -> None:
    first, rest = found.memberships[0], found.memberships[1:]
    if first.role is Role.GUARDIAN:  # without a part authority gives something by itself: see test_holders.py
        kept = tuple(one for one in found.authorities if one.holder != first.person)
        found = replace(found, authorities=kept)
    never = replace(first, ends_at=first.starts_at)  # as if it had not been, but that a guardian stays known as one
    others = set(child_grants(replace(found, memberships=(never, *rest)), school, at))
    suspended = replace(first, suspended_at=at)
    assert set(child_grants(replace(found, memberships=(suspended, *rest)), school, at)) == others
    within = replace(first, mandate=Mandate("m", since, until))
    for grant in set(child_grants(replace(found, memberships=(within, *rest)), school, at)) - others:
        assert grant.valid_from >= (since or grant.valid_from)
        assert (grant.valid_until or FOREVER) <= (until or FOREVER)


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({}, Status.ACTIVE),
        ({"starts_at": AFTER}, Status.PROPOSED),
        ({"ends_at": BEFORE}, Status.INACTIVE),
        ({"suspended_at": BEFORE}, Status.SUSPENDED),
        ({"suspended_at": BEFORE, "ends_at": BEFORE}, Status.INACTIVE),
        ({"mandate": Mandate("m", None, AFTER)}, Status.ACTIVE),
        ({"mandate": Mandate("m", None, NOW)}, Status.INACTIVE),
        ({"mandate": Mandate("m", AFTER, None)}, Status.PROPOSED),
    ],
)
def test_a_membership_and_its_network_have_the_statuses_of_a_care_team(more: dict[str, Any], status: Status) -> None:
    one = member(MUM, Role.GUARDIAN, **more)
    assert one.status(NOW) is status
    assert child(memberships=(member(KIM, Role.CHILD), one)).status(NOW) is status
    assert child(memberships=(member(KIM, Role.CHILD, ends_at=NOW), one)).status(NOW) is Status.INACTIVE
    active = member(MUM, Role.TEACHER)
    assert child(memberships=(member(KIM, Role.CHILD), one, active)).status(NOW) is Status.ACTIVE


def test_a_network_of_the_child_alone_is_proposed() -> None:
    assert child(memberships=(member(KIM, Role.CHILD),)).status(NOW) is Status.PROPOSED


def test_a_mandate_that_ends_ends_the_grants_at_that_moment() -> None:
    mandate = Mandate("holiday", BEFORE + timedelta(days=1), AFTER)
    facts = child(memberships=(member(MUM, Role.GUARDIAN, mandate=mandate),), authorities=(authority(MUM),))
    grants = child_grants(facts, made_school(), NOW)
    alone = {Action.CONSENT, Action.RECEIVE}
    assert {(one.valid_from, one.valid_until) for one in grants if Action.SCORE in one.actions} == {
        (mandate.starts_at, AFTER)
    }
    assert {(one.valid_from, one.valid_until) for one in grants if {*one.actions} == alone} == {(AFTER, None)}


# Commands -----------------------------------------------------------------------------------------------------------


async def test_a_member_leaves_by_own_will_and_nobody_else_does_it_so(network: Network, family: Family) -> None:
    body = await family.membership(family.juf)
    for who in (family.ib, network.admin, family.mum):
        problem = await refused(network, "leave-network", who, **body)
        assert problem.type in {ProblemType.INVALID, ProblemType.FORBIDDEN}
    service = Actor(family.juf, ActorKind.SERVICE, network.school, "x")
    for stranger in (uuid4(), service):
        assert await forbidden(network, "leave-network", stranger, **body)
    assert await forbidden(network, "leave-network", family.juf, **{**body, "subject": uuid4()})
    assert await family.sees(family.juf)
    reply = await network.ask("leave-network", family.juf, **body)
    assert (reply["effective"], await family.sees(family.juf)) == ("pending", False)
    assert [one["reason"] for one in await family.events("membership.ended")] == ["own_will"]
    assert await forbidden(network, "leave-network", family.juf, **body), "who left is no member any more"


async def test_an_external_member_without_any_grant_can_leave_too(network: Network, family: Family) -> None:
    assert not await family.sees(family.logo)
    await network.ask("leave-network", family.logo, **(await family.membership(family.logo)))
    assert (await family.shown(family.logo))["status"] == "inactive"


async def test_who_has_authority_stays_until_the_school_ended_it_and_the_child_always(
    network: Network, family: Family
) -> None:
    for who in (family.mum, family.kim):
        problem = await refused(network, "leave-network", who, **(await family.membership(who)))
        assert problem.type is ProblemType.CONFLICT
    shown = await network.manage("child-network", child=family.kim, purpose="administration")
    dads = next(one for one in shown["authorities"] if one["holder"] == str(family.dad))
    await network.manage("end-authority", child=family.kim, authority=dads["authority"], version=dads["version"])
    await network.ask("leave-network", family.dad, **(await family.membership(family.dad)))
    assert not await family.sees(family.dad)


async def test_suspending_stops_every_grant_keeps_the_membership_and_resuming_brings_them_back(
    network: Network, family: Family
) -> None:
    await family.both_consent()
    for who in (family.logo, family.juf, family.dad):
        before = {grant.id for grant in await network.grants(family.kim) if grant.member == who}
        body = await family.membership(who)
        assert await forbidden(network, "suspend-membership", family.ib, **body)
        held = await network.manage("suspend-membership", **body, reason="investigation")
        assert held["effective"] == "pending"
        assert not [grant for grant in await network.grants(family.kim) if grant.member == who]
        assert (await family.shown(who))["status"] == "suspended"
        body = await family.membership(who)
        again = await refused(network, "suspend-membership", network.admin, **body)
        assert again.type is ProblemType.CONFLICT
        back = await network.manage("resume-membership", **body)
        assert "withdrawal" not in back
        assert {grant.id for grant in await network.grants(family.kim) if grant.member == who} == before
        over = await refused(network, "resume-membership", network.admin, **(await family.membership(who)))
        assert over.type is ProblemType.CONFLICT
    # The child's own membership is no one's to suspend.
    problem = await refused(
        network, "suspend-membership", network.admin, **(await family.membership(family.kim)), reason="x"
    )
    assert problem.type is ProblemType.INVALID


async def test_a_suspended_member_is_not_brought_back_by_a_roster(network: Network, family: Family) -> None:
    await network.manage("suspend-membership", **(await family.membership(family.juf)))
    await network.operate("import-roster", **FAMILY)
    assert (await family.shown(family.juf))["status"] == "suspended"
    assert not await family.sees(family.juf)


async def test_a_successor_begins_where_the_other_ends_with_the_same_mandate_end(
    network: Network, family: Family
) -> None:
    await network.manage("end-membership", **(await family.membership(family.logo)))
    added = await network.manage(
        "add-member",
        subject=family.kim,
        role="therapist",
        person=family.logo,
        mandate={"code": "speech", "ends_on": "2199-01-01"},
        ends_on="2199-06-01",
    )
    await family.both_consent()
    assert await family.sees(family.logo)
    body = {"subject": family.kim, "membership": added["membership"], "version": 1}
    assert await forbidden(network, "replace-member", family.ib, **body, person=family.juf)
    for wrong in ({}, {"person": uuid4()}, {"person": family.juf, "organisation": uuid4()}):
        assert (await refused(network, "replace-member", network.admin, **body, **wrong)).type is ProblemType.INVALID
    reply = await network.manage("replace-member", **body, new_person={"given_name": "Nel", "family_name": "Nieuw"})
    ended = (await family.events("membership.ended"))[-1]
    begun = (await family.events("member.added"))[-1]
    assert (ended["reason"], ended["ends_at"]) == ("replaced", begun["starts_at"])
    assert reply["effective"] == "pending"
    shown = await family.shown(UUID(reply["person"]))
    assert (shown["mandate"]["code"], shown["mandate"]["ends_at"][:10]) == ("speech", "2198-12-31")
    assert shown["ends_at"] == (begun["ends_at"] or "").replace("Z", "+00:00")
    # Consent was given to the person: it does not go over to the successor.
    assert not await family.sees(family.logo)
    assert not await family.sees(UUID(reply["person"]))


async def test_guardians_and_children_are_not_replaced(network: Network, family: Family) -> None:
    for who in (family.mum, family.kim):
        problem = await refused(
            network, "replace-member", network.admin, **(await family.membership(who)), person=family.ib
        )
        assert problem.type is ProblemType.INVALID


async def test_the_end_of_a_placement_ends_everything_that_hung_on_it_at_that_moment(
    network: Network, family: Family
) -> None:
    await family.both_consent()
    for number in (1, 2):
        await network.ask("invite-member", family.ib, subject=family.kim, role="teacher", secret=secret(number))
    await network.manage(
        "add-member", subject=family.kim, role="psychologist", person=family.ib, starts_on="2199-01-01"
    )
    for who in (family.ib, family.mum):
        assert await forbidden(network, "end-placement", who, child=family.kim)
    reply = await network.manage("end-placement", child=family.kim, reason="moved")
    told = (await family.events("placement.ended"))[0]
    counts = {"memberships": 7, "authorities": 2, "consents": 1, "invitations": 2}
    assert {name: told[name] for name in counts} == counts
    assert reply["effective"] == "pending"
    moments = {
        one["ends_at"]
        for name in ("membership", "authority", "consent")
        for one in await family.events(f"{name}.ended")
    }
    assert moments == {told["at"]}, "one moment for all"
    async with network.db.school(network.school) as conn:
        assert await conn.fetchval("SELECT count(*) FROM withdrawal WHERE subject = $1", family.kim) == 1
    left = {grant.role for grant in await network.grants(family.kim)}
    assert left == {Role.SCHOOL_ADMINISTRATOR, Role.AUDITOR}, "the records' keeper and the log stay"
    for number in (1, 2):
        assert await forbidden(network, "invitation", uuid4(), secret=secret(number), purpose="own_data")
    shown = await network.manage("child-network", child=family.kim, purpose="administration")
    assert (shown["status"], {one["status"] for one in shown["members"]}) == ("inactive", {"inactive"})
    assert {one["status"] for one in shown["authorities"]} == {"inactive"}
    consents = await network.manage("consents", child=family.kim, purpose="administration")
    assert [one["in_force"] for one in consents["consents"]] == [False]
    for name, body in (
        ("end-placement", {"child": family.kim}),
        ("add-member", {"subject": family.kim, "role": "teacher", "person": family.juf}),
    ):
        assert (await refused(network, name, network.admin, **body)).type is ProblemType.CONFLICT


async def test_a_child_that_comes_back_begins_without_old_consents_and_invitations(
    network: Network, family: Family
) -> None:
    await family.both_consent()
    await network.ask("invite-member", family.ib, subject=family.kim, role="teacher", secret=secret())
    await network.manage("end-placement", child=family.kim)
    stale = await network.operate("import-roster", **FAMILY)
    assert {one["code"] for one in stale["refused"]} == {"ended_by_hand"}
    assert not await family.sees(family.juf)
    # A command takes the child up again; those round it may then come with the roster.
    await network.manage("add-member", subject=family.kim, person=family.kim, role="child")
    assert (await network.operate("import-roster", **FAMILY))["refused"] == []
    assert await family.sees(family.juf)
    assert await forbidden(network, "invitation", uuid4(), secret=secret(), purpose="own_data")
    assert not await family.sees(family.logo)
    await family.both_consent()
    assert await family.sees(family.logo)


async def test_an_invitation_taken_while_the_placement_ends_lets_nobody_in_after_it(
    network: Network, family: Family
) -> None:
    new = {"given_name": "Piet", "family_name": "Praat"}
    await network.ask("invite-member", family.ib, subject=family.kim, role="psychologist", secret=secret())
    who = uuid4()
    await asyncio.gather(
        network.manage("end-placement", child=family.kim),
        network.ask("take-invitation", who, secret=secret(), new_person=new),
        return_exceptions=True,
    )
    assert not [grant for grant in await network.grants(family.kim) if grant.member == who]
    assert len(await family.events("placement.ended")) == 1


# Local tools --------------------------------------------------------------------------------------------------------

TOOL: dict[str, Any] = {"name": "Rekenmaatje", "agreement": "VO-2026-014"}


async def test_a_tool_is_a_member_with_an_agreement_and_sees_what_consent_gives(
    network: Network, family: Family
) -> None:
    for wrong in (
        {"role": "local_tool", "new_tool": {"name": "Rekenmaatje"}},
        {"role": "local_tool", "new_person": {"given_name": "A", "family_name": "B"}},
        {"role": "local_tool", "person": family.logo},
        {"role": "teacher", "new_tool": TOOL},
    ):
        with pytest.raises(Exception, match=r"agreement|local_tool"):
            await network.manage("add-member", subject=family.kim, **wrong)
    added = await network.manage("add-member", subject=family.kim, role="local_tool", new_tool=TOOL)
    tool = UUID(added["person"])
    assert (await family.shown(tool))["agreement"] == "VO-2026-014"
    assert await forbidden(network, "child-network", tool, child=family.kim, purpose="local_tool")
    body = family.consent(recipient=tool, for_purpose="local_tool")
    for who in (family.mum, family.dad):
        await network.ask("give-consent", who, **body)
    grants = tuple(grant for grant in await network.grants(family.kim) if grant.member == tool)
    actor = Actor(tool, ActorKind.TOOL, network.school, "gate")
    view = View(family.kim, 9, grants, fresh=True)
    now = datetime.now(UTC) + timedelta(seconds=1)
    permit = access.require(view, actor, Action.VIEW, Category.GOALS, Purpose.LOCAL_TOOL, now)
    assert (permit.act.kind, permit.act.role, permit.act.basis) == (ActorKind.TOOL, Role.LOCAL_TOOL, "consent")
    with pytest.raises(access.Denial):
        access.require(view, actor, Action.VIEW, Category.PLAN, Purpose.LOCAL_TOOL, now)
    teaching = await refused(network, "add-member", network.admin, subject=family.kim, role="teacher", person=tool)
    assert teaching.type is ProblemType.INVALID
    await network.ask("leave-network", actor, **(await family.membership(tool)))
    assert not [grant for grant in await network.grants(family.kim) if grant.member == tool]


@pytest.mark.usefixtures("family")
async def test_a_roster_brings_no_tool(network: Network) -> None:
    row = {"at": "users.csv:2", "child": "kim", "links": [link("logo", "local_tool")]}
    reply = await network.operate("import-roster", networks=[row])
    assert [one["code"] for one in reply["refused"]] == ["role_not_for_child"]
