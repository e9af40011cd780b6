from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from pydantic import ValidationError

from shared.access import Denial
from shared.actor import Actor
from shared.errors import Problem, ProblemType
from shared.events.base import Fact
from shared.events.conversations import ConversationSuggested
from shared.events.goals import (
    AchievementRecorded,
    DivergenceSeen,
    GoalCompleted,
    GoalProposed,
    ScoreRecorded,
    Status,
)
from shared.events.words import Action, Category, Role, Setting
from tests.goals.support import OneGoalKept, body_of, grant, person, proposal
from tests.goals.test_model import LIFE

CHILD = UUID(int=1, version=4)
TEACHER, MOTHER, CARER, STRANGER, BOTH = (person(number) for number in range(11, 16))
GRANTS = (
    grant(TEACHER.id, Role.TEACHER),
    grant(MOTHER.id, Role.GUARDIAN),
    grant(CARER.id, Role.CARE_PROFESSIONAL, (Action.SCORE, Action.VIEW), (Category.GOALS,)),
    grant(BOTH.id, Role.TEACHER),
    grant(BOTH.id, Role.GUARDIAN),
)
FORBIDDEN_FIELDS = {"statement", "wording", "ladder", "note", "reason"}
ANSWERS = {
    "reject-goal": {"reason": "not now"},
    "hold-goal": {"reason": "moving house"},
    "cancel-goal": {"reason": "no longer wanted"},
    "mark-goal-in-error": {"reason": "wrong child"},
    "complete-goal": {"achievement": "achieved"},
    "assess-goal": {"achievement": "improving"},
}
MOVES = ("accept-goal", "activate-goal", "resume-goal", *ANSWERS)


def kept(status: str | None = None) -> OneGoalKept:
    goal = OneGoalKept("the-oak", CHILD, GRANTS)
    if status:
        goal.ask("propose-goal", MOTHER, proposal(CHILD, MOTHER.id))
        goal.goal["status"] = status
    return goal


def move(goal: OneGoalKept, name: str, **more: object) -> None:
    known = {"goal": goal.goal["id"], "version": goal.goal["version"]}
    goal.ask(name, TEACHER, {**known, **ANSWERS.get(name, {}), **more})


def tried(goal: OneGoalKept, name: str) -> Problem | None:
    try:
        move(goal, name)
    except Problem as problem:
        return problem
    return None


def score(goal: OneGoalKept, who: Actor, setting: str, level: int, day: str = "2026-03-01") -> None:
    body = {"goal": goal.goal["id"], "level": level, "setting": setting, "observed_on": day}
    goal.ask("score-goal", who, body)


def facts(goal: OneGoalKept) -> list[Fact]:
    assert goal.last is not None
    return [event.fact for event in goal.last.events]


def test_a_proposal_becomes_version_1_and_tells_no_words() -> None:
    goal = kept("proposed")
    (fact,) = facts(goal)
    assert isinstance(fact, GoalProposed)
    assert fact.settings == (Setting.HOME, Setting.SCHOOL)
    assert not FORBIDDEN_FIELDS & set(fact.model_dump())
    assert goal.last is not None
    assert goal.last.reply == {"goal": goal.goal["id"], "version": 1, "status": "proposed"}
    assert goal.goal["ladder"][4] == "daily, unasked"


@pytest.mark.parametrize(
    "wrong",
    [
        {"ladder": ["only", "four", "levels", "here"]},
        {"ladder": ["a", "b", "c", "d", " "]},
        {"settings": []},
        {"settings": ["home", "home"]},
        {"settings": ["child"]},
        {"baseline": 3},
        {"weight": -1},
        {"weight": "2"},
        {"target_on": "3026-01-01"},
        {"responsible": []},
        {"responsible": [MOTHER.id, MOTHER.id]},
        {"statement": "x" * 1001},
        {"statement": "a\x00b"},
        {"domain": "astrology"},
        {"name": "Sofie"},
    ],
)
def test_a_proposal_that_is_not_in_order_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        body_of("propose-goal", proposal(CHILD, MOTHER.id, **wrong))


