"""Stopping an address that nothing arrives at, and telling those who keep the school's records.

Run by this service itself, in process: on the word of a mail server, a push service, or a mail that came back.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID, uuid5

from pydantic import Field

from services.notifications.addressing import is_stopped
from services.notifications.keyring import digest_of
from services.notifications.model import ALWAYS, SERVICE, DeliveryState, delivery_id, may_hear
from services.notifications.rules import ADDRESS_STOPPED
from services.notifications.times import Pace
from shared.errors import Problem, ProblemType
from shared.events.base import Act, NewEvent
from shared.events.network import Grant
from shared.events.notifications import AddressStopped, Channel, NoticeFailed, NoticeQueued
from shared.events.words import Action, ActorKind, Basis, Category, Purpose, school_subject
from shared.text import Code
from shared.unit import Asked, Change, Endpoint, Request, Row, Snapshot

BOUNCED = "bounced"
MOST_STOPPED = 10
"""Of one member. Who got a letter can make up that it came back, from one address after the other: each is told."""


class StopAddress(Request):
    """Stops one address of the notice's member. `about` is the school's own subject; `target` the address itself.

    No key goes with it, so that no trace of the address is stored.
    """

    about: UUID
    notice: UUID
    channel: Channel
    target: Annotated[str, Field(max_length=2048)]
    code: Code


def decide_stop(asked: Asked[StopAddress], seen: Snapshot) -> Change:
    """Stops the address, once; a push subscription that is gone is simply taken away."""
    if "notice" not in seen.state:
        raise Problem(ProblemType.CONFLICT, "this notice is not there any more")
    body, notice = asked.body, seen.state["notice"]
    member, act = UUID(notice["member"]), keeping_act(asked.actor.id)
    own = [one for one in seen.state["addresses"] if one["target"] == body.target]
    found = UUID(own[0]["id"]) if own else asked.ids.time_ordered(seen.clock)
    stopped = NewEvent(
        AddressStopped(recipient=member, channel=body.channel, code=body.code), body.about, act, thing=found
    )
    if body.channel is not Channel.MAIL:
        rows = tuple(Row("address", UUID(one["id"]), one["version"], None) for one in own)
        return Change(permits=(), events=(stopped,) if own else (), rows=rows, reply={"state": "removed"})
    stops = [stop for stop in seen.state["stops"] if stop["digest"]]
    if len(stops) >= MOST_STOPPED or any(is_stopped(stop, body.target) for stop in stops):
        return Change(permits=(), events=(), reply={"state": "stopped"})
    parts = [_stop(asked, seen, member), *_failed(seen), *tell_keepers(asked, seen, member, act)]
    return Change(
        permits=(),
        events=(stopped, *(event for _, event in parts if event is not None)),
        rows=tuple(row for row, _ in parts),
        reply={"state": "stopped"},
    )


Part = tuple[Row, NewEvent | None]


def _stop(asked: Asked[StopAddress], seen: Snapshot, member: UUID) -> Part:
    salt = asked.ids.pseudonym().hex
    values = {
        "member": member,
        "channel": asked.body.channel,
        "salt": salt,
        "digest": digest_of(salt, asked.body.target),
        "code": BOUNCED,
        "stopped_at": seen.clock,
    }
    return Row("address_stop", asked.ids.time_ordered(seen.clock), 0, values), None


def _failed(seen: Snapshot) -> Iterator[Part]:
    """What a server took and could not deliver after all was sent, and has failed: all of that message."""
    for one in seen.state["parts"]:
        delivery, notice = one["delivery"], one["notice"]
        fact = NoticeFailed(
            recipient=UUID(notice["member"]),
            kind=notice["kind"],
            channel=Channel(delivery["channel"]),
            tries=delivery["tries"],
            code=BOUNCED,
        )
        values = {"state": DeliveryState.FAILED, "code": BOUNCED}
        event = NewEvent(fact, UUID(notice["about"]), Act.model_validate(delivery["act"]), thing=UUID(notice["id"]))
        yield Row("delivery", UUID(delivery["id"]), delivery["version"], values), event


def tell_keepers(asked: Asked[Any], seen: Snapshot, member: UUID, act: Act) -> Iterator[Part]:
    """A notice, with its mail, for everyone who keeps the school's records; of the member only its pseudonym."""
    rule, about, source = ADDRESS_STOPPED, school_subject(asked.school), asked.ids.time_ordered(seen.clock)
    grants = [Grant.model_validate(grant) for grant in seen.state["grants"]]
    hears = {
        grant.member: grant
        for grant in grants
        if may_hear(grant, rule.category) and _holds(grant, seen.clock) and grant.member != member
    }
    for one, grant in sorted(hears.items()):
        notice = uuid5(source, str(one))
        values = {
            "member": one,
            "about": about,
            "source": source,
            "thing": member,
            "kind": rule.kind,
            "category": rule.category,
            "purpose": grant.purposes[0],
            "state": "unread",
            "occurred_at": seen.now,
            "queued_at": seen.clock,
            "urgent": rule.urgent,
            "told": {"rule": 0, "grant": grant.id, "role": grant.role, "basis": grant.basis},
            "folds": 0,
            "answered": False,
            "reminded": 0,
        }
        channels = tuple(sorted(ALWAYS))
        fact = NoticeQueued(recipient=one, kind=rule.kind, source=source, channels=channels)
        yield Row("notice", notice, 0, values), NewEvent(fact, about, act, thing=notice)
        for channel in channels:
            yield _queued(notice, one, about, channel, seen), None


def _queued(notice: UUID, member: UUID, about: UUID, channel: Channel, seen: Snapshot) -> Row:
    values = {
        "notice": notice,
        "channel": channel,
        "member": member,
        "about": about,
        "urgent": False,
        "state": DeliveryState.QUEUED,
        "tries": 0,
        "doubts": 0,
        "round": 0,
        "pace": Pace.NOW,
        "next_try_at": seen.clock,
        "due_at": seen.clock,
    }
    return Row("delivery", delivery_id(notice, channel), 0, values)


def _holds(grant: Grant, at: datetime) -> bool:
    return grant.valid_from <= at and (grant.valid_until is None or at < grant.valid_until)


def keeping_act(service: UUID) -> Act:
    """Returns the act of this service itself, for who keeps the school's records."""
    return Act(
        actor=service,
        kind=ActorKind.SERVICE,
        door=SERVICE,
        purpose=Purpose.ADMINISTRATION,
        action=Action.MANAGE,
        category=Category.CONTACT,
        basis=Basis.PUBLIC_TASK,
    )


STOP = Endpoint("stop-address", StopAddress, "read_bounce", decide_stop)
