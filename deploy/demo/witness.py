"""A client that remembers what it asked and what it was answered, so that the books can be held against it later."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from deploy.home import Home
from deploy.samen.client import TIMEOUT_S, Client
from shared.errors import Problem, ProblemType

OK = "ok"
UNANSWERED = "unanswered"
STRAY = "stray"


@dataclass(frozen=True, slots=True)
class Deed:
    """One request and how it ended: `ok`, a problem's type, or `unanswered`. Its events carry the trace id."""

    trace: str
    school: str
    service: str
    name: str
    is_query: bool
    key: str
    """The idempotency key of a command; one key is one deed, however often it was sent."""
    outcome: str


class Witness(Client):
    """A connection of the door that gives each request a trace id of its own and keeps a list of deeds."""

    def __init__(self, home: Home, random: Random) -> None:
        super().__init__(home)
        self._random = random
        self._keys = 0
        self._run = f"{random.getrandbits(64):016x}"
        self.deeds: list[Deed] = []

    def next_key(self) -> str:
        """Returns an idempotency key that this run has not used."""
        self._keys += 1
        return f"{self._run}-{self._keys}"

    def mark_stray(self) -> None:
        """Notes that the last deed came with another school's token: its line is in that one's journal, untraced."""
        self.deeds[-1] = replace(self.deeds[-1], outcome=STRAY)

    async def _request(self, subject: str, body: object, headers: dict[str, str], timeout_s: float = TIMEOUT_S) -> Any:  # noqa: ANN401  JSON
        kind, school, service, name = (*subject.split(".", 3), "", "")[:4]
        if kind not in ("cmd", "qry"):
            return await super()._request(subject, body, headers, timeout_s)
        trace = f"{self._random.getrandbits(128) | 1:032x}"
        # Flags 00: it names the request, nobody has to collect spans for it.
        parent = f"00-{trace}-{self._random.getrandbits(64) | 1:016x}-00"
        outcome = UNANSWERED
        try:
            result = await super()._request(subject, body, headers | {"traceparent": parent}, timeout_s)
            outcome = OK
        except Problem as problem:
            silent = problem.type is ProblemType.UNAVAILABLE and problem.detail.startswith("no answer")
            outcome = UNANSWERED if silent else problem.type.value
            raise
        finally:
            key = headers.get("Idempotency-Key", "")
            self.deeds.append(Deed(trace, school, service, name, kind == "qry", key, outcome))
        return result

    def counts(self) -> Counter[str]:
        """Returns how many deeds ended how, by `commands`, `queries` and outcome."""
        found: Counter[str] = Counter()
        for deed in self.deeds:
            found["queries" if deed.is_query else "commands"] += deed.outcome == OK
            found[deed.outcome] += 1
        return found
