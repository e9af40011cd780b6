"""Nothing lost, nothing twice: what was answered, held against what is written down. Pure; a finding is a sentence."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from hashlib import sha256
from typing import Any

from tests.faults.books import Books, Entry, unapplied
from tests.faults.load import Said

GENESIS = "0" * 64
Mark = tuple[str, str, str, str, int | None]
"""School, service, event name, object, and its version where the event tells it."""

TELLS: dict[str, tuple[str, str]] = {
    "propose-goal": ("goal.proposed", "goal"),
    "accept-goal": ("goal.accepted", "goal"),
    "activate-goal": ("goal.activated", "goal"),
    "complete-goal": ("goal.completed", "goal"),
    "read-notice": ("notice.read", "notice"),
    "done-notice": ("notice.done", "notice"),
    "add-member": ("member.added", "membership"),
    "end-membership": ("membership.ended", "membership"),
    "give-consent": ("consent.given", "consent"),
    "withdraw-consent": ("consent.withdrawn", "consent"),
}
"""Each command's own event, and the member of its reply that names the object."""
NAMES = frozenset(name for name, _ in TELLS.values()) | {"score.recorded"}
VERSIONED = frozenset(name for name, _ in TELLS.values() if name.startswith(("goal.", "consent.")))
TOLD = {
    "goal.proposed": "goals",
    "goal.accepted": "goals",
    "goal.activated": "goals",
    "goal.completed": "goals",
    "divergence.seen": "observations",
}
"""Events of goals that make notices, and the category a member must be able to receive."""


def check(books: Books, said: Iterable[Said], since: Books, calm: set[str]) -> list[str]:
    """Returns everything that is wrong. `since`: the books before the load began; `calm`: children whose network did
    not change."""
    commands = list(said)
    found = [*journals(books), *audited(books), *unapplied(books), *books.letters, *projected(books)]
    found += [*answered(books, commands), *accounted(books, commands, since)]
    return [*found, *rows(books), *told(books, calm)]


def journals(books: Books) -> Iterator[str]:
    """Every journal is dense and chained, and its head is its last event."""
    for (school, producer), entries in books.journals.items():
        where, before = f"{producer}'s journal of {school}", GENESIS
        for n, entry in enumerate(entries, 1):
            if entry.seq != n:
                yield f"{where}: number {n} is missing, {entry.seq} is there"
                break
            if entry.content["prevhash"] != before or entry.content["seq"] != n:
                yield f"{where}: {n} does not follow its predecessor"
            before = sha256(entry.text.encode()).hexdigest()
            if entry.hash != before:
                yield f"{where}: {n} is not what its hash says"
        last = entries[-1]
        if books.heads.get((school, producer)) != (last.epoch, last.seq, last.hash):
            yield f"{where}: the head is {books.heads.get((school, producer))}, the last event {last.seq}"
    for producer in {producer for _, producer in books.journals}:
        ids = Counter(e.content["id"] for (_, of), es in books.journals.items() if of == producer for e in es)
        yield from (f"{producer} has event {id_} {n} times" for id_, n in ids.items() if n > 1)


def audited(books: Books) -> Iterator[str]:
    """Every event has exactly one line, the very same bytes, in the order of its lane; the log's numbers are dense."""
    for school, producer in books.journals.keys() | books.lines.keys():
        journal = [(e.seq, e.text) for e in books.journals.get((school, producer), ())]
        lines = [(e.seq, e.text) for e in books.lines.get((school, producer), ())]
        if journal != lines:
            missing = sorted({seq for seq, _ in journal} - {seq for seq, _ in lines})
            more = [seq for seq, n in Counter(seq for seq, _ in lines).items() if n > 1]
            yield f"audit and {producer} of {school} differ: no line for {missing}, several for {more}"
    for school, places in books.places.items():
        if places != list(range(len(places))):
            yield f"the log of {school} is not numbered 0 to {len(places) - 1}"


def projected(books: Books) -> Iterator[str]:
    """Every service has the grants that network has."""
    truth = books.access["network"]
    for service, access in books.access.items():
        for subject in truth.keys() | access.keys():
            if _bare(access.get(subject)) != _bare(truth.get(subject)):
                yield f"{service} has other grants on {subject} than network"


def _bare(row: tuple[int, Any] | None) -> tuple[int, dict[str, list[str]]] | None:
    if row is None:
        return None
    return row[0], {member: sorted(map(repr, map(_sorted, grants))) for member, grants in row[1].items()}


def _sorted(grant: dict[str, Any]) -> list[tuple[str, Any]]:
    return sorted(grant.items())


