"""Keys take over from one another without a gap in what verifies: the log's own, and a witness's."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self, cast

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from deploy.databases import ServiceDatabase
from deploy.home import Home
from deploy.keys import LOG_KEY, Keys
from deploy.pack.source import Source
from deploy.pack.verifier import verify as verify_pack
from deploy.pack.writer import PackWriter
from deploy.rotation import DAY_S, Refused, finish_witness, rotate_log, rotate_witness, with_new_key
from deploy.samen.__main__ import app as samen
from deploy.samen.keys import app
from services.audit.fsck import check
from services.audit.log_keys import LogSettings, older_keys, tell_key
from services.audit.tasks import Signer
from services.notifications.witness import Witness
from shared.clock import Clock
from shared.events.audit import LogKeyTaken
from shared.tlog.cosignature import cosign, cosigned, witness_key
from shared.tlog.merkle import Tree, extend, leaf_hash, root
from shared.tlog.note import COSIGNATURE, BadNote, Checkpoint, NamedKey, origin, sign, split, verifier_key
from shared.tlog.policy import Policy
from shared.tlog.trust import LogKeys, Retired, Trust, Untrusted, log_keys_in, log_keys_text, pem_of
from shared.tlog.witness import FORBIDDEN, OK, Judge
from tests.audit.packs import NAME, POLICY_TEXT, TRUST, WITNESS, entries_of
from tests.audit.support import KEY, Journal, Log

NEXT, OTHER = (Ed25519PrivateKey.from_private_bytes(letter * 32) for letter in (b"n", b"o"))
NEW, OLD = NEXT.public_key(), KEY.public_key()
NOW_S = 1_800_000_000
UNTIL = NOW_S + 30 * DAY_S
RING = Trust(NEW, TRUST.policy, (Retired(OLD, UNTIL),))
DE_EIK = origin("wijzer", "de-eik")


def note(*keys: Ed25519PrivateKey, at: int | None = None, entries: list[bytes] | None = None) -> str:
    """Returns a checkpoint signed by these keys, cosigned at a moment."""
    tree = extend(Tree(), [leaf_hash(one) for one in entries or [b"{}"]])[0]
    signed = sign(Checkpoint(DE_EIK, tree.size, root(tree)), *keys)
    return signed if at is None else signed + cosign(split(signed)[0], NAME, WITNESS, at).line


# What verifiers believe ----------------------------------------------------------------------------------------------


def test_both_keys_files_verify_what_both_signed() -> None:
    both = note(NEXT, KEY, at=NOW_S)
    for trust in (TRUST, RING, Trust(NEW, TRUST.policy)):
        assert trust.checked(both)[0].size == 1


def test_an_old_checkpoint_counts_if_witnesses_show_that_it_is_old() -> None:
    assert RING.checked(note(KEY, at=UNTIL - 1))[0].size == 1
    for late in (note(KEY, at=UNTIL), note(KEY)):
        with pytest.raises(BadNote, match=r"retired on 2027.*no witness shows"):
            RING.of_log(late)
    assert RING.of_log(note(KEY), now_s=UNTIL - 1).size == 1, "it still signs"
    assert RING.of_log(note(KEY), contained=True).size == 1, "its reader holds it against a newer one"


def test_a_retired_key_does_not_help_a_signature_that_is_not_good() -> None:
    good = note(NEXT, KEY, at=NOW_S)
    text, (new, old, witness) = split(good)
    forged = sign(Checkpoint(DE_EIK, 2, b"x" * 32), NEXT, KEY)
    other = split(forged)[1]
    for lines in ((other[0], old, witness), (new, other[1], witness), (other[0], other[1])):
        with pytest.raises(BadNote):
            RING.checked(f"{text}\n{''.join(one.line for one in lines)}")
    with pytest.raises(BadNote):
        RING.of_log(note(OTHER, at=NOW_S), contained=True)


def test_the_file_of_keys_is_read_as_it_was_written_and_one_key_alone_is_a_file_too() -> None:
    keys = LogKeys(NEW, (Retired(OLD, UNTIL), Retired(OTHER.public_key(), NOW_S)))
    read = log_keys_in(log_keys_text(keys), "here")
    assert [(one.key.public_bytes_raw(), one.until) for one in read.retired] == [
        (one.key.public_bytes_raw(), one.until) for one in keys.retired
    ]
    assert read.current.public_bytes_raw() == NEW.public_bytes_raw()
    assert log_keys_in(pem_of(OLD), "here").retired == ()
    for wrong in (pem_of(NEW) + pem_of(OLD), b"nothing", log_keys_text(keys).replace(b"2027", b"soon")):
        with pytest.raises(Untrusted):
            log_keys_in(wrong, "here")


def test_a_witness_signs_for_a_retired_key_until_its_time_only() -> None:
    judge = Judge(NamedKey(NAME, COSIGNATURE, WITNESS.public_key().public_bytes_raw()), NEW, RING.retired)
    request = f"old 0\n\n{note(KEY)}"
    assert judge.judge(None, request, DE_EIK, None, UNTIL - 1).status == OK
    assert judge.judge(None, request, DE_EIK, None, UNTIL).status == FORBIDDEN
    assert judge.judge(None, f"old 0\n\n{note(NEXT)}", DE_EIK, None, UNTIL).status == OK


def test_a_pack_over_a_rotation_verifies_and_one_that_a_retired_key_made_later_does_not(tmp_path: Path) -> None:
    entries = entries_of("de-eik", 90)
    steps = [
        note(KEY, at=NOW_S, entries=entries[:30]),
        note(NEXT, KEY, at=NOW_S, entries=entries[:60]),
        note(NEXT, at=UNTIL + 5, entries=entries),
    ]

    def made(name: str, *notes: str) -> list[str]:
        with PackWriter(tmp_path / name, notes[-1], 0, 90) as writer:
            writer.entries(entries)
            writer.checkpoints(notes)
            writer.finish(log_keys_text(LogKeys(NEW, RING.retired)), POLICY_TEXT.encode())
        with Source(tmp_path / name) as source:
            return [one.what for one in verify_pack(source, RING).findings]

    assert made("whole", *steps) == []
    assert made("both", *steps[:2], note(NEXT, KEY, at=NOW_S, entries=entries)) == []
    assert any("retired" in one for one in made("late", *steps[:2], note(KEY, at=UNTIL + 5, entries=entries)))


def test_a_pack_that_a_leaked_retired_key_made_holds_by_no_policy_of_its_own(tmp_path: Path) -> None:
    """Whoever holds the old key alone writes any lines, and has a witness of her own say that they are older."""
    mallory, entries = Ed25519PrivateKey.generate(), entries_of("de-eik", 20)
    tree = extend(Tree(), [leaf_hash(one) for one in entries])[0]
    signed = sign(Checkpoint(DE_EIK, tree.size, root(tree)), KEY)
    forged = signed + cosign(split(signed)[0], NAME, mallory, NOW_S).line
    policy = POLICY_TEXT.replace(witness_key(NAME, WITNESS.public_key()), witness_key(NAME, mallory.public_key()))
    ring = log_keys_text(LogKeys(NEW, RING.retired))
    with PackWriter(tmp_path / "p", forged, 0, 20) as writer:
        writer.entries(entries)
        writer.checkpoints([forged])
        writer.finish(ring, policy.encode())
    (tmp_path / "log.pem").write_bytes(ring)
    (tmp_path / "policy").write_text(POLICY_TEXT)
    given = ["audit", "verify", str(tmp_path / "p"), "--dir", str(tmp_path / "no")]
    for more in (["--key", str(tmp_path / "log.pem")], []):
        done = CliRunner().invoke(samen, [*given, *more])
        assert done.exit_code == 1, done.output
        assert "retired on 2027" in done.output
        assert "--policy" in done.output
        assert "cosigned by" not in done.output
    for more in (["--key", str(tmp_path / "log.pem")], []):
        assert CliRunner().invoke(samen, [*given, *more, "--policy", str(tmp_path / "policy")]).exit_code == 1


# What signs ----------------------------------------------------------------------------------------------------------


def test_a_rotation_keeps_the_old_key_for_its_overlap_and_says_until_when(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    keys.ensure()
    first = keys.log_keys().current
    rotate_log(keys, NOW_S, 30)
    told = keys.log_keys()
    assert [one.until for one in told.retired] == [UNTIL]
    assert told.retired[0].key.public_bytes_raw() == first.public_bytes_raw()
    keys.ensure(NOW_S)
    assert keys.log_keys().current.public_bytes_raw() == told.current.public_bytes_raw(), "it stays"
    with pytest.raises(Refused, match="overlap is not over"):
        rotate_log(keys, NOW_S, 30)
    rotate_log(keys, NOW_S + 5, 30, leaked=True)
    assert [one.until for one in keys.log_keys().retired] == [NOW_S + 5, NOW_S + 5]
    assert not keys.old(LOG_KEY).exists(), "what leaked signs no more"


def test_a_rotation_that_was_cut_off_is_ended_by_the_keys_job(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    keys.ensure()
    first = keys.log_keys().current.public_bytes_raw()
    keys.token_key(LOG_KEY).unlink()
    keys.ensure(NOW_S)
    (retired,) = keys.log_keys().retired
    assert (retired.key.public_bytes_raw(), retired.until) == (first, NOW_S)


def test_the_service_signs_with_both_until_the_old_key_s_time(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    keys.ensure()
    rotate_log(keys, NOW_S, 30)
    settings = LogSettings(log_public_key=keys.log_public)
    ((old, until),) = older_keys(settings, keys.token_key(LOG_KEY))
    assert until == UNTIL
    assert old.public_key().public_bytes_raw() == keys.log_keys().retired[0].key.public_bytes_raw()
    with pytest.raises(RuntimeError, match="run the job `keys`"):
        older_keys(settings, keys.token_key("audit"))
    keys.old(LOG_KEY).unlink()
    assert older_keys(settings, keys.token_key(LOG_KEY)) == []


async def test_the_log_grows_by_a_line_that_another_key_signs_from_here_on_and_all_of_it_verifies(
    log: Log, kept: ServiceDatabase
) -> None:
    await log.log(Journal(log.school).many(5))
    await log.sign()
    site = cast("Any", SimpleNamespace(db=log.db, ids=log.ids, clock=Clock()))
    await tell_key(site, log.school, KEY, "wijzer")
    assert await log.journaled() == [], "it is this key that signed"
    await tell_key(site, log.school, NEXT, "wijzer")
    (event,) = await log.journaled()
    assert event.is_a(LogKeyTaken)
    await log.log([event])
    now = [NOW_S]
    signer = partial(Signer, log.db, log.logs, NEXT, "wijzer", lambda *_, **__: None, [(KEY, UNTIL)])
    await signer(lambda: now[0]).sign_all()
    await log.log(Journal(log.school, "network").many(2))
    now[0] = UNTIL
    await signer(lambda: now[0]).sign_all()
    notes = [row["note"] for row in await log.rows("SELECT note FROM checkpoint ORDER BY size")]
    assert [len(split(one)[1]) for one in notes] == [1, 2, 1]
    await tell_key(site, log.school, NEXT, "wijzer")
    assert len(await log.journaled()) == 1
    name = origin("wijzer", log.school)
    new, old = verifier_key(name, NEW), verifier_key(name, OLD)
    conn = await asyncpg.connect(kept.dsn)
    try:
        assert (await check(conn, log.school, new, past=[old])).findings == []
        assert (await check(conn, log.school, new, still=[old])).findings == []
        assert {one.code for one in (await check(conn, log.school, new)).findings} == {"checkpoint_not_signed"}
        late = await check(conn, log.school, verifier_key(name, OTHER.public_key()), past=[old, new])
        assert {one.code for one in late.findings} == {"signed_by_a_retired_key"}
    finally:
        await conn.close()


# Witnesses -----------------------------------------------------------------------------------------------------------


def test_a_new_key_of_a_witness_counts_as_the_witness_that_it_is() -> None:
    first, second, third, council = (f"w+{n}" for n in range(4))
    policy = (
        f"# ours\nwitness house {first} nats:ask.it\nwitness council {council}\n"
        "group enough 2 house council\nquorum enough\n"
    )
    once = with_new_key(policy, first, second)
    assert once.split("\n") == [
        "# ours",
        f"witness house {first} nats:ask.it",
        f"witness house--2 {second} nats:ask.it",
        "group house--either 1 house house--2",
        f"witness council {council}",
        "group enough 2 house--either council",
        "quorum enough",
        "",
    ]
    twice = with_new_key(once, second, third)
    assert f"witness house--3 {third} nats:ask.it" in twice
    assert "group house--either 1 house house--2 house--3" in twice
    assert "group enough 2 house--either council" in twice


def test_a_witness_takes_a_new_key_and_ends_the_old_one(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.keys.ensure()
    first = home.keys.witness_policy.read_text()
    rotate_witness(home.keys, "notifications")
    policy = Policy.parse(home.keys.witness_policy.read_text())
    assert len(policy.witnesses) == len(policy.asked) == 2
    with pytest.raises(Refused, match="--finish"):
        rotate_witness(home.keys, "notifications")
    finish_witness(home.keys, "notifications")
    policy = Policy.parse(home.keys.witness_policy.read_text())
    assert (len(policy.witnesses), list(policy.asked)) == (2, ["notifications--2"])
    assert {key.text for key in Policy.parse(first).keys} < {key.text for key in policy.keys}, "what it signed counts"
    with pytest.raises(Refused, match="no rotation"):
        finish_witness(home.keys, "notifications")


async def test_a_witness_signs_with_both_keys_as_long_as_both_are_there() -> None:
    own = NamedKey(NAME, COSIGNATURE, NEXT.public_key().public_bytes_raw())
    older = NamedKey(NAME, COSIGNATURE, WITNESS.public_key().public_bytes_raw())

    class Memory:
        async def execute(self, *_: object) -> None: ...
        async def fetchrow(self, *_: object) -> None: ...
        async def __aenter__(self) -> Self:
            return self

        async def __aexit__(self, *_: object) -> None: ...

    db = cast("Any", SimpleNamespace(school=lambda _: Memory()))
    witness = Witness(db, Judge(own, OLD), NEXT, Clock(), "wijzer", lambda *_, **__: None, (WITNESS,))
    told = await witness.cosign("de-eik", f"old 0\n\n{note(KEY)}", None)
    for key in (own, older):
        assert len(cosigned(note(KEY) + told["body"], [key])) == 1


# The command ---------------------------------------------------------------------------------------------------------


def test_the_command_rotates_and_says_what_comes_next(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.keys.ensure()

    def run(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, [*arguments, "--dir", str(tmp_path)])
        return done.exit_code, " ".join(done.output.split())

    rc, told = run("rotate", "log", "--overlap-days", "10")
    assert (rc, "Restart audit and notifications" in told) == (0, True)
    assert run("rotate", "log")[0] == 1
    assert "signs the log now" in run("show")[1]
    assert "UTC" in run("show")[1]
    assert run("rotate", "witness")[0] == 0
    assert run("rotate", "witness", "--finish")[0] == 0
    assert run("rotate", "witness", "--finish")[0] == 1
