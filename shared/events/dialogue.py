"""What `network` tells of expectations and commitments: that something was said, by which side, and how it stands.

The words themselves stay in network. Each side of a dialogue is one person, or the school's team round the child.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from shared.events.base import Fact
from shared.events.words import Setting


class Party(StrEnum):
    """The two sides of a dialogue: who voiced it, and to whom."""

    ASKING = "asking"
    ASKED = "asked"


class DialogueState(StrEnum):
    """How a dialogue stands. `open`: one side waits for the other; `closed`: both have looked back."""

    OPEN = "open"
    AGREED = "agreed"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    CLOSED = "closed"


class Response(StrEnum):
    ACCEPTED = "accepted"
    PROPOSED = "proposed"
    DECLINED = "declined"


class Kept(StrEnum):
    """How a commitment went, as one side sees it."""

    KEPT = "kept"
    PARTLY = "partly"
    NOT = "not"
    NO_LONGER_NEEDED = "no_longer_needed"


class Dialogue(Fact):
    """Base of all below. `concerns` are the members who must hear of it: not all who may see it."""

    PRODUCER: ClassVar[str] = "network"
    expectation: UUID
    dialogue: UUID
    dialogue_version: int
    state: DialogueState
    """After this event."""
    turn_of: Party | None
    """Whose answer is waited for."""
    concerns: tuple[UUID, ...]


class ExpectationVoiced(Dialogue):
    """Something is expected of a member or of a setting's people."""

    NAME: ClassVar[str] = "expectation.voiced"
    member: UUID | None
    setting: Setting | None
    talk_on: date | None
    by_on: date | None
    review_on: date | None
    open: bool
    """The whole network may read the words."""


class ExpectationAnswered(Dialogue):
    """One side answered the other's proposal; `proposed` is a counter-proposal, or one that takes it up again."""

    NAME: ClassVar[str] = "expectation.answered"
    kind: Response
    by: Party
    by_on: date | None
    review_on: date | None


class ExpectationWithdrawn(Dialogue):
    """Who voiced it took it back; a commitment that stood on it stands no more."""

    NAME: ClassVar[str] = "expectation.withdrawn"


class ProposalWithdrawn(Dialogue):
    """The asked side took its own counter-proposal back before it was answered."""

    NAME: ClassVar[str] = "proposal.withdrawn"


class _Commitment(Dialogue):
    commitment: UUID


class CommitmentMade(_Commitment):
    """One side commits itself to the other, by a day, and they look back on a day.

    Made by accepting (the answer tells whom it concerns) or of one's own accord.
    """

    NAME: ClassVar[str] = "commitment.made"
    carrier: Party
    by_on: date
    review_on: date


class CommitmentWithdrawn(_Commitment):
    """Who carried it took it back."""

    NAME: ClassVar[str] = "commitment.withdrawn"


class CommitmentReviewed(_Commitment):
    """One side says how it went; the dialogue is closed when both have."""

    NAME: ClassVar[str] = "commitment.reviewed"
    by: Party
    outcome: Kept


class OutcomesDiffer(_Commitment):
    """Both looked back, and see it differently: a reason to talk."""

    NAME: ClassVar[str] = "outcomes.differed"
    asking: Kept
    asked: Kept


class _Review(_Commitment):
    review_on: date


class ReviewDue(_Review):
    """The day to look back has come, and not both sides have. Once a commitment."""

    NAME: ClassVar[str] = "review.due"


class ReviewOverdue(_Review):
    """A week after that day not both sides have looked back. Once a commitment, after `review.due`."""

    NAME: ClassVar[str] = "review.overdue"


class Remarked(Dialogue):
    """Someone in the dialogue said something that changes nothing in how it stands."""

    NAME: ClassVar[str] = "dialogue.remarked"


class _Companion(Dialogue):
    member: UUID


class CompanionProposed(_Companion):
    """One side would like to have someone else in the dialogue; the other must agree."""

    NAME: ClassVar[str] = "companion.proposed"
    by: Party


class CompanionJoined(_Companion):
    """Both sides want this member in the dialogue: it can be read and joined in from now on."""

    NAME: ClassVar[str] = "companion.joined"


class CompanionLeft(_Companion):
    """One side does not want this member in the dialogue any more, or the member left it."""

    NAME: ClassVar[str] = "companion.left"


FACTS = (
    ExpectationVoiced,
    ExpectationAnswered,
    ExpectationWithdrawn,
    ProposalWithdrawn,
    CommitmentMade,
    CommitmentWithdrawn,
    CommitmentReviewed,
    OutcomesDiffer,
    ReviewDue,
    ReviewOverdue,
    Remarked,
    CompanionProposed,
    CompanionJoined,
    CompanionLeft,
)
