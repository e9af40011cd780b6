"""Checks of who saw what: withdrawals, walls between schools, and nothing personal outside the service that owns it."""

from __future__ import annotations

import email
import re
from collections import defaultdict
from collections.abc import Container
from datetime import timedelta
from pathlib import Path

from deploy.demo.checks import Found, Scene
from deploy.demo.ledger import PERSONAL, Told
from deploy.demo.names import MARK

EFFECTIVE_WITHIN = timedelta(seconds=7)
"""At the latest so long after its commit a withdrawal is effective: the lease and the longest transaction."""
OPAQUE = re.compile(r"/afmelden/[A-Za-z0-9_-]{64,}")
"""What a link to leave by holds is random: in a few thousand of them the mark stands by chance."""
UUID_TEXT = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
OWN_WORDS = (
    ("network", "SELECT given_name || family_name || coalesce(email, '') FROM person"),
    ("network", "SELECT words || why FROM expectation"),
    ("goals", "SELECT outlook || items::text FROM plan_text"),
    ("goals", "SELECT coalesce(words || influence, not_heard_because) FROM child_voice"),
    ("goals", "SELECT statement || wording || array_to_string(ladder, ' ') FROM goal"),
)
STORED = (
    ("network", "idempotency", "reply"),
    ("goals", "idempotency", "reply"),
    ("notifications", "idempotency", "reply"),
    ("notifications", "notice", "n"),
    ("notifications", "delivery", "n"),
)


async def withdrawals(at: Scene, found: Found) -> None:
    """After a withdrawal nothing was permitted on that consent, by position or by the clock."""
    wrong = []
    ends = {str(event.thing): _took_effect(at, event) for event in at.ledger.all("consent.withdrawn")}
    for lane in at.ledger.events.values():
        for event in lane:
            consent = event.act.get("consent")
            end = ends.get(str(consent)) if consent else None
            if end is None or event.act.get("outcome") == "denied" or event.name in ("notice.sent", "notice.deferred"):
                continue  # a notice's end tells of a claim that was judged, and checked here, before it
            late = event.recorded_at > end.recorded_at + EFFECTIVE_WITHIN
            if event.network_seq >= end.seq or late:
                wrong.append(f"{event.place} was permitted on a consent withdrawn at network/{end.school}#{end.seq}")
    if not ends:
        wrong.append("nobody withdrew anything: this was not tried")
    found.add("withdrawn means withdrawn", wrong)


def _took_effect(at: Scene, withdrawn: Told) -> Told:
    """Returns the new grants that the withdrawal came with: who has applied them must permit nothing on it."""
    lane = at.ledger.events["network", withdrawn.school]
    return next(e for e in lane[withdrawn.seq :] if e.name == "access.changed" and e.about == withdrawn.about)


async def walls(at: Scene, found: Found) -> None:
    """No event or line of a school names anyone or anything of another.

    But for denials, which say what a stranger asked for in the stranger's own words.
    """
    owns: dict[str, set[str]] = defaultdict(set)
    names: dict[str, set[str]] = defaultdict(set)
    for (_, school), lane in at.ledger.events.items():
        for event in lane:
            if event.name != "access.denied":
                names[school] |= {event.about, str(event.act["actor"]), event.thing or event.about}
                names[school] |= set(UUID_TEXT.findall(str(event.fact)))
    for (school, _), id_ in at.cast.ids.items():
        owns[school].add(str(id_))
    for child in at.cast.children:
        owns[child.school] |= {goal.id for goal in child.goals} | ({child.plan.id} if child.plan else set())
    wrong = [
        f"{school} holds {id_}, which is {other}'s"
        for school in owns
        for other in owns.keys() - {school}
        for id_ in names[school] & owns[other]
    ]
    found.add("no school holds anything of another", wrong)


async def personal(at: Scene, found: Found) -> None:
    """No name, address or free text is in events, log, stored replies, notices, the broker's files, logs or mails."""
    wrong = list(at.ledger.personal)
    for school in at.cast.keepers:
        for service, table, column in STORED:
            rows = await at.books.rows(service, school, f"SELECT {column}::text AS text FROM {table} n")  # noqa: S608
            wrong += [f"{table} of {service} in {school}" for row in rows if _holds(row["text"])]
        for service, sql in OWN_WORDS:
            if not any(_holds(row[0]) for row in await at.books.rows(service, school, sql)):
                wrong.append(f"the search is blind: it finds nothing in {service}'s own tables of {school}")
    known = {one.lower() for person in at.cast.foundation.persons.values() for one in person.name.split()}
    for path in sorted(at.home.nats.rglob("*")) + sorted(at.home.logs.glob("*.log*")):
        if path.is_file() and names_in(path.read_bytes(), known):
            wrong.append(f"the file {path.relative_to(at.home.root)}")
    wrong += [f"mail {path.name}" for path in sorted(at.home.mail.glob("*.eml")) if _holds(words_of_mail(path))]
    found.add("nothing personal left its service", wrong)


def _holds(text: str) -> bool:
    return any(word in text for word in PERSONAL)


def names_in(data: bytes, names: Container[str]) -> bool:
    """Tells whether a file holds one of these names; the mark alone may stand in random bytes."""
    mark, place = MARK.encode(), -1
    while (place := data.find(mark, place + 1)) >= 0:
        words = re.findall(rb"[A-Za-z]+", data[max(0, place - 8) : place + 24])
        if any(word.decode().lower() in names for word in words if mark in word):
            return True
    return any(word.encode() in data for word in PERSONAL[1:])


def words_of_mail(path: Path) -> str:
    """Returns what a mail says: every header and part, but for the address that it goes to."""
    mail = email.message_from_bytes(path.read_bytes())
    headers = [f"{name}: {value}" for name, value in mail.items() if name.lower() not in ("to", "x-rcptto")]
    parts = [part.get_payload(decode=True) for part in mail.walk() if not part.is_multipart()]
    said = "\n".join([*headers, *(part.decode("utf-8", "replace") for part in parts if isinstance(part, bytes))])
    # A calendar entry says whose it is, over folded lines (RFC 5545, 3.1).
    unfolded = re.sub(r"\r?\n[ \t]", "", said).replace(f"mailto:{mail['to']}", "")
    return OPAQUE.sub("/afmelden/", unfolded)
