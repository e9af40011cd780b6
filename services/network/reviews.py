"""Reviews fall due and become overdue, once each: told by a task, whatever was down meanwhile.

What was told stands in the commitment's row, written with the event, so a second replica or a restart tells nothing
again; what days went by unseen is made up for, in order. Days are Europe/Amsterdam's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from uuid import UUID

from pydantic import Field

from services.network.dialogue import (
    OVERDUE_AFTER,
    Around,
    Commitment,
    Dialogue,
    Reminded,
    amsterdam_day,
    dialogues_of,
)
from services.network.dialogue_replies import RemindedReviewsReply
from services.network.draft import Draft
from services.network.expecting import around
from services.network.members import conflict, without_grant
from shared.db import Connection
from shared.events.base import Event
from shared.events.dialogue import FACTS as FACTS_OF_DIALOGUES
from shared.events.dialogue import (
    CommitmentWithdrawn,
    CompanionLeft,
    ExpectationWithdrawn,
    Party,
    ReviewDue,
    ReviewOverdue,
)
from shared.events.dialogue import Dialogue as DialogueFact
from shared.events.words import Action, Category
from shared.reminders import NONE_DUE, Reminders
from shared.unit import Asked, Change, Endpoint, Request, Snapshot
from shared.unit_run import Unit

DUE = "SELECT cardinality(list_reviews($1, 1)) > 0"


class RemindReviews(Request):
    """Tells which reviews fell due or became overdue. For this service itself."""

    page: int = Field(default=50, ge=1, le=200)


def decide_remind_reviews(asked: Asked[RemindReviews], seen: Snapshot) -> Change:
    """Tells a page of reviews, each step of each once."""
    act = without_grant(asked, Action.MANAGE, Category.EXPECTATIONS, service="network")
    draft, today = Draft(seen, act), amsterdam_day(seen.now)
    dialogues = dialogues_of(seen.state)
    if not dialogues:
        raise conflict("no review is due: nothing is to be told", code=NONE_DUE)
    for dialogue in dialogues:
        here = around(seen, dialogue.subject)
        for commitment in dialogue.commitments:
            _remind(draft, dialogue, commitment, here, today)
    return draft.change({"dialogues": len(dialogues)})


def _remind(draft: Draft, dialogue: Dialogue, commitment: Commitment, here: Around, today: date) -> None:
    waits = [one for one in Party if commitment.outcome(one) is None]
    concerns = frozenset[UUID]().union(*(dialogue.people_of(one, here) for one in waits))
    for fact, now in steps(commitment, today):
        event = fact(
            expectation=dialogue.expectation,
            dialogue=dialogue.id,
            dialogue_version=dialogue.version,
            state=dialogue.state,
            turn_of=dialogue.turn_of,
            concerns=tuple(sorted(concerns)),
            commitment=commitment.id,
            review_on=commitment.review_on,
        )
        draft.tell(event, dialogue.subject, dialogue.id)
        draft.write("commitment", commitment.id, commitment.version, {"reminded": now.reminded, "next_on": now.next_on})


def steps(one: Commitment, today: date) -> Iterable[tuple[type[ReviewDue | ReviewOverdue], Commitment]]:
    """Yields what is to be told by `today`, with the commitment as it is once that is told."""
    while one.next_on is not None and one.next_on <= today:
        if one.reminded is Reminded.NOT:
            one = replace(one, reminded=Reminded.DUE, next_on=one.review_on + OVERDUE_AFTER)
            yield ReviewDue, one
        else:
            one = replace(one, reminded=Reminded.OVERDUE, next_on=None)
            yield ReviewOverdue, one


REMIND = Endpoint("remind-reviews", RemindReviews, "read_reviews", decide_remind_reviews, RemindedReviewsReply)


def _failed(unit: Unit, school: str, kind: str) -> None:
    unit.alarm("reviews_failed", "reviews cannot be told", school=school, kind=kind)


REVIEWS = Reminders(DUE, REMIND, "dialogues", _failed)


# Of a tail that a restored database lost: its words are gone, but what it took away or told stays so. -----------------

SEEN = "UPDATE dialogue SET version = greatest(version, $3) WHERE school = $1 AND id = $2"
TAKEN_BACK = """
WITH gone AS (UPDATE commitment SET version = version + 1, state = 'withdrawn', next_on = NULL
               WHERE school = $1 AND dialogue = $2 AND state = 'standing')
UPDATE dialogue SET state = $3, turn_of = NULL WHERE school = $1 AND id = $2
"""
LEFT = """
UPDATE dialogue SET companions = (SELECT coalesce(jsonb_agg(c), '[]') FROM jsonb_array_elements(companions) c
                                   WHERE c->>'member' <> $3::text) WHERE school = $1 AND id = $2
"""
REMINDED = """
UPDATE commitment SET version = version + 1, reminded = $3, next_on = $4 WHERE school = $1 AND id = $2
"""


async def take_back_dialogue(conn: Connection, event: Event) -> None:
    """Applies one event of a lost tail; what else it said must be said again, so nothing is agreed by half."""
    school = event.school
    if not any(event.is_a(fact) for fact in FACTS_OF_DIALOGUES):
        return
    known = event.fact(DialogueFact)
    await conn.execute(SEEN, school, known.dialogue, known.dialogue_version)
    if event.is_a(ExpectationWithdrawn) or event.is_a(CommitmentWithdrawn):
        await conn.execute(TAKEN_BACK, school, known.dialogue, known.state.value)
    elif event.is_a(CompanionLeft):
        await conn.execute(LEFT, school, known.dialogue, str(event.fact(CompanionLeft).member))
    elif event.is_a(ReviewDue):
        due = event.fact(ReviewDue)
        overdue_on = due.review_on + OVERDUE_AFTER
        await conn.execute(REMINDED, school, due.commitment, Reminded.DUE.value, overdue_on)
    elif event.is_a(ReviewOverdue):
        late = event.fact(ReviewOverdue)
        await conn.execute(REMINDED, school, late.commitment, Reminded.OVERDUE.value, None)
