"""The log and a witness in another service, each on its own real database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.databases import ServiceDatabase
from services.audit.cosigning import Cosigner, Sparing
from services.notifications.witness import Witness
from shared.clock import Clock
from shared.db import Database
from shared.errors import Problem, Transient
from shared.tlog.cosignature import cosign, cosigned, witness_key, witness_name
from shared.tlog.note import COSIGNATURE, BadNote, NamedKey, origin, split
from shared.tlog.policy import Policy
from shared.tlog.proof import GrowthProof, LineProof
from shared.tlog.trust import Trust
from shared.tlog.witness import FORGOT, FORKED, ROLLED_BACK, Judge
from tests.audit.support import AUDITOR, KEY, MOTHER, Journal, Log, as_owner
from tests.support.fixtures import DatabaseFactory

OVERDUE, REFUSED = "checkpoint_not_cosigned", "witness_refused"
HOUSE, OUTSIDE = (Ed25519PrivateKey.from_private_bytes(letter * 32) for letter in (b"h", b"o"))
NAMES = {"house": witness_name("house"), "outside": witness_name("outside")}
POLICY_KEYS = (
    f"witness house {witness_key(NAMES['house'], HOUSE.public_key())} nats:ask.cosign.house\n"
    f"witness outside {witness_key(NAMES['outside'], OUTSIDE.public_key())}\n"
)
ONE = Policy.parse(POLICY_KEYS + "group enough 1 house outside\nquorum enough\n")
BOTH = Policy.parse(POLICY_KEYS + "group enough 2 house outside\nquorum enough\n")
SIGNERS = {name: key.signer for name, key in BOTH.witnesses.items()}


class Pair:
    """A log, its witness, and what each of them raised alarm of."""

    def __init__(self, log: Log, db: Database, policy: Policy) -> None:
        self.log, self.db = log, db
        self.now = 0.0
        self.down = False
        self.alarms: list[str] = []
        named = NamedKey(NAMES["house"], COSIGNATURE, HOUSE.public_key().public_bytes_raw())
        judge = Judge(named, KEY.public_key())
        self.witness = Witness(db, judge, HOUSE, Clock(), "wijzer", lambda code, *_, **__: self.alarms.append(code))
        self.cosigner = self.cosigners(policy)

    def cosigners(self, policy: Policy) -> Cosigner:
        return Cosigner(
            self.log.db,
            self.log.logs,
            policy,
            self.ask,
            Sparing(lambda code, *_, **__: self.log.alarms.append(code), lambda: self.now),
            within_s=0.0,
        )

    async def ask(self, subject: str, asked: Any) -> Any:  # noqa: ANN401  JSON
        assert subject == "ask.cosign.house"
        if self.down:
            raise Transient("nobody answers")
        return await self.witness.cosign(asked["school"], asked["request"], asked["held"])

    async def grow(self, journal: Journal, count: int) -> None:
        await self.log.log(journal.many(count))
        await self.log.sign()
        self.now += 100
        await self.cosigner.gather_all()

    async def seen(self) -> list[int]:
        async with self.db.school(self.log.school) as conn:
            return [row["size"] for row in await conn.fetch("SELECT size FROM witnessed")]


@pytest.fixture
async def there(database: DatabaseFactory) -> ServiceDatabase:
    return await database("notifications")


@pytest.fixture
async def pair(log: Log, there: ServiceDatabase) -> AsyncIterator[Pair]:
    db = await Database.connect(there.dsn, 2)
    yield Pair(log, db, ONE)
    await db.close()


async def test_a_log_that_grows_is_cosigned_and_proofs_are_made_under_it(pair: Pair, tmp_path: Path) -> None:
    log = pair.log
    await log.settle()
    journal = Journal(log.school)
    for count in (3, 300, 1):
        await pair.grow(journal, count)
        assert await pair.seen() == [len(journal.events)]
    assert (log.alarms, pair.alarms) == ([], [])
    trust = Trust(KEY.public_key(), ONE)
    name = origin("wijzer", log.school)
    old = (await log.rows("SELECT note FROM checkpoint WHERE size = 3"))[0]["note"]
    for who, body in ((AUDITOR, {"idx": 200}), (MOTHER, {"event": journal.events[200].content["id"]})):
        found = await log.ask("tlog-proof", who, **body)
        proof = LineProof.parse(found["proof"])
        signed, witnesses = trust.checked(proof.note, name)
        proof.check(signed)
        assert (found["idx"], proof.index, signed.size, list(witnesses)) == (200, 200, 304, [SIGNERS["house"]])
        assert journal.events[200].content["id"].encode() in proof.entry
    growth = GrowthProof.parse((await log.ask("growth", since=3))["proof"])
    growth.check(trust.of_log(old, name).root, trust.checked(growth.note, name)[0])
    assert [one.content["data"]["fact"]["query"] for one in await log.journaled()] == ["tlog-proof"] * 2 + ["growth"]
    published = (tmp_path / "log" / log.school / "cosigned").read_text()
    assert trust.checked(published, name)[0].size == 304


async def test_proofs_of_what_is_not_there_or_not_ones_own_are_refused_alike(pair: Pair) -> None:
    log, journal = pair.log, Journal(pair.log.school)
    await log.settle()
    await pair.grow(journal, 3)
    for body in ({"idx": 900}, {"event": "019cd3a8-0000-7000-8000-000000000000"}, {"event": str(AUDITOR)}):
        with pytest.raises(Problem, match="no such line"):
            await log.ask("tlog-proof", AUDITOR, **body)
        with pytest.raises(Problem, match="forbidden"):
            await log.ask("tlog-proof", MOTHER, **body)
    with pytest.raises(Problem, match="smaller than that"):
        await log.ask("growth", since=4)


async def test_a_proof_waits_under_the_last_checkpoint_that_enough_signed(pair: Pair) -> None:
    log, journal = pair.log, Journal(pair.log.school)
    await log.settle()
    await pair.grow(journal, 10)
    await log.log(journal.many(5))
    await log.sign()
    trust = Trust(KEY.public_key(), ONE)
    assert trust.checked(LineProof.parse((await log.ask("tlog-proof", idx=9))["proof"]).note)[0].size == 10
    with pytest.raises(BadNote, match="too few"):
        trust.checked(LineProof.parse((await log.ask("tlog-proof", idx=12))["proof"]).note)


async def test_a_checkpoint_that_waits_for_its_cosignatures_is_an_alarm_until_they_are_there(pair: Pair) -> None:
    journal = Journal(pair.log.school)
    pair.down = True
    await pair.grow(journal, 3)
    assert pair.log.alarms == [OVERDUE]
    pair.down = False
    pair.now += 100
    await pair.cosigner.gather_all()
    assert pair.log.alarms == [OVERDUE]
    assert (await pair.cosigner.overview(pair.log.school))["waits_s"] is None


async def test_k_of_n_needs_the_witness_outside_too(pair: Pair) -> None:
    log, school = pair.log, pair.log.school
    pair.cosigner = pair.cosigners(BOTH)
    await pair.grow(Journal(school), 7)
    assert log.alarms == [OVERDUE]
    far = await pair.cosigner.overview(school)
    assert (far["size"], far["endorsed"]) == (7, None)
    assert far["witnesses"] == {SIGNERS["house"]: 7, SIGNERS["outside"]: 0}
    asked = await pair.cosigner.request(school, SIGNERS["outside"], None)
    assert asked is not None
    text = split(GrowthProof.parse(asked["request"]).note)[0]
    wrong = cosign(text, NAMES["outside"], HOUSE, 5).line
    assert await pair.cosigner.take(school, 7, wrong) == 403
    of_another_text = cosign(text.replace("7", "8"), NAMES["outside"], OUTSIDE, 5).line
    assert await pair.cosigner.take(school, 7, of_another_text) == 403
    assert await pair.cosigner.take(school, 7, "nonsense") == 403
    good = cosign(text, NAMES["outside"], OUTSIDE, 5).line
    assert await pair.cosigner.take(school, 8, good) == 404
    assert (await pair.cosigner.overview(school))["endorsed"] is None
    assert await pair.cosigner.take(school, 7, good) == 200
    assert (await pair.cosigner.overview(school))["endorsed"] == 7
    note = (await log.rows("SELECT full_note($1, 7) AS note", school))[0]["note"]
    assert set(cosigned(note, BOTH.keys)) == set(SIGNERS.values())


async def test_a_second_key_under_one_name_is_a_second_witness(pair: Pair) -> None:
    twin = witness_key(NAMES["house"], OUTSIDE.public_key())
    pair.cosigner = pair.cosigners(
        Policy.parse(f"{POLICY_KEYS.splitlines()[0]}\nwitness twin {twin}\ngroup both all house twin\nquorum both\n")
    )
    school = pair.log.school
    await pair.grow(Journal(school), 7)
    assert (await pair.cosigner.overview(school))["endorsed"] is None
    signer = twin.rpartition("+")[0]
    asked = await pair.cosigner.request(school, signer, None)
    assert asked is not None
    assert not asked["signed"]
    line = cosign(split(GrowthProof.parse(asked["request"]).note)[0], NAMES["house"], OUTSIDE, 5).line
    assert await pair.cosigner.take(school, 7, line) == 200
    far = await pair.cosigner.overview(school)
    assert (far["endorsed"], far["witnesses"]) == (7, {SIGNERS["house"]: 7, signer: 7})


async def put_back(pair: Pair, kept: ServiceDatabase, size: int) -> None:
    """Puts audit's database, and its files with it, to where the log had that many lines and nothing was cosigned."""
    async with as_owner(kept, pair.log.school) as owner:
        for table in ("line", "log_node", "checkpoint", "log_head", "cosignature", "endorsement"):
            await owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for table in ("cosignature", "endorsement", "line", "log_node", "checkpoint", "log_head"):
            await owner.execute(f"DELETE FROM {table} WHERE school = $1", pair.log.school)
        await owner.execute("DELETE FROM projection_cursor WHERE school = $1", pair.log.school)
        for table in ("line", "log_node", "checkpoint", "log_head", "cosignature", "endorsement"):
            await owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    folder = pair.log.logs._root / pair.log.school
    folder.rename(folder.with_name(f"lost-{size}"))
    pair.log.logs.forget()


