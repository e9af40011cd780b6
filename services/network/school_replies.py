"""What is answered about a school as a whole, as others read it: its opening, rosters, people and children."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.network.model import Status
from shared.events.words import Role
from shared.unit import Reply


class OpenedReply(Reply):
    """The school's own subject, and the people that it was opened with, in the order of the request."""

    subject: UUID
    administrators: tuple[UUID, ...]
    auditors: tuple[UUID, ...]


class OrganisationReply(Reply):
    """An outside organisation that was made known."""

    organisation: UUID


class RegrantReply(Reply):
    """Of how many children grants were published anew."""

    children: int


class RowRefused(Reply):
    """A row of a roster that can't be: file and line, and a code."""

    at: str
    code: str


class RowLines(Reply):
    """Files and lines of the rows that did something."""

    added: tuple[str, ...]
    changed: tuple[str, ...]


class RosterReply(Reply):
    """What became of a batch, or would."""

    added: int
    changed: int
    ended: int
    unchanged: int
    refused: tuple[RowRefused, ...]
    lines: RowLines
    withdrawals: tuple[UUID, ...] | None = None
    """One for each subject round which something ended."""


class RosterLinkShown(Reply):
    """A link that stands, by the administration's ids. `role`: a role, or `authority`. `child` None: in the school."""

    id: UUID
    person: str | None
    child: str | None
    role: str
    hand: bool


class RosterLinksReply(Reply):
    """Links in order of id; fewer than 1000: there are no more."""

    links: tuple[RosterLinkShown, ...]


class PersonReply(Reply):
    """A person's record as it stands now."""

    person: UUID
    version: int


class ChildListed(Reply):
    """A child by name."""

    id: UUID
    sourced_id: str | None
    given_name: str
    family_name: str


class ChildrenReply(Reply):
    """Children in order of id; fewer than 500: there are no more."""

    children: tuple[ChildListed, ...]


class MembershipListed(Reply):
    """A membership that stands, of a child's network or of the school's."""

    id: UUID
    version: int
    subject: UUID
    role: Role
    ends_at: datetime | None


class PersonFound(Reply):
    """A person by the administration's id. An operator reads no name."""

    person: UUID
    version: int
    given_name: str | None = None
    family_name: str | None = None
    pupil: bool
    memberships: tuple[MembershipListed, ...]


class PersonsReply(Reply):
    """Whose id it is: one person, or none."""

    persons: tuple[PersonFound, ...]


class SchoolMember(Reply):
    """A member of the school's own network."""

    membership: UUID
    version: int
    person: UUID
    role: Role
    status: Status


class SchoolReply(Reply):
    """The school: its subject, and who takes part in its own network."""

    slug: str
    subject: UUID
    members: tuple[SchoolMember, ...]


class ContactPointReply(Reply):
    """Where a member is reached; None: no address is known."""

    email: str | None
