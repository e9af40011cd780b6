"""A delivery from its files to the tables, as `samen roster import` does it, without the bus between."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from deploy.samen.oneroster_lines import COLUMNS
from deploy.samen.roster_import import How, Report, import_folder
from shared.actor import Actor
from shared.clock import Ids
from shared.errors import Problem, ProblemType
from shared.events.words import ActorKind, Role
from tests.network.conftest import Network, catch_up
from tests.network.deliveries import GOOD, add, deliver, manifest

TODAY = date(2026, 11, 23)


class Direct:
    """What the import needs of a client, straight to network's command path. `busy` requests are refused first."""

    def __init__(self, network: Network, busy: int = 0) -> None:
        self.network, self.busy, self.keys, self.names = network, busy, list[str](), list[str]()
        self.waited: list[str] = []

    def actor(self, id_: UUID, school: str, kind: ActorKind) -> Actor:
        return Actor(id_, kind, school, "samen")

    async def command(
        self, school: str, service: str, name: str, body: dict[str, Any], actor: Actor, *, key: str
    ) -> object:
        assert (service, school) == ("network", self.network.school)
        self.keys.append(key)
        self.names.append(name)
        if self.busy:
            self.busy -= 1
            raise Problem(ProblemType.UNAVAILABLE, "try again")
        reply: object = await self.network.ask(name, actor, **body)
        return reply

    async def effective(self, school: str, withdrawal: str) -> dict[str, object]:
        assert school == self.network.school
        self.waited.append(withdrawal)
        return {"how": "clock", "at": "now"}

    async def query(self, school: str, service: str, name: str, body: dict[str, Any], actor: Actor) -> object:
        assert (service, school) == ("network", self.network.school)
        reply: object = await self.network.ask(name, actor, **body)
        return reply


