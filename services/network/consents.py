"""Consent asked, given, refused and withdrawn: bodies and pure decisions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field

from services.network.draft import Draft, consent_row, consent_words
from services.network.members import conflict, invalid
from services.network.model import (
    Answer,
    AnswerKind,
    Child,
    Consent,
    children_of,
    day_start,
    school_of,
    state_at,
)
from services.network.policy import EXTERNAL
from shared.events.network import (
    Capacity,
    ConsentAsked,
    ConsentGiven,
    ConsentRefused,
    ConsentState,
    ConsentWithdrawn,
    RecipientKind,
)
from shared.events.words import Action, Category, Purpose
from shared.text import Day
from shared.unit import Asked, Change, Request, Snapshot, stale

RENEWED_AFTER = timedelta(days=365)
"""A consent without an end of its own asks to be renewed after a year."""

NEVER_SHARED = {Category.LOG, Category.NETWORK}


def _shareable(categories: tuple[Category, ...]) -> tuple[Category, ...]:
    if NEVER_SHARED & set(categories):
        msg = "holds a category that nobody can consent to share: leave out log and network"
        raise ValueError(msg)
    return tuple(sorted(set(categories)))


Categories = Annotated[tuple[Category, ...], Field(min_length=1, max_length=16), AfterValidator(_shareable)]
SHAREABLE_FOR = (Purpose.GUIDANCE, Purpose.CARE_COORDINATION, Purpose.TRANSFER, Purpose.LOCAL_TOOL, Purpose.INSIGHT)


class Named(Request):
    """Which consent: child, purpose it is for, recipient and categories name it."""

    child: UUID
    for_purpose: Purpose
    recipient_kind: RecipientKind = RecipientKind.MEMBER
    recipient: UUID
    categories: Categories
    version: int | None = None
    """The version seen, when there was one: another version now is then a lost update."""


class AskConsent(Named):
    """Asks the holders. `ends_on` is the first day on which it no longer holds; None: a year after the start."""

    notice_version: int = Field(ge=1, le=1_000_000)
    starts_on: Day | None = None
    ends_on: Day | None = None


class GiveConsent(AskConsent):
    """Says yes, as read in that version of the notice; when nobody asked, the period is taken from here."""


class RefuseConsent(Named):
    """Says no to it."""

    notice_version: int | None = None


class WithdrawConsent(Named):
    """Takes a yes back. As easy as giving: nothing but the consent needs to be named."""

    notice_version: int | None = None


def _find(body: Named, child: Child) -> Consent | None:
    for one in child.consents:
        if (one.for_purpose, one.recipient, one.categories) == (body.for_purpose, body.recipient, body.categories):
            if body.version is not None and body.version != one.version:
                raise stale(body.version, one.version)
            return one
    return None


def _new(asked: Asked[AskConsent] | Asked[GiveConsent], seen: Snapshot, child: Child) -> Consent:
    """Returns a consent nobody answered yet, with version 0: it is not stored."""
    body = asked.body
    if body.for_purpose not in SHAREABLE_FOR:
        raise invalid("nobody shares by consent for this purpose: choose one of allowed", allowed=list(SHAREABLE_FOR))
    if body.recipient_kind is RecipientKind.ORGANISATION:
        known = bool(seen.state["organisation_known"])
    else:
        known = any(
            one.person == body.recipient and one.role in EXTERNAL and (one.ends_at is None or one.ends_at > seen.now)
            for one in child.memberships
        )
    if not known:
        raise invalid("the recipient takes no part here from outside the school: add that member or organisation first")
    starts_at = day_start(body.starts_on) if body.starts_on else seen.now
    consent = Consent(
        id=asked.ids.time_ordered(seen.now),
        version=0,
        child=child.id,
        for_purpose=body.for_purpose,
        recipient_kind=body.recipient_kind,
        recipient=body.recipient,
        categories=body.categories,
        notice_version=body.notice_version,
        starts_at=starts_at,
        ends_at=day_start(body.ends_on) if body.ends_on else starts_at + RENEWED_AFTER,
        state=ConsentState.ASKED,
        answers=(),
    )
    if not consent.span or consent.ends_at <= seen.now:
        raise invalid("it would be over before it starts: ends_on must lie after starts_on and after today")
    return consent


def _over(consent: Consent, seen: Snapshot) -> bool:
    return consent.ends_at <= seen.now


def _store(draft: Draft, consent: Consent, child: Child, seen: Snapshot) -> tuple[Consent, Child]:
    """Drafts the consent's next version with the state that follows; returns it and the child with it."""
    state = state_at(consent, child, seen.now)
    stored = replace(consent, state=state, version=consent.version + 1)
    draft.write("consent", stored.id, consent.version, consent_row(stored))
    others = tuple(one for one in child.consents if one.id != stored.id)
    return stored, replace(child, consents=(*others, stored))


