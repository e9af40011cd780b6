"""All that the journals and the audit log hold, read once, in the fields that the checks hold against each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any

import pydantic_core

from deploy.demo.books import Books
from deploy.demo.names import MAIL_DOMAIN, MARK, PHONE_PREFIX
from deploy.topology import NAMES
from shared.events.base import GENESIS

PERSONAL = (MARK, MAIL_DOMAIN, PHONE_PREFIX)
"""What every made-up name, address and number holds one of."""
PAGE_OF_LOG = "SELECT idx, producer, seq, leaf_hash, entry, event FROM line WHERE idx >= $1 ORDER BY idx LIMIT 2000"
LOG_HEAD = "SELECT size, root FROM log_head"


@dataclass(frozen=True, slots=True)
class Told:
    """One event of a journal. `name` is its type without producer and version."""

    school: str
    producer: str
    seq: int
    hash: str
    id: str
    name: str
    about: str
    thing: str | None
    act: Mapping[str, Any]
    fact: Mapping[str, Any]
    trace: str | None
    network_seq: int
    recorded_at: datetime

    @property
    def place(self) -> str:
        """Where it stands, to find it again."""
        return f"{self.producer}/{self.school}#{self.seq}"


@dataclass
class Ledger:
    """What was read: events by lane, the audit log's lines by lane, and what was wrong already while reading."""

    events: dict[tuple[str, str], list[Told]] = field(default_factory=dict)
    heads: dict[tuple[str, str], tuple[int, int, str]] = field(default_factory=dict)
    lines: dict[tuple[str, str], Counter[tuple[int, str]]] = field(default_factory=dict)
    line_count: int = 0
    chain: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    personal: list[str] = field(default_factory=list)

    def all(self, *names: str) -> list[Told]:
        """Returns the events with these names, lane by lane, in order."""
        return [event for lane in self.events.values() for event in lane if event.name in names]

    @property
    def event_count(self) -> int:
        """How many events there are."""
        return sum(map(len, self.events.values()))


async def read_ledger(books: Books, schools: list[str]) -> Ledger:
    """Reads every journal and every log of these schools from the start."""
    ledger = Ledger()
    for service in NAMES:
        for school, head in (await books.heads(service)).items():
            if school in schools:
                ledger.heads[service, school] = head
                await _read_journal(ledger, books, service, school)
    for school in schools:
        await _read_log(ledger, books, school)
    return ledger


async def _read_journal(ledger: Ledger, books: Books, service: str, school: str) -> None:
    lane = ledger.events.setdefault((service, school), [])
    last = GENESIS
    async for row in books.journal(service, school):
        text = row["event"]
        event = told(text)
        hash_ = sha256(text.encode()).hexdigest()
        if (event.producer, event.school, event.seq) != (service, school, len(lane) + 1) or row["seq"] != event.seq:
            ledger.chain.append(f"{service}/{school}#{row['seq']} stands where {len(lane) + 1} belongs")
        if f'"prevhash":"{last}"' not in text or hash_ != row["hash"]:
            ledger.chain.append(f"{event.place} does not continue the one before it")
        if any(word in text for word in PERSONAL):
            ledger.personal.append(f"event {event.place} ({event.name})")
        lane.append(event)
        last = hash_
    if ledger.heads[service, school][1:] != (len(lane), last):
        ledger.chain.append(f"the head of {service}/{school} is not its last event")


def told(text: str) -> Told:
    """Reads an event's text."""
    content = pydantic_core.from_json(text)
    trace = content.get("traceparent")
    return Told(
        content["school"],
        content["producer"],
        content["seq"],
        sha256(text.encode()).hexdigest(),
        content["id"],
        ".".join(content["type"].split(".")[3:-1]),
        content["subject"],
        content.get("thing"),
        content["data"]["act"],
        content["data"]["fact"],
        trace.split("-")[1] if trace else None,
        content["networkseq"],
        datetime.fromisoformat(content["recordedat"]),
    )


async def _read_log(ledger: Ledger, books: Books, school: str) -> None:
    leaves: list[bytes] = []
    while rows := await books.rows("audit", school, PAGE_OF_LOG, len(leaves)):
        for row in rows:
            where = f"line {row['idx']} of {school}"
            if row["idx"] != len(leaves):
                ledger.log.append(f"{where} stands where {len(leaves)} belongs")
            leaves.append(sha256(b"\x00" + row["entry"].encode()).digest())
            hash_ = sha256(row["event"].encode()).hexdigest()
            if leaves[-1] != row["leaf_hash"] or f'"event_hash":"{hash_}"' not in row["entry"]:
                ledger.log.append(f"{where} was changed")
            if any(word in row["entry"] for word in PERSONAL):
                ledger.personal.append(where)
            ledger.lines.setdefault((row["producer"], school), Counter())[row["seq"], hash_] += 1
    head = await books.rows("audit", school, LOG_HEAD)
    if not head or (head[0]["size"], head[0]["root"]) != (len(leaves), merkle_root(leaves)):
        ledger.log.append(f"the root of {school}'s log is not that of its {len(leaves)} lines")
    ledger.line_count += len(leaves)


def merkle_root(leaves: list[bytes]) -> bytes:
    """Returns the root over leaf hashes (RFC 6962, 2.1), written apart from the service's own."""
    if not leaves:
        return sha256(b"").digest()
    level = leaves
    while len(level) > 1:
        pairs = [sha256(b"\x01" + level[n] + level[n + 1]).digest() for n in range(0, len(level) - 1, 2)]
        level = pairs + level[len(pairs) * 2 :]
    return level[0]
