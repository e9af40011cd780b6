"""Days, spans, holders, and how a consent stands."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given

from services.network.consent_state import given_spans, state_at
from services.network.model import Answer, AnswerKind, Child, Consent
from services.network.spans import FOREVER, Span, birthday, day_start, joined, without
from shared.events.network import ConsentState, Decision
from tests.network.facts import (
    AFTER,
    BEFORE,
    CHILDREN,
    CONSENTS,
    DAD,
    KIM,
    MOMENTS,
    MUM,
    NOW,
    authority,
    child,
    consent,
    said,
)

BOTH = (authority(MUM), authority(DAD))
GIVEN, REFUSED, WITHDRAWN = AnswerKind.GIVEN, AnswerKind.REFUSED, AnswerKind.WITHDRAWN


def test_days_begin_at_midnight_in_the_netherlands_in_summer_and_in_winter() -> None:
    assert day_start(date(2026, 7, 1)) == datetime(2026, 6, 30, 22, tzinfo=UTC)
    assert day_start(date(2026, 12, 1)) == datetime(2026, 11, 30, 23, tzinfo=UTC)
    assert day_start(date(2026, 10, 26)) - day_start(date(2026, 10, 25)) == timedelta(hours=25)
    assert day_start(date(2026, 3, 30)) - day_start(date(2026, 3, 29)) == timedelta(hours=23)


def test_who_was_born_on_a_leap_day_reaches_an_age_on_1_march() -> None:
    assert birthday(date(2012, 2, 29), 16) == date(2028, 2, 29)
    assert birthday(date(2012, 2, 29), 18) == date(2030, 3, 1)


def test_spans_join_and_leave_gaps() -> None:
    a, b, c, d = (NOW + timedelta(days=days) for days in range(4))
    assert joined([Span(c, d), Span(a, b), Span(b, b), Span(a, b)]) == [Span(a, b), Span(c, d)]
    assert list(without(Span(a, d), [Span(b, c)])) == [Span(a, b), Span(c, d)]
    assert list(without(Span(a, d), [Span(a, FOREVER)])) == []


@pytest.mark.parametrize(
    ("answers", "state"),
    [
        ((), ConsentState.ASKED),
        ((said(MUM),), ConsentState.ASKED),
        ((said(MUM), said(DAD)), ConsentState.GIVEN),
        ((said(MUM), said(DAD, REFUSED)), ConsentState.CONFLICTING),
        ((said(MUM, REFUSED),), ConsentState.REFUSED),
        ((said(MUM), said(DAD, WITHDRAWN)), ConsentState.WITHDRAWN),
        ((said(MUM, WITHDRAWN), said(DAD, REFUSED)), ConsentState.REFUSED),
    ],
)
def test_a_consent_is_given_only_when_every_holder_gave_it(answers: tuple[Answer, ...], state: ConsentState) -> None:
    assert state_at(consent(*answers), child(authorities=BOTH), NOW) is state


def test_an_answer_of_someone_without_authority_counts_for_nothing() -> None:
    only_mum = child(authorities=(authority(MUM), authority(DAD, scope=(Decision.PLAN,))))
    assert state_at(consent(said(MUM), said(DAD, REFUSED)), only_mum, NOW) is ConsentState.GIVEN


def test_without_any_holder_nothing_is_given() -> None:
    assert state_at(consent(), child(), NOW) is ConsentState.ASKED
    assert given_spans(consent(), child()) == []


def test_a_new_holder_who_said_nothing_ends_a_consent_from_that_moment() -> None:
    soon = NOW + timedelta(days=3)
    facts = child(authorities=(authority(MUM), authority(DAD, starts_at=soon)))
    assert given_spans(consent(said(MUM)), facts) == [Span(BEFORE, soon)]


def test_a_consent_holds_from_its_last_needed_answer_not_from_its_start() -> None:
    later = NOW - timedelta(days=1)
    facts = child(authorities=BOTH)
    assert given_spans(consent(said(MUM), said(DAD, at=later)), facts) == [Span(later, AFTER)]


def test_a_consent_holds_on_when_a_holder_who_gave_it_too_loses_authority() -> None:
    facts = child(authorities=(authority(MUM), authority(DAD, ends_at=NOW)))
    assert given_spans(consent(said(MUM), said(DAD)), facts) == [Span(BEFORE, AFTER)]


def test_what_guardians_gave_ends_at_16_and_the_young_person_decides() -> None:
    soon = date(2026, 12, 1)
    facts = child(born_on=soon.replace(year=2010), authorities=BOTH)
    assert given_spans(consent(said(MUM), said(DAD)), facts) == [Span(BEFORE, day_start(soon))]
    assert given_spans(consent(said(KIM)), facts) == [Span(day_start(soon), AFTER)]


@given(CHILDREN, CONSENTS, MOMENTS)
def test_the_spans_of_a_consent_say_what_each_moment_says(facts: Child, one: Consent, at: datetime) -> None:
    holders = facts.holders_at(at)
    known = {answer.holder: answer for answer in one.answers}
    expected = (
        one.starts_at <= at < one.ends_at
        and bool(holders)
        and all(holder in known and known[holder].answer is GIVEN and known[holder].at <= at for holder in holders)
    )
    assert any(span.holds(at) for span in given_spans(one, facts)) == expected
