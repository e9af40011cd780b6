"""Violations to plant in a history, each with the code that the judge must find it by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from services.network.model import AnswerKind, Consent, Membership
from services.network.safeguards import Withholding
from shared.erasure import act_of_service
from shared.events import emergencies, membership
from shared.events import network as told
from shared.events.base import Viewed
from shared.events.gate import PutOut
from shared.events.network import ConsentState, Grant, RecipientKind
from shared.events.notifications import Channel, NoticeSent
from shared.events.words import Action, Basis, Category, Outcome, Purpose, Role
from tests.audit.histories import History

Plant = Callable[[History], None]


def _given(h: History) -> tuple[UUID, Consent]:
    """Has consent given to a child's professional; returns child and consent."""
    child = next(c for c in h.children.values() if any(m.role is Role.CARE_PROFESSIONAL for m in c.memberships))
    outside = next(m for m in child.memberships if m.role is Role.CARE_PROFESSIONAL)
    base = (child.id, Purpose.GUIDANCE, RecipientKind.MEMBER, outside.person, (Category.PLAN,), 1)
    one = Consent(h._person(), 1, *base, h.at, h.at + timedelta(days=300), ConsentState.ASKED, ())
    h._answered(child, one, told.ConsentAsked, h.manage())
    for holder in h.holders(child):
        h._answer(h.children[child.id], h._newest(child.id, one.id), holder, AnswerKind.GIVEN)
    return child.id, h._newest(child.id, one.id)


def _on(h: History, child: UUID, grant: Grant, code: str, position: int | None = None, **claims: object) -> None:
    act = h.act_of(grant, child, position).model_copy(update=claims)
    upto = h.head if position is None else position
    h.expect(h.say("goals", Viewed(query="goals-of-child", things=1), act, child, upto), code)


def _of_consent(h: History, child: UUID, one: Consent, position: int | None = None) -> Grant:
    return next(g for g in h.set_of(child, position)[2] if g.consent == one.id)


def after_withdrawal(h: History) -> None:
    child, one = _given(h)
    before = h.withdraw(h.children[child], one)
    h.pass_time()
    _on(h, child, _of_consent(h, child, one, before), "after_withdrawal", before)


def by_an_old_set(h: History) -> None:
    """The grant is withdrawn, and the line claims a newer position with the older grant."""
    child, one = _given(h)
    grant = _of_consent(h, child, one)
    h.withdraw(h.children[child], one)
    _on(h, child, grant, "grant_unknown")


def by_an_ended_member(h: History) -> None:
    ended = None
    while ended is None:
        h.enrol()
        ended = h.end_member(list(h.children.values())[-1])
    child, member, before = ended
    _on(h, child, next(g for g in h.set_of(child, before)[2] if g.member == member), "after_withdrawal", before)


def _joined(h: History, starts_in: timedelta, lasts: timedelta) -> tuple[UUID, Grant]:
    child, act, starts_at = h.some_child(), h.manage(), h.at + starts_in
    one = h._membership(child.id, h._person(), Role.TEACHER, starts_at=starts_at, ends_at=starts_at + lasts)
    fact = membership.MemberAdded(
        membership=one.id, member=one.person, role=one.role, starts_at=one.starts_at, ends_at=one.ends_at
    )
    h.tell(fact, act, child.id)
    h.publish(replace(child, memberships=(*child.memberships, one)), act)
    return child.id, next(g for g in h.set_of(child.id)[2] if g.member == one.person)


def before_start(h: History) -> None:
    child, grant = _joined(h, timedelta(days=2), timedelta(days=9))
    _on(h, child, grant, "before_start")


def after_end(h: History) -> None:
    child, grant = _joined(h, timedelta(), timedelta(hours=3))
    h.pass_time(hours=3)
    _on(h, child, grant, "after_end")


def beyond_category(h: History) -> None:
    h.lie("beyond_category", h.some_child().id, category=Category.LOG)


def beyond_purpose(h: History) -> None:
    h.lie("beyond_purpose", h.some_child().id, purpose=Purpose.INSIGHT)


def beyond_action(h: History) -> None:
    h.lie("beyond_action", h.some_child().id, action=Action.MANAGE)


def denied_but_let_in(h: History) -> None:
    act = h._act(h._person(), None, Action.VIEW, Category.GOALS, Purpose.GUIDANCE)
    child = h.some_child().id
    h.expect(h.tell(Viewed(query="goals-of-child", things=1), act, child, lane="goals"), "no_grant")


