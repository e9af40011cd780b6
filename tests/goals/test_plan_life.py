"""No sequence of commands brings a plan where it must not be, and every refusal names what is possible from there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from random import Random
from typing import Any
from uuid import UUID

import pydantic_core
import rfc8785
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from shared.access import View
from shared.actor import Actor
from shared.clock import Ids
from shared.errors import Problem, ProblemType
from shared.events.plans import PlanStatus
from shared.events.words import Action, Basis, Category, Role
from shared.unit import Asked, Change, Snapshot
from tests.goals.plans import grant
from tests.goals.support import BY_NAME, NOW, body_of, person

CHILD = UUID(int=1, version=4)
TEACHER, MUM, DAD, STEPDAD = (person(number) for number in range(21, 25))
GRANTS = (
    grant(TEACHER.id, Role.TEACHER, Basis.PUBLIC_TASK),
    grant(MUM.id, Role.GUARDIAN, Basis.AUTHORITY),
    grant(DAD.id, Role.GUARDIAN, Basis.AUTHORITY),
    grant(STEPDAD.id, Role.GUARDIAN, Basis.LEGAL_DUTY, (Action.VIEW,), (Category.PLAN,)),
)
STEPS = {
    PlanStatus.DRAFT: {PlanStatus.DRAFT, PlanStatus.IN_CONSULTATION, PlanStatus.CLOSED},
    PlanStatus.IN_CONSULTATION: set(PlanStatus) - {PlanStatus.DRAFT, PlanStatus.IN_FORCE, PlanStatus.EVALUATED},
    PlanStatus.AGREED_IN_PART: set(PlanStatus) - {PlanStatus.DRAFT, PlanStatus.IN_FORCE, PlanStatus.EVALUATED},
    PlanStatus.AGREED: set(PlanStatus) - {PlanStatus.DRAFT, PlanStatus.EVALUATED},
    PlanStatus.IN_FORCE: {PlanStatus.IN_FORCE, PlanStatus.EVALUATED},
    PlanStatus.EVALUATED: {PlanStatus.EVALUATED, PlanStatus.IN_FORCE, PlanStatus.CLOSED},
    PlanStatus.CLOSED: {PlanStatus.CLOSED},
}
"""Where a plan may stand after a command, by where it stood. Written down here, not taken from the code."""


class PlanKept:
    """A plan in memory: gives the snapshots that the readers would, takes Changes as the database would."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {}
        self.ids, self.now = Ids(Random(1)), NOW

    @property
    def plan(self) -> dict[str, Any]:
        return self.rows["plan"][0]

    def text(self, number: int | None) -> dict[str, Any] | None:
        return next((one for one in self.rows["plan_text"] if one["number"] == number), None)

    def seen(self, actor: Actor, body: Mapping[str, Any]) -> Snapshot:
        view = View(CHILD, 1, tuple(one for one in GRANTS if one.member == actor.id), fresh=True)
        grants = [one.model_dump(mode="json") for one in GRANTS]
        state: dict[str, Any] = {
            "goals": [],
            "deciders": {"revision": 1, "grants": grants, "policies": [], "disputes": []},
        }
        if "plan" in self.rows:
            answers = {(one["holder"], one["item"], one["item_hash"]): one for one in self.of("plan_answer")}
            known = [one for one in self.of("disagreement") if one["id"] == str(body.get("disagreement"))]
            state |= {
                "plan": self.plan,
                "text": self.text(self.plan["number"]),
                "force": self.text(self.plan["force_number"]),
                "seen": self.text(body.get("number")),
                "answers": list(answers.values()),
                "acknowledged": False,
                "other": None,
                "disagreement": known[0] if known else None,
                "voices": self.of("child_voice"),
                "ended": [one["action"] for one in self.of("action_end")],
                "evaluated_at": max((one["evaluated_at"] for one in self.of("evaluation")), default=None),
                "held_on": next((one["held_on"] for one in reversed(self.of("evaluation"))), None),
                "calendar": None,
                "clocks": [],
            }
        return Snapshot(state, {CHILD: view}, self.now, self.now)

    def of(self, table: str) -> list[dict[str, Any]]:
        return self.rows.get(table, [])

    def ask(self, name: str, actor: Actor, **body: Any) -> Change:  # noqa: ANN401  JSON
        read = body_of(name, body)
        change = BY_NAME[name].decide(Asked(actor, "the-oak", read, self.ids), self.seen(actor, body))
        for row in json.loads(pydantic_core.to_json(change.rows)):
            kept = self.rows.setdefault(row["table"], [])
            old = next((one for one in kept if one["id"] == row["id"]), None)
            if old is not None:
                old |= row["values"] | {"version": old["version"] + 1}
            else:
                kept.append({"not_heard_because": None} | row["values"] | {"id": row["id"], "version": 1})
        self.now += timedelta(minutes=1)
        return change


