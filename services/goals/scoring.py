"""Home, school, care and child score the same ladder, each on its own; where they differ much is told as a fact."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field, field_validator

from services.goals.life import Description, Level, Paragraph, Version, refusal
from services.goals.model import (
    SCORED,
    Latest,
    Mark,
    divergences,
    new_divergences,
    settings_of,
    today,
    with_mark,
    without_mark,
)
from services.goals.store import GoalState, ScoreState, read_mark
from shared.access import Denial, Permit
from shared.errors import Problem, ProblemType
from shared.events.base import NewEvent
from shared.events.conversations import SuggestionEnd
from shared.events.goals import DivergenceSeen, ScoreCorrected, ScoreRecorded, Status
from shared.events.network import Grant
from shared.events.words import Action, Category, Setting
from shared.text import Day
from shared.unit import Asked, Change, Request, Row, Snapshot, stale


class Score(BaseModel):
    """One level on one goal's ladder, as it was seen on that day."""

    model_config = Request.model_config
    goal: UUID
    level: Level
    observed_on: Day
    note: Description | None = None


class ScoreGoal(Request, Score):
    """A score of one goal, from one setting."""

    setting: Setting


class ScoreGoals(Request):
    """Scores of one child's (or the school's own) goals from one setting: all are taken, or none."""

    about: UUID
    setting: Setting
    scores: Annotated[tuple[Score, ...], Field(min_length=1, max_length=100)]

    @field_validator("scores")
    @classmethod
    def _one_a_day(cls, given: tuple[Score, ...]) -> tuple[Score, ...]:
        if len({(score.goal, score.observed_on) for score in given}) < len(given):
            msg = "holds two scores of one goal on one day: keep the one that counts"
            raise ValueError(msg)
        return given


class CorrectScore(Request):
    """Marks a score as entered in error. With `level`, another score takes its place: same day, same setting."""

    score: UUID
    version: Version
    reason: Paragraph
    level: Level | None = None
    note: Description | None = None


@dataclass(frozen=True, slots=True)
class _Sheet:
    """One goal while scores are written on it."""

    goal: GoalState
    latest: Latest
    rows: tuple[Row, ...] = ()
    events: tuple[NewEvent, ...] = ()

    def add(
        self,
        asked: Asked[Any],
        seen: Snapshot,
        permit: Permit,
        setting: Setting,
        score: Score,
        replaces: UUID | None = None,
    ) -> _Sheet:
        """Returns the sheet with one more score."""
        made = asked.ids.time_ordered(seen.now)
        values = score.model_dump(include={"goal", "level", "observed_on", "note"}) | {
            "setting": setting,
            "scored_by": asked.actor.id,
            "role": permit.act.role,
            "recorded_at": seen.now,
            "replaces": replaces,
        }
        fact = ScoreRecorded(
            goal=score.goal, level=score.level, setting=setting, observed_on=score.observed_on, replaces=replaces
        )
        event = NewEvent(fact, about=self.goal.about, act=permit.act, thing=made)
        mark = Mark(made, score.level, score.observed_on, seen.now)
        return replace(
            self,
            latest=with_mark(self.latest, setting, mark),
            rows=(*self.rows, Row("score", made, 0, values)),
            events=(*self.events, event),
        )

    def divergences(self, permit: Permit) -> tuple[NewEvent, ...]:
        """Returns what diverges now and did not before."""
        return tuple(
            NewEvent(
                DivergenceSeen(
                    lower=found.lower,
                    lower_level=found.lower_level,
                    higher=found.higher,
                    higher_level=found.higher_level,
                ),
                about=self.goal.about,
                act=permit.act,
                thing=self.goal.id,
            )
            for found in new_divergences(self.goal.latest, self.latest)
        )


def decide_score(asked: Asked[ScoreGoal], seen: Snapshot) -> Change:
    """Writes one score from a setting that the asker's role fits."""
    permit = permit_from(asked, seen, asked.body.setting)
    goal = GoalState.read(seen.state["goal"])
    trouble = _trouble(asked.body, goal, seen)
    if trouble is not None:
        raise trouble
    return scored(asked, seen, permit, goal, asked.body.setting, asked.body)


def scored(
    asked: Asked[Any], seen: Snapshot, permit: Permit, goal: GoalState, setting: Setting, score: Score, *more: Row
) -> Change:
    """Returns the Change of one score, with what else is written with it."""
    change = _change(seen, [permit], [_Sheet(goal, goal.latest).add(asked, seen, permit, setting, score)])
    return replace(change, rows=(*change.rows, *more))


def decide_score_many(asked: Asked[ScoreGoals], seen: Snapshot) -> Change:
    """Writes a batch of scores of one subject's goals, all or none."""
    permit = permit_from(asked, seen, asked.body.setting)
    sheets = {goal.id: _Sheet(goal, goal.latest) for goal in map(GoalState.read, seen.state["goals"])}
    troubles = []
    for place, score in enumerate(asked.body.scores):
        sheet = sheets.get(score.goal)
        trouble = _trouble(score, sheet.goal if sheet else None, seen)
        if trouble is not None:
            troubles.append({"place": place, **trouble.to_json()})
        elif sheet is not None:
            sheets[score.goal] = sheet.add(asked, seen, permit, asked.body.setting, score)
    if troubles:
        raise Problem(
            ProblemType.CONFLICT,
            "nothing was written: mend or leave out the scores at these places and send the rest again",
            troubles=troubles,
        )
    return _change(seen, [permit], [sheet for sheet in sheets.values() if sheet.rows])


