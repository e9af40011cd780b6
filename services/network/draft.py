"""Gathers what one decision changes, and publishes the grants that follow from it in the same Change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from services.network.consent_state import state_at
from services.network.grants import child_grants, school_grants
from services.network.model import Authority, Child, Consent, Mandate, Membership, School, children_of, school_of
from services.network.policy import POLICY_VERSION
from services.network.safeguards import Emergency
from services.network.times import Reminder, due, next_attention, review_due_at, told
from shared.access import Permit
from shared.access_projection import by_member
from shared.actor import Actor, service_id
from shared.events.base import Act, Fact, NewEvent
from shared.events.emergencies import EmergencyEnded, EmergencyReviewOverdue
from shared.events.network import AccessChanged, ConsentAsked, ConsentRenewalDue, ConsentSettled, ConsentState, Grant
from shared.events.words import Action, ActorKind, Basis, Category, Purpose, Role
from shared.unit import Change, Row, Snapshot


class Draft:
    """A Change in the making. Rows are kept by table and id; events in the order told, grants after the facts."""

    def __init__(self, seen: Snapshot, act: Act, permits: tuple[Permit, ...] = ()) -> None:
        self.now = seen.now
        self._shift = seen.now - seen.clock
        self._act = act
        self._permits = permits
        self._rows: dict[tuple[str, UUID], Row] = {}
        self._events: list[NewEvent] = []
        self._grants: dict[UUID, NewEvent] = {}
        self._last: list[NewEvent] = []
        self._seen = seen
        self._ended: dict[UUID, datetime] = {}

    def write(self, table: str, id_: UUID, seen: int, values: Mapping[str, Any]) -> None:
        """Writes a row; what was already drafted for it stays, but for the values given now. A new row stays new."""
        known = self._rows.get((table, id_))
        seen = 0 if known and known.seen == 0 else seen
        self._rows[table, id_] = Row(table, id_, seen, {**(known.values or {} if known else {}), **values})

    def tell(self, fact: Fact, about: UUID, thing: UUID | None = None) -> None:
        """Adds an event."""
        self._events.append(NewEvent(fact, about=about, act=self._act, thing=thing))

    def tell_last(self, fact: Fact, about: UUID, thing: UUID) -> None:
        """Adds an event after the grants: those who get access here are among those who are told of it."""
        self._last.append(NewEvent(fact, about=about, act=self._act, thing=thing))

    def remind(self, child: Child) -> Child:
        """Tells what is due about the child, once; returns it with that noted. Publish it after."""
        done = due(child, self.now)
        for one in done:
            self.write("reminder", one.id, 0, {"child": child.id})
            self.tell(_reminding(one), child.id, one.about.id)
        return told(child, done)

    def end_emergency(self, child: UUID, one: Emergency, at: datetime) -> None:
        """Ends emergency access at `at`, before its time, once. The child's grants, published after, are without it."""
        if one.id in self._ended:
            return
        self._ended[one.id] = at
        self.write("emergency", one.id, one.version, {"ends_at": at})
        self.tell(EmergencyEnded(emergency=one.id, member=one.member, ends_at=at), child, one.id)

    def ends_with(self, standing: Membership) -> None:
        """Ends the emergency access that rests on a membership when that ends, and all to a child that leaves.

        It may be to any child: others than the membership's own are published with the Change, as network itself.
        """
        end = standing.span.until if standing.span.holds(self.now) else self.now
        for child in self._resting():
            leaves = standing.role is Role.CHILD and standing.subject == child.id
            for one in child.emergencies:
                if (leaves or one.standing == standing.id) and end < one.ends_at:
                    with self._as_network(other=child.id != standing.subject):
                        self.end_emergency(child.id, one, end)

    def _resting(self) -> Iterable[Child]:
        """Returns the children, of those that the reader brought for it, with emergency access that lasts."""
        return children_of({**self._seen.state, "children": self._seen.state.get("resting") or ()}).values()

    @contextmanager
    def _as_network(self, *, other: bool = True) -> Iterator[None]:
        """What is about another subject than the act is network's own doing, on behalf of who acts."""
        own = self._act
        if other:
            self._act = Act(
                actor=service_id("network"),
                kind=ActorKind.SERVICE,
                door="network",
                on_behalf_of=own.actor,
                purpose=Purpose.ADMINISTRATION,
                action=Action.MANAGE,
                category=Category.NETWORK,
                basis=Basis.PUBLIC_TASK,
            )
        yield
        self._act = own

    def withdraws(self, id_: UUID, subject: UUID, thing: UUID) -> dict[str, Any]:
        """Has it told when what this takes away is effective everywhere; returns what the reply says of that."""
        values = {"subject": subject, "thing": thing, "act": self._act.model_dump(mode="json"), "how": None}
        self.write("withdrawal", id_, 0, {**values, "effective_at": None})
        return {"withdrawal": str(id_), "effective": "pending"}

    def publish_child(self, child: Child, school: School) -> Child:
        """Publishes the grants on a child whose facts changed; returns it with its consents as they stand now.

        A change of holders can change how a consent stands: that is told too, and its version grows.
        """
        emergencies = (replace(one, ends_at=self._ended.get(one.id, one.ends_at)) for one in child.emergencies)
        child = replace(child, emergencies=tuple(emergencies))
        child = replace(child, consents=tuple(self._settled(consent, child) for consent in child.consents))
        # By older rules than the school's it is published for now, and waits for who has the new ones.
        wide = school.wide if school.rules <= POLICY_VERSION else school.wide - 1
        if child.wide != wide:
            self.write("child", child.id, child.version, {"wide": wide})
        if child.wide > school.wide:
            # The school was read before the child and has changed since: to write its row has the commit decide anew.
            self.write("school_profile", school.id, school.version, {"wide": child.wide})
        due_on = child.next_due(self.now)
        if child.due_on != due_on:
            self.write("child", child.id, child.version, {"due_on": due_on})
        attend_at = next_attention(child, self.now)
        if child.attend_at != attend_at:
            self.write("child", child.id, child.version, {"attend_at": attend_at})
        self._publish(child.id, child.revision, child_grants(child, school, self.now))
        return child

    def publish_beside(self, child: Child, school: School) -> None:
        """Publishes the grants on another child than the act is about."""
        with self._as_network():
            self.publish_child(child, school)

    def publish_nobody(self, child: Child) -> None:
        """Publishes that nobody has any grant on a child."""
        self._publish(child.id, child.revision, ())

    def publish_school(self, school: School) -> None:
        """Publishes the grants on the school itself."""
        self._publish(school.id, school.revision, school_grants(school, self.now))

    def change(self, reply: Mapping[str, Any] | None = None) -> Change:
        """Returns the Change."""
        for child in self._resting() if self._ended else ():
            if child.id not in self._grants and any(one.id in self._ended for one in child.emergencies):
                self.publish_beside(child, school_of(self._seen.state))
        return Change(
            permits=self._permits,
            events=(*self._events, *self._grants.values(), *self._last),
            rows=tuple(self._rows.values()),
            reply=reply or {},
            locks=tuple(self._grants),
        )

    def _settled(self, consent: Consent, child: Child) -> Consent:
        state = state_at(consent, child, self.now)
        if state is consent.state or ("consent", consent.id) in self._rows:
            return consent
        settled = replace(consent, state=state, version=consent.version + 1)
        self.write("consent", consent.id, consent.version, {"state": state})
        self.tell(ConsentSettled(**consent_words(settled)), child.id, consent.id)
        if consent.state is ConsentState.GIVEN and state is ConsentState.ASKED:
            # It stood, and now others decide: they are asked.
            self.tell_last(ConsentAsked(**consent_words(settled)), child.id, consent.id)
        return settled

    def _publish(self, subject: UUID, revision: int, grants: Iterable[Grant]) -> None:
        # Grants are judged by the database's clock, facts live in domain time: they differ in a demo only.
        told = tuple(_shifted(grant, self._shift) for grant in grants) if self._shift else tuple(grants)
        self.write("access", subject, revision, {"grants": by_member(told), "epoch": 0, "seq": 0})
        fact = AccessChanged(revision=revision + 1, grants=told)
        self._grants[subject] = NewEvent(fact, about=subject, act=self._act)


