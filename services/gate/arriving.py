"""What reaches the gate from the tools' side, read strictly. Pure.

A tool publishes on `in.<service>.<name>` in an account of its own; it arrives here as `in.<account>.<service>.<name>`,
with a header `Nats-Request-Info` in which the server, not the tool, says whose account and user it was.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import pydantic_core

ACCOUNT = re.compile(r"A[A-Z2-7]{55}")
USER = re.compile(r"U[A-Z2-7]{55}")
PLACE = re.compile(r"[a-z]{1,32}")
NAME = re.compile(r"[a-z][a-z-]{0,63}")
ANSWERED_TO = "_R_."
"""Where the server takes an answer back to the account that asked. Any other reply subject was chosen by somebody."""
REQUEST_INFO = "Nats-Request-Info"


BEFORE, LONG = len("in."), 56
"""Where a subject names the account, which is that long."""


class Stray(Exception):
    """It can't be told who asks, or nobody waits for an answer: dropped and counted. The text is a code."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request as it came: `account` and `user` are the server's word, `service` and `name` the tool's."""

    account: str
    user: str
    service: str
    name: str


def account_of(subject: str) -> str:
    """Returns what stands where a subject names the account: enough to count by, and nothing to go by."""
    return subject[BEFORE : BEFORE + LONG]


def arrival(subject: str, reply: str, headers: Mapping[str, str] | None) -> Arrival:
    """Returns who asks what, or raises Stray."""
    if not reply.startswith(ANSWERED_TO):
        raise Stray("reply_elsewhere")
    parts = subject.split(".")
    if len(parts) != 4 or parts[0] != "in":
        raise Stray("bad_subject")
    _, account, service, name = parts
    if not ACCOUNT.fullmatch(account):
        raise Stray("bad_account")
    told_account, user = _info(headers)
    if told_account != account:
        raise Stray("other_account")
    if not PLACE.fullmatch(service) or not NAME.fullmatch(name):
        raise Stray("bad_name")
    return Arrival(account, user, service, name)


def _info(headers: Mapping[str, str] | None) -> tuple[str, str]:
    """Returns account and user as the server tells them."""
    try:
        info = pydantic_core.from_json((headers or {})[REQUEST_INFO])
        account, user = info["acc"], info["user"]
    except (KeyError, ValueError, TypeError):
        raise Stray("no_request_info") from None
    if not isinstance(account, str) or not isinstance(user, str) or not USER.fullmatch(user):
        raise Stray("no_user")
    return account, user
