"""What a witness decides of a log that asks for its cosignature (c2sp.org/tlog-witness, add-checkpoint). Pure.

A witness remembers of each log the last checkpoint that it signed. It signs another only when that is shown to begin
with the one it remembers, and remembers first: what it signed before a crash it must not sign otherwise after.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from shared.tlog.cosignature import cosigned
from shared.tlog.merkle import EMPTY_ROOT
from shared.tlog.note import BadNote, Checkpoint, NamedKey, split
from shared.tlog.policy import Policy
from shared.tlog.proof import GrowthProof
from shared.tlog.trust import Retired, Trust

OK, BAD_REQUEST, FORBIDDEN, UNKNOWN, CONFLICT, UNPROVEN = 200, 400, 403, 404, 409, 422

FORKED = "log_forked"
ROLLED_BACK = "log_rolled_back"
FORGOT = "witness_rolled_back"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`status` and `body` as c2sp.org/tlog-witness has them; `sign`, with OK, is the text to cosign.

    `keep` must be on disk before anything is answered, also with a refusal. `alarms` are what someone must know of.
    """

    status: int
    body: str = ""
    keep: Checkpoint | None = None
    sign: str | None = None
    alarms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judge:
    """A witness's own public key, and the key by which it knows the logs."""

    own: NamedKey
    log: Ed25519PublicKey
    retired: tuple[Retired, ...] = ()

    def judge(
        self, seen: Checkpoint | None, request: str, origin: str, held: str | None = None, now_s: float | None = None
    ) -> Verdict:
        """Returns what to do with a request about the log `origin`, of which `seen` is the last that was signed.

        `held` is a note of that log with this witness's own cosignature, if the log has one: it shows what a witness
        whose state was put back does not know any more. `now_s`: a retired key of the log still signs until its time.
        """
        trust = Trust(self.log, Policy(), self.retired)
        mine = self._remembered(trust, held, origin)
        if mine is None or (seen is not None and mine.size < seen.size):
            return self._judge(trust, seen, request, origin, now_s)
        if seen is not None and mine.size == seen.size:
            if mine.root == seen.root:
                return self._judge(trust, seen, request, origin, now_s)
            return Verdict(CONFLICT, f"{seen.size}\n", alarms=(FORKED,))
        found = self._judge(trust, mine, request, origin, now_s)
        return replace(found, keep=found.keep or mine, alarms=(FORGOT, *found.alarms))

    def _remembered(self, trust: Trust, held: str | None, origin: str) -> Checkpoint | None:
        """Returns the checkpoint in a note that both the log and this witness signed."""
        try:
            if held is None or self.own.signer not in cosigned(held, (self.own,)):
                return None
            return trust.of_log(held, origin, contained=True)
        except BadNote:
            return None

    @staticmethod
    def _judge(trust: Trust, seen: Checkpoint | None, request: str, origin: str, now_s: float | None) -> Verdict:
        try:
            asked = GrowthProof.parse(request)
            text = split(asked.note)[0]
        except BadNote as bad:
            return Verdict(BAD_REQUEST, f"{bad}\n")
        if text.partition("\n")[0] != origin:
            return Verdict(UNKNOWN)
        try:
            signed = trust.of_log(asked.note, origin, now_s=now_s)
        except BadNote as bad:
            return Verdict(FORBIDDEN, f"{bad}\n")
        if asked.old > signed.size:
            return Verdict(BAD_REQUEST, "the older size is the larger\n")
        before = seen or Checkpoint(origin, 0, EMPTY_ROOT)
        told = f"{before.size}\n"
        if signed.size < before.size:
            return Verdict(CONFLICT, told, alarms=(ROLLED_BACK,))
        if signed.size == before.size and signed.root != before.root:
            return Verdict(CONFLICT, told, alarms=(FORKED,))
        if asked.old != before.size:
            return Verdict(CONFLICT, told)
        try:
            asked.check(before.root, signed)
        except BadNote as bad:
            return Verdict(UNPROVEN, f"{bad}\n", alarms=(FORKED,))
        return Verdict(OK, keep=signed, sign=text)
