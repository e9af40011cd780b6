"""Who is told, and what becomes of a notice and its deliveries. Pure: no I/O, no clock, no random."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID, uuid5

from services.notifications.rule import AS_IT_IS, HOME_ROLES, Adjusted, Bound, Rule
from services.notifications.times import Pace
from shared.actor import service_id
from shared.events.base import Act, Event, Fact
from shared.events.network import Grant
from shared.events.notifications import Channel
from shared.events.words import Action, ActorKind, Basis, Category, Purpose, Role

SERVICE = "notifications"
ALWAYS = frozenset({Channel.MAIL})
"""Tried for everyone: network has the school's own record of the address."""

UNSUBSCRIBED, UNSUBSCRIBED_ALL = "unsubscribed", "unsubscribed_all"
"""What stops a whole channel: all of it but the mails of what the law or safety wants told; or those too."""

FIRST_DELAY = timedelta(seconds=20)
LONGEST_DELAY = timedelta(hours=4)
GIVE_UP_AFTER = timedelta(days=5)
"""RFC 5321, 4.5.4.1: a sender keeps trying for at least four to five days."""


class NoticeState(StrEnum):
    """A notice in its member's inbox."""

    UNREAD = "unread"
    READ = "read"
    DONE = "done"


class DeliveryState(StrEnum):
    """A notice on its way through one channel.

    `held`: waits for its moment (quiet hours, days off, a digest). `claimed`: being sent, or its sender died.
    """

    HELD = "held"
    QUEUED = "queued"
    CLAIMED = "claimed"
    DEFERRED = "deferred"
    SENT = "sent"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN = frozenset({DeliveryState.QUEUED, DeliveryState.DEFERRED, DeliveryState.CLAIMED})


class Concerning(Fact):
    """What is read of an event that names who must hear of it."""

    concerns: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice to queue. Its id follows from source and member, so that whatever makes it again makes the same one."""

    id: UUID
    member: UUID
    about: UUID
    source: UUID
    thing: UUID | None
    kind: str
    category: Category
    purpose: Purpose
    occurred_at: datetime
    queued_at: datetime
    urgent: bool = False
    told: Mapping[str, object] = field(default_factory=dict)
    fold: str | None = None
    works_here: bool = True
    """Its member is told in a role that is no parent's and no child's."""
    remind_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom an event is told to, each their own notice, and to whom round its subject it is not, and why (codes)."""

    notices: list[Notice]
    untold: Mapping[UUID, str]


def plan_notices(rule: Rule, event: Event, grants: Iterable[Grant], adjusted: Adjusted = AS_IT_IS) -> list[Notice]:
    """Returns a notice each for everyone whom `rule` wants told of `event`, by the subject's grants."""
    return plan_audience(rule, event, grants, adjusted).notices


def plan_audience(rule: Rule, event: Event, grants: Iterable[Grant], adjusted: Adjusted = AS_IT_IS) -> Audience:
    """Returns who is told of `event` and who is not, by the subject's grants and the school's adjustment.

    Never the actor, nor whom the actor acted for: they know. Never a tool: tools hear through the gate.
    """
    if rule.states and event.content["data"]["fact"].get("state") not in rule.states:
        return Audience([], {})
    act, at = event.act, event.recorded_at
    by_member: dict[UUID, list[Grant]] = {}
    for grant in grants:
        if grant.valid_from <= at and (grant.valid_until is None or at < grant.valid_until):
            by_member.setdefault(grant.member, []).append(grant)
    concerns = frozenset(event.fact(Concerning).concerns) if rule.concerned else None
    notices, untold, made = [], {}, None
    for member in sorted(by_member):
        held = by_member[member]
        why = _left_out(rule, act, member, held, concerns)
        best = None if why else _best(held, rule.category, act.purpose, adjusted.left_out)
        if best is None:
            untold[member] = why or _not_by(held, rule.category)
        elif not adjusted.told and not (rule.bound is Bound.PARENTS and best[0].role in HOME_ROLES):
            untold[member] = "rule_off"
        else:
            made = _notice(rule, event, best, adjusted, made)
            notices.append(made)
    return Audience(notices, untold)


def _left_out(
    rule: Rule, act: Act, member: UUID, held: Sequence[Grant], concerns: frozenset[UUID] | None
) -> str | None:
    """Returns why a member is no one for this rule, whatever they may receive; None: they are."""
    if not rule.actor_too and member in {act.actor, act.on_behalf_of}:
        return "own_act"
    if rule.needs is not None and not any(
        rule.needs in grant.actions and rule.category in grant.categories for grant in held
    ):
        return "not_in_circle" if rule.needs is Action.VIEW else "not_asked"
    if rule.askers and (
        any(grant.role in HOME_ROLES for grant in held) or not any(_asks(grant, rule.category) for grant in held)
    ):
        return "not_for_role"
    return "not_concerned" if concerns is not None and member not in concerns else None


