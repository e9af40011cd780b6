"""The query behind `samen policy explain`: body and pure decision."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from pydantic import AwareDatetime

from services.network.draft import act_without_grant, as_moment
from services.network.explain import Question, Reason, explain
from services.network.grants import FORESEEN
from services.network.members import invalid
from services.network.model import Child, children_of, school_of
from services.network.queries import also, family, viewed
from shared import access
from shared.access import Permit, View
from shared.events.words import Action, Basis, Category, Purpose
from shared.text import LATEST
from shared.unit import Asked, Change, Query, Snapshot

NOT_WEIGHED = Reason(
    "emergency",
    holds=False,
    words="Emergency access by others to a child of your own is not weighed here: it stands in the log.",
)
"""The log alone knows what a restriction holds back from a child's family."""


class PolicyExplanation(Query):
    """May `who` do `action` on `category` of a child's data, for `for_purpose`, at `at` (None: now), and why?

    For the school's administrator, its auditor, and `who`. Facts count as they stand now.
    """

    who: UUID
    child: UUID
    action: Action
    category: Category
    for_purpose: Purpose = Purpose.GUIDANCE
    at: AwareDatetime | None = None


def decide_policy_explanation(asked: Asked[PolicyExplanation], seen: Snapshot) -> Change:
    """Answers with the facts that led to yes or no."""
    body = asked.body
    at = body.at or seen.now
    if not 1900 <= at.year < LATEST.year:
        raise invalid(f"at lies outside 1900 to {LATEST.year}: check the year")
    keeper = also(seen, asked, Action.MANAGE, Category.NETWORK, body.child)
    keeper = keeper or also(seen, asked, Action.EXPORT, Category.LOG, body.child)
    permit = keeper or _concerned(asked, seen)
    if keeper is None and at > seen.now + FORESEEN:
        raise invalid("your own future is not told: what changes then may tell of others. Ask about now or before")
    child, school = children_of(seen.state)[body.child], school_of(seen.state)
    question = Question(body.who, body.action, body.category, body.for_purpose, at)
    own = asked.actor.id in family(child)
    untold = own and body.who != asked.actor.id
    found = explain(
        replace(child, emergencies=()) if untold else child, school, question, discreet=keeper is None or own
    )
    reasons = (*found.reasons, *([NOT_WEIGHED] if untold else []))
    result = {
        "allowed": found.allowed,
        "at": as_moment(at),
        "reasons": [{"kind": one.kind, "holds": one.holds, "words": one.words} for one in reasons],
    }
    return viewed("policy-explanation", body.child, permit.act, result, len(reasons), (permit,), body.who)


def _concerned(asked: Asked[PolicyExplanation], seen: Snapshot) -> Permit:
    """Returns the permit of a person who asks about themselves, or raises the denial that a stranger gets."""
    body, view = asked.body, seen.views.get(asked.body.child)
    if view is not None and view.revision is not None and body.who == asked.actor.id:
        child = children_of(seen.state)[body.child]
        if _named_in(child, asked.actor.id):
            act = act_without_grant(asked.actor, Action.VIEW, Category.NETWORK, body.purpose, Basis.OWN_DATA)
            return Permit(act.model_copy(update={"revision": view.revision}), child.id, view.revision, seen.clock, None)
    view = view or View(body.child, None, (), fresh=seen.leased)
    raise access.denial(view, asked.actor, Action.VIEW, Category.NETWORK, body.purpose, "not_concerned")


def _named_in(child: Child, who: UUID) -> bool:
    """Tells whether facts about this child name the person: a stranger learns not even that the child exists."""
    named = [one.person for one in child.memberships] + [one.holder for one in child.authorities]
    return who in named or any(one.member == who for one in child.emergencies)