async def test_an_audit_log_that_was_put_back_is_refused_by_its_witness(pair: Pair, kept: ServiceDatabase) -> None:
    journal = Journal(pair.log.school)
    await pair.grow(journal, 20)
    await put_back(pair, kept, 0)
    journal.events = []  # those that come now are others
    await pair.grow(journal, 5)
    assert pair.alarms == [ROLLED_BACK]
    assert pair.log.alarms == [REFUSED, OVERDUE]
    # It grows again, past where it was, and is another log than the one that was signed.
    await pair.grow(journal, 15)
    assert pair.alarms[-1] == FORKED
    await pair.grow(journal, 9)
    assert pair.alarms[-1] == FORKED
    assert await pair.seen() == [20]
    assert (await pair.log.rows("SELECT count(*) AS n FROM cosignature"))[0]["n"] == 0


async def test_a_witness_whose_database_was_put_back_says_so_and_signs_no_other_log(
    pair: Pair, there: ServiceDatabase
) -> None:
    journal = Journal(pair.log.school)
    await pair.grow(journal, 20)
    async with as_owner(there, pair.log.school) as owner:
        await owner.execute("ALTER TABLE witnessed DISABLE TRIGGER USER")
        await owner.execute("UPDATE witnessed SET size = 4, root = '\\x00'")
        await owner.execute("ALTER TABLE witnessed ENABLE TRIGGER USER")
    await pair.grow(journal, 1)
    assert pair.alarms == [FORGOT]
    assert await pair.seen() == [21]
    assert pair.log.alarms == []


