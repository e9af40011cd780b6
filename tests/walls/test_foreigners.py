"""Someone from the other school: refused, written down, and told nothing that a stranger would not be told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from inspect import signature
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from shared.actor import Actor
from shared.events.words import ActorKind
from tests.faults.cast import Kid, School, goal_for
from tests.faults.door import Answer, Door
from tests.faults.stage import Stage, until
from tests.walls.test_bad_input import DOORS

pytestmark = pytest.mark.asyncio(loop_scope="package")

Json = dict[str, Any]

CONSENT: Json = {"for_purpose": "care_coordination", "recipient": str(uuid4()), "categories": ["goals"]}
TOOL: Json = {"tool": str(uuid4())}
SIGNED = {"secret": "whsec_" + "QUFB" * 8}
SCORED: Json = {"level": 1, "observed_on": "2026-11-01"}


def membership_of(child: str) -> Json:
    return {"subject": child, "membership": str(uuid4()), "version": 1}


ASKED: dict[str, Callable[[str], Json]] = {
    "cmd goals.propose-goal": lambda child: goal_for(Kid(child, str(uuid4()), "", str(uuid4()), "")),
    "cmd goals.accept-goal": lambda goal: {"goal": goal, "version": 1},
    "cmd goals.reject-goal": lambda goal: {"goal": goal, "version": 1, "reason": "too much"},
    "cmd goals.activate-goal": lambda goal: {"goal": goal, "version": 1},
    "cmd goals.hold-goal": lambda goal: {"goal": goal, "version": 1, "reason": "holidays"},
    "cmd goals.resume-goal": lambda goal: {"goal": goal, "version": 1},
    "cmd goals.complete-goal": lambda goal: {"goal": goal, "version": 1, "achievement": "achieved"},
    "cmd goals.cancel-goal": lambda goal: {"goal": goal, "version": 1, "reason": "moved"},
    "cmd goals.mark-goal-in-error": lambda goal: {"goal": goal, "version": 1, "reason": "mistaken"},
    "cmd goals.assess-goal": lambda goal: {"goal": goal, "version": 1, "achievement": "achieved"},
    "cmd goals.score-goal": lambda goal: {"goal": goal, "setting": "school", **SCORED},
    "cmd goals.score-goals": lambda child: {
        "about": child,
        "setting": "school",
        "scores": [{"goal": str(uuid4()), **SCORED}],
    },
    "cmd goals.correct-score": lambda score: {"score": score, "version": 1, "reason": "mistaken", "level": 0},
    "cmd goals.revise-goal": lambda goal: {"goal": goal, "version": 1, "reason": "clearer", "weight": 3},
    "qry goals.goal-history": lambda goal: {"goal": goal, "purpose": "guidance"},
    "cmd goals.publish-template": lambda child: {
        "about": child,
        "domain": "motor",
        "title": "fietsen",
        "wording": "fietst zelf",
        "ladder": ["a", "b", "c", "d", "e"],
    },
    "qry goals.goal-templates": lambda child: {"about": child, "purpose": "guidance"},
    "qry goals.goal-template": lambda child: {"about": child, "template": str(uuid4()), "purpose": "guidance"},
    "cmd goals.draft-plan": lambda child: {"about": child, "outlook": "onwards"},
    "cmd goals.revise-plan": lambda plan: {"plan": plan, "number": 1, "outlook": "onwards"},
    "cmd goals.consult-plan": lambda plan: {"plan": plan, "number": 1},
    "cmd goals.agree-plan": lambda plan: {"plan": plan, "number": 1, "hash": "0" * 64},
    "cmd goals.disagree-plan": lambda plan: {"plan": plan, "number": 1, "hash": "0" * 64, "reason": "too much"},
    "cmd goals.take-remedy": lambda plan: {
        "plan": plan,
        "number": 1,
        "disagreement": str(uuid4()),
        "remedy": "mediation",
        "note": "tried",
    },
    "cmd goals.acknowledge-plan": lambda plan: {"plan": plan, "number": 1, "hash": "0" * 64},
    "cmd goals.put-plan-in-force": lambda plan: {"plan": plan, "number": 1},
    "cmd goals.record-voice": lambda plan: {
        "plan": plan,
        "number": 1,
        "moment": "drafting",
        "not_heard_because": "ill",
    },
    "cmd goals.tell-child-back": lambda plan: {"plan": plan, "voice": str(uuid4()), "told_on": "2026-11-01"},
    "cmd goals.finish-action": lambda plan: {"plan": plan, "number": 1, "action": str(uuid4()), "outcome": "done"},
    "cmd goals.evaluate-plan": lambda plan: {"plan": plan, "number": 1, "held_on": "2026-11-01", "findings": "well"},
    "cmd goals.continue-plan": lambda plan: {"plan": plan, "number": 1},
    "cmd goals.close-plan": lambda plan: {"plan": plan, "number": 1, "reason": "moved"},
    "qry goals.plans-of-child": lambda child: {"about": child, "purpose": "guidance"},
    "qry goals.plan": lambda plan: {"plan": plan, "purpose": "guidance"},
    "qry goals.plan-changes": lambda plan: {"plan": plan, "before": 1, "after": 1, "purpose": "guidance"},
    "qry goals.deadlines": lambda child: {"about": child, "purpose": "guidance"},
    "cmd goals.set-school-year": lambda child: {
        "about": child,
        "version": 0,
        "starts_on": "2026-08-24",
        "ends_on": "2027-07-09",
    },
    "qry goals.school-years": lambda child: {"about": child, "purpose": "guidance"},
    "cmd goals.plan-conversation": lambda child: {
        "about": child,
        "why": "to talk",
        "invited": [str(uuid4())],
        "starts_at": "2027-01-01T10:00:00Z",
        "ends_at": "2027-01-01T11:00:00Z",
    },
    "cmd goals.move-conversation": lambda talk: {
        "conversation": talk,
        "sequence": 0,
        "starts_at": "2027-01-01T10:00:00Z",
        "ends_at": "2027-01-01T11:00:00Z",
    },
    "cmd goals.cancel-conversation": lambda talk: {"conversation": talk, "sequence": 0, "reason": "ill"},
    "cmd goals.withdraw-invitation": lambda talk: {"conversation": talk, "sequence": 0, "members": [str(uuid4())]},
    "cmd goals.answer-invitation": lambda talk: {"conversation": talk, "answer": "accepted"},
    "cmd goals.add-point": lambda talk: {"conversation": talk, "words": "reading"},
    "cmd goals.hold-conversation": lambda talk: {"conversation": talk, "sequence": 0, "attended": [str(uuid4())]},
    "cmd goals.record-conversation": lambda child: {
        "about": child,
        "why": "we met at the gate",
        "attended": [str(uuid4()), str(uuid4())],
        "starts_at": "2026-01-01T10:00:00Z",
        "ends_at": "2026-01-01T10:15:00Z",
    },
    "cmd goals.record-outcome": lambda talk: {"conversation": talk, "kind": "goal", "words": "to read"},
    "cmd goals.settle-outcome": lambda outcome: {"outcome": outcome, "version": 1, "dropped_because": "no"},
    "cmd goals.say-heard": lambda talk: {"conversation": talk, "answer": "yes"},
    "cmd goals.write-guidance": lambda child: {"about": child, "step": "talking", "number": 0, "prompts": ["listen"]},
    "qry goals.conversations": lambda child: {"about": child, "purpose": "guidance"},
    "qry goals.conversation": lambda talk: {"conversation": talk, "purpose": "guidance"},
    "qry goals.conversation-invite": lambda talk: {"conversation": talk, "purpose": "guidance"},
    "qry goals.calendar-entry": lambda talk: {"conversation": talk, "member": str(uuid4()), "purpose": "guidance"},
    "cmd goals.measure-by-heard": lambda goal: {"goal": goal, "role": "guardian", "thresholds": [40, 60, 75, 90]},
    "cmd goals.score-from-heard": lambda goal: {"goal": goal},
    "qry goals.heard-summary": lambda child: {"about": child, "purpose": "guidance"},
    "qry goals.guidance": lambda child: {"about": child, "purpose": "guidance"},
    "qry goals.insight": lambda child: {"about": child, "purpose": "guidance"},
    "qry goals.export-child": lambda child: {"about": child, "purpose": "own_data"},
    "qry goals.export-plan": lambda plan: {"plan": plan, "purpose": "own_data"},
    "qry goals.agreements": lambda plan: {"plan": plan, "purpose": "guidance"},
    "qry goals.goals-of-child": lambda child: {"about": child, "purpose": "guidance"},
    "qry goals.child-page": lambda child: {"about": child, "purpose": "guidance"},
    "qry goals.goal": lambda goal: {"goal": goal, "purpose": "guidance"},
    "qry network.child-network": lambda child: {"child": child, "purpose": "guidance"},
    "qry network.consents": lambda child: {"child": child, "purpose": "guidance"},
    "qry network.contact-point": lambda child: {"member": str(uuid4()), "about": child, "purpose": "guidance"},
    "cmd network.add-member": lambda child: {
        "subject": child,
        "role": "psychologist",
        "new_person": {"given_name": "Pim", "family_name": "Proef"},
    },
    "cmd network.end-membership": membership_of,
    "cmd network.record-authority": lambda child: {"child": child, "holder": str(uuid4()), "source": "court"},
    "cmd network.end-authority": lambda child: {"child": child, "authority": str(uuid4()), "version": 1},
    "cmd network.ask-consent": lambda child: {"child": child, "notice_version": 1, **CONSENT},
    "cmd network.give-consent": lambda child: {"child": child, "notice_version": 1, **CONSENT},
    "cmd network.refuse-consent": lambda child: {"child": child, **CONSENT},
    "cmd network.withdraw-consent": lambda child: {"child": child, **CONSENT},
    "cmd network.invite-member": lambda child: {"subject": child, "role": "therapist", "secret": "s" * 43},
    "qry network.invitations": lambda child: {"subject": child, "purpose": "guidance"},
    "cmd network.revoke-invitation": lambda child: {"subject": child, "invitation": str(uuid4()), "version": 1},
    "cmd network.renew-mandate": membership_of,
    "cmd network.leave-network": membership_of,
    "cmd network.suspend-membership": membership_of,
    "cmd network.resume-membership": membership_of,
    "cmd network.replace-member": lambda child: {**membership_of(child), "person": str(uuid4())},
    "cmd network.end-placement": lambda child: {"child": child},
    "cmd network.state-tie": lambda child: {"child": child, "strength": "strong"},
    "qry network.ecogram": lambda child: {"child": child, "purpose": "guidance"},
    "cmd network.set-confidential": lambda child: {"person": child, "confidential": True},
    "qry network.consent-receipt": lambda consent: {"consent": consent, "purpose": "own_data"},
    "cmd network.voice-expectation": lambda child: {
        "about": child,
        "words": "we read together",
        "why": "it helps",
        "settings": ["home"],
    },
    "cmd network.make-commitment": lambda child: {
        "about": child,
        "words": "I read along",
        "settings": ["home"],
        "by_on": "2027-06-01",
    },
    "cmd network.answer-expectation": lambda dialogue: {"dialogue": dialogue, "version": 1, "answer": "accepted"},
    "cmd network.withdraw-expectation": lambda dialogue: {"dialogue": dialogue, "version": 1},
    "cmd network.review-commitment": lambda dialogue: {"dialogue": dialogue, "version": 1, "outcome": "kept"},
    "cmd network.remark": lambda dialogue: {"dialogue": dialogue, "version": 1, "words": "still so"},
    "cmd network.invite-companion": lambda dialogue: {"dialogue": dialogue, "version": 1, "member": str(uuid4())},
    "qry network.expectations": lambda child: {"about": child, "purpose": "guidance"},
    "cmd network.note-dispute": lambda child: {
        "child": child,
        "decision": "sharing",
        "between": [str(uuid4()), str(uuid4())],
    },
    "cmd network.settle-dispute": lambda child: {"child": child, "dispute": str(uuid4()), "version": 1},
    "cmd network.withhold-information": lambda child: {"child": child, "guardian": str(uuid4()), "source": "court"},
    "cmd network.restore-information": lambda child: {"child": child, "withholding": str(uuid4()), "version": 1},
    "qry network.deciders": lambda child: {"child": child, "purpose": "guidance"},
    "qry network.policy-explanation": lambda child: {
        "child": child,
        "who": str(uuid4()),
        "action": "view",
        "category": "goals",
        "purpose": "oversight",
    },
    "cmd network.break-glass": lambda child: {"child": child, "reason": "it cannot wait"},
    "cmd network.end-emergency": lambda child: {"child": child, "emergency": str(uuid4()), "version": 1},
    "cmd network.review-emergency": lambda child: {
        "child": child,
        "emergency": str(uuid4()),
        "version": 1,
        "outcome": "justified",
        "reason": "it was so",
    },
    "cmd network.erase-child": lambda child: {"child": child, "reason": "duplicate"},
    "cmd network.decide-erasure": lambda child: {
        "child": child,
        "erasure": str(uuid4()),
        "version": 1,
        "answer": "confirmed",
    },
    "cmd network.place-hold": lambda child: {"child": child, "reason": "court"},
    "cmd network.lift-hold": lambda child: {"child": child, "hold": str(uuid4()), "version": 1},
    "qry network.child-file": lambda child: {"child": child, "purpose": "own_data"},
    "qry network.holds": lambda child: {"child": child, "purpose": "administration"},
    "qry network.erasure-preview": lambda child: {"child": child, "purpose": "administration"},
    "qry goals.erasure-preview": lambda child: {"child": child, "purpose": "administration"},
    "qry notifications.erasure-preview": lambda child: {"child": child, "purpose": "administration"},
    "qry gate.erasure-preview": lambda child: {"child": child, "purpose": "administration"},
    "cmd gate.register-tool": lambda child: (
        TOOL
        | {
            "about": child,
            "label": "Leesapp",
            "for_purpose": "local_tool",
            "categories": ["goals"],
            "agreement": "VO-2026-14",
        }
    ),
    "cmd gate.pause-tool": lambda child: {"about": child, "version": 1, **TOOL},
    "cmd gate.resume-tool": lambda child: {"about": child, "version": 1, **TOOL},
    "cmd gate.remove-tool": lambda child: {"about": child, "version": 1, **TOOL},
    "cmd gate.issue-login": lambda child: {"about": child, "user_key": "U" + "A" * 55, **TOOL},
    "qry gate.tool-lag": lambda child: {"about": child, "purpose": "administration"},
    "cmd gate.replay-tool": lambda child: {"about": child, "from_sequence": 1, **TOOL},
    "cmd gate.set-webhook": lambda child: {"about": child, "url": "https://a.example/", "version": 0, **SIGNED, **TOOL},
    "cmd gate.take-webhook-key": lambda child: {"about": child, "version": 1, **SIGNED, **TOOL},
    "cmd gate.redrive-parcels": lambda child: {"about": child, **TOOL},
    "qry gate.webhook": lambda child: {"about": child, "purpose": "administration", **TOOL},
    "cmd gate.confirm-deletion": lambda child: {"withdrawal": child},
    "qry gate.tools": lambda child: {"about": child, "purpose": "administration"},
    "qry gate.tool": lambda child: {"about": child, "purpose": "administration", **TOOL},
    "qry audit.erasure-preview": lambda child: {"child": child, "purpose": "administration"},
    "qry network.emergencies": lambda child: {"child": child, "purpose": "oversight"},
    "qry network.emergency-contacts": lambda child: {"child": child, "purpose": "guidance"},
    "cmd notifications.ask-code": lambda child: {"address": child, "version": 1},
    "cmd notifications.verify-address": lambda child: {"address": child, "code": "00000000"},
    "cmd notifications.remove-address": lambda child: {"address": child, "version": 1},
    "qry notifications.outlets": lambda child: {"about": child, "purpose": "administration"},
    "cmd notifications.set-outlet": lambda child: {
        "about": child,
        "name": "sms",
        "version": 0,
        "url": "threema://*AAAAAAA@0123456789abcdef/{target}",
    },
    "cmd notifications.remove-outlet": lambda child: {"about": child, "name": "sms", "version": 1},
    "qry notifications.notice-rules": lambda child: {"about": child, "purpose": "administration"},
    "qry notifications.notice-queue": lambda child: {"about": child, "purpose": "administration"},
    "cmd notifications.set-rule": lambda child: {"about": child, "kind": "goal_revised", "number": 0},
    "qry notifications.school-hours": lambda child: {"about": child, "purpose": "administration"},
    "cmd notifications.set-hours": lambda child: {"about": child, "number": 0},
    "qry notifications.why": lambda child: {"about": child, "member": str(uuid4()), "purpose": "administration"},
    "cmd notifications.read-notice": lambda notice: {"notice": notice, "version": 1},
    "cmd notifications.done-notice": lambda notice: {"notice": notice, "version": 1},
    "qry audit.who-looked": lambda child: {"child": child, "purpose": "own_data"},
    "qry audit.tlog-proof": lambda goal: {"event": goal, "purpose": "oversight"},
    "qry audit.by-actor": lambda child: {"who": child, "purpose": "oversight"},
    "qry audit.break-glass": lambda child: {"child": child, "purpose": "oversight"},
    "qry audit.consents": lambda child: {"child": child, "purpose": "oversight"},
    "qry audit.story": lambda child: {"child": child, "purpose": "own_data"},
    "cmd audit.restrict-view": lambda child: {
        "child": child,
        "ground": "child_protection",
        "reason": "a report to Veilig Thuis",
        "ends_at": (datetime.now(UTC) + timedelta(days=30)).isoformat(),
    },
    "cmd audit.decide-restriction": lambda child: {
        "child": child,
        "restriction": str(uuid4()),
        "version": 1,
        "answer": "confirmed",
    },
    "cmd audit.lift-restriction": lambda child: {"child": child, "restriction": str(uuid4()), "version": 1},
    "qry audit.restrictions": lambda child: {"child": child, "purpose": "administration"},
}
"""What can be asked about a child or a thing of one, with a body that is in order for what its parameter names."""

NAMES_NOTHING = {
    "cmd network.open-school": "opens the school of its token",
    "cmd network.import-roster": "names people by the source ids of the school's own administration",
    "cmd network.add-organisation": "makes something new",
    "cmd network.regrant": "names a page",
    "qry network.children": "asks for those of the asking person",
    "qry network.find-person": "asks by a source id of the school's own administration",
    "qry network.school": "asks for the school itself",
    "qry network.invitation": "names a secret, and a wrong one says nothing",
    "cmd network.take-invitation": "names a secret, and a wrong one says nothing",
    "qry network.preview-roster": "names people by the source ids of the school's own administration",
    "qry network.roster-links": "names a page",
    "qry network.my-expectations": "asks for what is the asking member's own",
    "cmd network.remind-reviews": "names a page",
    "cmd goals.remind-plans": "names a page",
    "cmd network.publish-notice": "makes a version of the school's own notice",
    "cmd network.set-policy": "sets the school's own policy",
    "qry network.policies": "asks for the school's own policies",
    "cmd network.set-retention": "sets the school's own term",
    "qry network.retention": "asks for the school's own terms",
    "qry network.retention-due": "asks for the school's own leavers",
    "qry network.erasures": "asks for the school's own erasures",
    "qry notifications.addresses": "asks for what is the asking member's own",
    "cmd notifications.add-address": "makes something of the asking member's own",
    "cmd notifications.leave-channel": "stops what is the asking member's own",
    "cmd notifications.resume-channel": "opens what is the asking member's own",
    "qry notifications.preferences": "asks for what is the asking member's own",
    "cmd notifications.set-preferences": "sets what is the asking member's own",
    "qry notifications.inbox": "asks for what is the asking member's own",
    "qry audit.denials": "asks for the school's own log",
    "qry audit.findings": "asks for the school's own log",
    "qry audit.judge": "asks for the school's own log",
    "qry audit.exports": "asks for the school's own log",
    "qry audit.log-looks": "asks for the school's own log",
    "qry audit.tail": "asks for the school's own log",
    "qry audit.checkpoint": "asks for the school's own log",
    "qry audit.proof": "asks for a number in the school's own log",
    "qry audit.growth": "asks for the school's own log",
    "qry audit.export": "asks for the school's own log",
    "qry audit.export-lines": "asks for numbers in the school's own log",
    "qry audit.export-hashes": "asks for numbers in the school's own log",
    "qry audit.export-checkpoints": "asks for numbers in the school's own log",
}
"""Endpoints whose body has no place for an id of another school, and why."""


@pytest_asyncio.fixture(loop_scope="package")
async def goal(door: Door, there: School) -> str:
    """A goal of the other school's child; its guardians have notices of it."""
    kid = there.kids[0]
    made = await door.must(
        there.slug, "goals.propose-goal", door.person(kid.teacher, there.slug), key="a-goal", **goal_for(kid)
    )
    return str(made["goal"])


