"""What is asked of the gate, by people for their school; what tools ask comes in by `calling.py`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from functools import partial
from typing import Any, Protocol

from services.gate import obliging, owning, webhooks
from services.gate.logins import Desk, IssueLogin, RenewLogin
from services.gate.model import SERVICE
from services.gate.registering import (
    ChangeTool,
    OneTool,
    RegisterTool,
    Tools,
    decide_pause,
    decide_register,
    decide_remove,
    decide_resume,
    decide_tool,
    decide_tools,
)
from services.gate.replies import LoginReply, OneToolReply, ToolReply, ToolsReply
from shared.erasure import preview
from shared.unit import Endpoint

LOGIN_LIVES = timedelta(hours=1)


class Slots(Protocol):
    """The accounts that were prepared for tools, and the keys that sign their logins."""

    known: bool

    def free(self, taken: Collection[str]) -> str | None:
        """Returns an account that none of these is, or None."""

    def keys(self, account: str) -> int:
        """Returns how many keys of an account are here."""

    def mint(self, account: str, key: int, user: str, issued_at: int, expires_at: int) -> str:
        """Returns a signed login; times in seconds. Raises KeyError when this key is not here."""


class NoSlots:
    """None at all: for whoever only wants to know what can be asked."""

    known = True

    def free(self, taken: Collection[str]) -> str | None:
        """Returns None."""
        del taken
        return None

    def keys(self, account: str) -> int:
        """Returns 0."""
        del account
        return 0

    def mint(self, account: str, key: int, user: str, issued_at: int, expires_at: int) -> str:
        """Raises KeyError."""
        raise KeyError(account, key, user, issued_at, expires_at)


def endpoints(slots: Slots, desk: Desk, *, loopback: bool = False) -> tuple[Endpoint[Any], ...]:
    """Returns what people may ask, answered with these slots; `loopback`: webhooks may lead to this machine."""
    return (
        preview(SERVICE),
        *obliging.ENDPOINTS,
        *webhooks.endpoints(loopback=loopback),
        Endpoint(
            "register-tool", RegisterTool, "read_tool_to_register", partial(decide_register, slots=slots), ToolReply
        ),
        Endpoint("pause-tool", ChangeTool, "read_tool", decide_pause, ToolReply),
        Endpoint("resume-tool", ChangeTool, "read_tool", decide_resume, ToolReply),
        Endpoint("remove-tool", ChangeTool, "read_tool", decide_remove, ToolReply),
        Endpoint("issue-login", IssueLogin, "read_tool", desk.decide_issue, LoginReply),
        Endpoint("tools", Tools, "read_all_tools", decide_tools, ToolsReply),
        Endpoint("tool", OneTool, "read_tool", decide_tool, OneToolReply),
    )


def asked_by_tools(desk: Desk, replayed_a_day: int) -> Mapping[str, Endpoint[Any]]:
    """Returns what tools ask of the gate itself, by the name behind `in.gate.`; the asker is the tool."""
    return {
        "renew": Endpoint("renew-login", RenewLogin, "read_tool", desk.decide_renew),
        "confirm-deletion": obliging.CONFIRM,
        "head": owning.HEAD,
        "replay": owning.replay(replayed_a_day),
    }


ENDPOINTS: tuple[Endpoint[Any], ...] = endpoints(NoSlots(), Desk(NoSlots(), LOGIN_LIVES))
"""The same without any slot: their names and bodies."""
