"""Who plays: the people of the foundation by the pseudonyms they got when the roster came in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from deploy.demo.foundation import Family, Foundation, Person, Pupil, School, team_of
from deploy.demo.stage import Stage, Who

DECIDES_AT_DAYS = 16 * 365.25


@dataclass
class GoalPlayed:
    """A goal as the journey knows it: `version` as last told, `pace` the levels it climbs in a month."""

    id: str
    version: int
    baseline: int
    from_home: bool
    pace: float
    active: bool = False


@dataclass
class ConsentPlayed:
    """A consent that was asked, and how it must stand."""

    carer: Who
    words: dict[str, Any]
    state: str = "asked"


@dataclass
class TalkPlayed:
    """A dialogue about an expectation: `version` as last told, and who speaks for either side."""

    id: str
    version: int
    asking: Who
    asked: Who
    agreed: bool = False
    reviewed: bool = False


@dataclass
class PlanPlayed:
    """A child's plan: `number` and `hash` of its newest text, as last told."""

    id: str
    number: int
    hash: str
    in_force: bool = False


@dataclass
class Child:
    """A child and everyone round it."""

    pupil: Pupil
    id: UUID
    team: tuple[Who, ...]
    guardians: tuple[Who, ...]
    holders: tuple[Who, ...]
    carers: tuple[Who, ...]
    decides: tuple[Who, ...]
    """Who answers when consent is asked: those with authority, or the child itself from 16."""
    goals: list[GoalPlayed] = field(default_factory=list)
    consents: list[ConsentPlayed] = field(default_factory=list)
    talks: list[TalkPlayed] = field(default_factory=list)
    plan: PlanPlayed | None = None
    conversation: str | None = None

    @property
    def school(self) -> str:
        """The slug of its school."""
        return self.pupil.school

    @property
    def teacher(self) -> Who:
        """Who teaches it."""
        return self.team[0]

    @property
    def coordinator(self) -> Who:
        """Its internal coordinator."""
        return self.team[1]

    @property
    def without_authority(self) -> tuple[Who, ...]:
        """The parents who have no authority."""
        return tuple(one for one in self.guardians if one not in self.holders)


@dataclass
class ToolPlayed:
    """A tool of a school: `creds` as it got them, `received` what it fetched, in order of arrival."""

    who: Who
    creds: str
    children: list[Child]
    received: list[dict[str, Any]] = field(default_factory=list)
    confirmed: list[str] = field(default_factory=list)


@dataclass
class Cast:
    """Everyone, and who keeps the records and oversees each school."""

    foundation: Foundation
    children: list[Child]
    keepers: dict[str, Who]
    auditors: dict[str, Who]
    ids: dict[tuple[str, str], UUID]
    tools: list[ToolPlayed] = field(default_factory=list)

    def of(self, school: str) -> list[Child]:
        """Returns the children of one school."""
        return [child for child in self.children if child.school == school]

    def families(self, kind: Family) -> list[Child]:
        """Returns the children with such a family."""
        return [child for child in self.children if child.pupil.family is kind]


def new_person(person: Person) -> dict[str, str]:
    """Returns a person as network's commands take one that is new."""
    return {
        "given_name": person.given,
        "family_name": person.family,
        "email": person.email,
        "phone": person.phone,
        "sourced_id": person.id,
    }


async def open_schools(stage: Stage, foundation: Foundation, operator: UUID) -> tuple[dict[str, Who], dict[str, Who]]:
    """Opens the schools; returns who keeps the records of each and who oversees it."""
    keepers, auditors = {}, {}
    for school in foundation.schools:
        reply = await stage.operate(
            school.slug,
            operator,
            "open-school",
            name=school.name,
            sourced_id=school.org,
            administrators=[new_person(school.administrator)],
            auditors=[new_person(school.auditor)],
        )
        keepers[school.slug] = Who(school.slug, UUID(reply["administrators"][0]))
        auditors[school.slug] = Who(school.slug, UUID(reply["auditors"][0]))
    return keepers, auditors


async def find_cast(stage: Stage, foundation: Foundation, keepers: dict[str, Who], auditors: dict[str, Who]) -> Cast:
    """Asks each school's keeper of records for the pseudonym of everyone in the roster."""
    wanted = [(slug, one.id) for one in foundation.persons.values() for slug in one.roles]

    async def find(slug: str, sourced_id: str) -> UUID:
        found = await stage.ask(
            keepers[slug], "network", "find-person", sourced_id=sourced_id, purpose="administration"
        )
        return UUID(found["persons"][0]["person"])

    ids = dict(zip(wanted, await stage.all("looking everyone up", (find(*one) for one in wanted)), strict=True))
    schools = {school.slug: school for school in foundation.schools}
    children = [_child(stage, pupil, schools[pupil.school], ids) for pupil in foundation.pupils]
    return Cast(foundation, children, keepers, auditors, ids)


def _child(stage: Stage, pupil: Pupil, school: School, ids: dict[tuple[str, str], UUID]) -> Child:
    def those(sourced: tuple[str, ...]) -> tuple[Who, ...]:
        return tuple(Who(school.slug, ids[school.slug, one]) for one in sourced)

    id_ = ids[school.slug, pupil.person.id]
    old_enough = (stage.today - pupil.born_on).days >= DECIDES_AT_DAYS
    return Child(
        pupil,
        id_,
        team=those(team_of(school, pupil.group)),
        guardians=those(pupil.guardians),
        holders=those(pupil.holders),
        carers=those(pupil.carers),
        decides=(Who(school.slug, id_),) if old_enough else those(pupil.holders),
    )
