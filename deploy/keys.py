"""Makes and keeps the keys of one deployment: NATS tenancy, token keys, database passwords.

Secrets are made once and read from then on; the JWTs are signed again when the topology they tell of has changed.
Layout below `keys/`:
`operator/` (the NATS operator's seed and those of the accounts; needed only to make or change accounts and slots, and
elsewhere in between), `accounts/` (signed account JWTs, which
the provisioner pushes again after a wipe without the operator's seed), `slots/` and `slot-keys/` (accounts of tools,
prepared ahead: deploy/slots.py), `creds/` (a NATS login a file), `tokens/`
(a private PEM a signer; `.old.pem` is one that is taken over from), `trusted.json` (the public halves),
`audit-log.pub.pem` (what verifies the audit log and signs nothing: the key that signs now, and those before it),
`witnesses.policy` (whose cosignatures it needs), `passwords.json`,
`operator.conf` (nats-server includes it).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
import time
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from deploy import gate_account, topology
from deploy.files import write_private
from deploy.slots import Slots
from shared import nats_jwt
from shared.tlog.cosignature import witness_key, witness_name
from shared.tlog.trust import LogKeys, Retired, log_keys_text, pem_of, read_log_keys

ACCOUNTS = ("SYS", "BUS", "GATE", "PLATFORM")
LOG_KEY = "audit-log"
FIRST_SLOTS = 5
WITNESS_KEY = "witness"


class Offline(OSError):
    """The operator's seed is needed and is not here; the message says for what."""


