"""Packs made without a platform, and every way to tamper with one: `python -m tests.audit.packs [trials] [seed]`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.pack.layout import Manifest
from deploy.pack.report import Report
from deploy.pack.source import Source
from deploy.pack.verifier import verify
from deploy.pack.writer import PackWriter
from services.audit.model import line_of
from shared.tlog.cosignature import cosign, witness_key, witness_name
from shared.tlog.merkle import Tree, extend, leaf_hash, root
from shared.tlog.note import Checkpoint, origin, sign, split
from shared.tlog.policy import Policy
from shared.tlog.trust import Trust, pem_of
from tests.audit.support import KEY, Journal

WITNESS, STRANGER = (Ed25519PrivateKey.from_private_bytes(letter * 32) for letter in (b"w", b"s"))
NAME = witness_name("notifications")
POLICY_TEXT = f"witness house {witness_key(NAME, WITNESS.public_key())}\ngroup enough 1 house\nquorum enough\n"
TRUST = Trust(KEY.public_key(), Policy.parse(POLICY_TEXT))
AT = 1_773_133_200
STEP = 100
"""How many lines lie between two checkpoints."""


def entries_of(school: str, count: int) -> list[bytes]:
    """Returns the entries of a log to which three producers wrote by turns."""
    random = Random(school)
    journals = [Journal(school, producer) for producer in ("goals", "network", "notifications")]
    events = [random.choice(journals) for _ in range(count)]
    return [line_of(one.viewed() if random.random() < 0.9 else one.denied()).entry.encode() for one in events]


def note_of(
    school: str, entries: list[bytes], key: Ed25519PrivateKey = KEY, by: Ed25519PrivateKey | None = WITNESS
) -> str:
    """Returns the signed checkpoint over these entries, cosigned unless `by` is None."""
    tree = extend(Tree(), [leaf_hash(entry) for entry in entries])[0]
    note = sign(Checkpoint(origin("wijzer", school), tree.size, root(tree)), key)
    return note if by is None else note + cosign(split(note)[0], NAME, by, AT).line


def make(
    folder: Path,
    school: str,
    entries: list[bytes],
    first: int = 0,
    end: int | None = None,
    note: str | None = None,
    found: Sequence[Mapping[str, Any]] = (),
) -> Manifest:
    """Writes a pack of a log, of its lines from `first` to `end`, with what the judge found."""
    end = len(entries) if end is None else end
    note = note or note_of(school, entries)
    older = [note_of(school, entries[:size]) for size in range(STEP, len(entries), STEP)]
    with PackWriter(folder, note, first, end) as writer:
        writer.hashes([leaf_hash(entry) for entry in entries[:first]])
        for at in range(first, end, 170):
            writer.entries(entries[at : min(at + 170, end)])
        writer.hashes([leaf_hash(entry) for entry in entries[end:]])
        writer.checkpoints([*older, note])
        writer.findings(found)
        return writer.finish(pem_of(KEY.public_key()), POLICY_TEXT.encode())


def checked(folder: Path, pinned: str | None = None) -> Report:
    """Returns what verify says of a pack, by the keys that were got another way."""
    with Source(folder) as source:
        return verify(source, TRUST, pinned=pinned)
