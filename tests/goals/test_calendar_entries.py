"""What each member's own calendar is sent: an invitation, its updates, and what drops it when they are off the list."""

from __future__ import annotations

from typing import Any

import icalendar
import pytest

from shared.actor import Actor, service_id
from shared.errors import ProblemType
from shared.events.words import Action, ActorKind, Basis, Category, Role
from tests.goals.plans import Json, grant
from tests.goals.rooms import Room

BY_MAIL = (Action.VIEW, Action.ANSWER, Action.RECEIVE)


def sender(room: Room, name: str = "notifications") -> Actor:
    return Actor(service_id(name), ActorKind.SERVICE, room.table.desk.school, name)


async def entry(room: Room, made: Json, member: Actor, **more: object) -> tuple[Json, Any]:
    """Returns the answer for a member, and the one event in it."""
    asked = {"conversation": made["conversation"], "member": member.id, **more}
    found = await room.table.ask(sender(room), "calendar-entry", **asked)
    calendar = icalendar.Calendar.from_ical(found["ics"])
    assert (calendar["method"], calendar["version"]) == (found["method"], "2.0")
    (event,) = calendar.walk("VEVENT")
    assert (str(event["uid"]), event["sequence"]) == (found["uid"], found["sequence"])
    assert str(event["attendee"]) == member.id.urn
    return found, event


async def test_an_invitation_its_updates_and_its_cancellation_are_one_entry(room: Room) -> None:
    table = room.table
    made = await room.plan(table.teacher, table.mum, table.dad, place="room 4")
    asked = {"conversation": made["conversation"]}
    first, event = await entry(room, made, table.mum)
    assert (first["method"], first["sequence"]) == ("REQUEST", 0)
    assert (event["attendee"].params["PARTSTAT"], event["attendee"].params["RSVP"]) == ("NEEDS-ACTION", "FALSE")
    await table.ask(table.mum, "answer-invitation", **asked, answer="accepted")
    assert (await entry(room, made, table.mum))[1]["attendee"].params["PARTSTAT"] == "ACCEPTED"
    await table.ask(table.teacher, "move-conversation", **asked, **room.times(1), sequence=0)
    moved, event = await entry(room, made, table.mum)
    assert (moved["method"], moved["sequence"], moved["uid"]) == ("REQUEST", 1, first["uid"])
    assert event["attendee"].params["PARTSTAT"] == "NEEDS-ACTION", "the answer was to another time"
    assert event["dtstart"].dt.isoformat() == room.times(1)["starts_at"][:19] + "+00:00"
    await table.ask(table.teacher, "cancel-conversation", **asked, sequence=1, reason="ill")
    gone, event = await entry(room, made, table.mum, language="en")
    assert (gone["method"], gone["sequence"], event["status"]) == ("CANCEL", 2, "CANCELLED")
    assert str(event["summary"]) == "Conversation"
    told = first["ics"] + moved["ics"] + gone["ics"]
    hidden = ("room 4", "reading", "ill", str(table.child), str(table.dad.id), str(table.teacher.id))
    assert [one for one in hidden if one in told] == []


async def test_who_is_taken_off_the_list_is_told_and_their_calendar_drops_it_without_a_time_in_it(room: Room) -> None:
    table = room.table
    made = await room.plan(table.teacher, table.mum, table.dad)
    off = {"conversation": made["conversation"], "sequence": 0, "members": [table.dad.id]}
    await table.ask(table.dad, "answer-invitation", conversation=made["conversation"], answer="declined", note="no")
    assert (await table.refused(table.mum, "withdraw-invitation", **off)).type is ProblemType.FORBIDDEN
    await table.ask(table.coordinator, "withdraw-invitation", **off)
    (fact,) = await room.facts("invitation.withdrawn")
    assert (fact["concerns"], fact["sequence"]) == ([str(table.dad.id)], 1)
    found, event = await entry(room, made, table.dad)
    assert (found["method"], found["sequence"]) == ("CANCEL", 1)
    assert {"DTSTART", "DTEND", "STATUS", "DESCRIPTION", "LAST-MODIFIED"} & set(event) == set()
    refused = await table.refused(table.dad, "conversation", conversation=made["conversation"])
    assert refused.type is ProblemType.FORBIDDEN
    own = await room.ics(made, table.dad)
    assert (own["method"], "DTSTART" in own.walk("VEVENT")[0]) == ("CANCEL", False)
    assert (await entry(room, made, table.mum))[0]["method"] == "REQUEST"
    assert (await room.shown(made))["replies"] == [], "what he said to it is not shown to who goes on"
    for who, told in (
        (table.mum, None),
        (table.teacher, [str(table.dad.id)]),
        (table.coordinator, [str(table.dad.id)]),
    ):
        (listed,) = (await table.ask(who, "conversations", about=table.child))["conversations"]
        shown = (await room.shown(made, who))["conversation"]
        assert listed["uninvited"] == shown["uninvited"] == told, "who goes on learns only who takes part"
    asked = {"conversation": made["conversation"], "sequence": 1, "invited": [table.mum.id, table.dad.id]}
    await table.ask(table.teacher, "move-conversation", **asked, **room.times(1))
    assert (await entry(room, made, table.dad))[0]["method"] == "REQUEST", "on the list again"


