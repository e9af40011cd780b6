"""An audit line: what one event says about who did or saw what, why and on what basis (NEN 7513, ISO 27789). Pure.

A line is a function of its event alone. Its *entry*, the text that goes into the log, is the canonical JSON (RFC 8785)
of it and holds the event's hash; where it stands in the log is not in it.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple

import pydantic_core

from shared.errors import Permanent
from shared.events.base import Event
from shared.tlog.merkle import leaf_hash

SERVICE = "audit"
ENTRY_VERSION = 1
LARGEST_INT = 2**53 - 1
"""Beyond this RFC 8785 (through ECMAScript) keeps no whole numbers."""

DISCLOSURES = frozenset({"access.viewed", "access.denied", "notice.sent", "put-out.made"})
"""What counts as a look: data that was shown or sent, or asked for in vain."""

REQUIRED = frozenset({"actor", "kind", "door", "purpose", "action", "category"})
"""What every act says."""

FLAT = frozenset({str, int, bool})


class Line(NamedTuple):
    """A line as table `line` keeps it; `entry` holds the rest."""

    producer: str
    epoch: int
    seq: int
    type: str
    occurred_at: datetime
    recorded_at: datetime
    about: str
    actor: str
    category: str
    outcome: str
    look: bool
    leaf_hash: bytes
    entry: str
    event: str


def line_of(event: Event) -> Line:
    """Returns the event's line; raises Permanent when the event does not say who did what."""
    try:
        entry = entry_of(event)
        text = canonical(entry)
        if b"\\u0000" in text and any("\0" in value for value in entry.values() if isinstance(value, str)):
            raise Permanent("holds_nul")  # PostgreSQL would keep it and then fail every question that meets the line
        return Line(
            event.producer,
            event.epoch,
            event.seq,
            entry["type"],
            datetime.fromisoformat(entry["occurred_at"]),
            datetime.fromisoformat(entry["recorded_at"]),
            entry["about"],
            entry["actor"],
            entry["category"],
            entry["outcome"],
            is_look(entry["type"]),
            leaf_hash(text),
            text.decode(),
            event.raw.decode(),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise Permanent("not_a_line", type(error).__name__) from None


def entry_of(event: Event) -> dict[str, Any]:
    """Returns the members of the event's entry, sorted as RFC 8785 sorts them; what is not known is left out.

    The whole act is taken over, so that what later events say of it is logged without a change here.
    """
    content = event.content
    act: dict[str, Any] = content["data"]["act"]
    fact: dict[str, Any] = content["data"]["fact"]
    trace = content.get("traceparent")
    entry = {
        "outcome": "permitted",
        "emergency": False,
        **act,
        "about": content["subject"],
        "epoch": event.epoch,
        "event": content["id"],
        "event_hash": sha256(event.raw).hexdigest(),
        "network_epoch": content["networkepoch"],
        "network_seq": content["networkseq"],
        "occurred_at": content["time"],
        "producer": event.producer,
        "recorded_at": content["recordedat"],
        "school": event.school,
        "seq": event.seq,
        "thing": content.get("thing"),
        "things": fact.get("things"),
        "trace": trace[3:35] if trace else None,
        "type": content["type"],
        "v": ENTRY_VERSION,
        "what": fact.get("query", fact.get("what")),
    }
    entry = {key: value for key in _canonical_order(tuple(entry)) if (value := entry[key]) is not None}
    if not FLAT.issuperset(map(type, entry.values())):
        raise Permanent("not_flat")
    numbers = (event.epoch, event.seq, content["networkepoch"], content["networkseq"], fact.get("things") or 0)
    if max(*numbers, act.get("consent_version") or 0, act.get("revision") or 0) > LARGEST_INT:
        raise Permanent("number_too_large")
    return entry


@lru_cache(maxsize=1024)
def _canonical_order(keys: tuple[str, ...]) -> tuple[str, ...]:
    if not REQUIRED.issubset(keys):
        raise Permanent("act_incomplete")
    # RFC 8785 sorts by UTF-16 code units.
    return tuple(sorted(keys, key=lambda key: key.encode("utf-16-be")))


def canonical(entry: dict[str, Any]) -> bytes:
    """Returns the RFC 8785 form of an entry: keys are in that order, values strings, whole numbers and truths.

    For these a plain compact encoder gives the canonical form; the tests hold it against the library, which takes fifty
    times as long.
    """
    return pydantic_core.to_json(entry)


@lru_cache(maxsize=1024)
def is_look(type_: str) -> bool:
    """Tells whether events of this CloudEvents type show, send or refuse data."""
    return ".".join(type_.split(".")[3:-1]) in DISCLOSURES
