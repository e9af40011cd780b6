"""What is answered about conversations, and counted over them, as others read it."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from services.goals.goal_replies import Diverging
from services.goals.heard_figures import Heard
from services.goals.ics import Method
from services.goals.talk import TalkStatus
from shared.events.conversations import ConversationKind, GuidanceStep, InvitationAnswer, OutcomeKind
from shared.events.words import Role
from shared.unit import Reply


class TalkReply(Reply):
    """The conversation that it was about."""

    conversation: UUID


class TalkMovedReply(TalkReply):
    """The conversation's sequence: what people and their calendars saw of it; the next command names it."""

    sequence: int


class TalkPlannedReply(TalkMovedReply):
    """A new conversation, and the points of its agenda."""

    points: tuple[UUID, ...]


class InvitationReply(TalkReply):
    """The answer that counts now."""

    answer: InvitationAnswer


class PointReply(TalkReply):
    """A point that was put on the agenda."""

    point: UUID


class OutcomeReply(TalkReply):
    """An outcome that was written down."""

    outcome: UUID


class OutcomeSettledReply(OutcomeReply):
    """An outcome that is settled, with its version now."""

    version: int


class GuidanceReply(Reply):
    """Which version of the guidance for a step was written."""

    step: GuidanceStep
    number: int


class TalkListed(Reply):
    """A conversation. `uninvited`: who is no longer on its list; only who makes that list reads it."""

    id: UUID
    about: UUID
    kind: ConversationKind
    status: TalkStatus
    sequence: int
    starts_at: datetime
    ends_at: datetime
    place: str | None
    plan: UUID | None
    goal: UUID | None
    invited: tuple[UUID, ...]
    invited_by: UUID
    invited_at: datetime
    changed_at: datetime
    attended: tuple[UUID, ...] | None
    """None until it is held."""
    uninvited: tuple[UUID, ...] | None


class TalkShown(TalkListed):
    """A conversation by itself. `version`: of the row."""

    version: int
    why: str
    notes: str | None
    cancelled_because: str | None


class TalkSuggestedOn(Reply):
    """A conversation that has it on its agenda."""

    conversation: UUID
    starts_at: datetime


class TalkSuggested(Reply):
    """A goal that it is suggested to talk about, since when, and which conversations will."""

    goal: UUID
    statement: str
    since: datetime
    diverging: tuple[Diverging, ...]
    planned: tuple[TalkSuggestedOn, ...]


class TalksReply(Reply):
    """A page of conversations, newest first; `next` is what the next page is asked before."""

    conversations: tuple[TalkListed, ...]
    next: UUID | None
    suggested: tuple[TalkSuggested, ...]
    """For who sees goals and scores."""


class PointShown(Reply):
    """A point of an agenda."""

    id: UUID
    words: str
    goal: UUID | None
    added_by: UUID
    added_at: datetime


class InvitationShown(Reply):
    """Whether somebody comes; `sequence` tells which time and place that answered."""

    member: UUID
    version: int
    answer: InvitationAnswer
    note: str | None
    sequence: int
    answered_at: datetime


class OutcomeShown(Reply):
    """What came of a conversation: it became a goal, an action or a commitment, or was dropped."""

    id: UUID
    version: int
    kind: OutcomeKind
    words: str
    point: UUID | None
    who: tuple[UUID, ...]
    by_on: date | None
    recorded_by: UUID
    recorded_at: datetime
    became: UUID | None
    dropped_because: str | None
    settled_by: UUID | None
    settled_at: datetime | None


class HeardShown(Reply):
    """Whether the asker felt heard: their own answer."""

    id: UUID
    version: int
    answer: Heard
    words: str | None
    said_at: datetime


class GuidanceShown(Reply):
    """The words for a step. Without `written_by`: those that every school begins with."""

    step: GuidanceStep
    number: int
    prompts: tuple[str, ...]
    examples: tuple[str, ...]
    prompts_en: tuple[str, ...] | None = None
    written_by: UUID | None = None
    written_at: datetime | None = None


class OneTalkReply(Reply):
    """One conversation: its agenda, who comes, what came of it, and the guidance for where it stands."""

    conversation: TalkShown
    points: tuple[PointShown, ...]
    replies: tuple[InvitationShown, ...]
    outcomes: tuple[OutcomeShown, ...]
    my_heard: HeardShown | None
    asks_me: bool
    """Whether the asker was there and has not yet said if they felt heard."""
    guidance: tuple[GuidanceShown, ...]


class GuidancesReply(Reply):
    """The words for every step."""

    guidance: tuple[GuidanceShown, ...]


class InviteReply(TalkMovedReply):
    """A conversation as a calendar entry."""

    ics: str
    """RFC 5545."""


class CalendarEntryReply(InviteReply):
    """What a member's calendar is sent."""

    member: UUID
    about: UUID
    uid: UUID
    method: Method


class HeardFigures(Reply):
    """How many in each role felt heard, up to the end of a month (`2027-01`); of ten people or more, or nothing."""

    roles: dict[Role, dict[Heard, int]]
    until: dict[Role, str]
    smallest_group: int
    too_few: bool
    """Of some role nothing is told yet."""


class MeasureShown(Reply):
    """A goal of the school's own approach that is measured by the figures, and the level that the newest give."""

    goal: UUID
    role: Role
    thresholds: tuple[int, ...]
    scored_until: str | None
    level: int | None
    until: str | None


class HeardReply(HeardFigures):
    """The figures, and the goals that are measured by them."""

    measures: tuple[MeasureShown, ...]


class InsightReply(Reply):
    """A school's counts. Of children: None below ten, else rounded down to `children_rounded_down_to`."""

    children: dict[str, int | None]
    own_approach: dict[str, int]
    heard: HeardFigures
    smallest_group: int
    children_rounded_down_to: int