async def test_nobody_is_taken_off_who_is_not_on_it_nor_the_last_one(room: Room) -> None:
    table = room.table
    made = await room.plan()
    asked = {"conversation": made["conversation"], "sequence": 0}
    stranger = await table.refused(table.teacher, "withdraw-invitation", **asked, members=[table.dad.id])
    assert stranger.more["members"] == [str(table.dad.id)]
    last = await table.refused(table.teacher, "withdraw-invitation", **asked, members=[table.mum.id])
    assert (last.more["field"], "cancel" in last.detail) == ("members", True)
    made = await room.plan(table.mum, table.mum, table.teacher)
    asked = {"conversation": made["conversation"], "sequence": 0, "members": [table.mum.id]}
    inviter = await table.refused(table.coordinator, "withdraw-invitation", **asked)
    assert (inviter.more["field"], "who invited" in inviter.detail) == ("members", True)


async def test_who_may_be_told_no_more_gets_what_drops_it_and_who_never_was_on_the_list_nothing(room: Room) -> None:
    table = room.table
    made = await room.plan(table.teacher, table.mum, table.dad)
    both = [one for one in table.usual if one.member != table.dad.id]
    for left in (both, [*both, grant(table.dad.id, Role.GUARDIAN, Basis.AUTHORITY, (Action.VIEW,))]):
        await table.desk.give(table.child, *left)
        found, event = await entry(room, made, table.dad)
        assert (found["method"], "DTSTART" in event) == ("CANCEL", False)
    never = await table.refused(
        sender(room), "calendar-entry", conversation=made["conversation"], member=table.stepdad.id
    )
    nowhere = await table.refused(sender(room), "calendar-entry", conversation=table.child, member=table.mum.id)
    assert (never.type, never.detail) == (nowhere.type, nowhere.detail) == (ProblemType.FORBIDDEN, never.detail)


@pytest.mark.parametrize("who", ["mum", "teacher", "goals", "network"])
async def test_nobody_but_the_service_that_sends_asks_for_it(room: Room, who: str) -> None:
    made = await room.plan()
    asker = sender(room, who) if who in {"goals", "network"} else getattr(room.table, who)
    asked = {"conversation": made["conversation"], "member": room.table.mum.id}
    assert (await room.table.refused(asker, "calendar-entry", **asked)).type is ProblemType.FORBIDDEN


async def test_each_entry_has_its_line_that_says_for_whom_and_whether_it_told_a_time(room: Room) -> None:
    table = room.table
    carer = grant(table.carer.id, Role.CARE_PROFESSIONAL, Basis.CONSENT, BY_MAIL, (Category.CONVERSATIONS,))
    await table.desk.give(table.child, *(one for one in table.usual if one.member != table.carer.id), carer)
    made = await room.plan(table.teacher, table.carer)
    await entry(room, made, table.carer)
    await table.desk.give(table.child, *(one for one in table.usual if one.member != table.carer.id))
    await entry(room, made, table.carer)
    looks = [one for one in await table.desk.told() if one["data"]["fact"].get("query") == "calendar-entry"]
    assert [(one["thing"], one["data"]["fact"]["things"]) for one in looks] == [
        (str(table.carer.id), 1),
        (str(table.carer.id), 0),
    ]
    assert {(one["data"]["act"]["actor"], one["data"]["act"]["basis"]) for one in looks} == {
        (str(service_id("notifications")), "public_task")
    }
