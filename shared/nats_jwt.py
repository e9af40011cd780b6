"""Signs the JWTs of NATS operator mode in plain Python: operator, accounts, users.

The format is NATS JWT version 2 (nats-io/jwt): header `ed25519-nkey`, claims with a `nats` part, `jti` the base32 of
the claims' SHA-512/256, signed by the issuer's nkey. `iat` is an argument: a server ignores a re-push that is
byte-identical and takes the newest otherwise.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import nkeys

OPERATOR = nkeys.PREFIX_BYTE_OPERATOR
ACCOUNT = nkeys.PREFIX_BYTE_ACCOUNT
USER = nkeys.PREFIX_BYTE_USER

Json = dict[str, Any]


def new_seed(prefix: int, random_32: bytes) -> bytes:
    """Return the seed of a new key of the given kind from 32 random bytes."""
    seed: bytes = nkeys.encode_seed(random_32, prefix)
    return seed


def public_key(seed: bytes) -> str:
    """Return the public name of the key that `seed` makes."""
    name: bytes = nkeys.from_seed(seed).public_key
    return name.decode()


def sign(issuer_seed: bytes, subject: str, name: str, nats: Json, issued_at: int, expires_at: int | None = None) -> str:
    """Return a signed JWT about `subject` whose NATS part is `nats`; times in seconds, without an end if none is given.

    A server cuts a user's connection at its JWT's end.
    """
    issuer = nkeys.from_seed(issuer_seed)
    claims: Json = {
        "iat": issued_at,
        "iss": issuer.public_key.decode(),
        "name": name,
        "nats": nats,
        "sub": subject,
    }
    if expires_at is not None:
        claims["exp"] = expires_at
    claims["jti"] = base64.b32encode(_sha512_256(_compact(claims))).decode().rstrip("=")
    head = _b64(_compact({"typ": "JWT", "alg": "ed25519-nkey"}))
    body = f"{head}.{_b64(_compact(claims))}"
    return f"{body}.{_b64(issuer.sign(body.encode()))}"


def operator_claims(system_account: str) -> Json:
    """Return the NATS part of an operator's JWT."""
    return {"type": "operator", "version": 2, "system_account": system_account}


def account_claims(
    *,
    jetstream: bool,
    exports: Sequence[Json] = (),
    imports: Sequence[Json] = (),
    limits: Mapping[str, int] | None = None,
    signing_keys: Sequence[str | Json] = (),
    revocations: Mapping[str, int] | None = None,
) -> Json:
    """Return the NATS part of an account's JWT; without `jetstream` it can hold no stream.

    `limits` (subs, payload, conn, leaf ...) narrow the account, which has none otherwise. `signing_keys` may sign its
    users: a public key, or a `scope`. `revocations` {user or "*": seconds} refuse and cut users issued by then.
    """
    unlimited = -1
    bounds: Json = {
        "subs": unlimited, "data": unlimited, "payload": unlimited, "conn": unlimited, "leaf": 0,
        "imports": unlimited, "exports": unlimited, "wildcards": True,
    }  # fmt: skip
    if jetstream:
        bounds |= {"mem_storage": unlimited, "disk_storage": unlimited, "streams": unlimited,
                   "consumer": unlimited}  # fmt: skip
    claims: Json = {"type": "account", "version": 2, "limits": bounds | dict(limits or {})}
    if exports:
        claims["exports"] = list(exports)
    if imports:
        claims["imports"] = list(imports)
    if signing_keys:
        claims["signing_keys"] = list(signing_keys)
    if revocations:
        claims["revocations"] = dict(revocations)
    return claims


def user_claims(publish: Sequence[str], subscribe: Sequence[str]) -> Json:
    """Return the NATS part of a user's JWT; what is not listed is refused. Never `allow_responses`."""
    return {"type": "user", "version": 2} | permitted(publish, subscribe)


def permitted(publish: Sequence[str], subscribe: Sequence[str], *, subs: int = -1, payload: int = -1) -> Json:
    """Return permissions and limits as a user's claims and a scope's template hold them."""
    allowed = {"pub": {"allow": list(publish)}, "sub": {"allow": list(subscribe)}}
    return allowed | {"subs": subs, "data": -1, "payload": payload}


def scope(key: str, role: str, template: Json) -> Json:
    """Return a signing key that gives each user it signs exactly what `template` (of `permitted`) permits."""
    return {"kind": "user_scope", "key": key, "role": role, "template": template}


def scoped_user_claims(account: str) -> Json:
    """Return the NATS part of a user of `account` signed by a scope's key: a permission of its own would be refused."""
    return {"type": "user", "version": 2, "issuer_account": account}


def credentials(user_jwt: str, user_seed: bytes) -> str:
    """Return a creds file: the user's JWT and seed between the marker lines that clients look for."""
    return (
        f"-----BEGIN NATS USER JWT-----\n{user_jwt}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{user_seed.decode()}\n------END USER NKEY SEED------\n"
    )


def claims_of(jwt: str) -> Json:
    """Return the claims of a JWT without verifying it."""
    body = jwt.split(".")[1]
    claims: Json = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return claims


def _compact(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _sha512_256(data: bytes) -> bytes:
    # The server does not check the id; SHA-256 of the claims names them as well where OpenSSL lacks the variant.
    name = "sha512_256" if "sha512_256" in hashlib.algorithms_available else "sha256"
    return hashlib.new(name, data).digest()
