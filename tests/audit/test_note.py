from __future__ import annotations

from base64 import b64decode, b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from shared.tlog.note import BadNote, Checkpoint, key_id, origin, sign, verifier_key, verify

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
NAME = origin("wijzer", "de-eik")
VERIFIER = verifier_key(NAME, KEY.public_key())
CHECKPOINT = Checkpoint(NAME, 17, b"r" * 32)


def test_a_note_is_laid_out_as_c2sp_says() -> None:
    text, blank, signature, end = sign(CHECKPOINT, KEY).rsplit("\n", 3)
    assert text == f"samenkracht/wijzer/de-eik\n17\n{b64encode(b'r' * 32).decode()}"
    assert (blank, end) == ("", "")
    dash, name, encoded = signature.split(" ")
    assert (dash, name) == ("\u2014", NAME)
    blob = b64decode(encoded)
    assert len(blob) == 4 + 64
    KEY.public_key().verify(blob[4:], (text + "\n").encode())


def test_the_key_id_is_that_of_a_known_verifier_key() -> None:
    # The Go checksum database's published key: name, id and key stand in one line.
    name, shown, encoded = "sum.golang.org", "033de0ae", "Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
    assert key_id(name, b64decode(encoded)[1:]).hex() == shown


def test_what_was_signed_is_read_back() -> None:
    assert verify(sign(CHECKPOINT, KEY), VERIFIER) == CHECKPOINT


def test_signing_again_gives_the_same_note() -> None:
    assert sign(CHECKPOINT, KEY) == sign(CHECKPOINT, KEY)


def test_a_witness_signature_is_passed_over() -> None:
    note = sign(CHECKPOINT, KEY)
    text, _, ours = note.rpartition("\n\n")
    witness = f"\u2014 witness {b64encode(b'w' * 76).decode()}\n"
    assert verify(f"{text}\n\n{witness}{ours}", VERIFIER) == CHECKPOINT


def test_extension_lines_are_allowed() -> None:
    text = CHECKPOINT.text + "more\n"
    signature = b64encode(key_id(NAME, KEY.public_key().public_bytes_raw()) + KEY.sign(text.encode())).decode()
    assert verify(f"{text}\n\u2014 {NAME} {signature}\n", VERIFIER) == CHECKPOINT


@given(st.integers(0, 200), st.integers(1, 255))
def test_a_changed_byte_is_refused(place: int, by: int) -> None:
    data = bytearray(sign(CHECKPOINT, KEY).encode())
    data[place % len(data)] ^= by
    with pytest.raises((BadNote, UnicodeDecodeError)):
        verify(data.decode(), VERIFIER)


@given(st.text(max_size=200))
def test_anything_else_is_refused_by_name(note: str) -> None:
    with pytest.raises(BadNote):
        verify(note, VERIFIER)


def test_another_key_or_another_log_is_refused() -> None:
    other = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
    for forged in (sign(CHECKPOINT, other), sign(Checkpoint(origin("wijzer", "de-es"), 17, b"r" * 32), KEY)):
        with pytest.raises(BadNote, match="not signed by"):
            verify(forged, VERIFIER)


def test_a_log_cannot_speak_for_another_under_its_own_key_name() -> None:
    text = Checkpoint("samenkracht/wijzer/de-es", 17, b"r" * 32).text
    signature = b64encode(key_id(NAME, KEY.public_key().public_bytes_raw()) + KEY.sign(text.encode())).decode()
    with pytest.raises(BadNote, match="the checkpoint is of"):
        verify(f"{text}\n\u2014 {NAME} {signature}\n", VERIFIER)


@pytest.mark.parametrize(
    "text", ["a\n017\nAA==\n", "a\n-1\nAA==\n", "a\n1\nAA==\n", "a\n\u0661\nAA==\n", "\n1\nAA==\n", "a\n1"]
)
def test_a_malformed_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(BadNote):
        Checkpoint.parse(text)
