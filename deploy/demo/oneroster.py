"""Writes a made-up foundation as a OneRoster 1.2 CSV delivery, as a school's administration would hand it over."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time
from pathlib import Path

from deploy.demo.foundation import FOUNDATION_NAME, Foundation, School, team_of
from shared.events.words import Role

FILES = ("orgs", "users", "roles", "enrollments", "demographics", "academicSessions", "courses", "classes")
NAMES_OF_ROLES = {
    Role.CHILD: "student",
    Role.GUARDIAN: "guardian",
    Role.TEACHER: "teacher",
    Role.SOCIAL_WORKER: "counselor",
    Role.SCHOOL_LEADER: "principal",
}
"""What OneRoster calls a role; the others go as its extensions `ext:<role>`."""
FOUNDATION_ORG = "org-stichting"


def write_oneroster(foundation: Foundation, folder: Path, today: date) -> None:
    """Writes the delivery into `folder`, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    stamp = datetime.combine(today, time(6), UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    _Delivery(foundation, folder, stamp, today).write()


class _Delivery:
    """One delivery; every row is active and was changed this morning."""

    def __init__(self, foundation: Foundation, folder: Path, stamp: str, today: date) -> None:
        self.of, self.folder, self.stamp = foundation, folder, stamp
        start = date(today.year if today.month >= 8 else today.year - 1, 8, 1)
        self.year = (start.isoformat(), start.replace(year=start.year + 1).isoformat())

    def write(self) -> None:
        self._manifest()
        self._table("orgs", ("name", "type", "identifier", "parentSourcedId"), self._orgs())
        self._table(
            "users",
            (
                *("enabledUser", "username", "givenName", "familyName", "email", "sms", "agentSourceIds"),
                *("primaryOrgSourcedId", "metadata.authoritySourcedIds"),
            ),
            self._users(),
        )
        self._table(
            "roles", ("userSourcedId", "roleType", "role", "beginDate", "endDate", "orgSourcedId"), self._roles()
        )
        columns = ("classSourcedId", "schoolSourcedId", "userSourcedId", "role", "primary", "beginDate", "endDate")
        self._table("enrollments", columns, self._enrollments())
        self._table("demographics", ("birthDate",), ((p.person.id, p.born_on.isoformat()) for p in self.of.pupils))
        self._table(
            "academicSessions",
            ("title", "type", "startDate", "endDate", "parentSourcedId", "schoolYear"),
            [("year", "schooljaar", "schoolYear", *self.year, "", self.year[1][:4])],
        )
        self._table(
            "courses",
            ("schoolYearSourcedId", "title", "courseCode", "grades", "orgSourcedId", "subjects", "subjectCodes"),
            [(f"course-{one.slug}", "year", "onderwijs", "", "", one.org, "", "") for one in self.of.schools],
        )
        columns = ("title", "grades", "courseSourcedId", "classCode", "classType", "location", "schoolSourcedId")
        self._table("classes", (*columns, "termSourcedIds", "subjects", "subjectCodes", "periods"), self._classes())

    def _manifest(self) -> None:
        rows = [("manifest.version", "1.0"), ("oneroster.version", "1.2")]
        rows += [(f"file.{name}", "bulk") for name in FILES]
        rows += [("source.systemName", "made up"), ("source.systemCode", "demo")]
        with (self.folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("propertyName", "value"), *rows])

    def _table(self, name: str, columns: Sequence[str], rows: Iterable[tuple[str, ...]]) -> None:
        with (self.folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(("sourcedId", "status", "dateLastModified", *columns))
            writer.writerows((row[0], "active", self.stamp, *row[1:]) for row in rows)

    def _orgs(self) -> Iterable[tuple[str, ...]]:
        yield FOUNDATION_ORG, FOUNDATION_NAME, "district", "", ""
        for school in self.of.schools:
            yield school.org, school.name, "school", school.slug, FOUNDATION_ORG
        for id_, name in self.of.organisations.items():
            yield id_, name, "local", "", ""

    def _users(self) -> Iterable[tuple[str, ...]]:
        pupils = {pupil.person.id: pupil for pupil in self.of.pupils}
        orgs = {school.slug: school.org for school in self.of.schools}
        for one in self.of.persons.values():
            pupil = pupils.get(one.id)
            agents = ",".join((*pupil.guardians, *pupil.carers)) if pupil else ""
            holders = ",".join(pupil.holders) if pupil else ""
            org = one.organisation or orgs[next(iter(one.roles))]
            # Pupils get no address: their mail would go through the family's.
            contact = ("", "") if pupil else (one.email, one.phone)
            yield one.id, "true", one.id, one.given, one.family, *contact, agents, org, holders

    def _roles(self) -> Iterable[tuple[str, ...]]:
        orgs = {school.slug: school.org for school in self.of.schools}
        for one in self.of.persons.values():
            for n, (slug, role) in enumerate(one.roles.items()):
                name = NAMES_OF_ROLES.get(role, f"ext:{role.value}")
                yield f"r-{one.id}-{n}", one.id, "primary" if n == 0 else "secondary", name, "", "", orgs[slug]

    def _classes(self) -> Iterable[tuple[str, ...]]:
        for school in self.of.schools:
            for group in school.teachers:
                course = f"course-{school.slug}"
                yield _class(school, group), group, "", course, "", "homeroom", "", school.org, "year", "", "", ""

    def _enrollments(self) -> Iterable[tuple[str, ...]]:
        for school in self.of.schools:
            pupils = self.of.pupils_of(school.slug)
            for group in school.teachers:
                for member in team_of(school, group):
                    yield self._enrolled(school, group, member, "teacher")
            for pupil in pupils:
                yield self._enrolled(school, pupil.group, pupil.person.id, "student")

    def _enrolled(self, school: School, group: str, user: str, role: str) -> tuple[str, ...]:
        primary = "true" if user == school.teachers[group] else "false"
        return f"e-{_class(school, group)}-{user}", _class(school, group), school.org, user, role, primary, "", ""


def _class(school: School, group: str) -> str:
    return f"{school.slug}-{group}"
