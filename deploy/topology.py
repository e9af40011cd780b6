"""Who may say what, as data; and what NATS is told of it: accounts, permissions, streams, consumers.

Run as a program this is the resident provisioner: `python -m deploy.topology`.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.nats_jwt import Json, account_claims

STREAM = "EVENTS"
DOOR = "samen"
WITNESS = "notifications"
"""The service in which the audit log's witness lives, with a key of its own."""
GATE = "gate"
"""The service that stands in both worlds: the platform's, and the tools'."""
WITNESS_ASKED = f"ask.cosign.{WITNESS}"
INBOXES = "note.>"
"""`note.<school>.<member>`: a member's inbox changed. Only doors listen: who gets something is something to know."""
LOG_ASKED = ("ask.checkpoint", "ask.cosigned", "ask.witnesses")
"""What audit tells witnesses outside, takes from them, and says of them: sizes, hashes and signatures, of no person."""
SLOTS_ASKED = ("ask.slots", "ask.tool-slot")
"""What the gate tells of tools' slots: states and numbers of connections, of no person."""


@dataclass(frozen=True)
class Service:
    """A service's place on the bus: whose events it takes, whom it asks, what it answers besides."""

    name: str
    consumes: tuple[str, ...] = ()
    queries: tuple[str, ...] = ()
    """`<service>.<query>` that this service asks."""
    answers: tuple[str, ...] = ()
    """Subjects outside the common ones that this service answers, in its queue group."""
    asks: tuple[str, ...] = ()
    """Subjects outside the common ones that this service asks."""
    tells: tuple[str, ...] = ()
    """Subjects outside the common ones that this service publishes to, for doors only."""


TOOLS_ASK = (
    *(f"cmd.*.goals.{name}" for name in ("score-goal", "score-goals", "correct-score")),
    *(f"qry.*.goals.{name}" for name in ("goals-of-child", "goal", "goal-history")),
    *(f"qry.*.goals.{name}" for name in ("plans-of-child", "plan", "plan-changes")),
    *(f"qry.*.goals.{name}" for name in ("conversations", "conversation")),
)
"""What the gate passes on for tools: the closed list of services/gate/allowed.py, which a test holds beside this."""

SERVICES = (
    Service("network", answers=("ask.access", "ask.effective")),
    Service("goals", consumes=("network",)),
    Service(
        WITNESS,
        consumes=("network", "goals", "gate"),
        queries=("network.contact-point", "goals.calendar-entry"),
        answers=(WITNESS_ASKED,),
        tells=(INBOXES,),
    ),
    Service(GATE, consumes=("network", "goals"), answers=SLOTS_ASKED, asks=TOOLS_ASK),
    Service(
        "audit",
        consumes=("network", "goals", "notifications", "gate", "audit"),
        answers=("ask.tail", *LOG_ASKED),
        asks=(WITNESS_ASKED,),
    ),
)
CONSUMERS = tuple(service for service in SERVICES if service.consumes)
NAMES = tuple(service.name for service in SERVICES)
PRODUCERS = NAMES


def service(name: str) -> Service:
    """Return the service called `name`."""
    return next(s for s in SERVICES if s.name == name)


def durable(name: str) -> str:
    """Return the name of a service's durable consumer."""
    return f"{name}--events"