def called_denied(h: History) -> None:
    """Data were shown, and the line says that they were refused."""
    h.lie("denied_but_done", h.some_child().id, outcome=Outcome.DENIED, reason="no_grant")


def by_authority_that_nobody_recorded(h: History) -> None:
    h.expect(h.look_by_authority(h._person()), "no_authority")


def on_anothers_grant(h: History) -> None:
    h.lie("other_member", h.some_child().id, actor=h._person())


def on_an_invented_grant(h: History) -> None:
    h.lie("grant_unknown", h.some_child().id, grant=h._person())


def another_basis(h: History) -> None:
    h.lie("other_basis", h.some_child().id, basis=Basis.VITAL_INTEREST)


def another_role(h: History) -> None:
    h.lie("other_role", h.some_child().id, role=Role.EXPERT_TEAM)


def another_consent_version(h: History) -> None:
    child, one = _given(h)
    _on(h, child, _of_consent(h, child, one), "other_consent", consent_version=one.version - 1)


def another_revision(h: History) -> None:
    child = h.some_child().id
    h.lie("revision_differs", child, revision=h.set_of(child)[1] + 3)


def a_position_that_never_was(h: History) -> None:
    child = h.some_child().id
    act = h.act_of(h.random.choice(h.holding(child)), child)
    event = h.say("goals", Viewed(query="goals-of-child", things=1), act, child, 9_000_000)
    h.expect(event, "position_not_in_log")


def through_break_glass_after_its_hour(h: History) -> None:
    child, one = h.break_glass(review=False)
    grant = next(g for g in h.set_of(child)[2] if g.emergency and g.member == one.member)
    h.pass_time(minutes=65)
    _on(h, child, grant, "after_end")
    h.review(child, one)


def break_glass_without_review(h: History) -> None:
    child, _ = h.break_glass(review=False)
    started = next(e for e in reversed(h.log) if e.is_a(emergencies.EmergencyStarted) and e.about == child)
    h.expect(started, "emergency_not_reviewed_in_time")
    h.pass_time(days=4)
    h.end_member()
    h.join()


def hidden_emergency(h: History) -> None:
    """A look through break-glass that calls itself an ordinary one."""
    child, one = h.break_glass(review=False)
    grant = next(g for g in h.holding(child) if g.emergency and g.member == one.member)
    _on(h, child, grant, "emergency_differs", emergency=False)
    h.review(child, one)


def sent_without_claim(h: History) -> None:
    child = h.some_child().id
    grant = next(g for g in h.holding(child) if Action.RECEIVE in g.actions)
    fact = NoticeSent(recipient=grant.member, kind="goal_proposed", channel=Channel.MAIL, tries=1)
    act = h.act_of(grant, child, action=Action.RECEIVE)
    h.expect(h.tell(fact, act, child, h._person(), "notifications"), "sent_without_claim")


# Sets of grants that do not rest on the facts ------------------------------------------------------------------------


def _odd(h: History, code: str, **changes: object) -> None:
    """Publishes a set with one grant that somebody tampered with, and then the right one again."""
    child = h.children[h.some_child().id]
    grant = next(g for g in h.holding(child.id) if g.role is Role.GUARDIAN and Category.GOALS in g.categories)
    _publish(h, child.id, code, grant.model_copy(update={"id": h._person(), **changes}))


def _publish(h: History, child: UUID, code: str, odd: Grant) -> None:
    seq = h.publish(h.children[child], h.manage(), odd)
    h.expect(h.lanes["network"].events[seq - 1], code)
    h.publish(h.children[child], h.manage())


def granted_to_a_stranger(h: History) -> None:
    _odd(h, "grant_without_membership", member=h._person())


def granted_contact_to_a_guardian(h: History) -> None:
    """A guardian who works at the school gets, as such, the data that another guardian is found by."""
    child, act = h.some_child(), h.manage()
    guardian = next(one for one in child.memberships if one.role is Role.GUARDIAN)
    one = h._membership(child.id, guardian.person, Role.COORDINATOR)
    h.tell(membership.MemberAdded(membership=one.id, member=one.person, role=one.role, starts_at=h.at), act, child.id)
    h.publish(replace(child, memberships=(*child.memberships, one)), act)
    own = [g for g in h.set_of(child.id)[2] if g.member == one.person and g.role is one.role]
    asks = next(g for g in own if g.categories == (Category.NETWORK,) and Action.PROPOSE in g.actions)
    odd = asks.model_copy(update={"id": h._person(), "categories": (Category.CONTACT,)})
    _publish(h, child.id, "contact_of_guardian", odd)


