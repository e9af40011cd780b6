"""Who signed a pack's checkpoints: every signature is somebody's, and each holds. Pure."""

from __future__ import annotations

from shared.tlog.cosignature import cosigned
from shared.tlog.note import ED25519, BadNote, NamedKey, split, verifier_key, verify
from shared.tlog.policy import Policy
from shared.tlog.trust import Trust


def signers(note: str, trust: Trust, claimed: Policy | None = None) -> dict[str, int]:
    """Returns which witnesses of the trusted policy cosigned a note, and when.

    Raises BadNote for a signature that does not hold, one by a key twice, and one of nobody known, which a pack has no
    reason to hold. Known are the log's keys and the policy's; those of `claimed`, a policy that nobody vouches for, may
    have signed too, and are not returned.
    """
    text, signatures = split(note)
    origin = text.partition("\n")[0]
    log = {NamedKey(origin, ED25519, one.public_bytes_raw()).signer: one for one in trust.keys}
    witnesses = [*trust.policy.keys, *(claimed.keys if claimed else ())]
    found = [one.signer for one in signatures]
    if not set(found) <= log.keys() | {key.signer for key in witnesses}:
        raise BadNote("signed by someone who is not in the policy")
    if len(set(found)) < len(found):
        raise BadNote("signed by a key twice")
    for signer in log.keys() & set(found):
        verify(note, verifier_key(origin, log[signer]))
    cosigned(note, witnesses)
    return cosigned(note, trust.policy.keys)
