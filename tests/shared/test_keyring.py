"""Keys of tokens take over from one another while services run: none is refused in between, none counts for ever."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from typer.testing import CliRunner

from deploy.home import Home
from deploy.keys import Keys
from deploy.rotation import Refused, rotate_tokens
from deploy.samen.keys import app
from shared import keyring
from shared.actor import Actor, BadToken, SigningKey, Verifier, load_trusted, mint, service_id
from shared.events.words import ActorKind
from shared.keyring import Watched, follow, trusted_in

NOW = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
NOW_S = int(NOW.timestamp())
HOUR_S = 3600
SOMEONE = Actor(service_id("goals"), ActorKind.PERSON, "olm", "samen")


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    made = Home(tmp_path).keys
    made.ensure(NOW_S)
    return made


def door(keys: Keys) -> SigningKey:
    return SigningKey.load(keys.token_key("samen"))


def test_tokens_of_both_keys_count_while_one_takes_over_from_the_other(keys: Keys) -> None:
    verifier, _ = trusted_in(keys.trusted)
    old = door(keys)
    before = mint(old, SOMEONE, NOW)
    assert verifier.verify(before, "olm", NOW) == SOMEONE
    assert rotate_tokens(keys, NOW_S, HOUR_S) == len(keys.told_trusted())
    new = door(keys)
    assert new.private.public_key() != old.private.public_key()
    for token in (mint(new, SOMEONE, NOW), before, mint(old, SOMEONE, NOW + timedelta(seconds=1))):
        assert verifier.verify(token, "olm", NOW + timedelta(seconds=2)) == SOMEONE
    service = SigningKey.load(keys.token_key("goals"))
    itself = Actor(service_id("goals"), ActorKind.SERVICE, "olm", "goals")
    assert verifier.verify(mint(service, itself, NOW), "olm", NOW) == itself


def test_an_old_key_counts_until_its_time_also_for_tokens_that_live_longer(keys: Keys) -> None:
    old = door(keys)
    rotate_tokens(keys, NOW_S, HOUR_S)
    verifier, _ = trusted_in(keys.trusted)
    end = NOW + timedelta(seconds=HOUR_S)
    token = mint(old, SOMEONE, end - timedelta(seconds=60))
    assert verifier.verify(token, "olm", end - timedelta(seconds=1)) == SOMEONE
    with pytest.raises(BadToken, match="expired"):
        verifier.verify(token, "olm", end)
    with pytest.raises(BadToken):
        trusted_in(keys.trusted)[0].verify(token, "olm", end)


def test_a_leaked_key_counts_no_more_from_the_moment_that_the_file_says_so(keys: Keys) -> None:
    verifier, file = trusted_in(keys.trusted)
    old, others = door(keys), SigningKey.load(keys.token_key("goals"))
    token = mint(old, SOMEONE, NOW)
    verifier.verify(token, "olm", NOW)
    assert rotate_tokens(keys, NOW_S, HOUR_S, ["samen"], leaked=True) == 1
    renewed = file.changed()
    assert renewed is not None
    verifier.trust(renewed)
    with pytest.raises(BadToken):
        verifier.verify(token, "olm", NOW)
    assert verifier.verify(mint(door(keys), SOMEONE, NOW), "olm", NOW) == SOMEONE
    assert SigningKey.load(keys.token_key("goals")).private.public_key() == others.private.public_key(), "it stays"


def test_a_stranger_s_token_is_refused_whatever_the_file_says_and_a_half_written_file_changes_nothing(
    keys: Keys,
) -> None:
    verifier, _ = trusted_in(keys.trusted)
    token = mint(door(keys), SOMEONE, NOW)
    whole = keys.trusted.read_text()
    for wrong in (whole[: len(whole) // 2], "[]", '{"samen": {}}', '{"samen": {"kind": "door", "public_pem": 7}}'):
        keys.trusted.write_text(wrong)
        with pytest.raises(BadToken):
            verifier.verify(mint(SigningKey("other", door(keys).private), SOMEONE, NOW), "olm", NOW)
        assert verifier.verify(token, "olm", NOW) == SOMEONE
    keys.trusted.unlink()
    with pytest.raises(BadToken):
        verifier.verify("a.b.c", "olm", NOW)


def test_a_second_rotation_waits_for_the_first_and_the_keys_job_keeps_both_until_the_end(keys: Keys) -> None:
    rotate_tokens(keys, NOW_S, HOUR_S)
    told = keys.told_trusted()
    with pytest.raises(Refused, match="not over"):
        rotate_tokens(keys, NOW_S + HOUR_S - 1, HOUR_S, ["samen"])
    with pytest.raises(Refused, match="nobody has a key named olm"):
        rotate_tokens(keys, NOW_S, HOUR_S, ["olm"])
    keys.ensure(NOW_S)
    assert keys.told_trusted() == told
    keys.ensure(NOW_S + HOUR_S)
    assert not any("older" in one for one in keys.told_trusted().values())
    rotate_tokens(keys, NOW_S + HOUR_S, HOUR_S)


def test_a_rotation_that_was_cut_off_leaves_keys_that_count(keys: Keys) -> None:
    """It ended after `trusted.json` and before the private keys: the keys job tells what is there."""
    old = keys.token_key("samen").read_bytes()
    rotate_tokens(keys, NOW_S, HOUR_S)
    keys.token_key("samen").write_bytes(old)
    token = mint(door(keys), SOMEONE, NOW)
    assert trusted_in(keys.trusted)[0].verify(token, "olm", NOW) == SOMEONE
    keys.ensure(NOW_S)
    later = NOW + timedelta(seconds=2 * HOUR_S)
    assert trusted_in(keys.trusted)[0].verify(mint(door(keys), SOMEONE, later), "olm", later) == SOMEONE


def test_a_file_of_before_rotations_is_read_as_ever(keys: Keys) -> None:
    told = keys.told_trusted()
    assert all(sorted(one) == ["kind", "public_pem"] for one in told.values())
    keys.trusted.write_text(json.dumps(told))
    assert load_trusted(keys.trusted)["samen"].older == ()


async def test_a_running_service_signs_with_its_new_key_and_trusts_what_is_told(
    keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring, "LOOK_EVERY_S", 0.01)
    verifier, file = trusted_in(keys.trusted)
    old, bus = door(keys), cast("Any", SimpleNamespace(key=door(keys)))
    running = asyncio.ensure_future(follow(verifier, file, bus, keys.token_key("samen")))
    token = mint(old, SOMEONE, NOW)
    try:
        await asyncio.sleep(0.02)
        rotate_tokens(keys, NOW_S, HOUR_S, leaked=True)
        async with asyncio.timeout(5):
            while bus.key.private.public_key() == old.private.public_key() or _counts(verifier, token):  # noqa: ASYNC110  a file is looked at
                await asyncio.sleep(0.01)
        assert verifier.verify(mint(bus.key, SOMEONE, NOW), "olm", NOW) == SOMEONE
    finally:
        running.cancel()


def _counts(verifier: Verifier, token: str) -> bool:
    try:
        return verifier.verify(token, "olm", NOW) == SOMEONE
    except BadToken:
        return False


def test_a_file_that_nobody_touched_is_not_read_again(keys: Keys) -> None:
    reads: list[Path] = []
    file = Watched(keys.trusted, reads.append)
    file.first()
    assert (file.changed(), len(reads)) == (None, 1)


def test_the_command_rotates_tokens_and_says_what_comes_next(tmp_path: Path, keys: Keys) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, [*arguments, "--dir", str(tmp_path)])
        return done.exit_code, " ".join(done.output.split())

    rc, told = run("rotate", "tokens", "samen", "goals", "--overlap-minutes", "10")
    assert (rc, "2 new keys" in told, "databases" in told) == (0, True, True)
    assert "the one before it until" in run("show")[1]
    assert run("rotate", "tokens")[0] == 1
    assert run("rotate", "tokens", "nobody")[0] == 1
    assert run("rotate", "tokens", "--overlap-minutes", "1")[0] == 2
    assert run("rotate", "tokens", "--leaked")[0] == 0
    assert "the one before it" not in run("show")[1]
    assert set(keys.told_trusted()) == set(load_trusted(keys.trusted))
