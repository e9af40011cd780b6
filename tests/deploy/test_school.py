"""`samen school`: what is done to all of a school's tools, and what is said of each: only what was seen."""

from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
import typer

from deploy.samen.client import Client
from deploy.samen.school import person_of, seen_words
from deploy.samen.school_tools import PAUSE, REMOVE, RESUME, Deed, Outcome, do_to_all
from shared.actor import Actor
from shared.errors import Problem, ProblemType
from shared.events.words import ActorKind

Json = dict[str, Any]


def _tool(state: str = "active", account: str | None = "A1", label: str = "Leesapp") -> Json:
    return {"id": str(uuid4()), "label": label, "account": account, "state": state, "version": 1}


@dataclass
class Gate:
    """Answers as the gate does; `overtaken` tools are changed by somebody else just before each command."""

    tools: list[Json]
    overtaken: dict[str, str] = field(default_factory=dict)
    forbidden: set[str] = field(default_factory=set)
    given: list[tuple[str, str, int]] = field(default_factory=list)

    def actor(self, person: UUID, school: str) -> Actor:
        return Actor(person, ActorKind.PERSON, school, "samen")

    async def query(self, school: str, service: str, name: str, body: Json, actor: Actor) -> Json:
        assert (school, service, body["purpose"], actor.school) == ("wilg", "gate", "administration", "wilg")
        if name == "tools":
            return {"tools": [dict(one) for one in self.tools if body["removed"] or one["state"] != "removed"]}
        return dict(self._of(body["tool"]))

    async def command(self, school: str, service: str, name: str, body: Json, actor: Actor) -> Json:
        assert (school, service, body["reason"], actor.school) == ("wilg", "gate", "asked", "wilg")
        tool = self._of(body["tool"])
        if tool["id"] in self.forbidden:
            raise Problem(ProblemType.FORBIDDEN, "not yours")
        if state := self.overtaken.pop(tool["id"], None):
            tool["state"], tool["version"] = state, tool["version"] + 1
        if body["version"] != tool["version"]:
            raise Problem(ProblemType.STALE_VERSION, "changed meanwhile")
        self.given.append((name, tool["id"], body["version"]))
        tool["state"], tool["version"] = {"pause-tool": "paused", "resume-tool": "active"}.get(name, "removed"), 9
        return {}

    def _of(self, id_: str) -> Json:
        return next(one for one in self.tools if one["id"] == id_)


@dataclass
class Nats:
    """What NATS is seen to have: connections by account, None where it is not seen."""

    left: dict[str, int | None] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def settled(self, client: Client, account: str, state: str) -> int | None:
        assert isinstance(client, Gate)
        self.asked.append((account, state))
        return self.left.get(account, 0)


async def _do(gate: Gate, deed: Deed, nats: Nats | None = None) -> list[Outcome]:
    settled = (nats or Nats()).settled
    return await do_to_all(cast(Client, gate), "wilg", uuid4(), deed, "asked", settled)


async def test_all_that_are_not_so_yet_are_changed_and_all_are_looked_at() -> None:
    tools = [_tool("active", "A1"), _tool("paused", "A2"), _tool("removed", "A3"), _tool("active", None)]
    gate, nats = Gate(tools), Nats({"A1": 3})
    outcomes = await _do(gate, PAUSE, nats)
    assert [(name, id_) for name, id_, _ in gate.given] == [
        ("pause-tool", tools[0]["id"]),
        ("pause-tool", tools[3]["id"]),
    ]
    assert nats.asked == [("A1", "paused"), ("A2", "paused")], "also the one that was paused before"
    assert [one.connections for one in outcomes] == [3, 0, None]
    assert all(one.seen for one in outcomes), "a tool without an account has nothing at NATS"


async def test_removing_reaches_paused_ones_too_and_looks_again_at_those_removed_before() -> None:
    tools = [_tool("active", "A1"), _tool("paused", "A2"), _tool("removed", "A3")]
    gate, nats = Gate(tools), Nats()
    await _do(gate, REMOVE, nats)
    assert {one["state"] for one in tools} == {"removed"}
    assert sorted(nats.asked) == [("A1", "removed"), ("A2", "removed"), ("A3", "removed")]


async def test_resuming_leaves_what_is_removed_alone() -> None:
    tools = [_tool("paused", "A1"), _tool("removed", "A2")]
    nats = Nats()
    await _do(Gate(tools), RESUME, nats)
    assert [one["state"] for one in tools] == ["active", "removed"]
    assert nats.asked == [("A1", "active")]


@pytest.mark.parametrize(("meanwhile", "commands"), [("active", 1), ("paused", 0)])
async def test_a_tool_that_somebody_changed_meanwhile_is_looked_at_again(meanwhile: str, commands: int) -> None:
    tool = _tool()
    gate = Gate([tool], overtaken={tool["id"]: meanwhile})
    (outcome,) = await _do(gate, PAUSE)
    assert outcome.seen
    assert [version for _, _, version in gate.given] == [2] * commands
    assert tool["state"] == "paused"


async def test_a_tool_that_cannot_be_changed_is_told_and_holds_up_no_other() -> None:
    tools = [_tool("active", "A1"), _tool("active", "A2")]
    gate, nats = Gate(tools, forbidden={tools[0]["id"]}), Nats()
    first, second = await _do(gate, PAUSE, nats)
    assert (first.failed, first.seen, second.seen) == ("not yours", False, True)
    assert nats.asked == [("A2", "paused")]
    assert "not yours" in seen_words(first, PAUSE)


def test_nothing_is_said_to_be_cut_that_was_not_seen() -> None:
    def said(deed: Deed, connections: int | None, account: str | None = "A") -> str:
        return seen_words(Outcome(uuid4(), "x", account, None, connections), deed)

    assert "cut" in said(REMOVE, 0)
    assert "not seen" in said(REMOVE, None)
    assert not Outcome(uuid4(), "x", "A").seen
    assert "2 connected" in said(PAUSE, 2)
    assert "nothing more" in said(REMOVE, None, None)


def test_a_person_is_written_as_in_a_mails_header() -> None:
    assert person_of("Anna de Vries <anna@school.example>") == {
        "given_name": "Anna",
        "family_name": "de Vries",
        "email": "anna@school.example",
    }
    assert person_of("Jan Jansen") == {"given_name": "Jan", "family_name": "Jansen"}
    for nobody in ("", "Anna", "anna@school.example", "<anna@school.example>"):
        with pytest.raises(typer.BadParameter):
            person_of(nobody)
