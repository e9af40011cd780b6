"""A delivery with its notice; of a digest there are several, which are claimed and settled together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from services.notifications.model import DeliveryState
from shared.access import Permit
from shared.errors import Problem, ProblemType
from shared.events.base import Act, Fact, NewEvent
from shared.events.notifications import (
    Channel,
    NoticeCancelled,
    NoticeClaimed,
    NoticeDeferred,
    NoticeFailed,
    NoticeSent,
)
from shared.unit import Change, Row, Snapshot

Told = NoticeCancelled | NoticeClaimed | NoticeDeferred | NoticeFailed | NoticeSent


@dataclass(frozen=True, slots=True)
class Part:
    """A delivery with its notice, as read; of a digest there are several."""

    notice: Mapping[str, Any]
    delivery: Mapping[str, Any]

    @property
    def state(self) -> DeliveryState:
        return DeliveryState(self.delivery["state"])

    @property
    def free_at(self) -> datetime:
        """When trying began, by the database's clock."""
        return datetime.fromisoformat(self.delivery.get("due_at") or self.notice["queued_at"])

    def told(self, fact: type[Fact], tries: int, **more: object) -> Any:  # noqa: ANN401  one of Told
        """Returns the fact of what became of it."""
        return fact(
            recipient=UUID(self.notice["member"]),
            kind=self.notice["kind"],
            channel=Channel(self.delivery["channel"]),
            tries=tries,
            **more,
        )


@dataclass(frozen=True, slots=True)
class Became:
    """What a claim or its settling makes of one part; `permit` if it is released on it."""

    part: Part
    fact: Told
    act: Act
    values: Mapping[str, Any] | None
    permit: Permit | None = None


def lead_of(seen: Snapshot) -> Part:
    """Returns the one that was asked for; raises Problem."""
    if "delivery" not in seen.state:
        raise Problem(ProblemType.CONFLICT, "this delivery is not there any more: read what is due again")
    return Part(seen.state["notice"], seen.state["delivery"])


def parts_of(seen: Snapshot) -> list[Part]:
    """Returns it and what goes with it as one message."""
    told = seen.state.get("parts")
    return [Part(one["notice"], one["delivery"]) for one in told] if told else [lead_of(seen)]


def change_of(first: Sequence[Became], became: Sequence[Became]) -> Change:
    """Returns the Change that writes what became of all; its reply tells of the first of `first`."""
    rows = [
        Row("delivery", UUID(one.part.delivery["id"]), one.part.delivery["version"], one.values)
        for one in became
        if one.values is not None
    ]
    events = [
        NewEvent(one.fact, UUID(one.part.notice["about"]), one.act, thing=UUID(one.part.notice["id"])) for one in became
    ]
    lead = first[0]
    state = DeliveryState.SENT if lead.values is None else lead.values["state"]
    notice = lead.part.notice
    reply = {"state": state, "tries": lead.fact.tries, "notice": notice["id"], "about": notice["about"]}
    return Change(permits=(), events=tuple(events), rows=tuple(rows), reply=reply)
