"""One batch of a roster against the facts that its reader brought: what is added, changed and ended. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import zip_longest
from typing import Any
from uuid import UUID

from services.network.draft import Draft
from services.network.model import Child
from services.network.policy import ROLES_OF_CHILD, ROLES_OF_SCHOOL
from services.network.roster import PreviewRoster, RosterLink, RosterNetwork, RosterOrganisation, RosterPerson
from services.network.roster_links import Links, Tally
from services.network.spans import day_start
from shared.events.membership import OrganisationAdded, PersonAdded, PersonChanged, RosterImported
from shared.events.words import Role
from shared.unit import Asked, Change, Snapshot

PERSON_FIELDS = ("given_name", "family_name", "email", "phone")


class Batch:
    """One batch being taken in."""

    def __init__(self, asked: Asked[Any], seen: Snapshot, draft: Draft) -> None:
        self.ids, self.now, self.draft = asked.ids, seen.now, draft
        self.tally = Tally()
        self.links = Links(seen, draft, asked.ids, self.tally)
        self.persons: dict[str, dict[str, Any]] = {one["sourced_id"]: one for one in seen.state["persons"]}
        self.organisations = {one["sourced_id"]: UUID(one["id"]) for one in seen.state["organisations"]}
        self.names = {one["sourced_id"]: (one["version"], one["name"]) for one in seen.state["organisations"]}
        self.done: set[str] = set()

    def expect(self, preview: PreviewRoster) -> None:
        """Takes those for known whom an earlier batch would have brought."""
        for one in preview.expected_organisations:
            self.organisations.setdefault(one, self.ids.time_ordered(self.now))
        for one in preview.expected_persons:
            self.persons.setdefault(one, {"id": str(self.ids.pseudonym()), "organisation": None})

    def organisation(self, row: RosterOrganisation) -> None:
        known = self.organisations.get(row.sourced_id)
        if known is None:
            known = self.organisations[row.sourced_id] = self.ids.time_ordered(self.now)
            self.draft.write("organisation", known, 0, {"name": row.name, "sourced_id": row.sourced_id})
            self.draft.tell(OrganisationAdded(organisation=known), self.links.school.id, known)
            self.tally.mark(row.at, "added")
        elif row.sourced_id in self.names and self.names[row.sourced_id][1] != row.name:
            self.draft.write("organisation", known, self.names.pop(row.sourced_id)[0], {"name": row.name})
            self.tally.mark(row.at, "changed")
        else:
            self.tally.mark(row.at, "unchanged")

    def person(self, row: RosterPerson) -> None:
        if row.sourced_id in self.done:
            self.tally.refuse(row.at, "duplicate_id")
            return
        if row.organisation is not None and row.organisation not in self.organisations:
            self.tally.refuse(row.at, "unknown_organisation")
            return
        self.done.add(row.sourced_id)
        known = self.persons.get(row.sourced_id)
        if known is not None and known.get("erasing"):
            self.tally.refuse(row.at, "being_erased")  # in a moment it is unknown, and comes as somebody new
            return
        if row.pupil and known is not None and known.get("erased"):
            self.tally.refuse(row.at, "was_erased")  # stays as somebody's guardian: the file must have another number
            return
        values: dict[str, Any] = {name: getattr(row, name) for name in PERSON_FIELDS}
        values["organisation"] = self.organisations[row.organisation] if row.organisation else None
        id_ = self._new_person(row, values) if known is None else self._old_person(row, known, values)
        if row.pupil:
            self.links.put(row.at, id_, id_, Role.CHILD)
        self._school_roles(row, id_, values["organisation"])

    def _new_person(self, row: RosterPerson, values: dict[str, Any]) -> UUID:
        id_ = self.ids.pseudonym()
        self.draft.write("person", id_, 0, {**values, "sourced_id": row.sourced_id})
        self.draft.tell(PersonAdded(person=id_, pupil=row.pupil), id_ if row.pupil else self.links.school.id, id_)
        self.persons[row.sourced_id] = {"id": str(id_), "organisation": values["organisation"]}
        self.tally.mark(row.at, "added")
        if row.pupil:
            self._new_child(id_, row.born_on)
        return id_

    def _new_child(self, id_: UUID, born_on: date | None) -> None:
        self.draft.write("child", id_, 0, {"born_on": born_on, "wide": self.links.school.wide})
        self.links.hold_child(Child(id_, 0, born_on, self.links.school.wide, 0))

    def _old_person(self, row: RosterPerson, known: dict[str, Any], values: dict[str, Any]) -> UUID:
        id_ = UUID(known["id"])
        organisation = str(values["organisation"]) if values["organisation"] else None
        fields = [name for name in PERSON_FIELDS if known[name] != values[name]]
        fields += ["organisation"] if known["organisation"] != organisation else []
        if fields:
            self.draft.write("person", id_, known["version"], {name: values[name] for name in fields})
        child = self.links.children.get(id_)
        if row.pupil and child is None:
            self._new_child(id_, row.born_on)
            fields.append("pupil")
        elif row.pupil and child is not None and row.born_on is not None and child.born_on != row.born_on:
            self.draft.write("child", id_, child.version, {"born_on": row.born_on})
            self.links.hold_child(replace(child, born_on=row.born_on))
            fields.append("born_on")
        if fields:
            about = id_ if id_ in self.links.children else self.links.school.id
            self.draft.tell(PersonChanged(person=id_, fields=tuple(fields)), about, id_)
        self.tally.mark(row.at, "changed" if fields else "unchanged")
        return id_

    def _school_roles(self, row: RosterPerson, person: UUID, organisation: UUID | None) -> None:
        for role, at in zip_longest(row.roles, row.roles_at[: len(row.roles)], fillvalue=row.at):
            if role in ROLES_OF_SCHOOL:
                self.links.put(at, self.links.school.id, person, Role(role), organisation=organisation)
            else:
                self.tally.refuse(at, "role_not_for_school")

    def network(self, row: RosterNetwork) -> None:
        found = self.persons.get(row.child)
        child = UUID(found["id"]) if found else None
        if child is None or child not in self.links.children:
            self.tally.refuse(row.at, "unknown_child")
            return
        closed = self.links.closed_to(child)
        if closed is not None:
            for at in [link.at for link in row.links] or [row.at]:
                self.tally.refuse(at, closed)
            return
        for link in row.links:
            person = self.persons.get(link.person)
            code = self._refusal(link, person)
            if code is not None or person is None:
                self.tally.refuse(link.at, code or "unknown_person")
                continue
            organisation = person["organisation"]
            self.links.put(
                link.at,
                child,
                UUID(person["id"]),
                link.role,
                day_start(link.starts_on) if link.starts_on else None,
                day_start(link.ends_on) if link.ends_on else None,
                organisation=UUID(str(organisation)) if organisation else None,
            )
        self._holders(row, child)

    def _refusal(self, link: RosterLink, person: dict[str, Any] | None) -> str | None:
        if person is None:
            return "unknown_person"
        if link.role not in ROLES_OF_CHILD or link.role in {Role.CHILD, Role.LOCAL_TOOL}:
            return "role_not_for_child"
        if link.starts_on and link.ends_on and link.ends_on <= link.starts_on:
            return "ends_before_start"
        return None

    def _holders(self, row: RosterNetwork, child: UUID) -> None:
        guardians = {one.person for one in self.links.open_in(child) if one.role is Role.GUARDIAN}
        wanted = {UUID(self.persons[name]["id"]) for name in row.holders if name in self.persons} & guardians
        if len(wanted) < len(set(row.holders)):
            self.tally.refuse(row.at, "holder_is_no_guardian")
        self.links.authorities(row.at, child, sorted(wanted))

    def reply(self) -> dict[str, Any]:
        """Returns what became of the batch: counts, and the places of rows that did something or were refused."""
        lines = {what: [*at] for what, at in self.tally.lines.items()}
        return {**self.tally.counts(), "refused": self.tally.refused, "lines": lines}

    def finish(self) -> Change:
        """Publishes the grants of everyone touched, and counts."""
        links, school = self.links, self.links.school
        if links.wide:
            school = replace(school, wide=school.wide + 1)
            self.draft.write("school_profile", school.id, school.version, {"wide": school.wide})
        for subject in links.touched:
            if subject == school.id:
                self.draft.publish_school(school)
            else:
                self.draft.publish_child(links.children[subject], school)
        reply = self.reply()
        if links.lost:  # one a subject: all that ended round it is one revision of its grants
            told = [self.draft.withdraws(self.ids.time_ordered(self.now), *one) for one in links.lost.items()]
            reply["withdrawals"] = [one["withdrawal"] for one in told]
        fact = RosterImported(**self.tally.counts(), refused=len(self.tally.refused))
        self.draft.tell(fact, school.id, school.id)
        return self.draft.change(reply)
