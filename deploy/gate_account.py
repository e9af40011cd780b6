"""The gate's side of NATS as data: account GATE, an account a tool, their streams and consumers.

GATE holds JetStream; only the gate and the provisioner log in there. Each tool has an account of its own, named by its
public key A, and reaches through fixed imports what is its own: its consumer's next, its acknowledgements, its
commands. A server checks that A stands in what it imports (`account_token_position`), so no tool can be another.
"""

from __future__ import annotations

from collections.abc import Sequence

from deploy.topology import GATE, SECOND, Permissions
from shared.nats_jwt import Json, account_claims, permitted, scope

DOOR = "gate-door"
"""The login of the gate's second connection, in GATE."""
PROVISIONER = "provisioner-gate"
WANT = "slots.want"
"""What the gate tells the provisioner: every slot that was ever handed out, and how it is to be."""

LIVE, PAUSED, KILLED = "live", "paused", "killed"
KEYS = 8
"""So many keys of a slot sign users. While it is live one counts; when another does, whom that let in is cut."""


def live(key: int) -> str:
    """Return the state of a slot that is live for the users that this key of it signed, and for nobody else."""
    return f"{LIVE}-{key}" if key else LIVE


LIVES = tuple(live(key) for key in range(KEYS))
STATES = (*LIVES, PAUSED, KILLED)
"""The strictest last."""
FEW_FREE = 3
"""Fewer free slots than this raise the gate's alarm."""
FOR_EVER = 253_402_300_799
"""The last second of the year 9999: no user is issued later."""

PAYLOAD = 65_536
WAITS_S = 30
"""So long a tool's request for its next messages may wait."""
ANSWERED_WITHIN_S = WAITS_S + 5
LIMITS = {"conn": 10, "leaf": 1, "payload": PAYLOAD, "subs": 100, "exports": 0}
STREAM_BYTES = 16 * 1024 * 1024
"""What a tool may leave unfetched. The server sets it aside, so the streams of all tools must fit on its disk."""
STREAM_DAYS = 14

DOOR_MAY = Permissions(
    (
        "out.>",
        WANT,
        "$JS.API.STREAM.INFO.*",
        "$JS.API.STREAM.LIST",
        "$JS.API.STREAM.MSG.GET.*",
        "$JS.API.DIRECT.GET.>",
        "$JS.API.CONSUMER.INFO.*.*",
        "_R_.>",  # where the server takes what is answered to a request from another account
    ),
    (f"_INBOX.{DOOR}.>", f"in.*.> {GATE}"),
)
PROVISIONER_MAY = Permissions(
    ("$JS.API.STREAM.>", "$JS.API.CONSUMER.>", f"_INBOX.{DOOR}.>"),
    ("_INBOX.provisioner.>", f"{WANT} provisioner"),
)


def stream(account: str) -> str:
    """Return the name of a tool's stream: one a tool, for a shared one's numbers would tell of the others."""
    return f"OUT-{account}"


def gate_claims() -> Json:
    """Return the claims of GATE: it lets a tool in where the tool's own account stands in the subject."""
    exports: list[Json] = [
        {"subject": "$JS.API.CONSUMER.MSG.NEXT.*.*", "response_type": "Stream", "account_token_position": 7},
        {"subject": "$JS.ACK.*.*.>", "response_type": "Singleton", "account_token_position": 4},
        {"subject": "in.*.>", "response_type": "Singleton", "account_token_position": 2},
    ]
    # A server keeps where each answer goes until it has come, or so long; whoever asks without end fills its memory.
    common: Json = {"type": "service", "response_threshold": ANSWERED_WITHIN_S * SECOND}
    named: list[Json] = [{"name": export["subject"]} | common | export for export in exports]
    return account_claims(jetstream=True, exports=named)


def _imports(account: str, gate: str) -> list[Json]:
    own = stream(account)
    wanted: list[Json] = [
        {
            "subject": f"$JS.API.CONSUMER.MSG.NEXT.{own}.{account}",
            "local_subject": "$JS.gate.API.CONSUMER.MSG.NEXT.OUT.me",
        },
        {"subject": f"$JS.ACK.{own}.{account}.>"},
        # `share` has the server say who asks (Nats-Request-Info), over whatever the tool wrote there itself.
        {"subject": f"in.{account}.>", "local_subject": "in.>", "share": True},
    ]
    return [{"name": one["subject"], "account": gate, "type": "service"} | one for one in wanted]


def tool_template(account: str) -> Json:
    """Return what each user of a tool may do, in the scope of the key that signs it."""
    publish = ["$JS.gate.API.CONSUMER.MSG.NEXT.OUT.me", f"$JS.ACK.{stream(account)}.{account}.>", "in.>"]
    return permitted(publish, ["_INBOX.>"], subs=LIMITS["subs"], payload=PAYLOAD)


def tool_claims(account: str, signing_keys: Sequence[str], gate: str, state: str) -> Json:
    """Return the claims of a tool's account: `live` by one of its keys, `paused` (no imports; whoever is connected
    stays so) or `killed` (nobody may log in).
    """
    counts = [signing_keys[LIVES.index(state)]] if state in LIVES else signing_keys
    return account_claims(
        jetstream=False,
        imports=_imports(account, gate) if state in LIVES else (),
        limits=LIMITS,
        signing_keys=[scope(key, "tool", tool_template(account)) for key in counts],
        revocations={"*": FOR_EVER} if state == KILLED else None,
    )


def stream_config(account: str, replicas: int = 1) -> Json:
    """Return the settings of a tool's stream. A marker takes out a subject's earlier messages (`Nats-Rollup`)."""
    return {
        "name": stream(account),
        "subjects": [f"out.{account}.>"],
        "storage": "file",
        "retention": "limits",
        "discard": "old",
        "max_age": STREAM_DAYS * 24 * 3600 * SECOND,
        "max_bytes": STREAM_BYTES,
        "max_msg_size": PAYLOAD,
        "duplicate_window": 120 * SECOND,
        "allow_atomic": True,
        "allow_direct": True,
        "allow_rollup_hdrs": True,
        "deny_delete": True,
        "compression": "none",
        "num_replicas": replicas,
    }


def new_stream(now_ns: int) -> Json:
    """Return what only a new stream takes: it numbers from the clock's microseconds on.

    So no stream that was made anew has a message under a number that one before it had, and what the gate decided on
    the old one (it names the last message that it expects) is never taken by the new one.
    """
    return {"first_seq": now_ns // 1000}


def consumer_config(account: str) -> Json:
    """Return the settings of a tool's consumer. What a tool can make the server hold at once is bounded."""
    return {
        "durable_name": account,
        "deliver_policy": "all",
        "ack_policy": "explicit",
        "ack_wait": 30 * SECOND,
        "max_ack_pending": 1000,
        "max_waiting": 32,
        "max_batch": 500,
        "max_expires": WAITS_S * SECOND,
        "max_bytes": 4 * 1024 * 1024,
    }
