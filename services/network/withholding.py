"""Information that is withheld from a guardian, whatever part or authority they have: bodies and pure decisions."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Literal
from uuid import UUID

from services.network.draft import Draft
from services.network.members import Managing, conflict, end_of, invalid
from services.network.model import Child, children_of, school_of
from services.network.safeguards import Withholding
from services.network.spans import day_start
from shared.access import Permit
from shared.events.network import InformationRestored, InformationWithheld
from shared.events.words import Action, Category
from shared.text import Code, Day
from shared.unit import Asked, Change, Reply, Snapshot, stale


class WithholdInformation(Managing):
    """Withholds all that is told and shown of a child from one of its guardians, now. `source` is a code.

    A court's ruling (civil code 1:253a, 1:377c), or the child's interest until there is one. It takes no say away: who
    has authority still answers consents. `ends_on` is the first day on which it no longer holds.
    """

    child: UUID
    guardian: UUID
    source: Code
    ends_on: Day | None = None


class RestoreInformation(Managing):
    """Has a guardian told and shown again what the facts give, now or from `ends_on` on."""

    child: UUID
    withholding: UUID
    version: int
    ends_on: Day | None = None


class RestoredReply(Reply):
    """What was withheld, as it stands now, and the revision of the child's grants."""

    withholding: UUID
    version: int
    revision: int


class WithheldReply(RestoredReply):
    """What is withheld; `withdrawal` is effective everywhere a moment later."""

    withdrawal: UUID
    effective: Literal["pending"]


def decide_withhold_information(asked: Asked[WithholdInformation], seen: Snapshot) -> Change:
    """Withholds it; every grant of that person on the child ends in this transaction."""
    child, permit, draft = _begin(asked, seen)
    body = asked.body
    if body.guardian not in child.guardians | {one.holder for one in child.authorities}:
        raise invalid("this is no guardian of this child, and was none: there is nothing to withhold")
    for one in child.withheld:
        if one.guardian == body.guardian and (one.ends_at is None or one.ends_at > seen.now):
            raise conflict(
                "it is withheld from this guardian already: end that first",
                withholding=str(one.id),
                version=one.version,
            )
    if permit.act.actor == body.guardian:
        raise invalid("this is yourself: another who keeps the records decides on it")
    ends_at = day_start(body.ends_on) if body.ends_on else None
    if ends_at is not None and ends_at <= seen.now:
        raise invalid("it would end before it starts: ends_on must lie after today")
    made = Withholding(asked.ids.time_ordered(seen.now), 1, body.guardian, body.source, seen.now, ends_at)
    values = {name: value for name, value in asdict(made).items() if name not in {"id", "version"}}
    draft.write("withholding", made.id, 0, {**values, "child": child.id})
    draft.tell(InformationWithheld(withholding=made.id, **values), child.id, made.id)
    draft.publish_child(replace(child, withheld=(*child.withheld, made)), school_of(seen.state))
    reply = {"withholding": str(made.id), "version": 1, "revision": child.revision + 1}
    return draft.change(reply | draft.withdraws(asked.ids.time_ordered(seen.now), child.id, made.id))


def decide_restore_information(asked: Asked[RestoreInformation], seen: Snapshot) -> Change:
    """Ends what is withheld."""
    child, permit, draft = _begin(asked, seen)
    body = asked.body
    found = next((one for one in child.withheld if one.id == body.withholding), None)
    if found is None:
        raise invalid("nothing of that id is withheld: look it up with `samen policy deciders`")
    if found.version != body.version:
        raise stale(body.version, found.version)
    if permit.act.actor == found.guardian:
        raise invalid("this is yourself: another who keeps the records decides on it")
    if found.ends_at is not None and found.ends_at <= seen.now:
        raise conflict("this has ended already: nothing is left to end", version=found.version)
    ended = replace(found, ends_at=end_of(body.ends_on, found.ends_at, seen.now))
    draft.write("withholding", found.id, found.version, {"ends_at": ended.ends_at})
    fact = InformationRestored(withholding=found.id, guardian=found.guardian, ends_at=ended.ends_at or seen.now)
    draft.tell(fact, child.id, found.id)
    rest = tuple(ended if one.id == found.id else one for one in child.withheld)
    draft.publish_child(replace(child, withheld=rest), school_of(seen.state))
    return draft.change({"withholding": str(found.id), "version": found.version + 1, "revision": child.revision + 1})


def _begin(
    asked: Asked[WithholdInformation] | Asked[RestoreInformation], seen: Snapshot
) -> tuple[Child, Permit, Draft]:
    permit = seen.require(asked, Action.MANAGE, Category.NETWORK, about=asked.body.child)
    return children_of(seen.state)[asked.body.child], permit, Draft(seen, permit.act, (permit,))
