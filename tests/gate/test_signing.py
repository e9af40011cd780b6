"""What we sign, another's library verifies; and nobody who has one secret less."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook, WebhookVerificationError

from services.gate.signing import Key, make_secret, shown, signed
from shared.events.gate import WebhookScheme as Scheme

BODY = '{"type":"x","é":1}'.encode()
OLD, NEW = (make_secret(Scheme.HMAC, sha256(name).digest()) for name in (b"old", b"new"))
PAIR = make_secret(Scheme.ED25519, sha256(b"pair").digest())


def now() -> datetime:
    return datetime.now(UTC)


def test_an_independent_library_verifies_what_we_sign_and_refuses_what_was_changed() -> None:
    headers = signed([Key(NEW)], "0a1b", now(), BODY)
    Webhook(shown(NEW)).verify(BODY, headers)
    for changed in ({"webhook-id": "0a1c"}, {"webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)}):
        with pytest.raises(WebhookVerificationError):
            Webhook(NEW).verify(BODY, headers | changed)
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW).verify(BODY + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD).verify(BODY, headers)


def test_the_example_of_the_specification_comes_out_as_it_stands_there() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    at = datetime.fromtimestamp(1614265330, UTC)
    headers = signed([Key(secret)], "msg_p5jXN8AQM9LWM0D4loKWxJek", at, b'{"test": 2432232314}')
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_while_a_key_is_replaced_both_sign_and_afterwards_the_new_one_alone() -> None:
    at = now()
    keys = [Key(OLD, at + timedelta(seconds=10)), Key(NEW), Key(PAIR)]
    during = signed(keys, "m", at, BODY)
    assert [one.split(",")[0] for one in during["webhook-signature"].split()] == ["v1", "v1", "v1a"]
    for secret in (OLD, NEW):
        Webhook(secret).verify(BODY, during)
    after = signed(keys, "m", at + timedelta(seconds=10), BODY)
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD).verify(BODY, after)
    Webhook(NEW).verify(BODY, after)
    with pytest.raises(ValueError, match="no key"):
        signed(keys[:1], "m", at + timedelta(seconds=10), BODY)


def test_the_public_half_verifies_an_ed25519_signature_and_tells_nothing_of_the_private_one() -> None:
    headers = signed([Key(PAIR)], "m", now(), BODY)
    public = shown(PAIR)
    assert public.startswith("whpk_")
    assert PAIR.removeprefix("whsk_") not in public
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public.removeprefix("whpk_")))
    scheme, _, raw = headers["webhook-signature"].partition(",")
    content = f"m.{headers['webhook-timestamp']}.".encode() + BODY
    key.verify(base64.b64decode(raw), content)
    assert scheme == "v1a"
    with pytest.raises(InvalidSignature):
        key.verify(base64.b64decode(raw), content + b" ")


def test_a_secret_needs_its_random_bytes_and_shows_up_in_no_log() -> None:
    with pytest.raises(ValueError, match="32 random bytes"):
        make_secret(Scheme.HMAC, b"short")
    assert NEW.removeprefix("whsec_") not in repr(Key(NEW))
