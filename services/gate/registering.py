"""A school's tools, from registration to removal: bodies and pure decisions, for who keeps the school's records."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, time
from typing import Annotated, Any, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from services.gate.model import SERVICE, ToolState
from services.gate.outgoing import OUTGOING
from shared.access import Permit
from shared.clock import Ids
from shared.errors import Problem, ProblemType
from shared.events.base import Act, Fact, NewEvent, Viewed
from shared.events.gate import ToolChannel, ToolPaused, ToolRegistered, ToolRemoved, ToolResumed
from shared.events.words import Action, Category, Purpose, school_subject
from shared.text import Code, Day, Line
from shared.unit import Asked, Change, Query, Request, Row, Snapshot, stale

PURPOSES = frozenset(
    {Purpose.LOCAL_TOOL, Purpose.GUIDANCE, Purpose.CARE_COORDINATION, Purpose.TRANSFER, Purpose.INSIGHT}
)
CATEGORIES = frozenset(Category) - {Category.NETWORK, Category.LOG}
"""What consent can give a tool at all."""
MOST_TYPES = 100
AMSTERDAM = ZoneInfo("Europe/Amsterdam")


class Slots(Protocol):
    """The NATS accounts that were prepared for tools. `known`: it has been heard which are free."""

    known: bool

    def free(self, taken: Collection[str]) -> str | None:
        """Returns one that none of these is, or None."""


class OfSchool(Request):
    """A request of those who keep a school's records. `about` is the school's own subject."""

    purpose: Purpose = Purpose.ADMINISTRATION
    about: UUID


class RegisterTool(OfSchool):
    """Lets a tool, which is a member of a network already, be told and ask. No types named: all that it may receive.

    `for_purpose` and `categories` are what the processing agreement says; consents and their grants decide about each
    child. `ends_on` is the first day on which it is not registered any more.
    """

    tool: UUID
    label: Line
    for_purpose: Purpose
    categories: Annotated[tuple[Category, ...], Field(min_length=1, max_length=len(Category))]
    types: Annotated[tuple[str, ...], Field(max_length=MOST_TYPES)] = ()
    agreement: Line
    channel: ToolChannel = ToolChannel.NATS
    ends_on: Day | None = None

    @field_validator("for_purpose")
    @classmethod
    def _consentable(cls, given: Purpose) -> Purpose:
        if given not in PURPOSES:
            msg = f"is nothing that consent can give a tool: choose one of {', '.join(sorted(PURPOSES))}"
            raise ValueError(msg)
        return given

    @field_validator("categories")
    @classmethod
    def _giveable(cls, given: tuple[Category, ...]) -> tuple[Category, ...]:
        if not CATEGORIES.issuperset(given):
            msg = f"names what consent can't give a tool: choose among {', '.join(sorted(CATEGORIES))}"
            raise ValueError(msg)
        return tuple(sorted(set(given)))

    @field_validator("types")
    @classmethod
    def _known(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        unknown = sorted(one[:80] for one in given if one not in OUTGOING)
        if unknown:
            named = ", ".join(unknown[:3])
            msg = f"names what no event that goes out is called: {named}; see `samen contract list --service tools`"
            raise ValueError(msg)
        return tuple(sorted(set(given)))


class ChangeTool(OfSchool):
    """Pauses, resumes or removes a tool. `reason` is a code."""

    tool: UUID
    version: Annotated[int, Field(ge=1, lt=2**31)]
    reason: Code = "asked"


class Tools(Query):
    """The school's tools; those that were removed too, if wanted."""

    about: UUID
    removed: bool = False


class OneTool(Query):
    """One tool: what it is registered for, how far behind it is, and when its login expires."""

    about: UUID
    tool: UUID


def conflict(detail: str, **more: Any) -> Problem:  # noqa: ANN401  JSON values
    """Returns the problem for a request that does not fit the present state."""
    return Problem(ProblemType.CONFLICT, detail, **more)


