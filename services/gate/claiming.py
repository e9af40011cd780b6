"""What leaves next for a tool, decided: endpoints that only the putter runs, in process, never on the bus.

A claim asks for the tool, once a child and category, whether it may receive; the answer counts as re-checked in the
claiming transaction, which gives the numbers and writes each disclosure's line. What is sent on it leaves at once or
not at all (putting.py). It stands on the outlet's row as the putter knew it: of two putters one claims in vain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import takewhile
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from services.gate.heard import Heard
from services.gate.model import SERVICE, At, Message, Outlet, Said, ToolState
from shared import access
from shared.access import Denial, Permit
from shared.erasure import act_of_service
from shared.errors import Problem, ProblemType
from shared.events.base import NewEvent
from shared.events.gate import PutOut, PutOutVoided, WithdrawalTold
from shared.events.words import Action, Category, Purpose, school_subject
from shared.unit import Asked, Change, Endpoint, Request, Row, Snapshot


class Claim(Request):
    """Takes what leaves next. The actor is the tool; `at` the outlet as its putter knows it."""

    tool: UUID
    at: At
    limit: Annotated[int, Field(ge=1, le=500)]


class ClaimPutOuts(Claim):
    """Takes the next put-outs."""


class ClaimMarkers(Claim):
    """Takes the withdrawals that the tool is not told of."""


class Told(Request):
    """Writes down that the stream holds these withdrawals, or (a removed tool's) that nothing can be fetched."""

    tool: UUID
    at: At | None
    withdrawals: tuple[UUID, ...]
    due_in_s: float
    limit: int = 500


class Note(Request):
    """Writes down what the tool has acknowledged."""

    tool: UUID
    at: At
    limit: int = 1


NOTHING = Problem(ProblemType.NOT_FOUND, "nothing waits for this tool: ask again when something does")


@dataclass(slots=True)
class Batch:
    """What of the next items goes, and as what."""

    asked: Asked[Any]
    seen: Snapshot
    purpose: Purpose
    epoch: int
    seq: int
    said: Mapping[str, Said]
    permits: dict[tuple[UUID, Category], Permit | None] = field(default_factory=dict)
    events: list[NewEvent] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    numbered: list[str] = field(default_factory=list)
    voided: list[int] = field(default_factory=list)
    requeued: list[int] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)

    def take(self, item: Mapping[str, Any]) -> bool:
        """Takes the next item; False: it, and so what follows, must wait."""
        if item.get("withdrawal") is not None:
            self.messages.append(Message.withdrawal_of(item))
            return True
        if item["void"]:
            self.messages.append(Message.void(item["epoch"], item["seq"]))
            return True
        if item["source"] not in self.said:
            return False  # taken back after a restore: the event itself comes again by its lane
        about, category = UUID(item["about"]), Category(item["category"])
        view = self.seen.views[about]
        if not view.fresh and self.messages:
            return False
        permit = self._permit(about, category)
        if item["seq"] is None:
            self._number(item, permit)
        elif permit is not None:
            self._let_out(item, permit, item["epoch"], item["seq"])
        else:
            self._void(item, about, closed=view.revision is None)
        return True

    def _permit(self, about: UUID, category: Category) -> Permit | None:
        """Returns the tool's permit to receive; None: it may not. Raises Denial when that can't be verified now."""
        key = about, category
        if key not in self.permits:
            try:
                self.permits[key] = access.require(
                    self.seen.views[about], self.asked.actor, Action.RECEIVE, category, self.purpose, self.seen.clock
                )
            except Denial as denial:
                if not denial.verifiable:
                    raise
                self.permits[key] = None
        return self.permits[key]

    def _number(self, item: Mapping[str, Any], permit: Permit | None) -> None:
        if permit is None:
            self.dropped.append(item["source"])
            return
        self.seq += 1
        self.numbered.append(item["source"])
        self._let_out(item, permit, self.epoch, self.seq)

    def _let_out(self, item: Mapping[str, Any], permit: Permit, epoch: int, seq: int) -> None:
        source, said = item["source"], self.said[item["source"]]
        fact = PutOut(tool=self.asked.actor.id, tool_epoch=epoch, sequence=seq, source=UUID(source), what=said.what)
        self.events.append(NewEvent(fact, permit.subject, permit.act, thing=said.thing))
        self.messages.append(Message.put_out(epoch, seq, said, permit.subject, Category(item["category"])))

    def _void(self, item: Mapping[str, Any], about: UUID, *, closed: bool) -> None:
        """Leaves a tombstone. What is closed since a recovery comes again, under a new number, once it is open."""
        (self.requeued if closed else self.voided).append(item["seq"])
        fact = PutOutVoided(tool=self.asked.actor.id, tool_epoch=item["epoch"], sequence=item["seq"])
        self.events.append(NewEvent(fact, about, act_of_service(SERVICE, None)))
        self.messages.append(Message.void(item["epoch"], item["seq"]))

    def parts(self) -> dict[str, Any]:
        """Returns what the outlet's row carries beside its columns."""
        lists = {name: getattr(self, name) for name in ("numbered", "voided", "requeued", "dropped")}
        return {name: found for name, found in lists.items() if found}


