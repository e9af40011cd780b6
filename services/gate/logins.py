"""A tool's login to NATS: short-lived, issued by the school, renewed by the tool itself. Bodies and pure decisions.

The tool's own key never comes here: it is made where the tool runs, and what is signed is good for nobody else. One
login may act for a tool; the one before it asks and renews no more, and is cut: each is signed by the next of the
slot's keys, and the slot is live by that key alone (deploy/slots.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Protocol
from uuid import UUID

from pydantic import Field

from services.gate.model import ToolState
from services.gate.registering import OfSchool, conflict, found_tool, managing
from shared import access
from shared.access import Denial, Permit, View
from shared.actor import Actor
from shared.errors import Problem, ProblemType
from shared.events.base import Act, NewEvent
from shared.events.gate import LoginIssued
from shared.events.words import Action, Basis, Category, Purpose, school_subject
from shared.unit import Asked, Change, Row, Snapshot

USER_KEY = r"^U[A-Z2-7]{55}$"
AGAIN = timedelta(seconds=30)
"""Who renews again so soon gets what it got, and nothing is told again."""


class Signer(Protocol):
    """Signs tools' logins with the keys of their slots."""

    def keys(self, account: str) -> int:
        """Returns how many keys of this slot are here."""

    def mint(self, account: str, key: int, user: str, issued_at: int, expires_at: int) -> str:
        """Returns the signed JWT; times in seconds. Raises KeyError when this key is not here."""


class IssueLogin(OfSchool):
    """Gives a tool a login, in place of the one that it had: `user_key` is the public half of the tool's own nkey."""

    tool: UUID
    user_key: Annotated[str, Field(pattern=USER_KEY)]


class RenewLogin(OfSchool):
    """What the door asks in a tool's name when it renews: `login` is the user that the server says it was."""

    tool: UUID
    login: str


@dataclass(frozen=True, slots=True)
class Term:
    """From when to when a login is good, in whole seconds, as NATS reckons."""

    issued_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, seen: Snapshot, ends_at: str | None, lives: timedelta) -> Term:
        """Returns the term of a login issued now: never beyond the registration's end."""
        end = seen.clock + lives
        if ends_at is not None:  # domain time runs ahead of the clock in a demo only
            end = min(end, datetime.fromisoformat(ends_at) - (seen.now - seen.clock))
        return cls(seen.clock.replace(microsecond=0), end.replace(microsecond=0))


