"""What a restored database takes back of its lost tail: every fact that an event tells whole.

Events carry no names, texts or secrets: what began with one of those stays lost, and NOTHING says what to do. The
subjects that the tail names are closed until somebody reviewed them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.network.draft import as_moment
from services.network.due_soon import reminder
from services.network.model import AnswerKind
from services.network.restored_rows import (
    ANEW,
    ANSWER,
    AUTHORITY,
    CHANGED,
    CONFIDENTIAL,
    CONSENT,
    CONSENT_ASKED,
    DECLINED,
    DISPUTE,
    EFFECTIVE,
    EMERGENCY,
    ERASURE,
    ERASURE_ASKED,
    HOLD,
    LIFTED,
    OTHER_REQUESTS,
    POLICY,
    REMINDER,
    RESUMED,
    REVIEW,
    TERM,
    WITHHOLDING,
    set_moment,
)
from services.network.reviews import take_back_dialogue
from services.network.times import review_reminder
from shared.access_projection import project_access
from shared.db import Connection
from shared.erasure import MARK
from shared.events import dialogue, emergencies, erasure, membership, network
from shared.events.base import Event, Fact

Told = Any
"""The fact that a statement stands for."""
Value = str | Callable[[Told, Event], object]
"""A parameter: the name of the fact's field, or what tells it."""


@dataclass(frozen=True, slots=True)
class Again:
    """A statement that does again what an event told; `values` are its parameters from $2 on, $1 is the school.

    The same again changes nothing that counts, and a row that is not there is no obstacle.
    """

    sql: str
    values: tuple[Value, ...]

    def bound(self, told: Told, event: Event) -> list[object]:
        """Returns the parameters for one event."""
        return [getattr(told, one) if isinstance(one, str) else one(told, event) for one in self.values]


def _about(_: Told, event: Event) -> object:
    return event.about


def _actor(_: Told, event: Event) -> object:
    return event.act.actor


def _operator(_: Told, event: Event) -> object:
    return event.act.operator


def _at(_: Told, event: Event) -> object:
    return event.occurred_at


def _standing(told: Told, _: Event) -> object:
    return told.standing or told.emergency


def _reviewed(told: Told, _: Event) -> object:
    return review_reminder(told.emergency)


def _due(told: Told, event: Event) -> object:
    return reminder(event.about, told.due_at)


def _mandate(told: Told, _: Event) -> object:
    moments = {"starts_at": told.mandate_starts_at, "ends_at": told.mandate_ends_at}
    return told.mandate and {"code": told.mandate, **{name: as_moment(at) for name, at in moments.items()}}


_CONSENT = Again(
    CONSENT,
    (
        *("consent", "consent_version", _about, "for_purpose", "recipient_kind", "recipient", "categories"),
        *("notice_version", "starts_at", "ends_at", "state"),
    ),
)


def _answer(kind: AnswerKind) -> tuple[Again, ...]:
    giver, answer = (lambda told, _: str(told.giver)), (lambda _told, _event: kind.value)
    return _CONSENT, Again(ANSWER, ("consent", giver, "capacity", answer, _at))


def _moment(table: str, column: str, at: Value) -> tuple[Again, ...]:
    return (Again(set_moment(table, column), (table, at)),)


