"""Checks of what consumers made of the events: access, goals, notices, mails."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

from deploy.demo.books import LANES
from deploy.demo.checks import Found, Scene
from deploy.demo.ledger import Told

ACCESS = "SELECT id::text, version, grants::text FROM access"
GOALS = "SELECT id::text, version, status FROM goal"
SCORES = "SELECT id::text FROM score"
NOTICES = "SELECT id::text, member::text, source::text FROM notice"
COMMITMENTS = "SELECT id::text, state, review_on FROM commitment"
CLOCKS = "SELECT id::text, deadline, due_on, next_on, told FROM plan_clock"
LEAD_DAYS = {"first_plan": 14, "evaluation": 28, "action": 7}
DELIVERIES = "SELECT notice::text, state, coalesce(bundle::text, concat(notice, '-', round)) AS message FROM delivery"

TELLS = {
    "goal.proposed": "goals",
    "goal.accepted": "goals",
    "goal.rejected": "goals",
    "goal.activated": "goals",
    "goal.held": "goals",
    "goal.resumed": "goals",
    "goal.completed": "goals",
    "goal.cancelled": "goals",
    "divergence.seen": "observations",
    "plan.consulted": "plan",
    "plan.revised": "plan",
    "plan.enforced": "plan",
    "plan.evaluated": "plan",
    "plan.continued": "plan",
    "plan.closed": "plan",
    "agreement.refused": "plan",
    "remedy.taken": "plan",
    "deadline.due-soon": "plan",
    "deadline.overdue": "plan",
    "goal.revised": "goals",
    "conversation.planned": "conversations",
    "conversation.moved": "conversations",
    "conversation.cancelled": "conversations",
    "conversation.held": "conversations",
    "invitation.withdrawn": "conversations",
    "invitation.answered": "conversations",
    "point.added": "conversations",
    "outcome.recorded": "conversations",
}
"""Which events of goals are told, and to those who may receive which category: as agreed, not as programmed."""


async def access(at: Scene, found: Found) -> None:
    """Every consumer of network keeps the very grants that network has."""
    wrong = []
    for school in at.cast.keepers:
        own = sorted(tuple(row) for row in await at.books.rows("network", school, ACCESS))
        for consumer, producers in LANES.items():
            if "network" in producers:
                theirs = sorted(tuple(row) for row in await at.books.rows(consumer, school, ACCESS))
                if theirs != own:
                    wrong.append(f"{consumer} has other grants in {school} than network: {_first(own, theirs)}")
    found.add("everyone keeps the grants that network gave", wrong, lost=len(wrong))


def _first(own: list[Any], theirs: list[Any]) -> str:
    odd = {row[0] for row in own} ^ {row[0] for row in theirs}
    odd |= {one[0] for one, other in zip(own, theirs, strict=False) if one != other}
    return f"{len(odd)} subjects, such as {min(odd, default='none')}"


async def goals(at: Scene, found: Found) -> None:
    """Each goal and each score that was told is there once, and each goal stands where its last step put it."""
    lost, extra = [], []
    for school in at.cast.keepers:
        lane = at.ledger.events.get(("goals", school), [])
        steps: dict[str, tuple[int, str]] = {}
        scores = Counter(event.thing for event in lane if event.name == "score.recorded")
        for event in lane:
            if event.thing and event.name.startswith(("goal.", "achievement.")):
                status = event.fact.get("status") or steps.get(event.thing, (0, "proposed"))[1]
                steps[event.thing] = (event.fact["version"], status)
        rows = {row["id"]: (row["version"], row["status"]) for row in await at.books.rows("goals", school, GOALS)}
        kept = Counter(row["id"] for row in await at.books.rows("goals", school, SCORES))
        lost += [
            f"goal {id_} of {school} is {rows.get(id_)}, told was {s}" for id_, s in steps.items() if rows.get(id_) != s
        ]
        lost += [f"score {id_} of {school} is not there" for id_ in scores.keys() - kept.keys()]
        extra += [f"goal {id_} of {school} was never told" for id_ in rows.keys() - steps.keys()]
        extra += [f"score {id_} of {school} was not told once" for id_ in kept if scores[id_] != 1]
    found.add("goals and scores are as they were told", lost + extra, lost=len(lost), duplicated=len(extra))


async def notices(at: Scene, found: Found) -> None:
    """Each notice that was told lies in an inbox, once; and who had to be told was."""
    lost, twice = [], []
    for school in at.cast.keepers:
        queued = Counter(
            (event.thing, event.fact["recipient"], event.fact["source"])
            for event in at.ledger.events.get(("notifications", school), [])
            if event.name == "notice.queued"
        )
        kept = Counter(tuple(row) for row in await at.books.rows("notifications", school, NOTICES))
        lost += [f"notice {one[0]} of {school} was told and is not there" for one in queued.keys() - kept.keys()]
        twice += [f"notice {one[0]} of {school} was told {queued[one]} times" for one in kept if queued[one] != 1]
        told = Counter((member, source) for _, member, source in kept.elements())
        twice += [f"{member} was told {n} times of {source}" for (member, source), n in told.items() if n > 1]
        owed = set(_owed(at, school))
        lost += [f"{member} of {school} was not told of {source}" for member, source in owed - told.keys()]
        known = {source for _, source in owed}
        twice += [
            f"{member} was told of {source} without a right to"
            for member, source in told.keys() - owed
            if source in known
        ]
    found.add("whoever must be told was told once", lost + twice, lost=len(lost), duplicated=len(twice))


def _owed(at: Scene, school: str) -> Iterable[tuple[str, str]]:
    """Yields who had to be told of which event, for subjects whose grants did not change since the event."""
    changes: dict[str, list[Told]] = defaultdict(list)
    for event in at.ledger.events.get(("network", school), []):
        if event.name == "access.changed":
            changes[event.about].append(event)
    for event in [event for name in ("goals", "network") for event in at.ledger.events.get((name, school), [])]:
        sets, concerns = changes[event.about], event.fact.get("concerns")
        category = TELLS.get(event.name, None if concerns is None else "expectations")
        if category and bisect_right([one.seq for one in sets], event.network_seq) == len(sets) > 0:
            told = {event.act["actor"], event.act.get("on_behalf_of")}
            for grant in sets[-1].fact["grants"]:
                concerned = concerns is None or grant["member"] in concerns
                if concerned and _receives(grant, category, event.recorded_at) and grant["member"] not in told:
                    yield grant["member"], event.id


def _receives(grant: Mapping[str, Any], category: str, at: datetime) -> bool:
    until = grant.get("valid_until")
    return (
        "receive" in grant["actions"]
        and category in grant["categories"]
        and grant["role"] != "local_tool"
        and datetime.fromisoformat(grant["valid_from"]) <= at
        and (until is None or at < datetime.fromisoformat(until))
    )


async def reviews(at: Scene, found: Found) -> None:
    """Each review whose day came before both had looked back was told once, and overdue once when it stayed so."""
    wrong, tried = [], 0
    for school in at.cast.keepers:
        told = Counter(
            (event.fact["commitment"], event.name)
            for event in at.ledger.events.get(("network", school), [])
            if event.name in ("review.due", "review.overdue")
        )
        wrong += [f"{name} of {id_} in {school} was told {n} times" for (id_, name), n in told.items() if n > 1]
        for row in await at.books.rows("network", school, COMMITMENTS):
            for name, late in (("review.due", 0), ("review.overdue", 7)):
                due = row["state"] == "standing" and row["review_on"] + timedelta(days=late) <= at.stage.today
                tried += due
                if due and (row["id"], name) not in told:
                    wrong.append(f"{name} of {row['id']} in {school} was not told")
    if not tried:
        wrong.append("no review fell due: this was not tried")
    found.add("each review fell due and overdue once", wrong)


async def deadlines(at: Scene, found: Found) -> None:
    """Each deadline of a plan that came near was told once, and once more when it passed."""
    wrong, tried = [], 0
    for school in at.cast.keepers:
        told = Counter(
            (event.fact["clock"], event.fact["due_on"], event.name)
            for event in at.ledger.events.get(("goals", school), [])
            if event.name in ("deadline.due-soon", "deadline.overdue")
        )
        wrong += [f"{name} of {id_} in {school} was told {n} times" for (id_, _, name), n in told.items() if n > 1]
        for row in await at.books.rows("goals", school, CLOCKS):
            runs = row["next_on"] is not None or row["told"] == "overdue"
            near = row["due_on"] - timedelta(days=LEAD_DAYS[row["deadline"]])
            for name, day in (("deadline.due-soon", near), ("deadline.overdue", row["due_on"] + timedelta(days=1))):
                due = runs and day <= at.stage.today
                tried += due
                if due and (row["id"], str(row["due_on"]), name) not in told:
                    wrong.append(f"{name} of {row['id']} in {school} was not told")
    if not tried:
        wrong.append("no deadline came near: this was not tried")
    found.add("each deadline of a plan was told once", wrong)


async def mails(at: Scene, found: Found) -> None:
    """Each delivery ended, each that was sent has one mail and one line, and no mail came twice."""
    lost, twice = [], []
    ids = Counter(message_ids(at.home.mail))
    sent = 0
    for school in at.cast.keepers:
        rows = await at.books.rows("notifications", school, DELIVERIES)
        states = Counter(row["state"] for row in rows)
        parts = Counter(row["notice"] for row in rows if row["state"] == "sent")  # a reminder is one more
        events = at.ledger.events.get(("notifications", school), [])
        told = Counter(str(event.thing) for event in events if event.name == "notice.sent")
        sent += len({row["message"] for row in rows if row["state"] == "sent"})
        lost += [
            f"{states[state]} deliveries of {school} are {state}"
            for state in ("queued", "claimed", "failed")
            if states[state]
        ]
        if states["sent"] != told.total():
            lost.append(f"{states['sent']} deliveries of {school} are sent, {told.total()} have a line")
        twice += [f"notice {thing} has {n} lines that say it was sent" for thing, n in told.items() if n > parts[thing]]
    twice += [f"mail {id_} came {n} times" for id_, n in ids.items() if n > 1]
    if sent != len(ids):
        lost.append(f"{sent} mails have their lines, {len(ids)} came")
    found.add("each mail came once and has its line", lost + twice, lost=len(lost), duplicated=len(twice))


def message_ids(folder: Path) -> Iterable[str]:
    """Yields the Message-ID of each kept mail."""
    for path in sorted(folder.glob("*.eml")):
        yield str(HeaderParser().parsestr(path.read_bytes().decode("utf-8", "replace"))["Message-ID"])
