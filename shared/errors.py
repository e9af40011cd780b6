"""The three kinds of failure, each with one prescribed reaction (CONVENTIONS: every failure has a name)."""

from __future__ import annotations

from enum import StrEnum
from typing import Any


class ProblemType(StrEnum):
    """The closed list of problem types a caller can meet (RFC 9457 `type`)."""

    INVALID = "invalid"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    STALE_VERSION = "stale_version"
    TOO_LARGE = "too_large"
    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"


TITLES = {
    ProblemType.INVALID: "The request is not in order",
    ProblemType.FORBIDDEN: "Not allowed, or not there",
    ProblemType.NOT_FOUND: "No such command or query",
    ProblemType.CONFLICT: "Not possible in the present state",
    ProblemType.STALE_VERSION: "Someone changed this first",
    ProblemType.TOO_LARGE: "Too large",
    ProblemType.RATE_LIMITED: "Too many requests",
    ProblemType.UNAVAILABLE: "Cannot be done now",
}


class Problem(Exception):
    """What a caller did or met, told to the caller in RFC 9457 form. `detail` says what to do next.

    `more` holds extension members (codes, versions, field paths): never names or free text that a caller sent.
    """

    def __init__(self, type_: ProblemType, detail: str, **more: Any) -> None:  # noqa: ANN401  JSON values
        super().__init__(f"{type_}: {detail}")
        self.type = type_
        self.detail = detail
        self.more = more

    def to_json(self) -> dict[str, Any]:
        """Returns the problem object of RFC 9457, extension members flattened in."""
        return {**self.more, "type": self.type.value, "title": TITLES[self.type], "detail": self.detail}


class Transient(Exception):
    """Try again later with backoff: nothing was changed."""


class Permanent(Exception):
    """Trying again cannot help: isolate the event by the lane's policy. `code` is a stable, impersonal word."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
