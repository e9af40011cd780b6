"""Who is told, and when it is tried again."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifications import rules
from services.notifications.model import (
    LONGEST_DELAY,
    Notice,
    NoticeState,
    delivery_id,
    moves,
    next_try,
    plan_notices,
    queued_by,
)
from services.notifications.rule import Rule
from shared.actor import service_id
from shared.events import conversations, dialogue, emergencies, erasure, goals, membership, network, plans
from shared.events.base import Denied, Fact, Viewed
from shared.events.network import Grant
from shared.events.notifications import Channel
from shared.events.words import Action, Basis, Category, Purpose, Role
from tests.notifications.support import NOW, Lane, accepted, act, grant, later

RULE = rules.GOALS[goals.GoalAccepted]
CHILD, ACTOR, MEMBER, OTHER = (UUID(int=n, version=4) for n in range(1, 5))


def plan(*grants: Grant, rule: Rule = RULE, **changed: object) -> list[Notice]:
    event = Lane("berk").add(accepted(), CHILD, act(ACTOR, **changed))
    return plan_notices(rule, event, grants)


def members(*grants: Grant, rule: Rule = RULE, **changed: object) -> set[UUID]:
    return {notice.member for notice in plan(*grants, rule=rule, **changed)}


def test_everyone_who_may_receive_the_category_is_told_each_separately() -> None:
    assert [notice.member for notice in plan(grant(MEMBER), grant(OTHER))] == [MEMBER, OTHER]


def test_the_actor_is_not_told_of_its_own_act() -> None:
    assert members(grant(ACTOR), grant(MEMBER)) == {MEMBER}


def test_whom_a_tool_acted_for_is_not_told() -> None:
    assert members(grant(OTHER), grant(MEMBER), on_behalf_of=OTHER) == {MEMBER}


@pytest.mark.parametrize(
    "changed",
    [
        {"actions": (Action.VIEW,)},
        {"categories": (Category.PLAN,)},
        {"valid_from": later(seconds=1)},
        {"valid_until": NOW},
        {"role": Role.LOCAL_TOOL},
        {"purposes": ()},
    ],
)
def test_who_may_not_receive_it_now_is_not_told(changed: dict[str, object]) -> None:
    assert members(grant(MEMBER, **changed)) == set()


def test_only_those_who_can_answer_are_asked_for_consent() -> None:
    rule = rules.NETWORK[network.ConsentAsked]
    reads = {"categories": (Category.NETWORK,)}
    able = grant(MEMBER, **reads, actions=(Action.RECEIVE, Action.CONSENT))
    assert members(able, grant(OTHER, **reads), rule=rule) == {MEMBER}


def test_that_consent_is_refused_is_told_to_who_asks_for_it_and_never_to_another_parent() -> None:
    rule, network_ = rules.NETWORK[network.ConsentRefused], (Category.NETWORK,)
    told = {"categories": network_, "actions": (Action.VIEW, Action.RECEIVE)}
    asks = {"categories": network_, "actions": (Action.VIEW, Action.PROPOSE), "basis": Basis.PUBLIC_TASK}
    parent = grant(OTHER, role=Role.GUARDIAN, **{**told, "actions": (Action.PROPOSE, Action.RECEIVE)})
    coordinator = (grant(MEMBER, **told), grant(MEMBER, **asks))
    assert members(*coordinator, parent, rule=rule) == {MEMBER}
    assert members(parent, grant(OTHER, **asks), rule=rule) == set()  # who is a parent and coordinates as well
    assert members(grant(MEMBER, **told), rule=rule) == set()  # a teacher, who asks for none


def test_of_a_dialogue_only_those_are_told_whom_it_concerns_and_who_may_receive_it() -> None:
    fact = dialogue.Remarked(
        expectation=uuid4(),
        dialogue=uuid4(),
        dialogue_version=2,
        state=dialogue.DialogueState.OPEN,
        turn_of=dialogue.Party.ASKED,
        concerns=(MEMBER, ACTOR),
    )
    event = Lane("berk", "network").add(fact, CHILD, act(ACTOR))
    rule = rules.DIALOGUES[dialogue.Remarked]
    reads = {"categories": (Category.EXPECTATIONS,)}
    able = [grant(member, **reads) for member in (MEMBER, OTHER, ACTOR)]
    assert [notice.member for notice in plan_notices(rule, event, able)] == [MEMBER]
    assert plan_notices(rule, event, [grant(MEMBER)]) == []


def test_who_must_agree_to_a_plan_is_told_and_who_asks_for_it_is_not() -> None:
    moved = {"previous": plans.PlanStatus.DRAFT, "status": plans.PlanStatus.IN_CONSULTATION}
    fact = plans.PlanConsulted(plan=uuid4(), number=1, hash="0" * 64, concerns=(MEMBER, ACTOR), **moved)
    event = Lane("berk").add(fact, CHILD, act(ACTOR))
    rule = rules.PLANS[plans.PlanConsulted]
    able = [grant(member, categories=(Category.PLAN,)) for member in (MEMBER, OTHER, ACTOR)]
    assert [notice.member for notice in plan_notices(rule, event, able)] == [MEMBER]
    assert plan_notices(rule, event, [grant(MEMBER)]) == []


def test_that_someone_disagrees_with_a_plan_is_told_to_all_who_may_hear_of_it_but_to_them() -> None:
    assert members(
        *(grant(member, categories=(Category.PLAN,)) for member in (MEMBER, OTHER, ACTOR)),
        grant(UUID(int=9)),
        rule=rules.PLANS[plans.AgreementRefused],
    ) == {MEMBER, OTHER}


def test_every_event_that_names_whom_it_concerns_is_told_to_them_only() -> None:
    naming = {fact for fact in plans.FACTS if "concerns" in fact.model_fields}
    assert {fact for fact, rule in rules.PLANS.items() if rule.concerned} == naming
    assert all(rule.category is Category.PLAN for rule in rules.PLANS.values())


def test_each_event_of_a_dialogue_is_told_to_whom_it_concerns() -> None:
    assert set(rules.DIALOGUES) == set(dialogue.FACTS)
    assert all(rule.concerned and rule.category is Category.EXPECTATIONS for rule in rules.DIALOGUES.values())


def test_each_event_of_a_conversation_that_names_whom_it_concerns_is_told_to_them_only() -> None:
    naming = {fact for fact in conversations.FACTS if "concerns" in fact.model_fields}
    assert set(rules.CONVERSATIONS) == naming
    assert all(rule.concerned and rule.category is Category.CONVERSATIONS for rule in rules.CONVERSATIONS.values())


def test_a_member_with_two_grants_gets_one_notice_for_the_purpose_of_the_act() -> None:
    care = grant(MEMBER, purposes=(Purpose.CARE_COORDINATION,))
    guidance = grant(MEMBER, purposes=(Purpose.TRANSFER, Purpose.GUIDANCE))
    for order in ((care, guidance), (guidance, care)):
        assert [notice.purpose for notice in plan(*order)] == [Purpose.GUIDANCE]


def test_a_grant_for_another_purpose_still_tells_and_says_which() -> None:
    assert [n.purpose for n in plan(grant(MEMBER, purposes=(Purpose.CARE_COORDINATION,)))] == [
        Purpose.CARE_COORDINATION
    ]


def test_the_same_event_makes_the_same_notice_and_delivery_again() -> None:
    event = Lane("berk").add(accepted(), CHILD, act(ACTOR))
    may = grant(MEMBER)
    first, second = (plan_notices(RULE, event, [may]) for _ in range(2))
    assert first == second
    assert delivery_id(first[0].id, Channel.MAIL) == delivery_id(second[0].id, Channel.MAIL)


def test_two_events_make_two_notices() -> None:
    lane = Lane("berk")
    ids = {plan_notices(RULE, lane.add(accepted(), CHILD, act(ACTOR)), [grant(MEMBER)])[0].id for _ in range(2)}
    assert len(ids) == 2


def test_queueing_is_the_services_act_on_behalf_of_the_actor() -> None:
    done = queued_by(Lane("berk").add(accepted(), CHILD, act(ACTOR)), Category.GOALS)
    assert (done.actor, done.on_behalf_of) == (service_id("notifications"), ACTOR)


def test_looks_denials_and_scores_tell_nobody() -> None:
    tables = (rules.GOALS, rules.PLANS, rules.NETWORK, rules.DIALOGUES, rules.CONVERSATIONS)
    told = {fact.type() for table in tables for fact in table}
    silent = {Viewed.type("goals"), Denied.type("goals"), goals.ScoreRecorded.type(), network.AccessChanged.type()}
    silent |= {plans.PlanDrafted.type(), plans.PlanAcknowledged.type(), plans.VoiceRecorded.type()}
    silent |= {conversations.HeardSaid.type(), conversations.OutcomeSettled.type()}
    assert told.isdisjoint(silent)


def test_every_rule_has_words_in_both_languages_and_a_kind_of_its_own() -> None:
    tables = (rules.GOALS, rules.PLANS, rules.NETWORK, rules.FILES, rules.TOOLS, rules.DIALOGUES, rules.CONVERSATIONS)
    every = [rule for table in tables for rule in table.values()]
    assert {rule.kind for rule in every} | {
        "consent_conflicting",
        "unanswered",
        "address_stopped",
    } == rules.BY_KIND.keys()
    assert len(rules.BY_KIND) == len(every) + 3


SILENT: dict[type[Fact], str] = {
    network.AccessChanged: "what it gives or takes away is told as what it is",
    membership.SchoolOpened: "nobody is there yet",
    membership.PersonAdded: "nothing is to be done",
    membership.PersonChanged: "nothing is to be done",
    membership.OrganisationAdded: "nothing is to be done",
    membership.MemberAdded: "shown in the network",
    membership.MembershipChanged: "shown in the network",
    membership.MembershipSuspended: "shown in the network",
    membership.MembershipResumed: "shown in the network",
    membership.InvitationMade: "told to whom it is for, outside",
    membership.InvitationTaken: "shown in the network",
    membership.InvitationRevoked: "shown with the invitations",
    membership.PlacementEnded: "nobody round the child has access any more",
    membership.TieStated: "what a member says of others is not news to them",
    network.NoticePublished: "read when consent is asked",
    network.AuthorityRecorded: "shown in the network; whoever is asked for consent by it is told that",
    network.AuthorityEnded: "shown in the network; whoever is asked for consent by it is told that",
    network.ConsentEnded: "told with what ended it",
    network.ConsentSettled: "whoever is asked by it is told that",
    network.WithdrawalEffective: "the door says so to who withdrew",
    network.PolicySet: "shown with the policy",
    network.InformationWithheld: "shown to who keeps the records; it is no news for whom it may be about",
    network.InformationRestored: "shown to who keeps the records; the grants say the rest",
    emergencies.EmergencyEnded: "its reviewers were told when it began",
    emergencies.EmergencyReviewed: "shown with the emergency",
    membership.RosterImported: "whoever imports it is answered",
    erasure.ErasureConfirmed: "nobody has access to the child any more",
    erasure.PersonErased: "nobody is left to be told of",
    erasure.ErasureCompleted: "nobody has access to the child any more",
    erasure.HoldPlaced: "shown with the file",
    erasure.HoldLifted: "shown with the file",
    erasure.RetentionSet: "shown with the terms",
}


def test_every_event_of_network_is_told_to_somebody_or_named_with_the_reason_why_not() -> None:
    told = {*rules.NETWORK, *rules.FILES, *rules.DIALOGUES}
    assert told | SILENT.keys() == set(network.FACTS.values())
    assert not told & SILENT.keys()


@pytest.mark.parametrize("fact", rules.FILES)
def test_of_a_file_only_those_are_told_who_keep_it(fact: type[Fact]) -> None:
    records = {"categories": (Category.NETWORK, Category.IDENTITY), "actions": (Action.VIEW, Action.MANAGE)}
    told = {"categories": (Category.IDENTITY,), "purposes": (Purpose.ADMINISTRATION,)}
    admins = (grant(who, role=Role.SCHOOL_ADMINISTRATOR, **kind) for who in (MEMBER, ACTOR) for kind in (records, told))
    guardian = grant(OTHER, role=Role.GUARDIAN, categories=(Category.NETWORK, Category.IDENTITY))
    (notice,) = plan(*admins, guardian, rule=rules.FILES[fact])
    assert (notice.member, notice.purpose) == (MEMBER, Purpose.ADMINISTRATION)


def test_a_notice_that_is_done_stays_done() -> None:
    assert not moves(NoticeState.DONE)
    assert NoticeState.UNREAD not in [to for state in NoticeState for to in moves(state)]


@given(st.uuids(), st.integers(1, 10_000))
def test_each_try_waits_longer_up_to_a_bound(delivery: UUID, tries: int) -> None:
    this, following = (next_try(delivery, n, NOW) - NOW for n in (tries, tries + 1))
    assert this <= following <= LONGEST_DELAY * 1.25


def test_those_that_failed_together_do_not_come_back_together() -> None:
    assert len({next_try(uuid4(), 1, NOW) for _ in range(100)}) > 20


REVIEWER: dict[str, object] = {
    "role": Role.SCHOOL_LEADER,
    "actions": (Action.VIEW, Action.DECIDE, Action.RECEIVE),
    "categories": (Category.LOG,),
    "purposes": (Purpose.OVERSIGHT,),
}


@pytest.mark.parametrize("fact", [emergencies.EmergencyStarted, emergencies.EmergencyReviewOverdue])
def test_an_emergency_is_urgent_news_for_its_reviewers_and_never_for_who_took_it(fact: type[Fact]) -> None:
    rule = rules.NETWORK[fact]
    assert rule.urgent
    auditor = grant(OTHER, role=Role.AUDITOR, actions=(Action.VIEW, Action.EXPORT), categories=(Category.LOG,))
    everyone = (grant(MEMBER, **REVIEWER), grant(ACTOR, **REVIEWER), grant(OTHER), auditor)
    assert members(*everyone, rule=rule) == {MEMBER}
    (told,) = plan(*everyone, rule=rule)
    assert told.purpose is Purpose.OVERSIGHT
