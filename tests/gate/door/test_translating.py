"""A tool's ids: another tool has others, what was told can be named, what was not names nobody."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from services.gate.leaving import Speech
from services.gate.model import Message, Said, pseudonym
from services.gate.translating import about_of, inward, named, outward
from shared.events.words import Category

SECRET, OTHER, SCHOOL = "aa" * 32, "bb" * 32, "wilg"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.uuids().map(str),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_what_goes_out_comes_back_as_it_was_and_holds_none_of_our_ids(content: object) -> None:
    text = json.dumps(content)
    told, which = outward(text, SECRET, SCHOOL)
    assert named(json.loads(told)) == which.keys()
    assert not set(which.values()) & which.keys()
    assert inward(json.loads(told), which, SECRET) == json.loads(text)
    assert all(str(ours) not in told for ours in which.values())


@given(st.uuids())
def test_two_tools_know_nothing_by_the_same_id(ours: UUID) -> None:
    told = [outward(json.dumps(str(ours)), secret, SCHOOL)[0] for secret in (SECRET, OTHER)]
    assert told[0] != told[1]
    assert outward(json.dumps(str(ours)), SECRET, SCHOOL)[0] == told[0]
    assert UUID(json.loads(told[0])).version == 8


def test_an_id_is_mapped_wherever_it_stands() -> None:
    ours = uuid4()
    theirs = str(pseudonym(SECRET, ours))
    told, which = outward(json.dumps({str(ours): [{"a": str(ours)}, f"about {ours}!"]}), SECRET, SCHOOL)
    assert json.loads(told) == {theirs: [{"a": theirs}, f"about {theirs}!"]}
    assert which == {UUID(theirs): ours}


def test_a_school_whose_name_looks_like_a_salt_is_called_by_it() -> None:
    school, salt = "ab" * 16, "cd" * 16
    answer = json.loads(outward(json.dumps({"school": school, "salt": salt}), SECRET, school)[0])
    assert (answer["school"], answer["salt"] == salt) == (school, False)
    event = {"specversion": "1.0", "id": str(uuid4()), "type": "t", "school": school}
    said = Said.of(json.dumps({**event, "data": {"act": {}, "fact": {"salt": salt}}}))
    speech = Speech(school, "A", SECRET)
    for message in (Message.put_out(1, 1, said, uuid4(), Category.GOALS), Message.void(1, 2)):
        told = json.loads(speech.say(message, datetime(2026, 3, 29, tzinfo=UTC)).data)
        assert told["school"] == school
        assert told["data"].get("salt") != salt


def test_two_tools_can_line_up_what_they_are_answered_neither_by_hashes_nor_by_moments() -> None:
    content = {
        "hash": "ab" * 32,
        "salt": "cd" * 16,
        "again": ["ab" * 32],
        "at": "2026-11-30T01:02:03.456789Z",
        "other": "2026-11-30T01:02:03.456789+00:00",
        "on": "2026-11-30",
        "text": 'at "2026-11-30T01:02:03.456789Z", 0.456789',
    }
    one, other = (json.loads(outward(json.dumps(content), secret, SCHOOL)[0]) for secret in (SECRET, OTHER))
    for name in ("hash", "salt"):
        assert len({content[name], one[name], other[name]}) == 3
        assert len(one[name]) == len(content[name])
    assert one["again"] == [one["hash"]], "equal for equal"
    assert (one["at"], one["other"]) == ("2026-11-30T01:02:03Z", "2026-11-30T01:02:03+00:00")
    assert (one["on"], one["text"]) == (content["on"], content["text"]), "what people wrote stays"


def test_however_an_id_is_written_only_what_was_told_names_somebody() -> None:
    """A service reads an id in several forms: none of them goes past the mapping, least of all our own id."""
    ours = uuid4()
    given_id = pseudonym(SECRET, ours)
    for form in ("{}", "urn:uuid:{}", "{{{}}}", " {} "):
        assert inward({"goal": form.format(given_id)}, {given_id: ours}, SECRET) == {"goal": str(ours)}
        for written in (str(ours), ours.hex, str(ours).upper()):
            body = {"goal": form.format(written)}
            assert named(body) == {ours}
            (nowhere,) = inward(body, {given_id: ours}, SECRET).values()
            assert ours not in {UUID(nowhere), given_id}
            assert inward(body, {given_id: ours}, SECRET) == {"goal": nowhere}  # a retry is the same request
            assert inward(body, {}, OTHER) != {"goal": nowhere}


def test_texts_and_numbers_stay_as_they_are() -> None:
    body = {"note": "left at 9", "level": 1, "ok": True, "none": None, "many": [1.5, "x"]}
    assert inward(body, {}, SECRET) == body
    assert json.loads(outward(json.dumps(body), SECRET, SCHOOL)[0]) == body


def test_whom_a_request_is_about_is_what_its_ids_have_in_common() -> None:
    child, other, teacher, goal, unknown = (uuid4() for _ in range(5))
    rows = [
        (pseudonym(SECRET, goal), goal, child),
        (pseudonym(SECRET, teacher), teacher, child),
        (pseudonym(SECRET, teacher), teacher, other),
    ]
    named_ids = [pseudonym(SECRET, goal), pseudonym(SECRET, teacher), unknown]
    assert about_of(named_ids, rows) == {child}
    assert about_of([pseudonym(SECRET, teacher)], rows[1:]) == {child, other}
    itself = [*rows, (pseudonym(SECRET, other), other, other)]
    assert about_of([*named_ids, pseudonym(SECRET, other)], itself) == {other}
    assert about_of([unknown], []) == set()
