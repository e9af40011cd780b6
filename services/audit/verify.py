"""Verifies from outside the service: `python -m services.audit.verify log|proof`, with the public half of
the log's key (PEM) in SAMEN_LOG_PUBLIC_KEY; no private key is needed.

`log`: reads {school: {producer: head}} from standard input, checks each school's whole log in SAMEN_DATABASE_URL, and
prints a report a line. `proof`: reads {school, idx, entry, path, note} and needs no database. Exit status 0: all holds.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asyncpg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.audit.fsck import check
from shared.tlog.merkle import leaf_hash, verify_inclusion
from shared.tlog.note import BadNote, origin, verifier_key, verify

HALF = "the file audit-log.pub.pem that deploy/keys.py made"


class VerifySettings(BaseSettings):
    """What a verifier needs of the environment."""

    model_config = SettingsConfigDict(env_prefix="SAMEN_", frozen=True, extra="ignore")

    log_public_key: Path
    foundation: str = "foundation"
    database_url: str = ""


def public_key(path: Path) -> Ed25519PublicKey:
    """Reads the public half of a log's key; raises SystemExit with what to do when that is not what the file holds."""
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SystemExit(f"{path} cannot be read as a public key ({error}): name {HALF}") from None
    if not isinstance(key, Ed25519PublicKey):
        raise SystemExit(f"{path} holds a public key of another kind: name {HALF}")
    return key


def proof_holds(proof: Mapping[str, Any], foundation: str, public: Ed25519PublicKey) -> str:
    """Returns "" when the note is the log's and the entry stands under it at its idx, else what does not fit."""
    try:
        signed = verify(proof["note"], verifier_key(origin(foundation, proof["school"]), public))
    except BadNote as bad:
        return str(bad)
    path = [bytes.fromhex(step) for step in proof["path"]]
    leaf = leaf_hash(proof["entry"].encode())
    if not verify_inclusion(proof["idx"], signed.size, leaf, path, signed.root):
        return "the entry is not at that place under the signed root"
    return ""


async def check_logs(
    dsn: str, heads: Mapping[str, Mapping[str, int]], foundation: str, public: Ed25519PublicKey
) -> int:
    """Prints a report for each school; returns 1 when something was found."""
    conn = await asyncpg.connect(dsn)
    found = 0
    try:
        for school, known in heads.items():
            report = await check(conn, school, verifier_key(origin(foundation, school), public), known)
            sys.stdout.write(json.dumps(report.to_json()) + "\n")
            found = found or int(bool(report.findings))
    finally:
        await conn.close()
    return found


def main(what: str) -> int:
    """Verifies what stands on standard input."""
    settings = VerifySettings()
    public = public_key(settings.log_public_key)
    given = json.load(sys.stdin)
    if what == "log":
        return asyncio.run(check_logs(settings.database_url, given, settings.foundation, public))
    wrong = proof_holds(given, settings.foundation, public)
    sys.stdout.write(json.dumps({"ok": not wrong, "why": wrong}) + "\n")
    return int(bool(wrong))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