def test_a_goal_cannot_be_due_before_today() -> None:
    with pytest.raises(Problem) as refused:
        kept().ask("propose-goal", MOTHER, proposal(CHILD, MOTHER.id, target_on="2026-03-09"))
    assert refused.value.more == {"field": "target_on"}
    assert kept().ask("propose-goal", MOTHER, proposal(CHILD, MOTHER.id, target_on="2026-03-10")).rows


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("name", MOVES)
def test_a_refused_step_names_what_is_allowed_and_those_steps_work(name: str, status: Status) -> None:
    goal = kept(status.value)
    refused = tried(goal, name)
    if refused is None:
        assert goal.goal["status"] == status or (status.value, goal.goal["status"]) in LIFE
        return
    assert goal.goal["status"] == status
    assert refused.type is ProblemType.CONFLICT
    assert name not in refused.more["allowed"]
    for allowed in refused.more["allowed"]:
        assert allowed in refused.detail
        if allowed in MOVES:
            assert tried(kept(status.value), allowed) is None


def test_completing_says_how_it_went_and_assessing_leaves_the_life_alone() -> None:
    goal = kept("active")
    move(goal, "assess-goal", achievement="worsening")
    assert (goal.goal["status"], goal.goal["achievement"]) == ("active", "worsening")
    assert isinstance(facts(goal)[0], AchievementRecorded)
    move(goal, "complete-goal", achievement="not_achieved")
    fact = facts(goal)[0]
    assert isinstance(fact, GoalCompleted)
    assert (fact.achievement, fact.previous, goal.goal["achievement"]) == ("not_achieved", "active", "not_achieved")


def test_an_old_version_is_stale_and_says_where_it_stands() -> None:
    goal = kept("proposed")
    move(goal, "accept-goal")
    with pytest.raises(Problem) as refused:
        move(goal, "activate-goal", version=1)
    assert refused.value.type is ProblemType.STALE_VERSION
    since = [{"version": 2, "status": "accepted", "fields": []}]
    assert refused.value.more == {"seen": 1, "found": 2, "status": "accepted", "changes": since}


@pytest.mark.parametrize("name", ["propose-goal", *MOVES, "score-goal"])
def test_without_a_grant_nothing_is_told_whatever_the_state(name: str) -> None:
    goal = kept("rejected")
    known = {"goal": goal.goal["id"], "version": 7}
    body = {
        "propose-goal": proposal(CHILD, STRANGER.id, target_on="2026-01-01"),
        "score-goal": {"goal": goal.goal["id"], "level": 0, "setting": "home", "observed_on": "2026-03-01"},
    }.get(name, {**known, **ANSWERS.get(name, {})})
    with pytest.raises(Denial):
        goal.ask(name, STRANGER, body)


def test_a_viewer_may_not_decide() -> None:
    goal = kept("proposed")
    with pytest.raises(Denial):
        goal.ask("accept-goal", CARER, {"goal": goal.goal["id"], "version": 1})


@pytest.mark.parametrize(
    ("who", "setting"), [(TEACHER, "school"), (MOTHER, "home"), (CARER, "care"), (BOTH, "home"), (BOTH, "school")]
)
def test_a_role_scores_from_its_own_setting(who: Actor, setting: str) -> None:
    goal = kept("active")
    score(goal, who, setting, 1)
    (fact,) = facts(goal)
    assert isinstance(fact, ScoreRecorded)
    assert fact.setting == setting
    assert goal.last is not None
    role = {"school": "teacher", "home": "guardian", "care": "care_professional"}[setting]
    assert goal.last.permits[0].act.role == role