@pytest_asyncio.fixture(loop_scope="package")
async def score(door: Door, there: School, goal: str) -> str:
    """A score on it."""
    kid = there.kids[0]
    for who, step, version in ((kid.mum, "accept", 1), (kid.teacher, "activate", 2)):
        who_ = door.person(who, there.slug)
        await door.must(there.slug, f"goals.{step}-goal", who_, key=step, goal=goal, version=version)
    body: Json = {"goal": goal, "setting": "school", **SCORED}
    made = await door.must(there.slug, "goals.score-goal", door.person(kid.teacher, there.slug), key="a-score", **body)
    return str(made["scores"][0])


@pytest_asyncio.fixture(loop_scope="package")
async def plan(door: Door, there: School) -> str:
    """A plan for it."""
    kid = there.kids[0]
    who = door.person(kid.teacher, there.slug)
    body: Json = {"about": kid.child, "outlook": "onwards"}
    return str((await door.must(there.slug, "goals.draft-plan", who, key="a-plan", **body))["plan"])


@pytest_asyncio.fixture(loop_scope="package")
async def talk(door: Door, there: School) -> str:
    """A conversation about it."""
    kid = there.kids[0]
    who = door.person(kid.teacher, there.slug)
    body = {**ASKED["cmd goals.plan-conversation"](kid.child), "invited": [kid.mum]}
    return str((await door.must(there.slug, "goals.plan-conversation", who, key="a-talk", **body))["conversation"])


