"""The life of a conversation against a reference written apart: any command by anyone, at any time, in any order."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import pydantic_core
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from shared.access import Denial, View
from shared.actor import Actor
from shared.clock import Ids
from shared.errors import Problem, ProblemType
from shared.events.words import Action, Basis, Category, Role
from shared.unit import Asked, Change, Snapshot
from tests.goals.plans import grant
from tests.goals.support import BY_NAME, NOW, body_of, person

CHILD, GOAL, OTHERS_GOAL = (UUID(int=number, version=4) for number in (1, 2, 3))
CAST = {name: person(31 + place) for place, name in enumerate(("teacher", "coordinator", "mum", "dad", "carer"))}
TASK = {"teacher", "coordinator"}
TALKS = (Category.CONVERSATIONS,)
GRANTS = (
    grant(CAST["teacher"].id, Role.TEACHER, Basis.PUBLIC_TASK),
    grant(CAST["coordinator"].id, Role.COORDINATOR, Basis.PUBLIC_TASK),
    grant(CAST["mum"].id, Role.GUARDIAN, Basis.AUTHORITY),
    grant(CAST["dad"].id, Role.GUARDIAN, Basis.AUTHORITY),
    grant(CAST["carer"].id, Role.CARE_PROFESSIONAL, Basis.CONSENT, (Action.VIEW, Action.ANSWER), TALKS),
)
HOUR = timedelta(hours=1)
FROM = {
    "planned": {
        "move-conversation", "cancel-conversation", "withdraw-invitation", "answer-invitation", "add-point",
        "hold-conversation",
    },
    "held": {"record-outcome", "settle-outcome", "say-heard"},
    "cancelled": set[str](),
}  # fmt: skip
"""What DOMAIN.md's conversation allows from where it stands. Written down here, not taken from the code."""
PROPOSES = FROM["planned"] - {"answer-invitation", "add-point"} | {"record-outcome", "settle-outcome"}
WHO = st.sampled_from(sorted(CAST))
SOME = st.sets(WHO, min_size=1, max_size=3)
SEEN = st.sampled_from([0, 0, 0, -1])
"""Mostly the sequence as it stands, now and then an old one."""


class TalkKept:
    """A conversation in memory: gives the snapshots that the readers would, takes Changes as the database would."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, dict[str, Any]]] = {}
        self.ids, self.now = Ids(Random(1)), NOW
        self.events: list[Any] = []

    def of(self, table: str) -> list[dict[str, Any]]:
        return list(self.rows.get(table, {}).values())

    @property
    def talk(self) -> dict[str, Any]:
        return self.of("conversation")[0]

    def seen(self, actor: Actor, body: dict[str, Any]) -> Snapshot:
        named = {str(one) for one in (*body.get("invited", ()), *body.get("attended", ()), *body.get("who", ()))}
        known = {str(one.member) for one in GRANTS}
        state: dict[str, Any] = {"strangers": sorted(named - known), "goal": True, "plan": True, "known": True}
        (suggestion,) = self.of("talk_suggestion")
        suggested = {
            "goal": str(GOAL), "version": suggestion["version"], "opened_at": suggestion["opened_at"],
            "open": suggestion["settled"] is None,
        }  # fmt: skip
        state["suggestion"] = suggested if GOAL in {body.get("goal"), body.get("became")} else None
        if self.of("conversation"):
            on_agenda = {one.get("goal") for one in (*self.of("conversation_point"), self.talk)}
            on_agenda |= {str(one) for one in body.get("goals", ())}
            state |= {
                "conversation": self.talk,
                "points": self.of("conversation_point"),
                "replies": self.of("conversation_reply"),
                "outcomes": self.of("conversation_outcome"),
                "goal_known": body.get("goal") == GOAL,
                "suggestions": [suggested] if suggested["open"] and str(GOAL) in on_agenda else [],
                "strange_goals": [str(one) for one in body.get("goals", ()) if one != GOAL],
                "outcome": self.rows.get("conversation_outcome", {}).get(str(body.get("outcome"))),
            }
        view = View(CHILD, 1, tuple(one for one in GRANTS if one.member == actor.id), fresh=True)
        return Snapshot(state, {CHILD: view}, self.now, self.now)

    def ask(self, name: str, who: str, **body: Any) -> Change:  # noqa: ANN401  JSON
        actor = CAST[who]
        read = body_of(name, body)
        change = BY_NAME[name].decide(Asked(actor, "the-oak", read, self.ids), self.seen(actor, body))
        for row in json.loads(pydantic_core.to_json(change.rows)):
            kept = self.rows.setdefault(row["table"], {})
            old = kept.get(row["id"])
            assert row["seen"] == (old["version"] if old else 0)
            blank = {"became": None, "dropped_because": None, "settled_at": None, "settled_by": None}
            blank |= {"attended": None, "uninvited": None}
            kept[row["id"]] = {**(old or blank), **row["values"], "id": row["id"], "version": row["seen"] + 1}
        self.events += [new.fact for new in change.events]
        return change


@dataclass
class Reference:
    """What a conversation is, by the rules as people know them."""

    inviter: str
    invited: set[str]
    starts_at: datetime
    status: str = "planned"
    sequence: int = 0
    attended: set[str] = field(default_factory=set)
    off: set[str] = field(default_factory=set)
    points: int = 0
    settled: dict[str, bool] = field(default_factory=dict)
    suggested: bool = True
    on_agenda: bool = False

    def may(self, who: str, name: str) -> bool:
        """Tells whether somebody may try it: takes part, or works on it by task; a guest's grant may be smaller."""
        if who not in {self.inviter} | self.invited | self.attended | TASK or (who == "carer" and name in PROPOSES):
            return False
        return name != "withdraw-invitation" or who in {self.inviter} | TASK


