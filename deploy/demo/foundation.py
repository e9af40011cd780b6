"""Makes up a foundation of two schools: children, their families, the team and professionals from outside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from random import Random

from deploy.demo.names import Names
from shared.events.words import Role

FOUNDATION_NAME = "Stichting De Overkant"
SCHOOLS = (("de-wilg", "De Wilg", 0.55), ("het-anker", "Het Anker", 0.45))
OUTSIDE = ("Praktijk De Oever", "Zorggroep Het Veer", "Jeugdteam Aan Wal")
GROUP_SIZE = 10
YEAR = 365.25
WITH_CARER = 0.08
"""The share of children with a professional from outside, beside those whose families the journey tells of."""


class Family(StrEnum):
    """What there is to know about a child's parents for the journey."""

    TOGETHER = "together"
    ALONE = "alone"
    DIVORCED = "divorced"
    ONE_WITHOUT_AUTHORITY = "one_without_authority"


@dataclass(frozen=True)
class Person:
    """Someone in the roster. `roles` holds the role at each school, by slug."""

    id: str
    given: str
    family: str
    email: str
    phone: str
    roles: dict[str, Role]
    organisation: str | None = None

    @property
    def name(self) -> str:
        """Given and family name."""
        return f"{self.given} {self.family}"


@dataclass(frozen=True)
class Pupil:
    """A child: its family, its group and the professionals from outside who are round it."""

    person: Person
    school: str
    born_on: date
    family: Family
    guardians: tuple[str, ...]
    holders: tuple[str, ...]
    group: str
    carers: tuple[str, ...]


@dataclass
class School:
    """A school with its staff (by id) and its groups, each with its teacher."""

    slug: str
    name: str
    org: str
    administrator: Person
    auditor: Person
    leader: str
    coordinators: tuple[str, ...]
    social_worker: str
    psychologist: str
    teachers: dict[str, str] = field(default_factory=dict)


@dataclass
class Foundation:
    """The whole of it. `persons` by id, pupils included; `organisations` by id."""

    schools: list[School]
    persons: dict[str, Person]
    pupils: list[Pupil]
    organisations: dict[str, str]

    def pupils_of(self, slug: str) -> list[Pupil]:
        """Returns the children of one school."""
        return [pupil for pupil in self.pupils if pupil.school == slug]


def team_of(school: School, group: str) -> tuple[str, ...]:
    """Returns who of the school is round the children of a group: its teacher first, then the coordinator.

    The social worker takes part in every other group, the psychologist in one of three.
    """
    place = list(school.teachers).index(group)
    coordinator = school.coordinators[place % len(school.coordinators)]
    team = [school.teachers[group], coordinator]
    team += [school.social_worker] if place % 2 == 0 else []
    team += [school.psychologist] if place % 3 == 0 else []
    return tuple(team)


def make_foundation(random: Random, today: date, children: int = 200) -> Foundation:
    """Returns a foundation with so many children (at least 8); the same seed gives the same one."""
    if children < 8:
        msg = "a foundation needs at least 8 children: the journey tells of that many different families"
        raise ValueError(msg)
    return _Maker(random, today).make(children)