RESTORED: Mapping[type[Fact], tuple[Again, ...]] = {
    membership.MembershipChanged: (Again(CHANGED, ("membership", "starts_at", "ends_at", _mandate)),),
    # Whether a command or a roster ended it is not told: the careful one can be undone by a command.
    membership.MembershipEnded: _moment("membership", "ended_by_hand = true, ends_at", "ends_at"),
    membership.MembershipSuspended: _moment("membership", "suspended_at", "at"),
    membership.MembershipResumed: (Again(RESUMED, ("membership",)),),
    membership.InvitationTaken: _moment("invitation", "revoked_at", _at),
    membership.InvitationRevoked: _moment("invitation", "revoked_at", _at),
    network.AuthorityRecorded: (
        Again(AUTHORITY, ("authority", _about, "holder", "scope", "source", "starts_at", "ends_at", "role")),
    ),
    network.AuthorityEnded: _moment("authority", "ended_by_hand = true, ends_at", "ends_at"),
    network.ConsentAsked: (Again(CONSENT_ASKED, _CONSENT.values),),
    network.ConsentSettled: (_CONSENT,),
    network.ConsentEnded: (_CONSENT,),
    network.ConsentGiven: _answer(AnswerKind.GIVEN),
    network.ConsentRefused: _answer(AnswerKind.REFUSED),
    network.ConsentWithdrawn: _answer(AnswerKind.WITHDRAWN),
    network.WithdrawalEffective: (Again(EFFECTIVE, ("withdrawal", "how", "at")),),
    # A policy that was set may be the stricter one, a dispute stops sharing: both must hold at once, for every child.
    network.PolicySet: (Again(POLICY, ("policy", "number", "decision", "rule", "starts_at", _actor)),),
    network.DisputeNoted: (Again(DISPUTE, ("dispute", _about, "decision", "between", "starts_at")),),
    network.DisputeSettled: _moment("dispute", "ends_at", "ends_at"),
    network.InformationWithheld: (
        Again(WITHHOLDING, ("withholding", _about, "guardian", "source", "starts_at", "ends_at")),
    ),
    network.InformationRestored: _moment("withholding", "ends_at", "ends_at"),
    emergencies.EmergencyStarted: (
        Again(
            EMERGENCY,
            ("emergency", _about, "member", "role", "organisation", _standing, "starts_at", "ends_at", _operator),
        ),
    ),
    emergencies.EmergencyEnded: _moment("emergency", "ends_at", "ends_at"),
    emergencies.EmergencyReviewed: (Again(REVIEW, ("emergency", "outcome", _actor, _at)),),
    emergencies.EmergencyReviewOverdue: (Again(REMINDER, (_reviewed, _about)),),
    erasure.ErasureAsked: (Again(ERASURE_ASKED, ("erasure", _about, "reason", _actor, _operator, _at)),),
    erasure.ErasureDeclined: (Again(DECLINED, ("erasure",)),),
    # An erasure that was lost is done again: its rows came back with the older copy.
    erasure.ErasureConfirmed: (
        Again(OTHER_REQUESTS, (_about, "erasure")),
        Again(ERASURE, ("erasure", _about, "reason", "asked_by", _at, _actor)),
        Again(MARK, (_about,)),
    ),
    erasure.HoldPlaced: (Again(HOLD, ("hold", _about, "reason", _actor, "starts_at", "until")),),
    erasure.HoldLifted: (Again(LIFTED, ("hold", _actor, _at)),),
    erasure.RetentionSet: (Again(TERM, ("setting", "number", "kind", "months", "starts_at", _actor)),),
    erasure.RetentionDueSoon: (Again(REMINDER, (_due, _about)),),
}
"""What each event has done again."""

ELSEWHERE = frozenset({network.AccessChanged, membership.PersonChanged, *dialogue.FACTS})
"""What `take_back` does again in another way."""

NOTHING: Mapping[type[Fact], str] = {
    membership.SchoolOpened: "its name is lost: it is opened again",
    membership.PersonAdded: "the name is lost: the next roster, or a hand, adds the person again",
    membership.OrganisationAdded: "its name is lost: it is added again",
    membership.MemberAdded: "gives access, to who may be lost too: it ends until a roster or a hand adds it again",
    membership.InvitationMade: "its secret is lost, so nobody can take it: another is made",
    membership.PlacementEnded: "each end is told by itself",
    membership.TieStated: "how close is lost: it is stated again",
    network.NoticePublished: "its text is lost: it is published again",
    network.ConsentRenewalDue: "is told again, which does no harm",
    membership.RosterImported: "each change is told by itself",
    erasure.PersonErased: "the erasure is under way again, and the person goes again with it",
    erasure.ErasureCompleted: "the erasure is under way again, and is completed again",
    erasure.ChildErased: "the erasure is under way again, and the rows go again",
}
"""What needs nothing done again, and why."""


async def take_back(conn: Connection, tail: Sequence[Event]) -> None:
    """Does again what the tail told, in order, and keeps the grants and revisions that it published until all grants of
    the school are made anew from what stands then.
    """
    await project_access(conn, tail)
    for event in tail:
        await take_back_dialogue(conn, event)
        for fact, statements in RESTORED.items():
            if event.is_a(fact):
                told = event.fact(fact)
                for one in statements:
                    await conn.execute(one.sql, event.school, *one.bound(told, event))
        if event.is_a(membership.PersonChanged) and "confidential" in event.fact(membership.PersonChanged).fields:
            # The event does not say which way; the careful one can be undone by whom it is about.
            await conn.execute(CONFIDENTIAL, event.school, event.fact(membership.PersonChanged).person)
    for school in {event.school for event in tail}:
        await conn.execute(ANEW, school)
