"""What a verifier believes from elsewhere: the public keys of the logs, and whose cosignatures are enough.

The file of the logs' keys holds the key that signs now as PEM, then those that signed before, each behind a line that
says until when:

    -----BEGIN PUBLIC KEY----- ...
    # retires 2027-01-01T00:00:00Z
    -----BEGIN PUBLIC KEY----- ...
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from shared.tlog.cosignature import cosigned
from shared.tlog.note import ED25519, BadNote, Checkpoint, NamedKey, split, verifier_key, verify
from shared.tlog.policy import BadPolicy, Policy

BLOCK = re.compile(rb"(.*?)(-----BEGIN [A-Z ]+-----.*?-----END [A-Z ]+-----\n?)", re.DOTALL)
RETIRES = re.compile(rb"^# retires (\S+)$", re.MULTILINE)


class Untrusted(Exception):
    """What should be believed cannot be read; the text says which file."""


class Retired(NamedTuple):
    """A key that signed before: what it alone signed counts if it was there before `until` (seconds since 1970)."""

    key: Ed25519PublicKey
    until: int


class LogKeys(NamedTuple):
    """The key that signs now, and those before it, newest first."""

    current: Ed25519PublicKey
    retired: tuple[Retired, ...] = ()


@dataclass(frozen=True, slots=True)
class Trust:
    """One key signs the logs of all schools of a foundation; each log has a name of its own."""

    log: Ed25519PublicKey
    policy: Policy
    retired: tuple[Retired, ...] = ()

    def of_log(
        self, note: str, origin: str | None = None, *, now_s: float | None = None, contained: bool = False
    ) -> Checkpoint:
        """Returns the checkpoint that the log signed; raises BadNote. Without `origin`, of whichever log it says.

        What only a retired key signed counts within its period: as witnesses show who signed it by then (as many as the
        policy asks, at least one), as it is `now_s`, or if its reader holds it against a newer one (`contained`).
        """
        text, signatures = split(note)
        named = text.partition("\n")[0]
        if origin is not None and named != origin:
            raise BadNote(f"it is of the log {named}, not of {origin}")
        by = [one for one in self.retired if any(_key_of(named, one.key).signed(s) for s in signatures)]
        older = [verify(note, verifier_key(named, one.key)) for one in by]
        if not older or any(_key_of(named, self.log).signed(s) for s in signatures):
            return verify(note, verifier_key(named, self.log))
        until = max(one.until for one in by)
        if contained or (now_s is not None and now_s < until) or self._shown_before(note, until):
            return older[0]
        day = datetime.fromtimestamp(until, UTC).date()
        how = "" if self.policy.keys else ": give the policy of the witnesses (--policy), as you got it another way"
        raise BadNote(f"its key was retired on {day}, and no witness shows that it was signed before{how}")

    @property
    def keys(self) -> tuple[Ed25519PublicKey, ...]:
        """The key that signs now, and those before it."""
        return (self.log, *(one.key for one in self.retired))

    def _shown_before(self, note: str, until: int) -> bool:
        before = {signer: at for signer, at in cosigned(note, self.policy.keys).items() if at < until}
        return bool(before) and self.policy.met(before)

    def checked(self, note: str, origin: str | None = None) -> tuple[Checkpoint, Mapping[str, int]]:
        """Returns the checkpoint and when each known witness signed it; raises BadNote when too few did."""
        checkpoint = self.of_log(note, origin)
        signers = cosigned(note, self.policy.keys)
        if not self.policy.met(signers):
            raise BadNote(f"too few witnesses signed: {', '.join(signers) or 'none of those in the policy'}")
        return checkpoint, signers


def read_log_key(path: Path) -> Ed25519PublicKey:
    """Reads the public half of the key that signs the logs now; raises Untrusted."""
    return read_log_keys(path).current


def read_log_keys(path: Path) -> LogKeys:
    """Reads the public halves of a log's keys; raises Untrusted."""
    return log_keys_in(_content(path), str(path))


def log_keys_in(content: bytes, where: str) -> LogKeys:
    """Returns the public keys in a file's content; raises Untrusted, naming `where` it came from."""
    first, *others = BLOCK.findall(content) or [(b"", content)]
    retired = tuple(Retired(_key(block, where), _until(head, where)) for head, block in others)
    return LogKeys(_key(first[1], where), retired)


def log_keys_text(keys: LogKeys) -> bytes:
    """Returns the keys as they are given to others: what `log_keys_in` reads."""
    parts = [pem_of(keys.current)]
    for key, until in keys.retired:
        parts.append(f"# retires {datetime.fromtimestamp(until, UTC):%Y-%m-%dT%H:%M:%SZ}\n".encode() + pem_of(key))
    return b"".join(parts)


def _key_of(origin: str, key: Ed25519PublicKey) -> NamedKey:
    return NamedKey(origin, ED25519, key.public_bytes_raw())


def _until(head: bytes, where: str) -> int:
    found = RETIRES.search(head)
    try:
        if found is not None:
            return int(datetime.fromisoformat(found[1].decode()).timestamp())
    except ValueError:
        pass
    msg = f"{where} does not say until when an older key signed: take the file as it was given"
    raise Untrusted(msg)


def _key(content: bytes, where: str) -> Ed25519PublicKey:
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
        raise Untrusted(f"{path} can't be read ({error.strerror}): check the path") from None
