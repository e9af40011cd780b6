"""What notifications seals and signs with one secret of its own: links that name nobody, bounces, outlets' URLs.

From the secret a key is derived for each use (HKDF, RFC 5869), so that what is made for one opens nothing of another.
"""

from __future__ import annotations

import base64
import hmac
import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SHORTEST = 32
NONCE = 12
MARK = 10
RETURN = re.compile(r"\+([a-z2-7]{42})@")


class BadSeal(Exception):
    """What was shown was not made here, or for another use."""


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys derived from one secret."""

    secret: bytes

    @classmethod
    def load(cls, path: Path) -> Keyring:
        """Reads the secret; raises ValueError when it is too short to be one."""
        secret = path.read_bytes().strip()
        if len(secret) < SHORTEST:
            msg = f"{path} holds no secret of {SHORTEST} bytes: make one with `samen up` or deploy/keys.py"
            raise ValueError(msg)
        return cls(secret)

    def _key(self, use: str) -> bytes:
        return HKDF(SHA256(), 32, salt=None, info=f"samenkracht notifications {use}".encode()).derive(self.secret)

    def seal(self, use: str, text: str, seed: bytes, bound: str = "") -> str:
        """Returns `text` sealed (AES-256-GCM), in letters that fit into a URL.

        The nonce follows from `seed` and the text: the same twice is the same seal, so that a mail that is sent again
        is the same mail. `bound` is what it belongs to; it opens only together with that.
        """
        nonce = hmac.digest(self._key(f"{use} nonce"), seed + b"\0" + text.encode(), sha256)[:NONCE]
        sealed = nonce + AESGCM(self._key(use)).encrypt(nonce, text.encode(), bound.encode())
        return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def open(self, use: str, sealed: str, bound: str = "") -> str:
        """Returns what was sealed for this use; raises BadSeal."""
        try:
            raw = base64.b64decode(sealed + "=" * (-len(sealed) % 4), altchars=b"-_", validate=True)
            return AESGCM(self._key(use)).decrypt(raw[:NONCE], raw[NONCE:], bound.encode()).decode()
        except (ValueError, InvalidTag):
            raise BadSeal(use) from None

    def return_path(self, mailbox: str, letter: UUID) -> str:
        """Returns the address that a letter comes back to when it can't be delivered: whoever got no letter of ours
        can make none, so nobody else can have an address stopped.
        """
        local, _, domain = mailbox.rpartition("@")
        mark = base64.b32encode(letter.bytes + self._mark(letter)).rstrip(b"=").decode().lower()
        return f"{local}+{mark}@{domain}"

    def returned(self, address: str) -> UUID | None:
        """Returns the letter that an address of `return_path` is of; None: it is none."""
        found = RETURN.search(address.lower())
        if found is None:
            return None
        text = found[1].upper()
        raw = base64.b32decode(text + "=" * (-len(text) % 8))
        letter = UUID(bytes=raw[:16])
        return letter if hmac.compare_digest(raw[16:], self._mark(letter)) else None

    def _mark(self, letter: UUID) -> bytes:
        return hmac.digest(self._key("bounce"), letter.bytes, sha256)[:MARK]


def digest_of(salt: str, target: str) -> str:
    """Returns what is kept of an address that is stopped: salted, so that it can't be guessed from a list."""
    return sha256(f"{salt}\0{target.strip().lower()}".encode()).hexdigest()
