"""Who is told, and what becomes of a notice and its deliveries. Pure: no I/O, no clock, no random."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID, uuid5

from shared.actor import service_id
from shared.events.base import Act, Event, Fact
from shared.events.network import Grant
from shared.events.notifications import Channel
from shared.events.words import Action, ActorKind, Basis, Category, Purpose, Role

SERVICE = "notifications"
ALWAYS = frozenset({Channel.MAIL})
"""Tried for everyone: network has the school's own record of the address."""

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
    """A notice on its way through one channel. `claimed`: being sent, or its sender died.

    `deferred`: not now, its code says why (a server's refusal, quiet hours).
    """

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
class Rule:
    """Which event makes which notice, and whose: those who may receive `category` of its subject now.

    `needs`: only for those who may also do this to the subject (who is asked for consent must be able to give it).
    """

    kind: str
    category: Category
    dutch: str
    english: str
    needs: Action | None = None
    concerned: bool = False
    """Only for those whom the event itself names in `concerns`."""
    askers: bool = False
    """Only for those who may ask for it on the school's behalf, and never for a parent or the child."""
    urgent: bool = False
    """It can't wait: the inbox says so."""


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


def plan_notices(rule: Rule, event: Event, grants: Iterable[Grant]) -> list[Notice]:
    """Returns a notice each for everyone whom `rule` wants told of `event`, by the subject's grants.

    Never the actor, nor whom the actor acted for: they know. Never a tool: tools hear through the gate.
    """
    act = event.act
    held = [grant for grant in grants if _holds(grant, event.recorded_at)]
    able = {grant.member for grant in held if rule.needs is None or rule.needs in grant.actions}
    able -= {act.actor, act.on_behalf_of}
    if rule.askers:
        able &= {grant.member for grant in held if _asks(grant, rule.category)}
        able -= {grant.member for grant in held if grant.role in {Role.GUARDIAN, Role.CHILD}}
    if rule.concerned:
        able &= set(event.fact(Concerning).concerns)
    purposes: dict[UUID, Purpose] = {}
    for grant in held:
        if grant.member in able and may_hear(grant, rule.category):
            fitting = act.purpose if act.purpose in grant.purposes else grant.purposes[0]
            if fitting is act.purpose or grant.member not in purposes:
                purposes[grant.member] = fitting
    return [_notice(rule, event, member, purpose) for member, purpose in sorted(purposes.items())]


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


def _holds(grant: Grant, at: datetime) -> bool:
    return grant.valid_from <= at and (grant.valid_until is None or at < grant.valid_until)


def _notice(rule: Rule, event: Event, member: UUID, purpose: Purpose) -> Notice:
    return Notice(
        id=uuid5(event.id, str(member)),
        member=member,
        about=event.about,
        source=event.id,
        thing=event.thing,
        kind=rule.kind,
        category=rule.category,
        purpose=purpose,
        occurred_at=event.occurred_at,
        queued_at=event.recorded_at,
        urgent=rule.urgent,
    )


def delivery_id(notice: UUID, channel: Channel) -> UUID:
    """Returns the id of a notice's delivery through a channel."""
    return uuid5(notice, channel.value)


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
