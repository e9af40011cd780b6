from __future__ import annotations

import json
from hashlib import sha256

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from deploy.pack.tally import LOOKS
from services.audit.model import DISCLOSURES, canonical, entry_of, is_look, line_of
from shared.errors import Permanent
from shared.events.base import Viewed
from shared.events.words import Basis, Category, Purpose, Role
from shared.tlog.merkle import leaf_hash
from tests.audit.support import CARER, CHILD, MOTHER, TEACHER, Journal, act, pseudonym

SCHOOL = "de-eik"


def test_a_line_says_who_looked_when_why_and_on_what_basis() -> None:
    consented = act(
        CARER,
        role=Role.CARE_PROFESSIONAL,
        organisation=pseudonym(50),
        on_behalf_of=MOTHER,
        operator="op-1",
        purpose=Purpose.CARE_COORDINATION,
        category=Category.OBSERVATIONS,
        basis=Basis.CONSENT,
        consent=pseudonym(60),
        consent_version=4,
        emergency=True,
    )
    trace = "0" * 31 + "7"
    event = Journal(SCHOOL).add(Viewed(query="goals", things=2), consented, traceparent=f"00-{trace}-{'1' * 16}-01")
    entry = json.loads(line_of(event).entry)
    assert entry == {
        "v": 1,
        "type": "nl.samenkracht.goals.access.viewed.v1",
        "outcome": "permitted",
        "occurred_at": "2026-03-10T09:01:00.000000Z",
        "recorded_at": "2026-03-10T09:01:01.000000Z",
        "actor": str(CARER),
        "kind": "person",
        "role": "care_professional",
        "organisation": str(pseudonym(50)),
        "on_behalf_of": str(MOTHER),
        "operator": "op-1",
        "door": "portal",
        "about": str(CHILD),
        "what": "goals",
        "things": 2,
        "action": "view",
        "category": "observations",
        "purpose": "care_coordination",
        "basis": "consent",
        "grant": str(pseudonym(90)),
        "consent": str(pseudonym(60)),
        "consent_version": 4,
        "revision": 3,
        "emergency": True,
        "trace": trace,
        "school": SCHOOL,
        "producer": "goals",
        "epoch": 1,
        "seq": 1,
        "network_epoch": 1,
        "network_seq": 7,
        "event": str(event.id),
        "event_hash": sha256(event.raw).hexdigest(),
    }


def test_a_line_is_a_function_of_its_event_and_keeps_its_bytes() -> None:
    event = Journal(SCHOOL).denied()
    line = line_of(event)
    assert line == line_of(event)
    assert line.event.encode() == event.raw
    assert line.leaf_hash == leaf_hash(line.entry.encode())
    assert (line.outcome, line.look) == ("denied", True)


def test_the_entry_is_canonical_json() -> None:
    journal = Journal(SCHOOL)
    for event in (
        journal.viewed(),
        journal.denied(),
        journal.viewed(operator='say "\u20ac\\\u007f\t\u2028\U0001f600"'),
    ):
        line = line_of(event)
        assert line.entry.encode() == rfc8785.dumps(json.loads(line.entry))


@given(
    st.dictionaries(
        st.text(st.characters(codec="ascii"), min_size=1),
        st.one_of(st.text(), st.booleans(), st.integers(-(2**53) + 1, 2**53 - 1)),
    )
)
def test_the_fast_encoder_writes_what_the_library_writes(entry: dict[str, str | bool | int]) -> None:
    ordered = {key: entry[key] for key in sorted(entry)}
    assert canonical(ordered) == rfc8785.dumps(entry)


def test_members_that_later_acts_have_are_logged_too() -> None:
    event = Journal(SCHOOL).viewed()
    content = json.loads(event.raw)
    content["data"]["act"]["zone"] = "a"
    content["data"]["act"]["basket"] = "b"
    later = type(event)(event.raw, content, SCHOOL, "goals", 1, 1, event.prev_hash)
    entry = entry_of(later)
    assert (entry["zone"], entry["basket"]) == ("a", "b")
    assert canonical(entry) == rfc8785.dumps(entry)


@pytest.mark.parametrize("missing", ["actor", "kind", "door", "purpose", "action", "category"])
def test_an_event_that_does_not_say_who_or_why_is_no_line(missing: str) -> None:
    event = Journal(SCHOOL).viewed()
    content = json.loads(event.raw)
    del content["data"]["act"][missing]
    with pytest.raises(Permanent):
        line_of(type(event)(event.raw, content, SCHOOL, "goals", 1, 1, event.prev_hash))


def test_what_counts_as_a_look() -> None:
    assert is_look("nl.samenkracht.network.access.viewed.v1")
    assert is_look("nl.samenkracht.audit.access.denied.v2")
    assert is_look("nl.samenkracht.notifications.notice.sent.v1")
    assert is_look("nl.samenkracht.gate.put-out.made.v1"), "a program gets data as a person sees them"
    assert not is_look("nl.samenkracht.gate.put-out.voided.v1")
    assert LOOKS | {"access.denied"} == DISCLOSURES, "a pack's report counts what the log calls a look"
    assert not is_look("nl.samenkracht.goals.goal.proposed.v1")
    assert not is_look("nonsense")
    assert line_of(Journal(SCHOOL).viewed(TEACHER)).look