def _reply(consent: Consent, child: Child) -> dict[str, object]:
    return {
        "consent": str(consent.id),
        "version": consent.version,
        "state": consent.state.value,
        "revision": child.revision + 1,
    }


def decide_ask_consent(asked: Asked[AskConsent], seen: Snapshot) -> Change:
    """Asks the holders for consent; one that is over, refused or withdrawn is asked anew."""
    permit = seen.require(asked, Action.PROPOSE, Category.NETWORK, about=asked.body.child)
    draft = Draft(seen, permit.act, (permit,))
    child, school = children_of(seen.state)[asked.body.child], school_of(seen.state)
    found, fresh = _find(asked.body, child), _new(asked, seen, child)
    if found and not _over(found, seen):
        # A yes that stands is never wiped out by a question; an open question only by one with a newer notice.
        state = state_at(found, child, seen.now)
        open_states = (ConsentState.ASKED, ConsentState.CONFLICTING)
        same_notice = found.notice_version == fresh.notice_version
        if state is ConsentState.GIVEN or (same_notice and state in open_states):
            raise conflict("this was asked already and stands: wait for the holders", state=state.value)
    asked_for = replace(fresh, id=found.id, version=found.version) if found else fresh
    stored, child = _store(draft, asked_for, child, seen)
    draft.tell(ConsentAsked(**consent_words(stored)), child.id, stored.id)
    draft.publish_child(child, school)
    return draft.change(_reply(stored, child))


Facts = type[ConsentGiven] | type[ConsentRefused] | type[ConsentWithdrawn]


def _answered(
    asked: Asked[GiveConsent] | Asked[RefuseConsent] | Asked[WithdrawConsent],
    seen: Snapshot,
    kind: AnswerKind,
    fact: Facts,
    consent_of: Callable[[Child], Consent],
) -> Change:
    permit = seen.require(asked, Action.CONSENT, Category.NETWORK, about=asked.body.child)
    draft = Draft(seen, permit.act, (permit,))
    child, school = children_of(seen.state)[asked.body.child], school_of(seen.state)
    consent = consent_of(child)
    giver = asked.actor.id
    capacity = Capacity.SELF if giver == child.id else Capacity.AUTHORITY_HOLDER
    mine = next((one for one in consent.answers if one.holder == giver), None)
    if mine is not None and mine.answer is kind:
        raise conflict(f"your answer is {kind} already: you can change it, not repeat it", version=consent.version)
    if kind is AnswerKind.WITHDRAWN and (mine is None or mine.answer is not AnswerKind.GIVEN):
        raise conflict("you have given no consent here that could be withdrawn: refuse it instead")
    others = tuple(one for one in consent.answers if one.holder != giver)
    answers = (*others, Answer(giver, capacity, kind, seen.now))
    stored, child = _store(draft, replace(consent, answers=answers), child, seen)
    draft.tell(fact(**consent_words(stored), giver=giver, capacity=capacity), child.id, stored.id)
    draft.publish_child(child, school)
    reply = _reply(stored, child)
    if kind is not AnswerKind.GIVEN:
        reply |= draft.withdraws(asked.ids.time_ordered(seen.now), child.id, stored.id)
    return draft.change(reply)


def decide_give_consent(asked: Asked[GiveConsent], seen: Snapshot) -> Change:
    """Gives consent for oneself, or as one who has authority; it holds once every holder gave it."""

    def consent_of(child: Child) -> Consent:
        found = _find(asked.body, child)
        if found is None or _over(found, seen):
            fresh = _new(asked, seen, child)
            return replace(fresh, id=found.id, version=found.version) if found else fresh
        if found.notice_version != asked.body.notice_version:
            raise conflict(
                "the notice has another version now: read it, then answer", notice_version=found.notice_version
            )
        return found

    return _answered(asked, seen, AnswerKind.GIVEN, ConsentGiven, consent_of)


def _existing(body: Named, child: Child) -> Consent:
    found = _find(body, child)
    if found is None:
        raise conflict("nobody asked for or gave this consent: there is nothing to answer")
    return found


def decide_refuse_consent(asked: Asked[RefuseConsent], seen: Snapshot) -> Change:
    """Refuses consent; against another holder's yes it becomes conflicting, and nothing is shared on it."""
    return _answered(asked, seen, AnswerKind.REFUSED, ConsentRefused, lambda child: _existing(asked.body, child))


def decide_withdraw_consent(asked: Asked[WithdrawConsent], seen: Snapshot) -> Change:
    """Withdraws one's own consent; the grants that rested on it end in this transaction."""
    return _answered(asked, seen, AnswerKind.WITHDRAWN, ConsentWithdrawn, lambda child: _existing(asked.body, child))
