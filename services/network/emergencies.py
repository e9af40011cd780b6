"""What may be asked about emergencies: who took access to a child, and who can be reached about it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from services.network.draft import as_moment
from services.network.model import children_of
from services.network.queries import also, family, viewed
from services.network.safeguards import Emergency
from services.network.times import review_due_at
from shared import access
from shared.errors import Problem, ProblemType
from shared.events.words import Action, Category, Purpose, Role
from shared.unit import Asked, Change, Query, Snapshot

IN_THE_LOG = (
    "who took emergency access to a child of your own stands in the log: "
    "`samen audit break-glass --child <child> --purpose own_data`"
)


class Emergencies(Query):
    """Emergency access to a child: who, when, how it was judged; why, for reviewers and for who took it.

    A child's family reads it in the log: audit's `break-glass`.
    """

    child: UUID


class EmergencyContacts(Query):
    """Who can be reached about a child: name, role, telephone and mail, and whether that is not to be passed on."""

    child: UUID


def decide_emergencies(asked: Asked[Emergencies], seen: Snapshot) -> Change:
    """Answers for those who review or audit it, and for who took the access as long as it lasts.

    The child's family reads it in the log, whatever else they are here: only there is it known what a restriction holds
    back from them.
    """
    child_id = asked.body.child
    log = also(seen, asked, Action.VIEW, Category.LOG, child_id)
    permit = log or seen.require(asked, Action.VIEW, Category.IDENTITY, about=child_id)
    child = children_of(seen.state)[child_id]
    own = [one for one in child.emergencies if one.member == asked.actor.id]
    theirs = asked.body.purpose is Purpose.OWN_DATA or asked.actor.id in family(child)
    if log is not None and theirs and not own:
        raise Problem(ProblemType.FORBIDDEN, IN_THE_LOG, code="in_the_log")
    shown = list(child.emergencies) if log is not None and not theirs else own
    if not shown and log is None:
        view = seen.views[child_id]
        raise access.denial(view, asked.actor, Action.VIEW, Category.LOG, asked.body.purpose, "no_grant")
    # Auditors see that it was and how it was judged; the words may be about someone else.
    reviews = log is not None and not theirs and also(seen, asked, Action.DECIDE, Category.LOG, child_id) is not None
    texts = seen.state["texts"]
    result = [_shown(one, texts if reviews or one.member == asked.actor.id else {}) for one in shown]
    return viewed("emergencies", child_id, permit.act, {"emergencies": result}, len(result), (permit,))


def _shown(one: Emergency, texts: dict[str, Any]) -> dict[str, Any]:
    words = texts.get(str(one.id)) or {"reason": None, "review_reason": None}
    return {
        "emergency": str(one.id),
        "version": one.version,
        "member": str(one.member),
        "role": one.role.value,
        "organisation": str(one.organisation) if one.organisation else None,
        "starts_at": as_moment(one.starts_at),
        "ends_at": as_moment(one.ends_at),
        "review_due_at": as_moment(review_due_at(one.starts_at)),
        "outcome": one.outcome.value if one.outcome else None,
        "reviewed_by": str(one.reviewed_by) if one.reviewed_by else None,
        "reviewed_at": as_moment(one.reviewed_at),
        **words,
    }


def decide_emergency_contacts(asked: Asked[EmergencyContacts], seen: Snapshot) -> Change:
    """Answers who can be reached, for those who may see contact data of the child."""
    permit = seen.require(asked, Action.VIEW, Category.CONTACT, about=asked.body.child)
    child = children_of(seen.state)[asked.body.child]
    persons = seen.state["persons"]
    members = []
    for one in child.memberships:
        person = persons.get(str(one.person))
        if person is not None and one.span.holds(seen.now) and one.role is not Role.LOCAL_TOOL:
            named = {name: person[name] for name in ("given_name", "family_name", "phone", "email")}
            known = {**named, "confidential": bool(person.get("confidential"))}
            members.append({"person": str(one.person), "role": one.role.value, **known})
    me = persons.get(str(child.id)) or {"given_name": None, "family_name": None}
    result = {
        "child": str(child.id),
        "given_name": me["given_name"],
        "family_name": me["family_name"],
        "contacts": members,
    }
    return viewed("emergency-contacts", child.id, permit.act, result, len(members), (permit,))