class Keys:
    """The keys below one folder; `ensure` makes what is missing."""

    def __init__(self, root: Path) -> None:
        """Take `root` as the folder of the keys."""
        self.root = root.absolute()
        self.slots = Slots(self.root)

    @property
    def operator_conf(self) -> Path:
        """The part of nats-server's configuration that names operator and system account."""
        return self.root / "operator.conf"

    @property
    def trusted(self) -> Path:
        """The public halves of all token keys: {kid: {kind, public_pem, older}}, `older` those taken over from."""
        return self.root / "trusted.json"

    @property
    def log_public(self) -> Path:
        """The public half of the audit log's key, as PEM: for whoever verifies."""
        return self.root / f"{LOG_KEY}.pub.pem"

    @property
    def channel_secret(self) -> Path:
        """What notifications seals links and outlets with, and marks mails by. Lost: outlets must be set anew."""
        return self.root / "channels" / "secret"

    @property
    def vapid_key(self) -> Path:
        """The key by which push services know us. Another one: every browser must subscribe anew."""
        return self.root / "channels" / "vapid.pem"

    @property
    def tile_readers(self) -> Path:
        """Who may read the logs as files over HTTP, by the hashes of their tokens; at first nobody."""
        return self.root / "tile-readers.json"

    @property
    def witness_policy(self) -> Path:
        """Whose cosignatures a checkpoint needs (c2sp.org/tlog-policy). Made once; then the operators' to change."""
        return self.root / "witnesses.policy"

    def creds(self, login: str) -> Path:
        """Return the NATS credentials file of `login`."""
        return self.root / "creds" / f"{login}.creds"

    def account_jwt(self, account: str) -> str:
        """Return the signed JWT of an account."""
        return (self.root / "accounts" / f"{account}.jwt").read_text()

    def account_key(self, account: str) -> str:
        """Return the public key that names an account."""
        return str(nats_jwt.claims_of(self.account_jwt(account))["sub"])

    def token_key(self, kid: str) -> Path:
        """Return the private key file of the signer `kid`."""
        return self.root / "tokens" / f"{kid}.pem"

    def old(self, kid: str) -> Path:
        """Return the private key file of the key that `kid` takes over from, as long as both sign."""
        return self.root / "tokens" / f"{kid}.old.pem"

    def log_keys(self) -> LogKeys:
        """Return the public halves of the audit log's keys, as they are told."""
        return read_log_keys(self.log_public)

    def write_log_keys(self, retired: tuple[Retired, ...]) -> None:
        """Tell the audit log's public keys: the one that signs now, and those before it."""
        current = _public(self.token_key(LOG_KEY))
        write_private(self.log_public, log_keys_text(LogKeys(current, retired)))

    def told_trusted(self) -> dict[str, dict[str, Any]]:
        """Return what `trusted.json` says: {} before it is made."""
        found: dict[str, dict[str, Any]] = json.loads(self.trusted.read_text()) if self.trusted.exists() else {}
        return found

    def write_trusted(self, trusted: dict[str, dict[str, Any]]) -> None:
        """Tell the public halves of all token keys."""
        write_private(self.trusted, json.dumps(trusted, indent=1, sort_keys=True))

    def _older(self, kid: str, current: str, now_s: int) -> dict[str, Any]:
        """Return the keys that this one takes over from, as far as their time is not over."""
        known = self.told_trusted().get(kid, {}).get("older", [])
        still = [one for one in known if one["until"] > now_s and one["public_pem"] != current]
        return {"older": still} if still else {}

    def password(self, role: str) -> str:
        """Return the database password of `role`, made at its first use."""
        path = self.root / "passwords.json"
        known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        if role not in known:
            known[role] = secrets.token_urlsafe(24)
            write_private(path, json.dumps(known, indent=1, sort_keys=True))
        return known[role]

    def ensure(self, issued_at: int | None = None) -> None:
        """Make every key that is missing; `issued_at` (seconds) dates the NATS JWTs."""
        for name in ("operator", "accounts", "creds", "tokens", "channels"):
            (self.root / name).mkdir(parents=True, exist_ok=True)
            (self.root / name).chmod(0o700)
        now_s = int(time.time()) if issued_at is None else issued_at
        self._ensure_nats(now_s)
        self._ensure_tokens(now_s)
        self._ensure_channels()
        if not self.tile_readers.exists():
            write_private(self.tile_readers, "[]\n")

    def prepare_slots(self, count: int, issued_at: int | None = None) -> list[str]:
        """Prepare the accounts of so many more tools; raises Offline where the operator's seed is not."""
        now_s = int(time.time()) if issued_at is None else issued_at
        return self.slots.prepare(count, self._operator("to prepare slots"), self.account_key("GATE"), now_s)

    def first_slots(self) -> None:
        """Prepare a few slots where there are none at all, if the seed is here: the first tools can be added then."""
        if not self.slots.names():
            with contextlib.suppress(Offline):
                self.prepare_slots(FIRST_SLOTS)

    def _operator(self, why: str) -> bytes:
        try:
            return (self.root / "operator" / "operator.nk").read_bytes()
        except FileNotFoundError:
            raise Offline(
                f"the operator's seed is not in {self.root / 'operator'}, and it is needed {why}: bring it back"
            ) from None

    def _seed(self, path: Path, prefix: int) -> bytes:
        if not path.exists():
            write_private(path, nats_jwt.new_seed(prefix, secrets.token_bytes(32)))
        return path.read_bytes()

    def _ensure_nats(self, now: int) -> None:
        wanted = _topology_hash()
        done = self.root / "topology.sha256"  # written last: it says that the rest is complete
        if done.exists() and done.read_text() == wanted:
            return
        folder = self.root / "operator"
        if self.operator_conf.exists():  # another operator would lock everything out
            self._operator("for what this version changes in the accounts")
        operator = self._seed(folder / "operator.nk", nats_jwt.OPERATOR)
        seeds = {a: self._seed(folder / f"{a}.nk", nats_jwt.ACCOUNT) for a in ACCOUNTS}
        public = {a: nats_jwt.public_key(seed) for a, seed in seeds.items()}
        claims = {
            "SYS": topology.system_claims(),
            "BUS": topology.bus_claims(),
            "GATE": gate_account.gate_claims(),
            "PLATFORM": topology.platform_claims(public["BUS"]),
        }
        for account in ACCOUNTS:
            jwt = nats_jwt.sign(operator, public[account], account, claims[account], now)
            write_private(self.root / "accounts" / f"{account}.jwt", jwt)
        self.slots.sign_again(operator, public["GATE"], now)
        self._ensure_logins(seeds, now)
        operator_jwt = nats_jwt.sign(
            operator, nats_jwt.public_key(operator), "samenkracht",
            nats_jwt.operator_claims(public["SYS"]), now,
        )  # fmt: skip
        # Preloaded, so that a server that lost its whole store knows its accounts before anyone reconnects to it.
        preload = "".join(f'  {public[a]}: "{self.account_jwt(a)}"\n' for a in ACCOUNTS)
        write_private(
            self.operator_conf,
            f'operator: "{operator_jwt}"\nsystem_account: "{public["SYS"]}"\nresolver_preload: {{\n{preload}}}\n',
        )
        write_private(done, wanted)

    def _ensure_logins(self, accounts: dict[str, bytes], now: int) -> None:
        for (account, login), permissions in _logins().items():
            seed = nats_jwt.new_seed(nats_jwt.USER, secrets.token_bytes(32))
            claims = nats_jwt.user_claims(permissions.publish, permissions.subscribe)
            jwt = nats_jwt.sign(accounts[account], nats_jwt.public_key(seed), login, claims, now)
            write_private(self.creds(login), nats_jwt.credentials(jwt, seed))

    def _ensure_tokens(self, now_s: int) -> None:
        trusted: dict[str, dict[str, Any]] = {}
        for kid in (topology.DOOR, *topology.NAMES, LOG_KEY):
            path = self.token_key(kid)
            if not path.exists():
                write_private(path, private_pem(Ed25519PrivateKey.generate()))
            if kid == LOG_KEY:  # it signs checkpoints, never tokens
                self._ensure_log_keys(now_s)
                continue
            kind = {topology.DOOR: "door", topology.GATE: "gate"}.get(kid, "service")
            trusted[kid] = {"kind": kind, "public_pem": _public_pem(path)} | self._older(kid, _public_pem(path), now_s)
        self._ensure_witness()
        self.write_trusted(trusted)

    def _ensure_log_keys(self, now_s: int) -> None:
        """Tell the log's keys. One that is new here, or whose rotation was cut off, takes over at once."""
        known = self.log_keys() if self.log_public.exists() else None
        current = _public(self.token_key(LOG_KEY)).public_bytes_raw()
        if known is None:
            self.write_log_keys(())
        elif known.current.public_bytes_raw() != current:
            self.write_log_keys((Retired(known.current, now_s), *known.retired))

    def _ensure_channels(self) -> None:
        if not self.channel_secret.exists():
            write_private(self.channel_secret, secrets.token_urlsafe(48))
        if not self.vapid_key.exists():
            write_private(self.vapid_key, private_pem(generate_private_key(SECP256R1())))

    def _ensure_witness(self) -> None:
        """Make the key of the witness inside the platform, and a policy that asks for its cosignature."""
        path = self.token_key(WITNESS_KEY)
        if not path.exists():
            write_private(path, private_pem(Ed25519PrivateKey.generate()))
        if not self.witness_policy.exists():
            write_private(self.witness_policy, _first_policy(path))


