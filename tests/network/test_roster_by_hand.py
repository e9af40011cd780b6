"""A roster that still lists what a command ended: it is refused row by row, and the rest goes in."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from tests.network.conftest import FAMILY, Network
from tests.network.test_roster import counts, end, family, links


def at_own_place() -> dict[str, Any]:
    """The family, each row round Kim with a place of its own."""
    places = {"mum": 21, "dad": 22, "juf": 23, "ib": 24, "logo": 25}
    return family(links=[{**one, "at": f"users.csv:{places[one['person']]}"} for one in FAMILY["networks"][0]["links"]])


def refusals(reply: dict[str, Any]) -> set[tuple[str, str]]:
    return {(one["at"], one["code"]) for one in reply["refused"]}


async def test_what_a_command_ended_no_roster_brings_back_and_the_rest_goes_in(network: Network) -> None:
    await network.open()
    await network.operate("import-roster", **FAMILY)
    kim, mum, juf = [await network.find(name) for name in ("kim", "mum", "juf")]
    there = await links(network)

    async def over(name: str, *link_: str, subject: UUID = kim) -> None:
        body = {"subject": subject, "membership": there[link_], "version": 1}  # type: ignore[index]  # three of them
        await network.manage(name, **body) if name == "end-membership" else await network.ask(name, juf, **body)

    await over("end-membership", "logo", "kim", "therapist")
    await over("leave-network", "juf", "kim", "teacher")
    await over("end-membership", "juf", "", "teacher", subject=network.subject)
    await network.manage("end-authority", child=kim, authority=there["mum", "kim", "authority"], version=1)
    await network.manage(
        "end-membership",
        subject=kim,
        membership=there["ib", "kim", "internal_coordinator"],
        version=1,
        ends_on="2100-01-01",
    )
    rows = at_own_place()
    rows["persons"][1]["phone"] = "+31 6 00000000"
    stale = {
        ("users.csv:25", "ended_by_hand"),
        ("users.csv:23", "ended_by_hand"),
        ("users.csv:24", "ended_by_hand"),
        ("users.csv:3", "ended_by_hand"),
        ("users.csv:2", "ended_by_hand"),
    }
    preview = await network.operate("preview-roster", **rows, purpose="administration")
    reply = await network.operate("import-roster", **rows)
    assert reply == preview
    assert (counts(reply)[:3], refusals(reply)) == ((0, 1, 0), stale)
    now = await links(network)
    assert {"juf", "logo"}.isdisjoint({person for person, *_ in now})
    assert ("mum", "kim", "authority") not in now
    # To take up again is for a command to do; the roster then finds it in order.
    await network.manage("add-member", subject=kim, role="teacher", person=juf)
    await network.manage("record-authority", child=kim, holder=mum, source="roster")
    assert refusals(await network.operate("import-roster", **rows)) == stale - {
        ("users.csv:23", "ended_by_hand"),
        ("users.csv:2", "ended_by_hand"),
    }


async def test_an_end_by_command_stands_however_long_ago_and_an_end_by_roster_does_not(network: Network) -> None:
    await network.open()
    await network.operate("import-roster", **FAMILY)
    there = await links(network)
    teacher = ("juf", "", "teacher")
    await network.manage("end-membership", subject=network.subject, membership=there[teacher], version=1)
    await end(network, ("ib", "", "internal_coordinator"))
    async with network.db.school(network.school) as conn:
        await conn.execute(
            "UPDATE membership SET ends_at = ends_at - interval '2 years', starts_at = starts_at - interval '3 years'"
        )
    reply = await network.operate("import-roster", **FAMILY)
    assert refusals(reply) == {("users.csv:3", "ended_by_hand")}
    assert teacher not in await links(network)
    assert ("ib", "", "internal_coordinator") in await links(network)


async def test_nobody_joins_the_network_of_a_pupil_who_left_and_is_not_back(network: Network) -> None:
    await network.open()
    await network.operate("import-roster", **FAMILY)
    await end(network, ("kim", "kim", "child"))
    reply = await network.operate("import-roster", networks=at_own_place()["networks"])
    assert refusals(reply) == {(f"users.csv:{number}", "has_left") for number in range(21, 26)}
    assert counts(reply) == (0, 0, 0, 0)
