"""What is answered about expectations and commitments, as others read it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from services.network.dialogue import Reads, Reminded, Standing, TurnKind
from services.network.member_replies import MayTakeAway
from shared.events.dialogue import DialogueState, Kept, Party
from shared.events.words import Setting
from shared.unit import Reply


class DialogueBegun(Reply):
    """A dialogue with one asked side: a member, or the team of a setting."""

    dialogue: UUID
    version: int
    member: UUID | None
    setting: Setting | None


class ExpectationReply(Reply):
    """An expectation or promise that was voiced, and the dialogues that it began."""

    expectation: UUID
    dialogues: tuple[DialogueBegun, ...]


class DialogueReply(Reply):
    """A dialogue as it stands now."""

    dialogue: UUID
    version: int
    state: DialogueState


class CompanionReply(DialogueReply, MayTakeAway):
    """A dialogue, and whether the member is in it now: both sides must ask. `revision`: grants were published anew."""

    joined: bool
    revision: int | None = None


class RemindedReviewsReply(Reply):
    """In how many dialogues a review was told of."""

    dialogues: int


class VoiceFields(Reply):
    """What its author expects or promises, and of whom: a member, or the team of a setting."""

    expectation: UUID
    promise: bool
    author: UUID
    author_name: str | None
    for_school: bool
    words: str
    why: str | None
    talk_on: date | None
    by_on: date | None
    review_on: date | None
    open: bool
    """Everybody round the child may read it."""
    voiced_at: datetime
    member: UUID | None
    member_name: str | None
    setting: Setting | None


class TurnShown(Reply):
    """What someone said, and for which side; None: as a companion."""

    number: int
    party: Party | None
    person: UUID
    person_name: str | None
    kind: TurnKind
    words: str | None
    by_on: date | None
    review_on: date | None
    outcome: Kept | None
    open: bool
    at: datetime


class CommitmentShown(Reply):
    """What was agreed: `proposal` is the turn that says what, 0 for the expectation itself. How each side saw it go."""

    commitment: UUID
    proposal: int
    carrier: Party
    by_on: date
    review_on: date
    state: Standing
    asking: Kept | None
    asked: Kept | None
    reminded: Reminded


class CompanionShown(Reply):
    """A member whom one side or both asked in."""

    member: UUID
    member_name: str | None
    by: tuple[Party, ...]
    joined: bool


class DialogueShown(VoiceFields):
    """A dialogue. `reads` says how much: of an `opened` one only what its authors opened, and not how it stands."""

    dialogue: UUID
    reads: Reads
    turns: tuple[TurnShown, ...]
    version: int | None = None
    side: Party | None = None
    """The asker's own."""
    state: DialogueState | None = None
    turn_of: Party | None = None
    your_turn: bool | None = None
    gone: tuple[Party, ...] | None = None
    """Sides of which nobody takes part any more."""
    proposal: int | None = None
    """The turn whose words stand now, 0: those of the expectation."""
    commitments: tuple[CommitmentShown, ...] | None = None
    companions: tuple[CompanionShown, ...] | None = None


class ExpectationsReply(Reply):
    """A page of dialogues, newest first; `next` is what the next page is asked after."""

    expectations: tuple[DialogueShown, ...]
    next: UUID | None


class MyDialogue(VoiceFields):
    """A dialogue that the asker is in: what stands or is proposed, and what to do next."""

    about: UUID
    about_name: str | None
    dialogue: UUID
    version: int
    side: Party
    state: DialogueState
    todo: Literal["answer", "review"] | None
    carried_by_me: bool
    proposed_words: str | None
    """Where they are not the expectation's own."""
    proposed_by: UUID
    proposed_by_name: str | None
    reminded: Reminded | None


class MyExpectationsReply(Reply):
    """What waits for the asker, and what was promised; `next` is what the next page is asked after."""

    expectations: tuple[MyDialogue, ...]
    next: UUID | None
