"""One batch of a roster against the facts that its reader brought: what is added, changed and ended. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date, datetime
from itertools import zip_longest
from typing import Any
from uuid import UUID

from services.network.authority import tell_authority, tell_authority_ended
from services.network.draft import Draft
from services.network.mandates import tell_changed
from services.network.members import add_membership, end_membership
from services.network.model import Authority, Child, Membership, School, children_of, day_start, school_of
from services.network.policy import ROLES_OF_CHILD, ROLES_OF_SCHOOL, reaches_all
from services.network.roster import PreviewRoster, RosterLink, RosterNetwork, RosterOrganisation, RosterPerson
from shared.events.network import (
    Decision,
    OrganisationAdded,
    PersonAdded,
    PersonChanged,
    RosterImported,
)
from shared.events.words import Role
from shared.unit import Asked, Change, Snapshot

SOURCE = "roster"
PERSON_FIELDS = ("given_name", "family_name", "email", "phone")


class Batch:
    """One batch being taken in."""

    def __init__(self, asked: Asked[Any], seen: Snapshot, draft: Draft) -> None:
        self.ids, self.now, self.draft = asked.ids, seen.now, draft
        self.school: School = school_of(seen.state)
        self.children: dict[UUID, Child] = children_of(seen.state)
        self.persons: dict[str, dict[str, Any]] = {one["sourced_id"]: one for one in seen.state["persons"]}
        self.organisations = {one["sourced_id"]: UUID(one["id"]) for one in seen.state["organisations"]}
        self.names = {one["sourced_id"]: (one["version"], one["name"]) for one in seen.state["organisations"]}
        self.touched: dict[UUID, None] = {}
        self.wide = False
        self.count: Counter[str] = Counter()
        self.lines: dict[str, dict[str, None]] = {"added": {}, "changed": {}}
        self.refused: list[dict[str, str]] = []
        self.done: set[str] = set()
        self.lost: dict[UUID, UUID] = {}

    def expect(self, preview: PreviewRoster) -> None:
        """Takes those for known whom an earlier batch would have brought."""
        for one in preview.expected_organisations:
            self.organisations.setdefault(one, self.ids.time_ordered(self.now))
        for one in preview.expected_persons:
            self.persons.setdefault(one, {"id": str(self.ids.pseudonym()), "organisation": None})

    def refuse(self, at: str, code: str) -> None:
        self.refused.append({"at": at, "code": code})

    def mark(self, at: str, what: str) -> None:
        """Counts what became of a row, and remembers its place unless nothing did."""
        self.count[what] += 1
        if what in self.lines:
            self.lines[what][at] = None

    def organisation(self, row: RosterOrganisation) -> None:
        known = self.organisations.get(row.sourced_id)
        if known is None:
            known = self.organisations[row.sourced_id] = self.ids.time_ordered(self.now)
            self.draft.write("organisation", known, 0, {"name": row.name, "sourced_id": row.sourced_id})
            self.draft.tell(OrganisationAdded(organisation=known), self.school.id, known)
            self.mark(row.at, "added")
        elif row.sourced_id in self.names and self.names[row.sourced_id][1] != row.name:
            self.draft.write("organisation", known, self.names.pop(row.sourced_id)[0], {"name": row.name})
            self.mark(row.at, "changed")
        else:
            self.mark(row.at, "unchanged")

    def person(self, row: RosterPerson) -> None:
        if row.sourced_id in self.done:
            self.refuse(row.at, "duplicate_id")
            return
        if row.organisation is not None and row.organisation not in self.organisations:
            self.refuse(row.at, "unknown_organisation")
            return
        self.done.add(row.sourced_id)
        known = self.persons.get(row.sourced_id)
        if known is not None and known.get("erasing"):
            self.refuse(row.at, "being_erased")  # in a moment it is unknown, and comes as somebody new
            return
        values: dict[str, Any] = {name: getattr(row, name) for name in PERSON_FIELDS}
        values["organisation"] = self.organisations[row.organisation] if row.organisation else None
        id_ = self._new_person(row, values) if known is None else self._old_person(row, known, values)
        if row.pupil:
            self._put(row.at, id_, id_, Role.CHILD)
        self._school_roles(row, id_, values["organisation"])

    def _new_person(self, row: RosterPerson, values: dict[str, Any]) -> UUID:
        id_ = self.ids.pseudonym()
        self.draft.write("person", id_, 0, {**values, "sourced_id": row.sourced_id})
        self.draft.tell(PersonAdded(person=id_, pupil=row.pupil), id_ if row.pupil else self.school.id, id_)
        self.persons[row.sourced_id] = {"id": str(id_), "organisation": values["organisation"]}
        self.mark(row.at, "added")
        if row.pupil:
            self._new_child(id_, row.born_on)
        return id_

    def _new_child(self, id_: UUID, born_on: date | None) -> None:
        self.draft.write("child", id_, 0, {"born_on": born_on, "wide": self.school.wide})
        self.children[id_] = Child(id_, 0, born_on, self.school.wide, 0)
        self.touched[id_] = None

    def _old_person(self, row: RosterPerson, known: dict[str, Any], values: dict[str, Any]) -> UUID:
        id_ = UUID(known["id"])
        organisation = str(values["organisation"]) if values["organisation"] else None
        fields = [name for name in PERSON_FIELDS if known[name] != values[name]]
        fields += ["organisation"] if known["organisation"] != organisation else []
        if fields:
            self.draft.write("person", id_, known["version"], {name: values[name] for name in fields})
        child = self.children.get(id_)
        if row.pupil and child is None:
            self._new_child(id_, row.born_on)
            fields.append("pupil")
        elif row.pupil and child is not None and row.born_on is not None and child.born_on != row.born_on:
            self.draft.write("child", id_, child.version, {"born_on": row.born_on})
            self.children[id_] = replace(child, born_on=row.born_on)
            self.touched[id_] = None
            fields.append("born_on")
        if fields:
            about = id_ if id_ in self.children else self.school.id
            self.draft.tell(PersonChanged(person=id_, fields=tuple(fields)), about, id_)
        self.mark(row.at, "changed" if fields else "unchanged")
        return id_

    def _school_roles(self, row: RosterPerson, person: UUID, organisation: UUID | None) -> None:
        for role, at in zip_longest(row.roles, row.roles_at[: len(row.roles)], fillvalue=row.at):
            if role in ROLES_OF_SCHOOL:
                self._put(at, self.school.id, person, Role(role), organisation=organisation)
            else:
                self.refuse(at, "role_not_for_school")

    def network(self, row: RosterNetwork) -> None:
        found = self.persons.get(row.child)
        child = UUID(found["id"]) if found else None
        if child is None or child not in self.children:
            self.refuse(row.at, "unknown_child")
            return
        for link in row.links:
            person = self.persons.get(link.person)
            code = self._refusal(link, person)
            if code is not None or person is None:
                self.refuse(link.at, code or "unknown_person")
                continue
            organisation = person["organisation"]
            self._put(
                link.at,
                child,
                UUID(person["id"]),
                link.role,
                day_start(link.starts_on) if link.starts_on else None,
                day_start(link.ends_on) if link.ends_on else None,
                organisation=UUID(str(organisation)) if organisation else None,
            )
        self._authorities(row, child)

    def _refusal(self, link: RosterLink, person: dict[str, Any] | None) -> str | None:
        if person is None:
            return "unknown_person"
        if link.role not in ROLES_OF_CHILD or link.role in {Role.CHILD, Role.LOCAL_TOOL}:
            return "role_not_for_child"
        if link.starts_on and link.ends_on and link.ends_on <= link.starts_on:
            return "ends_before_start"
        return None

    def _authorities(self, row: RosterNetwork, child_id: UUID) -> None:
        child = self.children[child_id]
        guardians = {one.person for one in self._open(child_id) if one.role is Role.GUARDIAN}
        wanted = {UUID(self.persons[name]["id"]) for name in row.holders if name in self.persons} & guardians
        if len(wanted) < len(set(row.holders)):
            self.refuse(row.at, "holder_is_no_guardian")
        held = {one.holder for one in child.authorities if one.ends_at is None or one.ends_at > self.now}
        for holder in sorted(wanted):
            if holder in held:
                self.mark(row.at, "unchanged")
                continue
            scope = tuple(sorted(Decision))
            id_ = self.ids.time_ordered(self.now)
            made = Authority(id_, 1, child_id, holder, scope, SOURCE, self.now, None)
            tell_authority(self.draft, made)
            self._hold(made)
            self.mark(row.at, "added")

    def _hold(self, authority: Authority) -> None:
        """Puts a new or changed authority into the facts that the grants will follow from."""
        child = self.children[authority.child]
        rest = tuple(one for one in child.authorities if one.id != authority.id)
        self.children[child.id] = replace(child, authorities=(*rest, authority))
        self.touched[child.id] = None

    def end(self, id_: UUID) -> None:
        """Ends a membership or authority that the roster brought; with a pupil's own, everyone's round it."""
        before = self.count["ended"]
        for subject in (self.school.id, *self.children):
            for one in self._open(subject):
                if one.id == id_ and one.source == SOURCE:
                    left = self._open(subject) if one.role is Role.CHILD else [one]
                    for each in left:
                        self._end(each)
        for child in tuple(self.children.values()):
            for held in child.authorities:
                over = held.ends_at is not None and held.ends_at <= self.now
                if held.id == id_ and held.source == SOURCE and not over:
                    ended = replace(held, ends_at=self.now)
                    tell_authority_ended(self.draft, ended)
                    self._hold(ended)
                    self.lost.setdefault(child.id, held.id)
                    self.count["ended"] += 1
        if self.count["ended"] == before:
            self.count["unchanged"] += 1

    def _open(self, subject: UUID) -> list[Membership]:
        circle = self.school if subject == self.school.id else self.children[subject]
        return [one for one in circle.memberships if one.ends_at is None or one.ends_at > self.now]

    def _keep(self, membership: Membership) -> None:
        """Puts a new or changed membership into the facts that the grants will follow from."""
        circle = self.school if membership.subject == self.school.id else self.children[membership.subject]
        rest = tuple(one for one in circle.memberships if one.id != membership.id)
        if membership.subject == self.school.id:
            self.school = replace(self.school, memberships=(*rest, membership))
            self.wide = self.wide or reaches_all(membership.role, self.school)
        else:
            self.children[membership.subject] = replace(
                self.children[membership.subject], memberships=(*rest, membership)
            )
        self.touched[membership.subject] = None

    def _put(
        self,
        at: str,
        subject: UUID,
        person: UUID,
        role: Role,
        starts_at: datetime | None = None,
        ends_at: datetime | None = None,
        *,
        organisation: UUID | None = None,
    ) -> None:
        """Makes the membership be there with this period: adds it, changes it, or finds it in order."""
        found = next((one for one in self._open(subject) if (one.person, one.role) == (person, role)), None)
        if found is None:
            starts_at = starts_at or self.now
            id_ = self.ids.time_ordered(self.now)
            made = Membership(id_, 1, subject, person, role, organisation, None, SOURCE, starts_at, ends_at)
            if made.span and (ends_at is None or ends_at > self.now):
                add_membership(self.draft, made)
                self._keep(made)
                self.mark(at, "added")
            else:
                self.mark(at, "unchanged")
            return
        period = (starts_at or found.starts_at, ends_at)
        if found.source != SOURCE or period == (found.starts_at, found.ends_at):
            self.mark(at, "unchanged")
        elif ends_at is not None and ends_at <= self.now:
            self._end(found)
        else:
            changed = replace(found, starts_at=period[0], ends_at=ends_at)
            if found.span.holds(self.now) and not changed.span.holds(self.now):  # it begins later than it was known to
                self.lost.setdefault(subject, found.id)
            self._change(changed)
            self.mark(at, "changed")

    def _change(self, changed: Membership) -> None:
        self.draft.write(
            "membership", changed.id, changed.version, {"starts_at": changed.starts_at, "ends_at": changed.ends_at}
        )
        tell_changed(self.draft, changed)
        self._keep(changed)

    def _end(self, membership: Membership) -> None:
        ended = replace(membership, ends_at=self.now)
        end_membership(self.draft, ended, "left_roster")
        self._keep(ended)
        self.lost.setdefault(membership.subject, membership.id)
        self.count["ended"] += 1

    def reply(self) -> dict[str, Any]:
        """Returns what became of the batch: counts, and the places of rows that did something or were refused."""
        counts = {name: self.count[name] for name in ("added", "changed", "ended", "unchanged")}
        return {**counts, "refused": self.refused, "lines": {what: [*at] for what, at in self.lines.items()}}

    def finish(self) -> Change:
        """Publishes the grants of everyone touched, and counts."""
        if self.wide:
            self.school = replace(self.school, wide=self.school.wide + 1)
            self.draft.write("school_profile", self.school.id, self.school.version, {"wide": self.school.wide})
        for subject in self.touched:
            if subject == self.school.id:
                self.draft.publish_school(self.school)
            else:
                self.draft.publish_child(self.children[subject], self.school)
        reply = self.reply()
        if self.lost:  # one a subject: all that ended round it is one revision of its grants
            told = [self.draft.withdraws(self.ids.time_ordered(self.now), *one) for one in self.lost.items()]
            reply["withdrawals"] = [one["withdrawal"] for one in told]
        counts = {name: self.count[name] for name in ("added", "changed", "ended", "unchanged")}
        fact = RosterImported(**counts, refused=len(self.refused))
        self.draft.tell(fact, self.school.id, self.school.id)
        return self.draft.change(reply)
