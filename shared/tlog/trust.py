"""What a verifier believes from elsewhere: the public key of the logs, and whose cosignatures are enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from shared.tlog.cosignature import cosigned
from shared.tlog.note import BadNote, Checkpoint, split, verifier_key, verify
from shared.tlog.policy import BadPolicy, Policy


class Untrusted(Exception):
    """What should be believed cannot be read; the text says which file."""


@dataclass(frozen=True, slots=True)
class Trust:
    """One key signs the logs of all schools of a foundation; each log has a name of its own."""

    log: Ed25519PublicKey
    policy: Policy

    def of_log(self, note: str, origin: str | None = None) -> Checkpoint:
        """Returns the checkpoint that the log signed; raises BadNote. Without `origin`, of whichever log it says."""
        named = split(note)[0].partition("\n")[0]
        if origin is not None and named != origin:
            raise BadNote(f"it is of the log {named}, not of {origin}")
        return verify(note, verifier_key(named, self.log))

    def checked(self, note: str, origin: str | None = None) -> tuple[Checkpoint, Mapping[str, int]]:
        """Returns the checkpoint and when each known witness signed it; raises BadNote when too few did."""
        checkpoint = self.of_log(note, origin)
        signers = cosigned(note, self.policy.keys)
        if not self.policy.met(signers):
            raise BadNote(f"too few witnesses signed: {', '.join(signers) or 'none of those in the policy'}")
        return checkpoint, signers


def read_log_key(path: Path) -> Ed25519PublicKey:
    """Reads the public half of a log's key (PEM); raises Untrusted."""
    return log_key_in(_content(path), str(path))


def log_key_in(content: bytes, where: str) -> Ed25519PublicKey:
    """Returns the public key in a PEM; raises Untrusted, naming `where` it came from."""
    try:
        key = load_pem_public_key(content)
    except ValueError as error:
        msg = f"{where} cannot be read as a public key ({error}): name audit-log.pub.pem"
        raise Untrusted(msg) from None
    if not isinstance(key, Ed25519PublicKey):
        msg = f"{where} holds a public key of another kind: name audit-log.pub.pem"
        raise Untrusted(msg)
    return key


def pem_of(key: Ed25519PublicKey) -> bytes:
    """Returns a public key as it is given to others."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def read_policy(path: Path) -> Policy:
    """Reads a policy file; raises Untrusted."""
    return policy_in(_content(path), str(path))


def policy_in(content: bytes, where: str) -> Policy:
    """Returns the policy in a file's content; raises Untrusted, naming `where` it came from."""
    try:
        return Policy.parse(content.decode())
    except (ValueError, BadPolicy) as error:
        msg = f"{where} cannot be read as a policy of witnesses: {error}"
        raise Untrusted(msg) from None


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Untrusted(str(error)) from None