class LifeOfATalk(RuleBasedStateMachine):
    """Two of the school's team, two parents and a carer do whatever they like, early and late."""

    @initialize(inviter=st.sampled_from(["teacher", "mum"]), guests=SOME, about_goal=st.booleans())
    def invite(self, inviter: str, guests: set[str], about_goal: bool) -> None:
        self.kept, self.start = TalkKept(), NOW + HOUR
        opened = {"version": 1, "about": str(CHILD), "opened_at": NOW.isoformat(), "settled": None, "id": str(GOAL)}
        self.kept.rows["talk_suggestion"] = {str(GOAL): opened}
        self.real = Reference(inviter, guests, self.start)
        body: dict[str, Any] = {"about": CHILD, "why": "to talk", "invited": self.ids_of(guests), **self.times(0)}
        self.kept.ask("plan-conversation", inviter, **body, **({"goal": GOAL} if about_goal else {}))
        self.real.points = int(about_goal)
        self.real.on_agenda = about_goal

    def ids_of(self, names: set[str]) -> list[UUID]:
        return [CAST[name].id for name in sorted(names)]

    def times(self, days: int) -> dict[str, str]:
        start = self.start + timedelta(days=days)
        return {"starts_at": start.isoformat(), "ends_at": (start + HOUR).isoformat()}

    def does(self, name: str, who: str, wrong: str | None, **body: Any) -> bool:  # noqa: ANN401  JSON
        """Tries a command; what comes of it must be what the reference says. Tells whether it was done.

        `wrong`: how it is refused (`invalid`, `conflict`, `stale_version`) when status and access are no hindrance.
        """
        real = self.real
        before = json.dumps(self.kept.rows, default=str)
        expected = wrong if real.may(who, name) else "denied"
        if expected != "denied" and real.status not in {s for s, names in FROM.items() if name in names}:
            expected = "not from here"
        found = None
        told: Problem | None = None
        try:
            self.kept.ask(name, who, **body)
        except Denial:
            found = "denied"
        except Problem as problem:
            told = problem
            found = "not from here" if "allowed" in problem.more else problem.type.value
        assert found == expected, (name, who, told)
        event(f"{name}: {found or 'done'}")
        if found is None:
            return True
        assert json.dumps(self.kept.rows, default=str) == before, "a refusal changes nothing"
        if told is not None:
            self.names_what_is_possible(name, told)
        return False

    def names_what_is_possible(self, name: str, told: Problem) -> None:
        """A refusal says what can be done from here, and never what was just refused."""
        if "allowed" in told.more:
            allowed = FROM[self.real.status]
            assert (set(told.more["allowed"]), told.more["status"]) == (allowed, self.real.status)
            assert all(one in told.detail for one in allowed)
            assert allowed or "plan a new conversation" in told.detail
            assert name not in allowed
        elif told.type is ProblemType.STALE_VERSION:
            assert told.more["found"] > told.more["seen"]
            assert {"starts_at", "changes"} & told.more.keys(), "what changed meanwhile"
        else:
            assert any(word in told.detail for word in (": ", " or ")), told.detail

    @rule(hours=st.sampled_from([0.5, 1, 2, 30]))
    def time_passes(self, hours: float) -> None:
        self.kept.now += timedelta(hours=hours)

    @rule(who=WHO, more=SOME | st.none(), also=st.booleans(), days=st.integers(0, 3), seen=SEEN)
    def move(self, who: str, more: set[str] | None, also: bool, days: int, seen: int) -> None:
        real, start = self.real, self.start + timedelta(days=days)
        more = more | real.invited if more is not None and also else more
        invited = more if more is not None else real.invited
        wrong = None
        if seen and real.sequence:
            wrong = "stale_version"
        elif real.invited - invited or start < self.kept.now:
            wrong = "invalid"
        elif (start, invited) == (real.starts_at, real.invited):
            wrong = "conflict"
        body: dict[str, Any] = {"invited": self.ids_of(more)} if more is not None else {}
        body |= {**self.times(days), "sequence": max(real.sequence + seen, 0), **self.about}
        if self.does("move-conversation", who, wrong, **body):
            real.sequence, real.starts_at, real.invited = real.sequence + 1, start, invited
            real.off -= invited

    @rule(days=st.integers(0, 3))
    def ask_back(self, days: int) -> None:
        """The school has second thoughts: one is taken off the list, and asked again."""
        if others := self.real.invited - {self.real.inviter}:
            self.take_off("teacher", {min(others)}, 0)
        self.move("teacher", self.real.invited | self.real.off, also=False, days=days, seen=0)

    @property
    def about(self) -> dict[str, Any]:
        return {"conversation": self.kept.talk["id"]}

    @rule(who=WHO, members=SOME, seen=SEEN)
    def take_off(self, who: str, members: set[str], seen: int) -> None:
        real = self.real
        members = members & real.invited or members
        wrong = "invalid" if members - real.invited or members == real.invited or real.inviter in members else None
        wrong = "stale_version" if seen and real.sequence else wrong
        body = {"members": self.ids_of(members), "sequence": max(real.sequence + seen, 0), **self.about}
        if self.does("withdraw-invitation", who, wrong, **body):
            real.sequence, real.invited, real.off = real.sequence + 1, real.invited - members, real.off | members

    @rule(who=WHO, sure=st.integers(0, 5), seen=SEEN)
    def cancel(self, who: str, sure: int, seen: int) -> None:
        if sure < 5:
            return
        wrong = "stale_version" if seen and self.real.sequence else None
        body = {"reason": "ill", "sequence": max(self.real.sequence + seen, 0), **self.about}
        if self.does("cancel-conversation", who, wrong, **body):
            self.real.status, self.real.sequence = "cancelled", self.real.sequence + 1

    @rule(who=WHO, answer=st.sampled_from(["accepted", "declined"]))
    def answer(self, who: str, answer: str) -> None:
        wrong = None if who in self.real.invited else "invalid"
        self.does("answer-invitation", who, wrong, answer=answer, **self.about)

    @rule(who=WHO, goal=st.sampled_from([None, GOAL, OTHERS_GOAL]))
    def add_point(self, who: str, goal: UUID | None) -> None:
        wrong = "invalid" if goal == OTHERS_GOAL else None
        if self.does("add-point", who, wrong, words="reading", goal=goal, **self.about):
            self.real.points += 1
            self.real.on_agenda |= goal == GOAL

    @rule(who=WHO, there=SOME, seen=SEEN, about=st.sampled_from([[], [], [GOAL], [OTHERS_GOAL]]))
    def hold(self, who: str, there: set[str], seen: int, about: list[UUID]) -> None:
        real = self.real
        wrong = "conflict" if self.kept.now < real.starts_at else None
        wrong = "invalid" if OTHERS_GOAL in about else wrong
        wrong = "stale_version" if seen and real.sequence else wrong
        body = {"attended": self.ids_of(there), "sequence": max(real.sequence + seen, 0), "goals": about, **self.about}
        if self.does("hold-conversation", who, wrong, **body):
            real.status, real.attended = "held", there
            real.points += bool(about) and not real.on_agenda
            real.suggested = not (real.on_agenda or about)

    @rule(who=st.sampled_from(["teacher", "mum"]))
    def go_forward(self, who: str) -> None:
        """What people would do next, so that what comes late is tried as often as what comes early."""
        self.kept.now = max(self.kept.now, self.real.starts_at + HOUR)
        self.hold(who, {"mum", "teacher"}, 0, [])

    @rule(who=WHO, kind=st.sampled_from(["goal", "action", "commitment"]))
    def record(self, who: str, kind: str) -> None:
        if self.does("record-outcome", who, None, kind=kind, words="to read", **self.about):
            self.real.settled[list(self.kept.rows["conversation_outcome"])[-1]] = False

    @rule(who=WHO, which=st.integers(0, 5), old=st.booleans(), became=st.booleans())
    def settle(self, who: str, which: int, old: bool, became: bool) -> None:
        if not self.real.settled:
            return
        outcome = sorted(self.real.settled)[which % len(self.real.settled)]
        done = self.real.settled[outcome]
        wrong = ("stale_version" if old else "conflict") if done else None
        ends = {"became": GOAL} if became else {"dropped_because": "no need"}
        version = 2 if done and not old else 1
        if self.does("settle-outcome", who, wrong, outcome=outcome, version=version, **ends):
            self.real.settled[outcome] = True
            self.real.suggested &= not became  # a goal that came out of a conversation was talked about

    @rule(who=WHO, answer=st.sampled_from(["yes", "no"]))
    def say_heard(self, who: str, answer: str) -> None:
        wrong = None if who in self.real.attended else "invalid"
        self.does("say-heard", who, wrong, answer=answer, **self.about)

    @invariant()
    def it_is_what_the_reference_says(self) -> None:
        if not hasattr(self, "kept"):
            return
        talk, real = self.kept.talk, self.real
        assert (talk["status"], talk["sequence"]) == (real.status, real.sequence)
        assert set(talk["invited"]) == {str(CAST[one].id) for one in real.invited}
        assert set(talk["uninvited"] or ()) == {str(CAST[one].id) for one in real.off}
        assert (talk["attended"] is not None) == (real.status == "held")
        assert len(self.kept.of("conversation_point")) == real.points
        assert (self.kept.of("talk_suggestion")[0]["settled"] is None) == real.suggested
        heard = {one["member"] for one in self.kept.of("conversation_heard")}
        assert heard <= {str(CAST[one].id) for one in real.attended}
        for outcome in self.kept.of("conversation_outcome"):
            ends = (outcome["became"] is not None) + (outcome["dropped_because"] is not None)
            assert ends == real.settled[outcome["id"]] == (outcome["settled_at"] is not None)

    @invariant()
    def calendars_follow(self) -> None:
        """Each fact with a time carries the next sequence: no calendar takes an older one over a newer."""
        if hasattr(self, "kept"):
            told = [fact.sequence for fact in self.kept.events if hasattr(fact, "sequence")]
            assert told == list(range(len(told)))


LifeOfATalk.TestCase.settings = settings(max_examples=70, stateful_step_count=35, deadline=None)
TestLifeOfATalk = LifeOfATalk.TestCase