@dataclass(frozen=True)
class Permissions:
    """What a login may publish and subscribe to; everything else is refused."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


def service_permissions(s: Service) -> Permissions:
    """Return what the service's own login may do in PLATFORM."""
    x = s.name
    publish = [f"evt.*.{x}.>", f"head.{x}", f"cursor.{x}", f"poke.{x}"]
    publish += [f"{ask}.{p}" for p in s.consumes for ask in ("replay", "ask.head")]
    publish += ["ask.cursors.*", "ask.access", "ask.tail", f"ask.stream.{x}"]
    publish += [f"qry.*.{query}" for query in s.queries]
    publish += [*s.asks, *s.tells]
    if s.consumes:
        publish += [f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{durable(x)}", f"$JS.ACK.{STREAM}.{durable(x)}.>"]
    # Answers to callers, whose inboxes a service can't know; only the inbox's owner may listen there.
    publish.append("_INBOX.>")
    # "subject queue" pins the queue group: a service's replica can't also listen in outside the group.
    subscribe = [f"_INBOX.{x}.>", f"cmd.*.{x}.> {x}", f"qry.*.{x}.> {x}", f"replay.{x} {x}"]
    subscribe += [f"ask.head.{x} {x}", f"ops.{x}.> {x}", f"ask.cursors.{x}", f"poke.{x}"]
    subscribe += ["head.>", "cursor.>", *(f"{subject} {x}" for subject in s.answers)]
    return Permissions(tuple(publish), tuple(subscribe))


def door_permissions() -> Permissions:
    """Return what the command line's login may do: ask, command and watch, never speak as a service."""
    return Permissions(
        ("cmd.>", "qry.>", "ask.cursors.*", "ask.effective", "ask.head.*", "ops.*.>", *LOG_ASKED, *SLOTS_ASKED),
        (f"_INBOX.{DOOR}.>", "head.>", "cursor.>", INBOXES),
    )


def platform_logins() -> dict[str, Permissions]:
    """Return every login of PLATFORM with its permissions."""
    return {s.name: service_permissions(s) for s in SERVICES} | {DOOR: door_permissions()}


PROVISIONER_SYS = Permissions(
    (
        "$SYS.REQ.CLAIMS.UPDATE",
        "$SYS.REQ.ACCOUNT.*.CLAIMS.LOOKUP",
        "$SYS.REQ.ACCOUNT.*.INFO",
        "$SYS.REQ.ACCOUNT.*.CONNZ",
        "$SYS.REQ.ACCOUNT.PING.STATZ",
    ),
    ("_INBOX.provisioner.>",),
)
# `_R_.` is where the server takes what is answered to a request from another account.
PROVISIONER_BUS = Permissions(("$JS.API.>", "_R_.>"), ("_INBOX.provisioner.>", "ask.stream.* provisioner"))

# Fixed subjects that cross from PLATFORM to BUS. JetStream answers to any reply subject with the server's rights, so
# the account that holds it holds no service's login; an import's answer can only go back to the importing account.
CROSSING: tuple[tuple[str, str], ...] = (
    ("evt.>", "Singleton"),
    (f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.*", "Stream"),
    (f"$JS.ACK.{STREAM}.>", "Singleton"),
    ("ask.stream.*", "Singleton"),
)


def bus_claims() -> Json:
    """Return the claims of BUS: it holds the stream and lets exactly the crossing subjects in."""
    exports: list[Json] = [
        {"name": subject, "subject": subject, "type": "service", "response_type": kind} for subject, kind in CROSSING
    ]
    return account_claims(jetstream=True, exports=exports)


def platform_claims(bus: str) -> Json:
    """Return the claims of PLATFORM, which imports the crossing subjects from account `bus`."""
    imports: list[Json] = [{"name": s, "subject": s, "account": bus, "type": "service"} for s, _ in CROSSING]
    return account_claims(jetstream=False, imports=imports)


def system_claims() -> Json:
    """Return the claims of SYS."""
    return account_claims(jetstream=False)


SECOND = 1_000_000_000


def stream_config(replicas: int = 1) -> Json:
    """Return the settings of stream EVENTS as JetStream's API takes them (durations in nanoseconds)."""
    return {
        "name": STREAM,
        "subjects": ["evt.>"],
        "storage": "file",
        "retention": "limits",
        "discard": "old",
        "max_age": 7 * 24 * 3600 * SECOND,
        "duplicate_window": 120 * SECOND,
        "allow_atomic": True,
        "allow_direct": True,
        "compression": "none",
        "num_replicas": replicas,
    }


def consumer_config(s: Service) -> Json:
    """Return the settings of a service's durable consumer (ack-all, two batches under way)."""
    return {
        "durable_name": durable(s.name),
        "deliver_policy": "all",
        "ack_policy": "all",
        "ack_wait": 30 * SECOND,
        "max_ack_pending": 1000,
        "filter_subjects": [f"evt.*.{producer}.>" for producer in s.consumes],
    }


if __name__ == "__main__":
    from deploy.provisioner import main

    main()
