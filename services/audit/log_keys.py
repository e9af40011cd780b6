"""The keys that sign the logs: one takes over from another, and both sign for a while. The log says when one began."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.audit import store
from services.audit.model import SERVICE
from shared import journal
from shared.actor import SigningKey, service_id, taken_over
from shared.events.audit import LogKeyTaken
from shared.events.base import Act, NewEvent
from shared.events.words import Action, ActorKind, Basis, Category, Purpose, school_subject
from shared.service import Site
from shared.tlog.note import ED25519, NamedKey, Signature, origin, split
from shared.tlog.trust import read_log_keys


class LogSettings(BaseSettings):
    """The log's own settings."""

    model_config = SettingsConfigDict(env_prefix="SAMEN_", frozen=True, extra="ignore")

    foundation: str = "foundation"
    """Part of every log's name; a verifier must use the same."""
    log_dir: Path = Path("log")
    """Where the logs are on disk, outside the database; replicas share it."""
    log_public_key: Path | None = None
    """All public halves: says until when the old key signs too."""


def older_keys(settings: LogSettings, path: Path) -> list[tuple[Ed25519PrivateKey, int]]:
    """Returns the key that the one in `path` takes over from, if it lies beside it, with until when it signs.

    Raises RuntimeError when the public halves do not tell of the key.
    """
    if settings.log_public_key is None:
        return []
    known = read_log_keys(settings.log_public_key)
    if known.current.public_bytes_raw() != SigningKey.load(path).private.public_key().public_bytes_raw():
        msg = "SAMEN_LOG_KEY is not the key that SAMEN_LOG_PUBLIC_KEY tells of: run the job `keys` again"
        raise RuntimeError(msg)
    before = taken_over(path)
    if before is None:
        return []
    old = SigningKey.load(before).private
    raw = old.public_key().public_bytes_raw()
    return [(old, one.until) for one in known.retired if one.key.public_bytes_raw() == raw]


async def tell_key(at: Site, school: str, key: Ed25519PrivateKey, foundation: str) -> None:
    """Has a log that this key has not signed yet grow by a line that says so: it is signed by it from there on."""
    async with at.db.school(school) as conn:
        note = await store.newest_note(conn, school)
        if note is None or any(by_key(one, origin(foundation, school), key) for one in split(note)[1]):
            return
        act = Act(
            actor=service_id(SERVICE), kind=ActorKind.SERVICE, door=SERVICE, purpose=Purpose.ADMINISTRATION,
            action=Action.MANAGE, category=Category.LOG, basis=Basis.LEGAL_DUTY,
        )  # fmt: skip
        fact = LogKeyTaken(key_hash=sha256(key.public_key().public_bytes_raw()).hexdigest())
        event = NewEvent(fact, about=school_subject(school), act=act)
        await journal.append(conn, school, [event], at.ids, at.clock.now())


def by_key(signature: Signature, name: str, key: Ed25519PrivateKey) -> bool:
    """Tells whether a signature names this key of the log `name`."""
    return NamedKey(name, ED25519, key.public_key().public_bytes_raw()).signed(signature)