@pytest_asyncio.fixture(loop_scope="package")
async def outcome(door: Door, stage: Stage, there: School, talk: str) -> str:
    """What came of it."""
    kid = there.kids[0]
    who = door.person(kid.teacher, there.slug)
    async with stage.admin("goals") as conn:  # it is over, without a wait
        await conn.execute("SELECT set_config('app.school', $1, false)", there.slug)
        await conn.execute("UPDATE conversation SET starts_at = now() - interval '1 day' WHERE id = $1", UUID(talk))
    held = {"conversation": talk, "sequence": 0, "attended": [kid.mum]}
    await door.must(there.slug, "goals.hold-conversation", who, key="held", **held)
    said = {"conversation": talk, "kind": "goal", "words": "to read"}
    return str((await door.must(there.slug, "goals.record-outcome", who, key="an-outcome", **said))["outcome"])


@pytest_asyncio.fixture(loop_scope="package")
async def consent(door: Door, there: School) -> str:
    """A consent of the other school."""
    kid = there.kids[0]
    body: Json = {"child": kid.child, "notice_version": 1, **CONSENT, "recipient": kid.therapist}
    who = door.person(kid.mum, there.slug)
    return str((await door.must(there.slug, "network.give-consent", who, key="a-consent", **body))["consent"])


