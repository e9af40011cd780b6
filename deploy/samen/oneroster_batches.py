"""From a roster that was read to the batches that network takes: one OneRoster org of type school is one school."""

from __future__ import annotations

import re
import sqlite3
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Any, TypeVar

from deploy.samen.oneroster import Roster
from deploy.samen.oneroster_records import Issue
from deploy.samen.oneroster_tables import ROLES
from shared.events.words import Role

T = TypeVar("T")
Batch = dict[str, Any]

PERSONS, PUPILS = 200, 20
"""Rows of one command, by what they cost network: a pupil comes with its network."""
EXTERNAL = {Role.THERAPIST.value, Role.CARE_PROFESSIONAL.value}
ROUND_CHILD = EXTERNAL | {Role.GUARDIAN.value}
NOT_IN_SCHOOL = ROUND_CHILD | {Role.CHILD.value, ""}
AT_SCHOOL_ONLY = {Role.SCHOOL_ADMINISTRATOR.value, Role.AUDITOR.value, Role.EXPERT_TEAM.value}


@dataclass(frozen=True, slots=True)
class SchoolOrg:
    """A school in the delivery and the slug it gets here."""

    slug: str
    org: str
    name: str


def slug_of(text: str) -> str:
    """Returns a slug made from an identifier or name; empty when nothing is left of it."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:32].strip("-")


def schools_of(roster: Roster, wanted: Iterable[str]) -> tuple[list[SchoolOrg], list[str]]:
    """Returns the schools to import, and what is wrong with `wanted` (`slug=orgSourcedId` or a slug to choose)."""
    named = {org: slug for slug, _, org in (one.partition("=") for one in wanted) if org}
    chosen = {one for one in wanted if "=" not in one}
    found, wrong, slugs = [], [], dict[str, str]()
    for org, name, identifier in roster.db.execute(
        "SELECT id, name, identifier FROM org WHERE type = 'school' AND NOT gone ORDER BY id"
    ):
        slug = named.pop(org, None) or slug_of(identifier) or slug_of(name)
        if not re.fullmatch(r"[a-z0-9-]{1,32}", slug):
            wrong.append(f"org {org} gives no usable slug: name it with --school <slug>={org}")
        elif slug in slugs:
            wrong.append(f"orgs {slugs[slug]} and {org} both give the slug {slug}: tell them apart with --school")
        else:
            slugs[slug] = org
            found.append(SchoolOrg(slug, org, name))
    wrong += [f"there is no school with sourcedId {org} in orgs.csv" for org in named]
    wrong += [
        f"there is no school {slug} in the delivery: it has {', '.join(sorted(slugs)) or 'none'}"
        for slug in sorted(chosen - set(slugs))
    ]
    mapped = {slug for slug, _, org in (one.partition("=") for one in wanted) if org}
    keep = chosen | mapped
    return [one for one in found if not keep or one.slug in keep], wrong


def batches(roster: Roster, school: SchoolOrg, today: date) -> Iterator[Batch]:
    """Yields the bodies of `import-roster` for one school, in the order in which they must be sent.

    What can't be turned into a row is told to the roster's lines.
    """
    org_rows = roster.db.execute(OUTSIDE, {"org": school.org})
    for rows in _chunks(org_rows, PERSONS):
        yield {"organisations": [{"at": at, "sourced_id": id_, "name": name} for id_, at, name in rows]}
    adults = (_person(row) for row in roster.db.execute(ADULTS, at_school(school, today)))
    for people in _chunks(adults, PERSONS):
        yield {"persons": people}
    pupils = roster.db.execute(PUPILS_HERE, at_school(school, today))
    for rows in _chunks(pupils, PUPILS):
        yield {
            "persons": [_pupil(row) for row in rows],
            "networks": [_network(roster, school, row, today) for row in rows],
        }


OUTSIDE = """
SELECT DISTINCT o.id, o.at, o.name FROM org o JOIN user u ON u.org = o.id JOIN role r ON r.user = u.id
 WHERE r.org = :org AND o.id <> :org AND r.role IN ('therapist', 'care_professional') ORDER BY o.id
