"""People invite each other, make the agenda together, come to outcomes that become something, and say who was heard."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.goals.guidance_texts import FIRST
from services.goals.heard_figures import summary
from services.goals.ics import Language, as_ics
from services.goals.reactions import on_network
from services.goals.talk import ALLOWED, Talk, TalkStatus
from shared.actor import Actor
from shared.errors import ProblemType
from shared.events.conversations import ConversationKind, GuidanceStep
from shared.events.dialogue import CommitmentMade, DialogueState, Party
from shared.events.words import Basis, Role
from tests.goals.plans import Json, Table, grant
from tests.goals.rooms import IN_AN_HOUR, Room
from tests.goals.test_reactions import event_of


async def test_all_who_take_part_make_the_agenda_and_hear_of_what_others_add(room: Room) -> None:
    table = room.table
    made = await room.plan(table.mum, table.teacher, table.carer, points=["sleep"])
    for who, words in ((table.teacher, "reading"), (table.carer, "speech"), (table.coordinator, "the plan")):
        await table.ask(who, "add-point", conversation=made["conversation"], words=words)
    found = await room.shown(made)
    assert [(one["words"], one["added_by"]) for one in found["points"]] == [
        ("sleep", str(table.mum.id)),
        ("reading", str(table.teacher.id)),
        ("speech", str(table.carer.id)),
        ("the plan", str(table.coordinator.id)),
    ]
    (planned,) = await room.facts("conversation.planned")
    assert set(planned["concerns"]) == {str(table.teacher.id), str(table.carer.id)}
    added = await room.facts("point.added")
    assert set(added[0]["concerns"]) == {str(table.mum.id), str(table.carer.id)}
    told = str(await table.desk.told())
    assert [words for words in ("sleep", "speech", "reading goes") if words in told] == []


async def test_a_parent_who_was_not_asked_learns_nothing_of_the_others_conversation(room: Room) -> None:
    table = room.table
    made = await room.plan()
    for who in (table.dad, table.stepdad, table.carer, table.desk.stranger):
        for name in ("conversation", "conversation-invite"):
            asked = {"conversation": made["conversation"]}
            assert (await table.refused(who, name, **asked)).type is ProblemType.FORBIDDEN
        refused = await table.refused(who, "add-point", conversation=made["conversation"], words="x")
        unknown = await table.refused(who, "add-point", conversation=UUID(int=9), words="x")
        assert (refused.type, refused.detail) == (unknown.type, unknown.detail)
    listed = {who: await table.ask(who, "conversations", about=table.child) for who in (table.dad, table.mum)}
    assert [len(one["conversations"]) for one in listed.values()] == [0, 1]
    team = await table.ask(table.coordinator, "conversations", about=table.child)
    assert len(team["conversations"]) == 1
    assert "why" not in team["conversations"][0]


async def test_a_parent_who_works_in_the_team_too_sees_and_moves_only_what_they_take_part_in(room: Room) -> None:
    table = room.table
    teaches = grant(table.dad.id, Role.TEACHER, Basis.PUBLIC_TASK)
    await table.desk.give(table.child, *table.usual, teaches)
    made, own = await room.plan(), await room.plan(None, table.dad)
    asked = {"conversation": made["conversation"]}
    for name, more in (
        ("conversation", {}),
        ("conversation-invite", {}),
        ("move-conversation", {**room.times(1), "sequence": 0}),
        ("cancel-conversation", {"sequence": 0, "reason": "x"}),
    ):
        assert (await table.refused(table.dad, name, **asked, **more)).type is ProblemType.FORBIDDEN
    listed = await table.ask(table.dad, "conversations", about=table.child)
    assert [one["id"] for one in listed["conversations"]] == [own["conversation"]]
    await table.ask(table.dad, "move-conversation", conversation=own["conversation"], **room.times(1), sequence=0)


async def test_conversations_come_in_pages_however_many_others_lie_between(room: Room) -> None:
    table = room.table
    own = [(await room.plan(None, table.dad))["conversation"] for _ in range(2)]
    many = """
    INSERT INTO conversation SELECT (jsonb_populate_record(c, x.other)).*
      FROM conversation c, (SELECT jsonb_build_object('id', gen_random_uuid(), 'invited', $3::uuid[]) AS other
                              FROM generate_series(1, 110)) x
     WHERE c.school = $1 AND c.id = $2
    """
    async with table.desk.db.school(table.desk.school) as conn:
        await conn.execute(many, table.desk.school, UUID(own[0]), [table.mum.id])
    listed = await table.ask(table.dad, "conversations", about=table.child)
    assert ([one["id"] for one in listed["conversations"]], listed["next"]) == (own[::-1], None)
    found: list[str] = []
    sizes: list[int] = []
    before = None
    while before is not None or not sizes:
        page = await table.ask(table.teacher, "conversations", about=table.child, before=before)
        found += [one["id"] for one in page["conversations"]]
        sizes.append(len(page["conversations"]))
        before = page["next"]
    assert (sizes, len(set(found)), found == sorted(found, reverse=True)) == ([50, 50, 12], 112, True)


async def test_answers_to_an_invitation_are_heard_by_who_invited(room: Room) -> None:
    table = room.table
    made = await room.plan()
    asked = {"conversation": made["conversation"]}
    for answer in ("tentative", "accepted"):
        await table.ask(table.mum, "answer-invitation", **asked, answer=answer)
    (reply,) = (await room.shown(made))["replies"]
    assert (reply["member"], reply["answer"]) == (str(table.mum.id), "accepted")
    assert [one["concerns"] for one in await room.facts("invitation.answered")] == [[str(table.teacher.id)]] * 2
    assert (await table.refused(table.teacher, "answer-invitation", **asked, answer="accepted")).more["field"]


async def test_a_calendar_entry_is_neutral_and_follows_moves_and_the_end_by_uid_and_sequence(room: Room) -> None:
    table = room.table
    made = await room.plan(place="lokaal 3", points=["sleep"])
    entries = [await room.ics(made)]
    moved = {"conversation": made["conversation"], **room.times(7), "place": "lokaal 4"}
    assert (await table.ask(table.teacher, "move-conversation", **moved, sequence=0))["sequence"] == 1
    entries.append(await room.ics(made, language="en"))
    gone = {"conversation": made["conversation"], "reason": "ill"}
    await table.ask(table.teacher, "cancel-conversation", **gone, sequence=1)
    entries.append(await room.ics(made))
    events = [next(iter(entry.walk("VEVENT"))) for entry in entries]
    assert [str(entry["METHOD"]) for entry in entries] == ["PUBLISH"] * 3  # RFC 5546: what has no attendees
    assert {str(event["UID"]) for event in events} == {made["conversation"]}
    assert [int(event["SEQUENCE"]) for event in events] == [0, 1, 2]
    assert [str(event["STATUS"]) for event in events] == ["CONFIRMED", "CONFIRMED", "CANCELLED"]
    assert [str(event["SUMMARY"]) for event in events] == ["Gesprek", "Conversation", "Gesprek"]
    starts = [event["DTSTART"].dt for event in events]
    assert starts[1] - starts[0] == timedelta(days=7)
    told = "".join(entry.to_ical().decode() for entry in entries)
    hidden = ("lokaal", "sleep", "reading", "ill", str(table.child), str(table.mum.id), "ATTENDEE")
    assert [one for one in hidden if one in told] == []


async def test_what_was_moved_meanwhile_is_not_moved_or_cancelled_unseen(room: Room) -> None:
    table = room.table
    made = await room.plan()
    asked = {"conversation": made["conversation"]}
    await table.ask(table.mum, "move-conversation", **asked, **room.times(1), sequence=0)
    for name, more in (("move-conversation", room.times(2)), ("cancel-conversation", {"reason": "ill"})):
        late = await table.refused(table.teacher, name, **asked, **more, sequence=0)
        assert (late.type, late.more["found"]) == (ProblemType.STALE_VERSION, 1)
    same = await table.refused(table.teacher, "move-conversation", **asked, **room.times(1), sequence=1)
    assert same.more["same"]
    out = {**room.times(1), "sequence": 1, "invited": [table.dad.id]}
    assert (await table.refused(table.teacher, "move-conversation", **asked, **out)).more["field"] == "invited"
    more = {**out, "invited": [table.mum.id, table.dad.id]}
    await table.ask(table.teacher, "move-conversation", **asked, **more)
    assert await room.shown(made, table.dad)


async def test_outcomes_become_goals_actions_and_commitments_that_are_there(room: Room) -> None:
    table = room.table
    made = await room.held(points=["reading"])
    point = (await room.shown(made))["points"][0]["id"]
    asked = {"conversation": made["conversation"], "who": [table.mum.id], "by_on": table.day(30), "point": point}
    outcomes = [
        (await table.ask(table.mum, "record-outcome", **asked, kind=kind, words=f"a {kind}"))["outcome"]
        for kind in ("goal", "action", "commitment", "goal")
    ]
    goal = await table.goal()
    plan = await table.draft()
    action = (await table.items(plan))[0]["item"]
    commitment = UUID(int=500)
    for thing in (goal, UUID(action), commitment):  # none of another kind, none that is not known here
        wrong = await table.refused(table.mum, "settle-outcome", outcome=outcomes[2], version=1, became=thing)
        assert (wrong.type, wrong.more["field"]) == (ProblemType.INVALID, "became")
    await committed(table, commitment)
    for outcome, thing in zip(outcomes, (goal, action, commitment), strict=False):
        await table.ask(table.teacher, "settle-outcome", outcome=outcome, version=1, became=thing)
    dropped = {"outcome": outcomes[3], "version": 1, "dropped_because": "not needed"}
    await table.ask(table.teacher, "settle-outcome", **dropped)
    again = await table.refused(table.teacher, "settle-outcome", **{**dropped, "version": 2})
    assert again.type is ProblemType.CONFLICT
    found = (await room.shown(made))["outcomes"]
    assert [one["became"] for one in found] == [str(goal), action, str(commitment), None]
    assert [one["became"] for one in await room.facts("outcome.settled")] == [str(goal), action, str(commitment), None]


async def committed(table: Table, commitment: UUID) -> None:
    """Lets goals hear from network that somebody committed himself."""
    fact = CommitmentMade(
        expectation=UUID(int=1),
        dialogue=UUID(int=2),
        dialogue_version=1,
        state=DialogueState.AGREED,
        turn_of=None,
        concerns=(),
        commitment=commitment,
        carrier=next(iter(Party)),
        by_on=date(2027, 1, 1),
        review_on=date(2027, 1, 1),
    )
    async with table.desk.db.school(table.desk.school) as conn:
        await on_network(conn, [event_of(table.desk, fact, table.child, 1)])


async def test_each_who_was_there_is_asked_whether_it_was_heard_and_only_they_read_it(room: Room) -> None:
    table = room.table
    made = await room.held()
    (held,) = await room.facts("conversation.held")
    assert set(held["concerns"]) == {str(table.teacher.id), str(table.mum.id)}
    assert (await room.shown(made))["asks_me"]
    asked = {"conversation": made["conversation"]}
    for answer in ("no", "partly"):
        await table.ask(table.mum, "say-heard", **asked, answer=answer, words="nobody asked me")
    mine = await room.shown(made)
    assert (mine["asks_me"], mine["my_heard"]["answer"], mine["my_heard"]["words"]) == (
        False,
        "partly",
        "nobody asked me",
    )
    for who in (table.teacher, table.coordinator, table.dad):
        theirs = await room.shown(made, who)
        assert theirs["my_heard"] is None
        assert "nobody asked" not in str(theirs)
    assert (await table.refused(table.dad, "say-heard", **asked, answer="yes")).more["field"] == "conversation"
    told = await room.facts("heard.said")
    assert told == [{"conversation": made["conversation"]}] * 2


async def test_the_schools_own_approach_sees_counts_of_large_groups_once_the_month_is_over(room: Room) -> None:
    table = room.table
    parents = [Actor(UUID(int=900 + n, version=4), table.mum.kind, table.desk.school, "door") for n in range(10)]
    more = [grant(one.id, Role.GUARDIAN, Basis.AUTHORITY) for one in parents]
    await table.desk.give(table.child, *table.usual, *more)
    made = await room.held(table.teacher, *parents)
    asked = {"conversation": made["conversation"]}
    for one in (table.teacher, *parents):
        await table.ask(one, "say-heard", **asked, answer="no", words="x")
    await table.ask(parents[9], "say-heard", **asked, answer="partly")
    now = await table.ask(table.lead, "heard-summary", about=table.school)
    assert (now["roles"], now["too_few"]) == ({}, False)
    await room.later(24 * 32)
    found = await table.ask(table.lead, "heard-summary", about=table.school)
    assert (found["roles"], found["too_few"]) == ({"guardian": {"yes": 0, "partly": 1, "no": 9}}, True)
    await table.ask(parents[9], "say-heard", **asked, answer="yes")
    await room.later(24 * 64)
    assert await table.ask(table.lead, "heard-summary", about=table.school) == found
    assert (await table.refused(table.mum, "heard-summary", about=table.school)).type is ProblemType.FORBIDDEN
    assert (await table.refused(table.mum, "heard-summary", about=table.child)).more["field"] == "about"


def heard(month: str, members: range, answer: str = "no", role: str = "guardian") -> list[Json]:
    return [
        {"role": role, "answer": answer, "month": month, "member": str(one), "conversation": "c"} for one in members
    ]


def test_a_group_that_is_too_small_is_never_told() -> None:
    nothing = {"roles": {}, "until": {}, "smallest_group": 10, "too_few": True}
    few = [*heard("2027-01", range(9)), *heard("2027-02", range(9)), *heard("2027-01", range(9), role="teacher")]
    assert summary(few, date(2027, 3, 1)) == nothing
    ten = heard("2027-01", range(10))
    assert summary(ten, date(2027, 1, 31))["roles"] == {}
    assert summary(ten, date(2027, 2, 1))["roles"] == {"guardian": {"yes": 0, "partly": 0, "no": 10}}


def test_figures_move_only_once_ten_people_in_the_role_made_the_difference() -> None:
    first = heard("2027-01", range(10))
    told = summary(first, date(2027, 2, 1))
    more = [*first, *heard("2027-02", range(9), "yes"), *heard("2027-02", range(50, 70), "yes", "teacher")]
    assert summary(more, date(2027, 3, 1))["roles"]["guardian"] == told["roles"]["guardian"]
    then = summary([*more, *heard("2027-03", range(9, 10), "yes")], date(2027, 4, 1))
    assert (then["roles"]["guardian"], then["until"]["guardian"]) == ({"yes": 10, "partly": 0, "no": 0}, "2027-03")


async def test_the_expert_teams_guidance_goes_along_with_each_step_in_versions(room: Room) -> None:
    table = room.table
    made = await room.plan()
    words = {one["step"]: one for one in (await room.shown(made))["guidance"]}
    assert set(words) == {"agenda", "talking"}
    assert words["talking"]["prompts"] == FIRST[GuidanceStep.TALKING]["prompts"]
    body = {
        "about": table.school,
        "step": "talking",
        "number": 0,
        "prompts": ["Luister eerst."],
        "examples": ["Vertel."],
    }
    assert (await table.refused(table.teacher, "write-guidance", **body)).type is ProblemType.FORBIDDEN
    elsewhere = await table.refused(table.coordinator, "write-guidance", **{**body, "about": table.child})
    assert elsewhere.more["field"] == "about"
    await table.ask(table.lead, "write-guidance", **body)
    assert (await table.refused(table.lead, "write-guidance", **body)).type is ProblemType.STALE_VERSION
    words = {one["step"]: one for one in (await room.shown(made))["guidance"]}
    assert (words["talking"]["number"], words["talking"]["prompts"]) == (1, ["Luister eerst."])
    every = (await table.ask(table.mum, "guidance", about=table.child))["guidance"]
    assert [one["step"] for one in every] == [step.value for step in GuidanceStep]
    assert await room.facts("guidance.written") == [{"step": "talking", "number": 1}]


async def test_a_conversation_is_in_order_or_is_not_planned(room: Room) -> None:
    table = room.table
    plan = await table.draft()
    body = {"about": table.child, "why": "x", "invited": [table.mum.id], **room.times()}
    for more, field in (
        ({"invited": [UUID(int=1)]}, "invited"),
        ({"plan": UUID(int=1)}, "plan"),
        ({"goal": UUID(int=1)}, "goal"),
        (room.times(-1), "starts_at"),
    ):
        wrong = await table.refused(table.teacher, "plan-conversation", **{**body, **more})
        assert (wrong.type, wrong.more["field"]) == (ProblemType.INVALID, field)
    for more, said in (
        ({"ends_at": body["starts_at"]}, "must end"),
        ({"ends_at": (room.start + timedelta(days=1)).isoformat()}, "12 hours"),
        ({"kind": "consultation"}, "name the plan"),
        ({"invited": [table.mum.id] * 2}, "twice"),
        ({"starts_at": "9999-12-31T22:00:00Z", "ends_at": "9999-12-31T23:00:00Z"}, "check the year"),
        ({"starts_at": "2027-01-01T10:00:00"}, "timezone"),
    ):
        with pytest.raises(ValueError, match=said):
            await table.ask(table.teacher, "plan-conversation", **{**body, **more})
    made = await room.plan(kind="consultation", plan=plan["plan"])
    early = {"conversation": made["conversation"], "sequence": 0, "attended": [table.mum.id]}
    assert (await table.refused(table.teacher, "hold-conversation", **early)).type is ProblemType.CONFLICT


async def test_what_is_over_names_what_is_still_possible(room: Room) -> None:
    table = room.table
    held = await room.held()
    asked = {"conversation": held["conversation"]}
    for name, more in (
        ("add-point", {"words": "x"}),
        ("answer-invitation", {"answer": "accepted"}),
        ("cancel-conversation", {"sequence": 0, "reason": "x"}),
        ("hold-conversation", {"sequence": 0, "attended": [table.mum.id]}),
    ):
        refused = await table.refused(table.mum, name, **asked, **more)
        assert (refused.type, refused.more["allowed"]) == (
            ProblemType.CONFLICT,
            sorted(name for name, sources in ALLOWED.items() if TalkStatus.HELD in sources),
        )


async def test_a_school_talks_about_its_own_approach_in_the_same_way(room: Room) -> None:
    table = room.table
    other = Actor(UUID(int=700, version=4), table.mum.kind, table.desk.school, "door")
    seats = [grant(one.id, Role.EXPERT_TEAM, Basis.PUBLIC_TASK) for one in (table.lead, other)]
    await table.desk.give(table.school, *seats)
    made = await room.plan(table.lead, other, about=table.school)
    await table.ask(other, "add-point", conversation=made["conversation"], words="how we invite parents")
    assert (
        await table.refused(table.mum, "conversation", conversation=made["conversation"])
    ).type is ProblemType.FORBIDDEN
    assert len((await room.shown(made, table.lead))["points"]) == 1


def test_lines_of_an_entry_end_and_fold_as_the_standard_says() -> None:
    at = datetime(2026, 3, 28, 23, 0, tzinfo=UTC)
    talk = Talk(
        UUID(int=1),
        1,
        UUID(int=2),
        ConversationKind.MEETING,
        TalkStatus.PLANNED,
        0,
        at,
        at + IN_AN_HOUR,
        (),
        UUID(int=3),
        (),
        at,
    )
    lines: Any = as_ics(talk, UUID(int=4), Language.DUTCH, at).encode().split(b"\r\n")
    assert lines[0] == b"BEGIN:VCALENDAR"
    assert lines[-1] == b""
    assert max(map(len, lines)) <= 75
    assert b"DTSTART:20260328T230000Z" in lines
