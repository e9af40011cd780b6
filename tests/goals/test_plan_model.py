"""The canonical form, the differences and the standing of items, without a database."""

from __future__ import annotations

from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.goals.plan import (
    ALLOWED,
    Answer,
    Item,
    Kind,
    PlanText,
    Standing,
    action_part,
    allowed_from,
    differences,
    holders,
    standing,
    status_of,
    stewards,
)
from services.goals.plan_queries import verifies
from shared.events.network import PolicyRule
from shared.events.plans import PlanStatus
from shared.events.words import Basis, Category, Role
from tests.goals.plans import LONG_AGO, grant
from tests.goals.support import NOW

PLAN, MUM, DAD, OTHER = (UUID(int=number, version=4) for number in range(1, 5))
ALL, ONE = PolicyRule.ALL_HOLDERS, PolicyRule.ONE_UNLESS_OBJECTION

texts = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=30)
items = st.builds(
    Item,
    id=st.integers(0, 5).map(lambda n: UUID(int=n, version=4)),
    kind=st.just(Kind.ACTION),
    salt=st.sampled_from(["aa", "bb"]),
    text=st.fixed_dictionaries({"what": texts, "until": st.just("2027-01-01"), "who": st.lists(texts, max_size=3)}),
)
plans = st.builds(
    PlanText,
    number=st.integers(1, 9),
    outlook=texts,
    items=st.lists(items, max_size=5, unique_by=lambda item: item.id).map(tuple),
    salt=st.just("cc"),
)


def item(what: str = "reads aloud", salt: str = "5a17", number: int = 9) -> Item:
    return Item(UUID(int=number), Kind.ACTION, salt, {"what": what, "who": [str(MUM)]})


def test_the_action_part_hashes_as_rfc_8785_writes_it() -> None:
    """Written out by hand: members sorted, no white space, text as it is."""
    text = PlanText(2, "not agreed to", (item("leest «hardop»"),), "ab12")
    written = (
        '{"items":[{"item":"00000000-0000-0000-0000-000000000009","kind":"action","salt":"5a17",'
        '"text":{"what":"leest «hardop»","who":["00000000-0000-4000-8000-000000000002"]}}],'
        '"number":2,"plan":"00000000-0000-4000-8000-000000000001","salt":"ab12"}'
    )
    assert text.hash(PLAN) == sha256(written.encode()).hexdigest()
    assert "not agreed to" not in str(action_part(PLAN, text))


@given(plans, st.data())
def test_one_changed_character_breaks_every_agreement_to_a_version(text: PlanText, data: st.DataObject) -> None:
    if not text.items:
        return
    chosen = data.draw(st.integers(0, len(text.items) - 1))
    answers = [_answer(text, one) for one in text.items]
    assert all(verifies(answer, PLAN, text) for answer in answers)
    old = text.items[chosen]
    place = data.draw(st.integers(0, len(old.text["what"]) - 1))
    what = old.text["what"]
    other = "x" if what[place] != "x" else "y"
    changed = Item(old.id, old.kind, old.salt, {**old.text, "what": what[:place] + other + what[place + 1 :]})
    forged = PlanText(text.number, text.outlook, (*text.items[:chosen], changed, *text.items[chosen + 1 :]), text.salt)
    assert not any(verifies(answer, PLAN, forged) for answer in answers)
    resalted = PlanText(text.number, text.outlook, text.items, text.salt + "d")
    assert not any(verifies(answer, PLAN, resalted) for answer in answers)


def _answer(text: PlanText, one: Item) -> dict[str, Any]:
    return {"hash": text.hash(PLAN), "item": str(one.id), "item_hash": one.hash, "number": text.number}