def granted_beyond_the_role(h: History) -> None:
    _odd(h, "grant_beyond_role", categories=(Category.CONTACT,))


def granted_without_authority(h: History) -> None:
    child, act = h.some_child(), h.manage()
    one = h._membership(child.id, h._person(), Role.GUARDIAN)
    h.tell(
        membership.MemberAdded(membership=one.id, member=one.person, role=one.role, starts_at=one.starts_at),
        act,
        child.id,
    )
    h.publish(replace(child, memberships=(*child.memberships, one)), act)
    grant = next(g for g in h.holding(child.id) if g.role is Role.GUARDIAN and Category.CARE in g.categories)
    since = {"member": one.person, "valid_from": one.starts_at}
    _publish(h, child.id, "grant_without_authority", grant.model_copy(update={"id": h._person(), **since}))


def granted_before_the_membership(h: History) -> None:
    _odd(h, "grant_without_membership", valid_from=h.at - timedelta(days=900))


def _left_alone(h: History) -> tuple[UUID, Grant]:
    """Has a guardian leave who keeps the authority; returns child and the grant that it gives on the plan."""
    left = h.end_guardian()
    while left is None:
        h.enrol()
        left = h.end_guardian()
    child, one = left
    own = [g for g in h.holding(child) if g.member == one.person and g.role is Role.GUARDIAN]
    return child, next(g for g in own if Action.DECIDE in g.actions)


def granted_the_care_by_authority_alone(h: History) -> None:
    child, grant = _left_alone(h)
    odd = grant.model_copy(update={"id": h._person(), "actions": (Action.VIEW,), "categories": (Category.CARE,)})
    _publish(h, child, "grant_without_membership", odd)


def granted_by_authority_that_ended(h: History) -> None:
    """Who takes no part any more has authority no more, and is told of the plan nevertheless."""
    child_id, grant = _left_alone(h)
    child, act = h.children[child_id], h.manage()
    held = next(one for one in child.authorities if one.holder == grant.member)
    h.tell(told.AuthorityEnded(authority=held.id, holder=held.holder, ends_at=h.at), act, child_id)
    rest = tuple(replace(one, ends_at=h.at) if one is held else one for one in child.authorities)
    h.publish(replace(child, authorities=rest), act)
    _publish(h, child_id, "grant_without_membership", grant.model_copy(update={"id": h._person()}))


def granted_what_is_withheld(h: History) -> None:
    """A court has the school tell a guardian nothing, and one grant of before stands."""
    child_id, grant = _left_alone(h)
    act, id_ = h.manage(), h._person()
    fact = told.InformationWithheld(withholding=id_, guardian=grant.member, source="court", starts_at=h.at)
    held = Withholding(id_, 1, grant.member, "court", h.at, None)
    h.tell(fact, act, child_id, id_)
    child = replace(h.children[child_id], withheld=(held,))
    h.publish(child, act)
    assert not [one for one in h.holding(child_id) if one.member == grant.member]
    _publish(h, child_id, "grant_while_withheld", grant.model_copy(update={"id": h._person()}))
    over = told.InformationRestored(withholding=id_, guardian=grant.member, ends_at=h.at)
    h.tell(over, act, child_id, id_)
    h.publish(replace(h.children[child_id], withheld=(replace(held, ends_at=h.at),)), act)


def granted_without_a_yes(h: History) -> None:
    child_id, one = _given(h)
    grant = _of_consent(h, child_id, one)
    h._answer(h.children[child_id], one, one.answers[0].holder, AnswerKind.REFUSED)
    refused = h._newest(child_id, one.id)
    odd = grant.model_copy(update={"id": h._person(), "consent_version": refused.version})
    _publish(h, child_id, "grant_without_consent", odd)


def granted_on_half_a_yes(h: History) -> None:
    """Of two holders one said yes; the consent calls itself given."""
    h.enrol()
    while len(list(h.children.values())[-1].authorities) < 2:
        h.enrol()
    child = list(h.children.values())[-1]
    outside = next(m for m in child.memberships if m.role is Role.CARE_PROFESSIONAL)
    base = (child.id, Purpose.GUIDANCE, RecipientKind.MEMBER, outside.person, (Category.PLAN,), 1)
    one = Consent(h._person(), 1, *base, h.at, h.at + timedelta(days=300), ConsentState.ASKED, ())
    h._answered(child, one, told.ConsentAsked, h.manage())
    h._answer(h.children[child.id], h._newest(child.id, one.id), child.authorities[0].holder, AnswerKind.GIVEN)
    _publish(h, child.id, "grant_without_consent", _consented(h, outside, h._newest(child.id, one.id)))


