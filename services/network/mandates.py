"""A mandate renewed in place: the same membership goes on, until another day."""

from __future__ import annotations

from dataclasses import asdict, replace
from uuid import UUID

from services.network.draft import Draft, as_mandate, as_moment
from services.network.members import Circle, Managing, conflict, invalid
from services.network.model import Membership
from services.network.spans import FOREVER, day_start
from shared.events.membership import MembershipChanged
from shared.events.words import Action, Category
from shared.text import Day
from shared.unit import Asked, Change, Snapshot


class RenewMandate(Managing):
    """Lets a mandate last until `ends_on`, the first day on which it no longer holds; None: without an end."""

    subject: UUID
    membership: UUID
    version: int
    ends_on: Day | None = None


def tell_changed(draft: Draft, changed: Membership) -> None:
    """Drafts the event that a membership's period or mandate is another one now, and what ends with the old one."""
    mandate = changed.mandate
    fact = MembershipChanged(
        membership=changed.id,
        member=changed.person,
        role=changed.role,
        starts_at=changed.starts_at,
        ends_at=changed.ends_at,
        mandate=mandate.code if mandate else None,
        mandate_starts_at=mandate.starts_at if mandate else None,
        mandate_ends_at=mandate.ends_at if mandate else None,
    )
    draft.tell(fact, changed.subject, changed.id)
    draft.ends_with(changed)


def decide_renew_mandate(asked: Asked[RenewMandate], seen: Snapshot) -> Change:
    """Moves the end of a mandate. One that was over begins anew now: what lay between stays without."""
    permit = seen.require(asked, Action.MANAGE, Category.NETWORK, about=asked.body.subject)
    body, draft = asked.body, Draft(seen, permit.act, (permit,))
    circle = Circle.of(seen, body.subject)
    circle.check_placed(seen)
    found = circle.find(body.membership, body.version, seen.now)
    mandate = found.mandate
    if mandate is None:
        raise invalid("this membership has no mandate, so nothing of it runs out: end the membership when it ends")
    end = day_start(body.ends_on) if body.ends_on else None
    if (end or FOREVER) <= seen.now:
        raise invalid("a mandate is renewed until a day to come: name one, or end the membership")
    if (end or FOREVER) <= (mandate.ends_at or FOREVER):
        raise conflict(
            "it lasts that long already: end the membership to shorten it", ends_at=as_moment(mandate.ends_at)
        )
    over = mandate.ends_at is not None and mandate.ends_at <= seen.now
    renewed = replace(mandate, starts_at=seen.now if over else mandate.starts_at, ends_at=end)
    changed = replace(found, mandate=renewed)
    draft.write("membership", found.id, found.version, {"mandate": asdict(renewed)})
    tell_changed(draft, changed)
    revision = circle.publish(draft, circle.with_changed(changed), found.role)
    reply = {"membership": str(found.id), "version": found.version + 1, "revision": revision}
    return draft.change(reply | {"mandate": as_mandate(renewed)})