def _reminding(one: Reminder) -> Fact:
    if isinstance(one.about, Emergency):
        due_at = review_due_at(one.about.starts_at)
        return EmergencyReviewOverdue(emergency=one.about.id, member=one.about.member, due_at=due_at)
    return ConsentRenewalDue(**consent_words(one.about))


def _shifted(grant: Grant, shift: timedelta) -> Grant:
    until = grant.valid_until - shift if grant.valid_until else None
    return grant.model_copy(update={"valid_from": grant.valid_from - shift, "valid_until": until})


def membership_row(membership: Membership) -> dict[str, Any]:
    """Returns a new membership's columns."""
    return _columns(membership)


def authority_row(authority: Authority) -> dict[str, Any]:
    """Returns a new authority's columns."""
    return _columns(authority)


def consent_row(consent: Consent) -> dict[str, Any]:
    """Returns a consent's columns."""
    return _columns(consent)


def _columns(fact: Membership | Authority | Consent) -> dict[str, Any]:
    return {name: value for name, value in asdict(fact).items() if name not in {"id", "version"}}


def consent_words(consent: Consent) -> dict[str, Any]:
    """Returns what every event about a consent says of it."""
    return {
        "consent": consent.id,
        "consent_version": consent.version,
        "for_purpose": consent.for_purpose,
        "recipient_kind": consent.recipient_kind,
        "recipient": consent.recipient,
        "categories": consent.categories,
        "notice_version": consent.notice_version,
        "starts_at": consent.starts_at,
        "ends_at": consent.ends_at,
        "state": consent.state,
    }


def act_without_grant(actor: Actor, action: Action, category: Category, purpose: Purpose, basis: Basis) -> Act:
    """Returns the act of an operator or service, who are allowed something by what they are, not by a grant."""
    return Act(
        actor=actor.id,
        kind=actor.kind,
        door=actor.door,
        operator=actor.operator,
        on_behalf_of=actor.on_behalf_of,
        purpose=purpose,
        action=action,
        category=category,
        basis=basis,
    )


def as_moment(at: datetime | None) -> str | None:
    """Returns a moment as JSON has it."""
    return at.isoformat() if at else None


def as_mandate(mandate: Mandate | None) -> dict[str, str | None] | None:
    """Returns a mandate as JSON has it."""
    if mandate is None:
        return None
    return {
        "code": mandate.code,
        "starts_at": as_moment(mandate.starts_at),
        "ends_at": as_moment(mandate.ends_at),
    }
