"""Judges a line against the log: was it allowed at the position it names, on the basis it claims? Pure.

The first of two layers: lines against the grants that network published (`weighing.py` weighs those against facts).
A line is judged by the set that stood at its network position, by the database's clock, and by what withdrawals had
taken away everywhere by then. What is refused, queued or only tells how a thing went releases nothing: no judgment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.audit.judged import Evidence, Finding, Published, Said, words
from shared.actor import service_id
from shared.events.network import Grant
from shared.events.words import Action

NOT_RELEASED = frozenset(
    {"withdrawal.effective", "notice.queued", "notice.deferred", "notice.failed", "notice.cancelled", "notice.reminded"}
)
"""They tell of an earlier act, and let nothing out themselves."""

REFUSED = "access.denied"
"""All that a refusal may be told by: of any other event the thing was done."""
LOOKS = frozenset({"access.viewed"})
DISCLOSED = frozenset({"put-out.made"})
"""What only a grant lets out, whoever says that it needs none."""
RECORDS = frozenset({"network", "identity", "contact"})
"""What those who keep a school's records reach of a child through the school's own set of grants."""


@dataclass(frozen=True, slots=True)
class OwnRight:
    """An act that needs no grant: whose (kind of actor), by which basis, and what it may be.

    `queries` are the looks it may be; none: no look. `service`: only this service.
    """

    producer: str
    kinds: frozenset[str]
    basis: str | None
    action: str
    categories: frozenset[str]
    queries: frozenset[str] = frozenset()
    service: str | None = None

    def covers(self, said: Said) -> bool:
        """Tells whether the line is such an act."""
        entry = said.entry
        look = said.name in LOOKS
        return (
            self.producer in {"", entry["producer"]}
            and entry["kind"] in self.kinds
            and entry.get("basis") == self.basis
            and entry["action"] == self.action
            and entry["category"] in self.categories
            and (entry.get("what") in self.queries if look else not self.queries)
            and (self.service is None or entry["actor"] == str(service_id(self.service)))
        )


MEMBER, PERSON = frozenset({"person", "tool"}), frozenset({"person"})
OPERATOR, SERVICE = frozenset({"operator"}), frozenset({"service"})
EVERY_LOOK_OF_OPERATORS = frozenset({"dead-letters", "dead-letter", "under-review"})
ROSTER_LOOKS = frozenset({"preview-roster", "roster-links"})
OWN_RIGHTS = (
    # What concerns nobody else: one's own part, one's own ties, one's own address.
    OwnRight("network", MEMBER, "own_data", "decide", frozenset({"network"})),
    OwnRight("network", MEMBER, "own_data", "manage", frozenset({"contact"})),
    OwnRight("network", MEMBER, "own_data", "view", frozenset({"network"}), frozenset({"policy-explanation"})),
    OwnRight("notifications", MEMBER, "own_data", "receive", frozenset({"contact"}), frozenset({"inbox"})),
    OwnRight(
        "notifications",
        MEMBER,
        "own_data",
        "view",
        frozenset({"contact"}),
        frozenset({"preferences", "why", "addresses"}),
    ),
    OwnRight("notifications", MEMBER, "own_data", "manage", frozenset({"contact"})),
    # An address that nothing arrives at is stopped on the word of a mail server, and that is told.
    OwnRight("notifications", SERVICE, "public_task", "manage", frozenset({"contact"}), service="notifications"),
    # Who has authority decides on consents by that, whatever became of the membership.
    OwnRight("network", PERSON, "parental_authority", "consent", frozenset({"network"})),
    OwnRight("network", PERSON, "parental_authority", "view", frozenset({"network"}), frozenset({"consents"})),
    # Who holds an invitation's secret; who breaks the glass (what it gives is judged with the grants).
    OwnRight("network", MEMBER, "public_task", "view", frozenset({"network"}), frozenset({"invitation"})),
    OwnRight("network", PERSON, "public_task", "propose", frozenset({"network"})),
    OwnRight("network", PERSON, "vital_interest", "view", frozenset({"identity"})),
    # Operators open schools and mend the platform; services do their own work.
    OwnRight("network", OPERATOR, "public_task", "manage", frozenset({"network"})),
    OwnRight("network", OPERATOR, "public_task", "manage", frozenset({"network"}), ROSTER_LOOKS),
    OwnRight("network", OPERATOR, "public_task", "view", frozenset({"identity"}), frozenset({"find-person"})),
    OwnRight("", OPERATOR, "legal_duty", "manage", frozenset({"log"})),
    OwnRight("", OPERATOR, "legal_duty", "manage", frozenset({"log"}), EVERY_LOOK_OF_OPERATORS),
    OwnRight("network", SERVICE, "public_task", "manage", frozenset({"network", "expectations"}), service="network"),
    OwnRight("goals", OPERATOR, "public_task", "manage", frozenset({"goals"})),  # the foundation's templates
    OwnRight("goals", OPERATOR, "anonymous_aggregate", "view", frozenset({"goals"}), frozenset({"insight"})),
    OwnRight("goals", SERVICE, "public_task", "manage", frozenset({"plan"}), service="goals"),
    OwnRight("audit", SERVICE, "legal_duty", "manage", frozenset({"log"}), service="audit"),
    OwnRight(
        "goals",
        SERVICE,
        "public_task",
        "view",
        frozenset({"conversations"}),
        frozenset({"calendar-entry"}),
        "notifications",
    ),
    # Each erases its own rows, the gate has tools delete theirs, and network a person's whom nothing needs any more.
    *(
        OwnRight(name, SERVICE, "legal_duty", "manage", frozenset({"network"}), service=name)
        for name in ("network", "goals", "notifications", "gate")
    ),
    OwnRight(
        "network", SERVICE, "public_task", "view", frozenset({"contact"}), frozenset({"contact-point"}), "notifications"
    ),
    # A tool keeps its own login; the gate pauses one that floods, and removes one whose registration ended.
    OwnRight("gate", frozenset({"tool"}), "own_data", "manage", frozenset({"contact"})),
    OwnRight("gate", SERVICE, "public_task", "manage", frozenset({"network"}), service="gate"),
    # What was put out to a tool was judged by its grant; that it deleted it again it says without one.
    OwnRight("gate", frozenset({"tool"}), "legal_duty", "manage", frozenset({"network"})),
)


def judge(said: Said, shown: Evidence) -> list[Finding]:
    """Returns what is wrong with a line; nothing: it was allowed, on the basis that it claims."""
    if said.entry["outcome"] == "denied":
        return [] if said.name == REFUSED else [said.finding("denied_but_done", reason=said.entry.get("reason"))]
    if said.name == "notice.sent":
        return list(_sent(said, shown.claim))
    if said.name in NOT_RELEASED:
        return []
    if said.grant is None:
        return list(_without_grant(said, shown))
    if said.position and (shown.epoch_there is None or shown.epoch_there > said.entry["network_epoch"]):
        return [said.finding("position_not_in_log", epoch_there=shown.epoch_there)]
    standing = _standing(said, shown)
    if isinstance(standing, Finding):
        return [standing]
    published, grant = standing
    return [
        *_revision(said, published, shown),
        *_claims(said, grant),
        *_reach(said, grant),
        *_time(said, grant),
        *_withdrawn(said, grant, published, shown),
    ]


def _standing(said: Said, shown: Evidence) -> Finding | tuple[Published, Grant]:
    """Returns the set and the grant in it that the line rests on, or the finding that there is none."""
    sets = [shown.of_subject]
    if _through_school(said):
        newer = shown.later is not None and shown.later.revision == said.entry.get("revision")
        sets.append(shown.later if newer else shown.of_school)
    found = [one for one in sets if one is not None]
    if not found:
        return said.finding("no_grants_known", subject=str(said.about))
    for one in found:
        if said.grant is not None and (grant := one.grants.get(said.grant)) is not None:
            return one, grant
    of_actor = [g for one in found for g in one.grants.values() if str(g.member) == said.entry["actor"]]
    return said.finding("grant_unknown", **found[0].shows(), grants_of_actor=[_brief(one) for one in of_actor[:10]])


def _through_school(said: Said) -> bool:
    """Tells whether a grant on the school itself may reach this line's subject."""
    if said.about == said.school:
        return False
    category, producer = said.entry["category"], said.entry["producer"]
    if producer == "audit":  # who keeps the school's records decides on restrictions too
        return category == "log" or (category == "network" and said.name.startswith("restriction."))
    return producer == "network" and category in RECORDS


