"""Consent asked, given, refused and withdrawn: pure decisions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from services.network.asking import (
    AskConsent,
    GiveConsent,
    Named,
    RefuseConsent,
    WithdrawConsent,
    check_version,
    last_of,
    new_consent,
    next_consent,
    same_name,
    standing,
)
from services.network.authority import holder_act
from services.network.consent_state import state_at
from services.network.draft import Draft, consent_row, consent_words
from services.network.members import conflict
from services.network.model import Answer, AnswerKind, Child, Consent, children_of, school_of
from shared.errors import Problem
from shared.events.network import Capacity, ConsentAsked, ConsentGiven, ConsentRefused, ConsentState, ConsentWithdrawn
from shared.events.words import Action, Category
from shared.unit import Asked, Change, Snapshot


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
    """Asks the holders for consent; one that is over, refused or withdrawn is asked anew, one that is given renewed."""
    permit = seen.require(asked, Action.PROPOSE, Category.NETWORK, about=asked.body.child)
    draft, body = Draft(seen, permit.act, (permit,)), asked.body
    child, school = children_of(seen.state)[body.child], school_of(seen.state)
    there = standing(same_name(body, child), seen.now)
    # A yes that stands is never wiped out by a question; an open question only by one with a newer notice.
    open_ = next((one for one in there if state_at(one, child, seen.now) is not ConsentState.GIVEN), None)
    if open_ is None:
        question = next_consent(asked, seen, child)
    else:
        check_version(body, open_)
        state = state_at(open_, child, seen.now)
        if open_.notice_version == body.notice_version and state in {ConsentState.ASKED, ConsentState.CONFLICTING}:
            raise conflict("this was asked already and stands: wait for the holders", state=state.value)
        present = next((one for one in there if one.id == open_.renews), None)
        question = new_consent(asked, seen, child, open_, present)
    stored, child = _store(draft, question, child, seen)
    draft.tell(ConsentAsked(**consent_words(stored)), child.id, stored.id)
    draft.publish_child(child, school)
    return draft.change(_reply(stored, child))


Facts = type[ConsentGiven] | type[ConsentRefused] | type[ConsentWithdrawn]


def _answered(
    asked: Asked[GiveConsent] | Asked[RefuseConsent] | Asked[WithdrawConsent],
    seen: Snapshot,
    kind: AnswerKind,
    fact: Facts,
    meant_of: Callable[[Child], list[Consent]],
) -> Change:
    """Answers the consents that `meant_of` returns of the child: at least one, the first is told of in the reply."""
    act, permits = holder_act(asked, seen, Action.CONSENT)
    draft = Draft(seen, act, permits)
    child, school = children_of(seen.state)[asked.body.child], school_of(seen.state)
    giver = asked.actor.id
    capacity = Capacity.SELF if giver == child.id else Capacity.AUTHORITY_HOLDER
    answered = []
    for one in meant_of(child):
        others = (other for other in one.answers if other.holder != giver)
        answers = (*others, Answer(giver, capacity, kind, seen.now))
        stored, child = _store(draft, replace(one, answers=answers), child, seen)
        draft.tell(fact(**consent_words(stored), giver=giver, capacity=capacity), child.id, stored.id)
        answered.append(stored)
    draft.publish_child(child, school)
    reply = _reply(answered[0], child)
    if kind is not AnswerKind.GIVEN:
        reply |= draft.withdraws(asked.ids.time_ordered(seen.now), child.id, answered[0].id)
    return draft.change(reply)


def decide_give_consent(asked: Asked[GiveConsent], seen: Snapshot) -> Change:
    """Gives consent for oneself, or as one who has authority; it holds once every holder gave it.

    Where both a consent and its renewal wait for this holder, it answers the one whose version is named, or else the
    renewal.
    """

    def meant_of(child: Child) -> list[Consent]:
        body, giver = asked.body, asked.actor.id
        there = standing(same_name(body, child), seen.now)
        waiting = [one for one in there if one.answer_of(giver) is not AnswerKind.GIVEN]
        if not waiting:
            if there and state_at(there[-1], child, seen.now) is not ConsentState.GIVEN:
                raise _repeated(AnswerKind.GIVEN, there[-1])
            return [next_consent(asked, seen, child)]
        named = [one for one in waiting if body.version in {None, one.version}] or waiting
        found = next((one for one in reversed(named) if one.notice_version == body.notice_version), named[-1])
        check_version(body, found)
        if found.notice_version != body.notice_version:
            raise conflict(
                "the notice has another version now: read it, then answer", notice_version=found.notice_version
            )
        return [found]

    return _answered(asked, seen, AnswerKind.GIVEN, ConsentGiven, meant_of)


def _repeated(kind: AnswerKind, consent: Consent) -> Problem:
    return conflict(f"your answer is {kind} already: you can change it, not repeat it", version=consent.version)


def _existing(body: Named, child: Child, now: datetime) -> list[Consent]:
    """Returns those of this name that stand, or else what ended last, at least one; the latest is last."""
    same = same_name(body, child)
    latest = last_of(same)
    if latest is None:
        raise conflict("nobody asked for or gave this consent: there is nothing to answer")
    return standing(same, now) or [one for one in same if one.ends_at == latest.ends_at]


def decide_refuse_consent(asked: Asked[RefuseConsent], seen: Snapshot) -> Change:
    """Refuses consent; against another holder's yes it becomes conflicting, and nothing is shared on it."""

    def meant_of(child: Child) -> list[Consent]:
        *given, last = _existing(asked.body, child, seen.now)
        # What this holder said yes to goes on, but for the question that was put last.
        open_ = [one for one in given if one.answer_of(asked.actor.id) in {None, AnswerKind.WITHDRAWN}]
        meant = [one for one in (*open_, last) if one.answer_of(asked.actor.id) is not AnswerKind.REFUSED]
        if not meant:
            raise _repeated(AnswerKind.REFUSED, last)
        check_version(asked.body, *meant)
        return meant

    return _answered(asked, seen, AnswerKind.REFUSED, ConsentRefused, meant_of)


def decide_withdraw_consent(asked: Asked[WithdrawConsent], seen: Snapshot) -> Change:
    """Withdraws one's own consent, and with it the renewal; the grants that rested on it end in this transaction."""

    def meant_of(child: Child) -> list[Consent]:
        said = [(one, one.answer_of(asked.actor.id)) for one in _existing(asked.body, child, seen.now)]
        if not any(answer is AnswerKind.GIVEN for _, answer in said):
            if any(answer is AnswerKind.WITHDRAWN for _, answer in said):
                raise _repeated(AnswerKind.WITHDRAWN, said[-1][0])
            raise conflict("you have given no consent here that could be withdrawn: refuse it instead")
        meant = [one for one, answer in said if answer in {None, AnswerKind.GIVEN}]
        check_version(asked.body, *meant)
        return meant

    return _answered(asked, seen, AnswerKind.WITHDRAWN, ConsentWithdrawn, meant_of)
