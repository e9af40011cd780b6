"""Takes new keys into use without a gap in what verifies: the audit log's own, the house's witness's, and tokens'."""

from __future__ import annotations

from collections.abc import Collection

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.files import write_private
from deploy.keys import LOG_KEY, WITNESS_KEY, Keys, private_pem
from shared.actor import SigningKey
from shared.tlog.cosignature import witness_key, witness_name
from shared.tlog.trust import Retired, pem_of

DAY_S = 86_400


class Refused(RuntimeError):
    """A key is not taken into use; the message says what to do first."""


def rotate_log(keys: Keys, now_s: int, overlap_days: int, *, leaked: bool = False) -> None:
    """Makes a new key sign the log. The old one signs beside it for so many days; not at all if it leaked."""
    known = keys.log_keys()
    current = SigningKey.load(keys.token_key(LOG_KEY)).private.public_key().public_bytes_raw()
    if known.current.public_bytes_raw() != current:
        raise Refused("a rotation was cut off: run `samen up`, or the job `keys`, which ends it; then rotate again")
    if not leaked and any(one.until > now_s for one in known.retired):
        raise Refused("the last rotation's overlap is not over: wait for it, or say that the key leaked (--leaked)")
    _replace(keys, LOG_KEY)
    until = now_s if leaked else now_s + overlap_days * DAY_S
    earlier = tuple(Retired(one.key, min(one.until, until)) for one in known.retired)
    keys.write_log_keys((Retired(known.current, until), *earlier))
    if leaked:
        keys.old(LOG_KEY).unlink(missing_ok=True)


def rotate_tokens(keys: Keys, now_s: int, overlap_s: int, only: Collection[str] = (), *, leaked: bool = False) -> int:
    """Makes new keys of doors and services sign tokens; the old ones count for so long yet; not at all if they leaked.

    `only`: of these alone. Returns of how many. All that verifies learns of the new keys before one signs.
    """
    trusted = keys.told_trusted()
    if unknown := set(only) - trusted.keys():
        raise Refused(f"nobody has a key named {', '.join(sorted(unknown))}: {', '.join(sorted(trusted))} have")
    wanted = {kid: Ed25519PrivateKey.generate() for kid in sorted(only or trusted)}
    if not leaked and any(one["until"] > now_s for kid in wanted for one in trusted[kid].get("older", ())):
        raise Refused("the last rotation is not over: wait until its overlap is, or say that a key leaked (--leaked)")
    for kid, new in wanted.items():
        was = {"public_pem": trusted[kid]["public_pem"], "until": now_s + overlap_s}
        trusted[kid] |= {"public_pem": pem_of(new.public_key()).decode(), "older": [] if leaked else [was]}
    keys.write_trusted(trusted)
    for kid, new in wanted.items():
        write_private(keys.token_key(kid), private_pem(new))
    return len(wanted)


def rotate_witness(keys: Keys, house: str) -> str:
    """Makes a new key of the house's witness sign beside the old one; returns its line of the policy.

    In the policy either counts as the one witness that it is.
    """
    if keys.old(WITNESS_KEY).exists():
        raise Refused("the last rotation is not over: end it first with --finish")
    policy = keys.witness_policy.read_text()
    old = _line_of(keys, house, WITNESS_KEY)
    if old not in policy:
        raise Refused(f"{keys.witness_policy} does not name the witness that it takes over from: {old}")
    _replace(keys, WITNESS_KEY)
    new = _line_of(keys, house, WITNESS_KEY)
    write_private(keys.witness_policy, with_new_key(policy, old, new))
    return new


def finish_witness(keys: Keys, house: str) -> None:
    """Has the old key sign no more; its line stays, so that what it signed still counts."""
    if not keys.old(WITNESS_KEY).exists():
        raise Refused("no rotation of the witness is under way: start one, without --finish")
    old = _line_of(keys, house, WITNESS_KEY, old=True)
    lines = keys.witness_policy.read_text().split("\n")
    told = [line.partition(" nats:")[0] if old in line else line for line in lines]
    write_private(keys.witness_policy, "\n".join(told))
    keys.old(WITNESS_KEY).unlink()


def with_new_key(policy: str, old: str, new: str) -> str:
    """Returns the policy (c2sp.org/tlog-policy) in which either key stands for the witness that has `old`. Pure."""
    lines = policy.split("\n")
    at = next(n for n, line in enumerate(lines) if line.split()[2:3] == [old])
    _, name, _, *asked = lines[at].split()
    number = sum(
        line.startswith("witness ") and line.split()[1].partition("--")[0] == name.partition("--")[0] for line in lines
    )
    base = name.partition("--")[0]
    newer, either = f"{base}--{number + 1}", f"{base}--either"
    group = next((n for n, line in enumerate(lines) if line.startswith(f"group {either} ")), None)
    if group is not None:
        lines[group] += f" {newer}"
        lines.insert(at + 1, " ".join(["witness", newer, new, *asked]))
        return "\n".join(lines)
    renamed = [
        " ".join(either if word == name else word for word in line.split()) if _counts(line) else line for line in lines
    ]
    renamed[at + 1 : at + 1] = [" ".join(["witness", newer, new, *asked]), f"group {either} 1 {name} {newer}"]
    return "\n".join(renamed)


def _counts(line: str) -> bool:
    return line.startswith(("group ", "quorum "))


def _line_of(keys: Keys, house: str, kid: str, *, old: bool = False) -> str:
    path = keys.old(kid) if old else keys.token_key(kid)
    return witness_key(witness_name(house), SigningKey.load(path).private.public_key())


def _replace(keys: Keys, kid: str) -> None:
    """Puts a new key in place of an old one, which is kept beside it first."""
    path = keys.token_key(kid)
    write_private(keys.old(kid), path.read_bytes())
    write_private(path, private_pem(Ed25519PrivateKey.generate()))