def granted_beyond_the_consent(h: History) -> None:
    child, one = _given(h)
    grant = _of_consent(h, child, one)
    _publish(
        h,
        child,
        "grant_without_consent",
        grant.model_copy(update={"id": h._person(), "categories": (Category.CARE, Category.PLAN)}),
    )


def granted_an_emergency_nobody_had(h: History) -> None:
    _odd(
        h,
        "grant_without_emergency",
        role=Role.TEACHER,
        basis=Basis.VITAL_INTEREST,
        emergency=True,
        actions=(Action.VIEW,),
        categories=(Category.CARE,),
        purposes=(Purpose.GUIDANCE,),
    )


def _consented(h: History, outside: Membership, one: Consent) -> Grant:
    return Grant(
        id=h._person(),
        member=outside.person,
        role=outside.role,
        organisation=outside.organisation,
        actions=(Action.VIEW,),
        categories=one.categories,
        purposes=(one.for_purpose,),
        basis=Basis.CONSENT,
        consent=one.id,
        consent_version=one.version,
        valid_from=h.at,
        valid_until=one.ends_at,
    )


def _tool_given(h: History) -> tuple[UUID, Consent]:
    """Has consent given to a program of the school, and something put out to it; returns child and consent."""
    child = h.some_child()
    tool = h.tool_of(child)
    base = (child.id, Purpose.LOCAL_TOOL, RecipientKind.MEMBER, tool.person, (Category.GOALS,), 1)
    one = Consent(h._person(), 1, *base, h.at, h.at + timedelta(days=300), ConsentState.ASKED, ())
    h._answered(h.children[child.id], one, told.ConsentAsked, h.manage())
    for holder in h.holders(child):
        h._answer(h.children[child.id], h._newest(child.id, one.id), holder, AnswerKind.GIVEN)
    h.put_out(child.id, _of_consent(h, child.id, h._newest(child.id, one.id)))
    return child.id, h._newest(child.id, one.id)


def put_out_after_withdrawal(h: History) -> None:
    child, one = _tool_given(h)
    before = h.withdraw(h.children[child], one)
    h.pass_time()
    h.expect(h.put_out(child, _of_consent(h, child, one, before), before), "after_withdrawal")


def put_out_on_an_older_consent(h: History) -> None:
    child, one = _tool_given(h)
    grant = _of_consent(h, child, one)
    h.expect(h.put_out(child, grant.model_copy(update={"consent_version": 99})), "other_consent")


def put_out_of_another_category(h: History) -> None:
    child, one = _tool_given(h)
    grant = _of_consent(h, child, one)
    h.expect(h.put_out(child, grant.model_copy(update={"categories": (Category.CARE,)})), "beyond_category")


def put_out_as_if_it_needed_no_grant(h: History) -> None:
    """The gate's own right to have tools delete is none to let anything out."""
    child, tool = h.some_child().id, h._person()
    fact = PutOut(tool=tool, tool_epoch=1, sequence=1, source=h._person(), what="nl.samenkracht.goals.goal.accepted.v1")
    h.expect(h.tell(fact, act_of_service("gate", None), child, h._person(), "gate"), "no_grant")


PLANTS: Mapping[str, Plant] = {
    plant.__name__: plant
    for plant in (
        put_out_as_if_it_needed_no_grant,
        after_withdrawal,
        by_an_old_set,
        by_an_ended_member,
        before_start,
        after_end,
        beyond_category,
        beyond_purpose,
        beyond_action,
        denied_but_let_in,
        called_denied,
        by_authority_that_nobody_recorded,
        on_anothers_grant,
        on_an_invented_grant,
        another_basis,
        another_role,
        another_consent_version,
        another_revision,
        a_position_that_never_was,
        through_break_glass_after_its_hour,
        break_glass_without_review,
        hidden_emergency,
        sent_without_claim,
        granted_to_a_stranger,
        granted_beyond_the_role,
        granted_contact_to_a_guardian,
        granted_without_authority,
        granted_before_the_membership,
        granted_the_care_by_authority_alone,
        granted_by_authority_that_ended,
        granted_what_is_withheld,
        granted_without_a_yes,
        granted_on_half_a_yes,
        granted_beyond_the_consent,
        granted_an_emergency_nobody_had,
        put_out_after_withdrawal,
        put_out_on_an_older_consent,
        put_out_of_another_category,
    )
}