@dataclass(frozen=True, slots=True)
class Desk:
    """Who signs, and for how long."""

    signer: Signer
    lives: timedelta

    def decide_issue(self, asked: Asked[IssueLogin], seen: Snapshot) -> Change:
        """Issues a login for a tool that speaks NATS, in place of the one it had; of a paused one that acts no more."""
        permit, tool = managing(asked, seen), found_tool(seen, None)
        if tool["account"] is None:
            raise conflict("this tool is told by webhook: it needs no login", channel=tool["channel"])
        if (state := _state(tool, seen)) == ToolState.REMOVED:
            raise conflict(f"this tool is {state}: it gets no login (`samen tool show`)", state=state)
        key = _next_key(seen.state["login"], self.signer.keys(tool["account"]), seen.clock)
        return self._issued(asked.body.user_key, key, tool, seen, permit.act, (permit,))

    def decide_renew(self, asked: Asked[RenewLogin], seen: Snapshot) -> Change:
        """Renews the login that acts for a tool, as that tool."""
        tool, login = seen.state["tool"], seen.state["login"]
        if tool is None or _state(tool, seen) != ToolState.ACTIVE:
            raise refused(asked, "tool_not_active")
        if login is None or login["login"] != asked.body.login:
            raise refused(asked, "login_replaced")
        issued_at = datetime.fromisoformat(login["issued_at"])
        if seen.clock - issued_at < AGAIN:
            term = Term(issued_at, datetime.fromisoformat(login["expires_at"]))
            return Change(permits=(), events=(), reply=self._reply(login["login"], login["key"], tool, term))
        return self._issued(login["login"], login["key"], tool, seen, own_act(asked.actor), (), renewed=True)

    def _issued(
        self,
        user: str,
        key: int,
        tool: Mapping[str, Any],
        seen: Snapshot,
        act: Act,
        permits: tuple[Permit, ...],
        *,
        renewed: bool = False,
    ) -> Change:
        id_, known, term = UUID(tool["id"]), seen.state["login"], Term.of(seen, tool["ends_at"], self.lives)
        values = {"login": user, "issued_at": term.issued_at, "expires_at": term.expires_at, "key": key}
        values["ends"] = _ends(known, key, term.expires_at)
        fact = LoginIssued(tool=id_, login=user, expires_at=term.expires_at, renewed=renewed, key=key)
        return Change(
            permits=permits,
            events=(NewEvent(fact, next(iter(seen.views)), act, thing=id_),),
            rows=(Row("tool_login", id_, known["version"] if known else 0, values),),
            reply=self._reply(user, key, tool, term) | ({} if renewed else {"account": tool["account"], "key": key}),
        )

    def _reply(self, user: str, key: int, tool: Mapping[str, Any], term: Term) -> dict[str, Any]:
        issued, expires = int(term.issued_at.timestamp()), int(term.expires_at.timestamp())
        try:
            jwt = self.signer.mint(tool["account"], key, user, issued, expires)
        except KeyError:
            detail = "the key of this tool's slot is not here: have the operator look (`samen status`)"
            raise Problem(ProblemType.UNAVAILABLE, detail) from None
        return {"tool": tool["id"], "login": user, "jwt": jwt, "expires_at": term.expires_at.isoformat()}


def _next_key(known: Mapping[str, Any] | None, keys: int, now: datetime) -> int:
    """Returns which key signs a new login: one by which nobody can be let in any more that it signed before."""
    if known is None:
        return 0
    key: int = (known["key"] + 1) % max(1, keys)
    ends = _ends(known, known["key"], datetime.fromisoformat(known["expires_at"]))
    if (until := ends[key] if key < len(ends) else None) is not None and until > now:
        detail = (
            "no other key of this tool's slot is free, so that its former logins could not be cut: try again after "
            f"{until:%H:%M:%S} UTC, or pause the tool meanwhile (`samen tool pause`)"
        )
        raise conflict(detail, code="no_key", until=until.isoformat())
    return key


def _ends(known: Mapping[str, Any] | None, key: int, expires_at: datetime) -> list[datetime | None]:
    """Returns of each key until when it counts, `key` having signed what is good until `expires_at`."""
    ends = [datetime.fromisoformat(one) if one else None for one in (known["ends"] if known else ())]
    ends += [None] * (key + 1 - len(ends))
    ends[key] = expires_at
    return ends


def own_act(actor: Actor) -> Act:
    """Returns the act of a tool that keeps its own login."""
    return Act(
        actor=actor.id,
        kind=actor.kind,
        door=actor.door,
        purpose=Purpose.ADMINISTRATION,
        action=Action.MANAGE,
        category=Category.CONTACT,
        basis=Basis.OWN_DATA,
    )


def refused(asked: Asked[Any], reason: str) -> Denial:
    """Returns the denial of what a tool asked of the gate itself, `reason` being a code."""
    view = View(school_subject(asked.school), None, (), fresh=True)
    return access.denial(view, asked.actor, Action.MANAGE, Category.CONTACT, asked.body.purpose, reason)


def _state(tool: Mapping[str, Any], seen: Snapshot) -> str:
    """Returns a tool's state; one whose registration has ended is as good as removed."""
    ended = tool["ends_at"] is not None and datetime.fromisoformat(tool["ends_at"]) <= seen.now
    return ToolState.REMOVED.value if ended else str(tool["state"])