def _best(
    held: Sequence[Grant], category: Category, purpose: Purpose, left_out: frozenset[Role]
) -> tuple[Grant, Purpose] | None:
    """Returns the grant that a member is told by, and for which purpose: the act's own if it can be."""
    found = None
    for grant in held:
        if may_hear(grant, category) and grant.role not in left_out:
            fitting = purpose if purpose in grant.purposes else grant.purposes[0]
            if fitting is purpose or found is None:
                found = grant, fitting
    return found


def _not_by(held: Sequence[Grant], category: Category) -> str:
    return "role_left_out" if any(may_hear(grant, category) for grant in held) else "no_grant"


def helpers_of(
    rule: Rule, grants: Iterable[Grant], at: datetime, left_out: frozenset[Role] = frozenset()
) -> list[tuple[Grant, Purpose]]:
    """Returns who may ask on the school's behalf and be told of it, once each, by which grant: no parent, no child."""
    by_member: dict[UUID, list[Grant]] = {}
    for grant in grants:
        if grant.valid_from <= at and (grant.valid_until is None or at < grant.valid_until):
            by_member.setdefault(grant.member, []).append(grant)
    found = []
    for _, held in sorted(by_member.items()):
        asks = any(_asks(grant, rule.category) for grant in held)
        if asks and not any(grant.role in HOME_ROLES for grant in held):
            best = _best(held, rule.category, Purpose.GUIDANCE, left_out)
            found += [best] if best else []
    return found


def may_hear(grant: Grant, category: Category) -> bool:
    """Tells whether this grant lets a person be told of something in `category`."""
    return (
        Action.RECEIVE in grant.actions
        and category in grant.categories
        and bool(grant.purposes)
        and grant.role is not Role.LOCAL_TOOL
    )


def _asks(grant: Grant, category: Category) -> bool:
    return grant.basis is Basis.PUBLIC_TASK and Action.PROPOSE in grant.actions and category in grant.categories


def _notice(
    rule: Rule, event: Event, by: tuple[Grant, Purpose], adjusted: Adjusted, like: Notice | None = None
) -> Notice:
    """Returns the notice; `like` is another one of the same event: an event's fields are read from text each time."""
    grant, purpose = by
    days = adjusted.remind_days or rule.remind_days
    source = like.source if like else event.id
    occurred_at = like.occurred_at if like else event.occurred_at
    return Notice(
        id=uuid5(source, str(grant.member)),
        member=grant.member,
        about=like.about if like else event.about,
        source=source,
        thing=like.thing if like else event.thing,
        kind=rule.kind,
        category=rule.category,
        purpose=purpose,
        occurred_at=occurred_at,
        queued_at=like.queued_at if like else event.recorded_at,
        urgent=rule.urgent,
        told={"rule": adjusted.number, "grant": grant.id, "role": grant.role, "basis": grant.basis},
        fold=like.fold if like else _fold(rule, event),
        works_here=grant.role not in HOME_ROLES,
        remind_at=occurred_at + timedelta(days=days) if days else None,
    )


def _fold(rule: Rule, event: Event) -> str | None:
    """Returns under what name a notice is folded with others; None: it never is."""
    if rule.urgent or event.thing is None:
        return None
    if rule.deadline:
        said = event.content["data"]["fact"]
        # A child's first plan has none yet: it is the child's.
        return deadline_fold(said["action"] or (said["clock"] if said["plan"] else event.about))
    return f"{rule.fold or rule.kind}/{event.thing}"


def deadline_fold(of: object) -> str:
    """Returns under what name the notices of one deadline are folded."""
    return f"plan_deadline/{of}"


def delivery_id(notice: UUID, channel: Channel, round_: int = 0) -> UUID:
    """Returns the id of a notice's delivery through a channel; `round_`: the how manieth reminder it is."""
    return uuid5(notice, f"{channel.value}-{round_}" if round_ else channel.value)


def bundle_id(member: UUID, channel: Channel, pace: Pace, period: str) -> UUID:
    """Returns the id of a member's digest of one day or week through a channel."""
    return uuid5(member, f"{channel.value}/{pace.value}/{period}")


def queued_by(event: Event, category: Category) -> Act:
    """Returns the act of queueing: this service's own, on behalf of the actor whose event caused it."""
    cause = event.act
    return Act(
        actor=service_id(SERVICE),
        kind=ActorKind.SERVICE,
        door=SERVICE,
        on_behalf_of=cause.actor,
        purpose=cause.purpose,
        action=Action.RECEIVE,
        category=category,
    )


def next_try(delivery: UUID, tries: int, now: datetime) -> datetime:
    """Returns when to try again after `tries` tries: twice as long each time, spread by up to a quarter.

    The spread follows from the delivery's id, so that a thousand that failed together don't come back together.
    """
    delay = min(FIRST_DELAY * (1 << min(tries - 1, 20)), LONGEST_DELAY)
    return now + delay * (1 + (delivery.int % 256) / 1024)


def moves(state: NoticeState) -> Sequence[NoticeState]:
    """Returns the states that a notice may go to from here."""
    return {
        NoticeState.UNREAD: (NoticeState.READ, NoticeState.DONE),
        NoticeState.READ: (NoticeState.DONE,),
        NoticeState.DONE: (),
    }[state]