class Lines:
    """A report line by line."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def __call__(self, rows: Iterable[tuple[object, ...]]) -> None:
        self.rows = [dict(zip(COLUMNS, row, strict=True)) for row in rows]

    def what(self, file: str) -> dict[int, str]:
        return {row["line"]: row["what"] for row in self.rows if row["file"] == f"{file}.csv"}

    @property
    def ended(self) -> set[tuple[str, str | None, str]]:
        return {(row["sourced_id"], row["child"], row["role"]) for row in self.rows if row["file"] is None}


async def take(network: Network, folder: Path, busy: int = 0, **how: Any) -> tuple[Report, Direct]:  # noqa: ANN401  How's
    client = Direct(network, busy)
    wanted = [f"{network.school}=o1"]
    report = await import_folder(client, uuid4(), folder, wanted, TODAY, How(**how))  # type: ignore[arg-type]  # enough of one
    return report, client


def done(report: Report) -> tuple[int, ...]:
    return tuple(report.schools[0].counts[name] for name in ("added", "changed", "ended", "refused"))


async def standing(network: Network) -> set[tuple[str, str, str]]:
    """The links that stand, as (person, child or nothing, role)."""
    async with network.db.school(network.school) as conn:
        rows = await conn.fetch(
            "SELECT p.sourced_id, coalesce(c.sourced_id, ''), m.role FROM membership m"
            " JOIN person p ON p.id = m.person LEFT JOIN person c ON c.id = m.subject WHERE m.ends_at IS NULL"
        )
    return {tuple(row) for row in rows}


async def versions(network: Network) -> list[tuple[object, ...]]:
    """Every row that an import may write, with its version."""
    tables = ("school_profile", "organisation", "person", "child", "membership", "authority", "access")
    async with network.db.school(network.school) as conn:
        return [
            (table, *row)
            for table in tables
            for row in await conn.fetch(f"SELECT id, version FROM {table} ORDER BY id")
        ]


def without(name: str, *starts: str) -> str:
    """Returns the good file without the lines that begin so."""
    return "".join(f"{line}\n" for line in GOOD[f"{name}.csv"].splitlines() if not line.startswith(starts))


KEEPERS = {
    "users": add("users", "a1,,,,,,Ada,Beheer,,,,,,,o1,", "v1,,,,,,Toos,Zicht,,,,,,,o1,"),
    "roles": add("roles", "r21,,,a1,,siteAdministrator,,,o1", "r22,,,v1,,ext:auditor,,,o1"),
}


async def test_a_delivery_goes_in_and_the_same_one_again_changes_nothing(network: Network, tmp_path: Path) -> None:
    first, _ = await take(network, deliver(tmp_path, **KEEPERS))
    assert (first.ok, first.issues, first.schools[0].opened) == (True, [], True)
    assert first.schools[0].counts["added"] > 0
    rows, events = await versions(network), await network.events()
    again, _ = await take(network, tmp_path)
    assert not again.schools[0].opened
    assert done(again) == (0, 0, 0, 0)
    assert again.schools[0].counts["unchanged"] == first.schools[0].counts["added"]
    assert await versions(network) == rows
    told = (await network.events())[len(events) :]
    # That it was looked at and taken in is told; nothing is told of anybody.
    assert {event.type.split(".", 3)[3] for event in told} == {"access.viewed.v1", "roster.imported.v1"}
    assert {event.about for event in told} == {network.subject}


async def test_who_is_not_in_the_files_any_more_loses_every_access(network: Network, tmp_path: Path) -> None:
    """A keeper and an auditor reach every child; they vanish from the files, and so does a pupil."""
    users, roles = KEEPERS["users"] + "p3,,,,,,Sam,Vis,,,,,,g2,o1,\n", KEEPERS["roles"] + "r31,,,p3,,student,,,o1\n"
    await take(network, deliver(tmp_path, users=users, roles=roles))
    async with network.db.school(network.school) as conn:
        ids = {row[0]: row[1] for row in await conn.fetch("SELECT sourced_id, id FROM person")}
    assert {one.role for one in await network.grants(ids["p1"])} >= {Role.SCHOOL_ADMINISTRATOR, Role.AUDITOR}
    kept, lines = await standing(network), Lines()
    report, _ = await take(network, deliver(tmp_path), lines=lines)
    assert report.ok
    gone = {("a1", "", "school_administrator"), ("v1", "", "auditor"), ("p3", "p3", "child"), ("g2", "p3", "guardian")}
    assert kept - await standing(network) == gone
    assert await standing(network) <= kept
    assert lines.ended == {(person, child or None, role) for person, child, role in gone}
    await catch_up(network)
    for child in ("p1", "p3"):
        found = {one.role for one in await network.grants(ids[child])}
        assert not found & {Role.SCHOOL_ADMINISTRATOR, Role.AUDITOR}
    assert not await network.grants(ids["p3"])


async def test_a_changed_delivery_adds_changes_and_ends(network: Network, tmp_path: Path) -> None:
    await take(network, deliver(tmp_path))
    files = {
        "users": add("users", "g3,,,,,,Cor,Nieuw,,,,,,,,").replace("g1,g2,l1", "g1,g3,l1").replace("Iris", "Roos"),
        "roles": add("roles", "r9,,,g3,,guardian,,,o1"),
    }
    lines = Lines()
    dry, client = await take(network, deliver(tmp_path, **files), dry=True, lines=lines)
    assert client.keys == []  # no command at all
    foreseen, lines_foreseen = done(dry), lines.rows
    report, _ = await take(network, tmp_path, lines=lines)
    # Added: Cor and that Cor is a guardian of Noor. Changed: the name of juf Roos. Ended: Bert.
    assert done(report) == foreseen == (2, 1, 1, 0)
    assert lines.rows == lines_foreseen
    assert lines.ended == {("g2", "p1", "guardian")}
    # Line by line: p1 has somebody new round it, t1 a new name, g3 is new; of p2 and its o2 nothing was asked.
    assert lines.what("users") == {
        2: "added",
        3: "unused",
        4: "unchanged",
        5: "unchanged",
        6: "changed",
        7: "unchanged",
        8: "unchanged",
        9: "added",
    }
    assert lines.what("roles")[10] == "added"
    assert lines.what("orgs") == {2: "unused", 3: "unused", 4: "unused", 5: "unchanged"}
    words = " ".join(str(value) for row in lines.rows for value in row.values())
    assert not any(name in words for name in ("Noor", "Bos", "Cor", "Roos", "example.org"))


async def test_a_dry_run_for_a_new_school_foresees_all_and_opens_nothing(network: Network, tmp_path: Path) -> None:
    lines = Lines()
    dry, client = await take(network, deliver(tmp_path), dry=True, lines=lines)
    assert (client.keys, await network.events()) == ([], [])
    foreseen = lines.rows
    report, _ = await take(network, tmp_path, lines=lines)
    assert done(dry) == done(report)
    assert lines.rows == foreseen


async def test_what_was_added_by_hand_stays_when_the_files_never_name_it(network: Network, tmp_path: Path) -> None:
    await take(network, deliver(tmp_path))
    async with network.db.school(network.school) as conn:
        await conn.execute("UPDATE membership SET source = 'hand' WHERE role IN ('therapist', 'teacher')")
    gone = {
        "users": without("users", "t1", "l1", "g2").replace('"g1,g2,l1"', "g1"),
        "roles": without("roles", "r5", "r6", "r8"),
        "enrollments": without("enrollments", "e2"),
    }
    kept = await standing(network)
    dry, _ = await take(network, deliver(tmp_path, **gone), dry=True)
    report, _ = await take(network, tmp_path)
    assert done(dry) == done(report) == (0, 0, 1, 0)
    assert kept - await standing(network) == {("g2", "p1", "guardian")}


def crowd(size: int, start: int = 0) -> dict[str, str]:
    """A delivery with so many more pupils, each with a guardian of its own."""
    many = range(start, size)
    users = [f"k{n},,,,,,Kind,K{n},,,,,,m{n},o1,\nm{n},,,,,,Ma,K{n},,,,,,,o1," for n in many]
    roles = [f"rk{n},,,k{n},,student,,,o1\nrm{n},,,m{n},,guardian,,,o1" for n in many]
    return {"users": add("users", *users), "roles": add("roles", *roles)}


async def test_half_a_file_ends_nobody_without_a_flag(network: Network, tmp_path: Path) -> None:
    network.ids = Ids()
    await take(network, deliver(tmp_path, **crowd(40)))
    before, lines = await versions(network), Lines()
    half = deliver(tmp_path, **crowd(40, start=20))
    for dry in (True, False):
        report, client = await take(network, half, dry=dry, lines=lines)
        # 20 pupils and 20 guardians of 86 people, and their 40 links of 89.
        assert report.schools[0].failed is not None
        assert "40 of 86 people and 40 of 89 links" in report.schools[0].failed
        assert "--allow-ending 40" in report.schools[0].failed
        assert "import-roster" not in client.names
        assert await versions(network) == before
    short, _ = await take(network, half, allow_ending=39)
    assert not short.ok
    allowed, _ = await take(network, half, allow_ending=40)
    assert done(allowed) == (0, 0, 40, 0)


async def test_a_tenth_may_end_without_a_flag(network: Network, tmp_path: Path) -> None:
    network.ids = Ids()
    await take(network, deliver(tmp_path, **crowd(40)))
    report, _ = await take(network, deliver(tmp_path, **crowd(40, start=4)))
    assert done(report) == (0, 0, 8, 0)


async def test_a_delta_ends_only_what_it_marks_as_deleted(network: Network, tmp_path: Path) -> None:
    await take(network, deliver(tmp_path, **KEEPERS))
    kept = await standing(network)
    header = {name: GOOD[f"{name}.csv"].splitlines()[0] for name in ("users", "roles")}
    files = {
        "manifest": manifest("orgs", users="delta", roles="delta"),
        "users": header["users"]
        + "\ng2,tobedeleted,,,,,Bert,Vos,,,,,,,,\ni1,,,,,,Ina,Nieuw,,,,,,,o1,\na1,,,,,,Ada,Beheer,,,,,,,o1,\n",
        "roles": header["roles"]
        + "\nr22,tobedeleted,,v1,,ext:auditor,,,o1\nr9,,,t1,,ext:psychologist,,,o1\n"
        + "r21,tobedeleted,,a1,,siteAdministrator,,,o1\nr23,,,a1,,siteAdministrator,,,o1\n",
        "enrollments": None,
        "demographics": None,
    }
    lines = Lines()
    report, _ = await take(network, deliver(tmp_path / "delta", **files), lines=lines)
    assert report.delta
    assert kept - await standing(network) == {("g2", "p1", "guardian"), ("v1", "", "auditor")}
    # A changed name without its role, and a role without its person, can't be used: told, and nothing lost in silence.
    refused = {(one.at, one.code) for one in report.issues if not one.note}
    assert refused == {("users.csv:3", "not_in_delta"), ("roles.csv:3", "not_in_delta")}
    assert lines.what("users") == {1: "unused", 2: "ended", 3: "refused", 4: "unchanged"}


async def test_refused_rows_end_nobody_but_who_is_marked_as_deleted(network: Network, tmp_path: Path) -> None:
    await take(network, deliver(tmp_path, **KEEPERS))
    kept = await standing(network)
    users = without("users", "t1").replace("l1,,,", "l1,tobedeleted,,") + "broken\n"
    report, _ = await take(network, deliver(tmp_path, users=users))
    assert (report.complete, report.schools[0].counts["added"]) == (False, 0)
    assert kept - await standing(network) == {("l1", "p1", "therapist")}


async def test_holders_end_when_others_are_stated_and_not_when_none_are(network: Network, tmp_path: Path) -> None:
    await take(network, deliver(tmp_path))
    lines = Lines()
    silent = GOOD["users.csv"].replace('"g1,g2,l1",o1,g1', '"g1,g2,l1",o1,')
    await take(network, deliver(tmp_path, users=silent), lines=lines)
    assert lines.ended == set()
    other = GOOD["users.csv"].replace('"g1,g2,l1",o1,g1', '"g1,g2,l1",o1,g2')
    report, _ = await take(network, deliver(tmp_path, users=other), lines=lines)
    assert done(report) == (1, 0, 1, 0)
    assert lines.ended == {("g1", "p1", "authority")}


async def test_a_pupil_who_left_is_ended_whole_as_the_dry_run_says(network: Network, tmp_path: Path) -> None:
    await take(network, deliver(tmp_path))
    lines = Lines()
    gone = {"users": "p1,", "roles": "r1,", "enrollments": "e1,", "demographics": "p1,"}
    files = {name: without(name, start) for name, start in gone.items()}
    dry, _ = await take(network, deliver(tmp_path, **files), dry=True, allow_ending=20, lines=lines)
    foreseen = lines.ended
    report, _ = await take(network, tmp_path, allow_ending=20, lines=lines)
    assert {("p1", "p1", "child"), ("g1", "p1", "guardian"), ("g1", "p1", "authority")} <= lines.ended == foreseen
    assert done(report) == done(dry)
    async with network.db.school(network.school) as conn:
        assert await conn.fetchval("SELECT count(*) FROM authority WHERE ends_at IS NULL") == 0
    assert not [link for link in await standing(network) if link[1] == "p1"]


async def test_a_request_that_can_not_be_done_now_is_sent_again_with_its_key(network: Network, tmp_path: Path) -> None:
    report, client = await take(network, deliver(tmp_path), busy=2)
    assert report.ok
    assert client.keys[0] == client.keys[1] == client.keys[2]
    assert len(set(client.keys)) == len(client.keys) - 2


async def test_a_teacher_who_left_more_children_than_one_command_changes_is_out_of_all(
    network: Network, tmp_path: Path
) -> None:
    many = range(105)
    files = {
        "users": add("users", *(f"k{n},,,,,,Kind,K{n},,,,,,,o1," for n in many)),
        "roles": add("roles", *(f"rk{n},,,k{n},,student,,,o1" for n in many)),
        "enrollments": add("enrollments", *(f"ek{n},,,c1,o1,k{n},student,,," for n in many)),
    }
    network.ids = Ids()
    await take(network, deliver(tmp_path, **files))
    files["users"] = files["users"].replace("t1,,,", "t1,tobedeleted,,")
    files["enrollments"] = GOOD["enrollments.csv"].replace("e2,,,", "e2,tobedeleted,,") + "broken\n"
    report, _ = await take(network, deliver(tmp_path, **files), allow_ending=200)
    assert not report.complete
    async with network.db.school(network.school) as conn:
        left = await conn.fetchval(
            "SELECT count(*) FROM membership m JOIN person p USING (school)"
            " WHERE p.id = m.person AND p.sourced_id = 't1' AND m.ends_at IS NULL"
        )
        stale = await conn.fetchval(
            "SELECT count(*) FROM access WHERE grants::text LIKE '%' || $1 || '%'", Role.TEACHER.value
        )
    assert (left, stale) == (0, 0)
