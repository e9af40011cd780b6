"""Checks of what went out to schools' own tools: all that they may have, once, and nothing that is another's."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from deploy.demo.checks import Found, Scene
from deploy.demo.checks_walls import UUID_TEXT
from deploy.demo.ledger import PERSONAL, Told

NUMBERED = ("put-out.made", "put-out.voided", "withdrawal.told")
TELLS = {"score.recorded": "observations", "divergence.seen": "observations", "achievement.recorded": "goals"}
"""Beside all that is called `goal.`: which events of goals a tool is told, under which category, as agreed."""


async def tools(at: Scene, found: Found) -> None:
    """Each event that a tool may have went out to it once, and what it fetched is what the log says it was given."""
    lost, twice = [], []
    for school in at.cast.keepers:
        made = [one for one in at.ledger.events.get(("gate", school), []) if one.name == "put-out.made"]
        given = Counter((one.fact["tool"], one.fact["source"]) for one in made)
        owed = set(_owed(at, school))
        lost += [f"{source} did not go out to {tool} of {school}" for tool, source in owed - given.keys()]
        twice += [f"{source} went out {n} times to {tool} of {school}" for (tool, source), n in given.items() if n > 1]
        lost += _numbers(at.ledger.events.get(("gate", school), []), school)
        if not made:
            lost.append(f"nothing went out to a tool of {school}: this was not tried")
    for tool in at.cast.tools:
        lane = at.ledger.events[("gate", tool.who.school)]
        logged = {_number(one) for one in lane if one.name in NUMBERED and one.fact["tool"] == str(tool.who.id)}
        fetched = Counter((one["epoch"], one["sequence"]) for one in tool.received)
        # What lay ready when it was withdrawn is taken out, and the withdrawal says which numbers that were.
        out = {(one["epoch"], n) for one in tool.received for n in one["data"].get("taken_out", ())}
        lost += [f"number {one} of {tool.who.school} was not fetched" for one in logged - fetched.keys() - out]
        twice += [f"number {one} of {tool.who.school} was taken out and came" for one in fetched.keys() & out]
        twice += [f"number {one} of {tool.who.school} came {n} times" for one, n in fetched.items() if n > 1]
        twice += [f"number {one} of {tool.who.school} has no line" for one in fetched.keys() - logged]
    found.add("a tool got what it may have, once", lost + twice, lost=len(lost), duplicated=len(twice))


def _number(event: Told) -> tuple[int, int]:
    return event.fact["tool_epoch"], event.fact["sequence"]


def _numbers(lane: Iterable[Told], school: str) -> list[str]:
    numbers: dict[str, list[int]] = defaultdict(list)
    for event in lane:
        if event.name in NUMBERED:
            numbers[event.fact["tool"]].append(event.fact["sequence"])
    return [
        f"numbers of {tool} of {school} have gaps" for tool, n in numbers.items() if set(n) != set(range(1, max(n) + 1))
    ]


def _owed(at: Scene, school: str) -> Iterable[tuple[str, str]]:
    """Yields which tool had to be told of which event, for children whose grants did not change since the event."""
    changes: dict[str, list[Told]] = defaultdict(list)
    for event in at.ledger.events.get(("network", school), []):
        if event.name == "access.changed":
            changes[event.about].append(event)
    for event in at.ledger.events.get(("goals", school), []):
        category = "goals" if event.name.startswith("goal.") else TELLS.get(event.name)
        sets = changes[event.about]
        if category and bisect_right([one.seq for one in sets], event.network_seq) == len(sets) > 0:
            for grant in sets[-1].fact["grants"]:
                if grant["role"] == "local_tool" and _receives(grant, category, event.recorded_at):
                    yield grant["member"], event.id


def _receives(grant: dict[str, Any], category: str, at: datetime) -> bool:
    until = grant.get("valid_until")
    return (
        "receive" in grant["actions"]
        and category in grant["categories"]
        and datetime.fromisoformat(grant["valid_from"]) <= at
        and (until is None or at < datetime.fromisoformat(until))
    )


async def forgotten(at: Scene, found: Found) -> None:
    """Whoever had what was withdrawn was told so, and confirmed that it deleted it; after that it got no more of it."""
    wrong = []
    for tool in at.cast.tools:
        about = str(tool.children[0].id)
        lane = [one for one in at.ledger.events[("gate", tool.who.school)] if one.about == about]
        told = [one for one in lane if one.name == "withdrawal.told" and one.fact["tool"] == str(tool.who.id)]
        confirmed = {one.fact["of"] for one in lane if one.name == "deletion.confirmed"}
        if not told or {one.fact["of"] for one in told} != confirmed:
            wrong.append(f"the tool of {tool.who.school} was told of {len(told)} withdrawals, confirmed {confirmed}")
        late = [one.place for one in lane if told and one.name == "put-out.made" and one.seq > told[-1].seq]
        wrong += [f"{place} went out after the tool was told to delete" for place in late]
    found.add("what was withdrawn is told to tools and deleted", wrong, lost=len(wrong))


async def pseudonyms(at: Scene, found: Found) -> None:
    """A tool holds no id of the school's, no id of another tool's, and nothing personal."""
    known = {str(id_) for id_ in at.cast.ids.values()} | {goal.id for c in at.cast.children for goal in c.goals}
    wrong, held = [], defaultdict(set)
    for tool in at.cast.tools:
        text = json.dumps(tool.received)
        ids = set(UUID_TEXT.findall(text))
        wrong += [f"the tool of {tool.who.school} holds {id_}, which is the school's" for id_ in ids & known]
        wrong += [f"the tool of {tool.who.school} holds something personal" for word in PERSONAL if word in text]
        for id_ in ids:
            held[id_].add(tool.who.school)
        subjects = {event["subject"] for event in tool.received if event.get("subject")}
        if len(subjects) != len(tool.children):
            wrong.append(f"the tool of {tool.who.school} knows {len(subjects)} children, not {len(tool.children)}")
    wrong += [f"{id_} is known to the tools of {sorted(schools)}" for id_, schools in held.items() if len(schools) > 1]
    found.add("a tool knows nobody by another's name", wrong)
