from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from deploy.home import Home
from deploy.keys import LOG_KEY
from deploy.samen import audit, audit_questions
from deploy.samen.audit import _row, _verifier, app, chosen
from deploy.samen.options import Language
from deploy.topology import NAMES
from services.audit.model import entry_of
from shared.actor import SigningKey
from shared.events.words import Basis
from shared.tlog.merkle import leaf_hash
from shared.tlog.note import Checkpoint, origin, sign
from tests.audit.support import CARER, STRANGER, Journal, pseudonym

HEADS = {"de-eik": {"goals": 4}, "de-es": {"goals": 2}}


def test_one_school_or_all_are_checked() -> None:
    assert chosen(HEADS, None) == HEADS
    assert chosen(HEADS, "de-es") == {"de-es": {"goals": 2}}


@pytest.mark.parametrize(("heads", "school"), [(HEADS, "nope"), ({}, None)])
def test_nothing_checked_is_not_nothing_wrong(heads: dict[str, dict[str, int]], school: str | None) -> None:
    with pytest.raises(typer.Exit) as ended:
        chosen(heads, school)
    assert ended.value.exit_code == 1


@pytest.mark.parametrize("silent", [(), ("goals", "gate")])
def test_a_log_is_not_called_whole_when_a_service_did_not_say_how_far_it_came(
    silent: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Against a service that is down nothing is held: that its last events are there is not known."""
    whole = {
        "school": "de-eik",
        "lines": 4,
        "signed": 4,
        "checkpoints": 1,
        "producers": {},
        "root": "00",
        "findings": [],
    }
    done = subprocess.CompletedProcess("", 0, json.dumps(whole), "")
    heads = {name: {"de-eik": (1, 4, "")} for name in NAMES if name not in silent}

    async def announced(_: Home) -> dict[str, Any]:
        return heads

    monkeypatch.setattr(audit, "_announced", announced)
    monkeypatch.setattr(audit, "_verifier", lambda *_, **__: done)
    monkeypatch.setattr(Home, "running", lambda _: {"postgres_port": 1})
    monkeypatch.setattr(audit, "describe", lambda *_: Mock(dsn=""))
    told = CliRunner().invoke(app, ["verify", "--dir", str(tmp_path)])
    assert (told.exit_code, "goals, gate" in told.output) == ((1, True) if silent else (0, False)), told.output


def test_where_no_database_is_at_hand_verify_says_what_to_run_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMEN_NATS_URL", "nats://127.0.0.1:1")
    done = CliRunner().invoke(app, ["verify"])
    assert done.exit_code == 1
    assert "audit heads | " in done.output
    assert "exec -T audit python -m deploy.serve audit.verify log" in done.output


def test_a_verifier_told_a_private_key_says_which_file_to_name(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.keys.ensure()
    done = _verifier(home, "proof", {}, SAMEN_LOG_PUBLIC_KEY=str(home.keys.token_key(LOG_KEY)))
    assert done.returncode == 1
    assert "audit-log.pub.pem" in done.stderr
    assert "PRIVATE" not in done.stderr


def test_a_row_shows_the_consent_and_its_version_and_why_someone_was_refused() -> None:
    journal = Journal("de-eik")
    consented = journal.viewed(CARER, basis=Basis.CONSENT, consent=pseudonym(60), consent_version=4, emergency=True)
    row = _row({"idx": 0, **entry_of(consented)})
    assert row[0:3] == ("0", "2026-03-10 09:01:00", str(CARER))
    assert row[5] == "access.viewed: goals (2)"
    assert row[8] == f"consent {str(pseudonym(60))[:8]} v4 (emergency)"
    refused = _row({"idx": 1, **entry_of(journal.denied())})
    assert (refused[2], refused[3], refused[9]) == (str(STRANGER), "person", "denied: no_grant")


def test_prove_tells_a_good_proof_from_a_forged_one(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.keys.ensure()
    key: Ed25519PrivateKey = SigningKey.load(home.keys.token_key(LOG_KEY)).private
    home.keys.token_key(LOG_KEY).unlink()  # who verifies has no private key
    note = sign(Checkpoint(origin("foundation", "de-eik"), 1, leaf_hash(b"{}")), key)
    proof = {"school": "de-eik", "idx": 0, "entry": "{}", "path": [], "note": note}
    good = _verifier(home, "proof", proof)
    assert (good.returncode, json.loads(good.stdout)) == (0, {"ok": True, "why": ""})
    forged = _verifier(home, "proof", proof | {"entry": "{ }"})
    assert (forged.returncode, json.loads(forged.stdout)["ok"]) == (1, False)


def test_what_is_no_pack_and_no_proof_is_told_with_what_to_name_instead(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.keys.root.mkdir(parents=True)
    home.keys.ensure()
    (tmp_path / "empty").mkdir()
    (tmp_path / "other.txt").write_text("a letter")
    for home_dir in (home.root, tmp_path / "nobody"):  # with keys at hand, and without
        done = CliRunner().invoke(app, ["verify", str(tmp_path / "empty"), "--dir", str(home_dir)])
        assert (done.exit_code, "samen audit export --out" in " ".join(done.output.split())) == (1, True), done.output
    done = CliRunner().invoke(app, ["verify-proof", str(tmp_path / "other.txt"), "--dir", str(home.root)])
    assert (done.exit_code, "samen audit prove --out" in " ".join(done.output.split())) == (1, True), done.output


@pytest.mark.parametrize(("lang", "more"), [(Language.DUTCH, " (2 keer)"), (Language.ENGLISH, " (2 times)")])
def test_what_a_story_tells_alike_it_tells_once(
    lang: Language, more: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = [{"sentence": one} for one in ("A looked.", "B looked.", "A looked.")]
    monkeypatch.setattr(audit_questions, "ask", lambda *_: {"sentences": told, "held_back": [], "next": None})
    audit_questions.story(pseudonym(1), "de-eik", pseudonym(2), lang=lang)
    assert capsys.readouterr().out == f"A looked.{more}\nB looked.\n"