@given(plans, plans)
def test_differences_tell_exactly_what_differs_and_backwards_the_opposite(one: PlanText, other: PlanText) -> None:
    found = differences(one, other)
    old, new = ({each.id: dict(each.text) for each in text.items} for text in (one, other))
    told = {each.item: each.change for each in found if each.item is not None}
    assert set(told) == {key for key in {*old, *new} if old.get(key) != new.get(key)}
    assert {key for key, change in told.items() if change == "added"} == new.keys() - old.keys()
    assert {key for key, change in told.items() if change == "removed"} == old.keys() - new.keys()
    applied = {**old}
    for each in found:
        if each.item is not None:
            kept = {**applied.get(each.item, {}), **{name: after for name, _, after in each.fields}}
            applied[each.item] = {name: value for name, value in kept.items() if value is not None}
    assert {key: text for key, text in applied.items() if text} == new
    back = {(each.item, each.change) for each in differences(other, one)}
    opposite = {"added": "removed", "removed": "added", "changed": "changed"}
    assert back == {(each.item, opposite[each.change]) for each in found}


@given(st.lists(st.tuples(st.sampled_from([MUM, DAD, OTHER]), st.booleans(), st.booleans()), max_size=6))
def test_an_item_is_agreed_only_by_those_who_decide_and_only_in_this_wording(
    said: list[tuple[UUID, bool, bool]],
) -> None:
    newest = {(who, this): agreed for who, agreed, this in said}
    mine = item()
    answers = [Answer(who, mine.id, mine.hash if this else "other", agreed) for (who, this), agreed in newest.items()]
    deciders = frozenset({MUM, DAD})
    counts = {who: agreed for (who, this), agreed in newest.items() if this and who in deciders}
    refused = False in counts.values()
    assert (standing(mine, answers, deciders, ALL) is Standing.AGREED) == (
        set(counts.values()) == {True} and len(counts) == 2
    )
    assert (standing(mine, answers, deciders, ONE) is Standing.AGREED) == (set(counts.values()) == {True})
    for rule in (ALL, ONE):
        assert (standing(mine, answers, deciders, rule) is Standing.REFUSED) == refused


@pytest.mark.parametrize("rule", list(PolicyRule))
def test_nobody_to_agree_is_no_agreement(rule: PolicyRule) -> None:
    assert standing(item(), [], frozenset(), rule) is Standing.OPEN


def test_a_plan_is_agreed_in_part_when_something_is_and_not_all() -> None:
    yes, no, waits = Standing.AGREED, Standing.REFUSED, Standing.OPEN
    assert status_of([yes, yes]) is PlanStatus.AGREED
    assert status_of([yes, waits]) is status_of([no, yes]) is PlanStatus.AGREED_IN_PART
    assert status_of([no, waits]) is status_of([]) is PlanStatus.IN_CONSULTATION


def test_holders_decide_by_authority_or_for_themselves_and_stewards_by_task() -> None:
    parent, young = grant(MUM, Role.GUARDIAN, Basis.AUTHORITY), grant(DAD, Role.CHILD, Basis.OWN_DATA)
    teacher = grant(OTHER, Role.TEACHER, Basis.PUBLIC_TASK)
    later = grant(OTHER, Role.GUARDIAN, Basis.AUTHORITY, valid_from=NOW.replace(year=2199))
    blind = grant(OTHER, Role.GUARDIAN, Basis.AUTHORITY, categories=(Category.GOALS,))
    ended = grant(OTHER, Role.GUARDIAN, Basis.AUTHORITY).model_copy(update={"valid_until": NOW})
    assert holders([parent, young, teacher, later, blind, ended], NOW) == {MUM, DAD}
    assert holders([ended], LONG_AGO) == {OTHER}
    assert stewards([parent, teacher], NOW) == {OTHER}
    assert stewards([teacher, grant(DAD, Role.COORDINATOR, Basis.PUBLIC_TASK)], NOW) == {DAD}


def test_from_every_status_but_the_last_something_is_allowed() -> None:
    assert {status for status in PlanStatus if not allowed_from(status)} == {PlanStatus.CLOSED}
    assert all(ALLOWED.values())
