"""The files of a OneRoster delivery: which columns they must have, and how a record becomes a row."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from deploy.samen.oneroster_records import Record
from shared.events.words import Role

ROLES = {
    "student": Role.CHILD,
    "guardian": Role.GUARDIAN,
    "parent": Role.GUARDIAN,
    "relative": Role.GUARDIAN,
    "teacher": Role.TEACHER,
    "counselor": Role.SOCIAL_WORKER,
    "principal": Role.SCHOOL_LEADER,
    "siteadministrator": Role.SCHOOL_ADMINISTRATOR,
    **{f"ext:{role.value}": role for role in Role if role not in (Role.LOCAL_TOOL, Role.FOUNDATION_ADMINISTRATOR)},
}
UNUSED_ROLES = {"aide", "proctor", "administrator", "districtadministrator", "systemadministrator"}
ENROLLED = {"student", "teacher", *UNUSED_ROLES}
EMAIL = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+")
NAME_SIZE, EMAIL_SIZE, ID_SIZE, MOST_AGENTS = 200, 254, 200, 50


class BadRow(Exception):
    """The row can't be used; the text is the code."""


def id_of(value: str, code: str = "bad_id") -> str:
    if not value or len(value) > ID_SIZE:
        raise BadRow(code)
    return value


def _name(value: str) -> str:
    if not value:
        raise BadRow("missing_name")
    if len(value) > NAME_SIZE:
        raise BadRow("too_long")
    return value


def _day(value: str) -> str | None:
    """Returns an ISO day; OneRoster allows a time behind it, which is cut off."""
    if not value:
        return None
    try:
        day = date.fromisoformat(value[:10])
    except ValueError:
        raise BadRow("bad_date") from None
    if not 1900 <= day.year < 2200 or (len(value) > 10 and value[10] not in "T "):
        raise BadRow("bad_date")
    return day.isoformat()


def _period(record: Record) -> tuple[str | None, str | None]:
    begins, ends = _day(record.get("beginDate")), _day(record.get("endDate"))
    if begins and ends and ends <= begins:
        raise BadRow("ends_before_start")
    return begins, ends


def _gone(record: Record) -> bool:
    status = record.get("status").lower()
    if status not in {"", "active", "tobedeleted"}:
        raise BadRow("bad_status")
    return status == "tobedeleted"


def _ids(value: str) -> str:
    found = sorted({one.strip() for one in value.split(",") if one.strip()})
    if len(found) > MOST_AGENTS or any(len(one) > ID_SIZE for one in found):
        raise BadRow("too_many_agents")
    return "\n".join(found)


def _org(record: Record) -> tuple[object, ...]:
    kind = record.get("type").lower()
    if not kind:
        raise BadRow("missing_type")
    return _gone(record), _name(record.get("name")), kind, record.get("identifier")[:ID_SIZE]


def _user(record: Record) -> tuple[object, ...]:
    email, phone = record.get("email"), record.get("phone", "sms")
    if email and (len(email) > EMAIL_SIZE or not EMAIL.fullmatch(email)):
        raise BadRow("bad_email")
    if len(phone) > NAME_SIZE:
        raise BadRow("too_long")
    return (
        _gone(record),
        _name(record.get("preferredGivenName", "givenName")),
        _name(record.get("preferredFamilyName", "familyName")),
        email or None,
        phone or None,
        record.get("primaryOrgSourcedId") or None,
        _ids(record.get("agentSourceIds", "agentSourcedIds")),
        _ids(record.get("metadata.authoritySourcedIds")),
    )


def _role(record: Record) -> tuple[object, ...]:
    name = record.get("role").lower()
    if name not in ROLES and name not in UNUSED_ROLES:
        raise BadRow("unknown_role")
    user, org = id_of(record.get("userSourcedId"), "missing_user"), id_of(record.get("orgSourcedId"), "missing_org")
    return _gone(record), user, ROLES[name].value if name in ROLES else "", org, *_period(record)


def _enrollment(record: Record) -> tuple[object, ...]:
    name = record.get("role").lower()
    if name not in ENROLLED and name not in ROLES:
        raise BadRow("unknown_role")
    class_, org = (
        id_of(record.get("classSourcedId"), "missing_class"),
        id_of(record.get("schoolSourcedId"), "missing_org"),
    )
    user = id_of(record.get("userSourcedId"), "missing_user")
    return _gone(record), class_, org, user, name, *_period(record)


def _birth(record: Record) -> tuple[object, ...]:
    return (_day(record.get("birthDate")),)


@dataclass(frozen=True)
class Table:
    file: str
    table: str
    required: tuple[str, ...]
    known: tuple[str, ...]
    columns: Callable[[Record], tuple[object, ...]]
    must_be: bool
    tells_who_left: bool


_STAMP = ("status", "dateLastModified")
_PERIOD = ("beginDate", "endDate")
TABLES = (
    Table(
        "orgs.csv", "org", ("sourcedId", "name", "type"), (*_STAMP, "identifier", "parentSourcedId"), _org, True, False
    ),
    Table(
        "users.csv",
        "user",
        ("sourcedId", "givenName", "familyName"),
        (
            *_STAMP,
            *("enabledUser", "username", "userIds", "middleName", "identifier", "email", "sms", "phone", "grades"),
            *("agentSourceIds", "agentSourcedIds", "password", "userMasterIdentifier", "resourceSourcedIds"),
            *("preferredGivenName", "preferredMiddleName", "preferredFamilyName", "primaryOrgSourcedId", "pronouns"),
        ),
        _user,
        True,
        True,
    ),
    Table(
        "roles.csv",
        "role",
        ("sourcedId", "userSourcedId", "role", "orgSourcedId"),
        (*_STAMP, *_PERIOD, "roleType", "userProfileSourcedId"),
        _role,
        True,
        True,
    ),
    Table(
        "enrollments.csv",
        "enrollment",
        ("sourcedId", "classSourcedId", "schoolSourcedId", "userSourcedId", "role"),
        (*_STAMP, *_PERIOD, "primary"),
        _enrollment,
        False,
        True,
    ),
    Table(
        "demographics.csv",
        "birth",
        ("sourcedId", "birthDate"),
        (
            *_STAMP,
            "sex",
            "countryOfBirthCode",
            "stateOfBirthAbbreviation",
            "cityOfBirth",
            "publicSchoolResidenceStatus",
        ),
        _birth,
        False,
        False,
    ),
)