"""
HERE = """r.org = :org AND NOT r.gone AND (r.ends IS NULL OR r.ends > :today) AND r.role <> ''
   AND NOT EXISTS (SELECT 1 FROM user g WHERE g.id = r.user AND g.gone)"""
ADULTS = f"""
SELECT u.id, u.at, u.given, u.family, u.email, u.phone, u.org, group_concat(DISTINCT r.role || ' ' || r.at)
  FROM role r JOIN user u ON u.id = r.user
 WHERE {HERE} GROUP BY u.id HAVING max(r.role = 'child') = 0 ORDER BY u.id
"""  # noqa: S608  our own words
PUPILS_HERE = f"""
SELECT u.id, u.at, u.given, u.family, u.email, u.phone, b.day, u.agents, u.holders
  FROM user u LEFT JOIN birth b ON b.id = u.id
 WHERE EXISTS (SELECT 1 FROM role r WHERE r.user = u.id AND r.role = 'child' AND {HERE}) ORDER BY u.id
"""  # noqa: S608  our own words
AGENT_ROLES = f"SELECT DISTINCT r.role FROM role r WHERE r.user = :user AND {HERE} ORDER BY 1"  # noqa: S608  our own
IS_GONE = "SELECT gone FROM user WHERE id = ?"
TEACHERS = """
SELECT t.user, t.at, min(t.begins), max(coalesce(t.ends, '9999')),
       min(t.gone OR s.gone OR coalesce(t.ends, '9999') <= :today OR coalesce(s.ends, '9999') <= :today
           OR EXISTS (SELECT 1 FROM user g WHERE g.id = t.user AND g.gone))
  FROM enrollment s JOIN enrollment t ON t.class = s.class AND t.org = s.org AND t.role = 'teacher'
 WHERE s.user = :user AND s.role = 'student' AND s.org = :org GROUP BY t.user ORDER BY t.user
"""


def _chunks(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    source = iter(rows)
    while chunk := list(islice(source, size)):
        yield chunk


def at_school(school: SchoolOrg, today: date) -> dict[str, str]:
    """Returns what the queries about one school are asked with."""
    return {"org": school.org, "today": today.isoformat()}


def _person(row: tuple[Any, ...]) -> dict[str, Any]:
    id_, at, given, family, email, phone, org, roles = row
    has = dict(sorted(role.split(" ") for role in roles.split(",")))
    here = [role for role in has if role not in NOT_IN_SCHOOL]
    return {
        "at": at,
        "sourced_id": id_,
        "given_name": given,
        "family_name": family,
        "email": email,
        "phone": phone,
        "organisation": org if EXTERNAL & has.keys() else None,
        "roles": here,
        "roles_at": [has[role] for role in here],
    }


def _pupil(row: tuple[Any, ...]) -> dict[str, Any]:
    id_, at, given, family, email, phone, born_on, _, _ = row
    return {
        "at": at,
        "sourced_id": id_,
        "given_name": given,
        "family_name": family,
        "email": email,
        "phone": phone,
        "pupil": True,
        "born_on": born_on,
    }


def _network(roster: Roster, school: SchoolOrg, row: tuple[Any, ...], today: date) -> dict[str, Any]:
    id_, at, *_, agents, holders = row
    links = []
    for agent in filter(None, agents.split("\n")):
        roles = _roles_of(roster.db, school, agent, today) & ROUND_CHILD
        if not roles and not (roster.db.execute(IS_GONE, (agent,)).fetchone() or [0])[0]:
            roster.lines.tell(Issue(at, "not_in_delta" if roster.delta else "agent_without_role"))
        links += [{"at": at, "person": agent, "role": role} for role in sorted(roles)]
    where = {**at_school(school, today), "user": id_}
    for teacher, enrolled_at, begins, ends, over in roster.db.execute(TEACHERS, where):
        link = {"at": enrolled_at, "person": teacher, "role": _team_role(_roles_of(roster.db, school, teacher, today))}
        if over:
            links.append({**link, "ends_on": today.isoformat()})
        else:
            links.append({**link, "starts_on": begins, "ends_on": None if ends == "9999" else ends})
    return {"at": at, "child": id_, "links": links, "holders": holders.split("\n") if holders else []}


def _roles_of(db: sqlite3.Connection, school: SchoolOrg, user: str, today: date) -> set[str]:
    return {role for (role,) in db.execute(AGENT_ROLES, {**at_school(school, today), "user": user})}


def _team_role(roles: set[str]) -> str:
    """Returns the role in which someone who teaches a class takes part in its pupils' networks."""
    team = sorted(roles - NOT_IN_SCHOOL - AT_SCHOOL_ONLY)
    return Role.TEACHER.value if not team or Role.TEACHER.value in team else team[0]


