"""Contact data that is confidential: who says so, and what follows."""

from __future__ import annotations

from uuid import UUID

from services.network.draft import Draft, act_without_grant
from services.network.lifecycle import MEMBERS
from services.network.members import Managing, invalid
from services.network.model import children_of, school_of
from shared.errors import Problem, ProblemType
from shared.events.membership import PersonChanged
from shared.events.words import Action, Basis, Category, school_subject
from shared.unit import Asked, Change, Snapshot, stale


class SetConfidential(Managing):
    """Makes one's own contact data confidential, or no longer so; for another: by those who keep the records."""

    person: UUID
    confidential: bool
    version: int | None = None


def decide_set_confidential(asked: Asked[SetConfidential], seen: Snapshot) -> Change:
    """Keeps the flag, and renews the grants on every child round whom the person is.

    So a look that was under way with the old flag is decided again, and the new one holds from this commit on: nobody
    but network has contact data.
    """
    body, about, person = asked.body, school_subject(asked.school), seen.state["person"]
    own = asked.actor.id == body.person and asked.actor.kind in MEMBERS and person is not None
    if own:
        act = act_without_grant(asked.actor, Action.MANAGE, Category.CONTACT, body.purpose, Basis.OWN_DATA)
        draft = Draft(seen, act)
    else:
        permit = seen.require(asked, Action.MANAGE, Category.CONTACT, about=about)
        if any({asked.actor.id, body.person} <= child.guardians for child in children_of(seen.state).values()):
            raise Problem(
                ProblemType.FORBIDDEN,
                "guardians of one child do not decide this for each other: someone else at the school does",
            )
        draft = Draft(seen, permit.act, (permit,))
    if person is None:
        raise invalid("person is not known to this school: find it first", field="person")
    if body.version is not None and body.version != person["version"]:
        raise stale(body.version, person["version"])
    draft.write("person", body.person, person["version"], {"confidential": body.confidential})
    draft.tell(PersonChanged(person=body.person, fields=("confidential",)), about, body.person)
    for child in children_of(seen.state).values():
        draft.publish_child(child, school_of(seen.state))
    return draft.change({"person": str(body.person), "version": person["version"] + 1})