class _Maker:
    """Makes one foundation."""

    def __init__(self, random: Random, today: date) -> None:
        self.random, self.today, self.names = random, today, Names(random)
        self.persons: dict[str, Person] = {}
        self.pupils: list[Pupil] = []
        self.count = 0

    def make(self, children: int) -> Foundation:
        organisations = {f"org-uit-{n}": name for n, name in enumerate(OUTSIDE, 1)}
        schools = []
        first = round(children * SCHOOLS[0][2])
        for (slug, name, _), size in zip(SCHOOLS, (first, children - first), strict=True):
            school = self.school(slug, name, size)
            carers = self.carers(slug, list(organisations), size)
            for family in self.families(size):
                self.household(school, family, carers)
            schools.append(school)
        self.cross_the_water(schools)
        return Foundation(schools, self.persons, self.pupils, organisations)

    def person(self, roles: dict[str, Role], family: str | None = None, organisation: str | None = None) -> str:
        """Adds a person; returns the id."""
        self.count += 1
        given, family = self.names.given(), family or self.names.family()
        email, phone = self.names.contact(given, family)
        id_ = f"p-{self.count:05d}"
        self.persons[id_] = Person(id_, given, family, email, phone, roles, organisation)
        return id_

    def school(self, slug: str, name: str, size: int) -> School:
        """Adds a school's staff."""

        def staff(role: Role) -> str:
            return self.person({slug: role})

        keeper, auditor = (self.persons.pop(staff(role)) for role in (Role.SCHOOL_ADMINISTRATOR, Role.AUDITOR))
        groups = [f"groep-{n}" for n in range(1, -(-size // GROUP_SIZE) + 1)]
        return School(
            slug,
            name,
            f"org-{slug}",
            keeper,
            auditor,
            leader=staff(Role.SCHOOL_LEADER),
            coordinators=tuple(staff(Role.COORDINATOR) for _ in range(1 + size // 60)),
            social_worker=staff(Role.SOCIAL_WORKER),
            psychologist=staff(Role.PSYCHOLOGIST),
            teachers={group: staff(Role.TEACHER) for group in groups},
        )

    def carers(self, slug: str, organisations: list[str], size: int) -> list[str]:
        """Adds the professionals from outside; the first of them works at every school."""
        found = [id_ for id_, one in self.persons.items() if one.organisation and Role.THERAPIST in one.roles.values()]
        both = found[0] if found else self.person({}, organisation=organisations[0])
        self.persons[both].roles[slug] = Role.THERAPIST
        roles = (Role.CARE_PROFESSIONAL, Role.THERAPIST)
        more = [
            self.person({slug: roles[n % 2]}, organisation=organisations[(n + 1) % len(organisations)])
            for n in range(2 + size // 25)
        ]
        return [both, *more]

    def families(self, size: int) -> Iterator[Family]:
        """Yields what family each child has: at least one of each kind, the rest by chance."""
        kinds = [Family.DIVORCED, Family.ONE_WITHOUT_AUTHORITY, Family.ALONE, Family.TOGETHER]
        chance = self.random.choices(kinds, weights=(10, 4, 16, 70), k=max(0, size - len(kinds)))
        yield from (kinds + chance)[:size]

    def household(self, school: School, family: Family, carers: list[str]) -> None:
        """Adds a child with its parents; some children have a brother or sister at the same school."""
        here = self.pupils[-1] if self.pupils and self.pupils[-1].school == school.slug else None
        if family is Family.TOGETHER and here and here.family is family and self.random.random() < 0.12:
            name, guardians = self.persons[here.person.id].family, here.guardians
        else:
            name = self.names.family()
            guardians = (self.person({school.slug: Role.GUARDIAN}, name),)
            if family is not Family.ALONE:
                other = name if family is Family.TOGETHER else None
                guardians += (self.person({school.slug: Role.GUARDIAN}, other),)
        holders = guardians[:1] if family is Family.ONE_WITHOUT_AUTHORITY else guardians
        groups = list(school.teachers)
        group = groups[len([p for p in self.pupils if p.school == school.slug]) % len(groups)]
        told = family in (Family.DIVORCED, Family.ONE_WITHOUT_AUTHORITY)
        kept = [carer for carer in carers if school.slug in self.persons[carer].roles]
        outside = (self.random.choice(kept),) if told or self.random.random() < WITH_CARER else ()
        # The parents' consent is what is told of some; and nobody turns 16 on the way and begins to decide alone.
        age = self.random.uniform(6, 14) if told else self.random.choice((self.random.uniform(5, 15), 16.6))
        age = self.random.uniform(5, 15) if age > 16 and self.random.random() < 0.8 else age
        born_on = self.today - timedelta(days=int(YEAR * age))
        child = self.persons[self.person({school.slug: Role.CHILD}, name)]
        self.pupils.append(Pupil(child, school.slug, born_on, family, guardians, holders, group, outside))

    def cross_the_water(self, schools: list[School]) -> None:
        """Lets one parent of the first school have a child at the other one too."""
        ours = next(p for p in self.pupils if p.school == schools[0].slug and p.family is Family.ALONE)
        place = max(n for n, p in enumerate(self.pupils) if p.school == schools[1].slug)
        theirs = self.pupils[place]
        parent = ours.guardians[0]
        self.persons[parent].roles[schools[1].slug] = Role.GUARDIAN
        self.pupils[place] = Pupil(
            theirs.person,
            theirs.school,
            theirs.born_on,
            Family.TOGETHER,
            (*theirs.guardians[:1], parent),
            (*theirs.guardians[:1], parent),
            theirs.group,
            theirs.carers,
        )