def _first_policy(path: Path) -> str:
    house = topology.WITNESS
    named = witness_key(witness_name(house), _public(path))
    return (
        "# Whose cosignatures a checkpoint of the audit log needs (c2sp.org/tlog-policy). Add a line `witness`\n"
        "# for each; the group says how many must sign. Audit asks those with nats:, others come by themselves.\n"
        f"witness {house} {named} nats:{topology.WITNESS_ASKED}\n"
        f"group enough 1 {house}\n"
        "quorum enough\n"
    )


def _logins() -> dict[tuple[str, str], topology.Permissions]:
    platform = {("PLATFORM", name): p for name, p in topology.platform_logins().items()}
    return platform | {
        ("SYS", "provisioner-sys"): topology.PROVISIONER_SYS,
        ("BUS", "provisioner-bus"): topology.PROVISIONER_BUS,
        ("GATE", gate_account.PROVISIONER): gate_account.PROVISIONER_MAY,
        ("GATE", gate_account.DOOR): gate_account.DOOR_MAY,
    }


def _topology_hash() -> str:
    claims = [
        topology.system_claims(), topology.bus_claims(), topology.platform_claims("BUS"),
        gate_account.gate_claims(),
        *(gate_account.tool_claims("A", gate_account.LIVES, "GATE", s) for s in gate_account.STATES),
        *(nats_jwt.user_claims(p.publish, p.subscribe) for _, p in sorted(_logins().items())),
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(claims, sort_keys=True).encode()).hexdigest()


def private_pem(key: Ed25519PrivateKey | EllipticCurvePrivateKey) -> bytes:
    """Return the key as it is kept in a file."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _public_pem(path: Path) -> str:
    return pem_of(_public(path)).decode()


def _public(path: Path) -> Ed25519PublicKey:
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError(f"{path} holds no Ed25519 key")
    return key.public_key()
