"""Parental authority: bodies and pure decisions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from pydantic import Field

from services.network.draft import Draft, act_without_grant, authority_row
from services.network.members import Managing, conflict, end_of, invalid
from services.network.model import OF_AGE_AT, Authority, Child, children_of, school_of
from services.network.policy import HOME
from services.network.spans import day_start
from shared.access import Denial, Permit
from shared.events.base import Act
from shared.events.network import AuthorityEnded, AuthorityRecorded, Decision, HolderRole
from shared.events.words import Action, ActorKind, Basis, Category, Role
from shared.text import Code, Day
from shared.unit import Asked, Change, Snapshot, stale


class RecordAuthority(Managing):
    """Records that a guardian decides about the child. `scope` narrows it to matters; `source` is a code.

    `role`: a curator or mentor is named by a court (source `court`) and decides from the 18th birthday on.
    `starts_on` None: now. `ends_on` is the first day on which it no longer holds.
    """

    child: UUID
    holder: UUID
    scope: tuple[Decision, ...] = Field(default=tuple(Decision), min_length=1, max_length=len(Decision))
    source: Code
    role: HolderRole = HolderRole.PARENTAL
    starts_on: Day | None = None
    ends_on: Day | None = None


class EndAuthority(Managing):
    """Ends someone's authority over a child, now or from `ends_on` on."""

    child: UUID
    authority: UUID
    version: int
    ends_on: Day | None = None


def holder_act(asked: Asked[Any], seen: Snapshot, action: Action) -> tuple[Act, tuple[Permit, ...]]:
    """Returns the act and permits of who may do this with a child's consents, or raises Denial.

    Who has authority decides by that, not by the membership: it goes on, without a grant, when the membership ends or
    is suspended. It reaches consents only, and gives no more of the network to see than who they are for.
    """
    child_id = asked.body.child
    try:
        permit = seen.require(asked, action, Category.NETWORK, about=child_id)
    except Denial as denied:
        child, purpose = children_of(seen.state).get(child_id), asked.body.purpose
        holds = child is not None and any(one.holds(seen.now) for one in child.sharing_spans(asked.actor.id))
        known = denied.verifiable and denied.act.revision is not None
        if not (holds and known and asked.actor.kind is ActorKind.PERSON and purpose in HOME):
            raise
        act = act_without_grant(asked.actor, action, Category.NETWORK, purpose, Basis.AUTHORITY)
        return act.model_copy(update={"role": Role.GUARDIAN}), ()
    return permit.act, (permit,)


def tell_authority(draft: Draft, authority: Authority) -> None:
    """Drafts a new authority and tells it."""
    draft.write("authority", authority.id, 0, authority_row(authority))
    fact = AuthorityRecorded(
        authority=authority.id,
        holder=authority.holder,
        scope=authority.scope,
        source=authority.source,
        starts_at=authority.starts_at,
        ends_at=authority.ends_at,
        role=authority.role,
    )
    draft.tell(fact, authority.child, authority.id)


def tell_authority_ended(draft: Draft, ended: Authority, *, by_hand: bool) -> None:
    """Drafts the end of an authority; `ended` has the end in it and the version that was seen.

    `by_hand`: a command ends it, so no roster takes it up again.
    """
    by_hand = by_hand or ended.ended_by_hand
    draft.write("authority", ended.id, ended.version, {"ends_at": ended.ends_at, "ended_by_hand": by_hand})
    fact = AuthorityEnded(authority=ended.id, holder=ended.holder, ends_at=ended.ends_at or draft.now)
    draft.tell(fact, ended.child, ended.id)


def decide_record_authority(asked: Asked[RecordAuthority], seen: Snapshot) -> Change:
    """Records authority of one of the child's guardians; consents are settled anew with the new holder."""
    permit = seen.require(asked, Action.MANAGE, Category.NETWORK, about=asked.body.child)
    body, draft = asked.body, Draft(seen, permit.act, (permit,))
    child, school = children_of(seen.state)[body.child], school_of(seen.state)
    guardian = any(
        one.person == body.holder and one.role is Role.GUARDIAN and (one.ends_at is None or one.ends_at > seen.now)
        for one in child.memberships
    )
    if not guardian:
        raise invalid("the holder is no guardian in this child's network: add that membership first")
    _check_role(body, child)
    for one in child.authorities:
        same = one.holder == body.holder and one.role is body.role
        if same and (one.ends_at is None or one.ends_at > seen.now):
            raise conflict(
                "authority of this guardian is on record already: end it first",
                authority=str(one.id),
                version=one.version,
            )
    authority = Authority(
        id=asked.ids.time_ordered(seen.now),
        version=1,
        child=child.id,
        holder=body.holder,
        scope=tuple(sorted(set(body.scope))),
        source=body.source,
        starts_at=day_start(body.starts_on) if body.starts_on else seen.now,
        ends_at=day_start(body.ends_on) if body.ends_on else None,
        role=body.role,
    )
    if not authority.span:
        raise invalid("it would end before it starts: ends_on must lie after starts_on")
    tell_authority(draft, authority)
    draft.publish_child(replace(child, authorities=(*child.authorities, authority)), school)
    return draft.change({"authority": str(authority.id), "version": 1, "revision": child.revision + 1})


def _check_role(body: RecordAuthority, child: Child) -> None:
    if body.role is HolderRole.PARENTAL:
        return
    if body.source != "court":
        raise invalid("a court names a curator or mentor: record it with source court, and have the ruling at hand")
    if child.born_on is None:
        raise invalid("a curator or mentor decides from 18 on, and the day of birth is not known: import it first")
    ends_at = day_start(body.ends_on) if body.ends_on else None
    if ends_at is not None and ends_at <= child.reaches(OF_AGE_AT):
        raise invalid("it would end before the child is of age, and hold never: leave out ends_on, or check it")


def decide_end_authority(asked: Asked[EndAuthority], seen: Snapshot) -> Change:
    """Ends authority; what only that holder had agreed to stops with it."""
    permit = seen.require(asked, Action.MANAGE, Category.NETWORK, about=asked.body.child)
    body, draft = asked.body, Draft(seen, permit.act, (permit,))
    child, school = children_of(seen.state)[body.child], school_of(seen.state)
    found = next((one for one in child.authorities if one.id == body.authority), None)
    if found is None:
        raise invalid("there is no such authority over this child: look it up with `samen network show --ids`")
    if found.version != body.version:
        raise stale(body.version, found.version)
    if found.ends_at is not None and found.ends_at <= seen.now:
        raise conflict("this authority has ended already: nothing is left to end", version=found.version)
    ended = replace(found, ends_at=end_of(body.ends_on, found.ends_at, seen.now))
    tell_authority_ended(draft, ended, by_hand=True)
    rest = tuple(ended if one.id == found.id else one for one in child.authorities)
    draft.publish_child(replace(child, authorities=rest), school)
    reply = {"authority": str(found.id), "version": found.version + 1, "revision": child.revision + 1}
    if not body.ends_on:
        reply |= draft.withdraws(asked.ids.time_ordered(seen.now), child.id, found.id)
    return draft.change(reply)