HINTS = {
    "agent_without_role": "give the agent an active row in roles.csv at this school",
    "bad_date": "write dates as YYYY-MM-DD, between 1900 and 2200",
    "bad_email": "correct the address or leave it empty",
    "bad_encoding": "save the file as UTF-8",
    "bad_id": "give the row a sourcedId of at most 200 characters",
    "bad_quotes": "put fields with a quote between quotes and double the quote",
    "bad_status": "use active or tobedeleted, or leave it empty",
    "being_erased": "this pupil's file is being erased: import again in a moment",
    "control_character": "remove the invisible character",
    "duplicate_column": "name each column once",
    "duplicate_id": "keep one row of each sourcedId; the first was used",
    "ends_before_start": "let endDate lie after beginDate",
    "enrollment_in_delta": "deliver enrollments.csv in bulk: who teaches a child follows from all rows of a class",
    "ended_by_hand": "the school ended it by a command: take it out of the roster, or up again with `samen network"
    " add-member` (authority: `record-authority`)",
    "file_absent": "deliver the file too; without it only what is marked tobedeleted is ended",
    "file_delta": "a delta: only what is marked tobedeleted is ended",
    "has_left": "deliver the pupil's own row: nobody joins the network of a pupil who left",
    "holder_is_no_guardian": "name only guardians among agentSourceIds as holders of authority",
    "line_too_long": "split or shorten the line (64 KB at most)",
    "manifest_absent": "deliver manifest.csv; without it every file was taken for bulk",
    "missing_class": "fill in classSourcedId",
    "missing_column": "add the columns that OneRoster 1.2 requires; the file was not read",
    "missing_name": "fill in the name",
    "missing_org": "fill in the org's sourcedId",
    "missing_type": "fill in the org's type",
    "missing_user": "fill in userSourcedId",
    "no_header": "begin the file with the column names",
    "not_in_delta": "a delta can only name what it holds: add the row of users.csv or roles.csv, or deliver in bulk",
    "ragged_row": "give the row as many fields as the header has",
    "read_as_windows_1252": "the file is not UTF-8: check the letters with accents",
    "role_not_for_child": "use a role that takes part round a child",
    "role_not_for_school": "use a role that exists in a school",
    "role_not_used": "this role gets nothing here; nothing was done",
    "too_long": "shorten it to 200 characters",
    "too_many_agents": "name at most 50 agents",
    "unclosed_quote": "close the quote on this line",
    "unknown_child": "the pupil's own row was refused: mend that first",
    "unknown_columns": "columns that OneRoster does not have were ignored",
    "unknown_org": "deliver the org in orgs.csv",
    "unknown_organisation": "deliver the org in orgs.csv",
    "unknown_person": "deliver this person in users.csv with a role at this school",
    "unknown_role": f"use one of {', '.join(sorted(set(ROLES)))}",
    "unknown_user": "deliver the user in users.csv",
    "was_erased": "this pupil's file was erased, and the person is a guardian here: give the pupil another sourcedId",
}
"""What to do about each code."""
