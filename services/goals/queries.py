"""What people see of goals: one child's, or one goal with its history. Scores only for who may see observations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from services.goals.model import (
    Latest,
    NoWeight,
    TScore,
    Weighed,
    divergences,
    t_score,
    together,
)
from services.goals.store import read_latest
from shared.access import Denial, Permit
from shared.events.base import NewEvent, Viewed
from shared.events.goals import Status
from shared.events.words import Action, Category, Setting
from shared.unit import Asked, Change, Query, Snapshot

PAGE = 20
"""Goals a page; the reader `read_goals` gives one more when there are more."""


class GoalsOfChild(Query):
    """A page of goals, newest first, and the T-score over all that count.

    `after` is the `next` of the page before. Without `statuses`: all but those entered in error.
    """

    about: UUID
    statuses: tuple[Status, ...] = ()
    after: UUID | None = None


class OneGoal(Query):
    """One goal with its ladder, its steps and its scores."""

    goal: UUID


def decide_goals(asked: Asked[GoalsOfChild], seen: Snapshot) -> Change:
    """Answers a page of goals; with the right to see observations, also the latest scores and the T-scores."""
    permits = _permits(asked, seen)
    result = goals_shown(asked.body.about, seen.state, shows_scores=len(permits) > 1)
    shown = sum(len(goal.get("latest", ())) for goal in result["goals"])
    return _answer(permits, "goals-of-child", (len(result["goals"]), shown), result)


def goals_shown(about: UUID, state: Mapping[str, Any], *, shows_scores: bool) -> dict[str, Any]:
    """Returns the page of goals that the reader `read_goals` gave; with scores, also the T-scores of all that count."""
    rows = state["goals"]
    page: list[dict[str, Any]] = rows[:PAGE]
    latest = [read_latest(row["latest"]) for row in page]
    if shows_scores:
        goals = [row | {"diverging": diverging(marks)} for row, marks in zip(page, latest, strict=True)]
    else:
        goals = [_without(row, "latest", "talk_suggested_at") for row in page]
    return {
        "about": str(about),
        "goals": goals,
        "next": page[-1]["id"] if len(rows) > PAGE else None,
        "scores_shown": shows_scores,
        **({"t_score": t_scores(state["weighed"])} if shows_scores else {}),
    }


def decide_goal(asked: Asked[OneGoal], seen: Snapshot) -> Change:
    """Answers one goal with its steps; with the right to see observations, also every score, wrong ones marked."""
    permits = _permits(asked, seen)
    state = seen.state
    result: dict[str, Any] = {"goal": state["goal"], "steps": state["steps"], "scores_shown": len(permits) > 1}
    if len(permits) > 1:
        latest = read_latest(state["latest"] or {})
        result |= {
            "scores": state["scores"],
            "older_scores": state["score_count"] - len(state["scores"]),
            "latest": state["latest"] or {},
            "diverging": diverging(latest),
        }
    return _answer(permits, "goal", (1, len(state["scores"])), result)


def t_scores(weighed: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Returns the T-score per setting and together, and the change since the baselines of the goals that have a score.

    Together takes each goal's median over the settings. Goals count while active, on hold or completed.
    """
    goals = [(UUID(raw["id"]), raw["weight"], raw["baseline"], read_latest(raw["latest"])) for raw in weighed]
    settings = sorted({setting for *_, latest in goals for setting in latest})
    now = [Weighed(goal, weight, together(latest)) for goal, weight, _, latest in goals]
    start = [Weighed(goal, weight, baseline) for goal, weight, baseline, latest in goals if latest]
    answer: dict[str, Any] = {
        "together": _t_json(now),
        "baseline": _t_json(start),
        "settings": {
            setting.value: _t_json(
                [Weighed(goal, weight, _level(latest, setting)) for goal, weight, _, latest in goals]
            )
            for setting in settings
        },
    }
    then, since = answer["together"]["value"], answer["baseline"]["value"]
    answer["change"] = None if then is None or since is None else round(then - since, 4)
    return answer


def _t_json(goals: Sequence[Weighed]) -> dict[str, Any]:
    problem = None
    try:
        score = t_score(goals)
    except NoWeight:
        problem = "no_weight"
        missing = tuple(goal.goal for goal in goals if goal.level is None)
        score = TScore(None, len(goals) - len(missing), missing)
    value = None if score.value is None else round(score.value, 4)
    found = {"value": value, "scored": score.scored, "missing": [str(goal) for goal in score.missing]}
    return found | ({"problem": problem} if problem else {})


def _level(latest: Latest, setting: Setting) -> int | None:
    mark = latest.get(setting)
    return None if mark is None else mark.level


def diverging(latest: Latest) -> list[dict[str, Any]]:
    """Returns the pairs of settings that diverge, as answers hold them."""
    return [
        {
            "lower": found.lower.value,
            "lower_level": found.lower_level,
            "higher": found.higher.value,
            "higher_level": found.higher_level,
        }
        for found in divergences(latest)
    ]


def _without(row: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in keys}


def _permits(asked: Asked[Any], seen: Snapshot) -> tuple[Permit, ...]:
    """Returns the permit to see goals, and the one to see observations where there is one."""
    goals = seen.require(asked, Action.VIEW, Category.GOALS)
    try:
        return goals, seen.require(asked, Action.VIEW, Category.OBSERVATIONS)
    except Denial:
        # Not refused, as nobody asked for scores by name: the answer just holds none, and says so.
        return (goals,)


def _answer(permits: tuple[Permit, ...], query: str, things: tuple[int, int], result: dict[str, Any]) -> Change:
    """Returns the Change of a query: one `Viewed` for each category that the answer holds."""
    events = tuple(
        NewEvent(Viewed(query=query, things=count), about=permit.subject, act=permit.act, producer="goals")
        for permit, count in zip(permits, things, strict=False)
    )
    return Change(permits=permits, events=events, result=result)
