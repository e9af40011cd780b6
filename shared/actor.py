"""Who asks: actor tokens, minted by the doors, verified in every service (EdDSA JWT, RFC 7519 and RFC 8037)."""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from math import inf
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from shared.events.words import NAMESPACE, ActorKind

AUDIENCE = "samenkracht"
LONGEST = timedelta(minutes=5)
LEEWAY_S = 2
EVERY_SCHOOL = "-"
"""The school that an operator's token for operations names: none."""
CACHE_SIZE = 10_000
OPERATOR = re.compile(r"[A-Za-z0-9._:-]{1,64}")
"""It goes into events as it is: a pseudonym, never free text."""


class BadToken(Exception):
    """The token proves nothing. The text is a code for the operators' log; the caller only learns `forbidden`."""


@dataclass(frozen=True, slots=True)
class Actor:
    """A verified caller, within one school.

    `id` is the person's, tool's or service's pseudonym; `door` the key that minted the token; `operator` the person at
    the keyboard when a door acts for someone (`samen`).
    """

    id: UUID
    kind: ActorKind
    school: str
    door: str
    operator: str | None = None
    on_behalf_of: UUID | None = None


class OtherSchool(BadToken):
    """The token is good, but of another school: `actor` is who came to the wrong door."""

    def __init__(self, actor: Actor) -> None:
        super().__init__("other_school")
        self.actor = actor


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A door's or service's private key; `kid` names it."""

    kid: str
    private: Ed25519PrivateKey

    @classmethod
    def load(cls, path: Path) -> SigningKey:
        """Reads a PEM file; the file's stem is the key id."""
        key = load_pem_private_key(path.read_bytes(), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            msg = f"{path} holds no Ed25519 private key: make one with `samen up` or deploy/keys.py"
            raise TypeError(msg)
        return cls(path.stem, key)


def mint(
    key: SigningKey,
    actor: Actor,
    now: datetime,
    *,
    lives: timedelta = LONGEST,
) -> str:
    """Returns a token for `actor`, valid from `now` for `lives` (at most five minutes)."""
    claims: dict[str, object] = {
        "iss": key.kid,
        "aud": AUDIENCE,
        "sub": str(actor.id),
        "kind": actor.kind.value,
        "school": actor.school,
        "iat": int(now.timestamp()),
        "exp": int((now + min(lives, LONGEST)).timestamp()),
    }
    if actor.operator is not None:
        claims["act"] = {"sub": actor.operator}
    if actor.on_behalf_of is not None:
        claims["obo"] = str(actor.on_behalf_of)
    return jwt.encode(claims, key.private, algorithm="EdDSA", headers={"kid": key.kid})


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A public key and what its owner may mint: a door anyone, a service only itself, the gate itself and tools.

    A tool may act on behalf of a person; none of the gate's tokens names an operator. `older` are those that it takes
    over from, each with until when it still counts (seconds since 1970).
    """

    kind: str
    public: Ed25519PublicKey
    older: tuple[tuple[Ed25519PublicKey, int], ...] = ()

    def good(self, now_s: float) -> list[tuple[Ed25519PublicKey, float]]:
        """Returns the keys that count now, the newest first, each with until when."""
        return [(self.public, inf), *((key, until) for key, until in self.older if now_s < until)]


def load_trusted(path: Path) -> dict[str, TrustedKey]:
    """Reads `trusted.json`: key id to kind (`door`, `gate`, `service`), public PEM, and those before with their end."""
    trusted = {}
    for kid, entry in json.loads(path.read_text()).items():
        older = tuple((_public(one["public_pem"], kid, path), int(one["until"])) for one in entry.get("older", ()))
        trusted[kid] = TrustedKey(entry["kind"], _public(entry["public_pem"], kid, path), older)
    return trusted


def _public(pem: str, kid: str, path: Path) -> Ed25519PublicKey:
    public = load_pem_public_key(pem.encode())
    if not isinstance(public, Ed25519PublicKey):
        msg = f"key {kid} in {path} is not Ed25519"
        raise TypeError(msg)
    return public


Renewed = Callable[[], dict[str, TrustedKey] | None]


class Verifier:
    """Verifies tokens; remembers good ones by hash until they expire, at most `CACHE_SIZE`.

    `renewed` gives the trusted keys if they have changed since they were read: asked when a token proves nothing.
    """

    def __init__(self, trusted: dict[str, TrustedKey], renewed: Renewed | None = None) -> None:
        self._trusted = trusted
        self._renewed = renewed
        self._seen: OrderedDict[bytes, tuple[Actor, float]] = OrderedDict()

    def trust(self, trusted: dict[str, TrustedKey]) -> None:
        """Takes other keys into use; what the earlier ones proved is proved anew."""
        self._trusted = trusted
        self._seen.clear()

    def verify(self, token: str, school: str, now: datetime) -> Actor:
        """Returns the actor that `token` proves within `school`, or raises BadToken."""
        digest = sha256(token.encode("utf-8", "surrogatepass")).digest()
        known = self._seen.get(digest)
        if known is None:
            known = self._proved(token, now)
            self._seen[digest] = known
            if len(self._seen) > CACHE_SIZE:
                self._seen.popitem(last=False)
        actor, expires = known
        if now.timestamp() >= expires:
            self._seen.pop(digest, None)
            raise BadToken("expired")
        if actor.school == school:
            return actor
        raise BadToken("every_school") if actor.school == EVERY_SCHOOL else OtherSchool(actor)

    def _proved(self, token: str, now: datetime) -> tuple[Actor, float]:
        try:
            return self._check(token, now)
        except BadToken:  # by a key that was taken into use a moment ago?
            renewed = self._renewed() if self._renewed is not None else None
            if renewed is None:
                raise
        self.trust(renewed)
        return self._check(token, now)

    def _check(self, token: str, now: datetime) -> tuple[Actor, float]:
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            trusted = self._trusted.get(kid) if isinstance(kid, str) else None
            if trusted is None:
                raise BadToken("unknown_key")
            claims, until = _claims(token, str(kid), trusted, now)
            issued, expires = float(claims["iat"]), float(claims["exp"])
            actor = _actor(str(kid), claims)
        except (jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise BadToken(f"unreadable:{type(error).__name__}") from None
        if issued > now.timestamp() + LEEWAY_S or expires - issued > LONGEST.total_seconds():
            raise BadToken("bad_lifetime")
        itself = actor == replace(actor, id=service_id(str(kid)), kind=ActorKind.SERVICE)
        if trusted.kind == "gate" and not itself and (actor.kind is not ActorKind.TOOL or actor.operator is not None):
            raise BadToken("gate_minted_another")
        if trusted.kind not in {"door", "gate"} and not itself:
            raise BadToken("service_minted_another")
        return actor, min(expires, until)


def _claims(token: str, kid: str, trusted: TrustedKey, now: datetime) -> tuple[dict[str, Any], float]:
    """Returns what a token says, and until when the key counts that it is by; raises as PyJWT does."""
    *others, last = trusted.good(now.timestamp())
    for public, until in others:
        with suppress(jwt.InvalidSignatureError):
            return _decoded(token, kid, public), until
    return _decoded(token, kid, last[0]), last[1]


def _decoded(token: str, kid: str, public: Ed25519PublicKey) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(
        token,
        public,
        algorithms=["EdDSA"],
        audience=AUDIENCE,
        issuer=kid,
        options={"require": ["iss", "aud", "sub", "iat", "exp"], "verify_exp": False, "verify_iat": False},
    )
    return claims


def _actor(kid: str, claims: dict[str, object]) -> Actor:
    act = claims.get("act")
    behalf = claims.get("obo")
    operator = str(act["sub"]) if isinstance(act, dict) else None
    if operator is not None and not OPERATOR.fullmatch(operator):
        raise ValueError("operator")
    return Actor(
        id=UUID(str(claims["sub"])),
        kind=ActorKind(str(claims["kind"])),
        school=str(claims["school"]),
        door=kid,
        operator=operator,
        on_behalf_of=UUID(str(behalf)) if behalf is not None else None,
    )


def taken_over(path: Path) -> Path | None:
    """Returns the file of the key that the one in `path` takes over from, if it lies beside it (`<name>.old.pem`)."""
    old = path.with_name(f"{path.stem}.old.pem")
    return old if old.exists() else None


def service_id(name: str) -> UUID:
    """Returns the fixed actor id of a service (UUIDv5, so that every service knows every other's)."""
    return uuid5(NAMESPACE, f"service:{name}")