@pytest_asyncio.fixture(loop_scope="package")
async def dialogue(door: Door, there: School) -> str:
    """What a teacher of the other school expects of a child's mother."""
    kid = there.kids[0]
    body = {**ASKED["cmd network.voice-expectation"](kid.child), "settings": [], "members": [kid.mum]}
    who = door.person(kid.teacher, there.slug)
    return str(
        (await door.must(there.slug, "network.voice-expectation", who, key="a-word", **body))["dialogues"][0][
            "dialogue"
        ]
    )


async def _notice(door: Door, there: School) -> str:
    found: list[Json] = []

    async def told() -> bool:
        who = door.person(there.kids[0].mum, there.slug)
        answer = await door.query(there.slug, "notifications.inbox", who, purpose="guidance")
        found.extend((answer.ok or {}).get("notices", ()))
        return bool(found)

    await until(told, 30, "a notice")
    return str(found[0]["notice"])


def _service(path: str) -> str:
    return path.split()[1].partition(".")[0]


async def ask(door: Door, school: str, path: str, actor: Actor, body: Json) -> Answer:
    kind, name = path.split()
    service, endpoint = name.split(".")
    return await door.ask(f"{kind}.{school}.{service}.{endpoint}", actor, body, uuid4().hex if kind == "cmd" else None)