def managing(asked: Asked[Any], seen: Snapshot) -> Permit:
    """Returns the permit of who keeps the school's records, or raises Denial (Problem: `about` is no school's)."""
    permit = seen.require(asked, Action.MANAGE, Category.NETWORK)
    if permit.subject != school_subject(asked.school):
        raise Problem(
            ProblemType.INVALID, "a tool is a school's: name the school's own subject as about", field="about"
        )
    return permit


def decide_register(asked: Asked[RegisterTool], seen: Snapshot, slots: Slots) -> Change:
    """Registers a tool, with a secret of its own, and hands it a slot if it speaks NATS."""
    permit, body = managing(asked, seen), asked.body
    if (known := seen.state["tool"]) is not None:
        raise _registered(known)
    ends_at = _day_start(body.ends_on) if body.ends_on else None
    if ends_at is not None and ends_at <= seen.now:
        raise Problem(ProblemType.INVALID, "its registration would be over already: name a later day", field="ends_on")
    account = None
    if body.channel is ToolChannel.NATS:
        account = slots.free(seen.state["taken"])
        if account is None and not slots.known:
            detail = "which slots are free is not known yet: try again in a moment (`samen status`)"
            raise Problem(ProblemType.UNAVAILABLE, detail)
        if account is None:
            raise conflict(
                "no slot is free for one more tool: the operator prepares some (`samen keys slots 10`), then try again",
                code="no_slot",
            )
    if not seen.state["member"]:
        raise conflict(
            "this is not known here as a local tool: add it to a child's network first (`samen network add-tool`)",
            code="not_a_tool",
        )
    values = {
        **body.model_dump(include={"label", "categories", "types", "agreement", "channel"}),
        "account": account,
        "purpose": body.for_purpose,
        "state": ToolState.ACTIVE,
        "registered_at": seen.now,
        "ends_at": ends_at,
        "secret": new_secret(asked.ids),
    }
    fact = ToolRegistered(
        tool=body.tool,
        purpose=body.for_purpose,
        categories=body.categories,
        types=body.types,
        channel=body.channel,
        ends_at=ends_at,
    )
    return Change(
        permits=(permit,),
        events=(NewEvent(fact, permit.subject, permit.act, thing=body.tool),),
        rows=(Row("tool", body.tool, 0, values),),
        reply={"tool": str(body.tool), "version": 1, "state": ToolState.ACTIVE.value, "account": account},
    )


def _day_start(day: date) -> datetime:
    return datetime.combine(day, time(), AMSTERDAM).astimezone(UTC)


def new_secret(ids: Ids) -> str:
    """Returns a new secret for pseudonyms, in hex: 244 bits from the randomness that ids come from."""
    return ids.pseudonym().hex + ids.pseudonym().hex


def _registered(tool: Mapping[str, Any]) -> Problem:
    if tool["state"] == ToolState.REMOVED:
        what = "was removed, and what it knew with it: add it to the networks as a new tool, and register that"
    else:
        what = "is registered already: see `samen tool show`; remove it to register it otherwise"
    return conflict(f"this tool {what}", state=tool["state"], version=tool["version"])


def found_tool(seen: Snapshot, version: int | None) -> Mapping[str, Any]:
    """Returns the tool that is there, as it was seen, or raises the Problem that says what is amiss."""
    tool: Mapping[str, Any] | None = seen.state["tool"]
    if tool is None:
        raise Problem(ProblemType.INVALID, "no such tool is registered here: see `samen tool list`", field="tool")
    if version is not None and tool["version"] != version:
        raise stale(version, tool["version"])
    return tool


def decide_pause(asked: Asked[ChangeTool], seen: Snapshot) -> Change:
    """Pauses a tool: it is put out to no more, and can ask nothing, until it is resumed."""
    permit, tool = managing(asked, seen), found_tool(seen, asked.body.version)
    if tool["state"] != ToolState.ACTIVE:
        raise _wrong_state(tool, "paused", "only what is active")
    return moved(tool, ToolState.PAUSED, ToolPaused(tool=asked.body.tool, reason=asked.body.reason), permit)


