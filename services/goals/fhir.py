"""A child's goals, scores and plans as a FHIR R4 (4.0.1) Bundle. Pure; http://hl7.org/fhir/R4/.

People are logical references by their pseudonyms: names are not here. What R4 has no word for is coded in our own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from shared.events.goals import Status
from shared.events.plans import ActionOutcome, PlanStatus
from shared.events.words import Role

Json = dict[str, Any]
Raw = Mapping[str, Any]

OWN = "urn:samenkracht"
ACHIEVEMENT = "http://terminology.hl7.org/CodeSystem/goal-achievement"
OBSERVED = "http://terminology.hl7.org/CodeSystem/observation-category"
LIFE = {status: status.value.replace("_", "-") for status in Status}
PLANS = {
    PlanStatus.DRAFT: "draft",
    PlanStatus.IN_CONSULTATION: "draft",
    PlanStatus.AGREED_IN_PART: "draft",
    PlanStatus.AGREED: "draft",
    PlanStatus.IN_FORCE: "active",
    PlanStatus.EVALUATED: "active",
    PlanStatus.CLOSED: "completed",
}
GOING = {"draft": "not-started", "revoked": "not-started", "active": "in-progress", "completed": "unknown"}
"""How an action stands that nobody ended: of a closed plan nobody said what became of it."""
ENDED = {ActionOutcome.DONE: "completed", ActionOutcome.PARTLY: "stopped", ActionOutcome.NOT_DONE: "cancelled"}
ROUND_A_CHILD = frozenset(Role) - {
    Role.SCHOOL_ADMINISTRATOR,
    Role.FOUNDATION_ADMINISTRATOR,
    Role.AUDITOR,
    Role.EXPERT_TEAM,
}
"""Whose roles make them one of a child's network, as `network` has it."""
KINDS = {Role.GUARDIAN: "RelatedPerson", Role.CHILD: "Patient", Role.LOCAL_TOOL: "Device"}


def bundle(about: UUID, state: Raw, now: datetime, clock: datetime, *, scores: bool) -> Json:
    """Returns everything as one collection; without `scores` no Observation is in it.

    `clock` is the one that access is judged by: who takes part then is the CareTeam.

    What names a goal that is not in it is left out: no score of it, and no link to it.
    """
    people = _People(about, state["grants"], clock)
    goals = frozenset(raw["id"] for raw in state["goals"])
    resources = [people.team(), *(_goal(raw, people) for raw in state["goals"])]
    if scores:
        resources += [_observation(raw, people) for raw in state["scores"] if raw["goal"] in goals]
    resources += [_plan(raw, people, goals) for raw in state["plans"]]
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": _instant(now.isoformat()),
        "entry": [{"fullUrl": f"urn:uuid:{one['id']}", "resource": one} for one in resources],
    }


class _People:
    """Who is round the child, and as what; and of those who takes part `at` that moment."""

    def __init__(self, about: UUID, grants: Iterable[Raw], at: datetime) -> None:
        self.about, self.roles, self.now = about, dict[str, set[str]](), dict[str, set[str]]()
        for grant in grants:
            self.roles.setdefault(grant["member"], set()).add(grant["role"])
            if _takes_part(grant, at):
                self.now.setdefault(grant["member"], set()).add(grant["role"])

    @property
    def subject(self) -> Json:
        return self._reference("Patient", str(self.about))

    def team(self) -> Json:
        """Returns the CareTeam: each who takes part now, in each role; nobody who only looks after the records."""
        participants = [
            {"role": [_concept(f"{OWN}:role", role)], **self.named("member", member)}
            for member, roles in sorted(self.now.items())
            for role in sorted(roles)
        ]
        team: Json = {"resourceType": "CareTeam", "id": self.team_id, "status": "active", "subject": self.subject}
        return team | ({"participant": participants} if participants else {})

    @property
    def team_id(self) -> str:
        return str(uuid5(self.about, "care-team"))

    def member(self, member: str) -> Json:
        """Returns a reference to a member, as what it is here; a professional where that is not known any more."""
        kinds = {KINDS.get(Role(role), "Practitioner") for role in self.roles.get(member, ())}
        return self._reference(min(kinds, default="Practitioner"), member)

    def named(self, element: str, member: str) -> Json:
        """Returns the element that names a member where R4 has people only: a local tool is named by an extension."""
        reference = self.member(member)
        if reference["type"] != "Device":
            return {element: reference}
        return {"extension": [{"url": f"{OWN}:{element}", "valueReference": reference}]}

    def _reference(self, kind: str, id_: str) -> Json:
        return {"type": kind, "identifier": {"system": f"{OWN}:{kind.lower()}", "value": id_}}


