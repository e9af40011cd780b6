"""What may be asked about expectations: those about a child or the school, and what waits for oneself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

from services.network.dialogue import (
    Around,
    Commitment,
    Companion,
    Dialogue,
    Reads,
    Turn,
    Voice,
    amsterdam_day,
    dialogues_of,
)
from services.network.draft import as_moment
from services.network.expecting import around
from services.network.queries import SERVICE, viewed
from shared.access import Denial, Permit
from shared.events.base import NewEvent, Viewed
from shared.events.dialogue import DialogueState, Party
from shared.events.words import Action, Category, school_subject
from shared.unit import Asked, Change, Query, Snapshot

MOST_LETTERS = 250_000
"""A page ends behind the dialogue with which it holds so many letters: an answer must fit in a message."""

Names = Mapping[str, str]


class Expectations(Query):
    """The dialogues about a child or the school itself that the asking person may read, newest first.

    Ask on with `after` what `next` said.
    """

    about: UUID
    after: UUID | None = None


class MyExpectations(Query):
    """What is asked of the asking person and what was promised by and to that person, over all children of the school.

    Ask on with `after` what `next` said.
    """

    after: UUID | None = None


def decide_expectations(asked: Asked[Expectations], seen: Snapshot) -> Change:
    """Answers whole dialogues to those in them, and to others what its authors opened to the network."""
    permit = seen.require(asked, Action.VIEW, Category.EXPECTATIONS, about=asked.body.about)
    here, me, names = around(seen, asked.body.about), asked.actor.id, seen.state["names"]
    shown: list[dict[str, Any]] = []
    letters, last, end, cut = 0, None, None, False
    for one in reversed(dialogues_of(seen.state)):
        if letters > MOST_LETTERS:
            cut = True
            break
        end, reads = one.id, one.reads(me, here)
        if reads is not Reads.NOTHING:
            last = one.id
            shown.append(_opened(one, names) if reads is Reads.OPENED else _whole(one, me, here, names))
            letters += sum(len(turn["words"] or "") for turn in shown[-1]["turns"]) + len(one.voice.words) + 500
    # Named is one that was shown: where there is another, what lies between tells of others' talks.
    further = str(last or end) if cut or seen.state["full"] else None
    result = {"expectations": shown, "next": further}
    return viewed("expectations", asked.body.about, permit.act, result, len(shown), (permit,))


def _name(names: Names, person: UUID | None) -> str | None:
    return names.get(str(person)) if person else None


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _voice(one: Dialogue, names: Names) -> dict[str, Any]:
    said = one.voice
    return {
        "expectation": str(said.id),
        "promise": said.promise,
        "author": str(said.author),
        "author_name": _name(names, said.author),
        "for_school": said.for_school,
        "words": said.words,
        "why": said.why,
        "talk_on": _day(said.talk_on),
        "by_on": _day(said.by_on),
        "review_on": _day(said.review_on),
        "open": said.open,
        "voiced_at": as_moment(said.voiced_at),
        "member": str(one.member) if one.member else None,
        "member_name": _name(names, one.member),
        "setting": one.setting,
    }


def _opened(one: Dialogue, names: Names) -> dict[str, Any]:
    """What anyone round the subject may read: opened words, and nothing of how it stands."""
    return {
        "dialogue": str(one.id),
        "reads": Reads.OPENED,
        **_voice(one, names),
        "turns": [_turn(turn, names) for turn in one.turns if turn.open],
    }


def _whole(one: Dialogue, me: UUID, here: Around, names: Names) -> dict[str, Any]:
    side = one.side_of(me, here)
    return {
        "dialogue": str(one.id),
        "version": one.version,
        "reads": Reads.WHOLE,
        "side": side,
        "state": one.state,
        "turn_of": one.turn_of,
        "your_turn": side is not None and one.turn_of is side,
        "gone": [party for party in Party if not one.people_of(party, here) & here.roles.keys()],
        **_voice(one, names),
        "proposal": one.proposal,
        "turns": [_turn(turn, names) for turn in one.turns],
        "commitments": [_commitment(commitment) for commitment in one.commitments],
        "companions": [_companion(companion, names) for companion in one.companions],
    }


def _turn(one: Turn, names: Names) -> dict[str, Any]:
    return {
        "number": one.number,
        "party": one.party,
        "person": str(one.person),
        "person_name": _name(names, one.person),
        "kind": one.kind,
        "words": one.words,
        "by_on": _day(one.by_on),
        "review_on": _day(one.review_on),
        "outcome": one.outcome,
        "open": one.open,
        "at": as_moment(one.at),
    }


def _commitment(one: Commitment) -> dict[str, Any]:
    return {
        "commitment": str(one.id),
        "proposal": one.proposal,
        "carrier": one.carrier,
        "by_on": _day(one.by_on),
        "review_on": _day(one.review_on),
        "state": one.state,
        "asking": one.asking,
        "asked": one.asked,
        "reminded": one.reminded,
    }


def _companion(one: Companion, names: Names) -> dict[str, Any]:
    return {
        "member": str(one.member),
        "member_name": _name(names, one.member),
        "by": list(one.by),
        "joined": one.joined,
    }


def _permit(asked: Asked[MyExpectations], seen: Snapshot, category: Category, subject: UUID) -> Permit | None:
    try:
        return seen.require(asked, Action.VIEW, category, about=subject)
    except Denial:
        return None


def decide_my_expectations(asked: Asked[MyExpectations], seen: Snapshot) -> Change:
    """Answers what waits for the asking person, and what was promised; a line for each child that is in it."""
    me, today = asked.actor.id, amsterdam_day(seen.now)
    permits = {one: may for one in seen.views if (may := _permit(asked, seen, Category.EXPECTATIONS, one))}
    if not permits:
        about = school_subject(asked.school)
        permits[about] = seen.require(asked, Action.VIEW, Category.EXPECTATIONS, about=about)
    known = {one: may for one in permits if (may := _permit(asked, seen, Category.IDENTITY, one))}
    shown: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    found = dialogues_of(seen.state)
    for one in found:
        if one.subject not in permits:
            continue
        guardians = seen.state["circles"][str(one.subject)]["guardians"]
        here = Around.of(seen.views[one.subject].grants, guardians, seen.clock)
        side = one.side_of(me, here)
        if side is not None:
            names = seen.state["names"]
            child = {
                "about": str(one.subject),
                "about_name": _name(names, one.subject if one.subject in known else None),
            }
            shown[one.subject].append(child | _mine(one, side, names, today))
    used = [permits[one] for one in shown] or [next(iter(permits.values()))]
    events = tuple(
        NewEvent(
            Viewed(query="my-expectations", things=len(shown[permit.subject])),
            about=permit.subject,
            act=permit.act,
            producer=SERVICE,
        )
        for permit in used
    )
    listed = sorted((item for items in shown.values() for item in items), key=lambda item: str(item["dialogue"]))
    last = listed[-1]["dialogue"] if listed else str(found[-1].id) if found else None
    further = last if seen.state["full"] else None
    result = {"expectations": listed, "next": further}
    identities = tuple(known[permit.subject] for permit in used if permit.subject in known)
    return Change(permits=(*used, *identities), events=events, result=result)


def _mine(one: Dialogue, side: Party, names: Names, today: date) -> dict[str, Any]:
    """What a person needs to know of it: what is asked, what stands, and what to do next (`todo`)."""
    standing, proposed = one.standing, one.proposed()
    author = proposed.author if isinstance(proposed, Voice) else proposed.person
    todo = None
    if one.state is DialogueState.OPEN and one.turn_of is side:
        todo = "answer"
    elif standing is not None and standing.outcome(side) is None and standing.review_on <= today:
        todo = "review"
    return {
        "dialogue": str(one.id),
        "version": one.version,
        "side": side,
        "state": one.state,
        "todo": todo,
        "carried_by_me": one.carrier is side,
        **_voice(one, names),
        "proposed_words": proposed.words if one.proposal else None,
        "proposed_by": str(author),
        "proposed_by_name": _name(names, author),
        "by_on": _day(standing.by_on if standing else proposed.by_on),
        "review_on": _day(standing.review_on if standing else proposed.review_on),
        "reminded": standing.reminded if standing else None,
    }
