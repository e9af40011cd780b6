"""What auditors and parents ask beside who looked, on a real database."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import pytest

from services.audit.story import Language, held_back, sentences
from shared.errors import Problem
from shared.events.base import Fact, Viewed
from shared.events.emergencies import EmergencyReviewed, EmergencyStarted, ReviewOutcome
from shared.events.membership import MemberAdded
from shared.events.network import Capacity, ConsentAsked, ConsentGiven, ConsentState, ConsentWithdrawn, RecipientKind
from shared.events.words import Action, Basis, Category, Outcome, Purpose, Role
from tests.audit.support import (
    AUDITOR,
    CARER,
    CHILD,
    MOTHER,
    NOW,
    OTHER_CHILD,
    STRANGER,
    TEACHER,
    Journal,
    Log,
    act,
    pseudonym,
)

CONSENT, FATHER = pseudonym(60), pseudonym(61)
DAY = timedelta(days=1)


def consent(version: int, state: ConsentState, **more: object) -> dict[str, Any]:
    return {
        "consent": CONSENT,
        "consent_version": version,
        "for_purpose": Purpose.CARE_COORDINATION,
        "recipient_kind": RecipientKind.MEMBER,
        "recipient": CARER,
        "categories": (Category.GOALS,),
        "notice_version": 1,
        "starts_at": NOW,
        "ends_at": NOW + 100 * DAY,
        "state": state,
        **more,
    }


def answered() -> Journal:
    """Consent is asked on 10 March, given on the 12th, and withdrawn on the 20th; the last is recorded a day later."""
    journal, said = Journal("t"), {"giver": MOTHER, "capacity": Capacity.AUTHORITY_HOLDER}
    journal.producer = "network"
    journal.add(ConsentAsked(**consent(1, ConsentState.ASKED)), act(), thing=CONSENT)
    journal.at = NOW + 2 * DAY
    journal.add(ConsentGiven(**consent(2, ConsentState.GIVEN, **said)), act(MOTHER), thing=CONSENT)
    journal.at = NOW + 10 * DAY
    late = (NOW + 11 * DAY).isoformat().replace("+00:00", "Z")
    withdrawn = ConsentWithdrawn(**consent(3, ConsentState.WITHDRAWN, **said))
    journal.add(withdrawn, act(MOTHER), thing=CONSENT, recordedat=late)
    return journal


async def told(log: Log, **asked: object) -> list[tuple[int, str]]:
    body = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asked.items()}
    found = await log.ask("consents", AUDITOR, child=CHILD, **body)
    return [(one["version"], one["state"]) for one in found["consents"]]


@pytest.fixture
async def consented(log: Log) -> Log:
    journal = answered()
    journal.school = log.school
    again = Journal(log.school, "network")
    for event in journal.events:
        again.at = event.occurred_at - timedelta(minutes=1)
        facts: dict[int, type[Fact]] = {1: ConsentAsked, 2: ConsentGiven, 3: ConsentWithdrawn}
        more = {"recordedat": event.content["recordedat"]}
        again.add(event.fact(facts[event.seq]), event.act, thing=CONSENT, **more)
    await log.settle()
    await log.log(again.events)
    return log


async def test_consents_are_shown_as_they_stood_on_a_date(consented: Log) -> None:
    assert await told(consented, on=NOW) == []
    assert await told(consented, on=NOW + DAY) == [(1, "asked")]
    assert await told(consented, on=NOW + 3 * DAY) == [(2, "given")]
    assert await told(consented, on=NOW + 12 * DAY) == [(3, "withdrawn")]
    assert await told(consented, on=NOW + 300 * DAY) == [(3, "withdrawn, not in its period")]


async def test_and_as_was_known_on_a_date(consented: Log) -> None:
    then = NOW + 10 * DAY + timedelta(hours=1)
    assert await told(consented, on=then) == [(3, "withdrawn")], "it had happened"
    assert await told(consented, on=then, known=then) == [(2, "given")], "and was not recorded yet"
    answer = await consented.ask("consents", MOTHER, child=CHILD)
    (one,) = answer["consents"]
    assert one["answers"][0]["giver"] == str(MOTHER)
    assert (one["purpose"], one["categories"], one["recipient"]) == ("care_coordination", ["goals"], str(CARER))


async def test_an_answer_has_its_own_moment_whatever_its_giver_did_later(log: Log) -> None:
    """The mother says yes on paper, which the school notes; later she asks about the same consent herself."""
    await log.settle()
    journal = Journal(log.school, "network")
    journal.add(ConsentAsked(**consent(1, ConsentState.ASKED)), act(), thing=CONSENT)
    said = {"giver": MOTHER, "capacity": Capacity.AUTHORITY_HOLDER}
    given = journal.add(ConsentGiven(**consent(2, ConsentState.GIVEN, **said)), act(TEACHER), thing=CONSENT)
    journal.at = NOW + 3 * DAY
    journal.add(ConsentAsked(**consent(2, ConsentState.GIVEN)), act(MOTHER), thing=CONSENT)
    await log.log(journal.events)
    (one,) = (await log.ask("consents", AUDITOR, child=CHILD))["consents"]
    assert [answer["at"] for answer in one["answers"]] == [given.occurred_at.isoformat()]


async def test_a_guardian_is_shown_no_other_guardians_answer(log: Log) -> None:
    await log.settle()
    journal = Journal(log.school, "network")
    for who in (MOTHER, FATHER):
        part = {"membership": pseudonym(80), "member": who, "role": Role.GUARDIAN, "starts_at": NOW}
        journal.add(MemberAdded(**part), act())
    journal.add(ConsentAsked(**consent(1, ConsentState.ASKED)), act(), thing=CONSENT)
    for version, who in ((2, MOTHER), (3, FATHER)):
        said = {"giver": who, "capacity": Capacity.AUTHORITY_HOLDER}
        journal.add(ConsentGiven(**consent(version, ConsentState.GIVEN, **said)), act(who), thing=CONSENT)
    await log.log(journal.events)
    for who, givers in ((MOTHER, [MOTHER]), (AUDITOR, [MOTHER, FATHER])):
        (one,) = (await log.ask("consents", who, child=CHILD))["consents"]
        assert sorted(answer["giver"] for answer in one["answers"]) == sorted(map(str, givers))


async def test_every_emergency_is_shown_with_its_review_or_that_nobody_did_it(log: Log) -> None:
    await log.settle()
    journal = Journal(log.school, "network")
    kinds = (Category.CARE,)
    for n, child in enumerate((CHILD, OTHER_CHILD)):
        journal.at = NOW + n * DAY
        fact = EmergencyStarted(
            emergency=pseudonym(70 + n), member=TEACHER, role=Role.TEACHER, categories=kinds,
            starts_at=journal.at, ends_at=journal.at + timedelta(hours=1),
        )  # fmt: skip
        journal.add(fact, act(basis=Basis.VITAL_INTEREST, emergency=True), child, pseudonym(70 + n))
    reviewed = EmergencyReviewed(emergency=pseudonym(70), member=TEACHER, outcome=ReviewOutcome.NOT_JUSTIFIED)
    journal.add(reviewed, act(STRANGER), CHILD, pseudonym(70))
    await log.log(journal.events)
    found = (await log.ask("break-glass"))["emergencies"]
    assert [one["child"] for one in found] == [str(OTHER_CHILD), str(CHILD)], "newest first"
    assert found[0]["review"] is None
    assert found[0]["overdue"], "its three days are long over"
    assert (found[1]["review"]["outcome"], found[1]["review"]["by"]) == ("not_justified", str(STRANGER))
    assert found[1]["review"]["in_time"]
    first = await log.ask("break-glass", limit=1)
    second = await log.ask("break-glass", limit=1, before=first["next"])
    assert [one["child"] for one in second["emergencies"]] == [str(CHILD)]
    own = await log.ask("break-glass", MOTHER, child=CHILD)
    assert [one["child"] for one in own["emergencies"]] == [str(CHILD)]
    with pytest.raises(Problem):
        await log.ask("break-glass", MOTHER)


async def test_exports_are_shown_by_page(log: Log) -> None:
    await log.settle()
    journal = Journal(log.school)
    for n in range(5):
        journal.viewed(action=Action.EXPORT if n % 2 == 0 else Action.VIEW)
    await log.log(journal.events)
    first = await log.ask("exports", limit=2)
    assert [line["seq"] for line in first["lines"]] == [5, 3]
    second = await log.ask("exports", limit=2, before=first["next"])
    assert ([line["seq"] for line in second["lines"]], second["next"]) == ([1], None)


async def test_a_look_at_the_log_is_a_line_and_is_shown(log: Log) -> None:
    await log.settle()
    await log.log(Journal(log.school).many(3))
    await log.ask("tail")
    with pytest.raises(Problem):
        await log.ask("tail", MOTHER)
    await log.log(await log.journaled())
    found = await log.ask("log-looks")
    assert [(line["actor"], line["outcome"]) for line in found["lines"]] == [
        (str(MOTHER), "denied"),
        (str(AUDITOR), "permitted"),
    ]
    only = await log.ask("log-looks", who=AUDITOR)
    assert [line["what"] for line in only["lines"]] == ["tail"]
    assert [len((await log.ask("log-looks", category=one))["lines"]) for one in ("log", "goals")] == [2, 0]


# The story -----------------------------------------------------------------------------------------------------------


def line(idx: int = 0, **more: object) -> dict[str, Any]:
    base = {
        "idx": idx,
        "type": "nl.samenkracht.goals.access.viewed.v1",
        "occurred_at": "2026-11-03T09:00:00.000000Z",
        "actor": str(CARER),
        "role": "school_social_worker",
        "category": "goals",
        "purpose": "guidance",
        "basis": "public_task",
        "outcome": "permitted",
    }
    return base | more


def tell(one: dict[str, Any], language: Language, reader: Any = MOTHER) -> str:  # noqa: ANN401  an id
    return str(sentences([one], answered().events, reader, language)[0]["sentence"])


def test_a_look_is_told_with_who_what_when_why_and_on_what_ground() -> None:
    assert tell(line(), Language.DUTCH) == (
        "De schoolmaatschappelijk werker keek op 3 november 2026 naar de doelen, om uw kind te begeleiden, "
        "omdat dat hoort bij het werk van school."
    )
    assert tell(line(), Language.ENGLISH) == (
        "The school social worker looked at the goals on 3 November 2026, to guide your child, "
        "because it is part of the school's work."
    )


def test_a_look_by_consent_tells_when_it_was_given_and_by_whom() -> None:
    one = line(basis="consent", consent=str(CONSENT), consent_version=2, role="care_professional")
    assert tell(one, Language.DUTCH).endswith("omdat u daarvoor op 12 maart 2026 toestemming gaf.")
    assert tell(one, Language.ENGLISH).endswith("because you consented on 12 March 2026.")
    assert tell(one, Language.ENGLISH, TEACHER).endswith("because consent was given on 12 March 2026.")


def test_a_refusal_one_s_own_look_and_a_message_are_told_as_what_they_are() -> None:
    assert tell(line(outcome="denied", role=None), Language.DUTCH) == (
        "Iemand wilde op 3 november 2026 kijken naar de doelen. Dat mocht niet en is niet gebeurd."
    )
    assert tell(line(actor=str(MOTHER)), Language.DUTCH).startswith("U keek op 3 november 2026 naar de doelen")
    sent = line(type="nl.samenkracht.notifications.notice.sent.v1", role="guardian")
    assert tell(sent, Language.ENGLISH) == "A parent or carer got a message about the goals on 3 November 2026."


def test_what_a_program_is_given_is_told_as_that_and_on_what_ground() -> None:
    more: dict[str, Any] = {"role": "local_tool", "basis": "consent", "purpose": "local_tool"}
    more |= {"consent": str(CONSENT), "consent_version": 2}
    given = line(type="nl.samenkracht.gate.put-out.made.v1", **more)
    assert tell(given, Language.DUTCH) == (
        "Een programma van school kreeg op 3 november 2026 de doelen, "
        "omdat u daarvoor op 12 maart 2026 toestemming gaf."
    )
    assert tell(given, Language.ENGLISH) == (
        "One of the school's programs was given the goals on 3 November 2026, because you consented on 12 March 2026."
    )
    other = given | {"purpose": "care_coordination"}
    assert "to coordinate the help, because you consented" in tell(other, Language.ENGLISH)


def test_whoever_looked_reads_of_their_own_data_and_the_platform_is_called_that() -> None:
    own = line(actor=str(MOTHER), purpose="own_data", basis="own_data")
    assert tell(own, Language.ENGLISH).endswith("to see your own data, because it is about your own data.")
    assert tell(own, Language.DUTCH).endswith("om uw eigen gegevens te bekijken, omdat het om uw eigen gegevens gaat.")
    assert "to see their own data" in tell(own, Language.ENGLISH, TEACHER)
    assert tell(line(role=None, kind="service"), Language.DUTCH).startswith("Het platform zelf keek op 3 november 2026")
    tried = line(role=None, kind="tool", outcome="denied")
    assert tell(tried, Language.ENGLISH).startswith("One of the school's programs wanted to look at the goals")
    assert tell(line(role=None, kind="person"), Language.ENGLISH).startswith("Someone looked")


@pytest.mark.parametrize("language", Language)
def test_a_young_person_is_not_told_of_a_child_of_theirs(language: Language) -> None:
    for role in Role:
        for purpose in Purpose:
            for basis in Basis:
                one = line(role=role, category="network", purpose=purpose, basis=basis, about=str(CHILD))
                told_so = tell(one, language, CHILD)
                assert not any(words in told_so for words in ("your child,", "uw", "het kind", "the child"))
                assert "U " not in told_so


def test_dutch_says_u_to_parents_and_je_to_a_young_person() -> None:
    own: dict[str, Any] = {"purpose": "own_data", "basis": "own_data", "about": str(CHILD)}
    for reader, u in ((MOTHER, True), (CHILD, False)):
        texts = [tell(line(actor=str(reader), **own), Language.DUTCH, reader)]
        texts += [tell(line(about=str(CHILD), purpose=one), Language.DUTCH, reader) for one in Purpose]
        texts += held_back([{"ground": "supervision", "ends_at": NOW.isoformat()}], Language.DUTCH, young=not u)
        wrong = {"je", "jij", "jou", "jouw"} if u else {"u", "uw"}
        said = set(re.findall(r"[a-z]+", " ".join(texts).lower()))
        assert not said & wrong
        assert said & ({"u", "uw"} if u else {"je", "jij", "jou"}), "control"


def test_what_was_tried_or_taken_along_is_not_told_as_a_look() -> None:
    tried = line(outcome="denied", action="propose")
    assert tell(tried, Language.DUTCH) == (
        "De schoolmaatschappelijk werker wilde op 3 november 2026 iets veranderen in de doelen. "
        "Dat mocht niet en is niet gebeurd."
    )
    assert "wanted to change something in the goals on 3 November 2026." in tell(tried, Language.ENGLISH)
    taken = line(action="export")
    assert tell(taken, Language.DUTCH).startswith(
        "De schoolmaatschappelijk werker nam op 3 november 2026 een kopie mee van de doelen, "
    )
    assert tell(taken, Language.ENGLISH).startswith(
        "The school social worker took a copy of the goals along on 3 November 2026, "
    )
    wanted = line(action="export", outcome="denied")
    assert "wanted to take a copy of the goals along on 3 November 2026." in tell(wanted, Language.ENGLISH)


def test_a_look_rests_on_the_yes_that_stood_then_and_on_no_older_one() -> None:
    """The mother said yes; it was asked anew, and only the father said yes to that."""
    journal = answered()
    del journal.events[-1]  # nothing is withdrawn
    journal.at = NOW + 4 * DAY
    journal.add(ConsentAsked(**consent(3, ConsentState.ASKED)), act(), thing=CONSENT)
    said = {"giver": FATHER, "capacity": Capacity.AUTHORITY_HOLDER}
    journal.add(ConsentGiven(**consent(4, ConsentState.GIVEN, **said)), act(FATHER), thing=CONSENT)

    def why(version: int, reader: Any) -> str:  # noqa: ANN401  an id
        one = line(basis="consent", consent=str(CONSENT), consent_version=version)
        return str(sentences([one], journal.events, reader, Language.ENGLISH)[0]["sentence"]).rpartition(", ")[2]

    assert why(2, MOTHER) == "because you consented on 12 March 2026."
    assert why(4, MOTHER) == "because consent was given on 14 March 2026."
    assert why(4, FATHER) == "because you consented on 14 March 2026."


@pytest.mark.parametrize("language", Language)
def test_every_word_of_the_lists_can_be_told(language: Language) -> None:
    for role in Role:
        for category in Category:
            assert tell(line(role=role, category=category), language).endswith(".")
    for purpose in Purpose:
        for basis in Basis:
            told_so = tell(line(purpose=purpose, basis=basis, consent=str(CONSENT)), language)
            assert "_" not in told_so, "no code is told"
    for outcome in Outcome:
        assert "None" not in tell(line(outcome=outcome), language)
    unknown = ("another purpose", "een ander doel", "iemand keek", "someone looked", "naar gegevens", "at data")
    assert not any(words in tell(line(), language) for words in unknown)


async def test_a_guardian_asks_for_the_story_and_nobody_else(consented: Log) -> None:
    journal = Journal(consented.school)
    journal.at = NOW + 3 * DAY
    journal.viewed(CARER, basis=Basis.CONSENT, consent=CONSENT, consent_version=2, role=Role.CARE_PROFESSIONAL)
    await consented.log(journal.events)
    answer = await consented.ask("story", MOTHER, child=CHILD, language="en")
    (one,) = answer["sentences"]
    assert one["sentence"] == (
        "The care professional looked at the goals on 13 March 2026, to guide your child, "
        "because you consented on 12 March 2026."
    )
    for who, child in ((AUDITOR, CHILD), (MOTHER, OTHER_CHILD), (STRANGER, CHILD)):
        with pytest.raises(Problem):
            await consented.ask("story", who, child=child)
    looks = [event for event in await consented.journaled() if event.is_a(Viewed)]
    assert looks[0].fact(Viewed).query == "story"
