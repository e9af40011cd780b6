"""The readers' JSON as the model's types, and back: what a snapshot of 0001_goals.sql holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from services.goals.model import Latest, Mark
from services.goals.suggesting import Suggestion
from shared.events.goals import Achievement, Status
from shared.events.words import Setting
from shared.unit import Row


@dataclass(frozen=True, slots=True)
class GoalState:
    """What a command has to know of a goal. `progress` is the version of its progress row, 0 when it has none."""

    id: UUID
    about: UUID
    version: int
    status: Status
    achievement: Achievement | None
    progress: int
    latest: Latest
    suggestion: Suggestion

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> GoalState:
        """Returns what the SQL function `goal_state` gave."""
        return cls(
            UUID(raw["id"]),
            UUID(raw["about"]),
            raw["version"],
            Status(raw["status"]),
            Achievement(raw["achievement"]) if raw["achievement"] else None,
            raw["progress"],
            read_latest(raw["latest"]),
            Suggestion.read(UUID(raw["id"]), UUID(raw["about"]), raw["suggestion"]),
        )

    def progress_row(self, latest: Latest) -> Row:
        """Returns the write of the goal's progress: whoever else saw the same progress decides again."""
        return Row("progress", self.id, self.progress, {"latest": latest_json(latest)})


@dataclass(frozen=True, slots=True)
class ScoreState:
    """A score that someone wants to correct."""

    version: int
    setting: Setting
    observed_on: date
    scored_by: UUID
    in_error: bool

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> ScoreState:
        """Returns what the reader `read_score` gave of the score."""
        return cls(
            raw["version"],
            Setting(raw["setting"]),
            date.fromisoformat(raw["observed_on"]),
            UUID(raw["scored_by"]),
            raw["in_error_at"] is not None,
        )


def read_mark(raw: Mapping[str, Any]) -> Mark:
    """Returns the score that a progress row or a reader tells of."""
    return Mark(
        UUID(raw["score"]),
        raw["level"],
        date.fromisoformat(raw["observed_on"]),
        datetime.fromisoformat(raw["recorded_at"]),
    )


def read_latest(raw: Mapping[str, Any]) -> Latest:
    """Returns the latest score per setting."""
    return {Setting(setting): read_mark(mark) for setting, mark in raw.items()}


def latest_json(latest: Latest) -> dict[str, dict[str, Any]]:
    """Returns `latest` as progress rows and answers hold it."""
    return {
        setting.value: {
            "score": str(mark.score),
            "level": mark.level,
            "observed_on": mark.observed_on.isoformat(),
            "recorded_at": mark.recorded_at.isoformat(),
        }
        for setting, mark in sorted(latest.items())
    }
