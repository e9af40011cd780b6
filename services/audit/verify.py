"""Verifies from outside the service: `python -m services.audit.verify log|proof`, with the public half of
the log's key (PEM) in SAMEN_LOG_PUBLIC_KEY; no private key is needed.

`log`: reads {school: {producer: head}} from standard input, checks each school's whole log in SAMEN_DATABASE_URL, with
its files in SAMEN_LOG_DIR if that is said, and prints a report a line. `proof`: reads {school, idx, entry, path, note}
and needs no database. Exit status 0: all holds.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asyncpg
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.audit.fsck import check
from shared.tlog.merkle import leaf_hash, verify_inclusion
from shared.tlog.note import BadNote, origin, verifier_key
from shared.tlog.policy import Policy
from shared.tlog.trust import LogKeys, Trust, Untrusted, read_log_keys

HALF = "the file audit-log.pub.pem that deploy/keys.py made"


class VerifySettings(BaseSettings):
    """What a verifier needs of the environment."""

    model_config = SettingsConfigDict(env_prefix="SAMEN_", frozen=True, extra="ignore")

    log_public_key: Path
    foundation: str = "foundation"
    database_url: str = ""
    log_dir: Path | None = None


def public_keys(path: Path) -> LogKeys:
    """Reads the public halves of a log's keys; raises SystemExit with what to do when the file holds something else."""
    try:
        return read_log_keys(path)
    except Untrusted as error:
        raise SystemExit(f"{error}: name {HALF}") from None


def proof_holds(proof: Mapping[str, Any], foundation: str, keys: LogKeys, now_s: float) -> str:
    """Returns "" when the note is the log's and the entry stands under it at its idx, else what does not fit."""
    try:
        trust = Trust(keys.current, Policy(), keys.retired)
        signed = trust.of_log(proof["note"], origin(foundation, proof["school"]), now_s=now_s)
    except BadNote as bad:
        return str(bad)
    path = [bytes.fromhex(step) for step in proof["path"]]
    leaf = leaf_hash(proof["entry"].encode())
    if not verify_inclusion(proof["idx"], signed.size, leaf, path, signed.root):
        return "the entry is not at that place under the signed root"
    return ""


async def check_logs(
    settings: VerifySettings, heads: Mapping[str, Mapping[str, int]], keys: LogKeys, now_s: float
) -> int:
    """Prints a report for each school; returns 1 when something was found."""
    conn = await asyncpg.connect(settings.database_url)
    found = 0
    try:
        for school, known in heads.items():
            name = origin(settings.foundation, school)
            still, past = (
                [verifier_key(name, one.key) for one in keys.retired if (now_s < one.until) is now]
                for now in (True, False)
            )
            verifier = verifier_key(name, keys.current)
            folder = settings.log_dir and settings.log_dir / school
            report = await check(conn, school, verifier, known, still=still, past=past, folder=folder)
            sys.stdout.write(json.dumps(report.to_json()) + "\n")
            found = found or int(bool(report.findings))
    finally:
        await conn.close()
    return found


def main(what: str) -> int:
    """Verifies what stands on standard input."""
    settings = VerifySettings()
    keys, now_s = public_keys(settings.log_public_key), time.time()
    given = json.load(sys.stdin)
    if what == "log":
        return asyncio.run(check_logs(settings, given, keys, now_s))
    wrong = proof_holds(given, settings.foundation, keys, now_s)
    sys.stdout.write(json.dumps({"ok": not wrong, "why": wrong}) + "\n")
    return int(bool(wrong))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
