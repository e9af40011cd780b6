"""Leaving a channel and coming back to it.

Who unsubscribes from mail leaves the ordinary mails: the stream that the link stands in. What the law or safety wants
told is another one, that ends only when somebody stops everything; then the school is told: it must find another way.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from services.notifications.address_requests import LeaveChannel, ResumeChannel
from services.notifications.model import ALWAYS, SERVICE, UNSUBSCRIBED, UNSUBSCRIBED_ALL
from services.notifications.own import own_act
from services.notifications.replies import ChannelLeftReply, ChannelResumedReply
from services.notifications.stopping import keeping_act, tell_keepers
from shared.actor import service_id
from shared.errors import Problem, ProblemType
from shared.events.base import NewEvent
from shared.events.notifications import AddressResumed, AddressStopped
from shared.events.words import Action, school_subject
from shared.unit import Asked, Change, Endpoint, Row, Snapshot


def decide_leave(asked: Asked[LeaveChannel], seen: Snapshot) -> Change:
    """Stops the member's whole channel, or all of its mail that is ordinary; again is the same."""
    act, body = own_act(asked, Action.MANAGE), asked.body
    about, member = school_subject(asked.school), asked.actor.id
    if body.everything and body.about != about:
        raise Problem(ProblemType.INVALID, "about: to stop everything, name the school's own subject", field="about")
    everything = body.everything and body.channel in ALWAYS  # of other channels nothing is left anyway
    code = UNSUBSCRIBED_ALL if everything else UNSUBSCRIBED
    reply = {"channel": body.channel.value, "state": "stopped", "code": code}
    found = [one for one in seen.state["stops"] if one["channel"] == body.channel and one["digest"] is None]
    if found and (found[0]["code"] == UNSUBSCRIBED_ALL or not everything):
        return Change(permits=(), events=(), reply=reply | {"code": found[0]["code"]})
    values = {"member": member, "channel": body.channel, "code": code, "stopped_at": seen.clock}
    stop, version = (found[0]["id"], found[0]["version"]) if found else (str(asked.ids.time_ordered(seen.clock)), 0)
    row = Row("address_stop", UUID(stop), version, values)
    stopped = NewEvent(AddressStopped(recipient=member, channel=body.channel, code=code), about, act, thing=row.id)
    told = list(tell_keepers(asked, seen, member, keeping_act(service_id(SERVICE)))) if everything else []
    return Change(
        permits=(),
        events=(stopped, *(event for _, event in told if event is not None)),
        rows=(row, *(one for one, _ in told)),
        reply=reply,
    )


def decide_resume(asked: Asked[ResumeChannel], seen: Snapshot) -> Change:
    """Lifts what stops the channel and its addresses."""
    act, channel = own_act(asked, Action.MANAGE), asked.body.channel
    stops = [one for one in seen.state["stops"] if one["channel"] == channel]
    rows = tuple(Row("address_stop", UUID(one["id"]), one["version"], None) for one in stops)
    fact = AddressResumed(recipient=asked.actor.id, channel=channel)
    events = (NewEvent(fact, school_subject(asked.school), act, thing=rows[0].id),) if rows else ()
    return Change(permits=(), events=events, rows=rows, reply={"channel": channel.value, "state": "open"})


ENDPOINTS: tuple[Endpoint[Any], ...] = (
    Endpoint("leave-channel", LeaveChannel, "read_leaving", decide_leave, ChannelLeftReply),
    Endpoint("resume-channel", ResumeChannel, "read_addresses", decide_resume, ChannelResumedReply),
)
LEAVE = ENDPOINTS[0]
