"""A tool's login to NATS: short-lived, issued by the school, renewed by the tool itself. Bodies and pure decisions.

The tool's own key never comes here: it is made where the tool runs, and what is signed is good for nobody else. One
login may act for a tool; the one before it asks and renews no more, and ends within its hour.
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

    def mint(self, account: str, user: str, issued_at: int, expires_at: int) -> str:
        """Returns the signed JWT; times in seconds. Raises KeyError when this slot's key is not here."""


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
        """Issues a login for an active tool that speaks NATS, in place of the one it had."""
        permit, tool = managing(asked, seen), found_tool(seen, None)
        if tool["account"] is None:
            raise conflict("this tool is told by webhook: it needs no login", channel=tool["channel"])
        if (state := _state(tool, seen)) != ToolState.ACTIVE:
            raise conflict(f"this tool is {state}: it gets no login (`samen tool show`)", state=state)
        return self._issued(asked.body.user_key, tool, seen, permit.act, (permit,))

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
            return Change(permits=(), events=(), reply=self._reply(login["login"], tool, term))
        return self._issued(login["login"], tool, seen, own_act(asked.actor), (), renewed=True)

    def _issued(
        self,
        user: str,
        tool: Mapping[str, Any],
        seen: Snapshot,
        act: Act,
        permits: tuple[Permit, ...],
        *,
        renewed: bool = False,
    ) -> Change:
        id_, known, term = UUID(tool["id"]), seen.state["login"], Term.of(seen, tool["ends_at"], self.lives)
        values = {"login": user, "issued_at": term.issued_at, "expires_at": term.expires_at}
        fact = LoginIssued(tool=id_, login=user, expires_at=term.expires_at, renewed=renewed)
        return Change(
            permits=permits,
            events=(NewEvent(fact, next(iter(seen.views)), act, thing=id_),),
            rows=(Row("tool_login", id_, known["version"] if known else 0, values),),
            reply=self._reply(user, tool, term),
        )

    def _reply(self, user: str, tool: Mapping[str, Any], term: Term) -> dict[str, Any]:
        issued, expires = int(term.issued_at.timestamp()), int(term.expires_at.timestamp())
        try:
            jwt = self.signer.mint(tool["account"], user, issued, expires)
        except KeyError:
            detail = "the key of this tool's slot is not here: have the operator look (`samen status`)"
            raise Problem(ProblemType.UNAVAILABLE, detail) from None
        return {"tool": tool["id"], "login": user, "jwt": jwt, "expires_at": term.expires_at.isoformat()}


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