def decide_resume(asked: Asked[ChangeTool], seen: Snapshot) -> Change:
    """Lets a paused tool go on: what it was owed meanwhile comes first."""
    permit, tool = managing(asked, seen), found_tool(seen, asked.body.version)
    if tool["state"] != ToolState.PAUSED:
        raise _wrong_state(tool, "resumed", "only what is paused")
    return moved(tool, ToolState.ACTIVE, ToolResumed(tool=asked.body.tool), permit)


def decide_remove(asked: Asked[ChangeTool], seen: Snapshot) -> Change:
    """Ends a tool's registration for good; its slot is killed, and its secret with it."""
    permit, tool = managing(asked, seen), found_tool(seen, asked.body.version)
    if tool["state"] == ToolState.REMOVED:
        raise _wrong_state(tool, "removed", "only what is registered")
    fact = ToolRemoved(tool=asked.body.tool, reason=asked.body.reason)
    return moved(tool, ToolState.REMOVED, fact, permit, secret=new_secret(asked.ids))


def _wrong_state(tool: Mapping[str, Any], done: str, what: str) -> Problem:
    detail = f"this tool is {tool['state']}: {what} can be {done}"
    return conflict(detail, state=tool["state"], version=tool["version"])


def moved(
    tool: Mapping[str, Any], to: ToolState, fact: Fact, by: Permit | tuple[UUID, Act], *, secret: str | None = None
) -> Change:
    """Returns the Change that brings a tool into another state, on a permit or as an act on the school of its own."""
    id_, version = UUID(tool["id"]), tool["version"]
    subject, act = (by.subject, by.act) if isinstance(by, Permit) else by
    return Change(
        permits=(by,) if isinstance(by, Permit) else (),
        events=(NewEvent(fact, subject, act, thing=id_),),
        rows=(Row("tool", id_, version, {"state": to} | ({"secret": secret} if secret else {})),),
        reply={"tool": tool["id"], "version": version + 1, "state": to.value, "account": tool["account"]},
    )


def decide_tools(asked: Asked[Tools], seen: Snapshot) -> Change:
    """Shows the school's tools: to those who keep its records, and to everyone in its own network."""
    tools = seen.state["tools"]
    return _shown(asked, seen, "tools", len(tools), {"tools": tools})


def decide_tool(asked: Asked[OneTool], seen: Snapshot) -> Change:
    """Shows one tool."""
    permit_first = _viewing(asked, seen)
    tool, outlet, login = found_tool(seen, None), seen.state["outlet"] or {}, seen.state["login"]
    result = {
        **tool,
        "epoch": outlet.get("epoch", 0),
        "seq": outlet.get("seq", 0),
        "acked": outlet.get("acked", 0),
        "login": {name: login[name] for name in ("login", "issued_at", "expires_at")} if login else None,
    }
    return _answered(permit_first, "tool", 1, result, asked.body.tool)


def _shown(asked: Asked[Any], seen: Snapshot, query: str, things: int, result: dict[str, Any]) -> Change:
    return _answered(_viewing(asked, seen), query, things, result, None)


def _viewing(asked: Asked[Any], seen: Snapshot) -> Permit:
    permit = seen.require(asked, Action.VIEW, Category.NETWORK)
    if permit.subject != school_subject(asked.school):
        raise Problem(
            ProblemType.INVALID, "a tool is a school's: name the school's own subject as about", field="about"
        )
    return permit


def _answered(permit: Permit, query: str, things: int, result: dict[str, Any], thing: UUID | None) -> Change:
    event = NewEvent(Viewed(query=query, things=things), permit.subject, permit.act, thing=thing, producer=SERVICE)
    return Change(permits=(permit,), events=(event,), result=result)
