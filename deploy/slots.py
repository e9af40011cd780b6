"""Slots: accounts of tools prepared ahead, while the operator's seed is there; later a tool takes one without it.

A slot is an account A with signed states: `keys/slots/<A>/{live,live-1...,paused,killed}.jwt`, of which the provisioner
pushes one; and the keys that sign its users, `keys/slot-keys/<A>{,-1...}.nk`, which the gate holds: each live state
lets in whom one of them signed. The account's own seed is never kept: nobody can sign a user who may do more than the
scope in the JWTs says.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from pathlib import Path

from deploy import gate_account
from deploy.files import write_private
from shared import nats_jwt


class Slots:
    """The slots below one folder of keys."""

    def __init__(self, root: Path) -> None:
        """Take the folder of the deployment's keys."""
        self._root = root / "slots"
        self.signing = root / "slot-keys"
        """The folder of the keys that sign tools' users: all that the gate gets of the slots."""

    def names(self) -> list[str]:
        """Return the accounts that are prepared whole, in order."""
        return sorted(path.parent.name for path in self._root.glob("*/made"))

    def files(self) -> list[Path]:
        """Return the signed claims of all slots: what the provisioner gets of them."""
        kept = [*(f"{state}.jwt" for state in gate_account.STATES), "made"]
        return [self._root / account / name for account in self.names() for name in kept]

    def jwt(self, account: str, state: str) -> str | None:
        """Return the signed claims of a slot in one state; None when it was not prepared here."""
        try:
            return self._path(account, state).read_text()
        except FileNotFoundError:
            return None

    def prepare(self, count: int, operator: bytes, gate: str, now_s: int) -> list[str]:
        """Prepare so many more slots, signed by the seed `operator`, that import from account `gate`."""
        made = []
        for _ in range(count):
            # The seed of the account itself signs nothing and is forgotten here.
            account = nats_jwt.public_key(nats_jwt.new_seed(nats_jwt.ACCOUNT, secrets.token_bytes(32)))
            self._sign(account, operator, gate, now_s)
            made.append(account)
        return made

    def outdated(self, gate: str) -> list[str]:
        """Return the slots whose claims would be others today."""
        return [name for name in self.names() if (self._root / name / "made").read_text() != _hash(name, gate)]

    def sign_again(self, operator: bytes, gate: str, now_s: int) -> None:
        """Sign anew the slots that are outdated."""
        for account in self.outdated(gate):
            self._sign(account, operator, gate, now_s)

    def _path(self, account: str, state: str) -> Path:
        return self._root / account / f"{state}.jwt"

    def _key(self, account: str, key: int) -> bytes:
        path = self.signing / (f"{account}-{key}.nk" if key else f"{account}.nk")
        if not path.exists():
            write_private(path, nats_jwt.new_seed(nats_jwt.ACCOUNT, secrets.token_bytes(32)))
        return path.read_bytes()

    def _sign(self, account: str, operator: bytes, gate: str, now_s: int) -> None:
        for folder in (self._root, self._root / account, self.signing):
            folder.mkdir(mode=0o700, exist_ok=True)
        signing = [nats_jwt.public_key(self._key(account, n)) for n in range(gate_account.KEYS)]
        # Servers of a cluster that disagree take the newest: the stricter state is always the newer one.
        for n, state in enumerate(gate_account.STATES):
            claims = gate_account.tool_claims(account, signing, gate, state)
            write_private(self._path(account, state), nats_jwt.sign(operator, account, "tool", claims, now_s + n))
        write_private(self._root / account / "made", _hash(account, gate))  # last: it says that the rest is complete


def _hash(account: str, gate: str) -> str:
    keys = gate_account.LIVES  # in the place of the slot's own
    claims = [gate_account.tool_claims(account, keys, gate, state) for state in gate_account.STATES]
    return hashlib.sha256(json.dumps(claims, sort_keys=True).encode()).hexdigest()


def is_killed(jwt: str) -> bool:
    """Tell whether the claims of an account refuse whoever logs in."""
    revocations = nats_jwt.claims_of(jwt)["nats"].get("revocations") or {}
    return bool(revocations.get("*") == gate_account.FOR_EVER)
