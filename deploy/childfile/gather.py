"""Asks every service what it has about a child, as the person who reads it; each look is checked and journaled."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from shared.errors import Problem, ProblemType

Json = dict[str, Any]
Ask = Callable[[str, str, Json], Awaitable[Json]]
"""Takes service, query and body without a purpose; returns the answer, or raises Problem."""

FORMAT = "samenkracht-child-file/1"
PAGE, NOTICES = 200, 100
"""How many lines, and notices, are asked at once."""
SIMPLE = (
    ("network", "child-network", "child"),
    ("network", "consents", "child"),
    ("network", "ecogram", "child"),
    ("network", "deciders", "child"),
    ("network", "expectations", "about"),
    ("goals", "deadlines", "about"),
    ("audit", "consents", "child"),
)
"""Questions with one answer, and what they call the child."""


class Gatherer:
    """Collects a file: what was answered, by service and query, and what this reader may not see."""

    def __init__(self, ask: Ask, child: str) -> None:
        self._ask, self._child = ask, child
        self.parts: dict[str, dict[str, Any]] = {}
        self.refused: list[str] = []

    async def run(self) -> None:
        """Asks everything; raises Problem when a service does not answer: a file is whole, or there is none.

        First whether this person may take the file along at all.
        """
        self._keep("network", "child-file", await self._ask("network", "child-file", {"child": self._child}))
        for service, query, name in SIMPLE:
            self._keep(service, query, await self._asked(service, query, {name: self._child}))
        await self._goals()
        await self._plans()
        await self._conversations()
        await self._notices()
        for language in ("nl", "en"):
            self._keep("audit", f"story-{language}", await self._pages("story", "sentences", {"language": language}))
        emergencies = await self._pages("break-glass", "emergencies", {})
        self._keep(
            "audit", "break-glass", emergencies and {"emergencies": emergencies["emergencies"]}
        )  # the story says what is held back
        self._keep("audit", "who-looked", await self._pages("who-looked", "lines", {}))

    def _keep(self, service: str, query: str, found: object) -> None:
        if found is not None:
            self.parts.setdefault(service, {})[query] = found

    async def _asked(self, service: str, query: str, body: Json) -> Json | None:
        try:
            return await self._ask(service, query, body)
        except Problem as problem:
            if problem.type is not ProblemType.FORBIDDEN:
                raise
            if (name := f"{service}.{query}") not in self.refused:
                self.refused.append(name)
            return None

    async def _every(self, service: str, query: str, key: str, body: Json, cursor: str = "before") -> Json | None:
        """Returns the answer with the things of all its pages under `key`; None when the reader may not see them."""
        found: list[Any] = []
        place: Json = {}
        while True:
            page = await self._asked(service, query, {**body, **place})
            if page is None:
                return None
            found += page[key]
            if page.get("next") is None:
                return {key: found, **{name: value for name, value in page.items() if name not in {key, "next"}}}
            place = {cursor: page["next"]}

    async def _goals(self) -> None:
        found = await self._every("goals", "goals-of-child", "goals", {"about": self._child}, "after")
        if found is None:
            return
        goals: list[Any] = []
        for one in found["goals"]:
            whole = await self._asked("goals", "goal", {"goal": one["id"]})
            history = await self._asked("goals", "goal-history", {"goal": one["id"]})
            goals.append({**(whole or one), **({} if history is None else {"history": history})})
        self._keep("goals", "goals", goals)

    async def _conversations(self) -> None:
        """Those that the reader takes part in, each with whether that reader felt heard."""
        found = await self._every("goals", "conversations", "conversations", {"about": self._child})
        if found is None:
            return
        talks = [
            await self._asked("goals", "conversation", {"conversation": one["id"]}) or one
            for one in found["conversations"]
        ]
        self._keep("goals", "conversations", talks)

    async def _plans(self) -> None:
        found = await self._asked("goals", "plans-of-child", {"about": self._child})
        plans: list[Any] = []
        for one in (found or {}).get("plans", ()):
            newest = await self._asked("goals", "plan", {"plan": one["id"]})
            if newest is None:
                continue
            numbers = range(1, newest["text"]["number"])
            older = [await self._asked("goals", "plan", {"plan": one["id"], "number": number}) for number in numbers]
            answers = await self._asked("goals", "agreements", {"plan": one["id"]})
            plans.append({"newest": newest, "older": [each and each["text"] for each in older], "answers": answers})
        if found is not None:
            self._keep("goals", "plans", plans)

    async def _notices(self) -> None:
        found = await self._every("notifications", "inbox", "notices", {"limit": NOTICES})
        if found is not None:
            about = [one for one in found["notices"] if one.get("about") == self._child]
            self._keep("notifications", "inbox", about)

    async def _pages(self, query: str, key: str, more: Json) -> Json | None:
        return await self._every("audit", query, key, {"child": self._child, "limit": PAGE, **more})


def names_in(parts: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Returns the names by id of everyone whom this reader sees round the child. Pure."""
    network = parts.get("network", {})
    whose = network.get("child-file", {})
    names = {whose.get("child", ""): _name(whose)}
    for one in network.get("child-network", {}).get("members", ()):
        names[one["person"]] = _name(one)
        if one.get("organisation"):
            names[one["organisation"]] = one.get("organisation_name") or ""
    return {id_: name for id_, name in names.items() if id_ and name}


def _name(one: Json) -> str:
    return " ".join(filter(None, (one.get("given_name"), one.get("family_name"))))


def received(lines: Sequence[Json]) -> list[Json]:
    """Returns who saw what of the child or was sent it: by person and ground, from when to when and how often. Pure."""
    found: dict[tuple[Any, ...], Json] = {}
    for line in lines:
        if line["outcome"] != "permitted":
            continue
        who = tuple(line.get(name) for name in ("actor", "role", "organisation", "basis", "consent"))
        at = line["occurred_at"]
        one = found.setdefault(who, {"categories": set(), "purposes": set(), "first_at": at, "last_at": at, "times": 0})
        one["categories"].add(line["category"])
        one["purposes"].add(line["purpose"])
        one["first_at"], one["last_at"] = min(one["first_at"], at), max(one["last_at"], at)
        one["times"] += 1
    told = []
    for (actor, role, organisation, basis, consent), one in found.items():
        by = {"actor": actor, "role": role, "organisation": organisation, "basis": basis, "consent": consent}
        lists = {name: sorted(one[name]) for name in ("categories", "purposes")}
        told.append({**{name: value for name, value in by.items() if value is not None}, **one, **lists})
    return sorted(told, key=lambda one: (one["last_at"], one["actor"]), reverse=True)


def whole(gathered: Gatherer, school: str, child: str, reader: str, at: str) -> Json:
    """Returns the file as JSON. Pure."""
    lines = gathered.parts.get("audit", {}).get("who-looked", {}).get("lines", ())
    return {
        "format": FORMAT,
        "school": school,
        "child": child,
        "made_for": reader,
        "made_at": at,
        "received": received(lines),
        "not_for_this_reader": gathered.refused,
        "parts": gathered.parts,
    }