def answered(books: Books, said: list[Said]) -> Iterator[str]:
    """Whatever was answered ok is kept under its key, with that very reply; a refusal kept nothing."""
    for one in said:
        key = (one.school, one.service, one.actor, one.key)
        if one.kind == "ok" and (key not in books.keys or books.keys[key] != one.reply):
            yield f"{one.name} {one.key} was answered {one.reply}, kept is {books.keys.get(key)}"
        if one.kind not in {"ok", "silence", "unavailable"} and key in books.keys:
            yield f"{one.name} {one.key} was refused ({one.kind}), and is kept as done"


def accounted(books: Books, said: list[Said], since: Books) -> Iterator[str]:
    """Every command that is kept has its events, once; and every event of such a kind has its command: all or nothing,
    also for what was never answered."""
    names = {(one.school, one.service, one.actor, one.key): one.name for one in said}
    wanted: Counter[Mark] = Counter()
    for key, reply in books.keys.items():
        if key in names:
            wanted.update(_marks(key[0], key[1], names[key], reply))
    there: Counter[Mark] = Counter()
    for (school, producer), entries in books.journals.items():
        start = since.heads.get((school, producer), (0, 0, ""))[1]
        there.update(_mark(school, producer, e) for e in entries if e.seq > start and e.name in NAMES)
    for mark in wanted.keys() | there.keys():
        if wanted[mark] != there[mark]:
            yield f"{mark} should be told {wanted[mark]} times, and is {there[mark]} times"


def _marks(school: str, service: str, name: str, reply: dict[str, Any]) -> list[Mark]:
    if name == "score-goal":
        return [(school, service, "score.recorded", score, None) for score in reply["scores"]]
    event, member = TELLS[name]
    return [(school, service, event, reply[member], reply["version"] if event in VERSIONED else None)]


def _mark(school: str, producer: str, entry: Entry) -> Mark:
    version = entry.fact.get("version", entry.fact.get("consent_version")) if entry.name in VERSIONED else None
    return (school, producer, entry.name, entry.content["thing"], version)


def rows(books: Books) -> Iterator[str]:
    """Every row has its events and the other way round."""
    versions: Counter[tuple[str, str]] = Counter()
    for school, entry in books.events(
        "goals", "goal.proposed", "goal.accepted", "goal.activated", "goal.completed", "achievement.recorded"
    ):
        versions[school, entry.content["thing"]] += 1
    for goal in versions.keys() | books.goals.keys():
        version = books.goals.get(goal, (0, ""))[0]
        if version != versions[goal]:
            yield f"goal {goal} has version {version} and {versions[goal]} events"
    scored = Counter((school, e.content["thing"]) for school, e in books.events("goals", "score.recorded"))
    if scored != Counter(books.scores):
        yield f"scores and their events differ: {scored - Counter(books.scores)}, {Counter(books.scores) - scored}"
    queued = Counter((school, e.content["thing"]) for school, e in books.events("notifications", "notice.queued"))
    kept = Counter((school, id_) for school, id_, *_ in books.notices)
    if queued != kept:
        yield f"notices and their events differ: {queued - kept}, {kept - queued}"
    states = {"notice.read": "read", "notice.done": "done"}
    said = {(school, e.content["thing"]): states[e.name] for school, e in books.events("notifications", *states)}
    for school, id_, _, _, state in books.notices:
        if said.get((school, id_), "unread") != state:
            yield f"notice {id_} is {state}, its events say {said.get((school, id_), 'unread')}"
    added = {(school, e.content["thing"]) for school, e in books.events("network", "member.added")}
    ended = {(school, e.content["thing"]) for school, e in books.events("network", "membership.ended")}
    if added != set(books.members) or ended != {key for key, over in books.members.items() if over}:
        yield "memberships and their events differ"


def told(books: Books, calm: set[str]) -> Iterator[str]:
    """Of every event about a calm child, each member who may hear of it has exactly one notice, and nobody else."""
    notices: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for school, _, member, source, _ in books.notices:
        notices[school, source][member] += 1
    for school, entry in books.events("goals", *TOLD):
        content = entry.content
        if content["subject"] not in calm:
            continue
        _, grants = books.access["network"][school, content["subject"]]
        hear = {
            member
            for member, held in grants.items()
            for grant in held
            if "receive" in grant["actions"]
            and TOLD[entry.name] in grant["categories"]
            and _holds(grant, content["recordedat"])
        } - {content["data"]["act"]["actor"]}
        if notices[school, content["id"]] != Counter(hear):
            yield f"{entry.name} {content['id']} was told to {dict(notices[school, content['id']])}, not to {hear}"


def _holds(grant: dict[str, Any], at: str) -> bool:
    moment, until = datetime.fromisoformat(at), grant["valid_until"]
    return datetime.fromisoformat(grant["valid_from"]) <= moment and (
        until is None or moment < datetime.fromisoformat(until)
    )