async def journal(stage: Stage, service: str, school: str) -> list[Json]:
    """Returns a school's journal at a service: event names with whom they are about and who acted.

    What services do of their own accord, such as sending the mails of notices, is left out: it goes on meanwhile. What
    becomes of a mail is told in its recipient's name, with the number of its try.
    """
    async with stage.admin(service) as conn:
        rows = await conn.fetch("SELECT event::jsonb AS event FROM journal WHERE school = $1 ORDER BY seq", school)
    return [
        {
            "name": row["event"]["type"].split(".", 3)[3],
            "about": row["event"]["subject"],
            "actor": row["event"]["data"]["act"]["actor"],
        }
        for row in rows
        if row["event"]["data"]["act"]["kind"] != ActorKind.SERVICE and "tries" not in row["event"]["data"]["fact"]
    ]


async def test_every_endpoint_of_every_service_is_tried_or_has_nothing_to_try() -> None:
    every = {f"{'qry' if one.is_query else 'cmd'} {service}.{one.name}" for service, one in DOORS}
    assert ASKED.keys() | NAMES_NOTHING.keys() == every
    assert not ASKED.keys() & NAMES_NOTHING.keys()


@pytest.mark.parametrize("path", ASKED)
async def test_a_child_of_another_school_is_refused_as_one_that_does_not_exist(
    path: str,
    stage: Stage,
    door: Door,
    here: School,
    there: School,
    goal: str,
    score: str,
    consent: str,
    dialogue: str,
    plan: str,
    talk: str,
    outcome: str,
) -> None:
    """One's own token and subject, and in the body what belongs to the other school."""
    made = ASKED[path]
    (kind,) = signature(made).parameters
    notice = await _notice(door, there)
    known = {"goal": goal, "score": score, "notice": notice, "consent": consent, "dialogue": dialogue, "plan": plan}
    known |= {"talk": talk, "outcome": outcome}
    theirs = {"child": there.kids[0].child, **known}[kind]
    service = _service(path)
    teacher = door.person(here.kids[0].teacher, here.slug)
    before = [await journal(stage, service, school.slug) for school in (here, there)]
    refused = await ask(door, here.slug, path, teacher, made(theirs))
    unknown = await ask(door, here.slug, path, teacher, made(str(uuid4())))
    after = [await journal(stage, service, school.slug) for school in (here, there)]

    assert refused.kind == "forbidden"
    assert refused == unknown
    denied = after[0][len(before[0]) :]
    assert [(one["name"], one["actor"]) for one in denied] == [("access.denied.v1", str(teacher.id))] * 2
    assert after[1] == before[1]


