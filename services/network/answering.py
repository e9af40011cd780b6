"""A dialogue goes on: answers, take-backs, reviews and remarks. Bodies and pure decisions."""

from __future__ import annotations

from datetime import date

from services.network.dialogue import (
    OTHER,
    Standing,
    TurnKind,
)
from services.network.expecting import Words, must_lie_ahead
from services.network.members import conflict, invalid
from services.network.talk import InDialogue, Talk
from shared.events import dialogue as told
from shared.events.dialogue import DialogueState, Kept, Party, Response
from shared.text import Day
from shared.unit import Asked, Change, Snapshot


class AnswerExpectation(InDialogue):
    """Accepts what stands, proposes otherwise, or declines. `words`: needed to propose, and to decline (the reason).

    `by_on` and `review_on` fill in what the proposal leaves out, or are part of the new one. `open`: the whole network
    may read these words, if it may read the expectation.
    """

    answer: Response
    words: Words | None = None
    by_on: Day | None = None
    review_on: Day | None = None
    open: bool = False


class WithdrawExpectation(InDialogue):
    """Takes back one's own: the expectation, an unanswered counter-proposal, or a commitment (with the reason)."""

    words: Words | None = None
    open: bool = False


class ReviewCommitment(InDialogue):
    """Says how it went, once a side."""

    outcome: Kept
    words: Words | None = None
    open: bool = False


class Remark(InDialogue):
    """Says something that changes nothing in how it stands."""

    words: Words
    open: bool = False


def decide_answer_expectation(asked: Asked[AnswerExpectation], seen: Snapshot) -> Change:
    """Accepts what stands (it becomes a commitment), proposes otherwise, or declines with a reason."""
    talk, body = Talk(asked, seen), asked.body
    answer = {Response.ACCEPTED: _accept, Response.PROPOSED: _propose, Response.DECLINED: _decline}[body.answer]
    answer(talk, body)
    return talk.change()


def _answered(talk: Talk, kind: Response, by_on: date | None = None, review_on: date | None = None) -> None:
    days = {"by_on": by_on, "review_on": review_on}
    talk.tell(told.ExpectationAnswered, talk.others(), kind=kind, by=talk.party, **days)


def _accept(talk: Talk, body: AnswerExpectation) -> None:
    talk.now_their_turn()
    by_on, review_on = _agreed_days(talk, body)
    talk.turn(TurnKind.ACCEPTED, by_on=by_on, review_on=review_on)
    talk.stands(DialogueState.AGREED)
    _answered(talk, Response.ACCEPTED, by_on, review_on)
    talk.commits(by_on=by_on, review_on=review_on)


def _decline(talk: Talk, body: AnswerExpectation) -> None:
    talk.now_their_turn()
    if body.words is None:
        raise invalid("say why not: words", field="words")
    talk.turn(TurnKind.DECLINED)
    talk.stands(DialogueState.DECLINED)
    _answered(talk, Response.DECLINED)


def _propose(talk: Talk, body: AnswerExpectation) -> None:
    """A counter-proposal, or one that takes up again what was declined or looked back on."""
    if talk.dialogue.state not in {DialogueState.DECLINED, DialogueState.CLOSED}:
        talk.now_their_turn()
    if body.words is None:
        raise invalid("say what you propose: words", field="words")
    must_lie_ahead(talk.today, by_on=body.by_on, review_on=body.review_on)
    before = {"before_state": talk.dialogue.state, "before_proposal": talk.dialogue.proposal}
    party = talk.party
    number = talk.turn(TurnKind.PROPOSED, by_on=body.by_on, review_on=body.review_on)
    talk.stands(DialogueState.OPEN, OTHER[party])
    talk.moves(proposal=number, **before)
    _answered(talk, Response.PROPOSED, body.by_on, body.review_on)


