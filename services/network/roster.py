"""What a roster's batch is made of. The names and limits are those of the wire."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field

from services.network.members import Email, Managing, SourcedId
from shared.events.words import Role
from shared.text import Day, Line
from shared.unit import Query, Request

Place = Annotated[str, Field(pattern=r"^[A-Za-z]{1,40}\.csv:[0-9]{1,9}$")]
"""File and line that a row came from, for the report."""


class RosterOrganisation(Request):
    """An organisation outside the school."""

    at: Place
    sourced_id: SourcedId
    name: Line


class RosterPerson(Request):
    """A person as the roster has it, with roles in the school itself; `roles_at` are the places of those, if given."""

    at: Place
    sourced_id: SourcedId
    given_name: Line
    family_name: Line
    email: Email | None = None
    phone: Line | None = None
    organisation: SourcedId | None = None
    pupil: bool = False
    born_on: Day | None = None
    roles: tuple[Role, ...] = Field(default=(), max_length=20)
    roles_at: tuple[Place, ...] = Field(default=(), max_length=20)


class RosterLink(Request):
    """A person in a child's network. `ends_on` is the first day on which it no longer holds."""

    at: Place
    person: SourcedId
    role: Role
    starts_on: Day | None = None
    ends_on: Day | None = None


class RosterNetwork(Request):
    """Who is round a child, and who of them hold authority."""

    at: Place
    child: SourcedId
    links: tuple[RosterLink, ...] = Field(default=(), max_length=100)
    holders: tuple[SourcedId, ...] = Field(default=(), max_length=10)


class ImportRoster(Managing):
    """A batch. Whom a network names must be in this batch or known already.

    What a batch does not name stays as it is: `ends` says what ends, by the ids that `roster-links` gives. What was
    added by hand never ends this way, but for those round a pupil who left.
    """

    organisations: tuple[RosterOrganisation, ...] = Field(default=(), max_length=200)
    persons: tuple[RosterPerson, ...] = Field(default=(), max_length=200)
    networks: tuple[RosterNetwork, ...] = Field(default=(), max_length=100)
    ends: tuple[UUID, ...] = Field(default=(), max_length=100)


class PreviewRoster(ImportRoster, Query):
    """Asks what a batch would do, once earlier batches have brought the persons and organisations expected."""

    expected_persons: tuple[SourcedId, ...] = Field(default=(), max_length=10_000)
    expected_organisations: tuple[SourcedId, ...] = Field(default=(), max_length=200)


class RosterLinks(Managing, Query):
    """The links that stand, by the ids of the administration; at most 1000 in order of id, ask on with `after`.

    A link is a membership (`hand`: added by hand) or the roster's record of authority (role `authority`).
    """

    after: UUID | None = None
