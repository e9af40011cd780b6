"""Where settings see a goal far apart, a conversation is suggested: opened, folded while open, settled. Pure.

One a goal: whatever diverges while it is open is part of it. It is settled when the goal was on the agenda of a
conversation that took place, was talked about in one without, or came out of one; when the latest scores meet again; or
when the goal takes no scores any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.access import Permit
from shared.events.base import NewEvent
from shared.events.conversations import ConversationSuggested, SuggestionEnd, SuggestionSettled
from shared.unit import Row

TABLE = "talk_suggestion"
POINT = "Wat ziet ieder van ons bij dit doel? (What does each of us see in this goal?)"
"""What is put on the agenda of a conversation that is planned from a suggestion."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A goal's suggestion as it stands. `version` 0: there never was one."""

    goal: UUID
    about: UUID
    version: int = 0
    opened_at: datetime | None = None
    open: bool = False

    @classmethod
    def read(cls, goal: UUID, about: UUID, raw: Mapping[str, Any] | None) -> Suggestion:
        """Returns what the SQL function `suggestion_of` gave."""
        if raw is None:
            return cls(goal, about)
        return cls(goal, about, raw["version"], datetime.fromisoformat(raw["opened_at"]), raw["open"])

    def before(self, moment: datetime) -> bool:
        """Tells whether it stood open at a moment: what was talked about then can settle it."""
        return self.open and self.opened_at is not None and self.opened_at < moment

    def opens(self, permit: Permit, now: datetime) -> tuple[Row, NewEvent]:
        """Returns what opens it."""
        values = {"about": self.about, "opened_at": now, "settled": None, "settled_at": None, "conversation": None}
        fact = ConversationSuggested(goal=self.goal)
        row = Row(TABLE, self.goal, self.version, values)
        return row, NewEvent(fact, about=self.about, act=permit.act, thing=self.goal)

    def ends(
        self, permit: Permit, now: datetime, how: SuggestionEnd, conversation: UUID | None = None
    ) -> tuple[Row, NewEvent]:
        """Returns what settles it."""
        values = {"settled": how, "settled_at": now, "conversation": conversation}
        fact = SuggestionSettled(goal=self.goal, how=how, conversation=conversation)
        row = Row(TABLE, self.goal, self.version, values)
        return row, NewEvent(fact, about=self.about, act=permit.act, thing=self.goal)
