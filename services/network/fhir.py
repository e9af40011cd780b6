"""A consent as a FHIR R4 (4.0.1) Consent resource. Pure; http://hl7.org/fhir/R4/consent.html."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from services.network.model import AnswerKind, Child, Consent
from shared.events.network import Capacity, RecipientKind
from shared.events.words import Purpose, Role

SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
OWN = "urn:samenkracht"

STATUS = {
    "asked": "proposed",
    "given": "active",
    "refused": "rejected",
    "conflicting": "rejected",  # R4: "disputed by one or more of the involved parties"
    "withdrawn": "inactive",
}
PURPOSES = {Purpose.CARE_COORDINATION: (REASON, "COC")}
"""Those that HL7's list has a word for; the binding is extensible, the others are our own."""


def consent_resource(
    consent: Consent, child: Child, state: str, school: UUID, now: datetime, only: UUID | None
) -> dict[str, Any]:
    """Returns the resource; `only`: the one holder whose answer it shows. References are logical."""
    status = STATUS[state]
    shown = [one for one in consent.answers if only is None or one.holder == only]
    resource: dict[str, Any] = {
        "resourceType": "Consent",
        "id": str(consent.id),
        "meta": {"versionId": str(consent.version)},
        "status": "inactive" if status == "active" and not consent.span.holds(now) else status,
        "scope": _concept(SCOPE, "patient-privacy"),
        "category": [_concept(ACT, "IDSCL")],
        "patient": _reference("Patient", child.id),
        "organization": [_reference("Organization", school)],
        "policyRule": _concept(ACT, "OPTIN"),
        "provision": {
            "type": "permit",
            "period": {"start": _stamp(consent.starts_at), "end": _stamp(consent.ends_at)},
            "actor": [{"role": _concept(PARTICIPATION, "IRCP"), "reference": _recipient(consent, child)}],
            "purpose": [_coding(*PURPOSES.get(consent.for_purpose, (f"{OWN}:purpose", consent.for_purpose.value)))],
            "code": [_concept(f"{OWN}:category", category.value) for category in consent.categories],
        },
    }
    given = [one for one in shown if one.answer is AnswerKind.GIVEN]
    if shown:
        resource["dateTime"] = _stamp(max(one.at for one in shown))
    if given:
        resource["performer"] = [_holder(one.holder, one.capacity) for one in given]
        resource["verification"] = [
            {
                "verified": True,
                "verifiedWith": _holder(one.holder, one.capacity),
                "verificationDate": _stamp(one.at),
            }
            for one in given
        ]
    return resource


def _recipient(consent: Consent, child: Child) -> dict[str, Any]:
    if consent.recipient_kind is RecipientKind.ORGANISATION:
        return _reference("Organization", consent.recipient)
    roles = {one.role for one in child.memberships if one.person == consent.recipient}
    return _reference("Device" if Role.LOCAL_TOOL in roles else "Practitioner", consent.recipient)


def _holder(holder: UUID, capacity: Capacity) -> dict[str, Any]:
    return _reference("Patient" if capacity is Capacity.SELF else "RelatedPerson", holder)


def _reference(kind: str, id_: UUID) -> dict[str, Any]:
    return {"type": kind, "identifier": {"system": f"{OWN}:{kind.lower()}", "value": str(id_)}}


def _coding(system: str, code: str) -> dict[str, Any]:
    return {"system": system, "code": code}


def _concept(system: str, code: str) -> dict[str, Any]:
    return {"coding": [_coding(system, code)]}


def _stamp(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")
