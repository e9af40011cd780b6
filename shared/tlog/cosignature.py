"""Cosignatures of witnesses (c2sp.org/tlog-cosignature, Ed25519: `cosignature/v1`). Pure.

A cosignature says: of this log, this is the largest tree that I have seen, and all that I saw before is its beginning.
"""

from __future__ import annotations

from collections.abc import Iterable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from shared.tlog.note import COSIGNATURE, BadNote, NamedKey, Signature, holds, split, verifier_key

LATEST = 2**63 - 1


def witness_name(witness: str) -> str:
    """Returns the name of the key of a witness that a deployment of ours runs; its id tells deployments apart."""
    return f"samenkracht/witness/{witness}"


def witness_key(name: str, public: Ed25519PublicKey) -> str:
    """Returns a witness's public key as policies take it: `<name>+<id>+<key>`."""
    return verifier_key(name, public, COSIGNATURE)


def cosign(text: str, name: str, key: Ed25519PrivateKey, at: int) -> Signature:
    """Returns the witness's signature over a checkpoint's text; `at` is in seconds since 1970."""
    named = NamedKey(name, COSIGNATURE, key.public_key().public_bytes_raw())
    return Signature(name, named.id, at.to_bytes(8, "big") + key.sign(_message(text, at)))


def check(text: str, signature: Signature, key: NamedKey) -> int:
    """Returns when the witness signed this text, in seconds since 1970; raises BadNote when it did not."""
    at = int.from_bytes(signature.blob[:8], "big")
    if len(signature.blob) != 72 or at > LATEST or not holds(key, signature.blob[8:], _message(text, at)):
        raise BadNote(f"the cosignature of {key.name} does not fit the text")
    return at


def cosigned(note: str, witnesses: Iterable[NamedKey]) -> dict[str, int]:
    """Returns when each of these witnesses signed the note, by its `<name>+<key id>`.

    Raises BadNote when one that it names did not. Signatures by other keys are passed over.
    """
    text, signatures = split(note)
    known = {key.signer: key for key in witnesses}
    return {
        signature.signer: check(text, signature, key)
        for signature in signatures
        if (key := known.get(signature.signer)) is not None
    }


def _message(text: str, at: int) -> bytes:
    return f"cosignature/v1\ntime {at}\n{text}".encode()
