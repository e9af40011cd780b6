"""Checkpoints as C2SP signed notes (c2sp.org/signed-note, c2sp.org/tlog-checkpoint) with Ed25519. Pure.

<origin>
<size>
<root, base64>

— <key name> <base64 of key id and signature>
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519 = b"\x01"
COSIGNATURE = b"\x04"
"""Kinds of signatures: of a log (signed-note), and of a witness (tlog-cosignature)."""
MARK = "\N{EM DASH} "


class BadNote(Exception):
    """The note proves nothing; the text says why."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log says of itself: so many lines, under this root."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The text that is signed, its last newline included."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads a checkpoint's text; raises BadNote. Extension lines are allowed and ignored."""
        lines = text.split("\n")
        if len(lines) < 4 or not lines[0]:
            raise BadNote("a checkpoint has three lines")
        origin, size, root = lines[:3]
        hashed = decoded(root)
        if len(hashed) != 32:
            raise BadNote("the root is no SHA-256")
        return cls(origin, plain_number(size), hashed)


def origin(foundation: str, school: str) -> str:
    """Returns a school's log's name: the first line of its checkpoints, and the name of its key."""
    return f"samenkracht/{foundation}/{school}"


def key_id(name: str, public: bytes, kind: bytes = ED25519) -> bytes:
    """Returns the four bytes by which a signature names its key."""
    return sha256(name.encode() + b"\n" + kind + public).digest()[:4]


def verifier_key(name: str, public: Ed25519PublicKey, kind: bytes = ED25519) -> str:
    """Returns the public key in the form that other tools take it: `<name>+<id>+<key>`."""
    raw = public.public_bytes_raw()
    return f"{name}+{key_id(name, raw, kind).hex()}+{b64encode(kind + raw).decode()}"


def sign(checkpoint: Checkpoint, key: Ed25519PrivateKey, *older: Ed25519PrivateKey) -> str:
    """Returns the note, signed by the key, and by older ones that it takes over from; the same give the same note."""
    name, text = checkpoint.origin, checkpoint.text
    lines = []
    for one in (key, *older):
        signature = key_id(name, one.public_key().public_bytes_raw()) + one.sign(text.encode())
        lines.append(f"{MARK}{name} {b64encode(signature).decode()}\n")
    return f"{text}\n{''.join(lines)}"


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line of a note."""

    name: str
    key_id: bytes
    blob: bytes

    @property
    def signer(self) -> str:
        """Which key it says it is by: `<name>+<key id>`. A name alone may be that of two keys."""
        return f"{self.name}+{self.key_id.hex()}"

    @property
    def line(self) -> str:
        """The line, its newline included."""
        return f"{MARK}{self.name} {b64encode(self.key_id + self.blob).decode()}\n"


@dataclass(frozen=True, slots=True)
class NamedKey:
    """A public key with its name and what its signatures are (`kind`: ED25519 or COSIGNATURE)."""

    name: str
    kind: bytes
    raw: bytes

    @property
    def id(self) -> bytes:
        """The four bytes by which its signatures name it."""
        return key_id(self.name, self.raw, self.kind)

    @property
    def signer(self) -> str:
        """What its signatures are known by: `<name>+<key id>`."""
        return f"{self.name}+{self.id.hex()}"

    @property
    def text(self) -> str:
        """The key as it is given to others: `<name>+<id>+<key>`."""
        return f"{self.signer}+{b64encode(self.kind + self.raw).decode()}"

    def signed(self, signature: Signature) -> bool:
        """Tells whether the signature names this key; that is no proof yet."""
        return signature.signer == self.signer

    @classmethod
    def parse(cls, text: str, kind: bytes = ED25519) -> Self:
        """Reads `<name>+<id>+<key>`; raises BadNote when it is not a key of that kind."""
        name, _, rest = text.partition("+")
        shown, _, encoded = rest.partition("+")
        key = decoded(encoded)
        if not name or key[:1] != kind or len(key) != 33 or key_id(name, key[1:], kind).hex() != shown:
            raise BadNote("the verifier key is malformed")
        return cls(name, kind, key[1:])


def split(note: str) -> tuple[str, list[Signature]]:
    """Returns a note's text, as it was signed, and its signatures, nothing of it checked; raises BadNote."""
    text, separator, lines = note.rpartition("\n\n")
    if not separator or not lines.endswith("\n"):
        raise BadNote("no signatures")
    if any(sign < " " and sign != "\n" for sign in note):
        raise BadNote("a control character")
    found = []
    for line in lines[:-1].split("\n"):
        signer, _, signature = line.removeprefix(MARK).partition(" ")
        blob = decoded(signature)
        if not line.startswith(MARK) or not signer or len(blob) < 5:
            raise BadNote("a signature line is malformed")
        found.append(Signature(signer, blob[:4], blob[4:]))
    return text + "\n", found


def verify(note: str, verifier: str) -> Checkpoint:
    """Returns the checkpoint in a note that the verifier key signed, for a log of that key's name; raises BadNote.

    Signatures by other keys (witnesses) are passed over.
    """
    key = NamedKey.parse(verifier)
    text, signatures = split(note)
    for signature in signatures:
        if key.signed(signature):
            return _checked(text, signature.blob, key)
    raise BadNote(f"not signed by {key.name}")


def holds(key: NamedKey, signature: bytes, message: bytes) -> bool:
    """Tells whether these 64 bytes are the key's Ed25519 signature over the message."""
    try:
        Ed25519PublicKey.from_public_bytes(key.raw).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _checked(text: str, signature: bytes, key: NamedKey) -> Checkpoint:
    if not holds(key, signature, text.encode()):
        raise BadNote(f"the signature of {key.name} does not fit the text")
    checkpoint = Checkpoint.parse(text)
    if checkpoint.origin != key.name:
        raise BadNote(f"the checkpoint is of {checkpoint.origin}, the key of {key.name}")
    return checkpoint


def plain_number(text: str) -> int:
    """Returns a decimal number without sign and leading zeroes; raises BadNote."""
    if not (text.isascii() and text.isdecimal()) or (text != "0" and text.startswith("0")) or len(text) > 19:
        raise BadNote("not a plain number")
    return int(text)


def decoded(text: str) -> bytes:
    """Returns what the base64 text stands for (RFC 4648, section 4, the one form of it); raises BadNote."""
    try:
        found = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadNote("not base64") from None
    if b64encode(found).decode() != text:
        raise BadNote("not base64 as it is written")
    return found
