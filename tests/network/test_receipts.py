"""A consent's receipt: ISO/IEC TS 27560 and FHIR R4, to those who may have it, with a line that it left."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.network.fhir import consent_resource
from services.network.model import Answer, AnswerKind
from shared.errors import ProblemType
from shared.events.base import Viewed
from shared.events.network import Capacity, RecipientKind
from shared.events.words import Action, Purpose, Role
from tests.network.conftest import Network
from tests.network.facts import AFTER, CARE_ORG, DAD, KIM, MUM, NOW, SCHOOL, child, consent, member, said
from tests.network.family import Family, forbidden, refused, settle
from tests.support.schema import errors

SCHEMA = json.loads((Path(__file__).parents[1] / "contracts" / "consent-receipt.schema.json").read_text())
NOTICE = "Wij vragen u of wij doelen mogen delen met de logopedist."


@pytest.fixture
async def family(network: Network) -> Family:
    return await settle(network)


async def receipt(network: Network, who: UUID, consent_id: str, purpose: str = "own_data") -> dict[str, Any]:
    found: dict[str, Any] = await network.ask("consent-receipt", who, consent=consent_id, purpose=purpose)
    return found


async def test_a_receipt_has_the_shape_of_ts_27560_and_tells_the_whole_history(
    network: Network, family: Family
) -> None:
    published = await network.manage("publish-notice", number=1, text=NOTICE)
    await network.ask("ask-consent", family.ib, **family.consent())
    consent_id = await family.both_consent()
    await network.ask("withdraw-consent", family.dad, **family.consent())
    told = (await receipt(network, network.admin, consent_id, "administration"))["receipt"]
    assert list(errors(SCHEMA, told)) == []
    record = told["record"]
    assert (record["record_id"], record["pii_principal_id"]) == (consent_id, str(family.kim))
    assert [(one["event_type"], one.get("entity_id"), one.get("capacity")) for one in record["events"]] == [
        ("requested", None, None),
        ("given", str(family.mum), "authority_holder"),
        ("given", str(family.dad), "authority_holder"),
        ("withdrawn", str(family.dad), "authority_holder"),
    ]
    processing = record["pii_processing"]
    assert processing["privacy_notice"]["version"] == 1
    hashes = [one["hash"] for one in processing["privacy_notice"]["texts"]]
    assert hashes == [published["hash"]] == [sha256(NOTICE.encode()).hexdigest()]
    assert (processing["state"], processing["in_force"]) == ("withdrawn", False)
    assert [one["party_role"] for one in record["party_identification"]] == ["pii_controller", "recipient"]
    assert record["party_identification"][0]["party_name"] == "School De Brug"
    assert not any(name in json.dumps(told) for name in ("Jansen", "de Vries", "Logo", "@"))


BROKEN: dict[str, Callable[[dict[str, Any]], object]] = {
    "no record id": lambda told: told["record"].pop("record_id"),
    "a name for a pseudonym": lambda told: told["record"].update(pii_principal_id="Kim"),
    "no events": lambda told: told["record"].update(events=[]),
    "an unknown field": lambda told: told["record"].update(name="Kim"),
    "no controller": lambda told: told["record"]["pii_processing"]["purposes"][0].update(pii_controllers=[]),
    "another basis": lambda told: told["record"]["pii_processing"]["purposes"][0].update(lawful_basis="duty"),
    "local time": lambda told: told.update(receipt_time="2026-01-01T12:00:00+01:00"),
    "version as text": lambda told: told["record"].update(record_version="3"),
}


async def test_the_schema_refuses_what_is_no_receipt(network: Network, family: Family) -> None:
    told = (await receipt(network, family.mum, await family.both_consent()))["receipt"]
    assert list(errors(SCHEMA, told)) == [], "control"
    for name, breaks in BROKEN.items():
        broken = copy.deepcopy(told)
        breaks(broken)
        assert list(errors(SCHEMA, broken)), name


async def test_a_receipt_is_an_export_with_a_line_of_its_own(network: Network, family: Family) -> None:
    consent_id = await family.both_consent()
    await receipt(network, family.mum, consent_id)
    line = (await network.events())[-1]
    assert (line.fact(Viewed).query, line.act.action, line.thing) == (
        "consent-receipt",
        Action.EXPORT,
        UUID(consent_id),
    )
    assert line.about == family.kim


async def test_a_receipt_goes_to_who_may_have_it_and_an_unknown_one_is_like_a_forbidden_one(
    network: Network, family: Family
) -> None:
    consent_id = await family.both_consent()
    problems = {
        json.dumps((await refused(network, "consent-receipt", who, consent=one, purpose="guidance")).to_json())
        for who in (family.juf, family.logo, family.ib, uuid4())
        for one in (consent_id, uuid4())
    }
    assert len(problems) == 1
    assert await forbidden(network, "consent-receipt", family.mum, consent=uuid4(), purpose="own_data")


async def test_a_guardians_receipt_holds_the_own_answers_only(network: Network, family: Family) -> None:
    consent_id = await family.both_consent()
    for who, other in ((family.mum, family.dad), (family.dad, family.mum)):
        told = json.dumps(await receipt(network, who, consent_id))
        assert str(who) in told
        assert str(other) not in told


async def test_a_notice_is_never_changed(network: Network, family: Family) -> None:
    await network.manage("publish-notice", number=1, text=NOTICE)
    again = await refused(network, "publish-notice", network.admin, number=1, text="Anders.")
    assert again.type is ProblemType.CONFLICT
    await network.manage("publish-notice", number=1, language="en", text="We ask you.")
    assert await forbidden(network, "publish-notice", family.mum, number=2, text="Anders.")
    told = (await receipt(network, family.mum, await family.both_consent()))["receipt"]
    assert [one["language"] for one in told["record"]["pii_processing"]["privacy_notice"]["texts"]] == ["en", "nl"]


# FHIR R4 (4.0.1) ------------------------------------------------------------------------------------------------------

STATUSES = {"draft", "proposed", "active", "rejected", "inactive", "entered-in-error"}
ELEMENTS = {
    *("resourceType", "id", "meta", "status", "scope", "category", "patient", "dateTime", "performer"),
    *("organization", "policyRule", "verification", "provision"),
}
CODES = {
    "http://terminology.hl7.org/CodeSystem/consentscope": {"patient-privacy"},
    "http://terminology.hl7.org/CodeSystem/v3-ActCode": {"IDSCL", "OPTIN"},
    "http://terminology.hl7.org/CodeSystem/v3-ActReason": {"COC"},
    "http://terminology.hl7.org/CodeSystem/v3-ParticipationType": {"IRCP"},
}
"""The codes that we use of HL7's systems, as the value sets of R4 have them."""
INSTANT = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$")


