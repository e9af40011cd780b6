"""A line of the log as a FHIR R4 (4.0.1) AuditEvent, laid out as IHE BALP lays out looks at patients' data. Pure.

http://hl7.org/fhir/R4/auditevent.html, https://profiles.ihe.net/ITI/BALP. It names no BALP profile in `meta`: those ask
for network addresses, which the log does not hold. References are logical, by pseudonyms.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import pydantic_core

from shared.events.words import school_subject

Json = dict[str, Any]
OWN = "urn:samenkracht"
TERMS = "http://terminology.hl7.org/CodeSystem"
REASON = f"{TERMS}/v3-ActReason"
PURPOSES = {"care_coordination": (REASON, "COC")}
"""Those that HL7's list has a word for; the others are our own."""
ACTIONS = {"view": "R", "export": "R", "receive": "R", "propose": "C", "score": "C", "answer": "C"}
"""Looks; what makes something new. The rest changes something."""
KINDS = {"tool": "Device", "service": "Device"}
AS = {"guardian": "RelatedPerson", "child": "Patient"}


def _coding(system: str, code: str, display: str = "") -> Json:
    return {"system": system, "code": code, "display": display} if display else {"system": system, "code": code}


def _concept(system: str, code: str) -> Json:
    return {"coding": [_coding(system, code)]}


REST = _coding(f"{TERMS}/audit-event-type", "rest", "RESTful Operation")
PERSON, OBJECT, ORGANISATION = (
    _coding(f"{TERMS}/audit-entity-type", code, text)
    for code, text in (("1", "Person"), ("2", "System Object"), ("3", "Organization"))
)
PATIENT, RESOURCE = (
    _coding(f"{TERMS}/object-role", code, text) for code, text in (("1", "Patient"), ("4", "Domain Resource"))
)
SERVER = [_coding(f"{TERMS}/security-source-type", "4", "Application Server")]
RECIPIENT, AUTHOR = (_concept(f"{TERMS}/v3-ParticipationType", code) for code in ("IRCP", "AUT"))
EMERGENCY = _concept(REASON, "BTG")


def audit_event(idx: int, entry: Mapping[str, Any]) -> bytes:
    """Returns a line of NDJSON: the resource. `idx` is the line's number in the log."""
    action = ACTIONS.get(entry["action"], "U")
    denied = entry["outcome"] == "denied"
    resource: Json = {
        "resourceType": "AuditEvent",
        "id": entry["event"],
        "type": REST,
        "subtype": [_coding(f"{OWN}:event", entry["type"])],
        "action": action,
        "period": {"start": entry["occurred_at"], "end": entry["occurred_at"]},
        "recorded": entry["recorded_at"],
        "outcome": "4" if denied else "0",
    }
    if denied and "reason" in entry:
        resource["outcomeDesc"] = entry["reason"]
    purpose = _purpose(entry["purpose"])
    resource["purposeOfEvent"] = [purpose, EMERGENCY] if entry["emergency"] else [purpose]
    resource["agent"] = _agents(entry, RECIPIENT if action == "R" else AUTHOR, purpose)
    resource["source"] = {
        "site": entry["school"],
        "observer": _reference("Device", f"{OWN}:service", entry["producer"]),
        "type": SERVER,
    }
    resource["entity"] = _entities(idx, entry)
    return pydantic_core.to_json(resource) + b"\n"


@lru_cache(maxsize=64)
def _purpose(code: str) -> Json:
    return _concept(*PURPOSES.get(code, (f"{OWN}:purpose", code)))


def _reference(kind: str, system: str, value: str) -> Json:
    return {"type": kind, "identifier": {"system": system, "value": value}}


def _agents(entry: Mapping[str, Any], part: Json, purpose: Json) -> list[Json]:
    kind, role = entry["kind"], entry.get("role", "")
    agent: Json = {
        "type": part,
        "who": _reference(KINDS.get(kind) or AS.get(role, "Practitioner"), f"{OWN}:{kind}", entry["actor"]),
        "requestor": True,
        "purposeOfUse": [purpose],
    }
    if role:
        agent["role"] = [_concept(f"{OWN}:role", role)]
    if policy := [f"{OWN}:{name}:{entry[name]}" for name in ("basis", "grant") if name in entry]:
        agent["policy"] = policy
    agents = [agent]
    for name, type_, system in (
        ("organisation", "Organization", "organization"),
        ("on_behalf_of", "Practitioner", "person"),
        ("operator", "Practitioner", "operator"),
    ):
        if name in entry:
            other = _reference(type_, f"{OWN}:{system}", entry[name])
            agents.append({"role": [_concept(f"{OWN}:agent", name)], "who": other, "requestor": False})
    return agents


def _entities(idx: int, entry: Mapping[str, Any]) -> list[Json]:
    about = entry["about"]
    if about == _school(entry["school"]):
        whose: Json = {"what": _reference("Organization", f"{OWN}:organization", about), "type": ORGANISATION}
    else:
        whose = {"what": _reference("Patient", f"{OWN}:patient", about), "type": PERSON, "role": PATIENT}
    label = [_coding(f"{OWN}:category", entry["category"])]
    what = {"identifier": {"system": f"{OWN}:thing", "value": entry["thing"]}} if "thing" in entry else None
    touched: Json = {"what": what} if what else {}
    touched |= {"type": OBJECT, "role": RESOURCE, "securityLabel": [{"coding": label}]}
    detail = [{"type": name, "valueString": str(entry[name])} for name in ("what", "things") if name in entry]
    detail += [{"type": "line", "valueString": str(idx)}]
    entities = [whose, touched | {"detail": detail}]
    if "consent" in entry:
        version = [{"type": "version", "valueString": str(entry.get("consent_version", ""))}]
        consent = _reference("Consent", f"{OWN}:consent", entry["consent"])
        entities.append({"what": consent, "type": OBJECT, "detail": version})
    if "trace" in entry:
        trace = {"identifier": {"system": f"{OWN}:trace", "value": entry["trace"]}}
        entities.append({"what": trace, "type": _coding(f"{OWN}:entity", "trace")})
    return entities


@lru_cache(maxsize=64)
def _school(slug: Any) -> str:  # noqa: ANN401  whatever a line says
    return str(school_subject(str(slug)))