def _revision(said: Said, published: Published, shown: Evidence) -> Iterator[Finding]:
    claimed = said.entry.get("revision")
    # A set of the school may have been vouched for ahead of the position, which is that of the line's own subject.
    if claimed != published.revision and (published is shown.of_subject or (claimed or 0) < published.revision):
        yield said.finding("revision_differs", **published.shows())


def _claims(said: Said, grant: Grant) -> Iterator[Finding]:
    entry = said.entry
    if str(grant.member) != entry["actor"]:
        yield said.finding("other_member", **_brief(grant))
    if (entry.get("role"), entry.get("organisation")) != (grant.role.value, _text(grant.organisation)):
        yield said.finding("other_role", **_brief(grant))
    if entry.get("basis") != grant.basis.value:
        yield said.finding("other_basis", **_brief(grant))
    if (entry.get("consent"), entry.get("consent_version")) != (_text(grant.consent), grant.consent_version):
        yield said.finding("other_consent", **_brief(grant))
    if entry["emergency"] != grant.emergency:
        yield said.finding("emergency_differs", **_brief(grant))


def _reach(said: Said, grant: Grant) -> Iterator[Finding]:
    entry = said.entry
    for code, value, allowed in (
        ("beyond_action", entry["action"], grant.actions),
        ("beyond_category", entry["category"], grant.categories),
        ("beyond_purpose", entry["purpose"], grant.purposes),
    ):
        if value not in words(allowed):
            yield said.finding(code, grant=str(grant.id), allowed=words(allowed))


