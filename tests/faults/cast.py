"""A made-up school: who is round each child. The names are plain; nothing in a test may depend on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.faults.door import Door, Json

LADDER = ["much less", "less", "as hoped", "more", "much more"]


@dataclass(frozen=True, slots=True)
class Kid:
    """A child and the people round it, by pseudonym."""

    child: str
    mum: str
    dad: str
    teacher: str
    therapist: str


@dataclass(frozen=True, slots=True)
class School:
    """A school that is open, with its keeper, its auditor and its children."""

    slug: str
    admin: str
    auditor: str
    kids: tuple[Kid, ...]


def person(name: str, **more: Json) -> dict[str, Any]:
    """Returns a roster's row for a person."""
    row = {"at": "users.csv:2", "sourced_id": name, "given_name": name.title(), "family_name": "Voorbeeld"}
    return row | more


def roster(kids: int) -> dict[str, Any]:
    """Returns a roster of so many children, each with two guardians, and one teacher and one therapist for all."""
    persons = [
        person("juf", roles=["teacher"], email="juf@example.org"),
        person("logo", organisation="care", email="logo@example.org"),
    ]
    networks = []
    for n in range(kids):
        persons += [person(f"mum{n}", email=f"mum{n}@example.org"), person(f"dad{n}", email=f"dad{n}@example.org")]
        persons.append(person(f"kid{n}", pupil=True, born_on="2015-05-05"))
        round_it = [("juf", "teacher"), (f"mum{n}", "guardian"), (f"dad{n}", "guardian"), ("logo", "therapist")]
        links = [{"at": "users.csv:4", "person": who, "role": role} for who, role in round_it]
        holders = [f"mum{n}", f"dad{n}"]
        networks.append({"at": "users.csv:2", "child": f"kid{n}", "links": links, "holders": holders})
    organisations = [{"at": "orgs.csv:3", "sourced_id": "care", "name": "Zorg Samen"}]
    return {"organisations": organisations, "persons": persons, "networks": networks}


async def open_school(door: Door, slug: str, kids: int, batch: dict[str, Any] | None = None) -> School:
    """Opens a school and imports its roster; returns who is who."""
    opened = await door.must(
        slug,
        "network.open-school",
        door.operator(slug),
        name="School De Brug",
        administrators=[{"given_name": "Ada", "family_name": "Beheer"}],
        auditors=[{"given_name": "Toos", "family_name": "Toezicht"}],
    )
    admin = opened["administrators"][0]
    await door.must(slug, "network.import-roster", door.person(admin, slug), **(batch or roster(kids)))

    async def find(sourced_id: str) -> str:
        answer = await door.query(
            slug, "network.find-person", door.person(admin, slug), sourced_id=sourced_id, purpose="administration"
        )
        assert answer.done, answer
        return str(answer.ok["persons"][0]["person"])

    teacher, therapist = await find("juf"), await find("logo")
    found = tuple(
        [
            Kid(await find(f"kid{n}"), await find(f"mum{n}"), await find(f"dad{n}"), teacher, therapist)
            for n in range(kids)
        ]
    )
    return School(slug, admin, opened["auditors"][0], found)


def goal_for(kid: Kid, statement: str = "read together every day", **more: Json) -> dict[str, Any]:
    """Returns the body of a proposal."""
    body: dict[str, Any] = {
        "about": kid.child,
        "domain": "learning",
        "settings": ["home", "school"],
        "statement": statement,
        "wording": "ten minutes a day, five days a week",
        "ladder": LADDER,
        "baseline": -1,
        "target_on": "2030-06-01",
        "responsible": [kid.teacher, kid.mum],
    }
    return body | more