def sound(resource: dict[str, Any]) -> None:
    """The cardinalities, bindings and constraints of Consent and its datatypes in R4, as far as we use them."""
    assert resource["resourceType"] == "Consent"
    assert set(resource) <= ELEMENTS
    assert re.fullmatch(r"[A-Za-z0-9\-.]{1,64}", resource["id"])
    assert resource["status"] in STATUSES
    for name in ("scope", "policyRule"):  # scope 1..1; ppc-1: a policy or a policyRule
        _concept(resource[name])
    assert resource["category"], "1..*"
    for one in resource["category"]:
        _concept(one)
    _reference(resource["patient"], "Patient")  # ppc-2: scope privacy needs a patient
    for one in resource["organization"]:
        _reference(one, "Organization")
    for one in resource.get("performer", []):
        _reference(one, "Patient", "RelatedPerson")
    for one in resource.get("verification", []):
        assert one["verified"] is True
        _reference(one["verifiedWith"], "Patient", "RelatedPerson")
        assert INSTANT.match(one["verificationDate"])
    assert all(resource.get(name) != [] for name in resource), "FHIR has no empty lists"
    _provision(resource["provision"])


def _provision(provision: dict[str, Any]) -> None:
    assert set(provision) == {"type", "period", "actor", "purpose", "code"}
    assert provision["type"] in {"deny", "permit"}
    assert all(INSTANT.match(provision["period"][edge]) for edge in ("start", "end"))
    assert provision["period"]["start"] <= provision["period"]["end"]
    for one in provision["actor"]:
        _concept(one["role"])
        _reference(one["reference"], "Organization", "Practitioner", "Device")
    for one in provision["purpose"]:
        _coding(one)
    for one in provision["code"]:
        _concept(one)


def _concept(value: dict[str, Any]) -> None:
    assert value["coding"]
    for one in value["coding"]:
        _coding(one)


def _coding(value: dict[str, Any]) -> None:
    assert set(value) == {"system", "code"}
    assert value["code"] in CODES.get(value["system"], {value["code"]})
    assert value["system"] in CODES or value["system"].startswith("urn:samenkracht:")


def _reference(value: dict[str, Any], *kinds: str) -> None:
    assert value["type"] in kinds
    assert set(value["identifier"]) == {"system", "value"}


async def test_a_receipt_holds_a_sound_consent_of_fhir_r4(network: Network, family: Family) -> None:
    consent_id = await family.both_consent()
    resource = (await receipt(network, network.admin, consent_id, "administration"))["fhir"]
    sound(resource)
    assert (resource["id"], resource["status"], len(resource["performer"])) == (consent_id, "active", 2)


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("asked", "proposed"),
        ("given", "active"),
        ("refused", "rejected"),
        ("conflicting", "rejected"),
        ("withdrawn", "inactive"),
    ],
)
@pytest.mark.parametrize("purpose", [Purpose.CARE_COORDINATION, Purpose.LOCAL_TOOL, Purpose.INSIGHT])
def test_every_state_and_purpose_makes_a_sound_resource(state: str, status: str, purpose: Purpose) -> None:
    for answers in ((), (said(MUM), said(DAD)), (said(KIM),)):
        for kind, recipient in ((RecipientKind.ORGANISATION, CARE_ORG), (RecipientKind.MEMBER, DAD)):
            one = consent(*answers, for_purpose=purpose, recipient_kind=kind, recipient=recipient)
            resource = consent_resource(one, child(), state, SCHOOL, NOW, None)
            sound(resource)
            assert resource["status"] == status
    over = consent_resource(consent(said(MUM)), child(), "given", SCHOOL, AFTER + timedelta(days=1), None)
    assert over["status"] == "inactive"


def test_the_young_person_is_the_patient_who_performs_it() -> None:
    own = consent(Answer(KIM, Capacity.SELF, AnswerKind.GIVEN, NOW))
    resource = consent_resource(own, child(), "given", SCHOOL, NOW, None)
    assert [one["type"] for one in resource["performer"]] == ["Patient"]


def test_a_local_tool_receives_as_a_device() -> None:
    facts = child(memberships=(member(DAD, Role.LOCAL_TOOL),))
    resource = consent_resource(consent(said(MUM), recipient=DAD), facts, "given", SCHOOL, NOW, None)
    sound(resource)
    assert [one["reference"]["type"] for one in resource["provision"]["actor"]] == ["Device"]