def _takes_part(grant: Raw, at: datetime) -> bool:
    begun, until = datetime.fromisoformat(grant["valid_from"]) <= at, grant.get("valid_until")
    holds = begun and (until is None or at < datetime.fromisoformat(until))
    return holds and not grant.get("emergency") and Role(grant["role"]) in ROUND_A_CHILD


def _goal(raw: Raw, people: _People) -> Json:
    status = Status(raw["status"])
    ladder = "\n".join(f"{level:+d}: {words}" for level, words in enumerate(raw["ladder"], -2))
    resource: Json = {
        "resourceType": "Goal",
        "id": raw["id"],
        "meta": {"versionId": str(raw["version"])},
        "lifecycleStatus": LIFE[status],
        "category": [_concept(f"{OWN}:domain", raw["domain"])],
        "description": {"text": raw["statement"]},
        "subject": people.subject,
        "startDate": raw["proposed_at"][:10],
        "target": [{"measure": _concept(f"{OWN}:scale", "gas"), "detailInteger": 0, "dueDate": raw["target_on"]}],
        **people.named("expressedBy", raw["proposed_by"]),
        "note": [{"text": raw["wording"]}, {"text": ladder}],
    }
    if raw["achievement"]:
        resource["achievementStatus"] = _concept(ACHIEVEMENT, raw["achievement"].replace("_", "-"))
    return resource


def _observation(raw: Raw, people: _People) -> Json:
    resource: Json = {
        "resourceType": "Observation",
        "id": raw["id"],
        "meta": {"versionId": str(raw["version"])},
        "status": "entered-in-error" if raw["in_error_at"] else "final",
        "category": [_concept(OBSERVED, "survey"), _concept(f"{OWN}:setting", raw["setting"])],
        "code": _concept(f"{OWN}:scale", "gas"),
        "subject": people.subject,
        "focus": [_link("Goal", raw["goal"])],
        "effectiveDateTime": raw["observed_on"],
        "issued": _instant(raw["recorded_at"]),
        "valueInteger": raw["level"],
    }
    scorer = people.member(raw["scored_by"])
    resource |= {"device": scorer} if scorer["type"] == "Device" else {"performer": [scorer]}
    return resource | ({"note": [{"text": raw["note"]}]} if raw["note"] else {})


def _plan(raw: Raw, people: _People, known: frozenset[str]) -> Json:
    status, text = PlanStatus(raw["status"]), raw["text"]
    ends = {one["action"]: ENDED[ActionOutcome(one["outcome"])] for one in raw["ends"]}
    stands = PLANS[status]
    if status is PlanStatus.CLOSED and raw["force_number"] is None:
        stands = "revoked"  # it never was in force: nothing of it was carried out
    going = GOING[stands]
    goals = [_link("Goal", one["item"]) for one in text["items"] if one["kind"] == "goal" and one["item"] in known]
    resource: Json = {
        "resourceType": "CarePlan",
        "id": raw["id"],
        "meta": {"versionId": str(text["number"])},
        "extension": [_agreement(one, people) for one in raw["answers"]],
        "status": stands,
        "intent": "plan",
        "description": text["outlook"],
        "subject": people.subject,
        "created": _instant(raw["drafted_at"]),
        "careTeam": [_link("CareTeam", people.team_id)],
        "goal": goals,
        "activity": [
            {"detail": _activity(one, people, ends.get(one["item"], going), known)}
            for one in text["items"]
            if one["kind"] == "action"
        ],
    }
    return {name: value for name, value in resource.items() if value != []}  # R4: no empty lists


def _activity(item: Raw, people: _People, status: str, known: frozenset[str]) -> Json:
    said = item["text"]
    detail: Json = {
        "status": status,
        "description": said["what"],
        "scheduledPeriod": {"end": said["until"]},
        "performer": [people.member(one) for one in said["who"]],
        "goal": [_link("Goal", one) for one in said["goals"] if one in known],
    }
    return {name: value for name, value in detail.items() if value != []}


def _agreement(answer: Raw, people: _People) -> Json:
    """Returns what a holder said to an item: agreement is no consent, and R4 has no element for it."""
    return {
        "url": f"{OWN}:agreement",
        "extension": [
            {"url": "holder", "valueReference": people.member(answer["holder"])},
            {"url": "item", "valueUri": f"urn:uuid:{answer['item']}"},
            {"url": "agreed", "valueBoolean": answer["agreed"]},
            {"url": "version", "valuePositiveInt": answer["number"]},
            {"url": "hash", "valueString": answer["item_hash"]},
            {"url": "at", "valueInstant": _instant(answer["answered_at"])},
        ],
    }


def _link(kind: str, id_: str) -> Json:
    return {"type": kind, "reference": f"urn:uuid:{id_}"}


def _concept(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": code}]}


def _instant(at: str) -> str:
    return datetime.fromisoformat(at).isoformat(timespec="milliseconds")