def _agreed_days(talk: Talk, body: AnswerExpectation) -> tuple[date, date]:
    """Returns the days of what is accepted: the proposal's own, and the acceptor's where it left them out."""
    stands = talk.dialogue.proposed()
    for name in ("by_on", "review_on"):
        proposed, given = getattr(stands, name), getattr(body, name)
        if proposed is not None and given not in {None, proposed}:
            raise conflict(
                f"the proposal names another day: accept it as it is, or propose {name} otherwise", field=name
            )
    by_on = stands.by_on or body.by_on
    if by_on is None:
        raise invalid("the proposal leaves open by which day: name it (by_on)", field="by_on")
    review_on = stands.review_on or body.review_on or by_on
    if min(by_on, review_on) < talk.today:
        raise conflict("a day in it has passed: propose otherwise, with days to come")
    return by_on, review_on


def decide_withdraw_expectation(asked: Asked[WithdrawExpectation], seen: Snapshot) -> Change:
    """Takes back one's own; the other side's words stay, and so does the history."""
    talk = Talk(asked, seen)
    dialogue, party, standing = talk.dialogue, talk.party, talk.dialogue.standing
    if dialogue.state is DialogueState.WITHDRAWN:
        raise conflict("it was taken back already: nothing is left to take back")
    carried = standing is not None and standing.carrier is party
    countered = dialogue.state is DialogueState.OPEN and dialogue.turn_of is Party.ASKING
    if party is Party.ASKED and not (carried or countered):
        raise conflict("there is nothing of your own to take back here: answer, or make a remark")
    if carried and asked.body.words is None:
        raise invalid("you gave your word: say why you take it back (words)", field="words")
    talk.turn(TurnKind.TOOK_BACK)
    fact: type[told.Dialogue] = told.ExpectationWithdrawn
    more = {}
    if party is Party.ASKING:
        talk.stands(DialogueState.WITHDRAWN)
    elif carried:
        talk.stands(DialogueState.DECLINED)
    else:
        fact, before = told.ProposalWithdrawn, dialogue.before_state or DialogueState.OPEN
        talk.stands(before, Party.ASKED if before is DialogueState.OPEN else None)
        talk.moves(proposal=dialogue.before_proposal or 0)
    if standing is not None:
        talk.settles(standing, state=Standing.WITHDRAWN, next_on=None)
        if carried:
            fact, more = told.CommitmentWithdrawn, {"commitment": standing.id}
    talk.tell(fact, talk.others(), **more)
    return talk.change()


def decide_review_commitment(asked: Asked[ReviewCommitment], seen: Snapshot) -> Change:
    """Says how it went, as the actor's side sees it; when both have, it is closed, and a difference is told."""
    talk, mine = Talk(asked, seen), asked.body.outcome
    party, one = talk.party, talk.dialogue.standing
    if one is None:
        raise conflict("no commitment stands here: there is nothing to look back on", state=talk.dialogue.state)
    if one.outcome(party) is not None:
        raise conflict("your side has said how it went already: make a remark to add to it")
    theirs = one.outcome(OTHER[party])
    talk.turn(TurnKind.REVIEWED)
    talk.settles(one, **{party.value: mine})
    if theirs is not None:
        talk.settles(one, state=Standing.CLOSED, next_on=None)
        talk.stands(DialogueState.CLOSED)
    differs = theirs is not None and theirs is not mine
    told_by = () if differs else talk.others()
    talk.tell(told.CommitmentReviewed, told_by, commitment=one.id, by=party, outcome=mine)
    if differs:
        both = talk.others() | talk.dialogue.people_of(party, talk.around)
        seen_so = {party.value: mine, OTHER[party].value: theirs}
        talk.tell(told.OutcomesDiffer, both, commitment=one.id, **seen_so)
    return talk.change()


def decide_remark(asked: Asked[Remark], seen: Snapshot) -> Change:
    """Says something; companions may too."""
    talk = Talk(asked, seen)
    if talk.dialogue.state is DialogueState.WITHDRAWN:
        raise conflict("it was taken back: begin a new one, or talk")
    talk.turn(TurnKind.REMARKED)
    talk.tell(told.Remarked, talk.others())
    return talk.change()