@pytest.mark.parametrize(
    ("who", "setting", "own"),
    [(TEACHER, "home", ["school"]), (MOTHER, "care", ["home"]), (BOTH, "child", ["home", "school"])],
)
def test_another_setting_is_refused_and_the_own_one_named(who: Actor, setting: str, own: list[str]) -> None:
    with pytest.raises(Problem) as refused:
        score(kept("active"), who, setting, 1)
    assert refused.value.more["settings"] == own


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.ACTIVE, Status.ON_HOLD, Status.COMPLETED}))
def test_a_goal_that_is_not_worked_on_takes_no_score(status: Status) -> None:
    with pytest.raises(Problem, match=r"from here|nothing follows"):
        score(kept(status.value), TEACHER, "school", 1)


def test_nobody_scores_a_day_to_come_in_amsterdam() -> None:
    goal = kept("active")
    score(goal, TEACHER, "school", 1, day="2026-03-10")
    with pytest.raises(Problem, match="still to come"):
        score(goal, TEACHER, "school", 1, day="2026-03-11")


def test_two_levels_apart_is_told_once_as_a_fact_of_its_own() -> None:
    goal = kept("active")
    score(goal, MOTHER, "home", -1)
    score(goal, TEACHER, "school", 0)
    assert len(facts(goal)) == 1
    score(goal, TEACHER, "school", 1, day="2026-03-02")
    assert goal.last is not None
    assert facts(goal)[1:] == [
        DivergenceSeen(lower=Setting.HOME, lower_level=-1, higher=Setting.SCHOOL, higher_level=1),
        ConversationSuggested(goal=UUID(goal.goal["id"])),
    ]
    score(goal, TEACHER, "school", 2, day="2026-03-03")
    assert len(facts(goal)) == 1


def test_a_late_score_of_an_earlier_day_makes_no_divergence() -> None:
    goal = kept("active")
    score(goal, MOTHER, "home", 1, day="2026-03-05")
    score(goal, TEACHER, "school", 1, day="2026-03-05")
    score(goal, TEACHER, "school", -2, day="2026-02-01")
    assert len(facts(goal)) == 1


def test_a_reply_does_not_say_what_others_scored() -> None:
    goal = kept("active")
    score(goal, MOTHER, "home", -2)
    score(goal, CARER, "care", 2)
    assert goal.last is not None
    assert set(goal.last.reply) == {"scores"}
    assert len(goal.last.events) == 3


class LifeOfAGoal(RuleBasedStateMachine):
    """Any commands in any order: a goal's status only ever moves as DOMAIN.md says, and versions never skip."""

    @initialize()
    def propose(self) -> None:
        self.kept = kept("proposed")
        self.was = "proposed"
        self.version = 1

    @rule(name=st.sampled_from(MOVES))
    def step(self, name: str) -> None:
        refused = tried(self.kept, name)
        if refused is None:
            self.version += 1
        else:
            assert refused.type is ProblemType.CONFLICT
            assert name not in refused.more["allowed"]

    @rule(who=st.sampled_from([(TEACHER, "school"), (MOTHER, "home"), (CARER, "care")]), level=st.integers(-2, 2))
    def score(self, who: tuple[Actor, str], level: int) -> None:
        scorable = self.kept.goal["status"] in {"active", "on_hold", "completed"}
        try:
            score(self.kept, *who, level)
        except Problem:
            assert not scorable
        else:
            assert scorable

    @precondition(lambda self: self.version > 1)
    @rule(name=st.sampled_from(MOVES))
    def step_from_an_old_version(self, name: str) -> None:
        with pytest.raises(Problem) as refused:
            move(self.kept, name, version=self.version - 1)
        assert refused.value.type is ProblemType.STALE_VERSION

    @invariant()
    def only_moves_as_life_allows(self) -> None:
        now = self.kept.goal["status"]
        assert now == self.was or (self.was, now) in LIFE
        assert self.kept.goal["version"] == self.version
        assert (now == "completed") <= (self.kept.goal["achievement"] is not None)
        self.was = now


LifeOfAGoal.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestLifeOfAGoal = LifeOfAGoal.TestCase
