"""What FHIR R4 (4.0.1) asks of a bundle: its structures by a kept library, and what that does not look at.

fhirclient's models were made from the definitions of 4.0.1: types, required elements, lists, names. Required codes,
what a reference may point to and the invariants that touch us are here, from http://hl7.org/fhir/R4/.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fhirclient.models.bundle import Bundle

Json = dict[str, Any]


def _codes(words: str) -> frozenset[str]:
    return frozenset(words.split())


CODES: Mapping[str, frozenset[str]] = {
    "Bundle.type": _codes("collection"),
    "Goal.lifecycleStatus": _codes(
        "proposed planned accepted active on-hold completed cancelled entered-in-error rejected"
    ),
    "Observation.status": _codes("registered preliminary final amended corrected cancelled entered-in-error unknown"),
    "CarePlan.status": _codes("draft active on-hold revoked completed entered-in-error unknown"),
    "CarePlan.intent": _codes("proposal plan order option"),
    "CarePlan.activity.detail.status": _codes(
        "not-started scheduled in-progress on-hold completed cancelled stopped unknown entered-in-error"
    ),
    "CareTeam.status": _codes("proposed active suspended inactive entered-in-error"),
}
PEOPLE = frozenset({"Patient", "Practitioner", "PractitionerRole", "RelatedPerson"})
TEAM = PEOPLE | {"Organization", "CareTeam"}
TARGETS: Mapping[str, frozenset[str]] = {
    "Goal.subject": frozenset({"Patient", "Group", "Organization"}),
    "Goal.expressedBy": PEOPLE,
    "Observation.subject": frozenset({"Patient", "Group", "Device", "Location"}),
    "Observation.performer": TEAM,
    "Observation.device": frozenset({"Device", "DeviceMetric"}),
    "CarePlan.subject": frozenset({"Patient", "Group"}),
    "CarePlan.careTeam": frozenset({"CareTeam"}),
    "CarePlan.goal": frozenset({"Goal"}),
    "CarePlan.activity.detail.goal": frozenset({"Goal"}),
    "CarePlan.activity.detail.performer": TEAM | {"HealthcareService", "Device"},
    "CareTeam.subject": frozenset({"Patient", "Group"}),
    "CareTeam.participant.member": TEAM,
}
ANY = frozenset({"Observation.focus"})


def sound(bundle: Json) -> None:
    """Raises FHIRValidationError or AssertionError when the bundle is not R4."""
    Bundle(bundle, strict=True).as_json()
    full = [entry["fullUrl"] for entry in bundle["entry"]]
    assert len(set(full)) == len(full), "bdl-7: each fullUrl once"
    for entry in bundle["entry"]:
        resource = entry["resource"]
        assert entry["fullUrl"] == f"urn:uuid:{resource['id']}"
        for path, value in _elements(resource["resourceType"], resource):
            _check(path, value, frozenset(full))


def _elements(path: str, value: object) -> Iterator[tuple[str, Any]]:
    """Yields every element with its path; elements of a list have the list's."""
    yield path, value
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _elements(f"{path}.{name}", inner)
    elif isinstance(value, list):
        assert value, f"{path}: no empty lists"
        for inner in value:
            yield from _elements(path, inner)


def _check(path: str, value: Any, full: frozenset[str]) -> None:  # noqa: ANN401  JSON
    assert value not in ({}, "", None), f"ele-1: {path} says nothing"
    if path in CODES:
        assert value in CODES[path], f"{path}: {value}"
    if not isinstance(value, dict):
        return
    if path.endswith("xtension"):
        assert ("extension" in value) != any(name.startswith("value") for name in value), f"ext-1: {path}"
    if {"reference", "identifier"} & value.keys() and "type" in value:
        if not path.endswith("valueReference"):
            assert path in ANY or value["type"] in TARGETS[path], f"{path} may not point to {value['type']}"
        assert "reference" not in value or value["reference"] in full, f"{path} points to what is not there"