def _time(said: Said, grant: Grant) -> Iterator[Finding]:
    if said.at < grant.valid_from:
        yield said.finding("before_start", **_brief(grant))
    if grant.valid_until is not None and said.at >= grant.valid_until:
        yield said.finding("after_end", **_brief(grant))


def _withdrawn(said: Said, grant: Grant, published: Published, shown: Evidence) -> Iterator[Finding]:
    then = shown.then.get(published.about)
    if shown.withdrawal is None or then is None:
        return
    still = then.grants.get(grant.id)
    if still is None or (still.valid_until is not None and said.at >= still.valid_until):
        one = shown.withdrawal
        effective = {"applied": one.applied, "effective_at": one.at.isoformat(), "told_at": one.seq}
        yield said.finding("after_withdrawal", **effective, grant=str(grant.id))


def _without_grant(said: Said, shown: Evidence) -> Iterator[Finding]:
    if said.name in DISCLOSED or not any(right.covers(said) for right in OWN_RIGHTS):
        yield said.finding("no_grant", kind=said.entry["kind"])
    elif said.by_authority and not shown.decides:
        yield said.finding("no_authority")
    elif _is_told(said) and not _may_be_told(said, shown.of_subject):
        set_ = shown.of_subject
        yield said.finding("recipient_not_granted", recipient=said.entry.get("thing"), **(set_.shows() if set_ else {}))
    elif said.entry.get("what") == "inbox" and said.entry.get("things"):
        yield said.finding("no_grant", things=said.entry["things"])


def _is_told(said: Said) -> bool:
    """Tells whether the look is for a recipient, to whom something is sent: `things` 0 only takes an entry back."""
    what = said.entry.get("what")
    return what == "contact-point" or (what == "calendar-entry" and bool(said.entry.get("things")))


def _may_be_told(said: Said, published: Published | None) -> bool:
    """Tells whether the one for whom it was asked may be told anything about the subject."""
    recipient = said.entry.get("thing")
    return published is not None and any(
        str(one.member) == recipient
        and Action.RECEIVE in one.actions
        and one.valid_from <= said.at
        and (one.valid_until is None or said.at < one.valid_until)
        for one in published.grants.values()
    )


def _sent(said: Said, claim: Mapping[str, Any] | None) -> Iterator[Finding]:
    """A sent notice repeats the act of the claim that it left on; the claim's own line is judged."""
    same = ("actor", "about", "grant", "basis", "consent", "consent_version", "revision", "category", "purpose")
    if claim is None:
        yield said.finding("sent_without_claim")
    elif differing := [name for name in same if claim.get(name) != said.entry.get(name)]:
        yield said.finding("sent_unlike_claim", claimed={name: claim.get(name) for name in differing})


def _brief(grant: Grant) -> dict[str, Any]:
    return {
        "grant": str(grant.id),
        "member": str(grant.member),
        "role": grant.role.value,
        "organisation": _text(grant.organisation),
        "basis": grant.basis.value,
        "consent": _text(grant.consent),
        "consent_version": grant.consent_version,
        "emergency": grant.emergency,
        "valid_from": grant.valid_from.isoformat(),
        "valid_until": grant.valid_until.isoformat() if grant.valid_until else None,
    }


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