def decide_correct(asked: Asked[CorrectScore], seen: Snapshot) -> Change:
    """Marks a score as entered in error: one's own with the right to score, another's with the right to decide."""
    own = seen.state.get("score", {}).get("scored_by") == str(asked.actor.id)
    permit = seen.require(asked, Action.SCORE if own else Action.DECIDE, Category.GOALS)
    body, goal, found = asked.body, GoalState.read(seen.state["goal"]), ScoreState.read(seen.state["score"])
    if found.version != body.version:
        changed = [{"version": found.version, "fields": ["in_error_at", "in_error_by", "in_error_reason"]}]
        raise stale(body.version, found.version, changes=changed, replaced_by=seen.state["replaced_by"])
    if found.in_error:
        raise Problem(ProblemType.CONFLICT, "this score was entered in error already: add a new score instead")
    if goal.status is Status.ENTERED_IN_ERROR:
        raise refusal(goal.status, "correct-score")
    before = read_mark(seen.state["before"]) if seen.state["before"] else None
    values = {"in_error_by": asked.actor.id, "in_error_at": seen.now, "in_error_reason": body.reason}
    sheet = _Sheet(
        goal,
        without_mark(goal.latest, found.setting, body.score, before),
        rows=(Row("score", body.score, found.version, values),),
    )
    permits, instead = [permit], None
    if body.level is not None:
        permits.append(permit_from(asked, seen, found.setting))
        score = Score(goal=goal.id, level=body.level, observed_on=found.observed_on, note=body.note)
        sheet = sheet.add(asked, seen, permits[-1], found.setting, score, replaces=body.score)
        instead = sheet.rows[-1].id
    fact = ScoreCorrected(goal=goal.id, version=found.version + 1, setting=found.setting, replaced_by=instead)
    event = NewEvent(fact, about=goal.about, act=permit.act, thing=body.score)
    return _change(seen, permits, [replace(sheet, events=(event, *sheet.events))])


def permit_from(asked: Asked[Any], seen: Snapshot, setting: Setting) -> Permit:
    """Returns the permit to score from `setting`, on a grant whose role sees that setting; raises Denial or Problem.

    Somebody may be here in two roles (a teacher whose own child this is): each scores from its own setting.
    """
    subject = seen.require(asked, Action.SCORE, Category.GOALS).subject
    view = seen.views[subject]
    fitting = tuple(grant for grant in view.grants if setting in settings_of([grant.role]))
    try:
        return replace(seen, views={subject: replace(view, grants=fitting)}).require(
            asked, Action.SCORE, Category.GOALS
        )
    except Denial:
        own = sorted(settings_of(grant.role for grant in view.grants if _scores(grant, asked)))
        what = f"score from {' or '.join(own)} instead" if own else "ask somebody round the child to score"
        raise Problem(
            ProblemType.INVALID, f"your role does not see {setting.value}: {what}", field="setting", settings=own
        ) from None


def _scores(grant: Grant, asked: Asked[Any]) -> bool:
    return grant.member == asked.actor.id and Action.SCORE in grant.actions


def _trouble(score: Score, goal: GoalState | None, seen: Snapshot) -> Problem | None:
    if goal is None:
        return Problem(ProblemType.INVALID, "not a goal of this child or school: look the goal up again", field="goal")
    if goal.status not in SCORED:
        return refusal(goal.status, "score-goal")
    if score.observed_on > today(seen.now):
        return Problem(
            ProblemType.INVALID, "observed_on is still to come: give the day that was seen", field="observed_on"
        )
    return None


def _change(seen: Snapshot, permits: list[Permit], sheets: Iterable[_Sheet]) -> Change:
    rows: list[Row] = []
    events: list[NewEvent] = []
    for sheet in sheets:
        rows += [*sheet.rows, sheet.goal.progress_row(sheet.latest)]
        diverges = sheet.divergences(permits[-1])
        events += [*sheet.events, *diverges]
        suggestion = sheet.goal.suggestion
        if diverges and not suggestion.open:
            row, event = suggestion.opens(permits[-1], seen.now)
        elif suggestion.open and not divergences(sheet.latest):
            row, event = suggestion.ends(permits[-1], seen.now, SuggestionEnd.MET)
        else:
            continue  # nothing to suggest, or it is part of what is suggested already
        rows.append(row)
        events.append(event)
    # The reply does not say that settings diverge: who may score may not always see what others scored.
    scores = [str(row.id) for row in rows if row.table == "score" and row.seen == 0]
    return Change(permits=tuple(permits), events=tuple(events), rows=tuple(rows), reply={"scores": scores})
