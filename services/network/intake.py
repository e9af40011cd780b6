"""Decisions: a roster taken in (the same twice changes nothing), what that would do, and which links stand."""

from __future__ import annotations

from typing import Any

from services.network.batch import Batch
from services.network.draft import Draft
from services.network.members import conflict, without_grant
from services.network.queries import viewed
from services.network.roster import ImportRoster, PreviewRoster, RosterLinks
from shared.access import Permit
from shared.events.base import Act
from shared.events.words import Action, ActorKind, Category, school_subject
from shared.unit import Asked, Change, Snapshot


def decide_import(asked: Asked[ImportRoster], seen: Snapshot) -> Change:
    """Takes the batch in; each row that can't be is left out and named in the reply with a code."""
    draft = Draft(seen, *_allowed(asked, seen))
    return _taken(asked, seen, draft).finish()


def decide_preview(asked: Asked[PreviewRoster], seen: Snapshot) -> Change:
    """Answers what the same batch would be answered if it were taken in, and changes nothing."""
    act, permits = _allowed(asked, seen)
    reply = _taken(asked, seen, Draft(seen, act), asked.body).reply()
    return viewed("preview-roster", school_subject(asked.school), act, reply, len(asked.body.persons), permits)


def decide_links(asked: Asked[RosterLinks], seen: Snapshot) -> Change:
    """Answers which links stand, for a roster to be held against."""
    act, permits = _allowed(asked, seen)
    found = seen.state["links"]
    return viewed("roster-links", school_subject(asked.school), act, {"links": found}, len(found), permits)


def _allowed(asked: Asked[Any], seen: Snapshot) -> tuple[Act, tuple[Permit, ...]]:
    """Returns the act and permits of who may import here; raises Denial, or Problem where no school is open."""
    permits: tuple[Permit, ...] = ()
    if asked.actor.kind is ActorKind.OPERATOR:
        act = without_grant(asked, Action.MANAGE, Category.NETWORK)
    else:
        permits = (seen.require(asked, Action.MANAGE, Category.NETWORK),)
        act = permits[0].act
    if seen.state["school"] is None:
        raise conflict("this school is not open yet: open it first", code="not_open")
    return act, permits


def _taken(asked: Asked[Any], seen: Snapshot, draft: Draft, preview: PreviewRoster | None = None) -> Batch:
    taken = Batch(asked, seen, draft)
    if preview is not None:
        taken.expect(preview)
    for organisation in asked.body.organisations:
        taken.organisation(organisation)
    for person in asked.body.persons:
        taken.person(person)
    for network in asked.body.networks:
        taken.network(network)
    for end in asked.body.ends:
        taken.links.end(end)
    return taken