@pytest.mark.parametrize("path", [*ASKED, *NAMES_NOTHING])
async def test_a_token_of_one_school_opens_nothing_on_the_subject_of_another(
    path: str, stage: Stage, door: Door, here: School, there: School, third: School
) -> None:
    """Somebody verified, at the wrong door: refused in the same words whatever the body names, a child of the school
    that is asked, of a third one, of one's own or of none; and written down in the own school's journal only.
    """
    service, schools = _service(path), (here, there, third)
    teacher = door.person(here.kids[0].teacher, here.slug)
    named = [*(school.kids[0].child for school in schools), str(uuid4())]
    bodies = [ASKED[path](child) for child in named] if path in ASKED else [{"purpose": "guidance"}]
    before = [await journal(stage, service, school.slug) for school in schools]
    refused = [await ask(door, there.slug, path, teacher, body) for body in bodies]
    nowhere = await ask(door, "walls-nowhere", path, teacher, bodies[0])
    after = [await journal(stage, service, school.slug) for school in schools]

    assert nowhere.kind == "forbidden"
    assert refused == [nowhere] * len(bodies)
    assert after[1:] == before[1:]
    denied = after[0][len(before[0]) :]
    lines = [("access.denied.v1", str(teacher.id))] * (len(bodies) + 1)
    assert [(one["name"], one["actor"]) for one in denied] == lines
    if path in ASKED:  # in the words of one's own school for what does not exist
        assert await ask(door, here.slug, path, teacher, bodies[-1]) == nowhere


async def test_the_control_someone_who_may_is_answered(door: Door, there: School, goal: str) -> None:
    """Beside the refusals: the same questions by the child's own teacher are answered."""
    teacher = door.person(there.kids[0].teacher, there.slug)
    for path, thing in (("qry goals.goals-of-child", there.kids[0].child), ("qry goals.goal", goal)):
        assert (await ask(door, there.slug, path, teacher, ASKED[path](thing))).done
    mum = door.person(there.kids[0].mum, there.slug)
    assert (
        await ask(door, there.slug, "qry audit.who-looked", mum, ASKED["qry audit.who-looked"](there.kids[0].child))
    ).done


async def test_two_schools_with_one_idempotency_key_do_not_meet(door: Door, here: School, there: School) -> None:
    """The same key and body by each school's administrator: two organisations, neither sees the other's reply."""
    made = [
        await door.must(s.slug, "network.add-organisation", door.person(s.admin, s.slug), key="one", name="Zorg")
        for s in (here, there)
    ]
    assert made[0] != made[1]