def decide_put_outs(asked: Asked[ClaimPutOuts], seen: Snapshot, *, heard: Heard) -> Change:
    """Numbers what is queued, or lets out again what has numbers, as far as the tool may receive it now.

    Raises Unread when an event of them is not known in this process.
    """
    tool, at = _tool(asked, seen), asked.body.at
    if tool["state"] != ToolState.ACTIVE or ended(tool, seen):
        raise NOTHING
    first = max(seen.state["seq"], at.out_seq)  # the stream may show more than a database that was put back
    items = seen.state["items"]
    said = heard.of(asked.school, [item["source"] for item in items if item["heard"]])
    batch = Batch(asked, seen, Purpose(tool["purpose"]), seen.state["epoch"], first, said)
    taken = sum(1 for _ in takewhile(batch.take, items))
    if not batch.messages and not batch.dropped:
        raise NOTHING
    outlet = Outlet(seen.state["epoch"], batch.seq, at.moved(seen.state["version"] + 1, aside=False))
    values = {**outlet.values(), **batch.parts(), "first": first + 1, "tool_version": tool["version"]}
    return Change(
        permits=tuple({permit: None for permit in batch.permits.values() if permit is not None}),
        events=tuple(batch.events),
        rows=(Row("outlet", asked.body.tool, seen.state["version"], values),),
        reply={"tool": tool, "outlet": outlet, "messages": batch.messages, "more": _more(asked.body, items, taken)},
    )


def _more(body: Claim, items: list[Any], taken: int) -> bool:
    """Tells whether something may wait behind what was taken; of what is queued later, its commit tells."""
    return taken < len(items) or len(items) == body.limit or items[-1]["seq"] is not None


def decide_markers(asked: Asked[ClaimMarkers], seen: Snapshot) -> Change:
    """Numbers withdrawals: they go first, before anything that was decided earlier. Nothing is disclosed by them."""
    tool, at, state = _tool(asked, seen), asked.body.at, seen.state
    if not state["markers"]:
        raise NOTHING
    seq, rows, messages = max(state["seq"], at.out_seq), [], []
    for marker in state["markers"]:
        values, number = {}, marker["seq"]
        if number is None:
            seq += 1
            values, number = {"epoch": state["epoch"], "seq": seq, "taken_out": marker["fetchable"]}, seq
            rows.append(Row("marker", UUID(marker["id"]), marker["version"], values))
        found = {**marker, **values, "withdrawal": marker["id"], "seq": number}
        messages.append(Message.withdrawal_of(found))
    aside = at.out_seq < state["seq"] or any(message.seq <= state["seq"] for message in messages)
    outlet = Outlet(state["epoch"], seq, at.moved(state["version"] + 1, aside=aside))
    rows.append(Row("outlet", asked.body.tool, state["version"], outlet.values()))
    return Change(permits=(), events=(), rows=tuple(rows), reply={"tool": tool, "outlet": outlet, "messages": messages})


def decide_told(asked: Asked[Told], seen: Snapshot) -> Change:
    """Tells the log that a tool was told, and by when it must have deleted what it has."""
    due_at = seen.clock + timedelta(seconds=asked.body.due_in_s)
    named = [marker for marker in seen.state["markers"] if UUID(marker["id"]) in asked.body.withdrawals]
    if not named:
        raise NOTHING
    rows, events = [], []
    for marker in named:
        rows.append(Row("marker", UUID(marker["id"]), marker["version"], {"told_at": seen.clock, "due_at": due_at}))
        fact = WithdrawalTold(
            tool=asked.body.tool,
            tool_epoch=marker["epoch"] or seen.state["epoch"],
            sequence=marker["seq"] or 0,
            of=Category(marker["category"]),
            taken_out=len(marker["taken_out"] or ()),
            due_at=due_at,
        )
        about = school_subject(asked.school) if marker["erased"] else UUID(marker["about"])
        act = act_of_service(SERVICE, None)
        events.append(NewEvent(fact, about, act, thing=UUID(marker["id"])))
    return Change(permits=(), events=tuple(events), rows=tuple(rows), reply={})


def decide_note(asked: Asked[Note], seen: Snapshot) -> Change:
    """Keeps what is known of the stream and of the tool's acknowledgements."""
    _tool(asked, seen)
    at, version = asked.body.at, seen.state["version"]
    outlet = Outlet(seen.state["epoch"], max(seen.state["seq"], at.out_seq), at.moved(version + 1, aside=False))
    row = Row("outlet", asked.body.tool, seen.state["version"], outlet.values())
    return Change(permits=(), events=(), rows=(row,), reply={"outlet": outlet})


def _tool(asked: Asked[Any], seen: Snapshot) -> Mapping[str, Any]:
    tool = seen.state["tool"]
    if tool is None:
        raise NOTHING
    if seen.state["version"] != asked.body.at.version:
        raise Problem(ProblemType.CONFLICT, "another claimed meanwhile: read where the tool stands again")
    return dict(tool)


def ended(tool: Mapping[str, Any], seen: Snapshot) -> bool:
    return tool["ends_at"] is not None and datetime.fromisoformat(tool["ends_at"]) <= seen.now


def claim_of(heard: Heard) -> Endpoint[ClaimPutOuts]:
    """Returns the endpoint that claims put-outs, of events as this process knows them."""
    return Endpoint("claim-put-outs", ClaimPutOuts, "read_put_outs", partial(decide_put_outs, heard=heard))


MARKERS = Endpoint("claim-markers", ClaimMarkers, "read_untold", decide_markers)
TOLD = Endpoint("withdrawals-told", Told, "read_untold", decide_told)
NOTE = Endpoint("note-outlet", Note, "read_untold", decide_note)