def test_a_permit_holds_at_the_revision_that_the_holders_were_read_at() -> None:
    """The asker's own grants and the holders are read by two statements: the commit must see both as they were."""
    kept = PlanKept()
    kept.ask("draft-plan", TEACHER, about=CHILD, outlook="onwards")
    seen = kept.seen(TEACHER, {"number": 1})
    state = {**seen.state, "deciders": {**seen.state["deciders"], "revision": 7}}
    body = {"plan": kept.plan["id"], "number": 1, "reason": "it is over"}
    asked = Asked(TEACHER, "the-oak", body_of("close-plan", body), kept.ids)
    (permit,) = BY_NAME["close-plan"].decide(asked, replace(seen, state=state)).permits
    assert permit.revision == 7


class LifeOfAPlan(RuleBasedStateMachine):
    """Two parents, a teacher and one without authority do whatever they like."""

    @initialize(actions=st.integers(1, 3))
    def draft(self, actions: int) -> None:
        self.kept, self.before = PlanKept(), PlanStatus.DRAFT
        self.said: dict[tuple[str, str, str], bool] = {}
        written = [self.action(f"action {number}") for number in range(actions)]
        self.kept.ask("draft-plan", TEACHER, about=CHILD, outlook="onwards", actions=written)

    def action(self, what: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401  JSON
        return {"what": what, "who": [MUM.id], "where": ["home"], "until": "2026-06-01", **more}

    @property
    def status(self) -> PlanStatus:
        return PlanStatus(self.kept.plan["status"])

    @property
    def text(self) -> dict[str, Any]:
        found = self.kept.text(self.kept.plan["number"])
        assert found is not None
        return found

    def does(self, name: str, actor: Actor = TEACHER, **more: Any) -> bool:  # noqa: ANN401  JSON
        """Tries a command from the newest version; a refusal must say what is possible, and change nothing."""
        self.before = self.status
        rows = json.dumps(self.kept.rows, default=str)
        try:
            self.kept.ask(name, actor, plan=self.kept.plan["id"], number=self.kept.plan["number"], **more)
        except Problem as problem:
            refused = problem
        else:
            return True
        assert json.dumps(self.kept.rows, default=str) == rows
        if refused.type is ProblemType.CONFLICT and "same" not in refused.more:
            allowed = refused.more["allowed"]
            assert refused.more["status"] == self.before
            assert bool(allowed) == (self.before is not PlanStatus.CLOSED)
            assert "draft a new plan" in refused.detail or all(one in refused.detail for one in allowed)
            assert name not in allowed or "is not possible while" not in refused.detail
        return False

    @rule(
        where=st.integers(0, 2),
        what=st.sampled_from(["reads", "sings", "action 0"]),
        who=st.sampled_from([TEACHER, MUM]),
    )
    def revise(self, where: int, what: str, who: Actor) -> None:
        written = [self.action(**one["text"] | {"action": one["item"]}) for one in self.text["items"]]
        written[where % len(written)]["what"] = what
        self.does("revise-plan", who, outlook="onwards", actions=written)

    @rule()
    def consult(self) -> None:
        self.does("consult-plan")

    @rule(who=st.sampled_from([MUM, DAD]), where=st.integers(-1, 2), agrees=st.booleans())
    def answer(self, who: Actor, where: int, agrees: bool) -> None:
        found = self.text["items"]
        chosen = found if where < 0 else [found[where % len(found)]]
        items = [one["item"] for one in chosen]
        more = {"hash": self.text["hash"], "items": items} | ({} if agrees else {"reason": "too much"})
        if self.does("agree-plan" if agrees else "disagree-plan", who, **more):
            for one in self.kept.of("plan_answer")[-len(items) :]:
                self.said[str(who.id), one["item"], one["item_hash"]] = agrees

    @rule()
    def both_agree(self) -> None:
        self.answer(MUM, -1, agrees=True)
        self.answer(DAD, -1, agrees=True)

    @rule(heard=st.booleans())
    def go_forward(self, heard: bool) -> None:
        """What people would do next, so that what comes late in a plan's life is tried as often as what comes early."""
        waits = self.kept.plan["force_number"] != self.kept.plan["number"]
        if self.status is PlanStatus.DRAFT:
            self.consult()
        elif waits and self.status in {PlanStatus.IN_FORCE, PlanStatus.AGREED}:
            self.hear("drafting" if self.status is PlanStatus.AGREED else "changing", heard, told=True)
            self.enforce()
        elif self.status in {PlanStatus.IN_CONSULTATION, PlanStatus.AGREED_IN_PART}:
            self.both_agree()
        elif self.status is PlanStatus.IN_FORCE:
            self.tell_back()
            self.hear("evaluating", heard, told=True)
            self.evaluate(with_parent=True)
        else:
            self.does("continue-plan")

    @rule(moment=st.sampled_from(["drafting", "changing", "evaluating"]), heard=st.booleans(), told=st.booleans())
    def hear(self, moment: str, heard: bool, told: bool) -> None:
        said: dict[str, Any] = {"channel": "direct", "words": "I like it", "influence": "more of it"}
        said |= {"told_back_on": "2026-03-10"} if told else {}
        self.does("record-voice", moment=moment, **(said if heard else {"not_heard_because": "ill"}))

    @rule()
    def tell_back(self) -> None:
        untold = [
            one for one in self.kept.of("child_voice") if one["channel"] is not None and one["told_back_on"] is None
        ]
        for one in untold:
            if self.status is not PlanStatus.CLOSED:
                self.before = self.status
                body = {"plan": self.kept.plan["id"], "voice": one["id"], "told_on": "2026-03-10"}
                self.kept.ask("tell-child-back", TEACHER, **body)

    @rule()
    def enforce(self) -> None:
        asked = self.kept.plan["force_number"] != self.kept.plan["number"]
        if self.does("put-plan-in-force"):
            assert asked
            for item in self.text["items"]:
                mark = sha256(rfc8785.dumps(item)).hexdigest()
                assert self.said.get((str(MUM.id), item["item"], mark)) is True
                assert self.said.get((str(DAD.id), item["item"], mark)) is True
            assert self.kept.of("child_voice")

    @rule(with_parent=st.booleans())
    def evaluate(self, with_parent: bool) -> None:
        attended = [str(MUM.id)] if with_parent else []
        voices, ends = self.kept.of("child_voice"), self.kept.of("evaluation")
        since = ends[-1]["evaluated_at"] if ends else ""
        if self.does("evaluate-plan", held_on="2026-03-10", findings="well", attended=attended):
            assert with_parent
            assert any(one["moment"] == "evaluating" and one["recorded_at"] > since for one in voices)
            assert all(one["not_heard_because"] or one["told_back_on"] for one in voices)

    @rule()
    def continue_(self) -> None:
        self.does("continue-plan")

    @rule(sure=st.integers(0, 9))
    def close(self, sure: int) -> None:
        if sure == 9:
            self.does("close-plan", reason="it is over")

    @rule(outcome=st.sampled_from(["done", "not_done"]), where=st.integers(0, 2))
    def finish(self, outcome: str, where: int) -> None:
        found = self.text["items"]
        self.does("finish-action", MUM, action=found[where % len(found)]["item"], outcome=outcome)

    @invariant()
    def note_where_it_stands(self) -> None:
        if hasattr(self, "kept"):
            event(self.status.value)

    @invariant()
    def it_went_no_forbidden_way(self) -> None:
        if hasattr(self, "kept"):
            assert self.status in STEPS[self.before]
            assert (self.kept.plan["force_number"] is None) or self.status in {
                PlanStatus.IN_FORCE,
                PlanStatus.EVALUATED,
                PlanStatus.CLOSED,
            }
            ended = [one["action"] for one in self.kept.of("action_end")]
            assert len(ended) == len(set(ended))
            assert [one["number"] for one in self.kept.of("plan_text")] == list(range(1, self.kept.plan["number"] + 1))


LifeOfAPlan.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestLifeOfAPlan = LifeOfAPlan.TestCase
