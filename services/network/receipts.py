"""Notices that consent is asked with, and the receipt of a consent: bodies and pure decisions."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from services.network.consent_state import state_at
from services.network.draft import Draft
from services.network.fhir import consent_resource
from services.network.members import Managing, conflict
from services.network.model import Child, Consent, children_of
from services.network.queries import viewed
from shared.events.network import NoticePublished, RecipientKind
from shared.events.words import Action, Category, school_subject
from shared.text import Text
from shared.unit import Asked, Change, Query, Snapshot

SCHEMA_VERSION = "ISO/IEC TS 27560:2023; samenkracht 1"
JURISDICTION = "NL"
LAWFUL_BASIS = "consent: GDPR article 6(1)(a), for special categories article 9(2)(a)"
WITHDRAWAL = "in the network, or through the school; at any time, as easily as it was given"
EVENTS = {
    "asked": "requested",
    "given": "given",
    "refused": "refused",
    "withdrawn": "withdrawn",
    "settled": "settled",
    "ended": "terminated",
}
"""What each event of network is called in a receipt."""


class PublishNotice(Managing):
    """Puts a version of the notice on record, before consent is asked with its number. It is never changed after."""

    number: int = Field(ge=1, le=1_000_000)
    language: Literal["nl", "en"] = "nl"
    text: Text


class ConsentReceipt(Query):
    """A receipt of a consent, in the shape of ISO/IEC TS 27560 and as a FHIR R4 Consent. It is an export."""

    consent: UUID


def decide_publish_notice(asked: Asked[PublishNotice], seen: Snapshot) -> Change:
    """Keeps the text of a notice; the hash of its UTF-8 text goes into receipts."""
    permit = seen.require(asked, Action.MANAGE, Category.NETWORK)
    body = asked.body
    if any(one["language"] == body.language for one in seen.state["notices"]):
        raise conflict("this number is taken by a text already, which stays as it is: publish it with the next number")
    draft, id_ = Draft(seen, permit.act, (permit,)), asked.ids.time_ordered(seen.now)
    hashed = sha256(body.text.encode()).hexdigest()
    values = {**body.model_dump(exclude={"purpose"}), "hash": hashed, "published_at": seen.now}
    draft.write("consent_notice", id_, 0, values)
    fact = NoticePublished(notice=id_, number=body.number, language=body.language, hash=hashed)
    draft.tell(fact, permit.subject, id_)
    return draft.change({"notice": str(id_), "number": body.number, "hash": hashed})


def decide_consent_receipt(asked: Asked[ConsentReceipt], seen: Snapshot) -> Change:
    """Answers a consent's receipt, twice. A guardian's, in whatever role, shows the own answers only."""
    permit = seen.require(asked, Action.EXPORT, Category.NETWORK)
    child = children_of(seen.state)[permit.subject]
    consent = next(one for one in child.consents if one.id == asked.body.consent)
    only = asked.actor.id if asked.actor.id in child.guardians else None
    state = state_at(consent, child, seen.now).value
    result = {
        "receipt": {
            "receipt_id": str(asked.ids.time_ordered(seen.now)),
            "receipt_time": seen.now.isoformat(),
            "record": _record(asked.school, consent, child, seen, only),
        },
        "fhir": consent_resource(consent, child, state, school_subject(asked.school), seen.now, only),
    }
    return viewed("consent-receipt", child.id, permit.act, result, 1, (permit,), consent.id)


def _record(school: str, consent: Consent, child: Child, seen: Snapshot, only: UUID | None) -> dict[str, Any]:
    """Returns the consent record: header, processing, parties, events (ISO/IEC TS 27560:2023, clause 6)."""
    school_id = school_subject(school)
    return {
        "schema_version": SCHEMA_VERSION,
        "record_id": str(consent.id),
        "record_version": consent.version,
        "pii_principal_id": str(child.id),
        "pii_processing": {
            "privacy_notice": {
                "version": consent.notice_version,
                "texts": [_notice(one) for one in seen.state["notices"]],
            },
            "purposes": [
                {
                    "purpose": consent.for_purpose.value,
                    "lawful_basis": LAWFUL_BASIS,
                    "pii_information": [{"pii_type": category.value} for category in consent.categories],
                    "pii_controllers": [str(school_id)],
                    "recipient_third_parties": [str(consent.recipient)],
                    "jurisdiction": JURISDICTION,
                    "withdrawal_method": WITHDRAWAL,
                }
            ],
            "period": {"starts_at": consent.starts_at.isoformat(), "ends_at": consent.ends_at.isoformat()},
            "state": state_at(consent, child, seen.now).value,
            "in_force": consent.span.holds(seen.now) and state_at(consent, child, seen.now) == "given",
        },
        "party_identification": _parties(consent, seen, school_id),
        "events": [_event(one) for one in seen.state["history"] if _is_shown(one["fact"], only)],
    }


def _notice(one: dict[str, Any]) -> dict[str, Any]:
    return {"language": one["language"], "hash_algorithm": "sha-256", "hash": one["hash"]}


def _parties(consent: Consent, seen: Snapshot, school_id: UUID) -> list[dict[str, Any]]:
    organisation = consent.recipient_kind is RecipientKind.ORGANISATION
    recipient: dict[str, Any] = {
        "party_id": str(consent.recipient),
        "party_type": "organisation" if organisation else "person",
        "party_role": "recipient",
    }
    if organisation:  # a person stays a pseudonym in what leaves
        recipient["party_name"] = seen.state["organisations"].get(str(consent.recipient))
    controller = {"party_id": str(school_id), "party_type": "organisation", "party_role": "pii_controller"}
    return [{**controller, "party_name": seen.state["school_name"]}, recipient]


def _is_shown(fact: dict[str, Any], only: UUID | None) -> bool:
    return only is None or fact.get("giver") in {None, str(only)}


def _event(one: dict[str, Any]) -> dict[str, Any]:
    fact = one["fact"]
    kind = one["type"].removeprefix("nl.samenkracht.network.consent.").removesuffix(".v1")
    return {
        "event_time": one["time"],
        "event_type": EVENTS[kind],
        "event_state": fact["state"],
        "record_version": fact["consent_version"],
        "notice_version": fact["notice_version"],
        **({"entity_id": fact["giver"], "capacity": fact["capacity"]} if "giver" in fact else {}),
    }
