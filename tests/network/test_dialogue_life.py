"""The life of a dialogue against a reference written apart: same answers, standing, readers and reminders."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shared.access import Denial
from shared.errors import Problem, ProblemType
from shared.events.dialogue import Kept, Response, ReviewDue, ReviewOverdue
from tests.network.dialogue_reference import PARENTS, Proposal, Talk, Word
from tests.network.tabletop import CAST, ID, KIM, NAME, TEAM, Tabletop

WHO = st.sampled_from(sorted(CAST))
DAYS = st.sampled_from([None, 0, 3, 9, 20])
MOSTLY_FORTH = st.sampled_from([Response.ACCEPTED, Response.PROPOSED, Response.PROPOSED, Response.DECLINED])
LATE = st.none() | st.integers(-3, 20)


class Dialogue(RuleBasedStateMachine):
    """Everyone of the cast tries everything, mostly in turn; days pass, and reviews are looked up now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.top: Tabletop
        self.team: set[str]
        self.count = 0
        self.talk: Talk
        self.dialogue = ""

    def _words(self) -> str:
        self.count += 1
        return f"woord {self.count}"

    def _day(self, days: int | None) -> date | None:
        return None if days is None else self.top.today + timedelta(days=days)

    @initialize(
        author=WHO,
        asked=st.none() | WHO,
        school=st.booleans(),
        promise=st.booleans(),
        opened=st.booleans(),
        by=DAYS,
        review=DAYS,
        dad_teaches=st.booleans(),
    )
    def begins(
        self,
        author: str,
        asked: str | None,
        school: bool,
        promise: bool,
        opened: bool,
        by: int | None,
        review: int | None,
        dad_teaches: bool,
    ) -> None:
        """Someone voices it; whom it can't be addressed to is refused, and then the teacher asks a parent."""
        self.top = Tabletop(date(2027, 3, 20), dad_teaches=dad_teaches)
        self.team = TEAM | {"dad"} if dad_teaches else TEAM
        impossible = (
            asked == author
            or (school and (author not in self.team or asked is None))
            or (asked in PARENTS and author in PARENTS)
        )
        if promise and by is None:
            by = 5
        args = (author, asked, school, promise, opened, self._day(by), self._day(review))
        if impossible:
            with pytest.raises(Problem, match="invalid"):
                self._voice(*args)
            author, asked, school = "juf", "mum", False
            args = ("juf", "mum", False, promise, opened, self._day(by), self._day(review))
        words, reply = self._voice(*args)
        self.dialogue = reply
        proposal = Proposal(self._day(by), self._day(by if promise and review is None else review))
        self.talk = Talk(author, asked, school, promise, opened, self.team, [(author, words, opened)], [proposal])
        if promise and proposal.by:
            self.talk.state, self.talk.waits = "agreed", None
            self.talk.word = Word(proposal.by, proposal.review or proposal.by)

    def _voice(
        self,
        author: str,
        asked: str | None,
        school: bool,
        promise: bool,
        opened: bool,
        by: date | None,
        review: date | None,
    ) -> tuple[str, str]:
        words = self._words()
        to = {"members": [ID[asked]]} if asked else {"settings": ["school"]}
        body = {"about": KIM, "words": words, "for_school": school, "open": opened, "by_on": by, "review_on": review}
        name, more = ("make-commitment", {}) if promise else ("voice-expectation", {"why": words})
        reply = self.top.ask(name, author, **body, **to, **more)
        (one,) = reply["dialogues"]
        return words, one["dialogue"]

    def _row(self) -> dict[str, object]:
        (row,) = self.top.tables["dialogue"].values()
        return row

    def _does(self, name: str, who: str, expected: str, **body: object) -> None:
        try:
            self.top.ask(name, who, dialogue=self.dialogue, version=self._row()["version"], **body)
            found = "ok"
        except Denial:
            found = "forbidden"
        except Problem as problem:
            found = "no" if problem.type in {ProblemType.INVALID, ProblemType.CONFLICT} else problem.type.value
        assert found == expected, (name, who, body)

    def _of(self, who: str, *sides: str | None) -> str:
        """Someone of one of these sides (`who` picks), or whoever it was when there is nobody."""
        fitting = [one for one in CAST if self.talk.side(one) in sides]
        return fitting[ID[who].int % len(fitting)] if fitting else who

    def _answers(self, who: str, kind: Response, words: str, opened: bool, *days: int | None) -> None:
        by, review = map(self._day, days)
        expected = self.talk.answer(who, kind.value, words, opened, by, review, self.top.today)
        body = {"answer": kind, "words": words or None, "open": opened, "by_on": by, "review_on": review}
        self._does("answer-expectation", who, expected, **body)

    @rule(who=WHO, kind=st.sampled_from(Response), says=st.booleans(), opened=st.booleans(), by=LATE, review=LATE)
    def anyone_answers(
        self, who: str, kind: Response, says: bool, opened: bool, by: int | None, review: int | None
    ) -> None:
        self._answers(who, kind, self._words() if says else "", opened, by, review)

    @precondition(lambda self: self.talk.state == "open")
    @rule(who=WHO, kind=MOSTLY_FORTH, opened=st.booleans(), by=DAYS, review=DAYS)
    def who_is_waited_for_answers(
        self, who: str, kind: Response, opened: bool, by: int | None, review: int | None
    ) -> None:
        self._answers(self._of(who, self.talk.waits), kind, self._words(), opened, by, review)

    @precondition(lambda self: self.talk.state == "open")
    @rule(who=WHO)
    def who_is_waited_for_accepts_it_as_it_is(self, who: str) -> None:
        self._answers(self._of(who, self.talk.waits), Response.ACCEPTED, "", False, None, None)

    @precondition(lambda self: self.talk.state in ("declined", "closed"))
    @rule(who=WHO, opened=st.booleans(), by=DAYS, review=DAYS)
    def either_takes_it_up_again(self, who: str, opened: bool, by: int | None, review: int | None) -> None:
        self._answers(self._of(who, "asking", "asked"), Response.PROPOSED, self._words(), opened, by, review)

    def _takes_back(self, who: str, words: str, opened: bool) -> None:
        expected = self.talk.take_back(who, words, opened)
        self._does("withdraw-expectation", who, expected, words=words or None, open=opened)

    @rule(who=WHO, ends=st.integers(0, 4), says=st.booleans(), opened=st.booleans())
    def anyone_takes_back(self, who: str, ends: int, says: bool, opened: bool) -> None:
        if ends == 0 or self.talk.side(who) != "asking":  # else hardly any dialogue would get far
            self._takes_back(who, self._words() if says else "", opened)

    @precondition(lambda self: self.talk.waits == "asking" or (self.talk.word and not self.talk.promise))
    @rule(who=WHO, says=st.booleans(), opened=st.booleans())
    def the_asked_side_takes_its_own_back(self, who: str, says: bool, opened: bool) -> None:
        self._takes_back(self._of(who, "asked"), self._words() if says or self.talk.state == "open" else "", opened)

    @precondition(lambda self: self.talk.state == "agreed")
    @rule(who=WHO, in_turn=st.booleans(), outcome=st.sampled_from(Kept), opened=st.booleans())
    def reviews(self, who: str, in_turn: bool, outcome: Kept, opened: bool) -> None:
        who, words = self._of(who, "asking", "asked") if in_turn else who, self._words()
        expected = self.talk.review(who, outcome.value, words, opened)
        self._does("review-commitment", who, expected, outcome=outcome, words=words, open=opened)

    @rule(who=WHO, opened=st.booleans())
    def remarks(self, who: str, opened: bool) -> None:
        words = self._words()
        self._does("remark", who, self.talk.remark(who, words, opened), words=words, open=opened)

    @rule(who=WHO, in_turn=st.booleans(), member=WHO, welcome=st.booleans())
    def invites(self, who: str, in_turn: bool, member: str, welcome: bool) -> None:
        who = self._of(who, "asking", "asked") if in_turn else who
        half = sorted(one for one, by in self.talk.wanted.items() if len(by) == 1)
        if in_turn and half:  # what one side wants, the other agrees to
            member, missing = half[0], {"asking", "asked"} - self.talk.wanted[half[0]]
            who = self._of(who, *missing)
        expected = self.talk.invite(who, member, welcome)
        self._does("invite-companion", who, expected, member=ID[member], welcome=welcome)

    @rule(days=st.integers(1, 9), looks=st.booleans())
    def days_pass(self, days: int, looks: bool) -> None:
        self.top.today += timedelta(days=days)
        if looks:
            self.talk.remind(self.top.today)
            self.top.ask("remind-reviews", "network")

    @rule(who=WHO)
    def comes_with_an_old_version(self, who: str) -> None:
        old = int(str(self._row()["version"])) - 1
        with pytest.raises(Problem if self.talk.whole(who) else Denial) as caught:
            self.top.ask("remark", who, dialogue=self.dialogue, version=old, words="te laat")
        problem = caught.value
        assert isinstance(problem, Denial) or (
            isinstance(problem, Problem) and problem.type is ProblemType.STALE_VERSION
        )

    @invariant()
    def it_stands_as_the_reference_says(self) -> None:
        row = self._row()
        assert (row["state"], row["turn_of"]) == (self.talk.state, self.talk.waits)
        assert row["last"] == len(self.talk.said) - 1
        on_table = next((t for t in self.top.tables["turn"].values() if t["number"] == row["proposal"]), None)
        days = on_table or next(iter(self.top.tables["expectation"].values()))
        proposal = self.talk.table[-1]
        assert [days["by_on"], days["review_on"]] == [day and str(day) for day in (proposal.by, proposal.review)]
        standing = [one for one in self.top.tables["commitment"].values() if one["state"] == "standing"]
        word = [] if self.talk.word is None else [(str(self.talk.word.by), str(self.talk.word.review))]
        assert [(one["by_on"], one["review_on"]) for one in standing] == word

    @invariant()
    def each_reads_what_the_reference_says(self) -> None:
        for who in CAST:
            shown = self.top.ask("expectations", who, about=KIM, purpose="guidance")["expectations"]
            words = {one["words"] for one in shown} | {turn["words"] for one in shown for turn in one["turns"]}
            assert words - {None} == self.talk.readable(who), who
            writers = {turn["person"] for one in shown for turn in one["turns"]} | {one["author"] for one in shown}
            assert who not in PARENTS or not {NAME[one] for one in ID.values() if str(one) in writers} & PARENTS - {who}

    @invariant()
    def each_review_was_told_once(self) -> None:
        told = Counter(
            (fact.commitment, type(fact)) for fact in self.top.facts if isinstance(fact, ReviewDue | ReviewOverdue)
        )
        assert all(count == 1 for count in told.values())
        every = [*self.talk.kept, *([self.talk.word] if self.talk.word else [])]
        assert len(told) == sum(len(one.told) for one in every)


TestDialogue = Dialogue.TestCase
TestDialogue.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
