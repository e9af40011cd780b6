"""Actor tokens: what proves somebody, and what does not."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.actor import Actor, BadToken, SigningKey, Verifier, load_trusted, mint, service_id
from shared.events.words import ActorKind

NOW = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
DOOR = SigningKey("samen", Ed25519PrivateKey.generate())
GOALS = SigningKey("goals", Ed25519PrivateKey.generate())
GATE = SigningKey("gate", Ed25519PrivateKey.generate())
SOMEONE = Actor(uuid4(), ActorKind.PERSON, "olm", "samen", operator="op-1", on_behalf_of=uuid4())


@pytest.fixture
def verifier(tmp_path: Path) -> Verifier:
    path = tmp_path / "trusted.json"
    path.write_text(json.dumps({key.kid: {"kind": kind, "public_pem": pem(key)} for key, kind in KINDS}))
    return Verifier(load_trusted(path))


KINDS = ((DOOR, "door"), (GATE, "gate"), (GOALS, "service"))


def pem(key: SigningKey) -> str:
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.private.public_key().public_bytes(serialization.Encoding.PEM, kind).decode()


def forged(key: SigningKey, /, algorithm: str = "EdDSA", **changed: object) -> str:
    claims = jwt.decode(mint(DOOR, SOMEONE, NOW), options={"verify_signature": False}) | changed
    secret = "" if algorithm == "none" else key.private
    return jwt.encode(claims, secret, algorithm=algorithm, headers={"kid": "samen"})


def test_a_minted_token_proves_its_actor_and_goes_on_doing_so_until_it_expires(verifier: Verifier) -> None:
    token = mint(DOOR, SOMEONE, NOW)
    for passed in (0, 60, 299):
        assert verifier.verify(token, "olm", NOW + timedelta(seconds=passed)) == SOMEONE
    with pytest.raises(BadToken, match="expired"):
        verifier.verify(token, "olm", NOW + timedelta(minutes=5))


def test_a_token_of_one_school_proves_nothing_in_another(verifier: Verifier) -> None:
    with pytest.raises(BadToken, match="other_school"):
        verifier.verify(mint(DOOR, SOMEONE, NOW), "wilg", NOW)


@pytest.mark.parametrize(
    ("token", "why"),
    [
        ("", "unreadable"),
        ("a.b.c", "unreadable"),
        ("\udcff", "unreadable"),
        (forged(GOALS), "unreadable"),
        (forged(DOOR, algorithm="none"), "unreadable"),
        (forged(DOOR, aud="elsewhere"), "unreadable"),
        (forged(DOOR, iss="goals"), "unreadable"),
        (forged(DOOR, sub="not an id"), "unreadable"),
        (forged(DOOR, kind="king"), "unreadable"),
        (forged(DOOR, act={"sub": "Jan de Vries\0"}), "unreadable"),
        (forged(DOOR, exp=int(NOW.timestamp()) + 3600), "bad_lifetime"),
        (forged(DOOR, iat=int(NOW.timestamp()) + 60), "bad_lifetime"),
    ],
)
def test_what_was_not_minted_so_proves_nothing(verifier: Verifier, token: str, why: str) -> None:
    with pytest.raises(BadToken, match=why):
        verifier.verify(token, "olm", NOW)


def test_a_key_nobody_trusts_proves_nothing(verifier: Verifier) -> None:
    with pytest.raises(BadToken, match="unknown_key"):
        verifier.verify(mint(SigningKey("stranger", GOALS.private), SOMEONE, NOW), "olm", NOW)


def test_a_service_may_speak_for_itself_only(verifier: Verifier) -> None:
    itself = Actor(service_id("goals"), ActorKind.SERVICE, "olm", "goals")
    assert verifier.verify(mint(GOALS, itself, NOW), "olm", NOW) == itself
    for other in (replace(itself, id=service_id("network")), replace(itself, kind=ActorKind.PERSON)):
        with pytest.raises(BadToken, match="service_minted_another"):
            verifier.verify(mint(GOALS, other, NOW), "olm", NOW)


def test_the_gate_speaks_for_itself_and_for_tools_never_as_a_person(verifier: Verifier) -> None:
    itself = Actor(service_id("gate"), ActorKind.SERVICE, "olm", "gate")
    tool = Actor(uuid4(), ActorKind.TOOL, "olm", "gate")
    for allowed in (itself, tool, replace(tool, on_behalf_of=uuid4())):
        assert verifier.verify(mint(GATE, allowed, NOW), "olm", NOW) == allowed
    for other in (
        replace(tool, kind=ActorKind.PERSON),
        replace(tool, kind=ActorKind.OPERATOR),
        replace(itself, id=service_id("network")),
        replace(tool, operator="cli"),
    ):
        with pytest.raises(BadToken, match="gate_minted_another"):
            verifier.verify(mint(GATE, other, NOW), "olm", NOW)