async def test_nothing_is_signed_that_is_not_committed(pair: Pair, there: ServiceDatabase) -> None:
    async with as_owner(there, pair.log.school) as owner:
        await owner.execute("ALTER TABLE witnessed ADD CONSTRAINT full_disk CHECK (size < 0)")
    await pair.log.log(Journal(pair.log.school).many(3))
    await pair.log.sign()
    with pytest.raises(asyncpg.PostgresError):
        await pair.cosigner.gather_all()
    assert await pair.log.rows("SELECT 1 FROM cosignature") == []


WITNESS_ATTEMPTS = (
    "UPDATE witnessed SET size = size - 1",
    "UPDATE witnessed SET root = '\\x00'",
    "UPDATE witnessed SET origin = 'other', size = size + 1",
    "DELETE FROM witnessed",
    "TRUNCATE witnessed",
)
LOG_ATTEMPTS = (
    "UPDATE cosignature SET line = ''",
    "DELETE FROM cosignature",
    "TRUNCATE cosignature",
    "UPDATE endorsement SET size = size",
    "DELETE FROM endorsement",
    "TRUNCATE endorsement",
)


async def test_neither_login_nor_owner_makes_a_witness_or_a_log_forget(
    pair: Pair, kept: ServiceDatabase, there: ServiceDatabase
) -> None:
    await pair.grow(Journal(pair.log.school), 3)
    for database, attempts in ((there, WITNESS_ATTEMPTS), (kept, LOG_ATTEMPTS)):
        for dsn in (database.dsn, database.owner_dsn):
            conn = await asyncpg.connect(dsn)
            await conn.execute("SELECT set_config('app.school', $1, false)", pair.log.school)
            for attempt in attempts:
                with pytest.raises(asyncpg.PostgresError):
                    await conn.execute(attempt)
            await conn.close()
    assert await pair.seen() == [3]
